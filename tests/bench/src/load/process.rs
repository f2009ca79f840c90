//! The system under test as a process of its own, so that its CPU time can be told from the generator's.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

/// This program again, in another role. It prints its address and ends when its standard input does.
pub struct Child {
    child: std::process::Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Child {
    /// Starts this program with these arguments.
    pub fn start(arguments: &[&str]) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or_else(|| io::Error::other("no standard output"))?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let address =
            line.trim().parse().map_err(|_| io::Error::other(format!("not an address: {line:?}")))?;
        Ok(Self { child, address })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// CPU time of a process and its children so far, over all their threads (Linux).
pub fn cpu(process: u32) -> io::Result<Duration> {
    let mut nanoseconds = own_cpu(process)?;
    for entry in fs::read_dir("/proc")? {
        let Some(other) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        if parent(other) == Some(process) {
            nanoseconds += own_cpu(other)?;
        }
    }
    Ok(Duration::from_nanos(nanoseconds))
}

fn own_cpu(process: u32) -> io::Result<u64> {
    let mut nanoseconds = 0;
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        let ran = text.split_whitespace().next().and_then(|number| number.parse::<u64>().ok());
        nanoseconds += ran.ok_or_else(|| io::Error::other("no schedstat"))?;
    }
    Ok(nanoseconds)
}

/// The second field after the program's name in brackets.
fn parent(process: u32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    text.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}
