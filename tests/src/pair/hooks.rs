//! What does a user write onto a pod so that Velero runs the hook-agent in it?

use std::time::Duration;

use crate::binaries;
use crate::real_velero::IMAGE_HOOK_AGENT;
use crate::velero::cluster::{PODINFO_PATH, TOKEN_PATH, Workload};
use crate::velero::hook_calls::HookPhase;

/// Velero's timeout of the hooks unless a test says otherwise: far above what a round with short polls takes.
const HOOK_TIMEOUT: Duration = Duration::from_mins(1);

/// Where users say how a pod is held still: a variable, an annotation.
const QUIESCE_NAMES: [&str; 2] = ["QUIESCE", "snapshot-group.velero.io/quiesce"];

/// The hooks of a workload's pods.
#[derive(Clone, Debug)]
pub struct HookPlan {
    /// The pre hook's timeout as the agent is told.
    pub timeout: Duration,
    /// Velero's timeout of the pre hook, where a user wrote another one than into the command.
    pub velero_timeout: Option<Duration>,
    /// Velero's `on-error` of the pre hook; empty: none is written.
    pub on_error: &'static str,
    /// Flags of `pre` beside `--hook-timeout`.
    pub pre_flags: Vec<String>,
    /// The program that a user wrote instead of the hook-agent's path.
    pub program: Option<&'static str>,
    /// The container that a user named instead of the pod's.
    pub container: Option<&'static str>,
    /// What `/bin/sh -c` makes of the pre hook's argv, which is `"$0" "$@"` there; none: no shell.
    pub shell: Option<&'static str>,
    /// Nothing is written onto the pods: a Schedule names the hooks.
    pub by_schedule: bool,
    /// Nobody says how the pods are held still, not even that they need not be.
    pub in_silence: bool,
}

impl Default for HookPlan {
    fn default() -> Self {
        Self {
            timeout: HOOK_TIMEOUT,
            velero_timeout: None,
            on_error: "Fail",
            pre_flags: vec![],
            program: None,
            container: None,
            shell: None,
            by_schedule: false,
            in_silence: false,
        }
    }
}

impl HookPlan {
    /// Pods on which nothing is written: whoever backs them up names the hooks.
    pub fn by_schedule() -> Self {
        Self { by_schedule: true, ..Self::default() }
    }

    /// Of a user who says nothing of how the pods are held still.
    #[must_use]
    pub fn in_silence(mut self) -> Self {
        self.in_silence = true;
        self
    }

    /// With this timeout of the pre hook.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// With another timeout in Velero than the agent is told.
    #[must_use]
    pub fn velero_timeout(mut self, timeout: Duration) -> Self {
        self.velero_timeout = Some(timeout);
        self
    }

    /// With this `on-error`.
    #[must_use]
    pub fn on_error(mut self, on_error: &'static str) -> Self {
        self.on_error = on_error;
        self
    }

    /// With these flags of `pre` too.
    #[must_use]
    pub fn flags(mut self, flags: &[&str]) -> Self {
        self.pre_flags.extend(flags.iter().map(|flag| (*flag).to_owned()));
        self
    }

    /// With this program instead of the hook-agent.
    #[must_use]
    pub fn program(mut self, path: &'static str) -> Self {
        self.program = Some(path);
        self
    }

    /// With this container instead of the pod's.
    #[must_use]
    pub fn container(mut self, name: &'static str) -> Self {
        self.container = Some(name);
        self
    }

    /// With a shell script around the pre hook, whose argv is `"$0" "$@"`.
    #[must_use]
    pub fn shell(mut self, script: &'static str) -> Self {
        self.shell = Some(script);
        self
    }

    /// The workload with these hooks, its token and the paths of what is mounted, for the simulator's kubelet.
    pub fn onto(&self, workload: Workload) -> Workload {
        self.with_program(workload, &binaries::hook_agent().display().to_string())
            .env("TOKEN_FILE", &format!("{TOKEN_PATH}/token"))
            .env("PODINFO_DIR", PODINFO_PATH)
    }

    /// The workload with these hooks and its token, on a node whose containers have the hook-agent where every image of users has it.
    pub fn onto_node(&self, workload: Workload, node: &str) -> Workload {
        self.with_program(workload, IMAGE_HOOK_AGENT).on_node(node)
    }

    fn with_program(&self, workload: Workload, program: &str) -> Workload {
        let Self {
            timeout,
            velero_timeout,
            on_error,
            pre_flags,
            program: another,
            container,
            shell,
            by_schedule,
            in_silence,
        } = self;
        // No application runs in these pods, so nothing needs to be held still: somebody has to say so.
        let says =
            pre_flags.iter().any(|flag| flag == "--quiesce") || QUIESCE_NAMES.iter().any(|name| workload.says(name));
        let workload = if says || *in_silence { workload } else { workload.env(QUIESCE_NAMES[0], "none") };
        if *by_schedule {
            return workload.token();
        }
        let program = another.unwrap_or(program);
        let limit = format!("{}ms", timeout.as_millis());
        let mut pre: Vec<&str> = shell.iter().flat_map(|script| ["/bin/sh", "-c", script]).collect();
        pre.extend([program, "pre", "--hook-timeout", &limit]);
        pre.extend(pre_flags.iter().map(String::as_str));
        let workload = workload
            .hook(HookPhase::Pre, &pre, on_error, velero_timeout.unwrap_or(*timeout))
            .hook(HookPhase::Post, &[program, "post"], "Continue", HOOK_TIMEOUT)
            .token();
        match container {
            Some(name) => ["pre", "post"].into_iter().fold(workload, |workload, phase| {
                workload.annotation(&format!("{phase}.hook.backup.velero.io/container"), name)
            }),
            None => workload,
        }
    }
}
