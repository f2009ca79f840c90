//! The registrar's rules (RFC 3261 §10.3).

use super::{Binding, Bindings, Contacts, Decision, Refusal, RegisterRequest, RegistrarPolicy, Update};
use crate::{Limits, Message};
use cpm_base::Now;
use proptest::prelude::*;
use std::time::{Duration, Instant};

fn now() -> Now {
    Now { mono: Instant::now(), unix: Duration::from_secs(1_000_000) }
}

/// A REGISTER with these extra lines.
fn register(call_id: &str, cseq: u32, lines: &str) -> RegisterRequest {
    let text = format!(
        "REGISTER sip:example.test SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1\r\n\
         From: <sip:alice@example.test>;tag=a\r\nTo: <sip:alice@example.test>\r\nCall-ID: {call_id}\r\n\
         CSeq: {cseq} REGISTER\r\n{lines}Content-Length: 0\r\n\r\n"
    );
    let message = Message::parse(text.into(), &Limits::default()).unwrap();
    RegisterRequest::of(&message).unwrap()
}

fn policy() -> RegistrarPolicy {
    RegistrarPolicy::default()
}

fn update(bindings: &Bindings, now: Now, request: &RegisterRequest) -> Update {
    match bindings.register(now, request, &policy()) {
        Decision::Update(update) => update,
        other => panic!("{other:?}"),
    }
}

fn refusal(bindings: &Bindings, now: Now, request: &RegisterRequest) -> Refusal {
    match bindings.register(now, request, &policy()) {
        Decision::Refuse(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

fn uris(bindings: &Bindings) -> Vec<&str> {
    bindings.list().iter().map(|binding| binding.uri.as_str()).collect()
}

// test: RFC3261-10.3
#[test]
fn contacts_are_added_refreshed_and_answered() {
    let line = "Contact: \"A\" <sip:alice@192.0.2.2:5060;transport=tcp>;q=0.7;expires=600;\
                +sip.instance=\"<urn:uuid:1>\";+g.oma.sip-im\r\n";
    let one = update(&Bindings::new(), now(), &register("c", 1, line));
    assert_eq!(one.written, [0]);
    assert!(one.removed.is_empty());
    let binding = &one.bindings.list()[0];
    assert_eq!(binding.instance.as_deref(), Some("urn:uuid:1"));
    assert_eq!((binding.q, binding.cseq, binding.expires_at), (Some(700), 1, 1_000_600));
    let later = now().after(Duration::from_secs(100));
    assert_eq!(
        binding.contact_value(later),
        "<sip:alice@192.0.2.2:5060;transport=tcp>;+sip.instance=\"<urn:uuid:1>\";+g.oma.sip-im;expires=500;q=0.700"
    );
    let two = update(&one.bindings, later, &register("c", 2, line));
    assert_eq!(two.bindings.list().len(), 1);
    assert_eq!(two.bindings.list()[0].expires_at, 1_000_700);
    assert!(two.removed.is_empty(), "a refresh removes nothing");
    assert_eq!(two.bindings.register(later, &register("c", 3, ""), &policy()), Decision::Query);
}

// test: RFC3261-10.3 RFC3261-10.2.1.1
#[test]
fn lifetime_is_chosen_by_parameter_then_field_then_policy() {
    for (lines, expected) in [
        ("Contact: <sip:a@h>;expires=100\r\nExpires: 200\r\n", 100),
        ("Contact: <sip:a@h>\r\nExpires: 200\r\n", 200),
        ("Contact: <sip:a@h>\r\n", 3600),
        ("Contact: <sip:a@h>;expires=4000000\r\n", 86_400),
        ("Contact: <sip:a@h>;expires=60\r\n", 60),
    ] {
        let update = update(&Bindings::new(), now(), &register("c", 1, lines));
        assert_eq!(update.bindings.list()[0].remaining(now()), expected, "{lines}");
    }
}

// test: RFC3261-10.3 RFC3261-21.4.17
#[test]
fn too_short_a_lifetime_is_423() {
    let none = Bindings::new();
    let refused = refusal(&none, now(), &register("c", 1, "Contact: <sip:a@h>;expires=59\r\n"));
    assert_eq!(refused, Refusal::TooBrief { min_expires: 60 });
    assert_eq!(refused.status(), 423);
    let strict = RegistrarPolicy { min_expires: 7200, ..policy() };
    let wish = |expires: u32| register("c", 1, &format!("Contact: <sip:a@h>;expires={expires}\r\n"));
    assert!(matches!(none.register(now(), &wish(3599), &strict), Decision::Refuse(Refusal::TooBrief { .. })));
    assert!(
        matches!(none.register(now(), &wish(3600), &strict), Decision::Update(_)),
        "an hour is never too brief"
    );
    assert!(matches!(none.register(now(), &wish(0), &strict), Decision::Update(_)));
}

// test: RFC3261-10.3
#[test]
fn order_is_kept_per_call_id() {
    let one = update(&Bindings::new(), now(), &register("c", 5, "Contact: <sip:a@h>\r\n")).bindings;
    for cseq in [4, 5] {
        let refused = refusal(&one, now(), &register("c", cseq, "Contact: <sip:a@h>\r\n"));
        assert_eq!((refused, refused.status()), (Refusal::OutOfOrder, 500));
    }
    update(&one, now(), &register("c", 6, "Contact: <sip:a@h>\r\n"));
    update(&one, now(), &register("restarted", 1, "Contact: <sip:a@h>\r\n"));
    update(&one, now(), &register("c", 1, "Contact: <sip:b@h>\r\n"));
    let over = now().after(Duration::from_secs(3600));
    update(&one, over, &register("c", 1, "Contact: <sip:a@h>\r\n"));
}

// test: RFC3261-10.3 RFC3261-10.2.2
#[test]
fn removal_one_by_one_and_by_star() {
    let lines = "Contact: <sip:a@h>, <sip:b@h>\r\nContact: <sip:c@h>\r\n";
    let three = update(&Bindings::new(), now(), &register("c", 1, lines)).bindings;
    let one_less = update(&three, now(), &register("c", 2, "Contact: <sip:b@h>;expires=0\r\n"));
    assert_eq!(uris(&one_less.bindings), ["sip:a@h", "sip:c@h"]);
    assert_eq!(one_less.removed[0].uri, "sip:b@h");
    assert!(one_less.written.is_empty());
    let none = update(&three, now(), &register("c", 2, "Contact: *\r\nExpires: 0\r\n"));
    assert!(none.bindings.list().is_empty());
    assert_eq!(none.removed.len(), 3);
    for lines in [
        "Contact: *\r\n",
        "Contact: *\r\nExpires: 1\r\n",
        "Contact: *\r\nContact: <sip:a@h>\r\nExpires: 0\r\n",
    ] {
        let refused = refusal(&three, now(), &register("c", 2, lines));
        assert_eq!((refused, refused.status()), (Refusal::Star, 400), "{lines}");
    }
    assert_eq!(
        refusal(&three, now(), &register("c", 1, "Contact: *\r\nExpires: 0\r\n")),
        Refusal::OutOfOrder
    );
    update(&three, now(), &register("other", 1, "Contact: *\r\nExpires: 0\r\n"));
    let absent = update(&three, now(), &register("c", 2, "Contact: <sip:x@h>;expires=0\r\n"));
    assert_eq!(absent.bindings, three, "what is not there need not be removed");
}

/// RFC 3261 §19.1.4 decides what is the same contact.
// test: RFC3261-10.3 RFC3261-19.1.4
#[test]
fn contacts_are_compared_as_uris() {
    let one =
        update(&Bindings::new(), now(), &register("c", 1, "Contact: <sip:a@H.example;transport=TCP>\r\n"))
            .bindings;
    let same = update(&one, now(), &register("d", 1, "Contact: <sip:%61@h.EXAMPLE;transport=tcp>\r\n"));
    assert_eq!(same.bindings.list().len(), 1);
    let other = update(&one, now(), &register("d", 1, "Contact: <sip:A@h.example;transport=tcp>\r\n"));
    assert_eq!(other.bindings.list().len(), 2, "the user part is case-sensitive");
}

// test: RFC5626-6
#[test]
fn a_device_that_moves_replaces_its_binding() {
    let contact =
        |uri: &str, more: &str| format!("Contact: <{uri}>;+sip.instance=\"<urn:uuid:1>\"{more}\r\n");
    let one = update(&Bindings::new(), now(), &register("c", 1, &contact("sip:a@192.0.2.2", ""))).bindings;
    let moved = update(&one, now(), &register("new-call", 1, &contact("sip:a@192.0.2.3", "")));
    assert_eq!(uris(&moved.bindings), ["sip:a@192.0.2.3"]);
    assert_eq!(moved.removed[0].uri, "sip:a@192.0.2.2");
    assert_eq!(refusal(&one, now(), &register("c", 1, &contact("sip:a@192.0.2.3", ""))), Refusal::OutOfOrder);
    let second = update(&one, now(), &register("d", 1, &contact("sip:a@192.0.2.3", ";reg-id=1")));
    assert_eq!(second.bindings.list().len(), 2, "another flow of the Device");
    let taken = "Contact: <sip:a@192.0.2.2>;+sip.instance=\"<urn:uuid:2>\"\r\n";
    let taken = update(&one, now(), &register("c", 1, taken));
    assert_eq!(
        taken.bindings.list()[0].instance.as_deref(),
        Some("urn:uuid:2"),
        "the address has a new owner"
    );
}

#[test]
fn limits_of_number_and_size() {
    let mut bindings = Bindings::new();
    for n in 0..10 {
        let line = format!("Contact: <sip:a{n}@h>;expires={}\r\n", 100 + n);
        bindings = update(&bindings, now(), &register("c", 1, &line)).bindings;
    }
    let eleventh = register("c", 1, "Contact: <sip:more@h>\r\n");
    let refused = refusal(&bindings, now(), &eleventh);
    assert_eq!((refused, refused.status()), (Refusal::TooMany { retry_after: 100 }, 503));
    update(&bindings, now(), &register("c", 2, "Contact: <sip:a3@h>\r\n"));
    update(&bindings, now(), &register("c", 2, "Contact: <sip:a3@h>;expires=0\r\n"));
    let swap = "Contact: <sip:a3@h>;expires=0, <sip:more@h>\r\n";
    assert_eq!(update(&bindings, now(), &register("c", 2, swap)).bindings.list().len(), 10);
    update(&bindings, now().after(Duration::from_secs(100)), &eleventh);
    let sized = |octets: usize| {
        let fixed = "<sip:a@h>;x=;expires=3600".len();
        register("c", 1, &format!("Contact: <sip:a@h>;x={}\r\n", "y".repeat(octets - fixed)))
    };
    for octets in [511, 512] {
        update(&Bindings::new(), now(), &sized(octets));
    }
    let refused = refusal(&Bindings::new(), now(), &sized(513));
    assert_eq!((refused, refused.status()), (Refusal::TooLarge, 413));
}

// test: RFC3261-10.3
#[test]
fn one_bad_contact_spoils_the_whole_request() {
    let one = update(&Bindings::new(), now(), &register("c", 5, "Contact: <sip:a@h>\r\n")).bindings;
    let mixed = register("c", 5, "Contact: <sip:new@h>, <sip:a@h>\r\n");
    assert_eq!(refusal(&one, now(), &mixed), Refusal::OutOfOrder);
    let brief = register("c", 6, "Contact: <sip:new@h>, <sip:a@h>;expires=5\r\n");
    assert!(matches!(refusal(&one, now(), &brief), Refusal::TooBrief { .. }));
    let twice =
        update(&one, now(), &register("c", 6, "Contact: <sip:a@h>;expires=100, <sip:a@h>;expires=200\r\n"));
    assert_eq!(twice.bindings.list().len(), 1);
    assert_eq!(twice.bindings.list()[0].remaining(now()), 200, "the last one counts");
}

#[test]
fn expired_bindings_are_not_alive_and_can_be_taken_out() {
    let lines = "Contact: <sip:a@h>;expires=100, <sip:b@h>;expires=200\r\n";
    let mut bindings = update(&Bindings::new(), now(), &register("c", 1, lines)).bindings;
    assert_eq!(bindings.next_expiry(), Some(1_000_100));
    let later = now().after(Duration::from_secs(100));
    assert_eq!(bindings.live(later).count(), 1);
    let over = bindings.expire(later);
    assert_eq!((over.len(), over[0].uri.as_str()), (1, "sip:a@h"));
    assert_eq!(uris(&bindings), ["sip:b@h"]);
}

/// RFC 3261 §10.3 without instance-ids, written down as plainly as possible.
fn model(
    stored: &[(u8, String, u32, u64)],
    now: u64,
    call_id: &str,
    cseq: u32,
    contacts: &[(u8, u32)],
) -> Option<Vec<(u8, String, u32, u64)>> {
    let live: Vec<_> = stored.iter().filter(|(_, _, _, end)| *end > now).cloned().collect();
    let late = |at: &u8| live.iter().any(|(uri, call, seq, _)| uri == at && call == call_id && cseq <= *seq);
    if contacts.iter().any(|(uri, _)| late(uri)) {
        return None;
    }
    let mut next = live.clone();
    for (uri, expires) in contacts {
        next.retain(|(at, ..)| at != uri);
        if *expires > 0 {
            next.push((*uri, call_id.to_owned(), cseq, now + u64::from(*expires)));
        }
    }
    (next.len() <= 10).then_some(next)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_a_plain_model(
        steps in proptest::collection::vec(
            (0u64..400, 0u8..3, 1u32..6, proptest::collection::vec((0u8..14, prop_oneof![Just(0u32), 60u32..600]), 1..4)),
            1..30,
        )
    ) {
        let mut real = Bindings::new();
        let mut plain = Vec::new();
        let mut now = now();
        for (wait, call, cseq, contacts) in steps {
            now = now.after(Duration::from_secs(wait));
            let call_id = format!("call{call}");
            let list: Vec<String> =
                contacts.iter().map(|(uri, expires)| format!("<sip:u{uri}@h>;expires={expires}")).collect();
            let request = register(&call_id, cseq, &format!("Contact: {}\r\n", list.join(", ")));
            prop_assert!(matches!(request.contacts, Contacts::List(_)));
            let expected = model(&plain, now.unix_secs(), &call_id, cseq, &contacts);
            match (real.register(now, &request, &policy()), expected) {
                (Decision::Update(update), Some(next)) => {
                    let mut seen: Vec<_> = update.bindings.list().iter().map(facts).collect();
                    let mut wanted = next.clone();
                    seen.sort();
                    wanted.sort();
                    prop_assert_eq!(seen, wanted);
                    real = update.bindings;
                    plain = next;
                }
                (Decision::Refuse(_), None) => {}
                (decision, expected) => prop_assert!(false, "{:?} {:?}", decision, expected),
            }
        }
    }
}

fn facts(binding: &Binding) -> (u8, String, u32, u64) {
    let number = binding.uri.trim_start_matches("sip:u").trim_end_matches("@h").parse().unwrap();
    (number, binding.call_id.clone(), binding.cseq, binding.expires_at)
}
