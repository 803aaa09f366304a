//! What can happen, as the test bed itself sees it?

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use crate::velero::backup::Phase;
use crate::velero::hook_calls::HookPhase;
use crate::velero::object_name::ObjectName;

/// A point in time, on two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// Monotonic, since the log began.
    pub since_start: Duration,
    /// The machine's wall clock.
    pub wall: Timestamp,
}

impl Moment {
    /// Monotonic time from `earlier` to this; zero when it is not earlier.
    pub fn after(self, earlier: Self) -> Duration {
        self.since_start.saturating_sub(earlier.since_start)
    }
}

/// Number of an exec, unique in its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExecId(pub u64);

/// How a hook's process really ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessExit {
    /// It ended by itself.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
}

impl ProcessExit {
    /// What an exec's client is told: the code, or 128 + signal.
    pub fn as_code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
        }
    }
}

/// What Velero was told of an exec, true or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reported {
    /// The exit code.
    Exited(i32),
    /// Exit 0, though the process had not ended: the stream was lost in the middle (the kubelet, containerd or the API
    /// server went away), and the real Velero takes that for success.
    FalseSuccess,
    /// Velero stopped waiting after this time; the process goes on, its output is lost.
    TimedOut(Duration),
    /// Nothing was started; the text is the error.
    NotStarted(String),
}

impl Reported {
    /// Whether Velero counts the hook as succeeded.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Exited(0) | Self::FalseSuccess)
    }
}

impl fmt::Display for Reported {
    /// In Velero's words where it is an error.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(0) | Self::FalseSuccess => f.write_str("succeeded"),
            Self::Exited(code) => write!(f, "command terminated with exit code {code}"),
            Self::TimedOut(limit) => write!(f, "timed out after {limit:?}"),
            Self::NotStarted(error) => f.write_str(error),
        }
    }
}

/// How a volume was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutWay {
    /// By the stand-in CSI driver, for a `VolumeSnapshot`.
    Csi,
    /// By the cloud's own snapshot call, which leaves no object in the cluster.
    Native,
}

/// Level of a line of a Backup's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Counted nowhere.
    Info,
    /// Counted in `status.warnings`, and no more comes of it.
    Warning,
    /// Counted in `status.errors`; one is enough for `PartiallyFailed`.
    Error,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A simulated Velero server came up.
    ServerStarted,
    /// It was killed.
    ServerKilled,
    /// The server wrote this phase.
    Phase {
        /// The Backup.
        backup: String,
        /// The new phase.
        phase: Phase,
    },
    /// A line of the Backup's log.
    Logged {
        /// The Backup.
        backup: String,
        /// Its level.
        level: LogLevel,
        /// Its text.
        message: String,
    },
    /// A block was handed to a worker.
    BlockBegun {
        /// The Backup.
        backup: String,
        /// Its pods in hook order.
        pods: Vec<ObjectName>,
        /// Its claims, each with the block's pods that mount it.
        claims: Vec<(ObjectName, Vec<ObjectName>)>,
    },
    /// A hook's process was started.
    HookStarted {
        /// Its number.
        exec: ExecId,
        /// The Backup.
        backup: String,
        /// The pod.
        pod: ObjectName,
        /// The container.
        container: String,
        /// Before or after the cut.
        phase: HookPhase,
        /// argv.
        command: Vec<String>,
        /// Process id on this machine.
        pid: u32,
    },
    /// A hook's process ended, whether or not anyone was still waiting.
    HookExited {
        /// Its number.
        exec: ExecId,
        /// How it ended.
        exit: ProcessExit,
    },
    /// Nobody held a hook's stdout and stderr any more: what a kubelet waits for.
    HookClosed {
        /// Its number.
        exec: ExecId,
        /// All it wrote, as text; bytes that are no UTF-8 are replaced.
        stdout: String,
        /// The same for stderr.
        stderr: String,
    },
    /// Velero went on, with this answer.
    HookReported {
        /// The exec's number, where a process was started.
        exec: Option<ExecId>,
        /// The Backup.
        backup: String,
        /// The pod.
        pod: ObjectName,
        /// Before or after the cut.
        phase: HookPhase,
        /// The answer.
        reported: Reported,
    },
    /// A snapshot was asked for.
    CutRequested {
        /// The Backup.
        backup: String,
        /// The claim.
        claim: ObjectName,
    },
    /// The volume's point in time.
    Cut {
        /// The Backup.
        backup: String,
        /// The claim.
        claim: ObjectName,
        /// By what.
        way: CutWay,
    },
    /// The snapshot's data is complete.
    SnapshotReady {
        /// The Backup.
        backup: String,
        /// The claim.
        claim: ObjectName,
    },
    /// The Pod object went into the backup's tarball.
    PodStored {
        /// The Backup.
        backup: String,
        /// The pod.
        pod: ObjectName,
    },
}

/// A fact and when it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Moment,
    /// What.
    pub fact: Fact,
}
