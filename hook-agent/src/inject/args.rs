//! The flags of `inject`.

use clap::{Args, ValueEnum};

use super::options::How;

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// The manifests, with only what is needed inserted
    Yaml,
    /// One strategic merge patch for each workload, for `kubectl patch --patch-file`
    Patch,
    /// A component of kustomize with these patches
    Kustomize,
}

/// What Velero does with a pod whose pre hook failed. The snapshot is taken either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnError {
    /// The pod's post hook is not run
    Fail,
    /// The pod's post hook is run
    Continue,
}

/// Flags of `inject`.
#[derive(Clone, Debug, Args)]
pub struct InjectArgs {
    /// Manifests, YAML or JSON; may be given several times, `-` is standard input [default: -]
    #[arg(short = 'f', long, value_name = "FILE")]
    pub filename: Vec<String>,

    /// The hook-agent's image in your registry
    #[arg(long, env = "HOOK_AGENT_IMAGE", value_name = "IMAGE")]
    pub image: Option<String>,

    /// How the program comes into the pod
    #[arg(long, value_enum, value_name = "HOW", default_value = "init-container")]
    pub how: How,

    /// The container that holds the data and runs the hooks [default: the first of the pod]
    #[arg(long, value_name = "NAME")]
    pub container: Option<String>,

    /// Velero's timeout of the pre hook, with a unit
    #[arg(long, value_name = "DURATION", default_value = "10m")]
    pub hook_timeout: String,

    /// What Velero does when the pre hook fails
    #[arg(long, value_enum, value_name = "fail|continue", default_value = "fail", hide_possible_values = true)]
    pub on_error: OnError,

    /// Only workloads of this kind; may be given several times [default: StatefulSet, Deployment, DaemonSet, Pod]
    #[arg(long, value_name = "KIND", help_heading = "Which workloads")]
    pub kind: Vec<String>,

    /// Only workloads of this name; may be given several times
    #[arg(long, value_name = "NAME", help_heading = "Which workloads")]
    pub name: Vec<String>,

    /// Where objects of --kind have their pod template, such as spec.template; lists on the way are gone through
    #[arg(long, value_name = "PATH", help_heading = "Which workloads")]
    pub pod_template_path: Option<String>,

    /// Add what the pods' service accounts need, a role and its binding, as documents at the end
    #[arg(long)]
    pub service_account_binding: bool,

    /// The namespace of workloads that name none, for that binding
    #[arg(short = 'n', long, value_name = "NAME")]
    pub namespace: Option<String>,

    /// Take out what `inject` puts in
    #[arg(long)]
    pub remove: bool,

    /// Print what would change, as a unified diff
    #[arg(long)]
    pub diff: bool,

    /// What is printed
    #[arg(short = 'o', long, value_enum, value_name = "FORM", default_value = "yaml", conflicts_with = "diff")]
    pub output: Output,
}
