//! What does the application do? Workers move amounts from one server to another, one commit after the other, as fast as a person could not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::TornError;
use super::postgres::Server;
use super::sql::Connection;
use crate::clusters::Dice;

/// Workers, each with an account of its own on every server: they do not wait for each other.
pub const WORKERS: usize = 4;

/// A worker thinks for less than this between two transfers, µs; else two cores would do nothing else.
const THINKING_MAX_US: usize = 8_000;

/// Amounts are below this.
const AMOUNT_MAX: usize = 1_000;

/// An application that runs. It ends when this is dropped: at once where it is not held, with its connections where it is.
#[derive(Debug)]
pub struct Application {
    stop: Arc<AtomicBool>,
    made: Arc<AtomicU64>,
    workers: Vec<JoinHandle<Result<(), TornError>>>,
}

impl Application {
    /// Starts the workers. Transfers are numbered from `seed`, so that several runs over the same servers have numbers of their own.
    pub fn start(servers: &[Server], seed: u64) -> Result<Self, TornError> {
        let (stop, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut workers = Vec::new();
        for account in 1..=WORKERS {
            let connections = servers.iter().map(Connection::open).collect::<Result<Vec<_>, _>>()?;
            let dice = Dice::new(seed ^ (account as u64) << 32);
            let next = (seed * WORKERS as u64 + account as u64) << 32;
            let worker = Worker { account, connections, dice, next };
            let (stop, made) = (Arc::clone(&stop), Arc::clone(&made));
            workers.push(std::thread::spawn(move || worker.work(&stop, &made)));
        }
        Ok(Self { stop, made, workers })
    }

    /// How many transfers are through.
    pub fn transfers(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// Ends it, and says what went wrong, if anything did.
    pub fn end(mut self) -> Result<u64, TornError> {
        self.stop.store(true, Ordering::Relaxed);
        for worker in self.workers.drain(..) {
            worker.join().map_err(|_| TornError::Absent("a worker panicked".to_owned()))??;
        }
        Ok(self.transfers())
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

struct Worker {
    account: usize,
    connections: Vec<Connection>,
    dice: Dice,
    next: u64,
}

impl Worker {
    fn work(mut self, stop: &AtomicBool, made: &AtomicU64) -> Result<(), TornError> {
        while !stop.load(Ordering::Relaxed) {
            self.transfer()?;
            made.fetch_add(1, Ordering::Relaxed);
            let thinking = u64::try_from(self.dice.below(THINKING_MAX_US)).unwrap_or(0);
            std::thread::sleep(Duration::from_micros(thinking));
        }
        Ok(())
    }

    /// A commit where it is paid, then one where it arrives: nothing spans both.
    fn transfer(&mut self) -> Result<(), TornError> {
        let members = self.connections.len();
        let from = self.dice.below(members);
        let to = (from + 1 + self.dice.below(members - 1)) % members;
        let (id, amount, account) = (self.next, 1 + self.dice.below(AMOUNT_MAX), self.account);
        self.next += 1;
        self.connections[from].commit(&format!(
            "UPDATE account SET balance = balance - {amount} WHERE id = {account}; INSERT INTO sent VALUES ({id}, {amount})"
        ))?;
        self.connections[to].commit(&format!(
            "UPDATE account SET balance = balance + {amount} WHERE id = {account}; INSERT INTO received VALUES ({id}, {amount})"
        ))
    }
}
