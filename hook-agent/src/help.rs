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

/// What `sidecar` does.
pub const SIDECAR: &str = "\
In a container of its own: watches over what this pod holds still, and lets go when the pod's other containers cannot.

A file system stays frozen when the container that froze it is killed, for the node and for every later container. The
resident is the one who is left: it thaws at once when a keeper in another container is killed, and three seconds after
the hold's limit whatever hangs. On SIGTERM everything that this pod holds is let go. At its start it sweeps: what a dead
attempt left frozen on the claims is thawed. With a resident, and only then, the hooks freeze without
--fsfreeze-without-resident.

It also stands by in the pod's Lease for the mode `lead`, with the same rights and names as the hooks: when a round calls the
pod, it holds still by its QUIESCE, before any hook comes, and lets go at the group's last cut, at post, or at --quiesce-max.

Run it as an ordinary container (Velero cannot exec into native sidecars), as the same user as the hooks, with the claims
mounted at the same paths, CAP_SYS_ADMIN, and the same QUIESCE (or podinfo folder). /dev/shm is shared by the containers of
a pod; a --state-dir must be a volume that both mount. Velero's hooks may exec into this container instead of the
workload's; programs of `exec` and `session` steps must then be in this container's image.

  readinessProbe: {exec: {command: [/hook-agent, ready]}}      a pod that is not ready leaves its Services";

/// What `install` does.
pub const INSTALL: &str = "\
In an init container: copies this program to DIR/hook-agent, whole or not at all, and sweeps the pod's claims: what a dead
attempt left frozen on this node is thawed before the workload starts and hangs at its first write.

To sweep it needs the same QUIESCE (or podinfo folder) as the hooks, the claims mounted at the same paths, and
CAP_SYS_ADMIN. It leaves a mark in the state folder, which is one of two things that freezing asks for (the other is
a running `hook-agent sidecar`, which sweeps at its own start too). When a listed claim cannot be swept it fails with
code 18, and the pod does not start: a workload on a frozen file system would hang and could not be killed.";

/// What `ready` does.
pub const READY: &str = "\
Asks the resident (`hook-agent sidecar`) whether it could hold the pod still now, without doing it: whether it swept, the
claims are there and pass every guard, the programs of the plan can be started. Exit code 0: yes; 21: no, and why.
As an exec probe of the sidecar's container it needs no port.";

/// What `inject` does.
pub const INJECT: &str = "\
Puts into the pod templates of manifests what Velero's hooks need to run this program, and prints the manifests:

  hook-agent inject -f db.yaml --image registry.example.com/backup/hook-agent:0.1.0 | kubectl apply -f -

Only what is needed is inserted: comments, order, quotes and line ends stay, and so does every document without a workload.
What is in already is written anew, so that doing it twice is the same as once; with --remove it is taken out again, and
what remains is the text from before. Nothing is read but the manifests, and no cluster is asked.

It is inserted: a volume `hook-agent` with the program and the init container `hook-agent-install` that fills it
(--how init-container), or the volume alone, of the image itself (--how image-volume), or a container `hook-agent`
(--how sidecar); a volume `hook-agent-podinfo` with the pod's labels and annotations at /etc/podinfo; a token where the pod
mounts none; and the annotations of Velero's hooks. A Schedule's own hooks are left out for pods that have these.

Exit codes of --diff: 0 nothing would change, 2 something would, 1 flags or manifests are at fault.";

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
