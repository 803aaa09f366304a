//! Nights of any size by rules: a seed gives the same groups everywhere, with weights and lengths as skewed as real ones.

#![allow(dead_code, reason = "each test and the benchmark use their own part of it")]

use coordinator_core::schedule::demand::{Demand, ExpectedRun, Learned, PENDING_PER_VOLUME_DEFAULT, VolumeId, When};
use coordinator_core::schedule::learning::occupies_s;
use coordinator_core::schedule::live::{LivePlan, LiveSlot};
use coordinator_core::schedule::plan::Plan;
use coordinator_core::schedule::settings::{PlanInput, PlanSettings};

/// `SplitMix64`: a generator that needs no crate and is the same for ever.
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Above 0, at most 1.
    #[allow(clippy::cast_precision_loss, reason = "a random number needs no more digits")]
    pub fn unit(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// `count` groups. Most have a few volumes and take minutes; a few have hundreds, or take hours.
pub fn demands(count: u32, seed: u64) -> Vec<Demand> {
    let mut dice = Dice(seed);
    let namespaces = (count / 4).max(1);
    let mut demands: Vec<Demand> = (0..count).map(|n| demand(n, namespaces, &mut dice)).collect();
    demands.sort_by(|a, b| a.key.cmp(&b.key));
    demands
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "both are positive and small")]
fn demand(n: u32, namespaces: u32, dice: &mut Dice) -> Demand {
    // Pareto: 2.5 at least, mean about 10, cut at 300.
    let volumes = (2.5 / dice.unit().powf(1.0 / 1.2)).min(300.0) as u32;
    // Log-normal: median 4 minutes, one in a hundred above half an hour.
    let normal = (-2.0 * dice.unit().ln()).sqrt() * (std::f64::consts::TAU * dice.unit()).cos();
    let in_flight_s = (240.0 * (0.8 * normal).exp()).clamp(20.0, 10_800.0) as u32;
    // The square makes a few namespaces much larger than the others.
    let namespace = (dice.unit().powi(2) * f64::from(namespaces)) as u32;
    Demand {
        key: format!("team-{namespace}/group-{n:08x}").parse().unwrap(),
        volumes,
        volume_ids: (0..volumes).filter_map(|v| VolumeId::parse(&format!("vol-{n:08x}{v:09x}"))).collect(),
        run: ExpectedRun {
            in_flight_s,
            occupies_s: occupies_s(volumes).min(in_flight_s),
            learned: Learned::Runs { count: 7 },
        },
        when: When::DAILY,
        priority: 0,
        pending_per_volume_max: PENDING_PER_VOLUME_DEFAULT,
    }
}

/// Settings with which so many groups fit: a day's window, and a quarter more budget and places than they need at least.
pub fn roomy(demands: &[Demand]) -> PlanSettings {
    let minutes = |s: u32| u64::from(s.div_ceil(60));
    let volumes: u64 = demands.iter().map(|d| u64::from(d.volumes) * minutes(d.run.in_flight_s)).sum();
    let places: u64 = demands.iter().map(|d| minutes(d.run.occupies_s + 60)).sum();
    let heaviest = demands.iter().map(|d| d.volumes).max().unwrap_or(1);
    let roomy = |sum: u64| u32::try_from(sum * 5 / 4 / 1_440 + 1).unwrap();
    let concurrent_backups = roomy(places);
    let budget = roomy(volumes).max(heaviest);
    PlanSettings::new(&PlanInput { budget, concurrent_backups, ..PlanInput::default() }).unwrap()
}

/// The plan as it would stand in the cluster on the next day.
pub fn live(plan: &Plan) -> LivePlan {
    let slots = plan.slots.iter().map(|(group, slot)| {
        (group.clone(), LiveSlot { minutes: slot.minutes().collect(), planned: Some(slot.planned) })
    });
    LivePlan { slots: slots.collect() }
}

/// Groups that have another slot than they had.
pub fn moved(plan: &Plan) -> usize {
    plan.slots.values().filter(|slot| slot.moved_from.is_some()).count()
}
