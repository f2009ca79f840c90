use super::bench::{ALICE, BOB, Bench, INSTANCE, SERVER};
use crate::client::Outgoing;
use crate::{ClientEvent, Direction, Limits, Received};
use cpm_sip::HeaderId;

const ICSI: &str = "urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm";

/// The fields of a CPM message from Bob, as a participating function writes them.
pub(super) fn fields(from: &str, service: &str, content: &str) -> String {
    format!(
        "From: <{from}>;tag=b\r\nTo: <{ALICE}>\r\nP-Asserted-Identity: <{from}>\r\n\
         Accept-Contact: *;+g.3gpp.icsi-ref=\"{ICSI}.{service}\";require;explicit\r\n\
         Conversation-ID: f81d4fae-7dec-11d0-a765-00a0c91e6bf6\r\n\
         Contribution-ID: 7c9e6679-7425-40de-944b-e07fc1f90ae7\r\nContent-Type: {content}\r\n"
    )
}

pub(super) fn cpim(message_id: &str, wanted: &str, content: &str) -> String {
    format!(
        "From: <sip:anonymous@anonymous.invalid>\r\nTo: <sip:anonymous@anonymous.invalid>\r\n\
         NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: {message_id}\r\nDateTime: 2026-11-25T13:59:00Z\r\n\
         {wanted}\r\n{content}"
    )
}

fn text(message_id: &str, text: &str) -> String {
    cpim(message_id, "", &format!("Content-Type: text/plain;charset=UTF-8\r\n\r\n{text}"))
}

fn received(event: ClientEvent) -> Received {
    match event {
        ClientEvent::Message(message) => *message,
        other => panic!("{other:?}"),
    }
}

// test: CONV-PM-020, CONV-HDR-012, CONV-HDR-014
#[test]
fn a_message_is_answered_and_shown() {
    let mut bench = Bench::registered();
    bench.incoming(&fields(BOB, "msg", "message/cpim"), &text("m1", "grüß"));
    let answer = bench.response(200);
    assert_eq!(answer.header(HeaderId::ConversationId), Some("f81d4fae-7dec-11d0-a765-00a0c91e6bf6"));
    assert_eq!(answer.header(HeaderId::ContributionId), Some("7c9e6679-7425-40de-944b-e07fc1f90ae7"));
    assert_eq!((answer.header(HeaderId::Contact), answer.body().len()), (None, 0));
    let message = received(bench.next_event());
    assert_eq!(message.text().as_deref(), Some("grüß"));
    assert_eq!(
        message,
        Received {
            from: BOB.into(),
            to: ALICE.into(),
            message_id: "m1".into(),
            conversation_id: "f81d4fae-7dec-11d0-a765-00a0c91e6bf6".into(),
            contribution_id: "7c9e6679-7425-40de-944b-e07fc1f90ae7".into(),
            content_type: "text/plain;charset=UTF-8".into(),
            body: "grüß".into(),
            direction: Direction::In,
            deferred: false,
        }
    );
    bench.nothing_sent();
}

// test: CONV-DF-005, CONV-PM-020
#[test]
fn the_service_tells_what_was_deferred_and_what_is_not_for_us() {
    for (service, status, deferred) in [
        ("msg", 200, Some(false)),
        ("msg.group", 200, Some(false)),
        ("systemmsg", 200, Some(false)),
        ("deferred", 200, Some(true)),
        ("session", 403, None),
        ("msgs", 403, None),
    ] {
        let mut bench = Bench::registered();
        bench.incoming(&fields(BOB, service, "message/cpim"), &text("m1", "x"));
        bench.response(status);
        match deferred {
            Some(deferred) => assert_eq!(received(bench.next_event()).deferred, deferred, "{service}"),
            None => bench.no_event(),
        }
    }
}

// test: CONV-PM-022
#[test]
fn a_message_is_shown_once_however_often_it_comes() {
    let mut bench = Bench::registered();
    for round in 0..3 {
        bench.incoming(&fields(BOB, "msg", "message/cpim"), &text("m1", "x"));
        bench.response(200);
        if round == 0 {
            received(bench.next_event());
        }
        bench.no_event();
    }
    // The same Message-ID of somebody else is another message.
    bench.incoming(&fields("sip:carol@example.test", "msg", "message/cpim"), &text("m1", "x"));
    bench.response(200);
    assert_eq!(received(bench.next_event()).from, "sip:carol@example.test");
    // A later deferred delivery of the same is no other.
    bench.incoming(&fields(BOB, "deferred", "message/cpim"), &text("m1", "x"));
    bench.response(200);
    bench.no_event();
}

// test: CONV-PM-032, CONV-PM-018, CONV-IMDN-013
#[test]
fn what_another_device_sent_shows_as_a_copy_and_is_not_notified_about() {
    let mut bench = Bench::registered();
    let wanted = "imdn.Disposition-Notification: positive-delivery, display\r\n";
    let body = cpim("m1", wanted, "Content-Type: text/plain\r\n\r\nx");
    let body = body.replacen("anonymous@anonymous.invalid", "alice@example.test", 1);
    let body = body.replacen("anonymous@anonymous.invalid", "bob@example.test", 1);
    for _ in 0..2 {
        bench.incoming(&fields(ALICE, "msg", "message/cpim"), &body);
        bench.response(200);
    }
    let copy = received(bench.next_event());
    assert_eq!((copy.direction, copy.from.as_str(), copy.to.as_str()), (Direction::Copy, ALICE, BOB));
    assert!(bench.read("m1").is_err());
    bench.no_event();
    bench.nothing_sent();
}

// test: CONV-PM-018
#[test]
fn what_this_device_sent_itself_is_not_shown_again() {
    let mut bench = Bench::registered();
    let message_id = bench.send(Outgoing::text(ALICE, "note to self")).unwrap();
    let sent = bench.request("MESSAGE");
    bench.incoming(&fields(ALICE, "msg", "message/cpim"), &text(&message_id, "note to self"));
    bench.response(200);
    bench.answer(&sent, "200 OK", "");
    assert!(matches!(bench.next_event(), ClientEvent::Accepted { .. }));
    bench.no_event();
}

// test: CONV-PM-021, CONV-HDR-016, CONV-BODY-016, CONV-HDR-011
#[test]
fn what_cannot_be_read_is_refused_with_a_reason() {
    let good = fields(BOB, "msg", "message/cpim");
    let body = text("m1", "x");
    let long = "x".repeat(257);
    // (fields, body, status, field of the answer)
    let table = [
        (fields(BOB, "msg", "image/png"), body.clone(), 415, Some(HeaderId::Accept)),
        (fields(BOB, "msg", "application/im-iscomposing+xml"), body.clone(), 415, Some(HeaderId::Accept)),
        (format!("{good}Content-Encoding: br\r\n"), body.clone(), 415, Some(HeaderId::AcceptEncoding)),
        (format!("{good}Content-Encoding: gzip\r\n"), body.clone(), 400, None),
        (good.clone(), "no cpim".into(), 400, None),
        (good.clone(), body.replace("NS:", "Require: imdn.Unknown\r\nNS:"), 400, None),
        (good.clone(), text(&long, "x"), 400, None),
        (good.replace("Contribution-ID: 7c", "X-ID: 7c"), body.clone(), 400, None),
        (good.replace("Conversation-ID: f8", "X-ID: f8"), body.clone(), 400, None),
        (good.replace("Conversation-ID: f8", &format!("Conversation-ID: {long}")), body.clone(), 400, None),
        (format!("{good}Conversation-ID: other\r\n"), body.clone(), 400, None),
        (
            format!("{good}Require: recipient-list-message\r\n"),
            body.clone(),
            420,
            Some(HeaderId::Unsupported),
        ),
    ];
    for (fields, body, status, field) in table {
        let mut bench = Bench::registered();
        bench.incoming(&fields, &body);
        let answer = bench.response(status);
        if let Some(field) = field {
            assert!(answer.header(field).is_some(), "{status} without {field}");
        }
        bench.no_event();
        bench.nothing_sent();
    }
}

// test: CONV-REG-008
#[test]
fn what_names_another_device_is_refused() {
    for (instance, status) in [(INSTANCE, 200), ("urn:uuid:00000000-0000-4000-8000-0000000000b2", 486)] {
        let mut bench = Bench::registered();
        let for_device = format!("Accept-Contact: *;+sip.instance=\"<{instance}>\";require;explicit\r\n");
        let fields = fields(BOB, "msg", "message/cpim") + &for_device;
        bench.incoming(&fields, &text("m1", "x"));
        bench.response(status);
    }
}

#[test]
fn plain_text_of_a_client_that_knows_no_cpm_is_shown() {
    let mut bench = Bench::registered();
    let fields = format!("From: \"Bob\" <{BOB}>;tag=b\r\nTo: <{ALICE}>\r\nContent-Type: text/plain\r\n");
    bench.incoming(&fields, "hello");
    bench.response(200);
    let message = received(bench.next_event());
    assert_eq!((message.from.as_str(), message.text().as_deref()), (BOB, Some("hello")));
    assert_eq!((message.conversation_id.as_str(), message.contribution_id.as_str()), ("", ""));
    // The bytes FF FE are no UTF-8.
    let mut text = bench.message(&fields, "??").into_bytes();
    let end = text.len();
    text[end - 2..].copy_from_slice(&[0xff, 0xfe]);
    bench.receive(text);
    bench.response(200);
    assert_eq!(received(bench.next_event()).text().as_deref(), Some("\u{fffd}\u{fffd}"));
}

// test: CONV-BODY-011
#[test]
fn encoded_payloads_are_decoded() {
    let mut bench = Bench::registered();
    let content = "Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=";
    bench.incoming(&fields(BOB, "msg", "message/cpim"), &cpim("m1", "", content));
    bench.response(200);
    assert_eq!(received(bench.next_event()).body, "hello");
}

#[test]
fn a_decoded_body_has_a_limit() {
    // 100 zero bytes in one stored deflate block (RFC 1951 §3.2.4).
    let mut deflated = vec![1, 100, 0, 155, 255];
    deflated.extend([b'x'; 100]);
    for (limit, status) in [(99, 413), (100, 200), (101, 200)] {
        let limits = Limits { decoded_body: limit, ..Limits::default() };
        let mut bench = Bench::registered_with(limits);
        let fields = format!(
            "From: <{BOB}>;tag=b\r\nTo: <{ALICE}>\r\nContent-Type: text/plain\r\nContent-Encoding: deflate\r\n"
        );
        let mut text = bench.message(&fields, &"?".repeat(deflated.len())).into_bytes();
        let start = text.len() - deflated.len();
        text[start..].copy_from_slice(&deflated);
        bench.receive(text);
        bench.response(status);
    }
}

// test: CONV-BODY-004, CONV-SEC-007
#[test]
fn identity_comes_from_the_own_server_only() {
    let mut bench = Bench::registered();
    let forged =
        fields(BOB, "msg", "message/cpim").replace(&format!("From: <{BOB}>"), "From: <sip:mallory@x.test>");
    let message = bench.message(&forged, &text("m1", "x"));
    bench.receive_from("198.51.100.66:5060", message);
    bench.response(200);
    assert_eq!(received(bench.next_event()).from, "sip:mallory@x.test");
    // Nobody but the own server speaks for the user himself.
    let message = bench.message(&fields(ALICE, "msg", "message/cpim"), &text("m2", "x"));
    bench.receive_from("198.51.100.66:5060", message);
    bench.response(403);
    bench.no_event();
}

// test: CONV-CAP-002, RFC3261-11.2
#[test]
fn options_tell_what_this_device_can_do() {
    let mut bench = Bench::registered();
    let fields = format!("From: <{BOB}>;tag=b\r\nTo: <{ALICE}>\r\n");
    let text = bench.message(&fields, "").replace("MESSAGE", "OPTIONS");
    bench.receive(text);
    let answer = bench.response(200);
    assert_eq!(answer.header(HeaderId::Allow), Some("MESSAGE, OPTIONS"));
    assert!(answer.header(HeaderId::Accept).unwrap().contains("message/cpim"));
    let contact = answer.header(HeaderId::Contact).unwrap();
    assert!(contact.contains(&format!("{ICSI}.msg,{ICSI}.deferred,{ICSI}.systemmsg")), "{contact}");
    let text = bench.message(&fields, "").replace("MESSAGE", "INFO");
    bench.receive(text);
    assert_eq!(bench.response(405).header(HeaderId::Allow), Some("MESSAGE, OPTIONS"));
    let text =
        bench.message(&fields, "").replace(&format!("MESSAGE {ALICE}"), "MESSAGE sip:nobody@example.test");
    bench.receive_from(SERVER, text);
    bench.response(404);
}
