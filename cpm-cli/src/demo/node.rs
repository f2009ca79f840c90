//! The node of the demonstration: first as a process that can be killed, then within this one.

use super::DOMAIN;
use crate::args::Runtime;
use crate::driver::Server;
use crate::failure::{Context, Failure};
use crate::{serve, users};
use clap::ValueEnum;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// Everybody's password; the node listens on loopback only and lives as long as the demonstration.
pub(super) const PASSWORD: &str = "demonstration";

/// How long the node may take to come up.
const START: Duration = Duration::from_secs(20);

/// A temporary folder, gone with this value.
pub(super) struct Folder {
    folder: tempfile::TempDir,
}

impl Folder {
    /// A folder with a file of users in it.
    pub(super) fn new() -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("cpm-demo-").tempdir().context("no temporary folder")?;
        let made = Self { folder };
        let lines = ["alice", "bob", "carol"].map(|name| format!("sip:{name}@{DOMAIN}:{PASSWORD}\n"));
        std::fs::write(made.users(), lines.concat()).context("cannot write the users")?;
        Ok(made)
    }

    /// Where the node keeps its data.
    pub(super) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn users(&self) -> PathBuf {
        self.folder.path().join("users")
    }
}

/// `cpm serve` in a process of its own; killed with this value.
pub(super) struct NodeProcess {
    child: Child,
    sip: SocketAddr,
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        // Both fail only for a process that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl NodeProcess {
    /// Starts the node on a free port.
    pub(super) fn start(folder: &Folder, runtime: Runtime) -> Result<Self, Failure> {
        let program = std::env::current_exe().context("this program cannot be found")?;
        let runtime =
            runtime.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        let mut child = Command::new(program)
            .args(["serve", "--sip", "127.0.0.1:0", "--domain", DOMAIN, "--runtime", &runtime])
            .arg("--data")
            .arg(folder.data())
            .arg("--users")
            .arg(folder.users())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("the node cannot be started")?;
        let output = child.stdout.take();
        let mut process = Self { child, sip: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let output = output.ok_or_else(|| Failure::new("the node has no output"))?;
        process.sip = ready(output)?;
        Ok(process)
    }

    /// Where it serves.
    pub(super) fn sip(&self) -> SocketAddr {
        self.sip
    }

    /// Kills it.
    pub(super) fn kill(mut self) -> Result<(), Failure> {
        self.child.kill().context("the node cannot be killed")?;
        self.child.wait().context("the node cannot be waited for").map(drop)
    }
}

/// Waits for the ready line.
fn ready(output: impl std::io::Read + Send + 'static) -> Result<SocketAddr, Failure> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = BufReader::new(output).read_line(&mut line);
        drop(sender.send(read.map(|_| line)));
    });
    let line =
        lines.recv_timeout(START).context("the node is not ready")?.context("the node says nothing")?;
    let ready: serde_json::Value = serde_json::from_str(&line).context("the node is not ready")?;
    let sip = ready.get("sip").and_then(|sip| sip.as_str()).and_then(|sip| sip.parse().ok());
    sip.ok_or_else(|| Failure::new(format!("this is no ready line: {}", line.trim())))
}

/// Serves the same data at the same address within this process.
pub(super) fn serve(folder: &Folder, runtime: Runtime, sip: SocketAddr) -> Result<Server, Failure> {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        match try_serve(&folder.users(), &folder.data(), runtime, sip) {
            // What was killed may hold its port and its lock for a moment.
            Err(_) if Instant::now() < until => std::thread::sleep(Duration::from_millis(200)),
            other => return other,
        }
    }
}

fn try_serve(served: &Path, data: &Path, runtime: Runtime, sip: SocketAddr) -> Result<Server, Failure> {
    let (registrar, policy) = crate::config::read(None)?;
    let server = serve::server_config(&[DOMAIN.to_owned()], users::read(served)?, registrar, policy)?;
    Server::start(runtime, serve::options(server, sip, data)?)
}
