//! A night of backups, simulated: what would happen with this inventory, these settings, and these neighbours in the account?
//!
//! The world is a model: EC2's limits ([`ec2`]), Velero's rules and the snapshot chain ([`night`]). What decides is the real thing: admission
//! ([`coordinator_core::admission`]), the signals and the limiter ([`coordinator_core::throttle`]), and the planner's slots, which come in as
//! due times. A night is a function of its [`scenario::Scenario`] and [`contender::Contender`]: the same input gives the same night on any machine.

pub mod advice;
pub mod contender;
mod dice;
pub mod ec2;
pub mod night;
pub mod outcome;
mod round;
pub mod scenario;
