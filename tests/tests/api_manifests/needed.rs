//! Is each rule needed? One is taken away, the thing that it is for must fail and be said, and it is put back.

use std::collections::BTreeSet;

use k8s_openapi::api::authorization::v1::ResourceAttributes;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, Role};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::Value;
use testbed::coordinator_process::CoordinatorProcess;
use testbed::velero::Velero;

use crate::cluster::{Installed, PATIENCE, SHOP, SHOP_ACCOUNT, SYSTEM, account};
use crate::hooks;
use crate::programs::stop;

/// What fails without a rule.
enum Fails {
    /// The coordinator does not become ready, and names this resource.
    Ready(&'static str),
    /// The coordinator goes on without this resource, and says so.
    Read(&'static str),
    /// No coordinator can lead.
    Lead,
    /// A new pod is not labelled.
    Label,
    /// A waiting hook is not released.
    Release,
    /// A Backup gets no receipt.
    Receipt,
    /// Users are told nothing in Events.
    Event,
    /// A hook ends with this code.
    Hook(i32),
}

/// Every rule of the overlay and of the enrolled namespace: role, index, what it is for.
const RULES: [(&str, usize, Fails); 16] = [
    ("snapshot-coordinator-read-workloads", 0, Fails::Ready("pods")),
    ("snapshot-coordinator-read-workloads", 1, Fails::Ready("statefulsets.apps")),
    ("snapshot-coordinator-read-group-leases", 0, Fails::Ready("leases.coordination.k8s.io")),
    ("snapshot-coordinator-read-volume-snapshots", 0, Fails::Read("volumesnapshots.snapshot.storage.k8s.io")),
    ("snapshot-coordinator-read-backups", 0, Fails::Read("backups.velero.io")),
    ("snapshot-coordinator-read-velero-workers", 0, Fails::Read("deployments.apps")),
    ("snapshot-coordinator-lead-and-budget", 0, Fails::Lead),
    ("snapshot-coordinator-lead-and-budget", 1, Fails::Lead),
    // The admission policy refuses without these two.
    ("snapshot-coordinator-lead-and-budget", 2, Fails::Lead),
    ("snapshot-coordinator-label-pods", 0, Fails::Label),
    ("snapshot-coordinator-write-group-leases", 0, Fails::Release),
    ("snapshot-coordinator-write-group-leases", 1, Fails::Release),
    ("snapshot-coordinator-annotate-backups", 0, Fails::Receipt),
    ("snapshot-coordinator-publish-events", 0, Fails::Event),
    ("hook-agent-register", 0, Fails::Hook(12)),
    ("hook-agent-read-pods", 0, Fails::Hook(14)),
];

/// Goes through [`RULES`]; they must be all that there are.
pub async fn check(installed: &Installed, velero: &Velero) {
    let known = RULES.iter().map(|(role, index, _)| ((*role).to_owned(), *index)).collect::<BTreeSet<_>>();
    assert_eq!(known, all_rules(installed).await, "the table must name every rule");
    for (role, index, fails) in &RULES {
        let taken = take(installed, role, *index).await;
        println!("without rule {index} of {role}");
        fails_without(installed, velero, &format!("{role}-{index}"), fails).await;
        put_back(installed, taken).await;
    }
}

async fn all_rules(installed: &Installed) -> BTreeSet<(String, usize)> {
    let ours = ListParams::default().labels("app.kubernetes.io/part-of=velero-snapshot-groups");
    let roles = Api::<Role>::all(installed.client.clone()).list(&ours).await.expect("roles").items;
    let cluster_roles = Api::<ClusterRole>::all(installed.client.clone()).list(&ours).await.expect("roles").items;
    let roles = roles.into_iter().map(|role| (role.name_any(), role.rules));
    let cluster_roles = cluster_roles.into_iter().map(|role| (role.name_any(), role.rules));
    let count = |(name, rules): (String, Option<Vec<PolicyRule>>)| {
        (0..rules.map_or(0, |rules| rules.len())).map(move |index| (name.clone(), index))
    };
    roles.chain(cluster_roles).flat_map(count).collect()
}

/// A rule that was taken away.
pub struct Taken {
    role: String,
    rules: Vec<PolicyRule>,
    rule: PolicyRule,
}

impl Taken {
    fn is_hooks(&self) -> bool {
        self.role.starts_with("hook-agent")
    }

    fn namespace(&self) -> &'static str {
        if self.is_hooks() { SHOP } else { SYSTEM }
    }

    /// Waits until the authorizer knows.
    async fn until(&self, installed: &Installed, allowed: bool) {
        let PolicyRule { api_groups, resources, verbs, resource_names, .. } = &self.rule;
        let first = |list: &Option<Vec<String>>| list.iter().flatten().next().cloned();
        let user = if self.is_hooks() { account(SHOP, SHOP_ACCOUNT) } else { account(SYSTEM, "snapshot-coordinator") };
        // What is allowed everywhere, or where pods are, is asked for where pods are.
        let cluster_wide = Api::<ClusterRole>::all(installed.client.clone()).get_opt(&self.role).await;
        let namespace = if cluster_wide.expect("an answer").is_some() { SHOP } else { self.namespace() };
        let what = ResourceAttributes {
            namespace: Some(namespace.to_owned()),
            group: first(api_groups),
            resource: first(resources),
            name: first(resource_names),
            verb: verbs.first().cloned(),
            ..ResourceAttributes::default()
        };
        installed.until_allowed(&user, &what, allowed).await;
    }
}

/// Takes a rule away; the authorizer knows.
pub async fn take(installed: &Installed, role: &str, index: usize) -> Taken {
    let mut left = rules(installed, role).await;
    let rules = left.clone();
    let taken = Taken { role: role.to_owned(), rules, rule: left.remove(index) };
    set_rules(installed, &taken, left).await;
    taken.until(installed, false).await;
    taken
}

/// Gives it back; the authorizer knows.
pub async fn put_back(installed: &Installed, taken: Taken) {
    set_rules(installed, &taken, taken.rules.clone()).await;
    taken.until(installed, true).await;
}

async fn rules(installed: &Installed, role: &str) -> Vec<PolicyRule> {
    let client = || installed.client.clone();
    if let Some(found) = Api::<ClusterRole>::all(client()).get_opt(role).await.expect("an answer") {
        return found.rules.unwrap_or_default();
    }
    let namespace = if role.starts_with("hook-agent") { SHOP } else { SYSTEM };
    Api::<Role>::namespaced(client(), namespace).get(role).await.expect(role).rules.unwrap_or_default()
}

async fn set_rules(installed: &Installed, taken: &Taken, rules: Vec<PolicyRule>) {
    let (post, name) = (PostParams::default(), &taken.role);
    let cluster_wide: Api<ClusterRole> = Api::all(installed.client.clone());
    if let Some(mut found) = cluster_wide.get_opt(name).await.expect("an answer") {
        found.rules = Some(rules);
        cluster_wide.replace(name, &post, &found).await.expect("replaced");
        return;
    }
    let in_namespace: Api<Role> = Api::namespaced(installed.client.clone(), taken.namespace());
    let mut found = in_namespace.get(name).await.expect(name);
    found.rules = Some(rules);
    in_namespace.replace(name, &post, &found).await.expect("replaced");
}

async fn fails_without(installed: &Installed, velero: &Velero, case: &str, fails: &Fails) {
    match fails {
        Fails::Ready(resource) => {
            let coordinator = installed.start_coordinator().await;
            forbidden(&coordinator, "api_unusable", resource).await;
            assert_eq!(coordinator.get("/readyz").await.status, 503, "{case}");
            stop(coordinator).await;
        }
        Fails::Read(resource) => {
            let coordinator = installed.coordinator().await;
            forbidden(&coordinator, "kind_absent", resource).await;
            stop(coordinator).await;
        }
        Fails::Lead => {
            // What is there already would not have to be created.
            let leases: Api<Lease> = Api::namespaced(installed.client.clone(), SYSTEM);
            if leases.get_opt("snapshot-coordinator").await.expect("an answer").is_some() {
                leases.delete("snapshot-coordinator", &DeleteParams::default()).await.expect("deleted");
            }
            let coordinator = installed.start_coordinator().await;
            forbidden(&coordinator, "api_unusable", "leases.coordination.k8s.io").await;
            assert_eq!(coordinator.lines_of("synced").len(), 1, "{case}: it read everything");
            assert!(coordinator.lines_of("leading").is_empty(), "{case}");
            stop(coordinator).await;
        }
        Fails::Label => {
            let coordinator = installed.coordinator().await;
            installed.workload("late").await;
            write_fails(&coordinator, "we may not patch pods").await;
            stop(coordinator).await;
        }
        Fails::Release => {
            let coordinator = installed.coordinator().await;
            let hook = installed.pre().await;
            write_fails(&coordinator, "we may not update leases").await;
            drop(hook);
            stop(coordinator).await;
        }
        Fails::Receipt => {
            let coordinator = installed.coordinator().await;
            installed.back_up(velero, "unsigned").await;
            write_fails(&coordinator, "we may not patch backups").await;
            stop(coordinator).await;
        }
        Fails::Event => {
            let coordinator = installed.coordinator().await;
            installed.back_up(velero, "untold").await;
            let of_shop = |line: &Value| line["namespace"] == SHOP && line["code"] == 403;
            coordinator.line("events_refused", PATIENCE, of_shop).await;
            // All else goes on.
            coordinator.line("group_receipt", PATIENCE, |line| line["backup"] == "untold").await;
            stop(coordinator).await;
        }
        Fails::Hook(code) => {
            let ended = hooks::ended(installed.pre().await).await;
            assert_eq!(ended.code, Some(*code), "{case}: {}", ended.said);
            assert!(ended.said.contains("403"), "{case}: {}", ended.said);
        }
    }
}

async fn forbidden(coordinator: &CoordinatorProcess, event_type: &str, resource: &str) {
    coordinator.line(event_type, PATIENCE, |line| line["resource"] == resource && line["code"] == 403).await;
}

async fn write_fails(coordinator: &CoordinatorProcess, part: &str) {
    let says = |line: &Value| line["message"].as_str().is_some_and(|m| m.contains("(403)") && m.contains(part));
    coordinator.line("write_failed", PATIENCE, says).await;
}
