//! `cpm serve`

use crate::args::Serve;
use crate::driver::Server;
use crate::failure::{Context, Failure};
use crate::{config, users};
use cpm_base::Transport;
use cpm_proto::{Config, Policy, RegistrarPolicy, ServerConfig, UserSecret};
use cpm_runtime_common::{Listen, RunError, ServerOptions};
use cpm_store::{FjallStore, Options};
use etcetera::BaseStrategy;
use serde::Serialize;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;

/// What ends a server.
enum End {
    Signal,
    Ended(Result<(), RunError>),
}

/// The line that tells that the server serves.
#[derive(Serialize)]
struct Ready<'a> {
    event: &'static str,
    sip: SocketAddr,
    domains: &'a [String],
    data: String,
}

/// Serves until a signal comes.
pub(crate) fn run(args: Serve) -> Result<(), Failure> {
    let mut served = args.user.iter().map(|user| users::parse(user)).collect::<Result<Vec<_>, _>>()?;
    if let Some(path) = &args.users {
        served.extend(users::read(path)?);
    }
    let (registrar, policy) = config::read(args.config.as_deref())?;
    let server = server_config(&args.domain, served, registrar, policy)?;
    let domains = server.domains.clone();
    let (data, chosen) = match args.data {
        Some(data) => (data, true),
        None => (default_data()?, false),
    };
    let (sender, ends) = channel();
    let signals = sender.clone();
    ctrlc::set_handler(move || drop(signals.send(End::Signal))).context("cannot wait for signals")?;
    let server = Server::start(args.runtime, options(server, args.sip, &data)?)?;
    if !chosen {
        say(&format!("the data is kept in {}", data.display()));
    }
    let sip = server.addresses().first().map_or(args.sip, |address| address.addr);
    let ready = Ready { event: "ready", sip, domains: &domains, data: data.display().to_string() };
    let ready = serde_json::to_string(&ready).context("the ready line cannot be written")?;
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "{ready}").and_then(|()| out.flush());
    drop(out);
    if written.is_err() {
        say("nobody reads the ready line");
    }
    let watched = server.clone();
    std::thread::spawn(move || drop(sender.send(End::Ended(watched.ended()))));
    match ends.recv() {
        Ok(End::Ended(Err(error))) => Err(Failure::new(format!("the server ended: {error}"))),
        Ok(End::Ended(Ok(()))) => Err(Failure::new("the server ended")),
        Ok(End::Signal) | Err(_) => server.stop().context("the server did not stop in order"),
    }
}

/// One line for people.
#[expect(clippy::print_stderr, reason = "standard error is where the program talks to people")]
fn say(line: &str) {
    eprintln!("cpm: {line}");
}

/// Users, domains and policy put together and checked.
pub(crate) fn server_config(
    domains: &[String],
    served: Vec<UserSecret>,
    registrar: RegistrarPolicy,
    policy: Policy,
) -> Result<ServerConfig, Failure> {
    users::check_unique(&served)?;
    let of_users = users::domains(&served);
    let mut all: Vec<String> = domains.iter().map(|domain| domain.to_ascii_lowercase()).collect();
    if all.is_empty() {
        all = of_users.clone();
    }
    if all.is_empty() {
        all.push("localhost".to_owned());
    }
    for domain in &all {
        if cpm_sip::Uri::parse(&format!("sip:{domain}")).is_err() {
            return Err(Failure::new(format!("{domain} is no domain")));
        }
    }
    if let Some(foreign) = of_users.iter().find(|domain| !all.contains(domain)) {
        return Err(Failure::new(format!(
            "there are users of {foreign}, which is not served: add --domain {foreign}"
        )));
    }
    Ok(ServerConfig { domains: all, users: served, registrar, policy })
}

/// A server on this address with its data in this folder.
pub(crate) fn options(server: ServerConfig, sip: SocketAddr, data: &Path) -> Result<ServerOptions, Failure> {
    let mut node = Config { server: Some(server), ..Config::default() };
    node.sip.server = Some(format!("CPM-serv/OMA2.2 cpm/{}", env!("CARGO_PKG_VERSION")));
    let listen = [Transport::Udp, Transport::Tcp].map(|transport| Listen { transport, addr: sip });
    let engine = FjallStore::open(data, Options::default()).context("cannot open the store")?;
    Ok(ServerOptions::new(node, listen.into(), Box::new(engine)))
}

/// `cpm` under the platform's folder for data.
fn default_data() -> Result<PathBuf, Failure> {
    let strategy =
        etcetera::choose_base_strategy().context("there is no data folder, give one with --data")?;
    Ok(strategy.data_dir().join("cpm"))
}
