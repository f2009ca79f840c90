//! What is complete, what is refused, what is supplied.

use super::world::*;
use crate::Config;
use cpm_sip::HeaderId;

fn strict() -> Config {
    let mut config = config();
    config.server.as_mut().unwrap().policy.accept_plain_messages = false;
    config
}

fn pair(config: Config) -> (World, Device, Device) {
    let mut world = World::with(config);
    let (alice, mut bob) = (Device::udp("alice", 5061), Device::udp("bob", 5062));
    bob.register(&mut world);
    (world, alice, bob)
}

/// The status for a message, 0 if it was passed on.
fn status(config: Config, draft: &Draft) -> u16 {
    let (mut world, mut alice, _bob) = pair(config);
    alice.message(&mut world, draft).map_or(0, |response| response.status().unwrap())
}

fn without(name: &str) -> Draft {
    let mut draft = text("bob", "m1");
    let keep = |line: &&str| !line.starts_with(name);
    draft.headers = draft.headers.split_inclusive("\r\n").filter(keep).collect();
    draft
}

fn with(line: &str) -> Draft {
    let mut draft = text("bob", "m1");
    draft.headers.push_str(line);
    draft
}

// test: CONV-HDR-001, CONV-HDR-002, CONV-HDR-011, CONV-SEC-006
#[test]
fn identifiers_are_required_of_cpm_clients() {
    let long = |count: usize| {
        let mut draft = without("Contribution-ID");
        draft.headers.push_str(&format!("Contribution-ID: {}\r\n", "a".repeat(count)));
        draft
    };
    assert_eq!(status(config(), &text("bob", "m1")), 0);
    assert_eq!(status(config(), &without("Conversation-ID")), 400);
    assert_eq!(status(config(), &without("Contribution-ID")), 400);
    assert_eq!(status(config(), &with("Conversation-ID: another\r\n")), 400);
    assert_eq!(status(config(), &long(255)), 0);
    assert_eq!(status(config(), &long(256)), 0);
    assert_eq!(status(config(), &long(257)), 400);
}

// test: CONV-PF-002
#[test]
fn a_plain_message_gets_what_it_lacks() {
    let (mut world, mut alice, bob) = pair(config());
    let plain = Draft {
        headers: String::new(),
        kind: "text/plain;charset=UTF-8".into(),
        body: "grüße".as_bytes().to_vec(),
        ..text("bob", "m1")
    };
    assert!(alice.message(&mut world, &plain).is_none());
    let request = bob.one(&mut world);
    assert_eq!(request.header(HeaderId::ContentType), Some("message/cpim"));
    let ids =
        [HeaderId::ConversationId, HeaderId::ContributionId].map(|id| request.header(id).unwrap().len());
    assert_eq!(ids, [36, 36]);
    let body = request.body();
    let body = std::str::from_utf8(&body).unwrap();
    assert!(body.starts_with("From: <sip:alice@example.test>\r\nTo: <sip:bob@example.test>\r\n"), "{body}");
    assert!(body.contains("imdn.Message-ID: "));
    assert!(body.contains("Content-Type: text/plain;charset=UTF-8\r\n"));
    assert!(body.ends_with("\r\n\r\ngrüße"));
    assert_eq!(status(strict(), &plain), 403);
}

#[test]
fn cpim_without_a_message_id_gets_one() {
    let mut draft = text("bob", "m1");
    let body = String::from_utf8(draft.body).unwrap();
    draft.body = body
        .replace("imdn.Message-ID: m1\r\n", "")
        .replace("imdn.Disposition-Notification: positive-delivery, negative-delivery, display\r\n", "")
        .into();
    let (mut world, mut alice, bob) = pair(config());
    assert!(alice.message(&mut world, &draft).is_none());
    let body = bob.one(&mut world).body();
    assert!(std::str::from_utf8(&body).unwrap().contains("imdn.Message-ID: "));
    assert_eq!(status(strict(), &draft), 400);
}

// test: CONV-HDR-016
#[test]
fn codings_are_undone_or_refused() {
    let body = text("bob", "m1").body;
    let stored = |body: &[u8]| {
        // RFC 1950 with one stored block of RFC 1951: header, block, Adler-32.
        let length = u16::try_from(body.len()).unwrap();
        let mut out = vec![0x78, 0x01, 0x01];
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend_from_slice(body);
        let (mut a, mut b) = (1u32, 0u32);
        for byte in body {
            a = (a + u32::from(*byte)) % 65_521;
            b = (b + a) % 65_521;
        }
        out.extend((b << 16 | a).to_be_bytes());
        out
    };
    let (mut world, mut alice, bob) = pair(config());
    let deflated = Draft { body: stored(&body), ..with("Content-Encoding: deflate\r\n") };
    assert!(alice.message(&mut world, &deflated).is_none());
    let request = bob.one(&mut world);
    assert_eq!(request.body(), body);
    assert_eq!(request.header(HeaderId::ContentEncoding), None);
    let (mut world, mut alice, _bob) = pair(config());
    let response = alice.message(&mut world, &with("Content-Encoding: br\r\n")).unwrap();
    assert_eq!(response.status(), Some(415));
    assert_eq!(response.header(HeaderId::AcceptEncoding), Some("gzip, deflate, identity"));
    let mut damaged = stored(&body);
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    let damaged = Draft { body: damaged, ..with("Content-Encoding: deflate\r\n") };
    assert_eq!(status(config(), &damaged), 400);
}

// test: CONV-PM-003, CONV-ERR-010
#[test]
fn size_limit_at_n_minus_1_n_and_n_plus_1() {
    let size = text("bob", "m1").body.len() as u32;
    for (limit, expected) in [(size - 1, 403), (size, 0), (size + 1, 0)] {
        let mut config = config();
        config.server.as_mut().unwrap().policy.standalone_max_bytes = limit;
        let (mut world, mut alice, _bob) = pair(config);
        let response = alice.message(&mut world, &text("bob", "m1"));
        assert_eq!(response.as_ref().map_or(0, |response| response.status().unwrap()), expected);
        if let Some(response) = response {
            assert!(response.header(HeaderId::Warning).unwrap().contains("\"133 Size exceeded\""));
        }
    }
}

// test: CONV-PM-021
#[test]
fn bodies_are_judged() {
    let kind = |kind: &str| Draft { kind: kind.into(), ..text("bob", "m1") };
    assert_eq!(status(config(), &kind("application/sdp")), 415);
    assert_eq!(status(strict(), &kind("text/plain")), 415);
    let (mut world, mut alice, _bob) = pair(config());
    let response = alice.message(&mut world, &kind("application/sdp")).unwrap();
    assert!(response.header(HeaderId::Accept).unwrap().contains("message/cpim"));
    let body = |body: &str| Draft { body: body.into(), ..text("bob", "m1") };
    assert_eq!(status(config(), &body("no cpim at all")), 400);
    assert_eq!(status(config(), &body("")), 400);
    let required =
        String::from_utf8(text("bob", "m1").body).unwrap().replace("NS:", "Require: Nonsense\r\nNS:");
    assert_eq!(status(config(), &body(&required)), 400);
    let imdn = String::from_utf8(delivered("bob", "n1", "m0").body).unwrap().replace("<delivered/>", "");
    assert_eq!(status(config(), &body(&imdn)), 400);
}

// test: CONV-PF-093
#[test]
fn hops_run_out() {
    for (hops, expected) in [(0, 483), (1, 0), (2, 0)] {
        assert_eq!(status(config(), &Draft { hops, ..text("bob", "m1") }), expected);
    }
}

// test: CONV-PF-002, CONV-PM-030
#[test]
fn services_are_checked() {
    let service = |line: &str| {
        let mut draft = without("P-Preferred-Service");
        draft.headers.push_str(line);
        draft
    };
    let urn = "urn:urn-7:3gpp-service.ims.icsi.oma.cpm";
    assert_eq!(status(config(), &service(&format!("P-Preferred-Service: {urn}.msg\r\n"))), 0);
    assert_eq!(status(config(), &service(&format!("P-Preferred-Service: {urn}.msg.group\r\n"))), 0);
    assert_eq!(status(config(), &service(&format!("P-Preferred-Service: {urn}.session\r\n"))), 403);
    assert_eq!(status(config(), &service(&format!("P-Preferred-Service: {urn}.msgx\r\n"))), 403);
    assert_eq!(status(config(), &service(&format!("P-Preferred-Service: {urn}.deferred\r\n"))), 403);
    assert_eq!(status(config(), &service("")), 0, "Accept-Contact names it");
}

// test: CONV-TAG-013
#[test]
fn constraints_of_the_sender_pass() {
    let (mut world, mut alice, bob) = pair(config());
    let mut draft = with(
        "Accept-Contact: *;+g.example.tag=\"x\";require\r\nSubject: Hi\r\nDate: Mon, 07 Sep 2020 10:00:00 GMT\r\nX-Private: 1\r\n",
    );
    draft.headers.push_str("InReplyTo-Contribution-ID: earlier\r\n");
    assert!(alice.message(&mut world, &draft).is_none());
    let request = bob.one(&mut world);
    assert!(request.headers(HeaderId::AcceptContact).any(|value| value == "*;+g.example.tag=\"x\";require"));
    assert_eq!(request.header(HeaderId::Subject), Some("Hi"));
    assert_eq!(request.header(HeaderId::Date), Some("Mon, 07 Sep 2020 10:00:00 GMT"));
    assert_eq!(request.header(HeaderId::InReplyToContributionId), Some("earlier"));
    assert_eq!(request.headers_named("X-Private").count(), 0);
}

// test: RFC3261-8.2.2.3, RFC3261-11.2
#[test]
fn other_requests() {
    let (mut world, mut alice, _bob) = pair(config());
    let response = alice.message(&mut world, &with("Require: nothing-known\r\n")).unwrap();
    assert_eq!(
        (response.status(), response.header(HeaderId::Unsupported)),
        (Some(420), Some("nothing-known"))
    );
    for (method, status) in [("OPTIONS", 200), ("PUBLISH", 405), ("SUBSCRIBE", 405), ("BLA", 405)] {
        let text = format!(
            "{method} sip:example.test SIP/2.0\r\nVia: SIP/2.0/UDP {};branch=z9hG4bK{method}\r\nMax-Forwards: 70\r\nFrom: <sip:alice@example.test>;tag=r\r\nTo: <sip:example.test>\r\nCall-ID: c{method}\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n",
            alice.addr
        );
        alice.send(&mut world, text);
        let response = alice.response(&mut world).unwrap();
        assert_eq!(response.status(), Some(status), "{method}");
        assert_eq!(response.header(HeaderId::Allow), Some("REGISTER, MESSAGE, OPTIONS"));
        if status == 200 {
            assert!(response.header(HeaderId::Accept).unwrap().contains("message/cpim"));
        }
    }
}

// test: CONV-DF-013
#[test]
fn an_is_composing_indication_is_never_kept() {
    let composing = Draft {
        body: cpim("c1", "", "Content-Type: application/im-iscomposing+xml\r\n\r\n<isComposing/>"),
        ..text("bob", "c1")
    };
    let (mut world, mut alice, bob) = pair(config());
    assert!(alice.message(&mut world, &composing).is_none());
    bob.accept(&mut world);
    let mut world = World::new();
    assert_eq!(alice.status(&mut world, &composing), 480);
    assert!(world.store.records().next().is_none());
}
