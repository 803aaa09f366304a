//! Does the budget follow what EC2 allows? A real coordinator, and stand-ins for everything that tells it.

mod cloudwatch;
mod contents;
mod driver;
mod lease;
mod place;
