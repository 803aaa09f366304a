//! How a client comes in: tokens, health, discovery.

use super::cluster::{Cluster, PODS, PodToken};
use super::compare::{PRESENT, same, subset};
use super::samples::pod;
use anyhow::{Context, Result, ensure};
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};

pub async fn an_unknown_token_is_unauthorized(c: Cluster) -> Result<()> {
    let mut content = Kubeconfig::read_from(&c.kubeconfig)?;
    for user in &mut content.auth_infos {
        user.auth_info = Some(AuthInfo { token: Some("nobody's".to_owned().into()), ..AuthInfo::default() });
    }
    let mut config = kube::Config::from_custom_kubeconfig(content, &KubeConfigOptions::default()).await?;
    config.default_retry = false;
    let stranger = Cluster { client: kube::Client::try_from(config)?, ..c };
    for path in ["/api/v1/namespaces/default", "/apis/coordination.k8s.io/v1/leases"] {
        stranger.get(path).await?.refused(401, "Unauthorized", json!({"message": "Unauthorized"}))?;
    }
    Ok(())
}

pub async fn health_and_version_are_answered(c: Cluster) -> Result<()> {
    for path in ["/healthz", "/livez", "/readyz"] {
        let answer = c.get(path).await?;
        same(path, (answer.code, &answer.body), (200, &json!("ok")))?;
    }
    let version = c.get("/version").await?.is(200, json!({"major": "1"}))?;
    let text = version["gitVersion"].as_str().unwrap_or_default();
    ensure!(text.starts_with("v1."), "gitVersion is {text:?}");
    Ok(())
}

/// The entry of one plural in a list of resources.
fn resource<'a>(list: &'a Value, name: &str) -> Result<&'a Value> {
    let resources = list["resources"].as_array().context("no resources")?;
    resources.iter().find(|resource| resource["name"] == name).with_context(|| format!("no {name}"))
}

pub async fn discovery_names_every_kind(c: Cluster) -> Result<()> {
    c.get("/api").await?.is(200, json!({"kind": "APIVersions", "versions": ["v1"]}))?;
    let groups = c.get("/apis").await?.is(200, json!({"kind": "APIGroupList"}))?;
    for (group, plural, kind, namespaced, short) in [
        ("", "pods", "Pod", true, Some("po")),
        ("", "persistentvolumeclaims", "PersistentVolumeClaim", true, Some("pvc")),
        ("", "persistentvolumes", "PersistentVolume", false, Some("pv")),
        ("", "namespaces", "Namespace", false, Some("ns")),
        ("", "nodes", "Node", false, Some("no")),
        ("", "configmaps", "ConfigMap", true, Some("cm")),
        ("", "secrets", "Secret", true, None),
        ("", "services", "Service", true, Some("svc")),
        ("", "serviceaccounts", "ServiceAccount", true, Some("sa")),
        ("", "events", "Event", true, Some("ev")),
        ("events.k8s.io", "events", "Event", true, Some("ev")),
        ("apps", "statefulsets", "StatefulSet", true, Some("sts")),
        ("apps", "deployments", "Deployment", true, Some("deploy")),
        ("apps", "replicasets", "ReplicaSet", true, Some("rs")),
        ("batch", "jobs", "Job", true, None),
        ("batch", "cronjobs", "CronJob", true, Some("cj")),
        ("coordination.k8s.io", "leases", "Lease", true, None),
        ("storage.k8s.io", "storageclasses", "StorageClass", false, Some("sc")),
        ("velero.io", "backups", "Backup", true, None),
        ("velero.io", "schedules", "Schedule", true, None),
        ("velero.io", "backupstoragelocations", "BackupStorageLocation", true, Some("bsl")),
        ("velero.io", "volumesnapshotlocations", "VolumeSnapshotLocation", true, Some("vsl")),
        ("snapshot.storage.k8s.io", "volumesnapshots", "VolumeSnapshot", true, Some("vs")),
        ("snapshot.storage.k8s.io", "volumesnapshotcontents", "VolumeSnapshotContent", false, Some("vsc")),
        ("snapshot.storage.k8s.io", "volumesnapshotclasses", "VolumeSnapshotClass", false, Some("vsclass")),
    ] {
        let (path, version) = if group.is_empty() {
            ("/api/v1".to_owned(), "v1".to_owned())
        } else {
            let listed = groups["groups"].as_array().into_iter().flatten().find(|found| found["name"] == group);
            let preferred = listed.with_context(|| format!("group {group} is not in /apis"))?;
            same(group, &preferred["preferredVersion"]["groupVersion"], &json!(format!("{group}/v1")))?;
            (format!("/apis/{group}/v1"), format!("{group}/v1"))
        };
        let list = c.get(&path).await?.is(200, json!({"kind": "APIResourceList", "groupVersion": version}))?;
        let found = resource(&list, plural)?;
        subset(found, &json!({"kind": kind, "namespaced": namespaced})).with_context(|| plural.to_owned())?;
        let holds = |key: &str, word: &str| found[key].as_array().is_some_and(|list| list.contains(&json!(word)));
        for verb in ["get", "list", "watch", "create", "update", "patch", "delete"] {
            ensure!(holds("verbs", verb), "{plural}: verb {verb} is missing in {found}");
        }
        if let Some(short) = short {
            ensure!(holds("shortNames", short), "{plural}: short name {short} is missing in {found}");
        }
    }
    Ok(())
}

pub async fn discovery_names_status_where_it_is(c: Cluster) -> Result<()> {
    for (path, plural, has_status) in [
        ("/api/v1", "pods", true),
        ("/api/v1", "persistentvolumeclaims", true),
        ("/apis/apps/v1", "statefulsets", true),
        ("/apis/coordination.k8s.io/v1", "leases", false),
        ("/apis/velero.io/v1", "backups", false),
        ("/apis/velero.io/v1", "schedules", false),
        ("/apis/snapshot.storage.k8s.io/v1", "volumesnapshots", true),
        ("/apis/snapshot.storage.k8s.io/v1", "volumesnapshotcontents", true),
        ("/apis/snapshot.storage.k8s.io/v1", "volumesnapshotclasses", false),
    ] {
        let list = c.get(path).await?.ok()?;
        resource(&list, plural)?;
        same(plural, resource(&list, &format!("{plural}/status")).is_ok(), has_status)?;
    }
    Ok(())
}

pub async fn kube_discovers_a_kind_by_its_group(c: Cluster) -> Result<()> {
    let gvk = kube::core::GroupVersionKind::gvk("velero.io", "v1", "Backup");
    let (resource, capabilities) = kube::discovery::pinned_kind(&c.client, &gvk).await?;
    same("plural", resource.plural.as_str(), "backups")?;
    ensure!(capabilities.scope == kube::discovery::Scope::Namespaced, "scope");
    let absent = kube::core::GroupVersionKind::gvk("nobody.example", "v1", "Thing");
    ensure!(kube::discovery::pinned_kind(&c.client, &absent).await.is_err(), "a kind that nobody serves was found");
    Ok(())
}

pub async fn a_pods_token_says_who_it_is(c: Cluster) -> Result<()> {
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "agent"}});
    let account = c.post(&format!("/api/v1/namespaces/{}/serviceaccounts", c.namespace), &account).await?.ok()?;
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": c.unique("node")}});
    let node = c.post("/api/v1/nodes", &node).await?.ok()?;
    let mut pod = pod("db-0");
    pod["spec"]["serviceAccountName"] = json!("agent");
    pod["spec"]["nodeName"] = node["metadata"]["name"].clone();
    let pod = c.create(PODS, &pod).await?;
    let uid = |object: &Value| object["metadata"]["uid"].as_str().map(str::to_owned).context("no uid");
    let token = (c.mint)(PodToken {
        namespace: c.namespace.clone(),
        service_account: "agent".to_owned(),
        pod: "db-0".to_owned(),
        pod_uid: uid(&pod)?,
    });
    let token = token.await?;
    let parts: Vec<&str> = token.split('.').collect();
    same("the parts of the token", parts.len(), 3)?;
    let claims: Value = serde_json::from_slice(&base64_url(parts[1])?)?;
    subset(
        &claims,
        &json!({
            "sub": format!("system:serviceaccount:{}:agent", c.namespace),
            "iss": PRESENT, "exp": PRESENT, "iat": PRESENT, "nbf": PRESENT, "jti": PRESENT, "aud": [PRESENT],
            "kubernetes.io": {
                "namespace": c.namespace,
                "serviceaccount": {"name": "agent", "uid": uid(&account)?},
                "pod": {"name": "db-0", "uid": uid(&pod)?},
                "node": {"name": node["metadata"]["name"], "uid": uid(&node)?},
            },
        }),
    )?;
    let seconds = |claim: &str| claims[claim].as_i64().with_context(|| format!("{claim} is no whole number"));
    ensure!(seconds("nbf")? <= seconds("iat")? && seconds("iat")? < seconds("exp")?, "times out of order: {claims}");
    Ok(())
}

/// Decodes base64 in its URL alphabet, without padding.
fn base64_url(text: &str) -> Result<Vec<u8>> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (mut bytes, mut buffer, mut bits) = (Vec::new(), 0_usize, 0);
    for letter in text.bytes() {
        let value = ALPHABET.iter().position(|known| *known == letter).context("no base64url")?;
        buffer = (buffer << 6 | value) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(buffer >> bits & 0xff)?);
        }
    }
    Ok(bytes)
}
