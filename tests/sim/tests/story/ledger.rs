//! What must hold, whatever happened: the reference model of the story.

use crate::cast::{Cast, Scene, Sent, USERS};
use cpm_proto::{ClientEvent, Direction, Event, Received};
use std::collections::{BTreeMap, BTreeSet};

/// What became of one message.
#[derive(Debug, Default)]
struct Fate {
    /// Place among all events of the sending Device, and status.
    accepted: Option<(usize, u16)>,
    failed: bool,
    /// Devices of the recipient that showed it.
    shown: BTreeSet<usize>,
}

/// How a run went, for the sums over all seeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) sent: usize,
    /// Accepted with 202.
    pub(crate) kept: usize,
    pub(crate) deferred: usize,
    pub(crate) failed: usize,
    pub(crate) copies: usize,
    pub(crate) delivered: usize,
    pub(crate) displayed: usize,
}

/// Checks everything the Devices saw against what was sent. With `settled` nothing is under way any more.
pub(crate) fn check(world: &Scene, cast: &Cast, settled: bool) -> Tally {
    let mut tally = Tally { sent: cast.sent.len(), ..Tally::default() };
    let by_id: BTreeMap<&str, &Sent> =
        cast.sent.iter().map(|sent| (sent.message_id.as_str(), sent)).collect();
    assert_eq!(by_id.len(), cast.sent.len(), "Message-IDs repeat");
    let mut fates: BTreeMap<&str, Fate> = BTreeMap::new();
    for number in 0..cast.devices.len() {
        check_device(world, cast, number, &by_id, &mut fates, &mut tally);
    }
    for sent in cast.sent.iter().filter(|_| settled) {
        let fate = fates.remove(sent.message_id.as_str()).unwrap_or_default();
        if !(fate.accepted.is_some() || fate.failed) {
            std::fs::write("/tmp/debug.txt", format!("{:#?}", world.machine(cast.devices[sent.device].host)))
                .unwrap();
        }
        assert!(fate.accepted.is_some() || fate.failed, "no word about {sent:?}");
        // test: CONV-DF-001
        assert!(
            fate.accepted.is_none() || fate.failed || !fate.shown.is_empty(),
            "acknowledged with {:?} and lost: {sent:?}",
            fate.accepted
        );
    }
    tally
}

/// What one Device saw. A Device remembers what it has shown as long as its account is in use; one that has left and
/// comes back has forgotten, so "never twice" is a promise to each stay.
fn check_device<'a>(
    world: &'a Scene,
    cast: &'a Cast,
    number: usize,
    by_id: &BTreeMap<&'a str, &'a Sent>,
    fates: &mut BTreeMap<&'a str, Fate>,
    tally: &mut Tally,
) {
    let device = &cast.devices[number];
    let mut shown = BTreeSet::new();
    let mut notified = BTreeSet::new();
    let mut deferred: BTreeMap<usize, Vec<&Sent>> = BTreeMap::new();
    for (place, noted) in world.handler(device.host).events.iter().enumerate() {
        let Event::Client { user: account, event } = &noted.event else { continue };
        match event {
            ClientEvent::Message(message) => {
                let sent = by_id
                    .get(message.message_id.as_str())
                    .unwrap_or_else(|| panic!("from nowhere: {message:?}"));
                check_message(message, sent, number, device.user);
                assert!(
                    shown.insert((*account, &sent.message_id)),
                    "shown twice on Device {number}: {message:?}"
                );
                match message.direction {
                    Direction::Copy => tally.copies += 1,
                    Direction::In => {
                        fates.entry(&sent.message_id).or_default().shown.insert(number);
                    }
                }
                if message.deferred {
                    tally.deferred += 1;
                    deferred.entry(sent.from).or_default().push(sent);
                }
            }
            ClientEvent::Accepted { reference, message_id, status } => {
                let sent = by_id.get(message_id.as_str()).unwrap_or_else(|| panic!("never sent: {event:?}"));
                assert!((&sent.reference, sent.device) == (reference, number), "{event:?} of {sent:?}");
                assert!(matches!(status, 200 | 202), "{event:?}");
                tally.kept += usize::from(*status == 202);
                let fate = fates.entry(&sent.message_id).or_default();
                assert!(fate.accepted.replace((place, *status)).is_none(), "accepted twice: {sent:?}");
            }
            ClientEvent::Failed { message_id, .. } => {
                let sent = by_id.get(message_id.as_str()).unwrap_or_else(|| panic!("never sent: {event:?}"));
                assert_eq!(sent.from, device.user, "{event:?} of {sent:?}");
                if sent.device == number {
                    tally.failed += 1;
                }
                fates.entry(&sent.message_id).or_default().failed = true;
            }
            ClientEvent::Delivered { message_id, by } | ClientEvent::Displayed { message_id, by } => {
                let sent = by_id.get(message_id.as_str()).unwrap_or_else(|| panic!("never sent: {event:?}"));
                let displayed = matches!(event, ClientEvent::Displayed { .. });
                let wanted = if displayed { sent.want.display } else { sent.want.delivery };
                assert!(wanted && sent.from == device.user, "nobody wanted {event:?} of {sent:?}");
                assert_eq!(by, USERS[sent.to], "{event:?} of {sent:?}");
                assert!(
                    !displayed || cast.read.contains(&(message_id.clone(), sent.to)),
                    "nobody has read it: {event:?} of {sent:?}"
                );
                // test: CONV-IMDN-040
                assert!(
                    displayed || !notified.contains(&(*account, message_id, true)),
                    "delivered after displayed on Device {number}: {sent:?}"
                );
                assert!(
                    notified.insert((*account, message_id, displayed)),
                    "told twice on Device {number}: {event:?}"
                );
                if displayed { tally.displayed += 1 } else { tally.delivered += 1 }
            }
            _ => {}
        }
    }
    for (sender, messages) in deferred {
        check_order(world, cast, number, sender, &messages);
    }
}

fn check_message(message: &Received, sent: &Sent, number: usize, user: usize) {
    assert_eq!((message.from.as_str(), message.to.as_str()), (USERS[sent.from], USERS[sent.to]), "{sent:?}");
    assert_eq!(message.body, sent.text.as_bytes(), "{sent:?}");
    assert!(!message.conversation_id.is_empty() && !message.contribution_id.is_empty(), "{message:?}");
    match message.direction {
        Direction::In => assert_eq!(user, sent.to, "at the wrong user: {sent:?}"),
        Direction::Copy => {
            assert!(user == sent.from && number != sent.device, "a copy at Device {number}: {sent:?}");
        }
    }
}

/// Deferred messages of one sender come in the order sent, as far as there was one: the first was acknowledged
/// before the second was sent.
// test: CONV-DF-010
fn check_order(world: &Scene, cast: &Cast, number: usize, sender: usize, messages: &[&Sent]) {
    let acknowledged = |sent: &Sent| {
        world.handler(cast.devices[sent.device].host).events.iter().find_map(|noted| match &noted.event {
            Event::Client { event: ClientEvent::Accepted { message_id, .. }, .. }
                if *message_id == sent.message_id =>
            {
                Some(noted.at.mono)
            }
            _ => None,
        })
    };
    for (place, later) in messages.iter().enumerate() {
        for overtaken in &messages[place + 1..] {
            let begin = world.now().mono - world.age();
            let in_order = acknowledged(overtaken).is_some_and(|at| at < begin + later.at);
            assert!(
                !in_order,
                "Device {number} got deferred messages of {} out of order:\n{later:?}\nbefore\n{overtaken:?}",
                USERS[sender]
            );
        }
    }
}
