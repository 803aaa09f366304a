//! `coordinator simulate`: plays nights under a model of EC2 and Velero, and says which budget is best. It writes nothing.

mod json;
mod svg;
mod text;

use coordinator_core::inventory::demands::live_plan;
use coordinator_core::inventory::facts::Facts;
use coordinator_core::schedule::plan::{Fix, Plan};
use coordinator_core::schedule::planner;
use coordinator_core::throttle::settings::LimiterSettings;
use coordinator_simulation::advice::{Advice, LADDER, Tried, advise, tried};
use coordinator_simulation::contender::Contender;
use coordinator_simulation::ec2::Load;
use coordinator_simulation::night::play;
use coordinator_simulation::outcome::Outcome;
use coordinator_simulation::scenario::{Scenario, Start, Way};
use jiff::Timestamp;

use crate::cli::{self, SimulateFlags, SimulateOutput, StartWhen};
use crate::error_chain::chain;
use crate::exit::Exit;
use crate::output::print;
use crate::plan::PlanError;
use crate::plan::made::{Made, MakeError};

/// From so many volumes times nights on it is said how far it is.
const LONG: usize = 100_000;

/// What keeps nights from being simulated.
#[derive(Debug, thiserror::Error)]
enum SimulateError {
    /// Files or cluster.
    #[error(transparent)]
    Facts(#[from] PlanError),
    /// The settings.
    #[error(transparent)]
    Make(#[from] MakeError),
    /// There is nothing to back up.
    #[error(
        "there is nothing to simulate: no group with an EBS volume was found; check -f and --resource-label-selector, or try --groups 100"
    )]
    Nothing,
}

/// Everything that the outputs are made from.
struct Simulated {
    groups: usize,
    volumes: usize,
    nights: u32,
    seed: u64,
    window_ms: u64,
    neighbour_calls: f64,
    /// The settings that are shown, each with its nights taken together and its first night in full.
    shown: Vec<(Tried, Outcome)>,
    advice: Option<Advice>,
}

/// Simulates, and shows it.
pub fn run(flags: &SimulateFlags) -> Exit {
    match simulate(flags) {
        Ok(simulated) => {
            let text = match flags.output {
                SimulateOutput::Text => text::render(&simulated),
                SimulateOutput::Json => json::render(&simulated),
                SimulateOutput::Svg => svg::render(&simulated),
            };
            print(&text);
            Exit::Ok
        }
        Err(error) => {
            eprintln!("coordinator simulate: {}", chain(&error));
            Exit::Usage
        }
    }
}

/// What nights are made from: once for all settings that are compared.
struct Inventory<'a> {
    flags: &'a SimulateFlags,
    facts: Facts,
    made: Made,
}

fn simulate(flags: &SimulateFlags) -> Result<Simulated, SimulateError> {
    let facts = match flags.groups {
        Some(_) => Facts::default(),
        None => crate::plan::facts(&flags.file, flags.kubeconfig.as_deref(), &flags.schedule)?.0,
    };
    let made = Made::new(&facts, &flags.schedule, flags.date, Timestamp::now())?;
    let inventory = Inventory { flags, facts, made };
    let mut wanted =
        if flags.compare.is_empty() { vec![flags.schedule.max_concurrent_snapshots] } else { flags.compare.clone() };
    wanted.dedup();
    let first = inventory.night(wanted[0], &inventory.plan(wanted[0]), 0);
    let (groups, volumes) = (first.groups.len(), first.volumes());
    if volumes == 0 {
        return Err(SimulateError::Nothing);
    }
    let is_long = volumes.saturating_mul(flags.nights as usize) >= LONG;
    let shown = wanted.iter().map(|max| inventory.try_max(*max, is_long)).collect();
    // A comparison answers by itself; else the whole ladder is climbed.
    let largest = first.groups.iter().map(|group| group.changed_mib.len()).max().unwrap_or(0);
    let advice = advise(
        LADDER.iter().map(|max| inventory.try_max(*max, is_long).0).collect(),
        u32::try_from(largest).unwrap_or(u32::MAX),
    );
    Ok(Simulated {
        groups,
        volumes,
        nights: flags.nights,
        seed: flags.seed,
        window_ms: first.window_ms,
        neighbour_calls: flags.neighbour_calls,
        shown,
        advice,
    })
}

impl Inventory<'_> {
    fn plan(&self, max: u32) -> Plan {
        let settings = self.made.settings.with(Fix::Budget(max));
        planner::plan(&self.made.demands, &live_plan(&self.facts), &settings)
    }

    fn night(&self, max: u32, plan: &Plan, number: u32) -> Scenario {
        let flags = self.flags;
        let seed = flags.seed.wrapping_add(number.into());
        let settings = self.made.settings.with(Fix::Budget(max));
        let start = match flags.start {
            StartWhen::Planned => Start::Planned,
            StartWhen::Together => Start::Together,
        };
        let scenario = match flags.groups {
            Some(count) => Scenario {
                window_ms: u64::from(settings.window_min()) * 60_000,
                ..Scenario::herd(count, settings.concurrent_backups(), seed)
            },
            None => Scenario::of_plan(&self.made.demands, plan, &settings, start, seed),
        };
        let others = Load { from_ms: 0, to_ms: u64::MAX, calls_per_s: flags.neighbour_calls };
        Scenario {
            way: match flags.schedule.snapshot_way {
                cli::Way::Csi => Way::Csi,
                cli::Way::Native => Way::Native,
            },
            hook_deadline_ms: flags.schedule.hook_timeout.0,
            neighbours: vec![others],
            ..scenario
        }
    }

    fn try_max(&self, max: u32, is_long: bool) -> (Tried, Outcome) {
        let flags = self.flags;
        if is_long {
            eprintln!("simulating {} nights with max={max}", flags.nights);
        }
        let plan = self.plan(max);
        let limiter = LimiterSettings {
            max,
            cool_down_ms: flags.throttle_cool_down.0,
            calm_period_ms: flags.throttle_calm_period.0,
        };
        let nights = 0..flags.nights;
        let outcomes: Vec<Outcome> =
            nights.map(|n| play(&self.night(max, &plan, n), Contender::Ours(limiter))).collect();
        let together = tried(max, &outcomes);
        (together, outcomes.into_iter().next().unwrap_or_default())
    }
}
