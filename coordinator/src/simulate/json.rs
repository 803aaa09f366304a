//! A simulation as one JSON document; its fields only ever grow within one `apiVersion`.

use coordinator_simulation::advice::{Advice, Tried};
use coordinator_simulation::outcome::Outcome;
use serde::Serialize;

use super::Simulated;
use super::text::reason;
use crate::output;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    groups: usize,
    volumes: usize,
    nights: u32,
    seed: u64,
    window_ms: u64,
    neighbour_calls_per_second: f64,
    settings: Vec<Setting<'a>>,
    recommendation: Option<Recommendation<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Setting<'a> {
    nights: &'a Tried,
    first_night: &'a Outcome,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Recommendation<'a> {
    reason: String,
    #[serde(flatten)]
    advice: &'a Advice,
}

/// The document, with a line end.
pub fn render(simulated: &Simulated) -> String {
    let settings = simulated.shown.iter().map(|(nights, first_night)| Setting { nights, first_night });
    let document = Document {
        api_version: "snapshot-group.velero.io/v1",
        kind: "SnapshotGroupSimulation",
        groups: simulated.groups,
        volumes: simulated.volumes,
        nights: simulated.nights,
        seed: simulated.seed,
        window_ms: simulated.window_ms,
        neighbour_calls_per_second: simulated.neighbour_calls,
        settings: settings.collect(),
        recommendation: simulated.advice.as_ref().map(|advice| Recommendation { reason: reason(advice), advice }),
    };
    output::json(&document)
}
