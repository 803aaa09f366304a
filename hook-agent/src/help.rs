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
the output of a hook that it timed out.

With --quiesce (or the pod's annotation snapshot-group.velero.io/quiesce, read from the podinfo folder's `annotations`) it
holds the pod still before it returns. The steps run in order and are undone in reverse:

  - sync: [/data]                        writes out what is dirty; nothing is held
  - exec:                                a program that begins the hold and one that ends it, no shell needed
      freeze: [/usr/bin/redis-cli, CONFIG, SET, save, '']
      thaw: [/usr/bin/redis-cli, CONFIG, SET, save, '3600 1']   [] where there is nothing to undo
      timeout: 10s                       for each of the two
  - session:                             a child process that holds as long as it lives: nothing stays held when it dies
      command: [mysql, --batch, --unbuffered, --skip-column-names]
      before: ['FLUSH TABLES WITH READ LOCK;', \"SELECT 'held';\"]
      ready: held                        the line that proves it
      after: [\"SELECT 'still here';\"]
      done: still here                   the line that proves that it held until now
  - fsfreeze: [/data]                    must be last; mount paths of the pod's own claims, ext4 or xfs, CAP_SYS_ADMIN

A process of its own (the keeper) holds it after pre has returned. It lets go when post runs, on SIGTERM, and after
--quiesce-max whatever happens; when it is killed, a second process (its guard) lets go. What an earlier run left held, the
next pre lets go first.";

/// What `post` does.
pub const POST: &str = "\
After the snapshot: lets go and marks the registration as done, so that the budget is free for others.

First of all it lets go of whatever this pod holds, by the keeper or without one, and says what that was and for how long.
When something cannot be let go it exits with code 17 and the keeper goes on trying.

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
