//! Creating, reading and replacing whole objects.

use super::cluster::{BACKUPS, CONFIG_MAPS, Cluster, LEASES, PODS, SNAPSHOTS};
use super::compare::{ABSENT, PRESENT, same};
use super::samples::{backup, config_map, lease, pod, snapshot};
use anyhow::{Context, Result, ensure};
use futures::future::join_all;
use serde_json::{Value, json};

pub async fn create_fills_in_the_metadata(c: Cluster) -> Result<()> {
    let path = format!("{}?fieldManager=tester", c.all(LEASES));
    let created = c.post(&path, &lease("a")).await?.is(
        201,
        json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": "a", "namespace": c.namespace, "uid": PRESENT, "resourceVersion": PRESENT,
                "creationTimestamp": PRESENT, "generation": ABSENT, "deletionTimestamp": ABSENT,
                "managedFields": [{"manager": "tester", "operation": "Update", "apiVersion": "coordination.k8s.io/v1",
                                   "fieldsType": "FieldsV1", "time": PRESENT}],
            },
            "spec": {"holderIdentity": "someone", "leaseDurationSeconds": 30},
        }),
    )?;
    let read = c.get(&c.one(LEASES, "a")).await?.is(200, json!({}))?;
    same("what is read back", read, created)
}

pub async fn create_counts_generations_where_there_is_a_status(c: Cluster) -> Result<()> {
    let generation = |object: &Value| object["metadata"]["generation"].as_i64();
    same("of a Backup", generation(&c.create(BACKUPS, &backup("a")).await?), Some(1))?;
    same("of a VolumeSnapshot", generation(&c.create(SNAPSHOTS, &snapshot("a")).await?), Some(1))?;
    same("of a ConfigMap", generation(&c.create(CONFIG_MAPS, &config_map("a")).await?), None)
}

pub async fn create_twice_is_refused(c: Cluster) -> Result<()> {
    c.create(LEASES, &lease("a")).await?;
    c.post(&c.all(LEASES), &lease("a")).await?.refused(
        409,
        "AlreadyExists",
        json!({
            "message": "leases.coordination.k8s.io \"a\" already exists",
            "details": {"name": "a", "group": "coordination.k8s.io", "kind": "leases"},
        }),
    )?;
    c.create(PODS, &pod("a")).await?;
    let again = c.post(&c.all(PODS), &pod("a")).await?;
    // The core group has no name to say.
    again.refused(
        409,
        "AlreadyExists",
        json!({
            "message": "pods \"a\" already exists", "details": {"name": "a", "group": ABSENT, "kind": "pods"},
        }),
    )?;
    Ok(())
}

pub async fn what_is_absent_is_not_found(c: Cluster) -> Result<()> {
    let details = json!({"name": "a", "group": "coordination.k8s.io", "kind": "leases"});
    let wanted = json!({"message": "leases.coordination.k8s.io \"a\" not found", "details": details});
    let path = c.one(LEASES, "a");
    c.get(&path).await?.refused(404, "NotFound", wanted.clone())?;
    c.delete(&path, json!({})).await?.refused(404, "NotFound", wanted.clone())?;
    c.patch(&path, super::cluster::MERGE, &json!({"spec": {}})).await?.refused(404, "NotFound", wanted)?;
    let message = json!({"message": "backups.velero.io \"a\" not found"});
    c.get(&c.one(BACKUPS, "a")).await?.refused(404, "NotFound", message)?;
    Ok(())
}

pub async fn a_kind_that_nobody_serves_is_not_found(c: Cluster) -> Result<()> {
    for path in ["/apis/nobody.example/v1/things", "/apis/velero.io/v1/things", "/api/v1/things", "/nothing"] {
        let answer = c.get(path).await?;
        same(path, answer.code, 404)?;
    }
    Ok(())
}

pub async fn generate_name_appends_five_characters(c: Cluster) -> Result<()> {
    let mut object = config_map("");
    object["metadata"] = json!({"generateName": "velero-data-"});
    let (one, other) = (c.create(CONFIG_MAPS, &object).await?, c.create(CONFIG_MAPS, &object).await?);
    for created in [&one, &other] {
        let name = created["metadata"]["name"].as_str().context("no name")?;
        let random = name.strip_prefix("velero-data-").context("no prefix")?;
        ensure!(random.len() == 5 && random.chars().all(|c| c.is_ascii_alphanumeric()), "{name}");
        same("generateName", &created["metadata"]["generateName"], &json!("velero-data-"))?;
    }
    ensure!(one["metadata"]["name"] != other["metadata"]["name"], "twice the same name");
    Ok(())
}

pub async fn a_name_is_required(c: Cluster) -> Result<()> {
    let mut object = lease("a");
    object["metadata"] = json!({});
    let answer = c.post(&c.all(LEASES), &object).await?;
    answer.refused_saying(422, "Invalid", "name or generateName is required")
}

pub async fn create_refuses_a_resource_version(c: Cluster) -> Result<()> {
    let mut object = lease("a");
    object["metadata"]["resourceVersion"] = json!("5");
    let answer = c.post(&c.all(LEASES), &object).await?;
    let message = "resourceVersion should not be set on objects to be created";
    answer.is(500, json!({"kind": "Status", "status": "Failure", "code": 500, "message": message}))?;
    Ok(())
}

pub async fn create_needs_the_namespace(c: Cluster) -> Result<()> {
    let namespace = c.unique("absent");
    let path = format!("{}/namespaces/{namespace}/leases", LEASES.root);
    let wanted = json!({
        "message": format!("namespaces \"{namespace}\" not found"),
        "details": {"name": namespace, "kind": "namespaces"},
    });
    c.post(&path, &lease("a")).await?.refused(404, "NotFound", wanted)?;
    // Reading there is no error: there is nothing.
    c.get(&path).await?.is(200, json!({"items": []}))?;
    Ok(())
}

pub async fn the_body_must_agree_with_the_path(c: Cluster) -> Result<()> {
    let mut elsewhere = lease("a");
    elsewhere["metadata"]["namespace"] = json!("default");
    c.post(&c.all(LEASES), &elsewhere).await?.refused_saying(400, "BadRequest", "namespace")?;
    c.create(LEASES, &lease("a")).await?;
    c.put(&c.one(LEASES, "a"), &lease("b")).await?.refused_saying(
        400,
        "BadRequest",
        "does not match the name on the URL",
    )?;
    c.post(&c.all(LEASES), &config_map("a")).await?.refused(400, "BadRequest", json!({}))?;
    c.post(&c.all(BACKUPS), &snapshot("a")).await?.refused(400, "BadRequest", json!({}))?;
    Ok(())
}

pub async fn a_body_that_is_no_json_is_refused(c: Cluster) -> Result<()> {
    for path in [c.all(LEASES), c.all(BACKUPS)] {
        let body = Some(("application/json", b"{\"metadata\":".to_vec()));
        c.send(axum::http::Method::POST, &path, body).await?.refused(400, "BadRequest", json!({}))?;
    }
    Ok(())
}

pub async fn replace_needs_the_current_version(c: Cluster) -> Result<()> {
    for (kind, object, what) in [
        (LEASES, lease("a"), "leases.coordination.k8s.io \"a\""),
        (BACKUPS, backup("a"), "backups.velero.io \"a\""),
        (CONFIG_MAPS, config_map("a"), "configmaps \"a\""),
    ] {
        let first = c.create(kind, &object).await?;
        let path = c.one(kind, "a");
        let mut next = first.clone();
        next["metadata"]["labels"] = json!({"turn": "1"});
        let second = c.put(&path, &next).await?.is(
            200,
            json!({"metadata": {
                "labels": {"turn": "1"}, "uid": first["metadata"]["uid"],
                "creationTimestamp": first["metadata"]["creationTimestamp"],
            }}),
        )?;
        ensure!(second["metadata"]["resourceVersion"] != first["metadata"]["resourceVersion"], "no new version");
        let message = format!(
            "Operation cannot be fulfilled on {what}: the object has been modified; please apply your changes to the \
             latest version and try again"
        );
        let wanted = json!({"message": message, "details": {"name": "a", "kind": kind.plural}});
        c.put(&path, &next).await?.refused(409, "Conflict", wanted)?;
        same("after the refusal", c.get(&path).await?.ok()?, second)?;
    }
    Ok(())
}

pub async fn replace_without_version_depends_on_the_kind(c: Cluster) -> Result<()> {
    c.create(LEASES, &lease("a")).await?;
    c.create(BACKUPS, &backup("a")).await?;
    c.create(CONFIG_MAPS, &config_map("a")).await?;
    let must = "metadata.resourceVersion: Invalid value: 0: must be specified for an update";
    c.put(&c.one(LEASES, "a"), &lease("a")).await?.refused_saying(422, "Invalid", must)?;
    c.put(&c.one(BACKUPS, "a"), &backup("a")).await?.refused_saying(422, "Invalid", must)?;
    c.put(&c.one(CONFIG_MAPS, "a"), &config_map("a")).await?.is(200, json!({}))?;
    Ok(())
}

pub async fn replace_of_what_is_absent(c: Cluster) -> Result<()> {
    // A Lease may be created by PUT, one of the few kinds that allow it.
    c.put(&c.one(LEASES, "a"), &lease("a")).await?.is(201, json!({"metadata": {"uid": PRESENT}}))?;
    c.put(&c.one(BACKUPS, "a"), &backup("a")).await?.refused(404, "NotFound", json!({}))?;
    c.put(&c.one(CONFIG_MAPS, "a"), &config_map("a")).await?.refused(404, "NotFound", json!({}))?;
    Ok(())
}

pub async fn a_deleted_lease_comes_back_unless_the_uid_is_sent(c: Cluster) -> Result<()> {
    let path = c.one(LEASES, "a");
    let known = c.create(LEASES, &lease("a")).await?;
    c.delete(&path, json!({})).await?.ok()?;
    let wanted = json!({"details": {"name": "a", "group": "coordination.k8s.io", "kind": "leases"}});
    c.put(&path, &known).await?.refused(409, "Conflict", wanted)?;
    // The version alone is no compare-and-swap against deletion: it is not looked at where there is nothing.
    let mut without = known.clone();
    without["metadata"]["uid"] = Value::Null;
    let back = c.put(&path, &without).await?.is(201, json!({"metadata": {"uid": PRESENT}}))?;
    ensure!(back["metadata"]["uid"] != known["metadata"]["uid"], "the same uid twice");
    Ok(())
}

pub async fn replace_of_another_uid_is_a_conflict(c: Cluster) -> Result<()> {
    let mut object = c.create(CONFIG_MAPS, &config_map("a")).await?;
    object["metadata"]["uid"] = json!("00000000-0000-0000-0000-000000000000");
    object["metadata"]["resourceVersion"] = Value::Null;
    c.put(&c.one(CONFIG_MAPS, "a"), &object).await?.refused_saying(409, "Conflict", "Precondition failed: UID")
}

pub async fn replace_with_the_same_changes_nothing(c: Cluster) -> Result<()> {
    for (kind, object) in [(LEASES, lease("a")), (BACKUPS, backup("a"))] {
        let first = c.create(kind, &object).await?;
        let again = c.put(&c.one(kind, "a"), &first).await?.ok()?;
        same("version", &again["metadata"]["resourceVersion"], &first["metadata"]["resourceVersion"])?;
    }
    Ok(())
}

pub async fn of_many_replacements_of_one_version_one_wins(c: Cluster) -> Result<()> {
    const WRITERS: usize = 20;
    let first = c.create(LEASES, &lease("a")).await?;
    let path = c.one(LEASES, "a");
    let writes = (0..WRITERS).map(|writer| {
        let mut object = first.clone();
        object["spec"]["holderIdentity"] = json!(format!("writer-{writer}"));
        let (c, path) = (&c, &path);
        async move { c.put(path, &object).await.map(|answer| answer.code) }
    });
    let codes: Vec<u16> = join_all(writes).await.into_iter().collect::<Result<_>>()?;
    same("winners", codes.iter().filter(|code| **code == 200).count(), 1)?;
    same("losers", codes.iter().filter(|code| **code == 409).count(), WRITERS - 1)
}

pub async fn dry_run_leaves_nothing(c: Cluster) -> Result<()> {
    let path = format!("{}?dryRun=All", c.all(LEASES));
    c.post(&path, &lease("a")).await?.is(201, json!({"metadata": {"name": "a", "uid": PRESENT}}))?;
    c.get(&c.one(LEASES, "a")).await?.refused(404, "NotFound", json!({}))?;
    let first = c.create(LEASES, &lease("b")).await?;
    let path = format!("{}?dryRun=All", c.one(LEASES, "b"));
    let patch = json!({"spec": {"holderIdentity": "other"}});
    c.patch(&path, super::cluster::MERGE, &patch).await?.is(200, json!({"spec": {"holderIdentity": "other"}}))?;
    // DeleteOptions in the body make the server look there alone.
    c.delete(&c.one(LEASES, "b"), json!({"dryRun": ["All"]})).await?.is(200, json!({}))?;
    same("after dry runs", c.get(&c.one(LEASES, "b")).await?.ok()?, first)
}
