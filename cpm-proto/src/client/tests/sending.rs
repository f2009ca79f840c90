use super::bench::{ALICE, BOB, Bench, CHALLENGE_407, secs};
use crate::client::{Outgoing, Want};
use crate::{ClientEvent, Error, Limits};
use cpm_base::{FlowDown, FlowId};
use cpm_cpim::cpim::Cpim;
use cpm_sip::{HeaderId, Message};
use std::time::Duration;

const ALL: Want = Want { delivery: true, display: true };

fn hello(bench: &mut Bench) -> String {
    bench.send(Outgoing::text(BOB, "hello").want(ALL).reference("r1")).unwrap()
}

// test: CONV-PM-010, CONV-PM-011, CONV-PM-012, CONV-BODY-001, CONV-BODY-004, CONV-BODY-006, CONV-HDR-001, CONV-HDR-014
#[test]
fn a_text_goes_out_as_the_specification_draws_it() {
    let mut bench = Bench::registered();
    let message_id = hello(&mut bench);
    let sent = bench.request("MESSAGE");
    assert_eq!(sent.request_uri(), Some(BOB));
    assert_eq!(sent.header(HeaderId::To), Some(format!("<{BOB}>").as_str()));
    assert!(sent.header(HeaderId::From).unwrap().starts_with(&format!("<{ALICE}>;tag=")));
    let icsi = "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg";
    assert_eq!(sent.header(HeaderId::PPreferredService), Some(icsi));
    assert_eq!(sent.header(HeaderId::PPreferredIdentity), Some(format!("<{ALICE}>").as_str()));
    let tag = icsi.replace(':', "%3A");
    assert_eq!(
        sent.header(HeaderId::AcceptContact),
        Some(format!("*;+g.3gpp.icsi-ref=\"{tag}\";require;explicit").as_str())
    );
    assert_eq!(sent.header(HeaderId::Date), Some("Wed, 25 Nov 2026 14:00:00 GMT"));
    assert_eq!(sent.header(HeaderId::Contact), None);
    for id in [HeaderId::ConversationId, HeaderId::ContributionId] {
        let value = sent.header(id).unwrap();
        assert_eq!((value.len(), value.matches('-').count()), (36, 4), "{value}");
    }
    let body = sent.body();
    let cpim = Cpim::parse(&body, &cpm_cpim::Limits::default()).unwrap();
    cpim.validate(&[]).unwrap();
    let anonymous = "sip:anonymous@anonymous.invalid";
    assert_eq!(cpim.from().unwrap().unwrap().uri, anonymous);
    assert_eq!(cpim.to().next().unwrap().unwrap().uri, anonymous);
    assert_eq!(cpim.message_id().as_deref(), Some(message_id.as_str()));
    assert!(message_id.len() >= 13, "64 bits take 13 letters of base 32");
    assert_eq!(cpim.datetime_text(), Some("2026-11-25T14:00:00Z"));
    let wanted = cpim.disposition_notification();
    assert!(wanted.positive_delivery && wanted.negative_delivery && wanted.display && !wanted.processing);
    assert_eq!(cpim.body(), b"hello");
    let order: Vec<&str> = cpim.headers().map(|header| header.name).collect();
    assert_eq!(order, ["From", "To", "NS", "Message-ID", "DateTime", "Disposition-Notification"]);
    assert!(sent.raw().len() <= 1_300);
    bench.answer(&sent, "202 Accepted", "");
    let accepted = ClientEvent::Accepted { reference: "r1".into(), message_id, status: 202 };
    assert_eq!(bench.next_event(), accepted);
    bench.no_event();
}

// test: CONV-HDR-004, CONV-HDR-002
#[test]
fn one_conversation_for_each_peer_and_one_contribution_for_each_message() {
    let mut bench = Bench::registered();
    let mut ids = Vec::new();
    for to in [BOB, "sip:carol@example.test", "sip:BOB@example.test", "SIP:bob@EXAMPLE.test"] {
        bench.send(Outgoing::text(to, "x")).unwrap();
        let sent = bench.request("MESSAGE");
        let id = |field| sent.header(field).unwrap().to_owned();
        ids.push((id(HeaderId::ConversationId), id(HeaderId::ContributionId)));
        bench.answer(&sent, "200 OK", "");
    }
    assert_ne!(ids[0].0, ids[1].0);
    assert_ne!(ids[0].0, ids[2].0, "the user part is compared with case (RFC 3261 §19.1.4)");
    assert_eq!(ids[0].0, ids[3].0);
    assert!(ids.iter().enumerate().all(|(at, id)| ids.iter().skip(at + 1).all(|other| other.1 != id.1)));
}

// test: CONV-PM-015
#[test]
fn one_message_at_a_time_for_each_recipient() {
    let mut bench = Bench::registered();
    for (to, text) in [(BOB, "1"), (BOB, "2"), ("sip:carol@example.test", "3"), (BOB, "4")] {
        bench.send(Outgoing::text(to, text).reference(text)).unwrap();
    }
    let (first, third) = (bench.request("MESSAGE"), bench.request("MESSAGE"));
    bench.nothing_sent();
    assert!(first.body().ends_with(b"1") && third.body().ends_with(b"3"));
    bench.answer(&first, "404 Not Found", "");
    assert_eq!(bench.failure(), (404, "Not Found".into()));
    let second = bench.request("MESSAGE");
    assert!(second.body().ends_with(b"2"));
    bench.nothing_sent();
    bench.answer(&second, "200 OK", "");
    let fourth = bench.request("MESSAGE");
    assert!(fourth.body().ends_with(b"4"));
}

// test: CONV-PM-013
#[test]
fn a_challenge_is_answered_once_and_then_ahead_of_time() {
    let mut bench = Bench::registered();
    hello(&mut bench);
    let bare = bench.request("MESSAGE");
    assert_eq!(bare.header(HeaderId::ProxyAuthorization), None);
    bench.answer(&bare, "407 Proxy Authentication Required", CHALLENGE_407);
    let first = bench.request("MESSAGE");
    let credentials = first.header(HeaderId::ProxyAuthorization).unwrap();
    assert!(credentials.contains("nonce=\"p1\"") && credentials.contains("nc=00000001"), "{credentials}");
    assert_eq!(bare.body(), first.body());
    for id in [HeaderId::ConversationId, HeaderId::ContributionId] {
        assert_eq!(bare.header(id), first.header(id));
    }
    bench.answer(&first, "200 OK", "");
    assert!(matches!(bench.next_event(), ClientEvent::Accepted { status: 200, .. }));
    hello(&mut bench);
    let second = bench.request("MESSAGE");
    assert!(second.header(HeaderId::ProxyAuthorization).unwrap().contains("nc=00000002"));
    // A stale nonce costs one more turn.
    let stale = CHALLENGE_407.replace("p1", "p2").replace("\r\n", ", stale=true\r\n");
    bench.answer(&second, "407 Proxy Authentication Required", &stale);
    let third = bench.request("MESSAGE");
    let credentials = third.header(HeaderId::ProxyAuthorization).unwrap();
    assert!(credentials.contains("nonce=\"p2\"") && credentials.contains("nc=00000001"), "{credentials}");
    // Refused again: over.
    bench.answer(&third, "407 Proxy Authentication Required", CHALLENGE_407);
    assert_eq!(bench.failure().0, 407);
    bench.nothing_sent();
}

#[test]
fn messages_challenged_at_the_same_time_all_get_through() {
    let mut bench = Bench::registered();
    let sent: Vec<Message> = (0..4)
        .map(|at| {
            bench.send(Outgoing::text(format!("sip:peer{at}@example.test"), "x")).unwrap();
            bench.request("MESSAGE")
        })
        .collect();
    for (at, bare) in sent.iter().enumerate() {
        let challenge = CHALLENGE_407.replace("p1", &format!("p{at}"));
        bench.answer(bare, "407 Proxy Authentication Required", &challenge);
        let again = bench.request("MESSAGE");
        assert!(again.header(HeaderId::ProxyAuthorization).is_some());
        bench.answer(&again, "200 OK", "");
        assert!(matches!(bench.next_event(), ClientEvent::Accepted { .. }));
    }
}

// test: CONV-PM-013, CONV-PM-014
#[test]
fn no_answer_means_the_same_message_again_and_failure_in_the_end() {
    let mut bench = Bench::registered();
    hello(&mut bench);
    let first = bench.request("MESSAGE");
    let mut known = vec![first.clone()];
    for _ in 1..bench.limits.client.attempts {
        let again = bench.request_within("MESSAGE", secs(60), &known);
        assert_eq!(again.body(), first.body());
        assert_ne!(again.header(HeaderId::CallId), None);
        assert_eq!(again.header(HeaderId::ContributionId), first.header(HeaderId::ContributionId));
        assert_eq!(again.header(HeaderId::ConversationId), first.header(HeaderId::ConversationId));
        assert_ne!(again.header(HeaderId::Via), first.header(HeaderId::Via));
        known.push(again);
    }
    bench.pass(secs(60));
    assert_eq!(bench.failure(), (408, "Request Timeout".into()));
}

// test: CONV-PM-014
#[test]
fn a_503_is_tried_again_after_what_it_asks() {
    let mut bench = Bench::registered();
    hello(&mut bench);
    let first = bench.request("MESSAGE");
    bench.answer(&first, "503 Service Unavailable", "Retry-After: 9\r\n");
    bench.pass(Duration::from_millis(8_900));
    bench.nothing_sent();
    bench.pass(Duration::from_millis(200));
    let again = bench.request("MESSAGE");
    assert_eq!(again.body(), first.body());
    bench.answer(&again, "200 OK", "");
    assert!(matches!(bench.next_event(), ClientEvent::Accepted { status: 200, .. }));
}

// test: CONV-PM-016
#[test]
fn a_redirection_is_followed_once_and_only_at_home() {
    for (contact, followed) in [
        ("<sip:bob-phone@example.test>", true),
        ("<sip:bob@elsewhere.test>", false),
        ("<tel:+12025550111>", false),
    ] {
        let mut bench = Bench::registered();
        hello(&mut bench);
        let first = bench.request("MESSAGE");
        let redirect = format!("Contact: {contact}\r\n");
        bench.answer(&first, "302 Moved Temporarily", &redirect);
        if followed {
            let second = bench.request("MESSAGE");
            assert_eq!(second.request_uri(), Some("sip:bob-phone@example.test"));
            assert_eq!(second.body(), first.body());
            bench.answer(&second, "302 Moved Temporarily", &redirect);
        }
        assert_eq!(bench.failure().0, 302, "{contact}");
        bench.nothing_sent();
    }
}

// test: CONV-PM-001, CONV-PM-003
#[test]
fn the_size_of_the_whole_message_decides() {
    let fits = |limit: usize, text: &str| {
        let mut limits = Limits::default();
        limits.client.pager_udp = limit;
        let mut bench = Bench::registered_with(limits);
        bench.send(Outgoing::text(BOB, text).reference("r")).unwrap();
        match bench.sent_or_none() {
            Some(sent) => {
                assert!(sent.raw().len() <= limit, "{} bytes at a limit of {limit}", sent.raw().len());
                true
            }
            None => {
                let (status, reason) = bench.failure();
                assert_eq!((status, reason.as_str()), (403, "Size exceeded"));
                false
            }
        }
    };
    let text = "x".repeat(200);
    let exact = (900..1_400).find(|limit| fits(*limit, &text)).unwrap();
    assert!(!fits(exact - 1, &text) && fits(exact, &text) && fits(exact + 1, &text));
    assert!(!fits(exact, &format!("{text}x")), "one byte more of text is one byte more of message");
}

// test: CONV-PM-002, CONV-PM-003
#[test]
fn a_reliable_transport_takes_more() {
    let mut bench = Bench::tcp();
    let token = bench.opens.pop_front().unwrap();
    bench.up(FlowId(7), Some(token));
    bench.complete_registration();
    bench.send(Outgoing::text(BOB, "x".repeat(50_000))).unwrap();
    assert!(bench.request("MESSAGE").body().len() > 50_000);
    bench.send(Outgoing::text("sip:carol@example.test", "x".repeat(65_536))).unwrap();
    assert_eq!(bench.failure(), (403, "Size exceeded".into()));
}

// test: CONV-ERR-001, CONV-ERR-010
#[test]
fn a_warning_of_the_network_says_why() {
    for (more, reason) in [
        ("Warning: 399 example.test \"133 Size exceeded\"\r\n", "Size exceeded"),
        ("Warning: 399 example.test \"too late\"\r\n", "Forbidden"),
        ("", "Forbidden"),
    ] {
        let mut bench = Bench::registered();
        hello(&mut bench);
        let sent = bench.request("MESSAGE");
        bench.answer(&sent, "403 Forbidden", more);
        assert_eq!(bench.failure(), (403, reason.into()));
    }
}

#[test]
fn what_cannot_be_sent_is_refused_and_changes_nothing() {
    let mut bench = Bench::registered();
    for to in
        ["", "bob", "http://example.test", "sip:example.test", "sip:bob@example.test?Route=x", "sip:a\r\nb@x"]
    {
        assert!(matches!(bench.send(Outgoing::text(to, "x")), Err(Error::Usage(_))), "{to}");
    }
    let odd = Outgoing { content_type: "text/plain\r\nX: y".into(), ..Outgoing::text(BOB, "x") };
    assert!(matches!(bench.send(odd), Err(Error::Usage(_))));
    bench.nothing_sent();
    bench.no_event();
}

#[test]
fn so_many_wait_and_no_more() {
    let mut limits = Limits::default();
    limits.client.outgoing = 3;
    let mut bench = Bench::registered_with(limits);
    for count in 1..=3 {
        assert!(bench.send(Outgoing::text(BOB, "x")).is_ok(), "{count}");
    }
    assert!(matches!(bench.send(Outgoing::text(BOB, "x")), Err(Error::Limit(_))));
    let first = bench.request("MESSAGE");
    bench.answer(&first, "200 OK", "");
    assert!(bench.send(Outgoing::text(BOB, "x")).is_ok());
}

#[test]
fn messages_wait_for_the_registration() {
    let mut bench = Bench::tcp();
    bench.send(Outgoing::text(BOB, "1")).unwrap();
    let token = bench.opens.pop_front().unwrap();
    bench.up(FlowId(7), Some(token));
    bench.send(Outgoing::text(BOB, "2")).unwrap();
    let register = bench.request("REGISTER");
    bench.nothing_sent();
    bench.answer(&register, "200 OK", "Expires: 3600\r\n");
    let first = bench.request("MESSAGE");
    assert!(first.body().ends_with(b"1"));
    bench.answer(&first, "200 OK", "");
    assert!(bench.request("MESSAGE").body().ends_with(b"2"));
}

#[test]
fn messages_fail_when_the_registration_does_not_come() {
    let mut bench = Bench::tcp();
    hello(&mut bench);
    bench.pass(bench.limits.client.give_up);
    assert_eq!(bench.failure(), (503, "Not registered".into()));
}

// test: CONV-PM-014
#[test]
fn a_lost_connection_takes_the_message_to_the_next_one() {
    let mut bench = Bench::tcp();
    let token = bench.opens.pop_front().unwrap();
    bench.up(FlowId(7), Some(token));
    bench.complete_registration();
    hello(&mut bench);
    let first = bench.request("MESSAGE");
    bench.down(FlowDown::Reset);
    while bench.opens.is_empty() {
        bench.pass(secs(1));
    }
    let token = bench.opens.pop_front().unwrap();
    bench.up(FlowId(8), Some(token));
    let register = bench.request("REGISTER");
    bench.answer(&register, "200 OK", "Expires: 3600\r\n");
    let again = bench.request_within("MESSAGE", secs(10), &[]);
    assert_eq!(again.body(), first.body());
    bench.answer(&again, "200 OK", "");
    let mut events = std::iter::repeat_with(|| bench.next_event());
    assert!(events.any(|event| matches!(event, ClientEvent::Accepted { status: 200, .. })));
}

#[test]
fn unregistering_waits_for_what_is_under_way() {
    let mut bench = Bench::registered();
    hello(&mut bench);
    let sent = bench.request("MESSAGE");
    bench.leave();
    bench.nothing_sent();
    assert!(matches!(bench.send(Outgoing::text(BOB, "late")), Err(Error::Usage(_))));
    bench.answer(&sent, "200 OK", "");
    assert!(matches!(bench.next_event(), ClientEvent::Accepted { .. }));
    let last = bench.request("REGISTER");
    bench.answer(&last, "200 OK", "");
    assert_eq!(bench.next_event(), ClientEvent::Unregistered);
    bench.assert_empty();
}

#[test]
fn unregistering_does_not_wait_for_ever() {
    let mut bench = Bench::registered();
    hello(&mut bench);
    bench.leave();
    let most = bench.limits.client.linger + bench.limits.client.unregister;
    bench.pass(most);
    assert!(matches!(bench.next_event(), ClientEvent::Failed { .. }));
    assert_eq!(bench.next_event(), ClientEvent::Unregistered);
    bench.assert_empty();
}
