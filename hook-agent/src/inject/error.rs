//! Why manifests cannot be edited: what is wrong, in which file, document and line, and what to do.

use std::fmt;

use shared::deadline::HookTimeoutError;
use shared::duration::DurationError;

/// Where in the input something is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file's name, or `standard input`.
    pub file: String,
    /// Which document of the file, counted from 1; 0: the file as a whole.
    pub document: usize,
    /// Which line of the file, counted from 1; 0: the document as a whole.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.document > 0 {
            write!(f, ", document {}", self.document)?;
        }
        if self.line > 0 {
            write!(f, ", line {}", self.line)?;
        }
        Ok(())
    }
}

/// What is wrong, and where.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct InjectError {
    /// Where.
    pub place: Place,
    /// What, and what to do.
    pub problem: Problem,
}

/// What is wrong with a manifest, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// It does not parse.
    #[error("this is not YAML: {0}")]
    NotYaml(String),
    /// It is a chart's template.
    #[error(
        "this is a template of Helm ({{{{ … }}}}), not a manifest: render it first, `helm template … | hook-agent inject …`"
    )]
    Template,
    /// It is YAML, but no object of Kubernetes.
    #[error("this is no object of Kubernetes: {0}; give manifests as kubectl takes them")]
    NotKubernetes(&'static str),
    /// Longer than what is read.
    #[error("the input has more than {bytes_max} bytes; give fewer files at once")]
    TooLong {
        /// The limit.
        bytes_max: usize,
    },
    /// More documents than what is read.
    #[error("the input has more than {documents_max} documents; give fewer files at once")]
    TooManyDocuments {
        /// The limit.
        documents_max: usize,
    },
    /// There is nothing to edit.
    #[error(
        "no workload is in it ({seen}): looked for {wanted}; choose by --kind and --name, and for a kind of an operator say --pod-template-path too"
    )]
    NoWorkload {
        /// Which kinds are in it.
        seen: String,
        /// Which were looked for.
        wanted: String,
    },
    /// A key stands twice where it matters.
    #[error("the key `{key}` stands there twice, and what reads manifests takes the last one; take one of them out")]
    Repeated {
        /// Which.
        key: String,
    },
    /// The text would grow past what is read.
    #[error(
        "with the agent in it the text has more than {bytes_max} bytes, which could not be read again; give fewer files at once"
    )]
    Grown {
        /// The limit.
        bytes_max: usize,
    },
    /// The agent's container has what only somebody else can have put there.
    #[error(
        "`{key}` of the container `{container}` is not the agent's and would be lost: put it there by a patch of your own after `inject`, or take the agent out by --remove first"
    )]
    AddedByHand {
        /// Which key.
        key: String,
        /// Of which container.
        container: String,
    },
    /// The path of the pod template leads nowhere.
    #[error(
        "{workload} has no pod template with containers at `{path}`; give its place by --pod-template-path, and where an operator fills the containers in, name the one with the data there: containers: [{{name: …}}]"
    )]
    NoTemplate {
        /// Kind and name.
        workload: String,
        /// Where it was looked for.
        path: String,
    },
    /// The named container is not there.
    #[error("{workload} has no container `{container}`, it has {there}; name one of them by --container")]
    NoContainer {
        /// Kind and name.
        workload: String,
        /// What was asked for.
        container: String,
        /// Which there are.
        there: String,
    },
    /// The workload's container has no name.
    #[error("the container of {workload} has no name; Kubernetes wants one")]
    NoName {
        /// Kind and name.
        workload: String,
    },
    /// A name that the agent needs is in use.
    #[error("the {what} `{name}` is there already and is not the agent's; rename it, the agent needs that name")]
    NameTaken {
        /// Volume, container or init container.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A mount path that the agent needs is in use.
    #[error(
        "container `{container}` already mounts `{volume}` at {path}, where the agent needs {wanted}; mount it elsewhere"
    )]
    PathTaken {
        /// Which container.
        container: String,
        /// What is mounted there.
        volume: String,
        /// Where.
        path: &'static str,
        /// What has to be there.
        wanted: &'static str,
    },
    /// The pods have other hooks.
    #[error(
        "the pods already have another hook ({annotation}): Velero runs one command per annotation; let that hook run `hook-agent` itself, or take it out"
    )]
    OtherHook {
        /// The annotation.
        annotation: String,
    },
    /// Something has a form that cannot be edited in place.
    #[error("`{key}` cannot be edited here: {why}")]
    Form {
        /// Which key.
        key: String,
        /// What to write instead.
        why: &'static str,
    },
    /// The ServiceAccount's namespace is not known.
    #[error("{0} names no namespace, and a RoleBinding needs the ServiceAccount's: give --namespace")]
    NoNamespace(String),
    /// Another document cannot be added.
    #[error("a Role and a RoleBinding cannot be added to JSON; give YAML, or leave --service-account-binding out")]
    NoDocumentsInJson,
    /// What was made could not be taken out again.
    #[error(
        "it is written in a way that `inject` does not get right, so nothing is printed; please report it, and use --output patch meanwhile"
    )]
    NotUndone,
    /// A strategic merge patch needs a kind that Kubernetes itself has.
    #[error(
        "{0} cannot be patched this way: lists of kinds that are not Kubernetes' own are replaced as a whole; use --output yaml"
    )]
    NotPatchable(String),
}

/// What is wrong with the flags.
#[derive(Debug, thiserror::Error)]
pub enum FlagError {
    /// The image is not given.
    #[error("--image (HOOK_AGENT_IMAGE) is missing: the hook-agent's image in your registry")]
    NoImage,
    /// The image cannot be one.
    #[error("--image (HOOK_AGENT_IMAGE): `{0}` is not the name of an image")]
    Image(String),
    /// A kind without a known place of its pod template.
    #[error(
        "--kind {0}: where its pod template is, is not known; say it by --pod-template-path, such as spec.template"
    )]
    Kind(String),
    /// A path of a pod template for kinds that are not named.
    #[error("--pod-template-path needs a --kind that it is of")]
    PathWithoutKind,
    /// The timeout is no length of time.
    #[error("--hook-timeout")]
    Timeout(#[source] DurationError),
    /// The timeout is too short or too long.
    #[error("--hook-timeout")]
    TimeoutRange(#[source] HookTimeoutError),
    /// Patches take nothing out.
    #[error("--output: a patch cannot take the agent out; --remove prints manifests, leave --output out")]
    RemoveOutput,
    /// Patches add no documents.
    #[error("--service-account-binding adds documents, and a patch cannot: leave one of them out")]
    BindingOutput,
}
