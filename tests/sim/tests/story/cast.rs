//! Who takes part: one node, three users, four Devices; and what they can do.

use cpm_base::{Handle, Transport};
use cpm_proto::client::{Outgoing, User, Want};
use cpm_proto::{Account, ClientEvent, Config, Direction, Event, Node, Policy, RegistrarPolicy, Secret};
use cpm_proto::{ServerConfig, UserSecret};
use cpm_sim::{HostId, NodeHost, World};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

pub(crate) type Scene = World<Node, NodeHost>;

pub(crate) const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
/// Longest time the node keeps a message for an absent user.
pub(crate) const KEPT: Duration = Duration::from_secs(3_600);
/// What registrations ask for and get.
const EXPIRES: Duration = Duration::from_secs(600);

/// The users, by number.
pub(crate) const USERS: [&str; 3] =
    ["sip:alice@example.test", "sip:bob@example.test", "sip:carol@example.test"];

/// One Device: a host with a client node and one account.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub(crate) host: HostId,
    pub(crate) address: IpAddr,
    /// Index into [`USERS`].
    pub(crate) user: usize,
    transport: Transport,
    instance: String,
    /// `None`: not in use.
    account: Option<Handle<User>>,
    /// It is leaving; switched off once it is unregistered.
    leaving: bool,
    /// Events looked at so far, for reading messages.
    pub(crate) looked: usize,
}

/// A message that a Device has sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) reference: String,
    pub(crate) message_id: String,
    pub(crate) device: usize,
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) text: String,
    pub(crate) want: Want,
    /// Age of the world.
    pub(crate) at: Duration,
}

/// The whole cast.
pub(crate) struct Cast {
    pub(crate) server: HostId,
    pub(crate) devices: Vec<Device>,
    pub(crate) sent: Vec<Sent>,
    /// Message-IDs read, with the user who did.
    pub(crate) read: Vec<(String, usize)>,
}

pub(crate) fn scene(seed: u64, record: bool) -> Scene {
    World::new(seed, record)
}

impl Cast {
    /// Puts everybody in place: the node runs, no Device does.
    pub(crate) fn enter(world: &mut Scene) -> Self {
        let seed = world.rng().child_seed();
        let ports = [(Transport::Udp, 5060), (Transport::Tcp, 5060)];
        let server = world.add_host("node", SERVER, &ports, NodeHost::new(seed));
        let mut devices = Vec::new();
        let places = [("alice-1", 0), ("alice-2", 0), ("bob", 1), ("carol", 2)];
        for (number, (name, user)) in places.into_iter().enumerate() {
            let address = IpAddr::from([192, 0, 2, 1 + number as u8]);
            // Alice has one Device on each transport; the others as the seed says.
            let udp = match number {
                0 => true,
                1 => false,
                _ => world.rng().below(2) == 0,
            };
            let transport = if udp { Transport::Udp } else { Transport::Tcp };
            let seed = world.rng().child_seed();
            let host = world.add_host(name, address, &[(Transport::Udp, 5060)], NodeHost::new(seed));
            let instance = format!("urn:uuid:00000000-0000-4000-8000-00000000000{number}");
            devices.push(Device {
                host,
                address,
                user,
                transport,
                instance,
                account: None,
                leaving: false,
                looked: 0,
            });
        }
        let mut cast = Self { server, devices, sent: Vec::new(), read: Vec::new() };
        cast.start_server(world);
        cast
    }

    pub(crate) fn start_server(&mut self, world: &mut Scene) {
        let users =
            USERS.map(|address| UserSecret { address: address.to_owned(), password: secret(address) });
        let server = ServerConfig {
            domains: vec!["example.test".to_owned()],
            users: users.into(),
            registrar: RegistrarPolicy::default(),
            policy: Policy { deferred_max_seconds: KEPT.as_secs() as u32, ..Policy::default() },
        };
        let seed = world.rng().child_seed();
        world.start(self.server, Node::new(Config { server: Some(server), ..Config::default() }, seed));
        world.command(self.server, |node, now| node.start(now));
    }

    /// Switches a Device on: it registers by itself from now on.
    pub(crate) fn switch_on(&mut self, world: &mut Scene, number: usize) {
        let device = &mut self.devices[number];
        if device.account.is_some() {
            return;
        }
        if !world.is_running(device.host) {
            let seed = world.rng().child_seed();
            world.start(device.host, Node::new(Config::default(), seed));
            world.command(device.host, |node, now| node.start(now));
        }
        let address = USERS[device.user];
        let server = SocketAddr::new(SERVER, 5060);
        let mut account =
            Account::new(address, secret(address), server, device.transport, device.instance.clone());
        account.expires = EXPIRES;
        let added = world.command(device.host, |node, now| node.add_account(now, account));
        device.account = Some(added.unwrap().expect("the account is well formed"));
    }

    /// Begins to switch a Device off: it unregisters first.
    pub(crate) fn switch_off(&mut self, world: &mut Scene, number: usize) {
        let device = &mut self.devices[number];
        if let Some(user) = device.account
            && !device.leaving
        {
            device.leaving = true;
            world.command(device.host, |node, now| node.client(user).unregister(now)).unwrap().unwrap();
        }
    }

    /// Switches off the Devices that have unregistered, and starts a node again that could not read its store,
    /// as whoever runs it would.
    pub(crate) fn tidy(&mut self, world: &mut Scene) {
        let last = world.handler(self.server).events.last();
        if last.is_some_and(|noted| matches!(noted.event, Event::StartFailed { .. })) {
            world.kill(self.server, false);
            self.start_server(world);
        }
        for device in &mut self.devices {
            let Some(user) = device.account.filter(|_| device.leaving) else { continue };
            let gone = world.handler(device.host).events.iter().rev().any(|noted| {
                matches!(&noted.event, Event::Client { user: of, event: ClientEvent::Unregistered } if *of == user)
            });
            if gone {
                (device.account, device.leaving) = (None, false);
            }
        }
    }

    /// Whether a Device takes commands.
    pub(crate) fn is_in_use(&self, number: usize) -> bool {
        self.devices[number].account.is_some() && !self.devices[number].leaving
    }

    /// Whether the last news of a Device's registration is good.
    pub(crate) fn is_registered(&self, world: &Scene, number: usize) -> bool {
        let device = &self.devices[number];
        let Some(user) = device.account else { return false };
        let news = world.handler(device.host).events.iter().rev().find_map(|noted| match &noted.event {
            Event::Client { user: of, event } if *of == user => match event {
                ClientEvent::Registered => Some(true),
                ClientEvent::RegistrationFailed { .. } | ClientEvent::Unregistered => Some(false),
                _ => None,
            },
            _ => None,
        });
        news == Some(true)
    }

    /// A Device sends a text to a user.
    pub(crate) fn send(&mut self, world: &mut Scene, number: usize, to: usize, want: Want) {
        let Some(user) = self.devices[number].account else { return };
        let reference = format!("r{}", self.sent.len());
        let text = format!("text {} to {}", self.sent.len(), USERS[to]);
        let outgoing = Outgoing::text(USERS[to], text.clone()).want(want).reference(reference.clone());
        let host = self.devices[number].host;
        let message_id = world.command(host, |node, now| node.client(user).send(now, outgoing)).unwrap();
        let message_id = message_id.expect("a short text to a user is taken");
        let from = self.devices[number].user;
        self.sent.push(Sent { reference, message_id, device: number, from, to, text, want, at: world.age() });
    }

    /// The user of a Device looks at what has come since the last time.
    pub(crate) fn look(&mut self, world: &mut Scene, number: usize) {
        let device = &mut self.devices[number];
        let Some(user) = device.account.filter(|_| !device.leaving) else { return };
        let events = &world.handler(device.host).events;
        let mut new = Vec::new();
        for noted in &events[device.looked..] {
            if let Event::Client { user: of, event: ClientEvent::Message(message) } = &noted.event
                && *of == user
                && message.direction == Direction::In
            {
                new.push(message.message_id.clone());
            }
        }
        device.looked = events.len();
        for message_id in new {
            let told = world.command(device.host, |node, now| node.client(user).read(now, &message_id));
            told.unwrap().expect("a message that was shown can be read");
            self.read.push((message_id, device.user));
        }
    }
}

/// The password of a user.
fn secret(address: &str) -> Secret {
    Secret::new(format!("secret of {address}"))
}
