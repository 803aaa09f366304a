//! What is the application's state? Accounts on each of several servers, each server on a disk of its own, and a total that never changes.

use std::path::{Path, PathBuf};

use super::application::{Application, WORKERS};
use super::disks::{Disk, Store, folder};
use super::postgres::{self, Server};
use super::{TornError, text};
use crate::programs::done;
use crate::recipes;

/// The namespace of the application.
pub const NAMESPACE: &str = "bank";

/// Its `StatefulSet`.
pub const SET: &str = "ledger";

/// What each account begins with.
pub const ACCOUNT_BEGINS_WITH: i64 = 1_000_000;

/// The recipe that stops writes: what is tried here.
pub const RECIPE: &str = "postgresql-lock";

/// An account a worker, and both sides of each transfer. `account` comes first in each transaction, as the recipe locks by name.
const TABLES: &str = "CREATE TABLE account (id INT PRIMARY KEY, balance BIGINT NOT NULL); \
                      CREATE TABLE sent (id BIGINT PRIMARY KEY, amount BIGINT NOT NULL); \
                      CREATE TABLE received (id BIGINT PRIMARY KEY, amount BIGINT NOT NULL)";

/// The servers. Everything ends when this is dropped: servers first, then disks, then what the disks are on.
#[derive(Debug)]
pub struct Ledger {
    servers: Vec<Server>,
    disks: Vec<Disk>,
    _store: Store,
    programs: PathBuf,
    root: PathBuf,
}

impl Ledger {
    /// Opens one of `members` servers below a folder, whose path must be short: sockets are in it.
    pub fn open(root: &Path, members: usize) -> Result<Self, TornError> {
        let programs = postgres::programs()?;
        folder(root)?;
        let store = Store::make(root.join("disks"))?;
        let disks: Vec<Disk> = (0..members)
            .map(|n| store.disk(&format!("{n}.img"), root.join("claims").join(NAMESPACE).join(claim(n))))
            .collect::<Result<_, _>>()?;
        let empty = root.join("empty");
        postgres::initialise(&programs, &empty)?;
        let servers: Vec<Server> = disks
            .iter()
            .map(|disk| {
                done("cp", ["-a", text(&empty), text(&disk.path().join("pg"))])?;
                // What nobody flushed is not on a disk yet, and a cut would not find it.
                done("sync", ["--file-system", text(disk.path())])?;
                let server = Server::over(&programs, disk.path())?;
                server.ask(TABLES)?;
                server.ask(&format!(
                    "INSERT INTO account SELECT n, {ACCOUNT_BEGINS_WITH} FROM generate_series(1, {WORKERS}) n"
                ))?;
                for user in ["postgresql-user", "postgresql-lock-user"] {
                    server.ask(&recipes::block(user))?;
                }
                Ok(server)
            })
            .collect::<Result<_, TornError>>()?;
        Ok(Self { servers, disks, _store: store, programs, root: root.to_owned() })
    }

    /// Lets the application work on it, from this seed.
    pub fn work(&self, seed: u64) -> Result<Application, TornError> {
        Application::start(&self.servers, seed)
    }

    /// How many servers.
    pub fn members(&self) -> usize {
        self.servers.len()
    }

    /// All money, at any moment.
    pub fn total(&self) -> i64 {
        i64::try_from(self.members() * WORKERS).unwrap_or(i64::MAX) * ACCOUNT_BEGINS_WITH
    }

    /// Each member's claim and the file that its disk is.
    pub fn images(&self) -> Vec<(String, PathBuf)> {
        self.disks.iter().enumerate().map(|(n, disk)| (claim(n), disk.image().to_owned())).collect()
    }

    /// The servers' programs.
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    /// Where pods and claims have their folders, for the stand-in kubelet.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

/// A member's claim.
fn claim(ordinal: usize) -> String {
    format!("data-{SET}-{ordinal}")
}
