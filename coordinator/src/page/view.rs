//! All that the status page shows, for one moment: a pure function of what was seen, the plan, the leader and now.

use shared::admission::RoundPhase;
use shared::time::WallTime;
use shared::verdict::Verdict;

use super::groups::{Listed, list};
use super::night::Night;
use super::planned::SchedulerWord;
use super::query::Query;
use super::seen::{GroupSeen, LeaderSeen, Seen};
use super::warnings::{Warning, warnings};

/// Open rounds that are shown one by one; the budget lets no more than a few run, but many may wait.
const ROUNDS_MAX: usize = 40;

/// What it is made from.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// This process among the coordinators.
    pub identity: &'a str,
    /// The coordinator's namespace.
    pub namespace: &'a str,
    /// The engine's state; none while it has never answered.
    pub seen: Option<&'a Seen>,
    /// How old that is, ms.
    pub seen_age_ms: u64,
    /// Who leads.
    pub leader: &'a LeaderSeen,
    /// What the scheduler says.
    pub scheduler: &'a SchedulerWord,
    /// What the API server refuses now.
    pub troubles: &'a [String],
    /// Now.
    pub now: WallTime,
}

/// What this process is to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It decides.
    Leads,
    /// Another one does.
    StandsBy,
    /// Nobody does.
    NobodyLeads,
    /// It has not looked yet.
    Unknown,
}

impl Role {
    /// For machines.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Leads => "leads",
            Self::StandsBy => "stands-by",
            Self::NobodyLeads => "nobody-leads",
            Self::Unknown => "unknown",
        }
    }
}

/// Groups, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// All of them.
    pub groups: usize,
    /// EBS volumes of their pods.
    pub volumes: u64,
    /// Rounds that have their share.
    pub running: usize,
    /// Rounds that wait for it.
    pub waiting: usize,
    /// Groups by their last verdict, in the order of [`Verdict::ALL`].
    pub verdicts: [usize; 5],
    /// Groups that never ran.
    pub never: usize,
}

/// All of it.
#[derive(Clone, Debug)]
pub struct StatusView<'a> {
    /// What it was made from.
    pub parts: Parts<'a>,
    /// What this process is to the others.
    pub role: Role,
    /// What is not as it should be, the worst first.
    pub warnings: Vec<Warning>,
    /// Counts over all groups.
    pub totals: Totals,
    /// Open rounds: those that run, then those that wait, each the longest first. At most [`ROUNDS_MAX`].
    pub rounds: Vec<&'a GroupSeen>,
    /// Open rounds that are not among them.
    pub rounds_more: usize,
    /// A page of groups.
    pub listed: Listed<'a>,
    /// The night around now, where one is planned.
    pub night: Option<Night<'a>>,
}

impl<'a> StatusView<'a> {
    /// Puts it together.
    pub fn new(parts: Parts<'a>, query: &Query) -> Self {
        let groups: &'a [GroupSeen] = parts.seen.map_or(&[], |seen| &seen.groups);
        let mut rounds: Vec<&GroupSeen> = groups.iter().filter(|seen| is_open(seen)).collect();
        rounds.sort_by_key(|seen| (seen.group.phase == Some(RoundPhase::Waiting), seen.group.opened_at));
        let rounds_more = rounds.len().saturating_sub(ROUNDS_MAX);
        rounds.truncate(ROUNDS_MAX);
        let planned = parts.scheduler.planned.as_deref();
        Self {
            role: role(&parts),
            warnings: warnings(&parts),
            totals: totals(groups),
            rounds,
            rounds_more,
            listed: list(groups, parts.scheduler, query, parts.now),
            night: planned.map(|planned| Night::around(planned, groups, parts.now)),
            parts,
        }
    }
}

fn role(parts: &Parts<'_>) -> Role {
    let leads = parts.seen.is_some_and(|seen| seen.leads);
    match (leads, parts.leader.known, &parts.leader.holder) {
        (true, _, _) => Role::Leads,
        (false, true, Some(_)) => Role::StandsBy,
        (false, true, None) => Role::NobodyLeads,
        (false, false, _) => Role::Unknown,
    }
}

/// Whether a group's round is open.
pub fn is_open(seen: &GroupSeen) -> bool {
    seen.group.phase.is_some_and(|phase| phase != RoundPhase::Closed)
}

fn totals(groups: &[GroupSeen]) -> Totals {
    let mut totals = Totals { groups: groups.len(), ..Totals::default() };
    for seen in groups {
        totals.volumes += u64::from(seen.volumes);
        if is_open(seen) {
            let waits = seen.group.phase == Some(RoundPhase::Waiting);
            *(if waits { &mut totals.waiting } else { &mut totals.running }) += 1;
        }
        match &seen.group.last {
            None => totals.never += 1,
            Some(last) => {
                for (count, verdict) in totals.verdicts.iter_mut().zip(Verdict::ALL) {
                    *count += usize::from(last.verdict == *verdict);
                }
            }
        }
    }
    totals
}
