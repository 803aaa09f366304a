//! What the embedded server cannot do, it says it cannot: 501, and nothing happens. On a real one all of this works.

use super::cluster::{Cluster, LEASES, PODS, STATEFUL_SETS};
use super::samples::{lease, pod, stateful_set};
use anyhow::Result;
use axum::http::Method;
use serde_json::json;

pub async fn what_the_fake_cannot_do_is_501(c: Cluster) -> Result<()> {
    c.create(PODS, &pod("a")).await?;
    c.create(STATEFUL_SETS, &stateful_set("a")).await?;
    let pod = c.one(PODS, "a");
    for (method, path) in [
        (Method::POST, format!("{pod}/exec?command=id&stdout=true")),
        (Method::GET, format!("{pod}/log")),
        (Method::POST, format!("{pod}/eviction")),
        (Method::POST, format!("{pod}/attach")),
        (Method::POST, format!("{pod}/portforward")),
        (Method::GET, format!("{}/scale", c.one(STATEFUL_SETS, "a"))),
    ] {
        let body = Some(("application/json", b"{}".to_vec()));
        let answer = c.send(method.clone(), &path, if method == Method::GET { None } else { body }).await?;
        answer.refused(501, "NotImplemented", json!({}))?;
    }
    Ok(())
}

pub async fn formats_it_does_not_speak_are_refused(c: Cluster) -> Result<()> {
    let body = Some(("application/vnd.kubernetes.protobuf", b"k8s\0".to_vec()));
    let answer = c.send(Method::POST, &c.all(LEASES), body).await?;
    anyhow::ensure!(answer.code == 415 || answer.code == 501, "protobuf got {}", answer.code);
    let whole = c.create(LEASES, &lease("a")).await?;
    let patch = Some(("application/apply-patch+cbor", b"\xa0".to_vec()));
    let answer = c.send(Method::PATCH, &format!("{}?fieldManager=x", c.one(LEASES, "a")), patch).await?;
    anyhow::ensure!(answer.code == 415 || answer.code == 501, "CBOR got {}", answer.code);
    super::compare::same("the object", c.get(&c.one(LEASES, "a")).await?.ok()?, whole)
}
