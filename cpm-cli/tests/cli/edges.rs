//! Bad input of every kind, and the ends of the program.

use crate::processes::{Client, Node, Place, assert_refused, cpm, run, signal};
use serde_json::json;
use std::process::Stdio;

#[test]
fn a_bad_line_is_answered_and_does_not_end_the_client() {
    let place = Place::new();
    let node = Node::start(&place, "tokio", "127.0.0.1:0", &[]);
    let mut alice = Client::registered("alice", &node.sip, &[]);
    for line in [
        "nonsense",
        "{}",
        r#"{"cmd":"shout"}"#,
        r#"{"cmd":"send","to":"sip:bob@example.test"}"#,
        r#"{"cmd":"send","to":"bob","text":"x"}"#,
        r#"{"cmd":"read","message_id":"unknown"}"#,
    ] {
        alice.line(line);
        assert!(alice.expect("error")["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{line}");
    }
    alice.send("bob", &"x".repeat(2_000), &[], "big");
    let failed = alice.expect("failed");
    assert_eq!((&failed["ref"], &failed["status"]), (&json!("big"), &json!(403)));
    assert_eq!(failed["reason"], "Size exceeded");
    alice.send("nobody", "x", &[], "who");
    assert_eq!(alice.expect("failed")["ref"], "who");
    alice.line(r#"{"cmd":"quit"}"#);
    alice.expect("unregistered");
    assert!(alice.end().success());
}

#[test]
fn a_client_ends_in_order_at_sigterm_even_without_a_server() {
    let place = Place::new();
    let node = Node::start(&place, "smol", "127.0.0.1:0", &[]);
    let mut alice = Client::registered("alice", &node.sip, &[]);
    signal(&alice.child, "TERM");
    alice.expect("unregistered");
    assert!(alice.end().success());
    let mut bob = Client::registered("bob", &node.sip, &["--transport", "tcp"]);
    let sip = node.kill();
    bob.expect("registration_failed");
    let mut carol = Client::start("carol", &sip, &[]);
    for client in [&mut bob, &mut carol] {
        signal(&client.child, "INT");
        client.expect("unregistered");
        assert!(client.end().success());
    }
}

#[test]
fn a_wrong_password_is_told() {
    let place = Place::new();
    let node = Node::start(&place, "tokio", "127.0.0.1:0", &[]);
    let mut client = cpm()
        .args(["client", "--json", "--address", "sip:alice@example.test", "--password", "wrong"])
        .args(["--server", &node.sip])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_secs(2));
    drop(client.stdin.take());
    let output = client.wait_with_output().unwrap();
    assert!(output.status.success());
    let told = String::from_utf8_lossy(&output.stdout);
    let first: serde_json::Value = serde_json::from_str(told.lines().next().unwrap()).unwrap();
    assert_eq!(first["event"], "registration_failed", "{told}");
    assert!(told.ends_with("{\"event\":\"unregistered\"}\n"), "{told}");
}

#[test]
fn a_busy_port_and_a_busy_data_folder_are_refused() {
    let place = Place::new();
    let node = Node::start(&place, "tokio", "127.0.0.1:0", &[]);
    let (users, data) = (place.users(), place.data());
    let (users, data) = (users.to_str().unwrap(), data.to_str().unwrap());
    let other = place.path("other");
    for runtime in ["tokio", "smol"] {
        let serve = |sip: &str, data: &str| {
            run(&["serve", "--runtime", runtime, "--users", users, "--sip", sip, "--data", data])
        };
        assert_refused(&serve(&node.sip, other.to_str().unwrap()), "in use");
        assert_refused(&serve("127.0.0.1:0", data), "in use by another process");
    }
    // Nothing is damaged: the node still serves.
    let mut alice = Client::registered("alice", &node.sip, &[]);
    alice.line(r#"{"cmd":"quit"}"#);
    assert!(alice.end().success());
}

#[test]
fn a_folder_of_somebody_else_is_refused_and_left_alone() {
    let place = Place::new();
    std::fs::create_dir(place.data()).unwrap();
    std::fs::write(place.data().join("holiday.jpg"), "x").unwrap();
    let output = cpm().args(["serve", "--sip", "127.0.0.1:0", "--data"]).arg(place.data()).output().unwrap();
    assert_refused(&output, "holds other files");
    assert_eq!(std::fs::read_dir(place.data()).unwrap().count(), 1);
}

#[test]
fn a_bad_configuration_is_refused_by_the_name_of_the_key() {
    let place = Place::new();
    let config = place.path("cpm.toml");
    for (text, says) in [
        ("[registrar]\nmin_expire = 1\n", "`min_expire`"),
        ("[server]\nport = 1\n", "`server`"),
        ("[policy]\ndeferred_max_seconds = \"long\"\n", "line 2"),
        ("[policy", "line 1"),
    ] {
        std::fs::write(&config, text).unwrap();
        let data = place.data();
        let output = run(&[
            "serve",
            "--config",
            config.to_str().unwrap(),
            "--sip",
            "127.0.0.1:0",
            "--data",
            data.to_str().unwrap(),
        ]);
        assert_refused(&output, says);
        assert!(!place.data().exists());
    }
    assert_refused(&run(&["serve", "--config", "/nowhere/cpm.toml"]), "/nowhere/cpm.toml");
    assert_refused(&run(&["serve", "--users", "/nowhere/users"]), "/nowhere/users");
}

#[test]
fn settings_of_the_configuration_count() {
    let place = Place::new();
    let config = place.path("cpm.toml");
    std::fs::write(&config, "[policy]\ndeferred_max_seconds = 0\n[registrar]\nalgorithms = [\"MD5\"]\n")
        .unwrap();
    let node = Node::start(&place, "tokio", "127.0.0.1:0", &["--config", config.to_str().unwrap()]);
    let mut alice = Client::registered("alice", &node.sip, &["--transport", "tcp"]);
    alice.send("bob", "now or never", &[], "r");
    assert_eq!(alice.expect("failed")["status"], 480);
}

#[test]
fn a_bad_command_line_is_refused() {
    for (args, says) in [
        (&["serve", "--user", "alice"][..], "ADDRESS:PASSWORD"),
        (&["serve", "--user", "sip:a@x.test:p", "--domain", "y.test"], "x.test"),
        (&["serve", "--user", "sip:a@x.test:p", "--user", "sip:a@X.test:q"], "twice"),
    ] {
        assert_refused(&run(args), says);
    }
    let client = |address: &str, server: &str, more: &[&str]| {
        let args = ["client", "--address", address, "--password", "p", "--server", server];
        run(&[&args[..], more].concat())
    };
    assert_refused(&client("alice", "127.0.0.1:5060", &[]), "address");
    assert_refused(&client("sip:alice@x.test", "127.0.0.1", &[]), "127.0.0.1");
    assert_refused(&client("sip:alice@x.test", "127.0.0.1:5060", &["--instance", "me"]), "URN");
    for args in [&["dance"][..], &["serve", "--sip", "here"], &["client"], &[]] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
}
