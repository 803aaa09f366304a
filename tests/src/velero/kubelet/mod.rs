//! What would a kubelet do with an exec? It runs it: here as a real child process on this machine.
//!
//! # What a process gets
//! - argv exactly as Velero gives it, no shell; stdin empty; a process group of its own (like a container's exec it is a
//!   group leader, so what it leaves behind must fork before it can start a session of its own).
//! - Environment: `HOSTNAME`, the `PATH` that container runtimes set when an image sets none, [`MARKER`], what the test
//!   passes on purpose, and the container's `env` with field references resolved **as of the container's start** (a label
//!   set later is not in them, as on a real node). Nothing else of this process's environment leaks in. Sources that are
//!   not simulated (secrets, resource fields, `envFrom`) refuse the exec instead of pretending.
//! - A working folder of its own: `<root>/pods/<namespace>/<pod>-<uid>/<container>`.
//!
//! # Volumes, and how their paths are mapped
//! There is no mount namespace, so each volume of a pod is a folder under the root: claims at
//! `<root>/claims/<namespace>/<claim>` (shared by whoever mounts the claim), all others at
//! `<root>/pods/<namespace>/<pod>-<uid>/volumes/<volume>`. A process cannot open the mount path itself, so **every value in
//! the container's `env` that is a mount path of that container, or lies below one, is rewritten to the folder that stands
//! for it**. A pod that says `LABELS_FILE=/etc/podinfo/labels` thus works here and on a real cluster. argv is never rewritten.
//! Downward-API files are written anew before each exec (labels set meanwhile are in them), tokens once a pod.
//!
//! # When an exec returns
//! When the process has ended *and* nobody holds its stdout or stderr any more, as with containerd; not before. A client
//! that stops waiting ends nothing. The end of a container ends every process in it, whatever session it is in
//! ([`MARKER`] finds them); so does the deletion of the pod.

mod containers;
mod environment;
mod exec;
mod field_ref;
mod node;
mod processes;
mod token;
mod volumes;

pub use environment::{EnvironmentError, MARKER};
pub use exec::{ExecAnswer, ExecCall, RunningExec};
pub use node::{ExecError, Kubelet, KubeletError, KubeletSettings, Node};
pub use token::{PodIdentity, TokenError, TokenSource};
pub use volumes::VolumeError;
