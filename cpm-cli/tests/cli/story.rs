//! The story of the project, told by the real program over real sockets.

use crate::processes::{Client, Node, Place, run};
use serde_json::{Value, json};
use std::time::Duration;

const ALL: &[&str] = &["delivery", "display"];

/// A message from alice to bob and all that comes of it.
fn exchange(alice: &mut Client, bob: &mut Client, text: &str) {
    alice.send("bob", text, ALL, "r");
    let accepted = alice.expect("accepted");
    assert_eq!((&accepted["ref"], &accepted["status"]), (&json!("r"), &json!(200)));
    let message = bob.expect("message");
    assert_eq!(message["text"], text);
    assert_eq!(message["from"], "sip:alice@example.test");
    assert_eq!(message["to"], "sip:bob@example.test");
    assert_eq!((&message["direction"], &message["deferred"]), (&json!("in"), &json!(false)));
    assert_eq!(message["message_id"], accepted["message_id"]);
    for id in ["conversation_id", "contribution_id"] {
        assert_eq!(message[id].as_str().map(str::len), Some(36));
    }
    about(&alice.expect("delivered"), &message);
    bob.read(&message);
    about(&alice.expect("displayed"), &message);
}

fn about(notification: &Value, message: &Value) {
    assert_eq!(notification["message_id"], message["message_id"]);
    assert_eq!(notification["by"], "sip:bob@example.test");
}

fn two_clients(runtime: &str, transports: [&str; 2]) {
    let place = Place::new();
    let mut node = Node::start(&place, runtime, "127.0.0.1:0", &[]);
    let [first, second] = transports;
    let mut alice = Client::registered("alice", &node.sip, &["--transport", first, "--runtime", runtime]);
    let mut bob = Client::registered("bob", &node.sip, &["--transport", second, "--runtime", runtime]);
    exchange(&mut alice, &mut bob, "hello");
    exchange(&mut alice, &mut bob, "grüß dich \"Bob\"\nzweite Zeile");
    alice.line(r#"{"cmd":"quit"}"#);
    alice.expect("unregistered");
    assert!(alice.end().success());
    bob.close();
    bob.expect("unregistered");
    assert!(bob.end().success());
    assert!(node.end("TERM").success());
}

#[test]
fn udp_to_tcp_on_tokio() {
    two_clients("tokio", ["udp", "tcp"]);
}

#[test]
fn tcp_to_udp_on_smol() {
    two_clients("smol", ["tcp", "udp"]);
}

#[test]
fn a_deferred_message_survives_the_kill_of_the_node() {
    let place = Place::new();
    let node = Node::start(&place, "tokio", "127.0.0.1:0", &[]);
    let mut alice = Client::registered("alice", &node.sip, &["--transport", "tcp"]);
    alice.send("bob", "for later", ALL, "r1");
    let accepted = alice.expect("accepted");
    assert_eq!(accepted["status"], 202);
    let sip = node.kill();
    let mut node = Node::start(&place, "tokio", &sip, &[]);
    // The connection is gone; the client is registered again within 35 s.
    alice.expect_within("registered", Duration::from_secs(35));
    let mut bob = Client::registered("bob", &node.sip, &[]);
    let message = bob.expect("message");
    assert_eq!((&message["text"], &message["deferred"]), (&json!("for later"), &json!(true)));
    assert_eq!(message["message_id"], accepted["message_id"]);
    about(&alice.expect("delivered"), &message);
    bob.read(&message);
    about(&alice.expect("displayed"), &message);
    bob.line(r#"{"cmd":"quit"}"#);
    assert!(bob.end().success());
    let twice = bob.rest().into_iter().filter(|event| event["event"] == "message").count();
    assert_eq!(twice, 0, "it came twice");
    assert!(node.end("INT").success());
}

#[test]
fn every_device_of_a_user_takes_part() {
    let place = Place::new();
    let node = Node::start(&place, "tokio", "127.0.0.1:0", &[]);
    let device = |at: u8| format!("urn:uuid:00000000-0000-4000-8000-0000000000a{at}");
    let mut phone = Client::registered("alice", &node.sip, &["--instance", &device(1)]);
    let mut tablet =
        Client::registered("alice", &node.sip, &["--instance", &device(2), "--transport", "tcp"]);
    let mut bob = Client::registered("bob", &node.sip, &[]);
    phone.send("bob", "hello", ALL, "r");
    let message = bob.expect("message");
    let copy = tablet.expect("message");
    assert_eq!((&copy["direction"], &copy["to"]), (&json!("copy"), &json!("sip:bob@example.test")));
    assert_eq!(copy["message_id"], message["message_id"]);
    bob.read(&message);
    for alice in [&mut phone, &mut tablet] {
        about(&alice.expect("delivered"), &message);
        about(&alice.expect("displayed"), &message);
    }
    bob.send("alice", "hi", ALL, "r");
    let at_phone = phone.expect("message");
    let at_tablet = tablet.expect("message");
    assert_eq!(at_phone["message_id"], at_tablet["message_id"]);
    assert_eq!(at_phone["direction"], "in");
    tablet.read(&at_tablet);
    assert_eq!(bob.expect("displayed")["by"], "sip:alice@example.test");
    assert_eq!(phone.expect("read_elsewhere")["message_id"], at_phone["message_id"]);
}

#[test]
fn the_demonstration_plays_on_smol() {
    let output = run(&["demo", "--runtime", "smol"]);
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(
        told.contains("it survived the kill") && told.ends_with("every step went as it should\n"),
        "{told}"
    );
}

#[test]
fn the_demonstration_plays_on_tokio() {
    assert!(run(&["demo"]).status.success());
}
