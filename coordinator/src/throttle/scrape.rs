//! Scrapes the EBS CSI driver's counters, every ten seconds.

use std::time::Duration;

use coordinator_core::throttle::exposition::parse;
use coordinator_core::throttle::signals::Signal;
use kube::Client;
use tokio::time::sleep;

use super::fetch::Fetcher;
use super::targets::{Finder, Found, Targets};
use super::{Leading, tell, until_leading};
use crate::input::Inbox;

/// Between two scrapes. The driver answers 5 a second at most; two in a calm period are what the limiter counts on.
const EVERY: Duration = Duration::from_secs(10);

/// Scrapes.
pub struct Scraper {
    finder: Finder,
    fetcher: Fetcher,
    inbox: Inbox,
}

impl Scraper {
    /// One that tells `inbox`.
    pub fn new(client: Client, targets: Targets, inbox: Inbox) -> Self {
        Self { finder: Finder::new(client, targets), fetcher: Fetcher::new(), inbox }
    }

    /// Scrapes while this process leads, until nobody listens any more.
    pub async fn run(mut self, mut leading: Leading) {
        while until_leading(&mut leading).await && self.scrape().await {
            sleep(EVERY).await;
        }
    }

    async fn scrape(&mut self) -> bool {
        let Found { uris, why_none } = self.finder.find().await.clone();
        let names = uris.iter().map(ToString::to_string).collect();
        if !tell(&self.inbox, Signal::Targets(names, why_none)).await {
            return false;
        }
        for uri in uris {
            let name = uri.to_string();
            let counters = self.fetcher.get(uri).await;
            let counters = counters.and_then(|text| parse(&text).map_err(|why| format!("{name}: {why}")));
            let signal = match counters {
                Ok(counters) => Signal::Scraped(name, counters),
                Err(why) => Signal::ScrapeFailed(name, why),
            };
            if !tell(&self.inbox, signal).await {
                return false;
            }
        }
        true
    }
}
