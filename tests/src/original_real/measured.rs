//! What came of a Backup with the original's hooks, and is it what the model of its rules says?

use std::time::Duration;

use crate::original::{Outcome, PreEnd};
use crate::velero::backup::Phase;
use crate::velero::cluster::Made;
use crate::velero::hook_calls::HookPhase;
use crate::velero::truth::{Consistency, Fact, Moment, Reported, Timeline, truth_verdict};

/// How much earlier than in the model things may happen: it cuts at the begin of one of Velero's polls of 5 s, a busy machine
/// anywhere in it, so that cuts may also come closer together.
const EARLY_MAX: Duration = Duration::from_secs(6);

/// How much later: in the model every call is instant, and each pod's hooks are ten calls of `kubectl` by a machine that may be busy.
/// What tells the cases apart is how each hook ended; far more than this lies between them with the original's own times.
const LATE_MAX: Duration = Duration::from_mins(1);

/// One pod. Times since the Backup began to be processed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeasuredMember {
    /// How its pre hook ended, as Velero saw it.
    pub pre: PreEnd,
    /// How long Velero waited for it.
    pub wait: Duration,
    /// When its volume was cut; `None`: it was not.
    pub cut_at: Option<Duration>,
    /// Whether its post hook ran.
    pub post_ran: bool,
    /// Whether its pre hook still ran in the pod when Velero was done with the Backup.
    pub still_loops: bool,
}

/// One group's Backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// The pods, in order of their ordinals.
    pub members: Vec<MeasuredMember>,
    /// From `InProgress` to the next phase.
    pub total: Duration,
    /// From the first to the last cut; `None` without any.
    pub skew: Option<Duration>,
    /// The Backup's last phase.
    pub phase: Phase,
    /// Never better than crash-consistent: whatever the hooks' results say, they quiesce nothing.
    pub consistency: Consistency,
}

impl Measured {
    /// Reads one Backup's facts.
    ///
    /// # Errors
    /// When the Backup was never `InProgress`, or is still.
    pub fn of(seen: &Timeline, made: &Made, phase: Phase) -> anyhow::Result<Self> {
        let begin = seen.entered(Phase::InProgress).ok_or_else(|| anyhow::anyhow!("never in progress:\n{seen}"))?;
        let left = |fact: &Fact| matches!(fact, Fact::Phase { phase, .. } if *phase > Phase::InProgress);
        let end = seen.entries().iter().find(|entry| left(&entry.fact)).map(|entry| entry.at);
        let end = end.ok_or_else(|| anyhow::anyhow!("still in progress:\n{seen}"))?;
        let members = made.pods.iter().map(|pod| {
            let pre = seen.hooks_of(&pod.name, HookPhase::Pre);
            let cut = seen.cuts().into_iter().find(|cut| pod.claims.contains(&cut.claim));
            MeasuredMember {
                pre: match pre.last().and_then(|hook| hook.reported.as_ref()) {
                    Some((_, reported)) if reported.is_success() => PreEnd::Released,
                    Some((_, Reported::TimedOut(_))) => PreEnd::TimedOut,
                    _ => PreEnd::NotStarted,
                },
                wait: seen.wait(&pod.name).unwrap_or_default(),
                cut_at: cut.map(|cut| cut.at.after(begin)),
                post_ran: !seen.hooks_of(&pod.name, HookPhase::Post).is_empty(),
                still_loops: pre.iter().any(|hook| hook.exited.is_none_or(|(at, _): (Moment, _)| at > end)),
            }
        });
        let consistency = truth_verdict(seen, &made.names(), None).consistency.max(Consistency::CrashConsistent);
        Ok(Self { members: members.collect(), total: end.after(begin), skew: seen.skew(), phase, consistency })
    }

    /// Where the model says something else; one sentence each.
    pub fn contradictions(&self, model: &Outcome) -> Vec<String> {
        let mut found = Vec::new();
        let mut check = |is_same: bool, what: String| {
            if !is_same {
                found.push(what);
            }
        };
        let Self { members, total, skew, phase, consistency } = self;
        check(*phase == model.phase, format!("phase {phase}, by the model {}", model.phase));
        check(*consistency == model.consistency, format!("{consistency}, by the model {}", model.consistency));
        check(near(*total, model.total_s), format!("over after {total:?}, by the model {} s", model.total_s));
        let skew_is = skew.unwrap_or_default();
        check(near(skew_is, model.skew_s), format!("cuts {skew_is:?} apart, by the model {} s", model.skew_s));
        check(members.len() == model.members.len(), format!("{} members", members.len()));
        for (index, (member, by_model)) in members.iter().zip(&model.members).enumerate() {
            let MeasuredMember { pre, wait, cut_at, post_ran, still_loops } = member;
            check(*pre == by_model.pre, format!("pre {index}: {pre:?}, by the model {:?}", by_model.pre));
            check(
                near(*wait, by_model.wait_s),
                format!("pre {index} waited {wait:?}, by the model {} s", by_model.wait_s),
            );
            check(
                cut_at.is_some_and(|at| near(at, by_model.cut_at_s)),
                format!("cut {index} at {cut_at:?}, by the model at {} s", by_model.cut_at_s),
            );
            check(*post_ran == by_model.post_ran, format!("post {index}: ran is {post_ran}, the model says otherwise"));
            check(
                *still_loops == by_model.still_loops,
                format!("loop {index}: goes on is {still_loops}, the model says otherwise"),
            );
        }
        found
    }
}

fn near(measured: Duration, by_model_s: u64) -> bool {
    let by_model = Duration::from_secs(by_model_s);
    measured + EARLY_MAX >= by_model && measured <= by_model + LATE_MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::original::{Layout, Reading, Scenario, play};

    fn as_the_model(model: &Outcome) -> Measured {
        let members = model.members.iter().map(|member| MeasuredMember {
            pre: member.pre,
            wait: Duration::from_secs(member.wait_s),
            cut_at: Some(Duration::from_secs(member.cut_at_s)),
            post_ran: member.post_ran,
            still_loops: member.still_loops,
        });
        Measured {
            members: members.collect(),
            total: Duration::from_secs(model.total_s),
            skew: Some(Duration::from_secs(model.skew_s)),
            phase: model.phase,
            consistency: model.consistency,
        }
    }

    #[test]
    fn each_difference_is_told() {
        let model = play(&Scenario::new(3, Layout::OneBlock, Reading::Literal));
        let same = as_the_model(&model);
        assert_eq!(same.contradictions(&model), [""; 0]);
        let mut other = same.clone();
        other.members[1].pre = PreEnd::Released;
        other.members[1].wait = Duration::ZERO;
        other.members[2].cut_at = None;
        other.total += Duration::from_mins(2);
        other.phase = Phase::Completed;
        let told = other.contradictions(&model).join("\n");
        for word in ["phase", "over after", "pre 1: Released", "pre 1 waited 0ns", "cut 2 at None"] {
            assert!(told.contains(word), "{word}: {told}");
        }
        assert_eq!(told.lines().count(), 5, "{told}");
    }
}
