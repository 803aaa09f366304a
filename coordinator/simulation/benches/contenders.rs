//! Which budget makes the shortest night without being throttled? Ours beside what it is measured against, on the same nights.
//!
//! `cargo bench --workspace --bench contenders -- [seeds]`. It prints markdown and never fails for being slow.

use coordinator_core::throttle::settings::LimiterSettings;
use coordinator_simulation::contender::{Contender, Freshness};
use coordinator_simulation::ec2::Load;
use coordinator_simulation::night::play;
use coordinator_simulation::outcome::Outcome;
use coordinator_simulation::scenario::Scenario;

/// Nights when nobody says.
const SEEDS: u64 = 1_000;
/// The ceiling of all that have one: what AWS lists as pending snapshots of an account.
const MAX: u32 = 100;
/// When the neighbours' burst begins and ends, ms.
const BURST_MS: (u64, u64) = (300_000, 900_000);

const CONTENDERS: [(&str, Contender); 9] = [
    ("omniscient", Contender::Omniscient),
    ("ours, ceiling 100", Contender::Ours(LimiterSettings::with_max(MAX))),
    ("fixed 1", Contender::Fixed(1)),
    ("fixed 5", Contender::Fixed(5)),
    ("fixed 10", Contender::Fixed(10)),
    ("fixed 50", Contender::Fixed(50)),
    ("the original's formula, perfect data", Contender::Original(MAX, Freshness::Perfect)),
    ("the original's formula, hourly data", Contender::Original(MAX, Freshness::Hourly)),
    ("Netflix's AIMDLimit", Contender::Netflix(MAX)),
];

/// 40 to 239 groups due at once, 10 to 49 Backups at a time; neighbours that call 0 to 2.9 times a second all night, and where there is a burst 4 to 9.9
/// times more for ten minutes, which leaves nothing of the bucket.
fn night(seed: u64, has_burst: bool) -> Scenario {
    let mix = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let part = |shift: u32, of: u32| u32::try_from((mix >> shift) & 0xffff).unwrap_or(0) % of;
    let usual = Load { from_ms: 0, to_ms: u64::MAX, calls_per_s: f64::from(part(0, 30)) / 10.0 };
    let burst = Load { from_ms: BURST_MS.0, to_ms: BURST_MS.1, calls_per_s: 4.0 + f64::from(part(16, 60)) / 10.0 };
    let herd = Scenario::herd(40 + part(32, 200), 10 + part(48, 40), seed);
    Scenario { neighbours: if has_burst { vec![usual, burst] } else { vec![usual] }, ..herd }
}

fn main() {
    let seeds = std::env::args().skip(1).find_map(|text| text.parse().ok()).unwrap_or(SEEDS);
    table("Neighbours that leave part of the bucket", seeds, false);
    recovery(&table("Neighbours that burst for ten minutes", seeds, true));
    large();
}

/// Plays all contenders on the same nights; gives ours.
fn table(title: &str, seeds: u64, has_burst: bool) -> Vec<Outcome> {
    let nights: Vec<Scenario> = (1..=seeds).map(|seed| night(seed, has_burst)).collect();
    let mut all: Vec<Vec<Outcome>> =
        CONTENDERS.iter().map(|(_, who)| nights.iter().map(|night| play(night, *who)).collect()).collect();
    println!("\n{title}: {seeds} nights; makespan as a ratio to the omniscient's of the same night.\n");
    println!(
        "| budget | makespan: median | 95 % | worst | throttled calls: median | worst | frozen a group, worst: median s | failed volumes, all nights | over budget, all nights |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for ((name, _), outcomes) in CONTENDERS.iter().zip(&all) {
        let ratios = sorted(outcomes.iter().zip(&all[0]).map(|(own, best)| own.makespan_ms * 1_000 / best.makespan_ms));
        let throttled = sorted(outcomes.iter().map(Outcome::throttled_per_mille));
        let frozen = sorted(outcomes.iter().map(|night| night.frozen_max_ms / 1_000));
        let failed: u32 = outcomes.iter().map(|night| night.failed_volumes).sum();
        let over: u32 = outcomes.iter().map(|night| night.over_budget).sum();
        println!(
            "| {name} | {} | {} | {} | {} ‰ | {} ‰ | {} | {failed} | {over} |",
            ratio(at(&ratios, 50)),
            ratio(at(&ratios, 95)),
            ratio(at(&ratios, 100)),
            at(&throttled, 50),
            at(&throttled, 100),
            at(&frozen, 50),
        );
    }
    let worse = all[1].iter().zip(&all[3]).filter(|(ours, five)| ours.makespan_ms > five.makespan_ms).count();
    let by = all[1].iter().zip(&all[3]).map(|(ours, five)| ours.makespan_ms * 1_000 / five.makespan_ms).max();
    println!(
        "\nNights in which ours was longer than fixed 5: {worse}; ours / fixed 5 at worst {}.",
        ratio(by.unwrap_or(0))
    );
    all.swap_remove(1)
}

/// How long until the limit is where it was when the burst began.
fn recovery(ours: &[Outcome]) {
    let lowered = ours.iter().filter(|night| night.limit_at(BURST_MS.1) < night.limit_at(BURST_MS.0));
    let back = lowered.map(|night| {
        let before = night.limit_at(BURST_MS.0);
        let again = night.limits.iter().find(|(at, limit)| *at >= BURST_MS.1 && *limit >= before);
        again.map(|(at, _)| (at - BURST_MS.1) / 1_000)
    });
    let (came, never): (Vec<_>, Vec<_>) = back.partition(Option::is_some);
    let times = sorted(came.into_iter().flatten());
    println!(
        "After the burst the limit was back in {} nights, median {} s, worst {} s; in {} the work ended first.",
        times.len(),
        at(&times, 50),
        at(&times, 100),
        never.len()
    );
}

/// A large night, timed.
fn large() {
    let mut scenario = Scenario::herd(2_200, 50, 1);
    scenario.neighbours = vec![Load { from_ms: 0, to_ms: u64::MAX, calls_per_s: 2.0 }];
    #[expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "a benchmark's clock")]
    let (outcome, took) = {
        let begun = std::time::Instant::now();
        (play(&scenario, CONTENDERS[1].1), begun.elapsed())
    };
    println!(
        "A night of {} volumes ({} min long) is simulated in {} ms.",
        scenario.volumes(),
        outcome.makespan_ms / 60_000,
        took.as_millis()
    );
}

fn sorted(of: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut all: Vec<u64> = of.collect();
    all.sort_unstable();
    all
}

fn at(sorted: &[u64], percent: usize) -> u64 {
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or(0)
}

fn ratio(per_mille: u64) -> String {
    format!("{}.{:03}", per_mille / 1_000, per_mille % 1_000)
}
