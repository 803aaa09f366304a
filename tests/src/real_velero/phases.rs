//! Through which phases do the Backups go, as the API server tells it?

use std::collections::BTreeMap;
use std::pin::pin;

use futures::TryStreamExt as _;
use kube::api::DynamicObject;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, ResourceExt as _};

use crate::velero::backup::Phase;
use crate::velero::truth::{Fact, TruthLog};

/// Records each phase in which a Backup is seen, for ever. What passes faster than a watch tells is not seen.
pub(super) async fn record(backups: Api<DynamicObject>, truth: TruthLog) {
    let mut last: BTreeMap<String, Phase> = BTreeMap::new();
    let mut events = pin!(watcher(backups, watcher::Config::default()).default_backoff());
    loop {
        match events.try_next().await {
            Ok(Some(watcher::Event::Apply(backup) | watcher::Event::InitApply(backup))) => {
                let (name, phase) = (backup.name_any(), Phase::of(&backup));
                if let Some(phase) = phase
                    && last.insert(name.clone(), phase) != Some(phase)
                {
                    truth.record(Fact::Phase { backup: name, phase });
                }
            }
            Ok(Some(watcher::Event::Delete(backup))) => {
                last.remove(&backup.name_any());
            }
            Ok(Some(watcher::Event::Init | watcher::Event::InitDone)) => {}
            Ok(None) => return,
            Err(error) => tracing::debug!(%error, "Backups cannot be watched just now"),
        }
    }
}
