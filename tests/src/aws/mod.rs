//! Stand-ins for the AWS services that Velero and the EBS CSI driver call: which are there, and what have they in common?
//!
//! - [`cloudwatch`]: metrics, for the coordinator's throttle signals;
//! - [`s3`]: objects in memory, for Velero's storage location;
//! - [`ec2`]: volumes and snapshots with EC2's limits, for native snapshots and for the CSI driver.
//!
//! Each listens on a free loopback port of its own, on a thread of its own: a test may block its runtime, or end it, and the processes that it
//! started still get answers. No signature is verified, but a request that carries none is refused, as it would be. What a stand-in
//! cannot do, it refuses; it never pretends.

pub mod cloudwatch;
pub mod ec2;
mod loopback;
mod parameters;
pub mod s3;
mod xml;
