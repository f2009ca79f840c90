//! `cpm client`: the line protocol for programs, a prompt for people.

use crate::args::{self, Client as Args};
use crate::driver::Client;
use crate::failure::{Context, Failure};
use crate::line::{self, MAX_LINE, Report};
use crate::prompt::Prompt;
use cpm_base::{Rng, Transport};
use cpm_proto::{Account, ClientEvent, Error, Secret};
use cpm_runtime_common::{ClientCommand, ClientOptions, CommandError};
use std::io::{BufRead, Read, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// How long the client may take to end once it was asked to.
const FAREWELL: Duration = Duration::from_secs(10);

/// What happens to the program.
pub(crate) enum Happening {
    /// A line of standard input, or why there is none.
    Line(Result<String, &'static str>),
    /// Standard input has ended, or a signal came.
    Stop,
    Event(ClientEvent),
    /// The client is no longer there.
    Ended,
}

/// What talks to the user.
pub(crate) trait Face {
    /// Carries out a line; `false` asks for the end.
    fn line(
        &mut self,
        client: &Client,
        line: Result<String, &'static str>,
        out: &mut dyn Write,
    ) -> std::io::Result<bool>;
    /// Tells an event.
    fn event(&mut self, client: &Client, event: &ClientEvent, out: &mut dyn Write) -> std::io::Result<()>;
}

/// Runs a client until its end.
pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let runtime = args.runtime;
    let json = args.json;
    let address = args.address.clone();
    let account = account(args)?;
    let (sender, happenings) = sync_channel(256);
    let signals = sender.clone();
    ctrlc::set_handler(move || drop(signals.send(Happening::Stop))).context("cannot wait for signals")?;
    let client = Client::start(runtime, ClientOptions::new(account))?;
    watch_events(client.clone(), sender.clone());
    watch_input(sender);
    let mut face: Box<dyn Face> = if json { Box::new(Lines) } else { Box::new(Prompt::new(&address)) };
    let result = converse(&client, face.as_mut(), &happenings);
    // Already unregistered unless the output failed.
    let _ = client.stop();
    result
}

/// The loop of a client: one happening after the other, until the account has ended.
fn converse(client: &Client, face: &mut dyn Face, happenings: &Receiver<Happening>) -> Result<(), Failure> {
    let mut leaving: Option<Instant> = None;
    let mut out = std::io::stdout().lock();
    loop {
        let wait = leaving.map_or(Duration::MAX, |until| until.saturating_duration_since(Instant::now()));
        let happening = match happenings.recv_timeout(wait) {
            Ok(happening) => happening,
            Err(RecvTimeoutError::Timeout) => return Err(Failure::new("the client did not end in time")),
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        let go_on = match happening {
            Happening::Ended if leaving.is_some() => return Ok(()),
            Happening::Ended => return Err(Failure::new("the client ended by itself")),
            Happening::Event(event) => {
                let written = face.event(client, &event, &mut out).and_then(|()| out.flush());
                written.context("cannot write to standard output")?;
                if event == ClientEvent::Unregistered {
                    return Ok(());
                }
                true
            }
            Happening::Line(_) if leaving.is_some() => true,
            Happening::Line(line) => {
                let go_on = face.line(client, line, &mut out);
                out.flush().and(go_on).context("cannot write to standard output")?
            }
            Happening::Stop => false,
        };
        if !go_on && leaving.is_none() {
            leaving = Some(Instant::now() + FAREWELL);
            if client.command(ClientCommand::Unregister).is_err() {
                return Err(Failure::new("the client ended by itself"));
            }
        }
    }
}

fn watch_events(client: Client, sender: SyncSender<Happening>) {
    std::thread::spawn(move || {
        while let Some(event) = client.next_event() {
            if sender.send(Happening::Event(event)).is_err() {
                return;
            }
        }
        drop(sender.send(Happening::Ended));
    });
}

fn watch_input(sender: SyncSender<Happening>) {
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        while let Some(line) = read_line(&mut input) {
            if sender.send(Happening::Line(line)).is_err() {
                return;
            }
        }
        drop(sender.send(Happening::Stop));
    });
}

/// The next line that is not empty, without its end; `None` at the end of input.
fn read_line(input: &mut impl BufRead) -> Option<Result<String, &'static str>> {
    loop {
        let mut line = Vec::new();
        let limit = u64::try_from(MAX_LINE).unwrap_or(u64::MAX).saturating_add(1);
        let read = input.by_ref().take(limit).read_until(b'\n', &mut line).ok()?;
        if read == 0 {
            return None;
        }
        if line.len() > MAX_LINE && line.last() != Some(&b'\n') {
            // The rest of the line is not kept.
            loop {
                let chunk = input.fill_buf().ok().filter(|chunk| !chunk.is_empty())?;
                let end = chunk.iter().position(|byte| *byte == b'\n');
                let used = end.map_or(chunk.len(), |at| at + 1);
                input.consume(used);
                if end.is_some() {
                    return Some(Err("the line is too long"));
                }
            }
        }
        match String::from_utf8(line) {
            Ok(line) if line.trim().is_empty() => {}
            Ok(line) => return Some(Ok(line.trim_end_matches(['\r', '\n']).to_owned())),
            Err(_) => return Some(Err("the line is not UTF-8")),
        }
    }
}

/// The line protocol.
struct Lines;

impl Face for Lines {
    fn line(
        &mut self,
        client: &Client,
        line: Result<String, &'static str>,
        out: &mut dyn Write,
    ) -> std::io::Result<bool> {
        let command = match line.map_err(str::to_owned).and_then(|line| line::command(&line)) {
            Ok(line::Command::Quit {}) => return Ok(false),
            Ok(line::Command::Send { to, text, want, reference }) => {
                ClientCommand::Send(line::outgoing(&to, text, &want, reference))
            }
            Ok(line::Command::Read { message_id }) => ClientCommand::Read { message_id },
            Err(reason) => return error(out, &reason).map(|()| true),
        };
        match client.command(command) {
            Ok(_) | Err(CommandError::Run(_)) => Ok(true),
            Err(CommandError::Refused(Error::Usage(reason))) => error(out, reason).map(|()| true),
            Err(CommandError::Refused(refusal)) => error(out, &refusal.to_string()).map(|()| true),
        }
    }

    fn event(&mut self, _client: &Client, event: &ClientEvent, out: &mut dyn Write) -> std::io::Result<()> {
        match line::report(event) {
            Some(report) => writeln!(out, "{}", report.line()),
            None => Ok(()),
        }
    }
}

fn error(out: &mut dyn Write, reason: &str) -> std::io::Result<()> {
    writeln!(out, "{}", Report::Error { reason }.line())
}

/// The account that a command line describes.
fn account(args: Args) -> Result<Account, Failure> {
    let password = match (args.password, args.password_file) {
        (Some(password), _) => password,
        (None, Some(path)) => first_line(&path)?,
        (None, None) => return Err(Failure::new("a password is needed")),
    };
    let transport = match args.transport {
        args::Transport::Udp => Transport::Udp,
        args::Transport::Tcp => Transport::Tcp,
    };
    let instance = match args.instance {
        Some(instance) if instance.get(..4).is_some_and(|urn| urn.eq_ignore_ascii_case("urn:")) => instance,
        Some(instance) => return Err(Failure::new(format!("{instance} is no URN"))),
        None => new_instance()?,
    };
    let server = resolve(&args.server)?;
    Ok(Account::new(args.address, Secret::new(password), server, transport, instance))
}

/// A fresh name for a Device (RFC 5626 §4.1).
pub(crate) fn new_instance() -> Result<String, Failure> {
    let seed = cpm_runtime_common::seed().context("cannot name this Device")?;
    Ok(format!("urn:uuid:{}", Rng::new(seed).uuid()))
}

fn first_line(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path).context(format!("cannot read {}", path.display()))?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err(Failure::new(format!("{} holds no password", path.display()))),
    }
}

fn resolve(server: &str) -> Result<SocketAddr, Failure> {
    let mut addresses = server.to_socket_addrs().context(format!("{server} is no address of a server"))?;
    addresses.next().ok_or_else(|| Failure::new(format!("{server} has no address")))
}

#[cfg(test)]
mod tests {
    use super::{MAX_LINE, read_line};

    #[test]
    fn lines_are_read_up_to_a_limit() {
        let long = "x".repeat(MAX_LINE);
        let text = format!("one\r\n\n  \n{long}\n{long}x\ntwo");
        let mut input = text.as_bytes();
        assert_eq!(read_line(&mut input), Some(Ok("one".into())));
        assert_eq!(read_line(&mut input), Some(Ok(long)));
        assert_eq!(read_line(&mut input), Some(Err("the line is too long")));
        assert_eq!(read_line(&mut input), Some(Ok("two".into())));
        assert_eq!(read_line(&mut input), None);
        assert_eq!(read_line(&mut &b"\xff\n"[..]), Some(Err("the line is not UTF-8")));
    }
}
