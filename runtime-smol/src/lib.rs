//! CPM on smol: sockets, timer and tasks around the pure core.
//!
//! [`Server`] runs a node that serves users, [`Client`] one account on a Device; both are handles to a shard, a
//! thread of its own with its sockets (a `block_on` of its own inside), so they work in any program, whatever
//! runtime that program itself uses. `cpm-runtime-tokio` has the same names and signatures. [`DriverHandle`] runs any
//! other [`FlowMachine`](cpm_base::FlowMachine), for example a bare SIP endpoint.
//!
//! A server and two clients in one program:
//!
//! ```
//! use cpm_base::Transport;
//! use cpm_proto::store::mem::MemStore;
//! use cpm_proto::client::Outgoing;
//! use cpm_proto::{Account, ClientEvent, Config, Secret, ServerConfig, UserSecret};
//! use cpm_runtime_smol::{Client, ClientCommand, ClientOptions, Listen, Server, ServerOptions};
//!
//! async fn talk() -> Result<(), Box<dyn std::error::Error>> {
//!     let users = ["alice", "bob"].map(|name| UserSecret {
//!         address: format!("sip:{name}@example.test"),
//!         password: Secret::new("secret"),
//!     });
//!     let domains = vec!["example.test".to_owned()];
//!     let served = ServerConfig { domains, users: users.into(), ..ServerConfig::default() };
//!     let node = Config { server: Some(served), ..Config::default() };
//!     let listen = vec![Listen { transport: Transport::Udp, addr: "127.0.0.1:0".parse()? }];
//!     let server = Server::start(ServerOptions::new(node, listen, Box::new(MemStore::new()))).await?;
//!
//!     let at = server.addresses()[0].addr;
//!     let device = |name: &str, instance: &str| {
//!         let address = format!("sip:{name}@example.test");
//!         ClientOptions::new(Account::new(address, Secret::new("secret"), at, Transport::Udp, instance))
//!     };
//!     let bob = Client::start(device("bob", "urn:uuid:5a2e9d1c-3c34-4b62-8d0a-0f6a3c5b7e01")).await?;
//!     assert_eq!(bob.next_event().await, Some(ClientEvent::Registered));
//!     let alice = Client::start(device("alice", "urn:uuid:5a2e9d1c-3c34-4b62-8d0a-0f6a3c5b7e02")).await?;
//!     alice.command(ClientCommand::Send(Outgoing::text("sip:bob@example.test", "hello"))).await?;
//!     if let Some(ClientEvent::Message(message)) = bob.next_event().await {
//!         assert_eq!(message.text().as_deref(), Some("hello"));
//!     }
//!     alice.stop().await?; // unregisters
//!     bob.stop().await?;
//!     server.stop().await?; // answers what is being stored, syncs the engine
//!     Ok(())
//! }
//! # smol::block_on(talk()).unwrap();
//! ```
//!
//! How a shard works: one loop stamps the time, reads the sockets that are ready (within a budget), fires timers,
//! carries out what the machine wants, arms one timer and waits. The machine never blocks and is never shared;
//! commands, answers of the storage engine and the order to stop come through channels. The crate holds no
//! protocol and no policy; that it behaves as the other runtime does is checked by one suite for both
//! (`tests/contract`).

mod client;
mod datagrams;
mod driver;
mod events;
mod handle;
mod server;
mod streams;

pub use client::Client;
pub use cpm_runtime_common::{
    Address, ClientCommand, ClientOptions, CommandError, DriverOptions, DriverStats, Handler, Listen,
    RunError, ServerOptions, ServerStats, StartError, Stopping,
};
pub use handle::{DriverHandle, Inputs};
pub use server::Server;
