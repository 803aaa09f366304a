//! The plan's reasons in words for people: codes are for machines, and stand beside them.

use coordinator_core::schedule::finding::{FewerRunsReason, Finding};
use coordinator_core::schedule::plan::{Feasibility, Fix, Reason, Shortage};

/// Why a group has its slot, as one word for machines.
pub const fn reason_code(reason: Reason) -> &'static str {
    match reason {
        Reason::Fixed => "fixed",
        Reason::Kept => "kept",
        Reason::ClocksChanged => "clocks-changed",
        Reason::Placed => "placed",
        Reason::ByPriority => "by-priority",
        Reason::WindowChanged => "window-changed",
        Reason::NamespaceBusy => "namespace-busy",
        Reason::VeleroBusy => "velero-busy",
        Reason::OverBudget => "over-budget",
        Reason::Balance => "balance",
    }
}

/// Why a group has its slot.
pub const fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Fixed => "fixed by its owner",
        Reason::Kept => "stays",
        Reason::ClocksChanged => "moved with the clocks",
        Reason::Placed => "new, least loaded minute",
        Reason::ByPriority => "new, by its priority",
        Reason::WindowChanged => "moved, the window changed",
        Reason::NamespaceBusy => "moved, its namespace is busy",
        Reason::VeleroBusy => "moved, Velero is busy",
        Reason::OverBudget => "moved, over budget",
        Reason::Balance => "moved, to even the load",
    }
}

/// One word for machines.
pub const fn feasibility_code(feasibility: &Feasibility) -> &'static str {
    match feasibility {
        Feasibility::Fits { .. } => "fits",
        Feasibility::Short { .. } => "short",
    }
}

/// `90 s`, `5 min`, `1 h 30 min`.
pub fn length(seconds: u64) -> String {
    let minutes = seconds.div_ceil(60);
    match (seconds, minutes / 60, minutes % 60) {
        (0..120, _, _) => format!("{seconds} s"),
        (_, 0, minutes) => format!("{minutes} min"),
        (_, hours, 0) => format!("{hours} h"),
        (_, hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// `1 group`, `2 groups`.
pub fn several(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// What is missing.
pub fn shortage(shortage: &Shortage) -> String {
    match shortage {
        Shortage::Budget { peak, budget, minutes_over } => format!(
            "{peak} volumes in flight at the peak, the budget is {budget} ({minutes_over} minutes over it): groups will wait for their turn"
        ),
        Shortage::ConcurrentBackups { peak, concurrent_backups, longest_queue_s } => {
            let queue = match longest_queue_s {
                Some(seconds) => format!("they queue, {} at most", length((*seconds).into())),
                None => "the queue grows from day to day".to_owned(),
            };
            format!("{peak} backups are due at once, Velero runs {concurrent_backups}: {queue}")
        }
        Shortage::Namespace { namespace, overlap_min } => {
            format!(
                "backups of namespace {namespace} overlap for {overlap_min} minutes; Velero runs one of a namespace at a time"
            )
        }
        Shortage::Window { runs, by_min } => {
            format!("{runs} runs end after the window, the last {} late", length(u64::from(*by_min) * 60))
        }
    }
}

/// What would help.
pub fn fix(fix: Fix) -> String {
    match fix {
        Fix::WindowHours(hours) => format!("--backup-window-hours {hours}"),
        Fix::Budget(volumes) => format!("--max-concurrent-snapshots {volumes}"),
        Fix::ConcurrentBackups(count) => format!("Velero's --concurrent-backups={count} (and the same flag here)"),
        Fix::PlanAnew { moves } => format!("remove the generated Schedules and plan anew ({moves} groups move)"),
        Fix::SplitNamespaces => "fewer or shorter backups in the namespaces named above".to_owned(),
    }
}

/// What would help together.
pub fn together(fixes: &[Fix]) -> String {
    fixes.iter().copied().map(fix).collect::<Vec<_>>().join(", together with ")
}

/// What the planner noticed.
pub fn noticed(finding: &Finding) -> String {
    match finding {
        Finding::DuplicateGroup { group } => format!("{group} was asked for twice; the first counts"),
        Finding::VolumesClamped { group, volumes, planned } => {
            format!("{group} has {volumes} volumes; it is planned as if it had {planned}")
        }
        Finding::HeavierThanBudget { group, volumes, budget } => {
            format!("{group} has {volumes} volumes, more than the budget of {budget}: it runs alone")
        }
        Finding::FixedOutsideWindow { group, minute } => {
            format!("{group} is fixed at {minute} UTC, outside the window; that is honoured")
        }
        Finding::FixedTooClose { group, pending, most } => {
            format!(
                "{group} has fixed times so close that a volume has {pending} pending snapshots, and EBS allows {most}"
            )
        }
        Finding::LongerThanWindow { group, needs_min, longest_min } => {
            format!("{group} takes {needs_min} minutes, the longest open stretch has {longest_min}: it ends after it")
        }
        Finding::FewerRuns { group, asked, planned, because } => {
            let because = match because {
                FewerRunsReason::Window => "the window has not that many hours",
                FewerRunsReason::Length => "one run would begin before the one before is over",
                FewerRunsReason::PendingSnapshots => "EBS allows a volume no more pending snapshots",
            };
            format!("{group} runs {planned} times a day, not {asked}: {because}")
        }
        Finding::SharedVolume { group, other } => {
            format!("{group} and {other} share a volume: their namespaces are planned as one")
        }
        Finding::NamespaceOverfull { namespace, needs_min, window_min } => {
            format!(
                "the backups of namespace {namespace} take {needs_min} minutes one after another, the window has {window_min}"
            )
        }
    }
}
