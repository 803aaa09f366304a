//! How even is a planned night, how much of it moves, and how long does planning take? Beside four other rules, in the same run.
//!
//! `cargo bench --workspace --bench plan -- [sizes…]`. It prints one markdown table and never fails for being slow.

#[path = "../../tests/nights/mod.rs"]
mod nights;
mod rules;

use std::collections::BTreeMap;

use coordinator_core::schedule::demand::Demand;
use coordinator_core::schedule::live::LivePlan;
use coordinator_core::schedule::plan::{Feasibility, LoadProfile, Plan};
use coordinator_core::schedule::planner::plan;
use coordinator_core::schedule::settings::{PlanInput, PlanSettings};
use coordinator_core::schedule_check::check;
use rules::{RULES, Rule};
use shared::identity::GroupKey;

/// Numbers of groups. 100,000 have about a million volumes.
const SIZES: [u32; 4] = [10, 300, 5_000, 100_000];

/// All nights are made from it.
const SEED: u64 = 1;

fn main() -> anyhow::Result<()> {
    rules::k8up_is_as_published();
    let asked: Vec<u32> = std::env::args().skip(1).filter_map(|size| size.parse().ok()).collect();
    println!(
        "| groups (volumes) | rule | starting: peak / bound | in flight: peak / bound | moved by 5 % more | by 5 % fewer | plan + check, ms |"
    );
    println!("|---|---|---|---|---|---|---|");
    for size in if asked.is_empty() { SIZES.to_vec() } else { asked } {
        let night = Night::new(size);
        night.planned()?;
        night.hopeless()?;
        for rule in RULES {
            night.by_rule(&rule);
        }
    }
    Ok(())
}

/// A cluster, the same without every twentieth group, and settings with which both fit.
struct Night {
    all: Vec<Demand>,
    fewer: Vec<Demand>,
    settings: PlanSettings,
    bounds: LoadProfile,
    size: String,
}

impl Night {
    fn new(size: u32) -> Self {
        let all = nights::demands(size, SEED);
        let settings = nights::roomy(&all);
        let kept = |n: usize| n % 20 != 7;
        let fewer = all.iter().enumerate().filter(|(n, _)| kept(*n)).map(|(_, demand)| demand.clone()).collect();
        let volumes: u64 = all.iter().map(|demand| u64::from(demand.volumes)).sum();
        let bounds = plan(&all, &LivePlan::default(), &settings).load;
        Self { all, fewer, settings, bounds, size: format!("{size} ({volumes})") }
    }

    fn planned(&self) -> anyhow::Result<()> {
        let nothing = LivePlan::default();
        let begun = processor_ms()?;
        let first = plan(&self.all, &nothing, &self.settings);
        let wrong = check(&self.all, &nothing, &self.settings, &first);
        let took_ms = processor_ms()? - begun;
        anyhow::ensure!(wrong.is_empty(), "the checker disagrees: {wrong:?}");
        anyhow::ensure!(matches!(first.feasibility, Feasibility::Fits { .. }), "{:?}", first.feasibility);
        let again = nights::moved(&plan(&self.all, &nights::live(&first), &self.settings));
        anyhow::ensure!(again == 0, "nothing changed, and {again} moved");

        let shrunk = plan(&self.fewer, &nights::live(&first), &self.settings);
        let small = plan(&self.fewer, &nothing, &self.settings);
        let grown = plan(&self.all, &nights::live(&small), &self.settings);
        let [start, flight] = ratios(&first);
        let after = |plan: &Plan| {
            let [start, flight] = ratios(plan);
            format!("{} (then {start:.3}, {flight:.3})", percent(nights::moved(plan), self.fewer.len()))
        };
        let (grown, shrunk) = (after(&grown), after(&shrunk));
        println!("| {} | planner | {start:.3} | {flight:.3} | {grown} | {shrunk} | {took_ms:.0} |", self.size);
        Ok(())
    }

    /// With the settings of who sets none: from some size on nothing fits, and what would help is tried.
    fn hopeless(&self) -> anyhow::Result<()> {
        let (settings, nothing) = (PlanSettings::new(&PlanInput::default())?, LivePlan::default());
        let begun = processor_ms()?;
        let plan = plan(&self.all, &nothing, &settings);
        let wrong = check(&self.all, &nothing, &settings, &plan);
        let took_ms = processor_ms()? - begun;
        anyhow::ensure!(wrong.is_empty(), "the checker disagrees: {wrong:?}");
        let [start, flight] = ratios(&plan);
        let verdict = match plan.feasibility {
            Feasibility::Fits { .. } => "fits".to_owned(),
            Feasibility::Short { fixes, .. } => format!("does not fit; {fixes:?} would help"),
        };
        let size = &self.size;
        println!("| {size} | planner, default settings: {verdict} | {start:.3} | {flight:.3} | | | {took_ms:.0} |");
        Ok(())
    }

    fn by_rule(&self, rule: &Rule) {
        let slots = (rule.minutes)(&self.all, &self.settings);
        let loads = loads(&self.all, &slots);
        let peaks = [&self.bounds.starting_peak, &self.bounds.in_flight_peak];
        let [start, flight] = [0, 1].map(|n| as_f64(loads[n]) / as_f64(peaks[n].lower_bound));
        let by_key = |demands: &[Demand]| -> BTreeMap<GroupKey, usize> {
            let minutes = (rule.minutes)(demands, &self.settings);
            demands.iter().map(|demand| demand.key.clone()).zip(minutes).collect()
        };
        let (all, fewer) = (by_key(&self.all), by_key(&self.fewer));
        let moved = percent(fewer.iter().filter(|(key, minute)| all[*key] != **minute).count(), fewer.len());
        println!("| {} | {} | {start:.2} | {flight:.2} | {moved} | {moved} | |", self.size, rule.name);
    }
}

/// The highest minute's volumes starting, and in flight.
fn loads(demands: &[Demand], minutes: &[usize]) -> [u64; 2] {
    let (mut starting, mut in_flight) = (vec![0u64; 1_440], vec![0u64; 1_440]);
    for (demand, minute) in demands.iter().zip(minutes) {
        starting[*minute] += u64::from(demand.volumes);
        for covered in *minute..minute + demand.run.in_flight_s.div_ceil(60) as usize {
            in_flight[covered % 1_440] += u64::from(demand.volumes);
        }
    }
    [starting, in_flight].map(|loads| loads.into_iter().max().unwrap_or(0))
}

fn ratios(plan: &Plan) -> [f64; 2] {
    [plan.load.starting_peak, plan.load.in_flight_peak].map(|peak| as_f64(peak.volumes) / as_f64(peak.lower_bound))
}

#[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
fn as_f64(n: u64) -> f64 {
    n as f64
}

fn percent(part: usize, whole: usize) -> String {
    format!("{:.2} %", 100.0 * as_f64(part as u64) / as_f64(whole as u64))
}

/// This thread's processor time so far, ms: what a busy machine adds is not counted.
fn processor_ms() -> anyhow::Result<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let ns: u64 = text.split(' ').next().unwrap_or_default().parse()?;
    Ok(as_f64(ns) / 1e6)
}
