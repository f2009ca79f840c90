//! A client's registration against a scripted registrar.

use super::{Outcome, Registration, RegistrationConfig};
use crate::auth::Secret;
use crate::txn::TxnFailure;
use crate::{Head, HeaderId, Limits, Message, validate};
use cpm_base::{FlowDown, Now};
use std::time::{Duration, Instant};

struct Bench {
    registration: Registration,
    now: Now,
}

fn config() -> RegistrationConfig {
    RegistrationConfig::new("sip:alice@example.test", "sip:example.test", "alice", Secret::new("pw"))
}

impl Bench {
    fn new(config: RegistrationConfig) -> Self {
        let now = Now { mono: Instant::now(), unix: Duration::from_secs(1_700_000_000) };
        let mut registration = Registration::new(config, [5; 32]);
        assert_eq!(registration.poll_timeout(), None);
        registration.register(now, "sip:alice@192.0.2.2:5060");
        Self { registration, now }
    }

    /// The REGISTER that is due now, as the wire would carry it.
    fn sent(&mut self) -> Message {
        let mut head = self.registration.next_request(self.now).unwrap().expect("a REGISTER is due");
        assert!(self.registration.next_request(self.now).unwrap().is_none(), "one at a time");
        head.push_front(HeaderId::Via, "SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1").unwrap();
        let message = Message::parse(head.write(), &Limits::default()).unwrap();
        validate(&message, &Limits::default()).unwrap();
        message
    }

    fn answer(&mut self, request: &Message, status: u16, fields: &[(&str, &str)]) -> Outcome {
        let mut head = Head::response_to(request, status, "");
        for (name, value) in fields {
            head.push_named(name, value).unwrap();
        }
        let message = Message::parse(head.write(), &Limits::default()).unwrap();
        self.registration.response(self.now, &message)
    }

    /// Waits for the next REGISTER; how long it took.
    fn wait(&mut self) -> Duration {
        let at = self.registration.poll_timeout().expect("a REGISTER will be due");
        let span = at.saturating_duration_since(self.now.mono);
        self.now = self.now.after(span);
        span
    }

    fn registered(&mut self) -> Message {
        let request = self.sent();
        let outcome = self.answer(&request, 200, &[("Contact", "<sip:alice@192.0.2.2:5060>;expires=3600")]);
        assert!(matches!(outcome, Outcome::Registered(_)), "{outcome:?}");
        request
    }
}

const CHALLENGE: (&str, &str) =
    ("WWW-Authenticate", "Digest realm=\"example.test\", nonce=\"n\", algorithm=SHA-256, qop=\"auth\"");

fn within(span: Duration, low: f64, high: f64) -> bool {
    (low..=high).contains(&span.as_secs_f64())
}

// test: RFC3261-10.2
#[test]
fn register_is_what_the_rfc_asks_for() {
    let mut bench = Bench::new(RegistrationConfig {
        instance: Some("urn:uuid:1".into()),
        features: vec!["+g.oma.sip-im".into(), "+g.3gpp.icsi-ref=\"urn%3Aurn-7\"".into()],
        ..config()
    });
    let first = bench.sent();
    assert_eq!(first.request_uri(), Some("sip:example.test"));
    assert_eq!(first.to().unwrap().uri().as_str(), "sip:alice@example.test");
    assert_eq!(first.to().unwrap().tag(), None);
    assert_eq!(first.expires(), Ok(Some(3600)));
    assert_eq!(
        first.header(HeaderId::Contact),
        Some(
            "<sip:alice@192.0.2.2:5060>;+sip.instance=\"<urn:uuid:1>\";+g.oma.sip-im;+g.3gpp.icsi-ref=\"urn%3Aurn-7\""
        )
    );
    let ok = [
        ("Contact", "<sip:other@192.0.2.9>;expires=50, <sip:alice@192.0.2.2:5060>;expires=600"),
        ("Service-Route", "<sip:p1.example.test;lr>, <sip:p2.example.test;lr>"),
        ("P-Associated-URI", "<sip:alice@example.test>, <tel:+15550100>"),
    ];
    let Outcome::Registered(granted) = bench.answer(&first, 200, &ok) else { panic!() };
    assert_eq!(granted.expires, 600);
    assert_eq!(granted.service_route, ["<sip:p1.example.test;lr>", "<sip:p2.example.test;lr>"]);
    assert_eq!(granted.associated, ["sip:alice@example.test", "tel:+15550100"]);
    assert!(!granted.refreshed && bench.registration.is_registered());
    let span = bench.wait();
    assert!(within(span, 270.0, 300.0), "half of a short lifetime: {span:?}");
    let second = bench.sent();
    assert_eq!(second.call_id(), first.call_id());
    assert_eq!(second.cseq().unwrap().number, first.cseq().unwrap().number + 1);
    assert_eq!(second.from().unwrap().tag(), first.from().unwrap().tag());
    let Outcome::Registered(granted) = bench.answer(&second, 200, &[("Expires", "7200")]) else { panic!() };
    assert!(granted.refreshed);
    assert_eq!(granted.expires, 7200, "the field, where no contact is ours");
    let span = bench.wait();
    assert!(within(span, 5940.0, 6600.0), "ten minutes before the end: {span:?}");
}

#[test]
fn over_udp_it_is_refreshed_within_25_seconds() {
    let within_25 = Some(Duration::from_secs(25));
    let mut bench = Bench::new(RegistrationConfig { refresh_within: within_25, ..config() });
    for _ in 0..50 {
        bench.registered();
        let span = bench.wait();
        assert!(within(span, 22.5, 25.0), "{span:?}");
    }
}

// test: RFC3261-22.2 RFC3261-22.3 RFC3261-10.2
#[test]
fn challenges_are_answered_and_then_pre_empted() {
    let mut bench = Bench::new(config());
    let first = bench.sent();
    assert!(first.authorization().next().is_none());
    assert_eq!(bench.answer(&first, 401, &[CHALLENGE]), Outcome::None);
    assert_eq!(bench.wait(), Duration::ZERO);
    let second = bench.registered();
    let credentials = second.authorization().next().unwrap().unwrap();
    assert_eq!(credentials.params.raw("nc"), Some("00000001"));
    assert_eq!(credentials.params.value("uri").as_deref(), Some("sip:example.test"));
    assert_eq!(second.cseq().unwrap().number, first.cseq().unwrap().number + 1);
    bench.wait();
    let third = bench.sent();
    let count = |message: &Message| {
        message.authorization().next().unwrap().unwrap().params.raw("nc").map(str::to_owned)
    };
    assert_eq!(count(&third).as_deref(), Some("00000002"));
    let stale = (CHALLENGE.0, "Digest realm=\"example.test\", nonce=\"m\", qop=\"auth\", stale=true");
    assert_eq!(bench.answer(&third, 401, &[stale]), Outcome::None);
    let fourth = bench.registered();
    assert_eq!(count(&fourth).as_deref(), Some("00000001"), "a new nonce counts from one");
    bench.wait();
    let fifth = bench.sent();
    let proxy = ("Proxy-Authenticate", "Digest realm=\"example.test\", nonce=\"p\", qop=\"auth\"");
    assert_eq!(bench.answer(&fifth, 407, &[proxy]), Outcome::None);
    let sixth = bench.registered();
    assert!(sixth.proxy_authorization().next().is_some() && sixth.authorization().next().is_some());
}

// test: RFC3261-22.2
#[test]
fn wrong_password_ends_it_until_the_owner_asks_again() {
    let mut bench = Bench::new(config());
    let first = bench.sent();
    bench.answer(&first, 401, &[CHALLENGE]);
    let second = bench.sent();
    let outcome = bench.answer(&second, 401, &[CHALLENGE]);
    assert_eq!(outcome, Outcome::Failed { status: 401, reason: "Unauthorized".into(), retry: None });
    assert_eq!(bench.registration.poll_timeout(), None);
    bench.registration.register(bench.now, "sip:alice@192.0.2.2:5060");
    assert!(bench.sent().authorization().next().is_none());
    let outcome = bench.answer(&second, 403, &[]);
    assert!(matches!(outcome, Outcome::Failed { status: 403, retry: None, .. }));
}

// test: RFC3261-10.2.8
#[test]
fn interval_too_brief_is_followed_once() {
    let mut bench = Bench::new(RegistrationConfig { expires: 60, ..config() });
    let first = bench.sent();
    assert_eq!(bench.answer(&first, 423, &[("Min-Expires", "1800")]), Outcome::None);
    let second = bench.sent();
    assert_eq!(second.expires(), Ok(Some(1800)));
    assert!(matches!(
        bench.answer(&second, 423, &[("Min-Expires", "1800")]),
        Outcome::Failed { retry: None, .. }
    ));
    let mut bench = Bench::new(config());
    let first = bench.sent();
    assert!(matches!(bench.answer(&first, 423, &[]), Outcome::Failed { status: 423, retry: None, .. }));
}

// test: RFC3261-8.1.3.1 RFC3261-21.5.4 RFC3261-10.2.7
#[test]
fn failures_back_off_from_2_to_30_seconds() {
    let mut bench = Bench::new(config());
    for (low, high) in
        [(1.0, 2.0), (2.0, 4.0), (4.0, 8.0), (8.0, 16.0), (15.0, 30.0), (15.0, 30.0), (15.0, 30.0)]
    {
        bench.sent();
        let outcome = bench.registration.failed(bench.now, TxnFailure::Transport(FlowDown::Refused));
        let Outcome::Failed { status: 503, retry: Some(retry), .. } = outcome else { panic!("{outcome:?}") };
        assert_eq!(bench.wait(), retry);
        assert!(within(retry, low, high), "{retry:?} in {low}..={high}");
    }
    bench.registered();
    bench.wait();
    bench.sent();
    let outcome = bench.registration.failed(bench.now, TxnFailure::Timeout);
    assert!(matches!(outcome, Outcome::Failed { status: 408, .. }));
    let span = bench.wait();
    assert!(within(span, 1.0, 2.0), "success starts the back-off over: {span:?}");
    let request = bench.sent();
    let outcome = bench.answer(&request, 503, &[("Retry-After", "120")]);
    assert!(
        matches!(outcome, Outcome::Failed { status: 503, retry: Some(retry), .. } if retry.as_secs() == 120)
    );
    assert_eq!(bench.wait().as_secs(), 120);
}

/// A datagram forged in our name makes the registrar send us a 400: it must not end the registration.
// test: RFC3261-21.4.1
#[test]
fn bad_request_is_tried_again_after_the_longest_pause() {
    let mut bench = Bench::new(config());
    for _ in 0..20 {
        let request = bench.sent();
        let outcome = bench.answer(&request, 400, &[]);
        let Outcome::Failed { status: 400, retry: Some(retry), .. } = outcome else { panic!("{outcome:?}") };
        assert!(!bench.registration.is_registered());
        assert_eq!(bench.wait(), retry);
        assert!(within(retry, 15.0, 30.0), "{retry:?}");
    }
    let request = bench.sent();
    bench.answer(&request, 400, &[("Retry-After", "120")]);
    assert_eq!(bench.wait().as_secs(), 120);
    bench.registered();
    // What says that this user will never be registered is final.
    for status in [402, 403, 404, 405, 410, 420, 603] {
        let mut bench = Bench::new(config());
        let request = bench.sent();
        let outcome = bench.answer(&request, status, &[]);
        assert!(matches!(outcome, Outcome::Failed { retry: None, .. }), "{outcome:?}");
        assert_eq!(bench.registration.poll_timeout(), None, "{status}");
    }
    // A removal that is not understood is told, and not sent for ever.
    bench.registration.unregister(bench.now);
    let request = bench.sent();
    let outcome = bench.answer(&request, 400, &[]);
    assert!(matches!(outcome, Outcome::Failed { status: 400, retry: None, .. }), "{outcome:?}");
    assert_eq!(bench.registration.poll_timeout(), None);
}

/// A node that restarts has its UDP clients again within 35 s.
#[test]
fn restart_of_the_node_is_survived_within_35_seconds() {
    let within_25 = Some(Duration::from_secs(25));
    for down in [1u64, 5, 40, 100] {
        let mut bench = Bench::new(RegistrationConfig { refresh_within: within_25, ..config() });
        bench.registered();
        let start = bench.now;
        let back = Duration::from_secs(down);
        let over = loop {
            bench.wait();
            bench.sent();
            let sent = bench.now.mono.duration_since(start.mono);
            // The request is repeated at least every 4 s for 32 s (Timer E).
            if sent + Duration::from_secs(32) > back {
                break sent.max(back) + Duration::from_secs(4);
            }
            bench.now = bench.now.after(Duration::from_secs(32));
            bench.registration.failed(bench.now, TxnFailure::Timeout);
        };
        assert!(over <= back + Duration::from_secs(35), "{over:?} after being back at {back:?}");
    }
}

// test: RFC3261-10.2.2
#[test]
fn unregistering_takes_the_binding_away() {
    let mut bench = Bench::new(config());
    bench.registered();
    bench.registration.unregister(bench.now);
    let request = bench.sent();
    assert_eq!(request.expires(), Ok(Some(0)));
    assert!(request.header(HeaderId::Contact).unwrap().starts_with("<sip:alice@192.0.2.2:5060>"));
    assert_eq!(bench.answer(&request, 401, &[CHALLENGE]), Outcome::None);
    let request = bench.sent();
    assert_eq!(request.expires(), Ok(Some(0)), "still the removal");
    assert_eq!(bench.answer(&request, 200, &[]), Outcome::Unregistered);
    assert!(!bench.registration.is_registered());
    assert_eq!(bench.registration.poll_timeout(), None);
    bench.registration.unregister(bench.now);
    assert_eq!(bench.registration.poll_timeout(), None, "nothing to take away");
}

#[test]
fn wishes_during_a_request_wait_for_its_end() {
    let mut bench = Bench::new(config());
    let request = bench.sent();
    bench.registration.unregister(bench.now);
    assert_eq!(bench.registration.poll_timeout(), None);
    let ok = [("Expires", "600")];
    assert!(matches!(bench.answer(&request, 200, &ok), Outcome::Registered(_)));
    let removal = bench.sent();
    assert_eq!(removal.expires(), Ok(Some(0)));
    bench.registration.register(bench.now, "sip:alice@192.0.2.3:5060");
    assert_eq!(bench.answer(&removal, 200, &[]), Outcome::Unregistered);
    let again = bench.sent();
    assert_eq!(again.expires(), Ok(Some(3600)));
    assert_eq!(again.header(HeaderId::Contact), Some("<sip:alice@192.0.2.3:5060>"));
    bench.registration.unregister(bench.now);
    let outcome = bench.registration.failed(bench.now, TxnFailure::Timeout);
    assert_eq!(outcome, Outcome::None);
    assert_eq!(bench.sent().expires(), Ok(Some(0)), "it may have arrived: take it away");
    assert_eq!(bench.registration.failed(bench.now, TxnFailure::Timeout), Outcome::Unregistered);
    assert_eq!(bench.registration.poll_timeout(), None, "nobody is there; it ends by itself");
}

#[test]
fn lost_connection_registers_again_after_a_pause() {
    let mut bench = Bench::new(config());
    bench.registered();
    bench.registration.connection_lost(bench.now);
    assert!(!bench.registration.is_registered());
    let span = bench.wait();
    assert!(within(span, 1.0, 2.0), "{span:?}");
    bench.registered();
    assert!(bench.registration.is_registered());
}

#[test]
fn what_is_not_ours_is_ignored() {
    let mut bench = Bench::new(config());
    let request = bench.sent();
    assert_eq!(bench.answer(&request, 100, &[]), Outcome::None);
    assert!(matches!(bench.answer(&request, 200, &[("Expires", "60")]), Outcome::Registered(_)));
    assert_eq!(bench.answer(&request, 403, &[]), Outcome::None, "a second final response");
    assert_eq!(bench.registration.failed(bench.now, TxnFailure::Timeout), Outcome::None);
    assert!(bench.registration.is_registered());
}
