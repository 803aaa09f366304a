//! The stagger scheduler's plan: which group is backed up at which minute of the day, and why then.
//!
//! Input: [`demand::Demand`]s (one a group), the [`live::LivePlan`] (what is set now) and [`settings::PlanSettings`]. Output: a
//! [`plan::Plan`]. All times are UTC minutes of the day; who knows time zones turns them into such before.

pub mod cron;
pub mod demand;
pub mod finding;
pub mod learning;
pub mod live;
pub mod minute;
pub mod plan;
pub mod settings;
pub mod settings_error;
