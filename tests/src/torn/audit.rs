//! What is wrong with a restore? Servers are started over the cuts, what was under way is delivered, and everything is summed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::TornError;
use super::application::WORKERS;
use super::disks::{folder, restore};
use super::ledger::ACCOUNT_BEGINS_WITH;
use super::postgres::Server;

/// What an auditor finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// The total that there always was.
    pub total: i64,
    /// The total after the restore.
    pub restored: i64,
    /// Transfers that arrived and were never paid.
    pub from_nowhere: usize,
    /// Transfers that were paid and had not arrived: they were delivered after the restore.
    pub delivered: usize,
    /// Servers whose own books are not in order.
    pub disordered: usize,
}

impl Audit {
    /// Whether the restore is from one moment.
    pub fn adds_up(&self) -> bool {
        self.restored == self.total && self.from_nowhere == 0
    }

    /// Restores the cuts below a folder and looks.
    pub fn of(programs: &Path, cuts: &[PathBuf], total: i64, place: &Path) -> Result<Self, TornError> {
        folder(place)?;
        let disks = cuts.iter().enumerate().map(|(n, cut)| restore(cut, place.join(n.to_string())));
        let disks = disks.collect::<Result<Vec<_>, _>>()?;
        let servers = disks.iter().map(|disk| Server::over(programs, disk.path())).collect::<Result<Vec<_>, _>>()?;
        let (mut sent, mut received) = (BTreeMap::new(), BTreeMap::new());
        let mut disordered = 0;
        for server in &servers {
            let (out, arrived) = (transfers(server, "sent")?, transfers(server, "received")?);
            let begun_with = i64::try_from(WORKERS).unwrap_or(i64::MAX) * ACCOUNT_BEGINS_WITH;
            let by_books = begun_with - out.values().sum::<i64>() + arrived.values().sum::<i64>();
            disordered += usize::from(balance(server)? != by_books);
            sent.extend(out);
            received.extend(arrived);
        }
        let from_nowhere = received.keys().filter(|id| !sent.contains_key(id)).count();
        let under_way: Vec<(&u64, &i64)> = sent.iter().filter(|(id, _)| !received.contains_key(id)).collect();
        // What the application does when it comes up: whom it delivers to does not change the total.
        for (id, amount) in &under_way {
            let deliver = format!(
                "UPDATE account SET balance = balance + {amount} WHERE id = 1; INSERT INTO received VALUES ({id}, {amount})"
            );
            servers[0].ask(&deliver)?;
        }
        let restored = servers.iter().map(balance).sum::<Result<i64, _>>()?;
        Ok(Self { total, restored, from_nowhere, delivered: under_way.len(), disordered })
    }
}

fn balance(server: &Server) -> Result<i64, TornError> {
    let said = server.ask("SELECT sum(balance) FROM account")?;
    number(&said, server)
}

fn transfers(server: &Server, table: &str) -> Result<BTreeMap<u64, i64>, TornError> {
    let said = server.ask(&format!("SELECT id, amount FROM {table}"))?;
    said.lines()
        .map(|line| {
            let (id, amount) = line.split_once('|').unwrap_or((line, ""));
            Ok((number(id, server)?, number(amount, server)?))
        })
        .collect()
}

fn number<N: std::str::FromStr>(said: &str, server: &Server) -> Result<N, TornError> {
    let wrong = || TornError::Server { folder: server.folder(), why: format!("{said:?} is no number") };
    said.trim().parse().map_err(|_| wrong())
}
