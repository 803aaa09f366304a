//! What is wanted: the flags, checked.

use shared::deadline::agent_deadline_ms;
use shared::duration::{format_ms, parse_ms};

use super::args::{InjectArgs, OnError, Output};
use super::error::FlagError;

/// How the program comes into the pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum How {
    /// An init container copies it into a volume that the workload's container mounts
    InitContainer,
    /// It runs in a container of its own, where Velero runs the hooks too
    Sidecar,
    /// The image itself is mounted into the workload's container (Kubernetes 1.35; 1.33 with the feature gate `ImageVolume`)
    ImageVolume,
}

/// Kinds whose pod template's place is known.
const KINDS: [(&str, &[&str]); 4] = [
    ("StatefulSet", &["spec", "template"]),
    ("Deployment", &["spec", "template"]),
    ("DaemonSet", &["spec", "template"]),
    ("Pod", &[]),
];

/// What is edited, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// How the program comes into the pod.
    pub how: How,
    /// The agent's image.
    pub image: String,
    /// The workload's container; the first one where none is named.
    pub container: Option<String>,
    /// Kinds, each with the keys that lead to its pod template.
    pub kinds: Vec<(String, Vec<String>)>,
    /// Names of the workloads; none: all.
    pub names: Vec<String>,
    /// The namespace of workloads that name none.
    pub namespace: Option<String>,
    /// Velero's timeout of the pre hook, as it was given.
    pub hook_timeout: String,
    /// When the agent itself ends, below that.
    pub deadline: String,
    /// What a failed pre hook does to the Backup, as Velero writes it.
    pub on_error: &'static str,
    /// Add what service accounts need.
    pub binding: bool,
    /// Take it out instead.
    pub remove: bool,
}

impl TryFrom<&InjectArgs> for Options {
    type Error = FlagError;

    fn try_from(args: &InjectArgs) -> Result<Self, FlagError> {
        if args.remove && args.output != Output::Yaml {
            return Err(FlagError::RemoveOutput);
        }
        if args.service_account_binding && args.output != Output::Yaml {
            return Err(FlagError::BindingOutput);
        }
        let image = match &args.image {
            Some(image) if image.is_empty() || image.contains(|c: char| c.is_whitespace() || c.is_control()) => {
                return Err(FlagError::Image(image.clone()));
            }
            Some(image) => image.clone(),
            None if args.remove => String::new(),
            None => return Err(FlagError::NoImage),
        };
        let timeout_ms = parse_ms(&args.hook_timeout).map_err(FlagError::Timeout)?;
        let deadline_ms = agent_deadline_ms(timeout_ms).map_err(FlagError::TimeoutRange)?;
        Ok(Self {
            how: args.how,
            image,
            container: args.container.clone(),
            kinds: kinds(args)?,
            names: args.name.clone(),
            namespace: args.namespace.clone(),
            hook_timeout: args.hook_timeout.trim().to_owned(),
            deadline: format_ms(deadline_ms),
            on_error: match args.on_error {
                OnError::Fail => "Fail",
                OnError::Continue => "Continue",
            },
            binding: args.service_account_binding,
            remove: args.remove,
        })
    }
}

fn kinds(args: &InjectArgs) -> Result<Vec<(String, Vec<String>)>, FlagError> {
    let known = |(kind, path): (&str, &[&str])| (kind.to_owned(), path.iter().map(|key| (*key).to_owned()).collect());
    match (&args.pod_template_path, args.kind.as_slice()) {
        (Some(_), []) => Err(FlagError::PathWithoutKind),
        (None, []) => Ok(KINDS.into_iter().map(known).collect()),
        (Some(path), kinds) => {
            let path: Vec<_> = path.split('.').filter(|key| !key.is_empty()).map(str::to_owned).collect();
            Ok(kinds.iter().map(|kind| (kind.clone(), path.clone())).collect())
        }
        (None, kinds) => kinds
            .iter()
            .map(|wanted| {
                let found = KINDS.into_iter().find(|(kind, _)| kind == wanted);
                found.map(known).ok_or_else(|| FlagError::Kind(wanted.clone()))
            })
            .collect(),
    }
}
