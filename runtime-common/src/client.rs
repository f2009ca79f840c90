//! The handler that turns a node with one account into a client; the same for both runtimes.

use crate::{Handler, Listen, StartError, Stopping};
use cpm_base::shell::{Shell, ShellLimits};
use cpm_base::{Handle, Now, Probe, Transport};
use cpm_proto::client::{Outgoing, User};
use cpm_proto::{Account, ClientEvent, Error, Event, Node, Rest};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// How long a client that is stopped may take to unregister.
const STOP: Duration = Duration::from_secs(5);
/// Probes a node keeps between two turns.
const PROBES: usize = 256;

/// How a client is set up.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientOptions {
    /// Who it is, and where its server is.
    pub account: Account,
    /// Limits and SIP configuration of the node; it holds this account only.
    pub node: cpm_proto::Config,
    /// The node's secret seed; `None` takes one from the operating system, as is right outside of tests.
    pub seed: Option<[u8; 32]>,
    /// Own address when the account uses UDP; `None`: any address and port. Over TCP the client only opens
    /// connections.
    pub bind: Option<SocketAddr>,
    /// Guards of the connection table.
    pub shell: ShellLimits,
}

impl ClientOptions {
    /// Options with default limits, any local address and a fresh seed.
    pub fn new(account: Account) -> Self {
        Self {
            account,
            node: cpm_proto::Config::default(),
            seed: None,
            bind: None,
            shell: ShellLimits::default(),
        }
    }

    /// Where the client listens. What takes requests over UDP takes them over TCP at the same port as well, for
    /// those too long for a datagram (RFC 3261 §18.2.1).
    pub fn listen(&self) -> Vec<Listen> {
        // spec: RFC3261-18.2.1
        if self.account.transport != Transport::Udp {
            return Vec::new();
        }
        let any: IpAddr = match self.account.server {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let addr = self.bind.unwrap_or(SocketAddr::new(any, 0));
        [Transport::Udp, Transport::Tcp].map(|transport| Listen { transport, addr }).into()
    }
}

/// What a client can be told to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientCommand {
    /// Send a message; the answer is its Message-ID.
    Send(Outgoing),
    /// The user has seen this message.
    Read {
        /// Which.
        message_id: String,
    },
    /// End the account; the last event is `Unregistered`.
    Unregister,
}

/// The answer to a command: a Message-ID where there is one.
pub type CommandAnswer = Result<Option<String>, Error>;

/// A command on its way to the shard, with the way back.
pub struct ClientOrder {
    /// What to do.
    pub command: ClientCommand,
    /// Takes the answer; must not block.
    pub reply: Box<dyn FnOnce(CommandAnswer) + Send>,
}

/// What the shard of a client tells its handle.
#[derive(Debug)]
pub enum ClientNote {
    /// The account is set up and registers.
    Added,
    /// The node refused the account.
    Refused(Error),
    /// For the user.
    Event(ClientEvent),
}

/// Runs one account of a node.
#[derive(Debug)]
pub struct ClientHandler {
    account: Option<Account>,
    user: Option<Handle<User>>,
    /// The account is no longer there.
    gone: bool,
}

impl ClientHandler {
    /// A handler that adds `account` when its shard starts.
    pub fn new(account: Account) -> Self {
        Self { account: Some(account), user: None, gone: false }
    }

    fn run(&mut self, now: Now, shell: &mut Shell<Node>, command: ClientCommand) -> CommandAnswer {
        let user = self.user.ok_or(Error::Usage("the account was refused"))?;
        shell.command(now, |node, now| {
            let mut client = node.client(user);
            match command {
                ClientCommand::Send(outgoing) => client.send(now, outgoing).map(Some),
                ClientCommand::Read { message_id } => client.read(now, &message_id).map(|()| None),
                ClientCommand::Unregister => client.unregister(now).map(|()| None),
            }
        })
    }
}

impl Handler<Node> for ClientHandler {
    type Command = ClientOrder;
    type Event = ClientNote;

    fn started(&mut self, now: Now, shell: &mut Shell<Node>) -> Option<ClientNote> {
        let account = self.account.take()?;
        let added = shell.command(now, |node, now| {
            node.start(now);
            node.add_account(now, account)
        });
        match added {
            Ok(user) => {
                self.user = Some(user);
                Some(ClientNote::Added)
            }
            Err(error) => {
                self.gone = true;
                Some(ClientNote::Refused(error))
            }
        }
    }

    fn rest(&mut self, _now: Now, _shell: &mut Shell<Node>, rest: Rest) -> Option<ClientNote> {
        match rest {
            Rest::Event(Event::Client { event, .. }) => {
                self.gone |= event == ClientEvent::Unregistered;
                Some(ClientNote::Event(event))
            }
            Rest::Effect(_) => {
                tracing::error!("a client account asked for an effect; it will time out");
                None
            }
            _ => None,
        }
    }

    fn command(&mut self, now: Now, shell: &mut Shell<Node>, order: ClientOrder) -> Option<ClientNote> {
        let answer = self.run(now, shell, order.command);
        (order.reply)(answer);
        None
    }

    fn probe(&mut self, shell: &mut Shell<Node>) -> Option<Probe> {
        shell.machine_mut().poll_probe()
    }

    fn stopping(&mut self, now: Now, shell: &mut Shell<Node>) -> Stopping {
        // Refused when the account is leaving or has left: that is what is wanted.
        self.gone |= self.run(now, shell, ClientCommand::Unregister).is_err() && self.user.is_none();
        Stopping { within: STOP, read: true }
    }

    fn may_end(&self, _node: &Node) -> bool {
        self.gone
    }
}

/// Makes the node of a client.
pub fn client_node(mut config: cpm_proto::Config, seed: Option<[u8; 32]>) -> Result<Node, StartError> {
    config.server = None;
    if config.sip.probes == 0 {
        config.sip.probes = PROBES;
    }
    let seed = match seed {
        Some(seed) => seed,
        None => crate::seed()?,
    };
    Ok(Node::new(config, seed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cpm_proto::Secret;

    fn listen(server: &str, transport: Transport) -> Vec<Listen> {
        let server = server.parse().unwrap();
        let account = Account::new("sip:a@example.test", Secret::new("x"), server, transport, "urn:uuid:x");
        ClientOptions::new(account).listen()
    }

    // test: RFC3261-18.2.1
    #[test]
    fn what_listens_on_udp_listens_on_tcp_at_the_same_port() {
        for (server, any) in [("192.0.2.1:5060", "0.0.0.0:0"), ("[2001:db8::1]:5060", "[::]:0")] {
            let both = listen(server, Transport::Udp);
            let transports: Vec<Transport> = both.iter().map(|entry| entry.transport).collect();
            assert_eq!(transports, [Transport::Udp, Transport::Tcp]);
            assert!(both.iter().all(|entry| entry.addr == any.parse().unwrap()));
            let bound = crate::net::bind_all(&both).unwrap();
            let ports: Vec<u16> = bound.iter().map(|socket| socket.local_addr().unwrap().port()).collect();
            assert_eq!(ports[0], ports[1]);
            assert!(listen(server, Transport::Tcp).is_empty(), "over TCP it only opens connections");
        }
    }
}
