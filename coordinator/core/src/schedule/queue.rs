//! How long each run waits in Velero's queue when more is due than it runs at once.
//!
//! The queue as Velero 1.18 has it: looked at once a minute, in the order of arrival; a Backup whose namespace is busy waits and lets
//! others pass, but nobody of its own namespace.

use std::collections::{BTreeSet, VecDeque};

use super::ledger::Ledger;
use super::plan::QUEUE_NEVER_S;
use super::sliding::DAY;

/// The first day fills the queue to what it has every day; the second is looked at; in the third its last runs begin.
const DAYS: usize = 3;

/// For each job the wait of each of its runs, s, in the order of [`super::jobs::Job::starts`].
pub(super) fn waits_s(ledger: &Ledger, concurrent_backups: u32) -> Vec<Vec<u32>> {
    let mut waits: Vec<Vec<u32>> = ledger.jobs.iter().map(|job| vec![QUEUE_NEVER_S; job.later.len() + 1]).collect();
    let mut due = vec![Vec::new(); DAY];
    for (n, job) in ledger.jobs.iter().enumerate() {
        for (run, start) in ledger.at[n].iter().flat_map(|at| job.starts(*at)).enumerate() {
            due[start].push((n, run));
        }
    }
    let mut velero = Velero::new(ledger, concurrent_backups);
    for now in 0..DAYS * DAY {
        velero.end(now);
        for (n, run) in &due[now % DAY] {
            velero.arrive(Arrival { at: now, job: *n, run: *run });
        }
        velero.begin(now, |begun| {
            if (DAY..2 * DAY).contains(&begun.at) && now - begun.at < DAY {
                waits[begun.job][begun.run] = u32::try_from((now - begun.at) * 60).unwrap_or(QUEUE_NEVER_S);
            }
        });
    }
    waits
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Arrival {
    at: usize,
    job: usize,
    run: usize,
}

struct Velero<'a> {
    ledger: &'a Ledger<'a>,
    places: u32,
    /// When places become free, and when namespaces do: by minute.
    free_place: Vec<u32>,
    free_namespace: Vec<Vec<usize>>,
    busy: Vec<bool>,
    waiting: Vec<VecDeque<Arrival>>,
    /// The first of each idle namespace's queue.
    heads: BTreeSet<Arrival>,
}

impl<'a> Velero<'a> {
    fn new(ledger: &'a Ledger<'a>, places: u32) -> Self {
        let end = (DAYS + 1) * DAY + 1;
        let domains = ledger.domains.len();
        Self {
            ledger,
            places,
            free_place: vec![0; end],
            free_namespace: vec![Vec::new(); end],
            busy: vec![false; domains],
            waiting: vec![VecDeque::new(); domains],
            heads: BTreeSet::new(),
        }
    }

    fn end(&mut self, now: usize) {
        self.places += self.free_place[now];
        for namespace in std::mem::take(&mut self.free_namespace[now]) {
            self.busy[namespace] = false;
            self.heads.extend(self.waiting[namespace].front());
        }
    }

    fn arrive(&mut self, arrival: Arrival) {
        let namespace = self.ledger.jobs[arrival.job].namespace;
        self.waiting[namespace].push_back(arrival);
        if !self.busy[namespace] {
            self.heads.extend(self.waiting[namespace].front());
        }
    }

    fn begin(&mut self, now: usize, mut begun: impl FnMut(Arrival)) {
        while self.places > 0
            && let Some(next) = self.heads.pop_first()
        {
            let job = &self.ledger.jobs[next.job];
            self.waiting[job.namespace].pop_front();
            self.busy[job.namespace] = true;
            self.places -= 1;
            self.free_place[now + job.lane] += 1;
            self.free_namespace[now + job.lane].push(job.namespace);
            begun(next);
        }
    }
}
