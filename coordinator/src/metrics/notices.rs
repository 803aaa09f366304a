//! Which metrics a notice of the core moves.

use coordinator_core::notice::Notice;
use coordinator_core::throttle::limiter::{Change, Why};
use prometheus_client::metrics::counter::Counter;
use shared::receipt::{MemberEnd, Receipt};

use super::labels::{AdjustmentLabels, AdmissionLabel, VerdictLabel};
use super::set::Metrics;

impl Metrics {
    /// Moves what `notice` moves.
    pub fn told(&self, notice: &Notice) {
        let set = self.set();
        match notice {
            Notice::ConcurrencyAdjusted { change, .. } => self.adjusted(change),
            Notice::Granted { waited_ms, .. } => set.round_wait_seconds.observe(seconds(*waited_ms)),
            Notice::RoundClosed(receipt) => self.closed(receipt),
            Notice::BarrierDegraded { .. } => count(&set.barriers_degraded),
            Notice::CallUnanswered { .. } => count(&set.calls_unanswered),
            Notice::HoldEnded { .. } => count(&set.holds_ended),
            Notice::PodLabelled { .. } => count(&set.pods_labelled),
            Notice::MemberLost { end: MemberEnd::PodGone, .. } => count(&set.members_gone),
            Notice::MemberLost { .. } => count(&set.members_expired),
            Notice::HooksMissed { .. } => count(&set.groups_without_hooks),
            Notice::BackupFailed { groups, .. } => {
                set.groups_not_backed_up.inc_by(u64::try_from(groups.len()).unwrap_or(u64::MAX));
            }
            Notice::LeaseInvalid { .. } => count(&set.leases_invalid),
            Notice::LeaseCollected { .. } => count(&set.leases_collected),
            Notice::WriteFailed { .. } => count(&set.write_failures),
            Notice::SignalHealth { .. }
            | Notice::RoundOpened { .. }
            | Notice::RoundWaits { .. }
            | Notice::Released { .. }
            | Notice::AnnotationInvalid { .. }
            | Notice::GroupTooLarge { .. } => {}
        }
    }

    fn adjusted(&self, change: &Change) {
        let direction = if change.to < change.from { "lowered" } else { "raised" };
        let source = match &change.why {
            Why::Throttled(source, _) | Why::Calm(source, _) => source.as_str(),
            Why::Ceiling | Why::Adopted => "none",
        };
        let labels = AdjustmentLabels { direction, reason: change.why.as_str(), source };
        self.set().budget_adjustments.get_or_create(&labels).inc();
    }

    fn closed(&self, receipt: &Receipt) {
        let set = self.set();
        set.rounds.get_or_create(&VerdictLabel { verdict: receipt.verdict.as_str() }).inc();
        if let Some(skew_ms) = receipt.skew_ms {
            set.skew_seconds.observe(seconds(skew_ms));
        }
        if let Some(skew_ms) = receipt.quiesce_skew_ms {
            set.quiesce_skew_seconds.observe(seconds(skew_ms));
        }
        for member in &receipt.members {
            if let Some(admission) = member.admission {
                set.admissions.get_or_create(&AdmissionLabel { admission: admission.as_str() }).inc();
            }
            if let Some(held_ms) = member.held_ms() {
                set.held_seconds.observe(seconds(held_ms));
            }
        }
    }
}

fn count(counter: &Counter) {
    counter.inc();
}

/// ms as s; lengths of weeks stay exact to the ms in an f64.
#[expect(clippy::cast_precision_loss, reason = "f64 holds 2^53 ms, which is 285,000 years")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::group_lease::Epoch;

    #[test]
    fn a_grant_moves_the_wait() {
        let metrics = Metrics::new();
        metrics.told(&Notice::Granted { group: "a/b".parse().unwrap(), epoch: Epoch(1), weight: 2, waited_ms: 1_500 });
        let text = metrics.text();
        assert!(text.contains("snapshot_coordinator_round_wait_seconds_sum 1.5"), "{text}");
        assert!(text.contains("snapshot_coordinator_round_wait_seconds_count 1"), "{text}");
    }
}
