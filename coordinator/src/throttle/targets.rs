//! Where is the EBS CSI driver's metrics endpoint? Named by the user, or found by the pods' labels.

use std::time::{Duration, Instant};

use coordinator_core::throttle::driver::TARGETS_MAX;
use http::Uri;
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, ListParams};

use crate::api::Trouble;
use crate::execute::bounded;

/// Pods are looked for anew after this long: a rollout of the driver is over in a minute.
const LOOK_AGAIN: Duration = Duration::from_mins(1);

/// How endpoints are found by pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// Where the driver's controller runs.
    pub namespace: String,
    /// Its pods' labels.
    pub selector: String,
    /// The port of their metrics.
    pub port: u16,
}

/// Where to scrape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Targets {
    /// These.
    Named(Vec<Uri>),
    /// The pods that are there.
    Discovered(Discovery),
}

/// The endpoints now, and why there is none.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// At most [`TARGETS_MAX`].
    pub uris: Vec<Uri>,
    /// Why there is none, or none of late.
    pub why_none: Option<String>,
}

/// Finds them.
pub struct Finder {
    client: Client,
    targets: Targets,
    found: Found,
    looked_at: Option<Instant>,
}

impl Finder {
    /// One that has not looked yet.
    pub fn new(client: Client, targets: Targets) -> Self {
        Self { client, targets, found: Found::default(), looked_at: None }
    }

    /// The endpoints now.
    pub async fn find(&mut self) -> &Found {
        if self.looked_at.is_none_or(|at| at.elapsed() >= LOOK_AGAIN) {
            self.looked_at = Some(Instant::now());
            self.found = match &self.targets {
                Targets::Named(uris) => {
                    Found { uris: uris.iter().take(TARGETS_MAX).cloned().collect(), why_none: None }
                }
                Targets::Discovered(discovery) => match self.pods(discovery).await {
                    Ok(pods) => of_pods(discovery, &pods),
                    // Those that were found before may well be there still.
                    Err(trouble) => {
                        let why = format!("pods of {} cannot be listed: {trouble}", discovery.namespace);
                        Found { why_none: Some(why), uris: std::mem::take(&mut self.found.uris) }
                    }
                },
            };
        }
        &self.found
    }

    async fn pods(&self, discovery: &Discovery) -> Result<Vec<Pod>, Trouble> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &discovery.namespace);
        let limit = u32::try_from(TARGETS_MAX).unwrap_or(u32::MAX);
        let params = ListParams::default().labels(&discovery.selector).limit(limit);
        Ok(bounded(api.list(&params)).await?.items)
    }
}

fn of_pods(discovery: &Discovery, pods: &[Pod]) -> Found {
    let Discovery { namespace, selector, port } = discovery;
    let uri = |pod: &Pod| {
        let status = pod.status.as_ref()?;
        let ip = status.pod_ip.as_ref().filter(|_| status.phase.as_deref() == Some("Running"))?;
        let host = if ip.contains(':') { format!("[{ip}]") } else { ip.clone() };
        format!("http://{host}:{port}/metrics").parse().ok()
    };
    let uris: Vec<Uri> = pods.iter().filter_map(uri).collect();
    let why_none = uris.is_empty().then(|| {
        format!("no running pod in {namespace} has the labels {selector} (--driver-metrics-namespace, --driver-metrics-selector)")
    });
    Found { uris, why_none }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn running_pods_are_endpoints() {
        let pod = |phase: &str, ip: Option<&str>| -> Pod {
            serde_json::from_value(json!({"metadata": {"name": "p"}, "status": {"phase": phase, "podIP": ip}})).unwrap()
        };
        let discovery = Discovery {
            namespace: "kube-system".to_owned(),
            selector: "app=ebs-csi-controller".to_owned(),
            port: 3301,
        };
        let pods = [
            pod("Running", Some("10.0.0.7")),
            pod("Running", Some("fd00::7")),
            pod("Pending", None),
            pod("Running", None),
        ];
        let found = of_pods(&discovery, &pods);
        let shown: Vec<String> = found.uris.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["http://10.0.0.7:3301/metrics", "http://[fd00::7]:3301/metrics"]);
        assert_eq!(found.why_none, None);
        assert!(of_pods(&discovery, &pods[2..]).why_none.unwrap().contains("app=ebs-csi-controller"));
    }
}
