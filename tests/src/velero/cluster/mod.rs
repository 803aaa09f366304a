//! How is a small cluster put into an API server? Workloads with pods that run, claims that are bound and volumes of EBS.
//!
//! Plays the controllers, the scheduler, the provisioner and the kubelet's status at once, by plain requests: it works alike
//! on the embedded server and on a real kube-apiserver without controllers.

mod controller;
mod create;
mod objects;
mod workload;

pub use controller::{replica, roll_out};
pub use create::{ClusterError, create, delete_pod, prepare, replace_pod};
pub(crate) use objects::volume_name;
pub use workload::{Made, MadePod, Owner, Workload};

/// The driver of all volumes made here.
pub const DRIVER: &str = "ebs.csi.aws.com";

/// The storage class of all claims and the snapshot class of all snapshots.
pub const STORAGE_CLASS: &str = "ebs";

/// Where every pod finds its labels, name and namespace as files, as the original's workloads do.
pub const PODINFO_PATH: &str = "/etc/podinfo";

/// Where a pod with a token finds it, as on every cluster.
pub const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The one container of every pod.
pub const CONTAINER: &str = "main";
