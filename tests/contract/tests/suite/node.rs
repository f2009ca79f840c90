//! The real node between real clients: what the runtimes are for.

use super::*;
use crate::rt::{Client, ClientCommand, ClientOptions, Server, ServerOptions, block_on};
use cpm_contract::{Gate, GatedEngine};
use cpm_proto::client::{Outgoing, Want};
use cpm_proto::store::engine::StoreEngine;
use cpm_proto::{Account, ClientEvent, Config, Received, Secret, ServerConfig, UserSecret};
use cpm_store::FjallStore;
use std::collections::BTreeSet;
use std::path::Path;

/// A node for alice and bob on this address, over both transports.
async fn serve(addr: &str, engine: Box<dyn StoreEngine + Send>) -> Server {
    let users = ["alice", "bob"].map(|name| UserSecret {
        address: format!("sip:{name}@example.test"),
        password: Secret::new(format!("{name}-secret")),
    });
    let domains = vec!["example.test".to_owned()];
    let server = ServerConfig { domains, users: users.into(), ..ServerConfig::default() };
    let node = Config { server: Some(server), ..Config::default() };
    let addr = addr.parse().unwrap();
    let listen = [Transport::Udp, Transport::Tcp].map(|transport| Listen { transport, addr });
    within(DEADLINE, Server::start(ServerOptions::new(node, listen.into(), engine))).await.unwrap()
}

fn store(folder: &Path) -> Box<dyn StoreEngine + Send> {
    Box::new(FjallStore::open(folder, cpm_store::Options::default()).unwrap())
}

struct Device {
    client: Client,
}

impl Device {
    /// A registered Device.
    async fn start(user: &str, server: SocketAddr, transport: Transport, instance: u32) -> Self {
        let device = Self::unregistered(user, server, transport, instance).await;
        device.registered().await;
        device
    }

    async fn unregistered(user: &str, server: SocketAddr, transport: Transport, instance: u32) -> Self {
        let account = Account::new(
            format!("sip:{user}@example.test"),
            Secret::new(format!("{user}-secret")),
            server,
            transport,
            format!("urn:uuid:00000000-0000-4000-8000-{instance:012x}"),
        );
        Self { client: Client::start(ClientOptions::new(account)).await.unwrap() }
    }

    async fn next(&self) -> ClientEvent {
        within(DEADLINE, self.client.next_event()).await.expect("the client has ended")
    }

    async fn registered(&self) {
        loop {
            match self.next().await {
                ClientEvent::Registered => return,
                // Tried again: the server may be starting.
                ClientEvent::RegistrationFailed { status: 408 | 503, .. } => {}
                other => panic!("expected to be registered, got {other:?}"),
            }
        }
    }

    async fn send(&self, to: &str, text: &str, want: Want) -> String {
        let message = Outgoing::text(format!("sip:{to}@example.test"), text).want(want);
        let command = self.client.command(ClientCommand::Send(message));
        within(DEADLINE, command).await.unwrap().expect("a message has an id")
    }

    /// The event that the network took the message, with its status.
    async fn accepted(&self) -> (String, u16) {
        match self.next().await {
            ClientEvent::Accepted { message_id, status, .. } => (message_id, status),
            other => panic!("expected the message to be accepted, got {other:?}"),
        }
    }

    async fn message(&self) -> Box<Received> {
        loop {
            match self.next().await {
                ClientEvent::Message(message) => return message,
                ClientEvent::Registered => {}
                other => panic!("expected a message, got {other:?}"),
            }
        }
    }

    async fn stop(self) {
        within(DEADLINE, self.client.stop()).await.unwrap();
        let mut last = None;
        while let Some(event) = self.client.next_event().await {
            last = Some(event);
        }
        assert_eq!(last, Some(ClientEvent::Unregistered));
    }
}

fn both() -> Want {
    Want { delivery: true, display: true }
}

#[test]
fn a_message_is_delivered_and_read_over_every_transport_and_family() {
    for (addr, transport) in [
        ("127.0.0.1:0", Transport::Udp),
        ("127.0.0.1:0", Transport::Tcp),
        ("[::1]:0", Transport::Udp),
        ("[::1]:0", Transport::Tcp),
    ] {
        block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let server = serve(addr, store(folder.path())).await;
            let at = server.addresses()[0].addr;
            let alice = Device::start("alice", at, transport, 1).await;
            let bob = Device::start("bob", at, transport, 2).await;
            let id = alice.send("bob", "hello", both()).await;
            assert_eq!(alice.accepted().await, (id.clone(), 200));
            let message = bob.message().await;
            assert_eq!(message.message_id, id);
            assert_eq!(&message.body[..], b"hello");
            assert_eq!(message.from, "sip:alice@example.test");
            let by = "sip:bob@example.test".to_owned();
            assert_eq!(alice.next().await, ClientEvent::Delivered { message_id: id.clone(), by: by.clone() });
            bob.client.command(ClientCommand::Read { message_id: id.clone() }).await.unwrap();
            assert_eq!(alice.next().await, ClientEvent::Displayed { message_id: id, by });
            alice.stop().await;
            bob.stop().await;
            let stats = server.stats().await.unwrap();
            assert_eq!((stats.node.exchanges, stats.node.deferred, stats.node.bindings), (0, 0, 0));
            within(DEADLINE, server.stop()).await.unwrap();
        });
    }
}

#[test]
fn a_long_message_reaches_a_datagram_device() {
    let long = "long text, äöü, ".repeat(300);
    for addr in ["127.0.0.1:0", "[::1]:0"] {
        block_on(async {
            let server = serve(addr, Box::new(GatedEngine::new(Gate::open()))).await;
            let at = server.addresses()[0].addr;
            let alice = Device::start("alice", at, Transport::Tcp, 1).await;
            let bob = Device::start("bob", at, Transport::Udp, 2).await;
            let id = alice.send("bob", &long, Want::default()).await;
            assert_eq!(alice.accepted().await, (id, 200));
            assert_eq!(bob.message().await.text().as_deref(), Some(long.as_str()));
            alice.stop().await;
            bob.stop().await;
            within(DEADLINE, server.stop()).await.unwrap();
        });
    }
}

#[test]
fn a_deferred_message_outlives_the_server() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let server = serve("127.0.0.1:0", store(folder.path())).await;
        let at = server.addresses()[0].addr;
        let alice = Device::start("alice", at, Transport::Tcp, 1).await;
        let id = alice.send("bob", "for later", both()).await;
        assert_eq!(alice.accepted().await, (id.clone(), 202));
        within(DEADLINE, server.stop()).await.unwrap();

        let server = serve(&at.to_string(), store(folder.path())).await;
        alice.registered().await;
        let bob = Device::start("bob", at, Transport::Udp, 2).await;
        let message = bob.message().await;
        assert_eq!((message.message_id.as_str(), &message.body[..]), (id.as_str(), &b"for later"[..]));
        assert!(message.deferred);
        assert!(matches!(alice.next().await, ClientEvent::Delivered { message_id, .. } if message_id == id));
        bob.stop().await;
        alice.stop().await;
        within(DEADLINE, server.stop()).await.unwrap();
    });
}

#[test]
fn nothing_is_acknowledged_before_it_is_synced() {
    block_on(async {
        let gate = Gate::open();
        let server = serve("127.0.0.1:0", Box::new(GatedEngine::new(gate.clone()))).await;
        let at = server.addresses()[0].addr;
        let alice = Device::start("alice", at, Transport::Tcp, 1).await;
        gate.close();
        alice.send("bob", "kept", Want::default()).await;
        std::thread::sleep(Duration::from_millis(500));
        assert!(gate.syncs_held() > 0, "the batch is applied and waits for its sync");
        let stats = server.stats().await.unwrap();
        assert_eq!(stats.node.effects, 1, "and nothing was answered");
        gate.set_open();
        assert_eq!(alice.accepted().await.1, 202);
        alice.stop().await;
        within(DEADLINE, server.stop()).await.unwrap();
    });
}

#[test]
fn what_was_accepted_under_load_is_delivered_after_a_restart() {
    const MESSAGES: usize = 60;
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let server = serve("127.0.0.1:0", store(folder.path())).await;
        let at = server.addresses()[0].addr;
        let alice = Device::start("alice", at, Transport::Tcp, 1).await;
        for number in 0..MESSAGES {
            alice.send("bob", &format!("number {number}"), Want::default()).await;
        }
        // Stopped in the middle of it: some are taken over, the others come again after the restart.
        let mut accepted = BTreeSet::from([alice.accepted().await.0]);
        within(DEADLINE, server.stop()).await.unwrap();
        let server = serve(&at.to_string(), store(folder.path())).await;
        let bob = Device::start("bob", at, Transport::Tcp, 2).await;
        let mut failed = 0;
        while accepted.len() + failed < MESSAGES {
            match alice.next().await {
                ClientEvent::Accepted { message_id, .. } => drop(accepted.insert(message_id)),
                ClientEvent::Failed { .. } => failed += 1,
                ClientEvent::Registered | ClientEvent::RegistrationFailed { .. } => {}
                other => panic!("unexpected {other:?}"),
            }
        }
        let mut received = BTreeSet::new();
        while !accepted.is_subset(&received) {
            let message = bob.message().await;
            assert!(received.insert(message.message_id.clone()), "shown twice: {message:?}");
        }
        alice.stop().await;
        bob.stop().await;
        within(DEADLINE, server.stop()).await.unwrap();
    });
}

#[test]
fn a_port_in_use_and_a_refused_account_are_errors_that_name_it() {
    block_on(async {
        let engine = || Box::new(GatedEngine::new(Gate::open()));
        let server = serve("127.0.0.1:0", engine()).await;
        let addr = server.addresses()[0].addr;
        let listen = vec![Listen { transport: Transport::Tcp, addr }];
        let error = Server::start(ServerOptions::new(Config::default(), listen, engine())).await.unwrap_err();
        assert!(error.to_string().contains(&addr.to_string()), "{error}");
        let error = Server::start(ServerOptions::new(Config::default(), vec![], engine())).await.unwrap_err();
        assert!(matches!(error, StartError::NothingToListen));
        let account = Account::new("no address", Secret::new("x"), addr, Transport::Udp, "urn:uuid:x");
        let error = Client::start(ClientOptions::new(account)).await.unwrap_err();
        assert!(matches!(error, StartError::Account(_)), "{error}");
        within(DEADLINE, server.stop()).await.unwrap();
    });
}

#[test]
fn a_client_without_a_server_says_so_and_stops() {
    block_on(async {
        for transport in [Transport::Udp, Transport::Tcp] {
            // A port that was free a moment ago.
            let gone = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let alice = Device::unregistered("alice", gone, transport, 1).await;
            if transport == Transport::Tcp {
                assert!(matches!(
                    alice.next().await,
                    ClientEvent::RegistrationFailed { status: 503 | 408, .. }
                ));
            }
            let _unfinished_or_not = within(DEADLINE, alice.client.stop()).await;
            while alice.client.next_event().await.is_some() {}
        }
    });
}
