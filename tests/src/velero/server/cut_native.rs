//! How is a volume cut by the cloud plugin's own call?

use super::run::Run;
use crate::velero::inventory::ClaimItem;
use crate::velero::selection::Kind;
use crate::velero::truth::{CutWay, Fact};

/// Cuts the claim's volume, if Velero would: volumes that the filters leave out are skipped in silence.
pub(super) async fn cut(run: &Run, claim: &ClaimItem) {
    let Some(volume) = &claim.volume else { return };
    if volume.excluded || volume.csi.is_none() || !run.job.selection.takes_kind(Kind::Volumes) {
        run.journal.info(format!("volume {} of {} is left out of the backup", volume.name, claim.name));
        return;
    }
    let (backup, name) = (run.job.name.clone(), claim.name.clone());
    run.server.truth.record(Fact::CutRequested { backup: backup.clone(), claim: name.clone() });
    tokio::time::sleep(run.server.settings.native_cut).await;
    run.count_native();
    run.server.truth.record(Fact::Cut { backup, claim: name, way: CutWay::Native });
}
