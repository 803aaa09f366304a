//! Hooks that fail, cannot even begin, come too late, or do not let go of their output.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use shared::verdict::Verdict;
use testbed::pair::check::exact;
use testbed::pair::{HookPlan, Pair, PairOptions, group_of_set, stories};
use testbed::velero::backup::Phase;
use testbed::velero::cluster::Workload;
use testbed::velero::hook_calls::HookPhase;

use crate::run::isolated;

/// Where the pods of a test have a program of another architecture.
const FOREIGN_PROGRAM: &str = "/hooks/foreign";

#[test]
fn a_failed_pre_is_in_the_receipt_whatever_on_error_says() {
    isolated(async || {
        let pair = Pair::start_real(PairOptions::real("fails", 5)).await?;
        for (namespace, on_error) in [("fails-fail", "Fail"), ("fails-continue", "Continue"), ("fails-unset", "")] {
            let wrong = HookPlan::default().on_error(on_error).flags(&["--deadline", "soon"]);
            stories::one_of_two_is_never_quiesced(&pair, namespace, &wrong).await?;
        }
        Ok(())
    });
}

#[test]
fn a_hook_that_cannot_even_begin_is_in_the_receipt() {
    isolated(async || {
        let pair = Pair::start_real(PairOptions::real("cannot-begin", 5)).await?;
        put_foreign_program(&pair)?;
        let plans = [
            ("missing", HookPlan::default().program("/hooks/absent")),
            ("foreign", HookPlan::default().program(FOREIGN_PROGRAM)),
            ("no-container", HookPlan::default().container("nobody")),
        ];
        for (namespace, wrong) in plans {
            stories::one_of_two_is_never_quiesced(&pair, namespace, &wrong).await?;
        }
        Ok(())
    });
}

/// An ELF file for a machine that nobody has here: the head of this very program, with another `e_machine` (offset 18, two bytes).
fn put_foreign_program(pair: &Pair) -> Result<()> {
    let image = pair.velero.real().bed().image();
    let mut program = std::fs::read(image.join("hooks/hook-agent"))?;
    program.truncate(1 << 16);
    // EM_SPARC of the ELF specification.
    program[18..20].copy_from_slice(&2_u16.to_le_bytes());
    let path = image.join(FOREIGN_PROGRAM.trim_start_matches('/'));
    std::fs::write(&path, program)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    Ok(())
}

#[test]
fn a_pre_that_outlives_veleros_timeout_holds_nothing_for_long() {
    isolated(async || {
        let options = PairOptions::real("outlives", 5).flags(&["--round-idle", "1s"]);
        stories::a_pre_outlives_veleros_timeout(Pair::start_real(options).await?).await
    });
}

#[test]
fn a_child_that_keeps_the_output_delays_the_cut_and_nothing_else() {
    isolated(async || {
        let pair = Pair::start_real(PairOptions::real("keeps-output", 5)).await?;
        let plan = HookPlan::default().shell(r#""$0" "$@"; status=$?; sleep 4 & exit $status"#);
        let made = pair.with(Workload::stateful_set("shop", "db", 2), &plan).await?;
        let spec = json!({"includedNamespaces": ["shop"], "orderedResources": {"pods": made.ordered()}});
        let night = pair.back_up("b", spec).await?;
        assert_eq!(night.phase, Phase::Completed, "{}", night.seen);
        // The kubelet did not call the hook ended before its child had let go of the output.
        for pod in &made.pods {
            let runs = night.seen.hooks_of(&pod.name, HookPhase::Pre);
            let ends = runs[0].reported.as_ref().zip(runs[0].exited.as_ref());
            let held = ends.map(|((reported, _), (exited, _))| reported.after(*exited));
            assert!(held.is_some_and(|held| held > Duration::from_secs(3)), "{held:?}\n{}", night.seen);
        }
        exact(&pair, &night, &made, &group_of_set("shop", "db"), Verdict::GroupConsistent).await?;
        pair.nothing_granted().await
    });
}
