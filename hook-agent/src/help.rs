//! What `--help` tells a stranger beyond the flags: what the hooks do, how Velero calls them, what the exit codes mean.

use std::fmt::Write as _;

use shared::exit_code::ExitCode;

/// What the program is.
pub const ABOUT: &str = "\
Velero's pre and post hooks of a snapshot group.

Velero runs `hook-agent pre` in each pod before it cuts the pod's volumes and `hook-agent post` afterwards. `pre` registers
the pod in a Lease and waits until the coordinator releases the pod's group, so that no more volumes are cut at once than
the cluster's budget allows. A pod without the label velero.io/snapshot-group is in no group: its hooks return at once.
Which pod it runs in, the agent reads from its service account token; nothing has to be configured.";

/// What `pre` does.
pub const PRE: &str = "\
Before the snapshot: registers the pod, waits until its group is released, quiesces, returns.

A hook can delay a snapshot, not forbid it: Velero takes it even when the hook fails. So at its deadline, or when nobody
answers, `pre` by default goes on, says so and has it recorded (over-budget, unreachable). With `fail` it exits non-zero
instead, and the Backup ends PartiallyFailed. It always ends before Velero's hook timeout, because Velero throws away
the output of a hook that it timed out.";

/// What `post` does.
pub const POST: &str = "\
After the snapshot: lets go and marks the registration as done, so that the budget is free for others.

It ends whatever this pod registered, also a `pre` that still waits. Without a registration there is nothing to do, and it
says so. It takes 20 s at most.";

/// Examples and the table of exit codes.
pub fn after() -> String {
    let mut text = String::from(
        "\
Every flag can be given by the environment variable beside it; a flag wins. An empty value counts as not set.
Durations have a unit: 30s, 10m, 1h30m.

Annotations of a pod, so that Velero runs the hooks (write container, on-error and timeout always):

  pre.hook.backup.velero.io/container: db
  pre.hook.backup.velero.io/command: '[\"/hooks/hook-agent\", \"pre\", \"--hook-timeout\", \"10m\"]'
  pre.hook.backup.velero.io/on-error: Fail
  pre.hook.backup.velero.io/timeout: 10m
  post.hook.backup.velero.io/container: db
  post.hook.backup.velero.io/command: '[\"/hooks/hook-agent\", \"post\"]'
  post.hook.backup.velero.io/on-error: Continue
  post.hook.backup.velero.io/timeout: 30s

By hand, in a running pod:

  kubectl exec db-0 -c db -- /hooks/hook-agent pre --hook-timeout 30s

The pod's ServiceAccount needs, in its own namespace: get, create, patch and watch on leases (coordination.k8s.io), and
`get` on pods unless the labels are mounted at /etc/podinfo/labels.

Exit codes (Velero shows them as \"command terminated with exit code N\"):
",
    );
    for code in ExitCode::ALL {
        let _ = write!(text, "\n  {:>3}  {}", code.code(), code.meaning());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_code_is_explained() {
        let text = after();
        for code in ExitCode::ALL {
            assert!(text.contains(&format!("{:>3}  {}", code.code(), code.meaning())), "{code:?}");
        }
    }
}
