//! What the earlier rounds of a group in one Backup leave to the receipt of a later one.

use shared::group_lease::GroupLease;
use shared::identity::GroupKey;
use shared::receipt::{EarlierRounds, Receipt};

use crate::command::Command;
use crate::objects::ObjectKey;
use crate::round::Round;
use crate::state::State;

/// A receipt that closed so long before a Backup began, ms, is of an older one of the same name. The two times come from different hosts'
/// clocks; a mistake the other way would forget a round.
const OLDER_BACKUP_MS: i64 = 60_000;

impl State {
    /// The rounds before this one in the same Backup: the group's Lease holds the last one's receipt, and that tells of those before it.
    pub(crate) fn earlier_rounds(&self, known: Option<&GroupLease>, round: &Round) -> Option<Box<EarlierRounds>> {
        let last = known?.receipt.as_ref()?;
        let backup = round.backup.as_ref()?;
        let began = self.world.backup(backup).and_then(|backup| backup.started_at);
        let is_older = began.is_some_and(|began| began.ms_since(last.closed_at) > OLDER_BACKUP_MS);
        (last.backup.as_ref() == Some(&backup.name) && !is_older).then(|| Box::new(and_its_own(last)))
    }
}

/// A receipt's earlier rounds and its own.
fn and_its_own(last: &Receipt) -> EarlierRounds {
    let own = EarlierRounds { count: 1, worst: last.verdict, why: last.why.clone() };
    match &last.earlier_rounds {
        None => own,
        Some(before) => {
            let before = before.as_ref();
            let count = before.count.saturating_add(1);
            // The order of verdicts is that of what they prove, the strongest first.
            let worst = if before.worst > own.worst { before.clone() } else { own };
            EarlierRounds { count, ..worst }
        }
    }
}

/// Puts a receipt onto its Backup.
pub(crate) fn annotation(backup: ObjectKey, group: &GroupKey, receipt: &Receipt) -> Command {
    Command::AnnotateBackup { backup, group: group.clone(), receipt: Box::new(headline(receipt)) }
}

/// The receipt as it stands on the Backup, for whoever restores: no better than the weakest of all rounds.
fn headline(receipt: &Receipt) -> Receipt {
    let mut headline = receipt.clone();
    if let Some(earlier) = receipt.earlier_rounds.as_ref().filter(|earlier| earlier.worst > receipt.verdict) {
        (headline.verdict, headline.why) = (earlier.worst, earlier.why.clone());
    }
    headline
}
