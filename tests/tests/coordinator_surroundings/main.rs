//! What does the coordinator do in bad surroundings, and what does it tell users in Kubernetes Events?

mod backups;
mod events;
mod kinds;
mod place;
mod unhooked;
mod versions;
