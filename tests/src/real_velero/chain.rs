//! How does a CSI cluster take its snapshots? The real snapshot-controller and csi-snapshotter, and a stand-in for the EBS driver that makes
//! the driver's calls with AWS's own SDK.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;

use super::bed::RealBed;
use super::cluster::REGION;
use super::process::Process;
use super::programs::{self, BUILD_SCRIPT};
use crate::coordinator_process::eventually;
use crate::isolated::{Absent, Variables};

/// What the script's lines begin with; as variables of these names they reach the inside of a test.
const NAMES: [&str; 3] = ["SNAPSHOT_CONTROLLER", "CSI_SNAPSHOTTER", "EBS_DRIVER"];

/// Where each serves its metrics, in the order of [`NAMES`]. Fixed, because the machine is the test's own.
const METRICS: [SocketAddr; 3] = [loopback(3307), loopback(3306), loopback(3301)];

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), port)
}

/// From the start of one to its metrics. Seen: 1 to 2 s; the rest is for a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(90);

/// What the EBS driver's Helm chart gives its csi-snapshotter.
const SNAPSHOTTER_FLAGS: [&str; 6] = [
    "--leader-election=false",
    "--worker-threads=100",
    "--kube-api-qps=20",
    "--kube-api-burst=100",
    "--retry-interval-max=30m",
    "--extra-create-metadata",
];

/// The three programs. They are killed when this is dropped.
#[derive(Debug)]
pub struct SnapshotChain {
    processes: Vec<Process>,
    folder: PathBuf,
}

/// As [`programs::prepare`], with the chain's programs.
///
/// # Errors
/// Where they cannot be had.
pub fn prepare_with_chain() -> Result<Variables, Absent> {
    let mut variables = programs::prepare()?;
    let ran = Command::new(BUILD_SCRIPT).arg("snapshot-chain").stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = ran.map_err(|error| Absent(format!("cannot run {BUILD_SCRIPT}: {error}")))?;
    if !output.status.success() {
        return Err(Absent(format!("{BUILD_SCRIPT} snapshot-chain ended with {}; its output says why", output.status)));
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
    for name in NAMES {
        let path = lines.get(name).ok_or_else(|| Absent(format!("{BUILD_SCRIPT} printed no line {name}=PATH")))?;
        variables.push((name.to_owned(), OsString::from(path)));
    }
    Ok(variables)
}

impl SnapshotChain {
    /// Starts all three, with the driver's calls going to this EC2, and waits until they serve.
    pub async fn start(bed: &RealBed, ec2: &str) -> anyhow::Result<Self> {
        let folder = bed.folder().join("chain");
        std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let mut chain = Self { processes: vec![], folder };
        let socket = chain.folder.join("csi.sock");
        let endpoint = format!("unix://{}", socket.display());
        let [controller, snapshotter, driver] = METRICS.map(|address| format!("--http-endpoint={address}"));
        let kubeconfig = format!("--kubeconfig={}", bed.control_plane.kubeconfig().display());
        let driver_flags = [format!("--endpoint={endpoint}"), driver, "--k8s-tag-cluster-id=testbed".to_owned()];
        chain.run(NAMES[2], METRICS[2], &driver_flags, Some(ec2)).await?;
        eventually("the driver's socket", START_TIMEOUT, || socket.exists().then_some(())).await;
        let flags = [kubeconfig.clone(), format!("--csi-address={endpoint}"), snapshotter];
        let flags: Vec<String> = flags.into_iter().chain(SNAPSHOTTER_FLAGS.map(str::to_owned)).collect();
        chain.run(NAMES[1], METRICS[1], &flags, None).await?;
        chain.run(NAMES[0], METRICS[0], &[kubeconfig, controller], None).await?;
        Ok(chain)
    }

    /// Where their logs are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    async fn run(
        &mut self,
        name: &str,
        metrics: SocketAddr,
        flags: &[String],
        ec2: Option<&str>,
    ) -> anyhow::Result<()> {
        let program = std::env::var_os(name).map(PathBuf::from);
        let program = program.with_context(|| format!("{name} is not set: prepare the test with the chain"))?;
        let mut variables: Vec<(&str, &OsStr)> = vec![("HOME", self.folder.as_os_str())];
        if let Some(ec2) = ec2 {
            let settings = [
                ("AWS_EC2_ENDPOINT", ec2),
                ("AWS_EC2_METADATA_DISABLED", "true"),
                ("AWS_REGION", REGION),
                ("AWS_ACCESS_KEY_ID", "testbed"),
                ("AWS_SECRET_ACCESS_KEY", "testbed"),
            ];
            variables.extend(settings.map(|(name, value)| (name, OsStr::new(value))));
        }
        let log = self.folder.join(format!("{}.log", name.to_lowercase().replace('_', "-")));
        let mut process = Process::start(name, &program, flags, &variables, &log)?;
        let what = format!("{name} serves its metrics");
        let look = || {
            let failed = process.check().err();
            failed.map(Err).or_else(|| TcpStream::connect(metrics).is_ok().then_some(Ok(())))
        };
        eventually(&what, START_TIMEOUT, look).await?;
        self.processes.push(process);
        Ok(())
    }
}
