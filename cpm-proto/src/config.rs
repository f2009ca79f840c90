//! What the owner of a [`Node`](crate::Node) decides: users, domains, policy, accounts.

use crate::Limits;
use cpm_base::Transport;
pub use cpm_sip::auth::{Algorithm as DigestAlgorithm, Secret};
use std::net::SocketAddr;
use std::time::Duration;

/// Everything a node is made from. The same configuration, seed and inputs give the same outputs.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Guards against exhaustion.
    pub limits: Limits,
    /// The SIP endpoint.
    pub sip: cpm_sip::endpoint::Config,
    /// Present on a node that serves users; absent on one that holds client accounts only.
    pub server: Option<ServerConfig>,
}

/// One served user: a CPM Address and the password it registers with.
#[derive(Clone, Debug)]
pub struct UserSecret {
    /// SIP or tel URI, for example `sip:alice@example.test`.
    pub address: String,
    /// Digest password; the digest user name is the user part of the address.
    pub password: Secret,
}

/// How the built-in registrar decides (RFC 3261 §10.3).
#[derive(Clone, Debug)]
pub struct RegistrarPolicy {
    /// Shorter registrations are refused with 423. Seconds.
    pub min_expires: u32,
    /// Granted when the client asks for none. Seconds.
    pub default_expires: u32,
    /// Longer wishes are cut to this. Seconds.
    pub max_expires: u32,
    /// Digest algorithms offered, in this order.
    pub algorithms: Vec<DigestAlgorithm>,
}

impl Default for RegistrarPolicy {
    fn default() -> Self {
        Self {
            min_expires: 60,
            default_expires: 3600,
            max_expires: 600_000,
            algorithms: vec![DigestAlgorithm::Sha256, DigestAlgorithm::Md5],
        }
    }
}

/// What the operator decides about messages.
#[derive(Clone, Debug)]
pub struct Policy {
    /// A standalone message with a larger body is refused, 403 with Warning `133 Size exceeded`. Bytes.
    pub standalone_max_bytes: u32,
    /// Longest time a message is kept for an absent user (CONV-DF-002). Seconds; 0 switches deferral off.
    pub deferred_max_seconds: u32,
    /// Whether clients that are no CPM clients may exchange plain text: what CPM demands is supplied at the
    /// border of the participating function.
    pub accept_plain_messages: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self { standalone_max_bytes: 65_536, deferred_max_seconds: 7 * 86_400, accept_plain_messages: true }
    }
}

/// The server side of a node: its domains, its users and how it treats them.
#[derive(Clone, Debug, Default)]
pub struct ServerConfig {
    /// Domains this node answers for. The first one is the digest realm.
    pub domains: Vec<String>,
    /// The served users.
    pub users: Vec<UserSecret>,
    /// The registrar's numbers.
    pub registrar: RegistrarPolicy,
    /// The participating function's numbers.
    pub policy: Policy,
}

/// A client account: one Device of one CPM User.
#[derive(Clone, Debug)]
pub struct Account {
    /// The user's CPM Address, for example `sip:alice@example.test`.
    pub address: String,
    /// Digest password.
    pub password: Secret,
    /// Registrar or outbound proxy.
    pub server: SocketAddr,
    /// How to reach it.
    pub transport: Transport,
    /// `urn:uuid:…` that names this Device for ever (`+sip.instance`, RFC 5626 §4.1).
    pub instance: String,
    /// Registration time to ask for.
    pub expires: Duration,
}

impl Account {
    /// An account with the default registration time of one hour.
    pub fn new(
        address: impl Into<String>,
        password: Secret,
        server: SocketAddr,
        transport: Transport,
        instance: impl Into<String>,
    ) -> Self {
        Self {
            address: address.into(),
            password,
            server,
            transport,
            instance: instance.into(),
            expires: Duration::from_secs(3600),
        }
    }
}
