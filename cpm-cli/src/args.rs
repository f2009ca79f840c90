//! The command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;
use tracing_subscriber::filter::LevelFilter;

/// Converged IP Messaging: a node that serves users, a client, and tools around them.
#[derive(Debug, Parser)]
#[command(name = "cpm", version, about)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// How much is logged on standard error: off, error, warn, info, debug or trace
    #[arg(long, global = true, value_name = "LEVEL", default_value = "warn")]
    pub(crate) log: LevelFilter,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serves users: registrar and participating function.
    Serve(Serve),
    /// One Device of one user.
    Client(Client),
    /// Plays the whole story on loopback and says what happens.
    Demo(Demo),
    /// Reads files and says what is in them, one JSON line a file.
    Parse(Parse),
}

/// Which runtime drives the sockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Runtime {
    /// tokio
    #[default]
    Tokio,
    /// smol
    Smol,
}

/// How a client reaches its server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    /// Datagrams
    #[default]
    Udp,
    /// A connection
    Tcp,
}

/// `cpm serve`
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// TOML file with registrar and policy settings
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Domain to serve; may be given several times. Default: the domains of the users
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) domain: Vec<String>,
    /// Address for SIP over UDP and TCP; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5060")]
    pub(crate) sip: SocketAddr,
    /// Folder for durable data. Default: cpm under the platform's data folder
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// A user; may be given several times. Others on this machine can see the password: prefer --users
    #[arg(long, value_name = "ADDRESS:PASSWORD")]
    pub(crate) user: Vec<String>,
    /// File with one ADDRESS:PASSWORD a line
    #[arg(long, value_name = "FILE")]
    pub(crate) users: Option<PathBuf>,
    /// Which runtime drives the sockets
    #[arg(long, value_enum, default_value_t)]
    pub(crate) runtime: Runtime,
}

/// `cpm client`
#[derive(Debug, Args)]
pub(crate) struct Client {
    /// Own address, for example sip:alice@example.test
    #[arg(long, value_name = "URI")]
    pub(crate) address: String,
    /// Password. Others on this machine can see it: prefer --password-file
    #[arg(long, value_name = "PASSWORD", required_unless_present = "password_file")]
    pub(crate) password: Option<String>,
    /// File whose first line is the password
    #[arg(long, value_name = "FILE", conflicts_with = "password")]
    pub(crate) password_file: Option<PathBuf>,
    /// Registrar or outbound proxy
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) server: String,
    /// How to reach it
    #[arg(long, value_enum, default_value_t)]
    pub(crate) transport: Transport,
    /// Name of this Device for ever, urn:uuid:…; default: a fresh one
    #[arg(long, value_name = "URN")]
    pub(crate) instance: Option<String>,
    /// One JSON object a line on standard input and output
    #[arg(long)]
    pub(crate) json: bool,
    /// Which runtime drives the sockets
    #[arg(long, value_enum, default_value_t)]
    pub(crate) runtime: Runtime,
}

/// `cpm demo`
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Which runtime drives the sockets
    #[arg(long, value_enum, default_value_t)]
    pub(crate) runtime: Runtime,
}

/// `cpm parse`
#[derive(Debug, Args)]
pub(crate) struct Parse {
    /// What the files hold
    #[arg(long = "as", value_enum, value_name = "KIND")]
    pub(crate) kind: crate::parse::Kind,
    /// The files
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}
