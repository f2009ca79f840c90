//! The story on a network that loses and repeats, with a server that dies: accepted means delivered, kept or
//! failed with a notification; no Device shows a message twice; at rest nothing is left.

use super::pair::Net;
use crate::ClientEvent;
use cpm_base::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const USERS: [&str; 3] = ["alice", "bob", "carol"];

/// One message and what became of it.
#[derive(Debug, Default)]
struct Fate {
    to: &'static str,
    accepted: bool,
    failed: bool,
    shown_on: BTreeSet<usize>,
    /// Notifications the sending Device has told of.
    delivered: u32,
    displayed: u32,
}

struct Story {
    net: Net,
    rng: Rng,
    fates: BTreeMap<String, Fate>,
    owners: BTreeMap<usize, &'static str>,
    senders: BTreeMap<String, usize>,
}

impl Story {
    fn new(seed: u8) -> Self {
        let mut net = Net::new();
        let mut owners = BTreeMap::new();
        for (at, user) in ["alice", "alice", "bob", "bob", "carol"].into_iter().enumerate() {
            owners.insert(net.device(user, 5061 + at as u16), user);
        }
        Self { net, rng: Rng::new([seed; 32]), fates: BTreeMap::new(), owners, senders: BTreeMap::new() }
    }

    fn step(&mut self) {
        let hosts: Vec<usize> = self.owners.keys().copied().collect();
        let host = hosts[self.rng.below(hosts.len() as u64) as usize];
        match self.rng.below(12) {
            0..=4 => {
                let to = USERS[self.rng.below(3) as usize];
                if to != self.owners[&host] {
                    let text = format!("text {}", self.fates.len());
                    if let Some(id) = self.net.try_send(host, to, &text) {
                        self.senders.insert(id.clone(), host);
                        self.fates.insert(id, Fate { to, ..Fate::default() });
                    }
                }
            }
            5 => self.net.crash_server(),
            6 => {
                let unread: Vec<String> = self
                    .fates
                    .iter()
                    .filter(|(_, fate)| fate.shown_on.contains(&host))
                    .map(|(id, _)| id.clone())
                    .collect();
                if !unread.is_empty() {
                    let id = &unread[self.rng.below(unread.len() as u64) as usize];
                    self.net.try_read(host, id);
                }
            }
            7 => self.net.cut(host, true),
            8 => self.net.cut(host, false),
            _ => {
                let wait = self.rng.below(20_000);
                self.net.advance(Duration::from_millis(wait));
            }
        }
        self.watch();
    }

    fn watch(&mut self) {
        let hosts: Vec<usize> = self.owners.keys().copied().collect();
        for host in hosts {
            for event in self.net.events(host) {
                self.note(host, event);
            }
        }
    }

    fn note(&mut self, host: usize, event: ClientEvent) {
        let own = |senders: &BTreeMap<String, usize>, id: &String| senders.get(id) == Some(&host);
        match event {
            ClientEvent::Message(message) => {
                let fate = self.fates.get_mut(&message.message_id).expect("a message somebody sent");
                assert!(fate.shown_on.insert(host), "shown twice on one Device");
            }
            ClientEvent::Accepted { message_id, .. } => {
                self.fates.get_mut(&message_id).unwrap().accepted = true;
            }
            ClientEvent::Failed { message_id, .. } => {
                if let Some(fate) = self.fates.get_mut(&message_id) {
                    fate.failed = true;
                }
            }
            ClientEvent::Delivered { message_id, .. } if own(&self.senders, &message_id) => {
                let fate = self.fates.get_mut(&message_id).unwrap();
                fate.delivered += 1;
                assert!(fate.delivered <= 1 && fate.displayed == 0, "{fate:?}");
            }
            ClientEvent::Displayed { message_id, .. } if own(&self.senders, &message_id) => {
                let fate = self.fates.get_mut(&message_id).unwrap();
                fate.displayed += 1;
                assert!(fate.displayed <= 1, "{fate:?}");
            }
            _ => {}
        }
    }
}

fn run(seed: u8) {
    let mut story = Story::new(seed);
    story.net.faults(seed, 10, 5);
    for _ in 0..60 {
        story.step();
    }
    story.net.faults(seed, 0, 0);
    let hosts: Vec<usize> = story.owners.keys().copied().collect();
    for host in hosts {
        story.net.cut(host, false);
    }
    for _ in 0..30 {
        story.net.advance(Duration::from_secs(240));
        story.watch();
    }
    for (id, fate) in &story.fates {
        let there = fate.shown_on.iter().any(|host| story.owners[host] == fate.to);
        assert!(!fate.accepted || there || fate.failed, "seed {seed}: {id} is lost: {fate:?}");
    }
    let hosts: Vec<usize> = story.owners.keys().copied().collect();
    for host in hosts {
        story.net.unregister(host);
    }
    story.net.advance(Duration::from_secs(9 * 86_400));
    let server = story.net.server();
    assert!(server.is_quiescent(), "seed {seed}: {:?}", server.stats());
    assert_eq!(server.stats().remembered, 0);
    assert_eq!(story.net.stored(), 0, "seed {seed}: nothing is left in the store");
}

#[test]
fn nothing_accepted_is_lost_and_nothing_is_shown_twice() {
    for seed in 0..3 {
        run(seed);
    }
}
