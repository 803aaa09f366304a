//! What the user typed: flags and their environment variables, as text. `settings` makes sense of it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::help;
use crate::inject::args::InjectArgs;

/// The hook-agent's command line.
#[derive(Debug, Parser)]
#[command(
    name = "hook-agent",
    version,
    about = "Velero's pre and post hooks of a snapshot group",
    long_about = help::ABOUT,
    after_long_help = help::after(),
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    // The texts are wrapped by hand, and say the same whatever features another package asks of clap.
    term_width = 0,
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Before the snapshot: registers the pod, waits until its group is released, quiesces, returns
    #[command(long_about = help::PRE, after_long_help = help::after())]
    Pre(Box<PreArgs>),
    /// After the snapshot: lets go and marks the registration as done
    #[command(long_about = help::POST, after_long_help = help::after())]
    Post(Box<PostArgs>),
    /// In a container of its own: watches over what the pod holds still, and lets go when the pod's other containers cannot
    #[command(long_about = help::SIDECAR, after_long_help = help::after())]
    Sidecar(Box<SidecarArgs>),
    /// In an init container: thaws what a dead attempt left frozen, then copies this program into a shared folder
    #[command(long_about = help::INSTALL, after_long_help = help::after())]
    Install(Box<InstallArgs>),
    /// As an exec probe of the sidecar: whether it could hold the pod still now
    #[command(long_about = help::READY, after_long_help = help::after())]
    Ready(Box<ReadyArgs>),
    /// Puts the agent into manifests: volume, mounts, hook annotations; or takes it out of them
    #[command(long_about = help::INJECT, after_long_help = help::after())]
    Inject(Box<InjectArgs>),
    /// Started by pre: holds what was quiesced
    #[command(hide = true)]
    Keep(KeepArgs),
    /// Started by a keeper: lets go when that is killed
    #[command(hide = true)]
    Guard(PlaceArgs),
}

/// Flags of a keeper.
#[derive(Clone, Debug, Args)]
pub struct KeepArgs {
    #[command(flatten)]
    pub place: PlaceArgs,

    /// Wait on stdin until it is wanted
    #[arg(long)]
    pub stand_by: bool,
}

/// Flags of the processes that outlive a hook.
#[derive(Clone, Debug, Args)]
pub struct PlaceArgs {
    /// The keeper's private folder
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
}

/// Flags of `pre`.
#[derive(Clone, Debug, Default, Args)]
pub struct PreArgs {
    /// Velero's timeout of this hook, with a unit; the same text as in the annotation [default: 30s, as Velero's]
    #[arg(long, env = "HOOK_TIMEOUT", value_name = "DURATION")]
    pub hook_timeout: Option<String>,

    /// How long to wait at most; must be below the hook timeout, and gives way to the steps' timeouts [default: the hook timeout less a tenth, 1s to 15s]
    #[arg(long, env = "DEADLINE", value_name = "DURATION")]
    pub deadline: Option<String>,

    /// How long the coordinator or the API server may be silent before they count as unreachable [default: 25s]
    #[arg(long, env = "COORDINATOR_TIMEOUT", value_name = "DURATION")]
    pub coordinator_timeout: Option<String>,

    /// At the deadline: `go` quiesces and lets the snapshot happen over budget, `fail` exits with code 10 [default: go]
    #[arg(long, env = "ON_DEADLINE", value_name = "go|fail")]
    pub on_deadline: Option<String>,

    /// How long a quiesced pod counts against the budget when its post hook never comes [default: 10m]
    #[arg(long, env = "HOLD_MAX", value_name = "DURATION")]
    pub hold: Option<String>,

    #[command(flatten)]
    pub quiesce: QuiesceArgs,

    #[command(flatten)]
    pub common: CommonArgs,
}

/// Flags about holding still.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Hold still")]
pub struct QuiesceArgs {
    /// What to hold still, as a list of steps in YAML or JSON (below); `none`, or nothing: the group's order and timing alone
    // A list in YAML begins with a hyphen.
    #[arg(long, env = "QUIESCE", value_name = "STEPS", allow_hyphen_values = true)]
    pub quiesce: Option<String>,

    /// How long the pod is held still at most, whatever happens; must not be above --hold [default: 1m]
    #[arg(long, env = "QUIESCE_MAX", value_name = "DURATION")]
    pub quiesce_max: Option<String>,

    /// When it cannot be held still: `go` lets the snapshot happen, crash-consistent; `fail` exits with code 16 [default: go]
    #[arg(long, env = "ON_QUIESCE_FAILURE", value_name = "go|fail")]
    pub on_quiesce_failure: Option<String>,

    /// `accept`: freeze although a file system stays frozen on the node when its container is killed while frozen
    #[arg(long, env = "FSFREEZE_WITHOUT_RESIDENT", value_name = "accept")]
    pub fsfreeze_without_resident: Option<String>,
}

/// Flags of `post`.
#[derive(Clone, Debug, Default, Args)]
pub struct PostArgs {
    #[command(flatten)]
    pub common: CommonArgs,
}

/// Flags of `sidecar`.
#[derive(Clone, Debug, Default, Args)]
pub struct SidecarArgs {
    #[command(flatten)]
    pub quiesce: QuiesceArgs,

    #[command(flatten)]
    pub common: CommonArgs,
}

/// Flags of `install`.
#[derive(Clone, Debug, Default, Args)]
pub struct InstallArgs {
    /// The folder that the workload mounts too; the program becomes DIR/hook-agent
    #[arg(long, env = "INSTALL_TO", value_name = "DIR")]
    pub to: String,

    /// The same steps as the hooks get: what they freeze is swept
    #[arg(long, env = "QUIESCE", value_name = "STEPS", allow_hyphen_values = true)]
    pub quiesce: Option<String>,

    /// The same folder as the hooks get; the mark of the sweep is left there [default: as theirs]
    #[arg(long, env = "STATE_DIR", value_name = "DIR")]
    pub state_dir: Option<String>,

    /// A mounted downwardAPI volume with the file annotations, which may have the steps [default: /etc/podinfo]
    #[arg(long, env = "PODINFO_DIR", value_name = "DIR")]
    pub podinfo_dir: Option<String>,
}

/// Flags of `ready`.
#[derive(Clone, Debug, Default, Args)]
pub struct ReadyArgs {
    /// The same folder as the sidecar gets [default: as the sidecar's]
    #[arg(long, env = "STATE_DIR", value_name = "DIR")]
    pub state_dir: Option<String>,
}

/// Flags of both.
#[derive(Clone, Debug, Default, Args)]
pub struct CommonArgs {
    /// When nobody answers: `go` goes on and says so, `fail` exits with code 11 or 12 [default: go]
    #[arg(long, env = "ON_UNREACHABLE", value_name = "go|fail")]
    pub on_unreachable: Option<String>,

    /// A folder for what outlives the hook; not on what is frozen [default: the first usable of /dev/shm, /run, /tmp]
    #[arg(long, env = "STATE_DIR", value_name = "DIR", help_heading = "Hold still")]
    pub state_dir: Option<String>,

    /// Where the process that holds cries for help [default: /proc/1/fd/2, the container's log]
    #[arg(long, env = "ALARM_FILE", value_name = "FILE", help_heading = "Hold still")]
    pub alarm_file: Option<String>,

    /// The pod's name [default: from the podinfo folder, else from the token]
    #[arg(long, env = "POD_NAME", value_name = "NAME", help_heading = "Who am I")]
    pub pod_name: Option<String>,

    /// The pod's namespace [default: from the podinfo folder, else from the token]
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAME", help_heading = "Who am I")]
    pub pod_namespace: Option<String>,

    /// The pod's uid [default: from the podinfo folder, else from the token]
    #[arg(long, env = "POD_UID", value_name = "UID", help_heading = "Who am I")]
    pub pod_uid: Option<String>,

    /// The pod's snapshot group [default: label velero.io/snapshot-group in the labels file, else of the Pod]
    #[arg(long, env = "SNAPSHOT_GROUP", value_name = "GROUP", help_heading = "Who am I")]
    pub group: Option<String>,

    /// A mounted downwardAPI volume with the files name, namespace, uid, labels [default: /etc/podinfo]
    #[arg(long, env = "PODINFO_DIR", value_name = "DIR", help_heading = "Who am I")]
    pub podinfo_dir: Option<String>,

    /// The downward API's file of the pod's labels [default: labels in the podinfo folder]
    #[arg(long, env = "LABELS_FILE", value_name = "FILE", help_heading = "Who am I")]
    pub labels_file: Option<String>,

    /// The service account token [default: /var/run/secrets/kubernetes.io/serviceaccount/token]
    #[arg(long, env = "TOKEN_FILE", value_name = "FILE", help_heading = "API server")]
    pub token_file: Option<String>,

    /// The API server's certificate authority [default: ca.crt beside the token]
    #[arg(long, env = "CA_FILE", value_name = "FILE", help_heading = "API server")]
    pub ca_file: Option<String>,

    /// Use this kubeconfig instead of the pod's own access; a token file that is given too replaces its user
    #[arg(long, env = "KUBECONFIG", value_name = "FILE", help_heading = "API server")]
    pub kubeconfig: Option<String>,
}
