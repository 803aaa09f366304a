//! The two processes of a control plane: started in order, watched while they start, ended together.

use super::arguments::{self, Ports};
use super::binaries::Binaries;
use super::keys::Keys;
use super::watchdog::Watchdog;
use std::ffi::OsString;
use std::io::{Read, Seek, SeekFrom};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// How much of a log an error quotes: the last words say why a program gave up.
const LOG_TAIL_BYTES: i64 = 2000;

/// Why a process is not there.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// No loopback port to be had.
    #[error("cannot reserve a loopback port")]
    Port(#[source] std::io::Error),
    /// The program or its log could not be opened.
    #[error("cannot start {}", program.display())]
    Spawn {
        /// Which program.
        program: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It started, and ended by itself.
    #[error("{name} ended with {status}; the end of {}:\n{tail}", log.display())]
    Ended {
        /// Which program.
        name: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// Where all of its words are.
        log: PathBuf,
        /// The last of them.
        tail: String,
    },
}

impl ProcessError {
    /// Whether another process took a port between its reservation and the start; other ports may do.
    pub fn is_port_taken(&self) -> bool {
        matches!(self, Self::Ended { tail, .. } if tail.contains("address already in use"))
    }
}

/// etcd and kube-apiserver, running until this is dropped or this process ends.
#[derive(Debug)]
pub struct Processes {
    programs: Vec<Program>,
    /// Last: it removes the folder, when the programs in it have ended.
    watchdog: Watchdog,
}

#[derive(Debug)]
struct Program {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

/// Three ports that were free a moment ago. Held together while they are picked, so that they differ.
pub fn free_ports() -> Result<Ports, ProcessError> {
    let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(ProcessError::Port);
    let listeners = [listen()?, listen()?, listen()?];
    let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port());
    Ok(Ports {
        etcd_client: port(&listeners[0]).map_err(ProcessError::Port)?,
        etcd_peer: port(&listeners[1]).map_err(ProcessError::Port)?,
        api: port(&listeners[2]).map_err(ProcessError::Port)?,
    })
}

/// Starts both; the API server waits for etcd by itself. `folder` is for their files and is removed at the end, `logs` stays.
pub fn start(
    binaries: &Binaries,
    ports: Ports,
    keys: &Keys,
    folder: &Path,
    logs: &Path,
) -> Result<Processes, ProcessError> {
    let Binaries { kube_apiserver, etcd } = binaries;
    let watchdog =
        Watchdog::start(folder).map_err(|source| ProcessError::Spawn { program: PathBuf::from("sh"), source })?;
    let mut processes = Processes { programs: Vec::new(), watchdog };
    processes.add("etcd", etcd, arguments::etcd(ports, &folder.join("etcd")), logs)?;
    processes.add("kube-apiserver", kube_apiserver, arguments::kube_apiserver(ports, keys, folder), logs)?;
    Ok(processes)
}

impl Processes {
    fn add(
        &mut self,
        name: &'static str,
        program: &Path,
        arguments: Vec<OsString>,
        logs: &Path,
    ) -> Result<(), ProcessError> {
        let log = logs.join(format!("{name}.log"));
        let spawned = std::fs::File::create(&log).and_then(|file| {
            Command::new(program)
                .args(arguments)
                .stdin(Stdio::null())
                .stdout(file.try_clone()?)
                .stderr(file)
                // Proxies and cloud settings of the user's shell are nothing to it.
                .env_clear()
                .process_group(0)
                .spawn()
        });
        let spawn_error = |source| ProcessError::Spawn { program: program.to_owned(), source };
        let child = spawned.map_err(spawn_error)?;
        let guarded = self.watchdog.guard(&child, program);
        self.programs.push(Program { name, child, log });
        guarded.map_err(spawn_error)
    }

    /// An error when one of them has ended by itself.
    pub fn check(&mut self) -> Result<(), ProcessError> {
        for Program { name, child, log } in &mut self.programs {
            // A process that cannot be asked about is treated as running; the caller's own bound then says so.
            if let Ok(Some(status)) = child.try_wait() {
                return Err(ProcessError::Ended { name, status, log: log.clone(), tail: tail(log) });
            }
        }
        Ok(())
    }

    /// Process ids by name, for a test that wants to see them end.
    pub fn pids(&self) -> Vec<(&'static str, u32)> {
        self.programs.iter().map(|program| (program.name, program.child.id())).collect()
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for Program { child, .. } in &mut self.programs {
            // Not asked politely: nothing that they store is wanted again, and the API server takes its time.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn tail(log: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = std::fs::File::open(log)?;
        let length = i64::try_from(file.metadata()?.len()).unwrap_or(i64::MAX);
        file.seek(SeekFrom::End(-length.min(LOG_TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_else(|error| format!("(unreadable: {error})"))
}
