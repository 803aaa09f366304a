//! Where every job is, and what that adds up to in each minute of the day.

use super::domain_load::{DomainLoad, span};
use super::jobs::Job;
use super::sliding::DAY;
use super::targets::Targets;

/// A draft of the night. Jobs are named by their number.
#[derive(Clone, Debug)]
pub(super) struct Ledger<'n> {
    pub jobs: &'n [Job<'n>],
    /// Volumes whose groups start, budget taken, Velero's places taken: by minute.
    pub starting: Vec<u32>,
    pub flight: Vec<u32>,
    pub lanes: Vec<u32>,
    pub domains: Vec<DomainLoad>,
    /// Where the first run of each job starts.
    pub at: Vec<Option<usize>>,
}

/// What is wrong with a job's place, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trouble {
    DomainBusy,
    VeleroBusy,
    OverBudget,
}

impl<'n> Ledger<'n> {
    pub(super) fn new(jobs: &'n [Job<'n>], domains: usize) -> Self {
        Self {
            jobs,
            starting: vec![0; DAY],
            flight: vec![0; DAY],
            lanes: vec![0; DAY],
            domains: vec![DomainLoad::EMPTY; domains],
            at: vec![None; jobs.len()],
        }
    }

    /// Places a job that has no place.
    pub(super) fn put(&mut self, n: usize, at: usize) {
        let job = &self.jobs[n];
        for start in job.starts(at) {
            self.starting[start] += job.weight;
            span(start, job.flight).for_each(|minute| self.flight[minute] += job.clipped);
            span(start, job.lane).for_each(|minute| self.lanes[minute] += 1);
            self.domains[job.domain].add(start, job.taken);
        }
        self.at[n] = Some(at);
    }

    /// Takes a job off its place, and says where that was.
    pub(super) fn take(&mut self, n: usize) -> Option<usize> {
        let at = self.at[n].take()?;
        let job = &self.jobs[n];
        for start in job.starts(at) {
            self.starting[start] -= job.weight;
            span(start, job.flight).for_each(|minute| self.flight[minute] -= job.clipped);
            span(start, job.lane).for_each(|minute| self.lanes[minute] -= 1);
            self.domains[job.domain].remove(start, job.taken);
        }
        Some(at)
    }

    /// What is wrong with a placed job's place, if anything.
    pub(super) fn trouble(&self, n: usize, targets: &Targets) -> Option<Trouble> {
        let job = &self.jobs[n];
        let at = self.at[n]?;
        let any = |len: usize, wrong: &dyn Fn(usize) -> bool| job.starts(at).flat_map(|s| span(s, len)).any(wrong);
        // Its own runs never overlap each other unless their times were fixed so.
        let own = u32::try_from(job.taken).unwrap_or(u32::MAX);
        let domain = &self.domains[job.domain];
        if job.starts(at).any(|start| domain.overlap(start, job.taken) > own) {
            Some(Trouble::DomainBusy)
        } else if any(job.lane, &|minute| self.lanes[minute] > targets.lane_limit) {
            Some(Trouble::VeleroBusy)
        } else if any(job.flight, &|minute| self.flight[minute] > targets.flight_limit) {
            Some(Trouble::OverBudget)
        } else {
            None
        }
    }
}
