//! What would the controllers make of a workload that somebody applied? For a kubelet that schedules pods itself.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::create::{self, ClusterError, ensure};
use super::objects;
use super::workload::{Made, MadePod};
use crate::velero::object_name::ObjectName;

/// Makes the claims, volumes and pods of a `StatefulSet`; returns when all pods are Ready.
pub async fn roll_out(client: &Client, set: &ObjectName) -> Result<Made, ClusterError> {
    let sets: Api<StatefulSet> = Api::namespaced(client.clone(), &set.namespace);
    let object = as_json("StatefulSet", set, sets.get(&set.name).await)?;
    let replicas = object["spec"]["replicas"].as_u64().unwrap_or(1);
    let mut made = Made { pods: Vec::new() };
    for ordinal in 0..replicas {
        made.pods.push(member(client, set, &object, ordinal).await?);
    }
    Ok(made)
}

async fn member(client: &Client, set: &ObjectName, object: &Value, ordinal: u64) -> Result<MadePod, ClusterError> {
    let name = ObjectName::new(&set.namespace, format!("{}-{ordinal}", set.name));
    let mut pod = from_template(object, &name);
    pod["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"] = json!(name.name);
    pod["metadata"]["labels"]["apps.kubernetes.io/pod-index"] = json!(ordinal.to_string());
    let mut claims = Vec::new();
    for template in object["spec"]["volumeClaimTemplates"].as_array().into_iter().flatten() {
        let volume = template["metadata"]["name"].as_str().unwrap_or_default();
        let claim = ObjectName::new(&set.namespace, format!("{volume}-{}", name.name));
        bind(client, &claim, template).await?;
        if pod["spec"]["volumes"].is_null() {
            pod["spec"]["volumes"] = json!([]);
        }
        let volumes = pod["spec"]["volumes"].as_array_mut().into_iter();
        volumes.for_each(|all| all.push(json!({"name": volume, "persistentVolumeClaim": {"claimName": claim.name}})));
        claims.push(claim);
    }
    let uid = start(client, &name, pod).await?;
    Ok(MadePod { name, uid, claims })
}

/// Makes one pod of a `Deployment`, of this name; returns when it is Ready.
pub async fn replica(client: &Client, deployment: &ObjectName, pod: &str) -> Result<MadePod, ClusterError> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), &deployment.namespace);
    let object = as_json("Deployment", deployment, deployments.get(&deployment.name).await)?;
    let name = ObjectName::new(&deployment.namespace, pod);
    let uid = start(client, &name, from_template(&object, &name)).await?;
    Ok(MadePod { name, uid, claims: Vec::new() })
}

/// Its pod, as far as the template says.
fn from_template(owner: &Value, name: &ObjectName) -> Value {
    let mut pod = owner["spec"]["template"].clone();
    pod["apiVersion"] = json!("v1");
    pod["kind"] = json!("Pod");
    pod["metadata"]["name"] = json!(name.name);
    pod["metadata"]["namespace"] = json!(name.namespace);
    pod["metadata"]["ownerReferences"] = json!([objects::owner_reference(owner)]);
    pod
}

/// A claim by its template, bound to a volume of EBS.
async fn bind(client: &Client, claim: &ObjectName, template: &Value) -> Result<(), ClusterError> {
    let mut object = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": template["metadata"], "spec": template["spec"]});
    object["metadata"]["name"] = json!(claim.name);
    object["metadata"]["namespace"] = json!(claim.namespace);
    object["spec"]["volumeName"] = json!(objects::volume_name(&claim.namespace, &claim.name));
    object["spec"]["storageClassName"] = json!(super::STORAGE_CLASS);
    create::bind(client, &claim.namespace, object).await
}

/// Its uid, when it is Ready.
async fn start(client: &Client, name: &ObjectName, pod: Value) -> Result<String, ClusterError> {
    let pod = ensure(client, pod).await?;
    create::wait_until_ready(client, name).await?;
    Ok(pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned())
}

fn as_json<K: serde::Serialize>(
    kind: &str,
    name: &ObjectName,
    got: Result<K, kube::Error>,
) -> Result<Value, ClusterError> {
    // Typed objects do not say of what kind they are, and an owner reference must.
    let typed = |mut object: Value| {
        object["apiVersion"] = json!("apps/v1");
        object["kind"] = json!(kind);
        object
    };
    got.and_then(|object| serde_json::to_value(object).map(typed).map_err(kube::Error::SerdeError))
        .map_err(|source| ClusterError::Object { kind: kind.to_owned(), name: name.to_string(), source })
}
