//! Drives the real program: `cpm serve` and `cpm client --json` as processes.

use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Longest wait for anything that should happen at once; the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(40);

pub(crate) fn cpm() -> Command {
    Command::new(env!("CARGO_BIN_EXE_cpm"))
}

/// Runs the program to its end.
pub(crate) fn run(args: &[&str]) -> Output {
    cpm().args(args).stdin(Stdio::null()).output().unwrap()
}

/// One line on standard error, none on standard output, exit code not 0.
pub(crate) fn assert_refused(output: &Output, says: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains(says), "{stderr}");
}

fn lines(output: impl Read + Send + 'static) -> Receiver<Value> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            let Ok(line) = line else { return };
            let value = serde_json::from_str(&line).unwrap_or_else(|_| json!({ "no json": line }));
            if sender.send(value).is_err() {
                return;
            }
        }
    });
    receiver
}

fn wait(child: &mut Child) -> ExitStatus {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(Instant::now() < until, "the process does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Sends a signal by name: the standard library knows SIGKILL only.
pub(crate) fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status().unwrap();
    assert!(status.success());
}

/// A temporary folder with users in it.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::write(
            place.users(),
            "# who is served\nsip:alice@example.test:pw:alice\n\nsip:bob@example.test:pw-bob\nsip:carol@example.test:pw-carol\n",
        )
        .unwrap();
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn users(&self) -> PathBuf {
        self.path("users")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }
}

/// A running node.
pub(crate) struct Node {
    pub(crate) child: Child,
    pub(crate) sip: String,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Node {
    pub(crate) fn start(place: &Place, runtime: &str, sip: &str, more: &[&str]) -> Self {
        let mut child = cpm()
            .args(["serve", "--runtime", runtime, "--sip", sip])
            .arg("--users")
            .arg(place.users())
            .arg("--data")
            .arg(place.data())
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let ready = lines(child.stdout.take().unwrap()).recv_timeout(PATIENCE).expect("a ready line");
        assert_eq!(ready["event"], "ready");
        Self { child, sip: ready["sip"].as_str().unwrap().to_owned() }
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.sip.clone()
    }

    pub(crate) fn end(&mut self, name: &str) -> ExitStatus {
        signal(&self.child, name);
        wait(&mut self.child)
    }
}

/// A running client under the line protocol.
pub(crate) struct Client {
    pub(crate) child: Child,
    input: Option<ChildStdin>,
    events: Receiver<Value>,
    backlog: VecDeque<Value>,
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Client {
    pub(crate) fn start(name: &str, sip: &str, more: &[&str]) -> Self {
        let password = if name == "alice" { "pw:alice".to_owned() } else { format!("pw-{name}") };
        let mut child = cpm()
            .args(["client", "--json", "--address", &format!("sip:{name}@example.test")])
            .args(["--password", &password, "--server", sip])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let events = lines(child.stdout.take().unwrap());
        let input = child.stdin.take();
        Self { child, input, events, backlog: VecDeque::new() }
    }

    /// Started and registered.
    pub(crate) fn registered(name: &str, sip: &str, more: &[&str]) -> Self {
        let mut client = Self::start(name, sip, more);
        client.expect("registered");
        client
    }

    pub(crate) fn line(&mut self, line: &str) {
        let input = self.input.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
        input.flush().unwrap();
    }

    pub(crate) fn send(&mut self, to: &str, text: &str, want: &[&str], reference: &str) {
        let to = format!("sip:{to}@example.test");
        self.line(
            &json!({"cmd": "send", "to": to, "text": text, "want": want, "ref": reference}).to_string(),
        );
    }

    pub(crate) fn read(&mut self, message: &Value) {
        self.line(&json!({"cmd": "read", "message_id": message["message_id"]}).to_string());
    }

    /// The next event of this kind; others stay for later.
    pub(crate) fn expect(&mut self, event: &str) -> Value {
        self.expect_within(event, PATIENCE)
    }

    pub(crate) fn expect_within(&mut self, event: &str, time: Duration) -> Value {
        if let Some(at) = self.backlog.iter().position(|value| value["event"] == event) {
            return self.backlog.remove(at).unwrap();
        }
        let until = Instant::now() + time;
        loop {
            let wait = until.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(wait) {
                Ok(value) if value["event"] == event => return value,
                Ok(value) => self.backlog.push_back(value),
                Err(_) => panic!("no {event} but {:?}", self.backlog),
            }
        }
    }

    /// Closes standard input.
    pub(crate) fn close(&mut self) {
        self.input = None;
    }

    pub(crate) fn end(&mut self) -> ExitStatus {
        wait(&mut self.child)
    }

    /// Everything that is still to come, after the end.
    pub(crate) fn rest(&mut self) -> Vec<Value> {
        self.backlog.drain(..).chain(self.events.iter()).collect()
    }
}
