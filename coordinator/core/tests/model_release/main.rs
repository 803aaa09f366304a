//! The release protocol as a model: what always holds, whatever is delayed, lost, killed or deleted (I1, I4, I5, I6, I9).

mod any_order;
mod gate;
mod hold;
mod lead;
mod model;
mod receipt;

use coordinator_core::notice::Notice;
use coordinator_core::objects::{Backup, BackupPhase, ObjectKey};
use coordinator_core::policy::ThawOnCut;
use coordinator_core::settings::{ModeSetting, Settings};
use model::world::Model;
use shared::admission::Mode;
use shared::receipt::Receipt;

fn plain(_: &mut Settings) {}

fn barrier(set: &mut Settings) {
    set.mode = ModeSetting::Fixed(Mode::Barrier);
}

/// Cuts are seen, as with CSI.
fn seeing(set: &mut Settings) {
    set.cuts_visible = true;
}

/// … and one member at most is held still at once.
fn quorum(set: &mut Settings) {
    seeing(set);
    set.policy.frozen_max = Some(1);
}

/// … and each lets go at its own cut.
fn each(set: &mut Settings) {
    seeing(set);
    set.policy.thaw = ThawOnCut::Member;
}

/// … and clocks are as far off as they are by default.
fn unsure(set: &mut Settings) {
    seeing(set);
    set.clock_error_ms = 50;
}

/// … and residents are called, whoever has one.
fn lead(set: &mut Settings) {
    seeing(set);
    set.mode = ModeSetting::Fixed(Mode::Lead);
}

fn backup(name: &str, phase: BackupPhase) -> Backup {
    Backup {
        key: ObjectKey { namespace: "velero".parse().unwrap(), name: name.into() },
        uid: format!("uid-{name}"),
        started_at: None,
        failure: None,
        phase,
        included_namespaces: vec!["prod".into()],
        excluded_namespaces: vec![],
        includes_pods: true,
        hooks: vec![],
        any_of: vec![],
        ordered_pods: vec![],
        receipts: [].into(),
    }
}

fn receipts(model: &Model) -> Vec<&Receipt> {
    fn closed(notice: &Notice) -> Option<&Receipt> {
        if let Notice::RoundClosed(receipt) = notice { Some(receipt) } else { None }
    }
    model.coordinators.iter().flat_map(|c| &c.notices).filter_map(closed).collect()
}

/// Everything that is still under way ends: posts run, time passes, nobody new arrives.
fn run_out(model: &mut Model) {
    for name in ["b1", "b2"] {
        model.api.put_backup(backup(name, BackupPhase::CutsOver));
    }
    for _ in 0..400 {
        model.settle();
        let wall = model.wall();
        for hook in &mut model.hooks {
            if hook.went.is_some() {
                hook.post(&mut model.api, wall);
                hook.went = None;
            }
            hook.renew(&mut model.api, wall);
        }
        model.tick(20_000);
        model.settle();
        if model.at_rest().is_ok() {
            return;
        }
    }
    let leases = (&model.api.budget, &model.api.groups, &model.api.members);
    panic!("I4: {}; {leases:?}", model.at_rest().unwrap_err());
}

/// Three pods that Velero cuts in one block.
fn one_block() -> Backup {
    Backup { ordered_pods: (0..3).map(|i| format!("prod/g0-{i}")).collect(), ..backup("b1", BackupPhase::InProgress) }
}

fn verdict_of(model: &mut Model) -> Receipt {
    let wall = model.wall();
    for hook in &mut model.hooks {
        hook.post(&mut model.api, wall);
    }
    model.settle();
    run_out(model);
    receipts(model)[0].clone()
}
