//! Which pods get their group's label now.

use crate::command::{Command, Target};
use crate::grouping::{Labelling, label_for};
use crate::state::State;
use crate::time::Now;

/// The most label writes under way at once: the first start in a large cluster labels thousands of pods.
const UNDER_WAY_MAX: usize = 20;

impl State {
    /// Label writes for pods that have none and should, or still have ours of elsewhere.
    pub(crate) fn decide_labels(&self, now: Now) -> Vec<Command> {
        if !self.settings.label_pods {
            return vec![];
        }
        let room = UNDER_WAY_MAX.saturating_sub(self.writes.count(|target| matches!(target, Target::Pod(_))));
        self.to_label
            .iter()
            .filter(|key| self.writes.may_start(&Target::Pod((*key).clone()), now.mono))
            .filter_map(|key| {
                let pod = self.world.pod(key)?;
                let Labelling { group, instead_of } = label_for(pod, !self.world.ebs_claims(pod).is_empty())?;
                Some(Command::LabelPod { pod: key.clone(), uid: pod.uid.to_string(), group, instead_of })
            })
            .take(room)
            .collect()
    }
}
