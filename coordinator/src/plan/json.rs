//! The plan as one JSON document, for programs.

use serde::Serialize;

use super::view::View;
use crate::output;

/// Which form of the document this is. Within one form fields are only ever added.
const API_VERSION: &str = "snapshot-group.velero.io/plan-v1";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    #[serde(flatten)]
    view: &'a View,
}

/// The document, with a line end.
pub fn render(view: &View) -> String {
    let document = Document { api_version: API_VERSION, kind: "SnapshotGroupPlan", view };
    output::json(&document)
}
