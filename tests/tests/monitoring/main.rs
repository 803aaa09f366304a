//! Do alerts, dashboards and the log pipeline say what the programs really write?
//!
//! One night of both programs is played; its metrics, log lines and rules are held against what Prometheus' own tool, a JSON schema and
//! a real `OpenSearch` make of them. Filebeat and Kibana themselves are not to be had from package registries: their files are
//! checked by the rules that their documentation gives, here.

mod absence;
mod alerts;
mod filebeat;
mod log_lines;
mod metric_names;
mod night;
mod opensearch;
mod panels;

use testbed::control_plane::shared::say;

/// The scenario is the expensive part: everything that looks at what a night leaves behind is one test.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_night_leaves_behind_is_what_the_monitoring_reads() {
    let night = night::play().await.expect("a night");
    metric_names::check(&night.metrics);
    log_lines::check(&night.lines);
    let documents = filebeat::ship(&night.lines);
    let Some(store) = opensearch::Store::start().await else {
        say("SKIPPED: index template and panels against a real OpenSearch");
        return;
    };
    panels::check(&store, &documents).await;
}
