use super::{Command, Wanted, command, report};
use bytes::Bytes;
use cpm_proto::{ClientEvent, Direction, Received};
use serde_json::{Value, json};

#[test]
fn commands_are_read() {
    let send = r#"{"cmd":"send","to":"sip:b@x","text":"hi","want":["delivery","display"],"ref":"r1"}"#;
    assert_eq!(
        command(send).unwrap(),
        Command::Send {
            to: "sip:b@x".into(),
            text: "hi".into(),
            want: vec![Wanted::Delivery, Wanted::Display],
            reference: Some("r1".into()),
        }
    );
    let short = r#"{"text":"hi","to":"sip:b@x","cmd":"send"}"#;
    assert!(matches!(command(short), Ok(Command::Send { reference: None, .. })));
    assert_eq!(
        command(r#"{"cmd":"read","message_id":"m"}"#).unwrap(),
        Command::Read { message_id: "m".into() }
    );
    assert_eq!(command(r#" {"cmd":"quit"} "#).unwrap(), Command::Quit {});
}

#[test]
fn bad_lines_are_refused() {
    for line in [
        "",
        "quit",
        "{}",
        "[]",
        r#"{"cmd":"shout"}"#,
        r#"{"cmd":"send","to":"sip:b@x"}"#,
        r#"{"cmd":"send","to":"sip:b@x","text":1}"#,
        r#"{"cmd":"send","to":"sip:b@x","text":"hi","want":["seen"]}"#,
        r#"{"cmd":"send","to":"sip:b@x","text":"hi","wants":[]}"#,
        r#"{"cmd":"quit"} {"cmd":"quit"}"#,
    ] {
        assert!(command(line).is_err(), "{line}");
    }
}

fn line(event: &ClientEvent) -> Value {
    serde_json::from_str(&report(event).unwrap().line()).unwrap()
}

#[test]
fn events_have_the_documented_members() {
    assert_eq!(line(&ClientEvent::Registered), json!({"event": "registered"}));
    assert_eq!(line(&ClientEvent::Unregistered), json!({"event": "unregistered"}));
    assert_eq!(
        line(&ClientEvent::Accepted { reference: "r".into(), message_id: "m".into(), status: 202 }),
        json!({"event": "accepted", "ref": "r", "message_id": "m", "status": 202})
    );
    assert_eq!(
        line(&ClientEvent::Displayed { message_id: "m".into(), by: "sip:b@x".into() }),
        json!({"event": "displayed", "message_id": "m", "by": "sip:b@x"})
    );
    let failed = |reference: &str, status| ClientEvent::Failed {
        reference: reference.into(),
        message_id: "m".into(),
        status,
        reason: "no".into(),
    };
    assert_eq!(
        line(&failed("r", 403)),
        json!({"event": "failed", "ref": "r", "message_id": "m", "status": 403, "reason": "no"})
    );
    assert_eq!(
        line(&failed("", 0)),
        json!({"event": "failed", "ref": null, "message_id": "m", "status": null, "reason": "no"})
    );
}

#[test]
fn a_message_shows_text_or_base64() {
    let message = |content_type: &str, body: &'static [u8]| {
        line(&ClientEvent::Message(Box::new(Received {
            from: "sip:a@x".into(),
            to: "sip:b@x".into(),
            message_id: "m".into(),
            conversation_id: "c".into(),
            contribution_id: "d".into(),
            content_type: content_type.into(),
            body: Bytes::from_static(body),
            direction: Direction::Copy,
            deferred: true,
        })))
    };
    assert_eq!(
        message("text/plain;charset=UTF-8", "grüß\n".as_bytes()),
        json!({"event": "message", "from": "sip:a@x", "to": "sip:b@x", "message_id": "m", "conversation_id": "c",
            "contribution_id": "d", "content_type": "text/plain;charset=UTF-8", "text": "grüß\n",
            "direction": "copy", "deferred": true})
    );
    let binary = message("application/octet-stream", b"\x00\xff");
    assert_eq!((binary.get("text"), &binary["base64"]), (None, &json!("AP8=")));
}
