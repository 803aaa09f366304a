//! A watch as it comes over the wire, event by event.

use super::compare::{same, subset};
use anyhow::{Context, Result, bail};
use axum::http::Request;
use futures::io::{AsyncBufRead, Lines};
use futures::{AsyncBufReadExt, StreamExt};
use kube::Client;
use serde_json::Value;
use std::pin::Pin;
use std::time::Duration;

/// Until an event that must come has come. The real server needs milliseconds; the rest is for a machine that compiles.
const EVENT_TIMEOUT: Duration = Duration::from_secs(15);

/// An open watch.
pub struct Watching {
    lines: Lines<Pin<Box<dyn AsyncBufRead + Send>>>,
}

impl Watching {
    pub(super) async fn start(client: &Client, path: &str) -> Result<Self> {
        let stream = client.request_stream(Request::get(path).body(Vec::new())?).await?;
        let stream: Pin<Box<dyn AsyncBufRead + Send>> = Box::pin(stream);
        Ok(Self { lines: stream.lines() })
    }

    /// The next event: its type and object.
    pub async fn next(&mut self) -> Result<(String, Value)> {
        match self.next_or_end().await? {
            Some(event) => Ok(event),
            None => bail!("the watch ended where an event was due"),
        }
    }

    /// The next event must be of this type and its object hold at least `wanted`; returns the object.
    pub async fn expect(&mut self, kind: &str, wanted: Value) -> Result<Value> {
        let (found, object) = self.next().await?;
        same("the event", (found.as_str(), &object["metadata"]["name"]), (kind, &object["metadata"]["name"]))
            .with_context(|| object.to_string())?;
        subset(&object, &wanted).with_context(|| format!("event {kind}"))?;
        Ok(object)
    }

    /// The watch must end without another event.
    pub async fn expect_end(&mut self) -> Result<()> {
        match self.next_or_end().await? {
            None => Ok(()),
            Some(event) => bail!("an event where the watch should end: {event:?}"),
        }
    }

    /// The next event, or None when the watch ended.
    pub async fn next_or_end(&mut self) -> Result<Option<(String, Value)>> {
        let line = tokio::time::timeout(EVENT_TIMEOUT, self.lines.next()).await.context("no event came")?;
        let Some(line) = line.transpose()? else { return Ok(None) };
        let mut event: Value = serde_json::from_str(&line).with_context(|| format!("no JSON: {line}"))?;
        let kind = event["type"].as_str().with_context(|| format!("no event: {line}"))?.to_owned();
        Ok(Some((kind, event["object"].take())))
    }
}
