use super::bench::{ALICE, BOB, Bench, secs};
use super::receiving::{cpim, fields};
use crate::client::{Outgoing, Want};
use crate::{ClientEvent, Limits};
use cpm_base::FlowId;
use cpm_cpim::cpim::Cpim;
use cpm_cpim::imdn::{Delivery, Display, Imdn, Notification};
use cpm_sip::{HeaderId, Message};

const DELIVERED: Notification = Notification::Delivery(Delivery::Delivered);
const DISPLAYED: Notification = Notification::Display(Display::Displayed);
const BOTH: &str = "imdn.Disposition-Notification: positive-delivery, display\r\n";

/// A message from Bob that asks for these notifications.
fn ask(bench: &mut Bench, message_id: &str, wanted: &str) {
    let content = "Content-Type: text/plain\r\n\r\nx";
    bench.incoming(&fields(BOB, "msg", "message/cpim"), &cpim(message_id, wanted, content));
    bench.response(200);
    assert!(matches!(bench.next_event(), ClientEvent::Message(_)));
}

/// What a notification on the wire says.
fn notification(sent: &Message) -> (String, Notification) {
    let body = sent.body();
    let cpim = Cpim::parse(&body, &cpm_cpim::Limits::default()).unwrap();
    assert!(cpim.is_imdn() && cpim.mime().is_disposition("notification"));
    assert!(cpim.disposition_notification().is_empty());
    let imdn = Imdn::parse(cpim.body(), &cpm_cpim::Limits::default()).unwrap();
    assert_ne!(cpim.message_id().as_deref(), Some(imdn.message_id.as_ref()));
    assert_eq!(imdn.datetime, "2026-11-25T13:59:00Z");
    assert_eq!(imdn.recipient_uri.as_deref(), Some("sip:anonymous@anonymous.invalid"));
    (imdn.message_id.into_owned(), imdn.notification)
}

/// The document of RFC 5438 §7.2.1.1 with another message-id and status.
fn document(message_id: &str, status: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<imdn xmlns=\"urn:ietf:params:xml:ns:imdn\">\
         <message-id>{message_id}</message-id><datetime>2008-04-04T12:16:49-05:00</datetime>\
         <recipient-uri>im:bob@example.com</recipient-uri>{status}</imdn>"
    )
}

fn delivered(message_id: &str) -> String {
    document(message_id, "<delivery-notification><status><delivered/></status></delivery-notification>")
}

fn displayed(message_id: &str) -> String {
    document(message_id, "<display-notification><status><displayed/></status></display-notification>")
}

fn failed(message_id: &str) -> String {
    document(message_id, "<delivery-notification><status><failed/></status></delivery-notification>")
}

/// A notification from somebody.
fn notify(bench: &mut Bench, from: &str, document: &str) {
    let content =
        format!("Content-Type: message/imdn+xml\r\nContent-Disposition: notification\r\n\r\n{document}");
    bench.incoming(&fields(from, "msg", "message/cpim"), &cpim("n1", "", &content));
    bench.response(200);
}

/// A message to Bob that the network has taken.
fn accepted(bench: &mut Bench) -> String {
    let want = Want { delivery: true, display: true };
    let message_id = bench.send(Outgoing::text(BOB, "x").want(want).reference("r")).unwrap();
    let sent = bench.request("MESSAGE");
    bench.answer(&sent, "200 OK", "");
    assert!(matches!(bench.next_event(), ClientEvent::Accepted { .. }));
    message_id
}

// test: CONV-IMDN-010, CONV-IMDN-020, CONV-IMDN-021, CONV-IMDN-003, CONV-IMDN-004, CONV-PM-023
#[test]
fn delivery_and_display_are_notified_once_each_when_asked() {
    let mut bench = Bench::registered();
    ask(&mut bench, "m1", BOTH);
    let first = bench.request("MESSAGE");
    assert_eq!(first.request_uri(), Some(BOB));
    assert_eq!(first.header(HeaderId::ConversationId), Some("f81d4fae-7dec-11d0-a765-00a0c91e6bf6"));
    assert_eq!(first.header(HeaderId::ContributionId), Some("7c9e6679-7425-40de-944b-e07fc1f90ae7"));
    assert_eq!(notification(&first), ("m1".into(), DELIVERED));
    // The gate holds the second one until the first is answered.
    bench.read("m1").unwrap();
    bench.nothing_sent();
    bench.answer(&first, "200 OK", "");
    let second = bench.request("MESSAGE");
    assert_eq!(notification(&second), ("m1".into(), DISPLAYED));
    bench.answer(&second, "200 OK", "");
    bench.read("m1").unwrap();
    bench.nothing_sent();
    bench.no_event();
}

// test: CONV-IMDN-010
#[test]
fn nothing_is_notified_that_was_not_asked_for() {
    for (wanted, delivery, display) in [
        ("", false, false),
        ("imdn.Disposition-Notification: negative-delivery, processing\r\n", false, false),
        ("imdn.Disposition-Notification: positive-delivery\r\n", true, false),
        ("imdn.Disposition-Notification: display\r\n", false, true),
    ] {
        let mut bench = Bench::registered();
        ask(&mut bench, "m1", wanted);
        if delivery {
            let sent = bench.request("MESSAGE");
            assert_eq!(notification(&sent).1, DELIVERED);
            bench.answer(&sent, "200 OK", "");
        }
        bench.read("m1").unwrap();
        if display {
            assert_eq!(notification(&bench.request("MESSAGE")).1, DISPLAYED);
        }
        bench.nothing_sent();
    }
}

// test: CONV-IMDN-020
#[test]
fn a_hidden_sender_is_notified_through_the_network() {
    let hidden = "sip:anonymous@anonymous.invalid";
    let mut bench = Bench::registered();
    let content = "Content-Type: text/plain\r\n\r\nx";
    bench.incoming(&fields(hidden, "msg", "message/cpim"), &cpim("m1", BOTH, content));
    bench.response(200);
    let sent = bench.request("MESSAGE");
    assert_eq!((sent.request_uri(), notification(&sent)), (Some(hidden), ("m1".into(), DELIVERED)));
    bench.answer(&sent, "404 Not Found", "");
    bench.pass(secs(300));
    assert!(
        bench
            .sent_or_none()
            .is_none_or(|other| other.method().is_some_and(|method| method.as_str() == "REGISTER"))
    );
}

#[test]
fn reading_what_never_came_is_an_error() {
    assert!(Bench::registered().read("m1").is_err());
}

// test: CONV-BODY-008
#[test]
fn a_recorded_route_is_taken() {
    // Over UDP this one is large enough to go over TCP (RFC 3261 §18.1.1).
    let mut bench = Bench::tcp();
    let token = bench.opens.pop_front().unwrap();
    bench.up(FlowId(7), Some(token));
    bench.complete_registration();
    let routes = "imdn.IMDN-Record-Route: <sip:relay1@example.test>\r\nimdn.IMDN-Record-Route: <sip:relay2@example.test>\r\n";
    ask(&mut bench, "m1", &format!("{BOTH}{routes}"));
    let sent = bench.request("MESSAGE");
    assert_eq!(sent.request_uri(), Some("sip:relay1@example.test"));
    let body = sent.body();
    let cpim = Cpim::parse(&body, &cpm_cpim::Limits::default()).unwrap();
    let route: Vec<&str> = cpim.route().map(|address| address.unwrap().uri).collect();
    assert_eq!(route, ["sip:relay1@example.test", "sip:relay2@example.test"]);
}

// test: CONV-IMDN-060, CONV-PM-022
#[test]
fn a_notification_is_tried_again_or_dropped_by_the_status() {
    for (status, again) in [
        ("480 Gone Fishing", true),
        ("408 Timeout", true),
        ("500 Oops", true),
        ("503 Busy", true),
        ("403 No", false),
        ("603 No", false),
    ] {
        let mut bench = Bench::registered();
        ask(&mut bench, "m1", BOTH);
        let first = bench.request("MESSAGE");
        bench.answer(&first, status, "");
        bench.pass(secs(3));
        if again {
            let second = bench.request("MESSAGE");
            assert_eq!(second.body(), first.body(), "{status}");
        } else {
            bench.nothing_sent();
            // A repetition of the message gives the notification another chance.
            let content = "Content-Type: text/plain\r\n\r\nx";
            bench.incoming(&fields(BOB, "msg", "message/cpim"), &cpim("m1", BOTH, content));
            bench.response(200);
            assert_eq!(notification(&bench.request("MESSAGE")).1, DELIVERED);
        }
        bench.no_event();
    }
}

// test: CONV-IMDN-060
#[test]
fn a_notification_outlives_a_dead_server() {
    let mut bench = Bench::registered();
    ask(&mut bench, "m1", BOTH);
    let first = bench.request("MESSAGE");
    // Nobody answers anything for ten minutes.
    bench.pass(secs(600));
    bench.skip_wire();
    let again = bench.request_within("MESSAGE", secs(120), &[]);
    assert_eq!(again.body(), first.body());
}

#[test]
fn so_many_notifications_wait_and_no_more() {
    let mut limits = Limits::default();
    limits.client.notifications = 2;
    let mut bench = Bench::registered_with(limits);
    for at in 0..3 {
        let content = "Content-Type: text/plain\r\n\r\nx";
        bench.incoming(&fields(BOB, "msg", "message/cpim"), &cpim(&format!("m{at}"), BOTH, content));
    }
    let mut told = Vec::new();
    while let Some(sent) = bench.sent_or_none() {
        if sent.is_request() {
            told.push(notification(&sent).0);
            bench.answer(&sent, "200 OK", "");
        }
    }
    assert_eq!(told, ["m0", "m1"]);
}

// test: CONV-IMDN-040
#[test]
fn notifications_become_events_and_never_go_back() {
    let mut bench = Bench::registered();
    let first = accepted(&mut bench);
    for document in
        [delivered(&first), delivered(&first), displayed(&first), delivered(&first), failed(&first)]
    {
        notify(&mut bench, BOB, &document);
    }
    let (message_id, by) = (first, BOB.to_owned());
    assert_eq!(bench.next_event(), ClientEvent::Delivered { message_id: message_id.clone(), by: by.clone() });
    assert_eq!(bench.next_event(), ClientEvent::Displayed { message_id, by });
    bench.no_event();
    bench.nothing_sent();
}

// test: CONV-DF-002
#[test]
fn a_message_that_expired_in_the_network_fails() {
    let mut bench = Bench::registered();
    let message_id = accepted(&mut bench);
    notify(&mut bench, BOB, &failed(&message_id));
    assert_eq!(
        bench.next_event(),
        ClientEvent::Failed { reference: "r".into(), message_id, status: 0, reason: "Not delivered".into() }
    );
}

// test: CONV-IMDN-061, CONV-IMDN-063
#[test]
fn only_the_recipient_or_the_network_is_believed() {
    let mut bench = Bench::registered();
    let message_id = accepted(&mut bench);
    notify(&mut bench, "sip:mallory@example.test", &displayed(&message_id));
    notify(&mut bench, BOB, &displayed("unknown"));
    bench.no_event();
    notify(&mut bench, "sip:example.test", &failed(&message_id));
    assert_eq!(bench.failure(), (0, "Not delivered".into()));
    notify(&mut bench, BOB, &delivered(&message_id));
    assert!(matches!(bench.next_event(), ClientEvent::Delivered { .. }));
}

// test: CONV-IMDN-041
#[test]
fn aggregated_notifications_all_count() {
    let mut bench = Bench::registered();
    let (first, second) = (accepted(&mut bench), accepted(&mut bench));
    let part = |document: &str| format!("--b\r\nContent-Type: message/imdn+xml\r\n\r\n{document}\r\n");
    let parts = format!("{}{}--b--\r\n", part(&delivered(&first)), part(&displayed(&second)));
    let content = format!(
        "Content-Type: multipart/mixed;boundary=b\r\nContent-Disposition: notification\r\n\r\n{parts}"
    );
    bench.incoming(&fields(BOB, "systemmsg", "message/cpim"), &cpim("n1", "", &content));
    bench.response(200);
    let by = BOB.to_owned();
    assert_eq!(bench.next_event(), ClientEvent::Delivered { message_id: first, by: by.clone() });
    assert_eq!(bench.next_event(), ClientEvent::Displayed { message_id: second, by });
}

// test: CONV-IMDN-020
#[test]
fn a_notification_needs_no_service_identifier() {
    let mut bench = Bench::registered();
    let message_id = accepted(&mut bench);
    let content = format!("Content-Type: message/imdn+xml\r\n\r\n{}", delivered(&message_id));
    let plain = format!("From: <{BOB}>;tag=b\r\nTo: <{ALICE}>\r\nContent-Type: message/cpim\r\n");
    bench.incoming(&plain, &cpim("n1", "", &content));
    bench.response(200);
    assert!(matches!(bench.next_event(), ClientEvent::Delivered { .. }));
    notify_as(&mut bench, "session", &displayed(&message_id));
    assert!(matches!(bench.next_event(), ClientEvent::Displayed { .. }));
}

fn notify_as(bench: &mut Bench, service: &str, document: &str) {
    let content = format!("Content-Type: message/imdn+xml\r\n\r\n{document}");
    bench.incoming(&fields(BOB, service, "message/cpim"), &cpim("n1", "", &content));
    bench.response(200);
}

// test: CONV-IMDN-064
#[test]
fn what_another_device_notified_is_not_notified_again() {
    let mut bench = Bench::registered();
    ask(&mut bench, "m1", BOTH);
    let sent = bench.request("MESSAGE");
    bench.answer(&sent, "200 OK", "");
    notify(&mut bench, ALICE, &displayed("m1"));
    assert_eq!(bench.next_event(), ClientEvent::ReadElsewhere { message_id: "m1".into() });
    notify(&mut bench, ALICE, &displayed("m1"));
    bench.read("m1").unwrap();
    bench.nothing_sent();
    bench.no_event();
}

// test: CONV-IMDN-064
#[test]
fn a_notification_that_still_waits_is_dropped_when_another_device_was_faster() {
    let mut bench = Bench::registered();
    ask(&mut bench, "m1", BOTH);
    let flying = bench.request("MESSAGE");
    ask(&mut bench, "m2", BOTH);
    notify(&mut bench, ALICE, &delivered("m2"));
    bench.answer(&flying, "200 OK", "");
    bench.nothing_sent();
    bench.read("m2").unwrap();
    assert_eq!(notification(&bench.request("MESSAGE")), ("m2".into(), DISPLAYED));
}

// test: CONV-IMDN-031, CONV-PM-032
#[test]
fn notifications_about_messages_of_another_device_are_told_too() {
    let mut bench = Bench::registered();
    let body = cpim("m1", "", "Content-Type: text/plain\r\n\r\nx");
    let body = body.replacen("anonymous@anonymous.invalid", "alice@example.test", 1);
    let body = body.replacen("anonymous@anonymous.invalid", "bob@example.test", 1);
    bench.incoming(&fields(ALICE, "msg", "message/cpim"), &body);
    bench.response(200);
    assert!(matches!(bench.next_event(), ClientEvent::Message(_)));
    notify(&mut bench, BOB, &displayed("m1"));
    assert_eq!(bench.next_event(), ClientEvent::Displayed { message_id: "m1".into(), by: BOB.into() });
}

#[test]
fn a_notification_that_overtakes_the_answer_settles_the_message() {
    let mut bench = Bench::registered();
    let message_id = bench.send(Outgoing::text(BOB, "x").reference("r")).unwrap();
    bench.skip_wire();
    notify(&mut bench, BOB, &delivered(&message_id));
    assert!(matches!(bench.next_event(), ClientEvent::Delivered { .. }));
    // The answer itself is lost for good: the message has not failed.
    bench.pass(secs(300));
    let mut events = std::iter::repeat_with(|| bench.next_event());
    let end = events.find(|event| !matches!(event, ClientEvent::RegistrationFailed { .. })).unwrap();
    assert_eq!(end, ClientEvent::Accepted { reference: "r".into(), message_id, status: 200 });
}
