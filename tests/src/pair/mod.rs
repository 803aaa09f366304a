//! Both programs together: a coordinator and hook-agents as child processes, a simulated Velero that calls the hooks, and the means
//! to hold the receipts against what really happened.
//!
//! The pods' hooks are what users write: annotations whose argv is the hook-agent with its flags, and Velero's timeout beside it. A
//! pod finds its token and its labels where every pod does; since there is no mount namespace, two variables name those paths so
//! that the stand-in kubelet can map them (see `velero::kubelet`). The kubeconfig says where the API server is; the user is the
//! pod's own token.

mod any_velero;
mod bed;
pub mod check;
mod compare;
mod generated;
mod groups;
mod hooks;
mod place;
mod receipts;
mod residents;
pub mod stories;

pub use any_velero::AnyVelero;
pub use bed::{Night, Pair, PairOptions};
pub use compare::{Overclaim, compare};
pub use generated::without;
pub use groups::{group_of_namespace, group_of_set};
pub use hooks::HookPlan;
pub use place::Place;
pub use receipts::ReceiptError;
pub use residents::Held;
