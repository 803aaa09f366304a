//! What does somebody read who has never heard of this?

use super::layout::Layout;
use super::workloads::{BUDGET, GROUPS};

/// Before the first night.
pub fn introduction() -> Vec<String> {
    let groups: Vec<String> = GROUPS
        .iter()
        .map(|group| match (group.pods, group.volumes_per_pod) {
            (1, 1) => format!("{} (1 pod)", group.label()),
            (pods, 1) => format!("{} ({pods} pods)", group.label()),
            (pods, volumes) => format!("{} ({pods} pods, {volumes} volumes each)", group.label()),
        })
        .collect();
    [
        "A database of N pods has N volumes. Velero snapshots them one after another, so a restore gives N",
        "pods from N moments; and when every backup starts at midnight, EC2 throttles the snapshots. Here two",
        "small programs end that: hook-agent runs in each pod before and after its cut, and the coordinator",
        "lets whole groups of pods go, within a budget. Each group's receipt says what is proven of its cuts.",
        "",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain([
        format!("Groups:  {},", groups[..2].join(", ")),
        format!("         {}; and one pod without volumes.", groups[2..].join(", ")),
        format!("Budget:  at most {BUDGET} volumes between release and cut; a bigger group goes alone."),
        "Real:    coordinator, and every hook as a process of its own. Simulated: API server, Velero, EBS.".to_owned(),
        "Held:    from a pre hook's return to its post hook; these pods run nothing, so their plan is `none`."
            .to_owned(),
        "Scaled:  Velero asks for a CSI snapshot every 5 s; here more often, as each night says.".to_owned(),
    ])
    .collect()
}

/// What is scaled in a layout.
pub fn scale(layout: Layout) -> String {
    let (poll, cut) = (layout.poll().as_secs_f64(), layout.cut_delay().as_secs_f64());
    format!("Here Velero polls every {poll:.2} s instead of 5 s, and a volume is cut {cut:.2} s after it is asked for.")
}

/// How the times in the table relate to those of a real cluster in CSI mode.
pub fn factor(layout: Layout) -> String {
    let times = layout.speed_up();
    match layout {
        Layout::EachPodAlone | Layout::OrderedBlock => {
            format!("with the real 5 s poll, skew and held are about {times} times as long")
        }
        // Side by side, cuts of different pods do not wait for each other's polls.
        Layout::ParallelWorkers => format!("with the real 5 s poll, held is about {times} times as long"),
    }
}

/// What the words of the verdicts mean.
pub const VERDICTS: [&str; 3] = [
    "group-consistent   every member held still from before the first to after the last cut: one moment",
    "member-consistent  each pod was still at its own cut, but not while the others were cut: N moments",
    "crash-consistent   a volume was cut while its pod was writing, as if the power had failed",
];

/// What the original is, for the right half of the table.
pub const ORIGINAL: [&str; 4] = [
    "The original is what this replaces (bash hooks, ConfigMaps, a CronJob), played by a model of its",
    "rules in full length: each hook waits for marks that only post hooks write, so it waits for its",
    "10 minute timeout, nothing is ever quiesced, and Velero cuts all the same. Its Backups end",
    "PartiallyFailed, each pod has cost 10 minutes, and the hooks go on looping in the pods.",
];

/// What to do next.
pub const NEXT: &str =
    "Next: `orderedResources` in your Backups gives the second night's receipts; README.md shows how.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::paper::WIDTH_MAX;

    #[test]
    fn nothing_is_wider_than_a_terminal() {
        let mut lines = introduction();
        lines.extend(Layout::ALL.map(|layout| format!("  {}", scale(layout))));
        lines.extend(Layout::ALL.map(|layout| format!("{} ({})", layout.short(), factor(layout))));
        lines.extend(VERDICTS.iter().chain(&ORIGINAL).chain([&NEXT]).map(|line| (*line).to_owned()));
        for layout in Layout::ALL {
            lines.extend(layout.explanation().map(|line| format!("  {line}")));
            lines.push(format!("Night 1. {}", layout.title()));
        }
        let wide: Vec<&String> = lines.iter().filter(|line| line.chars().count() > WIDTH_MAX).collect();
        assert!(wide.is_empty(), "{wide:#?}");
    }
}
