use super::bench::{Bench, CHALLENGE_401, INSTANCE, LOCAL, secs};
use crate::ClientEvent;
use cpm_base::{FlowDown, FlowId};
use cpm_sip::HeaderId;

// test: CONV-REG-001, CONV-REG-002, CONV-TAG-002
#[test]
fn an_account_registers_with_one_list_of_services_and_its_instance() {
    let mut bench = Bench::udp();
    let first = bench.request("REGISTER");
    assert_eq!(first.request_uri(), Some("sip:example.test"));
    assert!(first.header(HeaderId::Authorization).is_none());
    let contact = first.header(HeaderId::Contact).unwrap().to_owned();
    let prefix = "urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm";
    let tags = format!("+g.3gpp.icsi-ref=\"{prefix}.msg,{prefix}.deferred,{prefix}.systemmsg\"");
    assert!(contact.contains(&tags) && contact.matches("+g.3gpp.icsi-ref").count() == 1, "{contact}");
    assert!(contact.contains(&format!("+sip.instance=\"<{INSTANCE}>\"")), "{contact}");
    assert!(contact.contains(&format!("@{LOCAL}>")), "{contact}");
    bench.answer(&first, "401 Unauthorized", CHALLENGE_401);
    let second = bench.request("REGISTER");
    let credentials = second.header(HeaderId::Authorization).unwrap();
    assert!(
        credentials.contains("nonce=\"n1\"") && credentials.contains("username=\"alice\""),
        "{credentials}"
    );
    bench.no_event();
    bench.answer(&second, "200 OK", &format!("Contact: {contact};expires=3600\r\n"));
    assert_eq!(bench.next_event(), ClientEvent::Registered);
    // Timer K of the transactions (RFC 3261 §17.1.2.2).
    bench.pass(secs(5));
    assert!(bench.is_quiescent());
}

#[test]
fn over_udp_the_registration_is_refreshed_within_25_seconds_without_a_new_event() {
    let mut bench = Bench::registered();
    for _ in 0..3 {
        let refresh = bench.request_within("REGISTER", secs(25), &[]);
        assert!(refresh.header(HeaderId::Authorization).is_some());
        let contact = refresh.header(HeaderId::Contact).unwrap().to_owned();
        bench.answer(&refresh, "200 OK", &format!("Contact: {contact};expires=3600\r\n"));
        bench.no_event();
    }
}

#[test]
fn a_restarted_server_that_forgot_the_nonce_is_told_as_registered_again() {
    let mut bench = Bench::registered();
    let refresh = bench.request_within("REGISTER", secs(25), &[]);
    let other = CHALLENGE_401.replace("n1", "n2");
    bench.answer(&refresh, "401 Unauthorized", &other);
    let again = bench.request("REGISTER");
    assert!(again.header(HeaderId::Authorization).unwrap().contains("nonce=\"n2\""));
    bench.answer(&again, "200 OK", "Expires: 3600\r\n");
    assert_eq!(bench.next_event(), ClientEvent::Registered);
}

/// Answers the next refresh with a stale challenge and the request after it with success.
fn stale(bench: &mut Bench) {
    let refresh = bench.request_within("REGISTER", secs(25), &[]);
    bench.answer(&refresh, "401 Unauthorized", &CHALLENGE_401.replace("\r\n", ", stale=true\r\n"));
    let again = bench.request("REGISTER");
    bench.answer(&again, "200 OK", "Expires: 3600\r\n");
}

#[test]
fn a_nonce_that_is_stale_while_young_tells_of_a_restart() {
    let mut bench = Bench::registered();
    stale(&mut bench);
    assert_eq!(bench.next_event(), ClientEvent::Registered);
    // A server that challenges every refresh is not restarted all the time.
    stale(&mut bench);
    stale(&mut bench);
    bench.no_event();
}

#[test]
fn an_old_nonce_is_renewed_in_silence() {
    let mut bench = Bench::registered();
    let start = bench.elapsed();
    while bench.elapsed() < start + 245 {
        let refresh = bench.request_within("REGISTER", secs(25), &[]);
        bench.answer(&refresh, "200 OK", "Expires: 3600\r\n");
    }
    stale(&mut bench);
    bench.no_event();
}

#[test]
fn a_silent_server_is_asked_until_it_answers_and_then_within_35_seconds() {
    let mut bench = Bench::registered();
    // The server is away for 150 s: longer than one transaction and several pauses.
    bench.pass(secs(150));
    bench.skip_wire();
    let back = bench.elapsed();
    let heard = bench.request_within("REGISTER", secs(35), &[]);
    bench.answer(&heard, "200 OK", "Expires: 3600\r\n");
    assert!(bench.elapsed() - back <= 35);
    let mut last = bench.next_event();
    while last != ClientEvent::Registered {
        assert!(matches!(last, ClientEvent::RegistrationFailed { status: 408, .. }), "{last:?}");
        last = bench.next_event();
    }
    bench.no_event();
}

#[test]
fn a_wrong_password_is_told_once_and_not_tried_for_ever() {
    let mut bench = Bench::udp();
    let first = bench.request("REGISTER");
    bench.answer(&first, "401 Unauthorized", CHALLENGE_401);
    let second = bench.request("REGISTER");
    bench.answer(&second, "401 Unauthorized", CHALLENGE_401);
    assert!(matches!(bench.next_event(), ClientEvent::RegistrationFailed { status: 401, .. }));
    bench.pass(secs(300));
    bench.nothing_sent();
    bench.no_event();
    assert!(bench.is_quiescent());
}

#[test]
fn over_tcp_the_contact_names_the_connection() {
    let mut bench = Bench::tcp();
    bench.nothing_sent();
    let token = bench.opens.pop_front().unwrap();
    bench.up(FlowId(7), Some(token));
    let first = bench.request("REGISTER");
    let contact = first.header(HeaderId::Contact).unwrap();
    assert!(contact.contains(&format!("@{LOCAL};transport=tcp>")), "{contact}");
    bench.answer(&first, "200 OK", "Expires: 3600\r\n");
    assert_eq!(bench.next_event(), ClientEvent::Registered);
}

#[test]
fn a_lost_connection_is_opened_again_with_growing_pauses() {
    let mut bench = Bench::tcp();
    let token = bench.opens.pop_front().unwrap();
    bench.up(FlowId(7), Some(token));
    bench.complete_registration();
    bench.down(FlowDown::Reset);
    assert!(matches!(bench.next_event(), ClientEvent::RegistrationFailed { status: 503, .. }));
    let mut pauses = Vec::new();
    for _ in 0..6 {
        let before = bench.now.mono;
        while bench.opens.is_empty() {
            bench.pass(secs(1));
            assert!(bench.now.mono - before <= secs(16), "a pause is 15 s at most");
        }
        pauses.push(bench.now.mono - before);
        bench.open_failed(FlowDown::Refused);
        assert!(matches!(bench.next_event(), ClientEvent::RegistrationFailed { status: 503, .. }));
    }
    assert!(pauses[0] < pauses[5], "{pauses:?}");
    while bench.opens.is_empty() {
        bench.pass(secs(1));
    }
    let token = bench.opens.pop_front().unwrap();
    bench.up(FlowId(8), Some(token));
    let register = bench.request("REGISTER");
    bench.answer(&register, "200 OK", "Expires: 3600\r\n");
    assert_eq!(bench.next_event(), ClientEvent::Registered);
}

/// Nothing was registered yet when the first connection failed.
#[test]
fn a_first_connection_that_is_refused_is_tried_again() {
    let mut bench = Bench::tcp();
    for _ in 0..4 {
        bench.open_failed(FlowDown::Refused);
        assert!(matches!(bench.next_event(), ClientEvent::RegistrationFailed { status: 503, .. }));
        bench.pass(secs(6));
    }
    let token = bench.opens.pop_front().unwrap();
    bench.up(FlowId(7), Some(token));
    bench.complete_registration();
}

#[test]
fn unregistering_removes_the_binding_and_the_account() {
    let mut bench = Bench::registered();
    bench.leave();
    let last = bench.request("REGISTER");
    assert_eq!(last.header(HeaderId::Expires), Some("0"));
    bench.no_event();
    bench.answer(&last, "200 OK", "");
    assert_eq!(bench.next_event(), ClientEvent::Unregistered);
    bench.assert_empty();
}

#[test]
fn unregistering_at_a_dead_server_ends_in_time() {
    let mut bench = Bench::registered();
    bench.leave();
    bench.pass(bench.limits.client.unregister);
    assert_eq!(bench.next_event(), ClientEvent::Unregistered);
    bench.assert_empty();
}

#[test]
fn unregistering_without_a_registration_ends_at_once() {
    let mut bench = Bench::tcp();
    bench.leave();
    assert_eq!(bench.next_event(), ClientEvent::Unregistered);
    bench.assert_empty();
}
