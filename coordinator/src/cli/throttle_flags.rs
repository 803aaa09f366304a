//! The flags of `coordinator run` that say how the budget follows what EC2 allows, and by whose word.

use std::fmt;

use clap::Args;
use coordinator_core::throttle::settings::{CALM_PERIOD_DEFAULT_MS, COOL_DOWN_DEFAULT_MS};
use http::Uri;

use super::values::{self, Ms, Seconds};
use crate::throttle::cloudwatch::Metric;
use crate::throttle::{Discovery, Targets};

/// Whether and where the EBS CSI driver's metrics are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DriverMetrics {
    /// Not at all.
    Off,
    /// From the pods that the labels find.
    Discover,
    /// From these.
    At(Vec<Uri>),
}

impl fmt::Display for DriverMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Discover => f.write_str("discover"),
            Self::At(uris) => {
                let uris: Vec<String> = uris.iter().map(ToString::to_string).collect();
                f.write_str(&uris.join(","))
            }
        }
    }
}

/// How the budget follows what EC2 allows.
#[derive(Debug, Args)]
#[command(next_help_heading = "Throttling")]
pub struct ThrottleFlags {
    /// After the budget was halved it is not halved again for this long
    #[arg(long, env, value_name = "TIME", value_parser = values::cool_down, allow_hyphen_values = true,
          default_value_t = Ms(COOL_DOWN_DEFAULT_MS))]
    pub throttle_cool_down: Ms,

    /// After so much calm in which the budget was used up it is raised by a step
    #[arg(long, env, value_name = "TIME", value_parser = values::calm_period, allow_hyphen_values = true,
          default_value_t = Ms(CALM_PERIOD_DEFAULT_MS))]
    pub throttle_calm_period: Ms,

    /// Read the EBS CSI driver's metrics: off, discover (the controller's pods), or URLs such as `http://10.0.0.7:3301/metrics`
    #[arg(long, env, value_name = "WHERE", value_parser = values::driver_metrics, default_value_t = DriverMetrics::Off)]
    pub driver_metrics: DriverMetrics,

    /// With discover: the namespace of the driver's controller
    #[arg(long, env, value_name = "NAMESPACE", value_parser = values::not_empty, default_value = "kube-system")]
    pub driver_metrics_namespace: String,

    /// With discover: the labels of its pods
    #[arg(long, env, value_name = "SELECTOR", value_parser = values::not_empty, default_value = "app=ebs-csi-controller")]
    pub driver_metrics_selector: String,

    /// With discover: the port of their metrics
    #[arg(long, env, value_name = "PORT", default_value_t = 3_301)]
    pub driver_metrics_port: u16,

    /// Ask CloudWatch, once a minute: true or false (needs AWS permissions; see docs/cloudwatch.md)
    #[arg(long, env, value_name = "BOOL", value_parser = values::switch, action = clap::ArgAction::Set,
          num_args = 0..=1, default_missing_value = "true", default_value = "false")]
    pub cloudwatch: bool,

    /// The namespace of the CloudWatch metric
    #[arg(long, env, value_name = "NAMESPACE", value_parser = values::not_empty, default_value = "AWS/EC2/API")]
    pub cloudwatch_namespace: String,

    /// The CloudWatch metric, one that counts throttled calls
    #[arg(long, env, value_name = "METRIC", value_parser = values::not_empty, default_value = "RequestLimitExceeded")]
    pub cloudwatch_metric: String,

    /// Its dimensions, such as `Action=CreateSnapshot` [default: found by `ListMetrics`]
    #[arg(long, env, value_name = "NAME=VALUE,...", value_parser = values::dimensions)]
    pub cloudwatch_dimensions: Option<Dimensions>,

    /// The length of one period, whole minutes
    #[arg(long, env, value_name = "TIME", value_parser = values::cloudwatch_period, allow_hyphen_values = true,
          default_value_t = Seconds(60))]
    pub cloudwatch_period: Seconds,

    /// From this sum on a period counts as throttled
    #[arg(long, env, value_name = "CALLS", value_parser = clap::value_parser!(u32).range(1..), allow_hyphen_values = true,
          default_value_t = 1)]
    pub cloudwatch_threshold: u32,

    /// The AWS Region [default: as the AWS SDKs find it]
    #[arg(long, env, value_name = "REGION", value_parser = values::not_empty)]
    pub aws_region: Option<String>,
}

/// A metric's dimensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dimensions(pub Vec<(String, String)>);

impl ThrottleFlags {
    /// Where the driver's metrics are, if they are read.
    pub fn driver_targets(&self) -> Option<Targets> {
        match &self.driver_metrics {
            DriverMetrics::Off => None,
            DriverMetrics::At(uris) => Some(Targets::Named(uris.clone())),
            DriverMetrics::Discover => Some(Targets::Discovered(Discovery {
                namespace: self.driver_metrics_namespace.clone(),
                selector: self.driver_metrics_selector.clone(),
                port: self.driver_metrics_port,
            })),
        }
    }

    /// The CloudWatch metric, if one is asked about.
    pub fn metric(&self) -> Option<Metric> {
        self.cloudwatch.then(|| Metric {
            namespace: self.cloudwatch_namespace.clone(),
            name: self.cloudwatch_metric.clone(),
            dimensions: self.cloudwatch_dimensions.clone().map_or_else(Vec::new, |Dimensions(dimensions)| dimensions),
            period_s: self.cloudwatch_period.0,
            region: self.aws_region.clone(),
        })
    }
}
