//! Other rules by which schedules get their minutes: what the planner is compared with.

use coordinator_core::schedule::demand::Demand;
use coordinator_core::schedule::settings::PlanSettings;
use sha1::{Digest, Sha1};

/// A rule that gives each group a minute of the day.
pub struct Rule {
    pub name: &'static str,
    pub minutes: fn(&[Demand], &PlanSettings) -> Vec<usize>,
}

pub const RULES: [Rule; 4] = [
    Rule { name: "everything at midnight", minutes: |demands, _| vec![0; demands.len()] },
    Rule { name: "the original's spacing by index", minutes: by_index },
    Rule { name: "hash of the name", minutes: |demands, _| demands.iter().map(by_hash).collect() },
    Rule { name: "K8up's @daily-random", minutes: |demands, _| demands.iter().map(by_k8up).collect() },
];

/// The original's rule: as many minutes between two schedules as volumes and concurrency leave, one at least; past midnight it goes round.
fn by_index(demands: &[Demand], settings: &PlanSettings) -> Vec<usize> {
    let volumes: u64 = demands.iter().map(|demand| u64::from(demand.volumes)).sum();
    let interval = (1_440 * u64::from(settings.budget()) / volumes.max(1)).max(1);
    (0..).zip(demands).map(|(n, _)| usize::try_from(n * interval % 1_440).unwrap_or(0)).collect()
}

/// FNV-1a of namespace and name, evenly over the day.
fn by_hash(demand: &Demand) -> usize {
    let name = demand.key.to_string();
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    usize::try_from(hash % 1_440).unwrap_or(0)
}

fn by_k8up(demand: &Demand) -> usize {
    let [minute, hour] = k8up(&format!("{}@backup", demand.key));
    hour * 60 + minute
}

/// K8up's rule (operator/schedulecontroller/randomizer.go): the SHA-1 of the name as one number, by 60 for the minute and by 24 for
/// the hour. Both are remainders of one number, so only 120 of the day's 1,440 minutes are ever used.
fn k8up(seed: &str) -> [usize; 2] {
    let digest = Sha1::digest(seed.as_bytes());
    [60, 24].map(|by| digest.iter().fold(0, |rest, byte| (rest * 256 + usize::from(*byte)) % by))
}

/// The example that K8up's own tests publish: 52 minutes past 4.
pub fn k8up_is_as_published() {
    assert_eq!(k8up("k8up-system/my-scheduled-backup@backup"), [52, 4]);
}
