//! `cpm demo`: the whole story on loopback, over real sockets, with a node that is killed and comes back.
//!
//! The node runs as a process of its own until it is killed (the operating system ends it without a word, as
//! SIGKILL does); the second one, over the same data, runs in this process and is stopped in order.

mod device;
mod node;

use crate::args::{Demo, Runtime, Transport};
use crate::failure::{Context, Failure};
use cpm_proto::client::{Outgoing, Want};
use cpm_proto::{ClientEvent, Direction, Received};
use device::Device;
use node::{Folder, NodeProcess};
use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub(crate) const DOMAIN: &str = "demo.test";
const ALICE: &str = "sip:alice@demo.test";
const BOB: &str = "sip:bob@demo.test";
const CAROL: &str = "sip:carol@demo.test";
const ALL: Want = Want { delivery: true, display: true };

/// Everybody in the story.
struct Cast {
    phone: Device,
    tablet: Device,
    bob: Device,
    carol: Device,
}

/// Plays the story; an error tells which step went wrong.
pub(crate) fn run(args: Demo) -> Result<(), Failure> {
    let mut story = Story { start: Instant::now() };
    let result = play(&mut story, args.runtime);
    match &result {
        Ok(()) => story.tell("done: every step went as it should")?,
        Err(failure) => story.tell(&format!("FAILED: {failure}"))?,
    }
    result
}

/// Says each step as it happens.
struct Story {
    start: Instant,
}

impl Story {
    fn tell(&mut self, step: &str) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        let at = self.start.elapsed().as_secs_f32();
        writeln!(out, "[{at:6.2} s] {step}")
            .and_then(|()| out.flush())
            .context("cannot write to standard output")
    }
}

fn play(story: &mut Story, runtime: Runtime) -> Result<(), Failure> {
    let folder = Folder::new()?;
    let first = NodeProcess::start(&folder, runtime)?;
    let sip = first.sip();
    story.tell(&format!(
        "a node serves {DOMAIN} at {sip} over UDP and TCP, data in {}",
        folder.data().display()
    ))?;
    let mut cast = enter(story, runtime, sip)?;
    hello(story, &mut cast)?;
    two_devices(story, &mut cast)?;
    let waiting = absent(story, &mut cast)?;
    first.kill()?;
    story.tell("the node was killed without warning")?;
    let second = node::serve(&folder, runtime, sip)?;
    story.tell("a new node serves from the same data")?;
    back(story, &mut cast, runtime, sip, &waiting)?;
    let Cast { phone, tablet, bob, carol } = cast;
    for device in [phone, tablet, bob, carol] {
        let name = device.name().to_owned();
        device.leave()?;
        story.tell(&format!("{name} has unregistered"))?;
    }
    second.stop().context("the node did not stop in order")?;
    story.tell("the node has stopped")
}

/// Everybody registers.
fn enter(story: &mut Story, runtime: Runtime, sip: SocketAddr) -> Result<Cast, Failure> {
    let mut device = |name, address, transport| {
        let mut device = Device::start(runtime, name, address, transport, sip)?;
        device.expect("to be registered", |event| matches!(event, ClientEvent::Registered))?;
        story.tell(&format!("{name} is registered as {address} over {transport:?}"))?;
        Ok::<_, Failure>(device)
    };
    Ok(Cast {
        phone: device("alice's phone", ALICE, Transport::Udp)?,
        tablet: device("alice's tablet", ALICE, Transport::Tcp)?,
        bob: device("bob", BOB, Transport::Udp)?,
        carol: device("carol", CAROL, Transport::Tcp)?,
    })
}

/// A message with both notifications, seen by all Devices of its sender.
fn hello(story: &mut Story, cast: &mut Cast) -> Result<(), Failure> {
    let sent = cast.phone.send(Outgoing::text(BOB, "Hello Bob").want(ALL))?;
    let status = cast.phone.accepted(&sent)?;
    story.tell(&format!("alice's phone sends \"Hello Bob\" to bob: {status}"))?;
    let got = cast.bob.message(&sent)?;
    check(&got, ALICE, "Hello Bob", Direction::In, false)?;
    story.tell("bob has it")?;
    let copy = cast.tablet.message(&sent)?;
    check(&copy, ALICE, "Hello Bob", Direction::Copy, false)?;
    story.tell("alice's tablet has a copy")?;
    for device in [&mut cast.phone, &mut cast.tablet] {
        device.delivered(&sent, BOB)?;
        story.tell(&format!("{} knows that it was delivered", device.name()))?;
    }
    cast.bob.read(&sent)?;
    story.tell("bob reads it")?;
    for device in [&mut cast.phone, &mut cast.tablet] {
        device.displayed(&sent, BOB)?;
        story.tell(&format!("{} knows that it was displayed", device.name()))?;
    }
    Ok(())
}

/// A message to a user with two Devices.
fn two_devices(story: &mut Story, cast: &mut Cast) -> Result<(), Failure> {
    let sent = cast.carol.send(Outgoing::text(ALICE, "Lunch?").want(ALL))?;
    let status = cast.carol.accepted(&sent)?;
    story.tell(&format!("carol sends \"Lunch?\" to alice: {status}"))?;
    for device in [&mut cast.phone, &mut cast.tablet] {
        let got = device.message(&sent)?;
        check(&got, CAROL, "Lunch?", Direction::In, false)?;
        story.tell(&format!("{} has it", device.name()))?;
    }
    cast.carol.delivered(&sent, ALICE)?;
    story.tell("carol knows that it was delivered")?;
    cast.tablet.read(&sent)?;
    cast.carol.displayed(&sent, ALICE)?;
    story.tell("alice reads it on the tablet; carol knows")?;
    let message_id = sent.clone();
    cast.phone.expect("to hear that it was read elsewhere", move |event| {
        *event == ClientEvent::ReadElsewhere { message_id: message_id.clone() }
    })?;
    story.tell("alice's phone knows too")
}

/// A message to somebody who is not there; gives its Message-ID.
fn absent(story: &mut Story, cast: &mut Cast) -> Result<String, Failure> {
    cast.bob.unregister()?;
    story.tell("bob unregisters")?;
    let sent = cast.phone.send(Outgoing::text(BOB, "See you tomorrow").want(ALL))?;
    match cast.phone.accepted(&sent)? {
        202 => {}
        other => {
            return Err(Failure::new(format!("a message to an absent user was answered {other}, not 202")));
        }
    }
    story.tell("alice's phone sends \"See you tomorrow\" to bob: 202, kept for later")?;
    let copy = cast.tablet.message(&sent)?;
    check(&copy, ALICE, "See you tomorrow", Direction::Copy, false)?;
    story.tell("alice's tablet has a copy")?;
    Ok(sent)
}

/// The node is back: connections too, and bob gets what waited for him.
fn back(
    story: &mut Story,
    cast: &mut Cast,
    runtime: Runtime,
    sip: SocketAddr,
    waiting: &str,
) -> Result<(), Failure> {
    for device in [&mut cast.tablet, &mut cast.carol] {
        device.expect("to be registered again", |event| matches!(event, ClientEvent::Registered))?;
        story.tell(&format!("{} is connected and registered again", device.name()))?;
    }
    cast.bob = Device::start(runtime, "bob", BOB, Transport::Udp, sip)?;
    cast.bob.expect("to be registered", |event| matches!(event, ClientEvent::Registered))?;
    story.tell("bob registers")?;
    let got = cast.bob.message(waiting)?;
    check(&got, ALICE, "See you tomorrow", Direction::In, true)?;
    story.tell("bob has the deferred message: it survived the kill")?;
    for device in [&mut cast.phone, &mut cast.tablet] {
        device.delivered(waiting, BOB)?;
        story.tell(&format!("{} knows that it was delivered", device.name()))?;
    }
    cast.bob.read(waiting)?;
    for device in [&mut cast.phone, &mut cast.tablet] {
        device.displayed(waiting, BOB)?;
        story.tell(&format!("{} knows that bob has read it", device.name()))?;
    }
    // Nothing comes twice on a Device: whatever else was going to happen has a moment to show.
    std::thread::sleep(Duration::from_millis(500));
    for device in [&mut cast.phone, &mut cast.tablet, &mut cast.bob, &mut cast.carol] {
        device.no_message()?;
    }
    story.tell("nobody has got anything twice")
}

/// Whether a message is what was sent.
fn check(
    got: &Received,
    from: &str,
    text: &str,
    direction: Direction,
    deferred: bool,
) -> Result<(), Failure> {
    let right = got.from == from
        && got.text().as_deref() == Some(text)
        && got.direction == direction
        && got.deferred == deferred;
    if right { Ok(()) } else { Err(Failure::new(format!("this is not what was sent: {got:?}"))) }
}
