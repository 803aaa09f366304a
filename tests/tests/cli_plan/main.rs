//! What `coordinator plan` makes of files and clusters, and how it ends.

mod clusters;
mod odd_things;
mod outputs;
mod refusals;
mod run;
mod standing;
