//! Which cases are there? Who is struck, how, and at which edge of the protocol.

use std::fmt;
use std::time::Duration;

/// Who is struck. All but coordinator and API server are those of the first member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    Hook,
    Keeper,
    Resident,
    Coordinator,
    Server,
}

/// When.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// It is registered and nobody has answered yet.
    Waiting,
    /// It is released, and its plan's first program runs.
    Quiescing,
    /// All members are still, and nothing is cut.
    Quiesced,
    /// The first volume is cut, the second is not.
    Cutting,
    /// The plan's last program runs.
    Thawing,
}

/// How.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// SIGKILL, and somebody starts it again where somebody would; an API server refuses connections for a while.
    Kill,
    /// SIGSTOP for longer than whoever waits for it does; an API server answers nothing meanwhile.
    Stop,
}

/// How the group is released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    ArriveAndGo,
    Lead,
}

/// One row of the table.
#[derive(Clone, Debug)]
pub struct Case {
    pub way: Way,
    pub edge: Edge,
    pub action: Action,
    pub victims: Vec<Victim>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { way, edge, action, victims } = self;
        write!(f, "{way:?} {edge:?} {action:?} {victims:?}")
    }
}

const VICTIMS: [Victim; 5] = [Victim::Hook, Victim::Keeper, Victim::Resident, Victim::Coordinator, Victim::Server];
const EDGES: [Edge; 5] = [Edge::Waiting, Edge::Quiescing, Edge::Quiesced, Edge::Cutting, Edge::Thawing];

/// Every victim alone and every two of them, at every edge where they are there, each killed and stopped; in lead mode, where all five are,
/// and the singles without residents too.
pub fn all() -> Vec<Case> {
    let mut sets: Vec<Vec<Victim>> = VICTIMS.map(|one| vec![one]).to_vec();
    for (i, one) in VICTIMS.into_iter().enumerate() {
        sets.extend(VICTIMS[i + 1..].iter().map(|other| vec![one, *other]));
    }
    let mut cases = Vec::new();
    for way in [Way::Lead, Way::ArriveAndGo] {
        for edge in EDGES {
            for action in [Action::Stop, Action::Kill] {
                let there = |victims: &&Vec<Victim>| victims.iter().all(|victim| victim.is_there(edge, way));
                let wanted = |victims: &&Vec<Victim>| way == Way::Lead || victims.len() == 1;
                let victims = sets.iter().filter(there).filter(wanted).cloned();
                cases.extend(victims.map(|victims| Case { way, edge, action, victims }));
            }
        }
    }
    // The longest first: those that are stopped for longest.
    cases.sort_by_key(|case| std::cmp::Reverse(case.longest()));
    cases
}

impl Victim {
    fn is_there(self, edge: Edge, way: Way) -> bool {
        match self {
            Self::Hook => !matches!(edge, Edge::Quiesced | Edge::Cutting),
            Self::Keeper => edge != Edge::Waiting,
            Self::Resident => way == Way::Lead,
            Self::Coordinator | Self::Server => true,
        }
    }

    /// How long it is stopped: longer than its lease, and than whoever waits for it does.
    pub fn stopped(self) -> Duration {
        Duration::from_secs(match self {
            // A member Lease lasts 30 s.
            Self::Hook => 32,
            // A guard waits for a second beyond the hold's limit.
            Self::Keeper | Self::Resident => 6,
            // The leader's Lease lasts 15 s.
            Self::Coordinator | Self::Server => 17,
        })
    }
}

impl Case {
    fn longest(&self) -> Duration {
        let stopped = self.victims.iter().map(|victim| victim.stopped()).max().unwrap_or_default();
        if self.action == Action::Stop { stopped } else { Duration::ZERO }
    }

    pub fn strikes(&self, victim: Victim) -> bool {
        self.victims.contains(&victim)
    }
}
