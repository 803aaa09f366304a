//! The requests that the agent makes: one Lease written, one read, one watched, one own Pod read. Nothing else, ever.

use std::time::Duration;

use http::HeaderValue;
use http::header::CONTENT_TYPE;
use hyper::body::Incoming;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::Request;
use kube::core::params::{GetParams, Patch, PatchParams, WatchParams};
use kube::core::request::Error as RequestError;
use serde::Deserialize;
use shared::identity::{LeaseName, Namespace, PodName};
use shared::names::FIELD_MANAGER_AGENT;

use crate::call::{CallError, ask, stream};
use crate::client::Client;

/// The Leases of one namespace, and this pod in it.
#[derive(Clone)]
pub struct Leases {
    client: Client,
    namespace: Namespace,
}

/// An object of which only the metadata is read.
#[derive(Deserialize)]
struct Head {
    metadata: ObjectMeta,
}

impl Leases {
    /// The Leases of `namespace`.
    pub fn new(client: Client, namespace: Namespace) -> Self {
        Self { client, namespace }
    }

    /// Creates or overwrites a Lease in one request (server-side apply, forced). A resourceVersion in it is a precondition:
    /// another one in the store gives [`CallError::Conflict`].
    pub async fn apply(&self, name: &LeaseName, lease: &Lease, limit: Duration) -> Result<Lease, CallError> {
        let how = PatchParams::apply(FIELD_MANAGER_AGENT).force();
        let request = self.leases().patch(name.as_str(), &how, &Patch::Apply(lease)).map_err(unmade)?;
        ask(&self.client, request, limit).await
    }

    /// Changes the named fields of a Lease that exists, and nothing else (JSON merge patch).
    pub async fn merge(
        &self,
        name: &LeaseName,
        patch: &serde_json::Value,
        limit: Duration,
    ) -> Result<Lease, CallError> {
        let how = PatchParams { field_manager: Some(FIELD_MANAGER_AGENT.to_owned()), ..PatchParams::default() };
        let request = self.leases().patch(name.as_str(), &how, &Patch::Merge(patch)).map_err(unmade)?;
        ask(&self.client, request, limit).await
    }

    /// Changes a Lease by the steps of a JSON patch (RFC 6902): all of them, or none where one of its tests fails, which is
    /// [`CallError::Refused`] with 422.
    pub async fn change(
        &self,
        name: &LeaseName,
        steps: &serde_json::Value,
        limit: Duration,
    ) -> Result<Lease, CallError> {
        let how = PatchParams { field_manager: Some(FIELD_MANAGER_AGENT.to_owned()), ..PatchParams::default() };
        let mut request = self.leases().patch(name.as_str(), &how, &Patch::Merge(steps)).map_err(unmade)?;
        // kube's own variant would bring a library that edits documents, for a body that is written here.
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json-patch+json"));
        ask(&self.client, request, limit).await
    }

    /// Reads one Lease.
    pub async fn get(&self, name: &LeaseName, limit: Duration) -> Result<Lease, CallError> {
        let request = self.leases().get(name.as_str(), &GetParams::default()).map_err(unmade)?;
        ask(&self.client, request, limit).await
    }

    /// Watches one Lease for `watch_s` seconds. Without a resourceVersion the server first sends the object as it is now,
    /// so that no list or get is needed.
    pub async fn watch(&self, name: &LeaseName, watch_s: u32, limit: Duration) -> Result<Incoming, CallError> {
        let what = WatchParams::default().fields(&format!("metadata.name={name}")).timeout(watch_s);
        let request = self.leases().watch(&what, "").map_err(unmade)?;
        stream(&self.client, request, limit).await
    }

    /// Reads the metadata of one Pod.
    pub async fn pod(&self, name: &PodName, limit: Duration) -> Result<ObjectMeta, CallError> {
        let pods = Request::new(<Pod as kube::Resource>::url_path(&(), Some(self.namespace.as_str())));
        let request = pods.get(name.as_str(), &GetParams::default()).map_err(unmade)?;
        let head: Head = ask(&self.client, request, limit).await?;
        Ok(head.metadata)
    }

    fn leases(&self) -> Request {
        Request::new(<Lease as kube::Resource>::url_path(&(), Some(self.namespace.as_str())))
    }
}

fn unmade(source: RequestError) -> CallError {
    CallError::Unusable { source: Box::new(source) }
}
