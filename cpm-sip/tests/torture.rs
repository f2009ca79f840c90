//! RFC 4475 and RFC 5118, octet for octet, against the verdict table beside them.

use bytes::Bytes;
use cpm_sip::header::Contact;
use cpm_sip::uri::decode;
use cpm_sip::{
    Frame, Head, HeaderId, Host, Limits, Message, Method, ParseError, StreamFramer, Uri, reject, validate,
};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture")
}

fn octets(name: &str) -> Bytes {
    std::fs::read(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}")).into()
}

fn message(name: &str) -> Message {
    let message =
        Message::parse(octets(name), &Limits::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
    validate(&message, &Limits::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
    message
}

fn judge(raw: &Bytes) -> Result<Message, ParseError> {
    let limits = Limits::default();
    let message = Message::parse(raw.clone(), &limits)?;
    validate(&message, &limits).map(|()| message)
}

/// File and verdict of every line of the table.
fn table() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(folder().join("verdicts.tsv")).unwrap();
    let columns = |line: &str| {
        let mut columns = line.split('\t');
        (columns.next().unwrap().to_owned(), columns.nth(1).unwrap().to_owned())
    };
    text.lines().skip(1).map(columns).collect()
}

// test: RFC3261-21.4.1 RFC4475-3 RFC5118-4
#[test]
fn every_message_gets_what_it_is_owed() {
    let mut accepted = 0;
    for (name, verdict) in table() {
        let raw = octets(&name);
        let judged = judge(&raw);
        match (verdict.as_str(), &judged) {
            ("accept", Ok(_)) => accepted += 1,
            ("accept", Err(error)) => panic!("{name}: {error}"),
            (_, Ok(_)) => panic!("{name}: accepted, owed {verdict}"),
            ("drop", Err(error)) => {
                assert!(reject(&raw, error, &Limits::default()).is_none(), "{name}: {error}")
            }
            (status, Err(error)) => {
                let answer =
                    reject(&raw, error, &Limits::default()).unwrap_or_else(|| panic!("{name}: no answer"));
                assert_eq!(answer.status(), status.parse().ok(), "{name}: {error}");
                check_answer(&name, &raw, &answer);
            }
        }
    }
    assert_eq!(accepted, 41, "messages that are taken");
}

/// The answer is a message itself, names the fault, and copies what a response copies.
fn check_answer(name: &str, raw: &Bytes, answer: &Head) {
    let written =
        Message::parse(answer.write(), &Limits::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_ne!(written.reason(), Some("Bad Request"), "{name}: the reason phrase does not name the fault");
    let lower = String::from_utf8_lossy(raw).to_lowercase();
    let vias = lower.lines().filter(|line| line.starts_with("via") || line.starts_with("v:")).count();
    assert_eq!(written.headers(HeaderId::Via).count(), vias, "{name}: Via fields");
    assert_eq!(written.header(HeaderId::ContentLength), Some("0"), "{name}");
}

#[test]
fn the_table_names_every_file_and_no_other() {
    let named: BTreeSet<String> = table().into_iter().map(|(name, _)| name).collect();
    let mut found = BTreeSet::new();
    for sub in ["rfc4475", "rfc5118", "rfc5118/fixed-length"] {
        for entry in std::fs::read_dir(folder().join(sub)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                found.insert(format!("{sub}/{}", entry.file_name().to_str().unwrap()));
            }
        }
    }
    assert_eq!(named, found);
    assert_eq!(named.iter().filter(|name| name.starts_with("rfc4475/")).count(), 50);
    assert_eq!(named.len(), 65);
}

/// What is taken on a datagram comes out of a stream the same, wherever the stream is cut.
#[test]
fn messages_survive_a_stream_cut_anywhere() {
    let limits = Limits::default();
    for (name, _) in table().into_iter().filter(|(_, verdict)| verdict == "accept") {
        let whole = octets(&name);
        let Ok(message) = judge(&whole) else { continue };
        if message.content_length().is_none() {
            continue; // RFC 3261 §20.14: not allowed on a stream
        }
        for cut in 0..message.raw().len() {
            let mut framer = StreamFramer::new();
            framer.push(whole.slice(..cut));
            assert_eq!(framer.next(&limits), Ok(None), "{name} cut at {cut}");
            framer.push(whole.slice(cut..message.raw().len()));
            assert_eq!(
                framer.next(&limits),
                Ok(Some(Frame::Message(message.raw().clone()))),
                "{name} cut at {cut}"
            );
            assert_eq!(framer.next(&limits), Ok(None));
        }
    }
}

/// Forwarding without a change gives the same octets (RFC 3261 §16.6: everything else is left alone).
#[test]
fn untouched_messages_are_forwarded_octet_for_octet() {
    for (name, _) in table().into_iter().filter(|(_, verdict)| verdict == "accept") {
        let message = judge(&octets(&name)).unwrap();
        if message.content_length().is_some() {
            assert_eq!(cpm_sip::Edit::new(&message).write(), message.raw(), "{name}");
        }
    }
}

// test: RFC3261-7.3.1 RFC3261-7.3.3
#[test]
fn wsinv_reads_through_folding_and_compact_forms() {
    let message = message("rfc4475/wsinv.dat");
    assert_eq!(message.method(), Some(Method::Invite));
    assert_eq!(message.max_forwards(), Ok(Some(68)));
    let cseq = message.cseq().unwrap();
    assert_eq!((cseq.number, cseq.method), (9, Method::Invite));
    assert_eq!(message.to().unwrap().tag(), Some("1918181833n"));
    let from = message.from().unwrap();
    assert_eq!(from.display().unwrap(), "J Rosenberg \\\"");
    assert_eq!(from.uri().as_str(), "sip:jdrosen@example.com");
    assert_eq!(from.tag(), Some("98asjd8"));
    let vias: Vec<_> = message.vias().map(Result::unwrap).collect();
    let branches: Vec<_> = vias.iter().map(|via| via.branch().unwrap()).collect();
    assert_eq!(branches, ["390skdjuw", "z9hG4bK9ikj8", "z9hG4bK30239"]);
    assert_eq!(vias[0].host().to_string(), "192.0.2.2");
    assert_eq!(vias[1].host(), Host::Name("spindle.example.com"));
    assert_eq!(vias[1].transport(), "TCP");
    let contacts: Vec<_> = message.contacts().map(Result::unwrap).collect();
    let [Contact::Address(contact)] = contacts.as_slice() else { panic!("one contact") };
    assert_eq!(contact.q(), Some(330));
    assert_eq!(contact.address().display().unwrap(), "Quoted string \"\"");
    assert_eq!(contact.params().value("newparam"), Some("newvalue"));
    assert!(contact.params().has("secondparam"));
    assert_eq!(message.subject(), Some(""));
    assert_eq!(message.headers_named("unknownheaderwithunusualvalue").collect::<Vec<_>>(), [";;,,;;,;"]);
    let folded: Vec<_> = message.headers_named("NewFangledHeader").collect();
    assert_eq!(folded, ["newfangled value   continued newfangled value"]);
    let route = message.routes().next().unwrap().unwrap();
    assert!(route.is_loose());
    assert_eq!(route.uri().params().value("unknownwith"), Some("value"));
    assert_eq!(message.body().len(), 150);
}

// test: RFC3261-19.1.2
#[test]
fn intmeth_has_every_token_character() {
    let message = message("rfc4475/intmeth.dat");
    let method = "!interesting-Method0123456789_*+`.%indeed'~";
    assert_eq!(message.method(), Some(Method::Other(method)));
    let uri = Uri::parse(message.request_uri().unwrap()).unwrap();
    assert_eq!(uri.user(), Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"));
    assert_eq!(uri.password(), Some("&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"));
    assert_eq!(uri.host(), Some(Host::Name("example.com")));
    assert_eq!(message.to().unwrap().display().unwrap(), "BEL:\u{7} NUL:\0 DEL:\u{7f}");
    let from = message.from().unwrap();
    assert_eq!(from.display().unwrap(), "token1~` token2'+_ token3*%!.-");
    assert_eq!(from.tag(), Some("_token~1'+`*%!-."));
    assert_eq!(message.call_id(), Ok("intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"));
    assert_eq!(message.max_forwards(), Ok(Some(255)));
    // The NUL of the display name may be copied into a response.
    let answer = Message::parse(Head::response_to(&message, 501, "").write(), &Limits::default()).unwrap();
    assert_eq!(answer.header(HeaderId::To), message.header(HeaderId::To));
}

// test: RFC3261-19.1.2
#[test]
fn escapes_are_resolved_once() {
    let message = message("rfc4475/esc01.dat");
    let uri = Uri::parse(message.request_uri().unwrap()).unwrap();
    assert_eq!(decode(uri.user().unwrap()).as_ref(), b"sips:user@example.com");
    assert_eq!(uri.host(), Some(Host::Name("example.net")));
    assert_eq!(message.to().unwrap().uri().canonical(), "sip:user@example.com");
    let contact = message.contacts().next().unwrap().unwrap();
    let Contact::Address(contact) = contact else { panic!("an address") };
    assert_eq!(decode(contact.uri().user().unwrap()).as_ref(), b"caller");
    assert!(contact.uri().params().has("lr"), "%6C%72 is lr");
    assert_eq!(decode(contact.uri().params().value("name").unwrap()).as_ref(), b"value%41");
}

#[test]
fn escaped_nul_does_not_cut_a_string() {
    let message = message("rfc4475/escnull.dat");
    let users: Vec<_> = message
        .contacts()
        .map(|contact| match contact.unwrap() {
            Contact::Address(contact) => contact.uri().canonical(),
            Contact::Any => panic!("an address"),
        })
        .collect();
    assert_eq!(users, ["sip:%00@host5.example.com", "sip:%00%00@host5.example.com"]);
}

#[test]
fn percent_is_no_escape_outside_uris() {
    let message = message("rfc4475/esc02.dat");
    assert_eq!(message.method(), Some(Method::Other("RE%47IST%45R")));
    assert_eq!(message.contacts().count(), 2, "C%6Fntact is an unknown field");
}

#[test]
fn the_datagram_ends_where_content_length_says() {
    let message = message("rfc4475/dblreq.dat");
    assert_eq!(message.method(), Some(Method::Register));
    assert!(message.body().is_empty());
    assert!(message.raw().len() < octets("rfc4475/dblreq.dat").len());
}

#[test]
fn long_values_and_many_vias() {
    let message = message("rfc4475/longreq.dat");
    assert_eq!(message.vias().filter(Result::is_ok).count(), 34);
    assert_eq!(message.body().len(), 150);
}

#[test]
fn the_user_part_may_hold_semicolons() {
    let message = message("rfc4475/semiuri.dat");
    let uri = Uri::parse(message.request_uri().unwrap()).unwrap();
    assert_eq!(decode(uri.user().unwrap()).as_ref(), b"user;par=u@example.net");
    assert_eq!(uri.host(), Some(Host::Name("example.com")));
    assert_eq!(message.accept().filter(Result::is_ok).count(), 6);
}

#[test]
fn bodies_are_octets() {
    let message = message("rfc4475/mpart01.dat");
    assert!(message.body().contains(&0));
    let content_type = message.content_type().unwrap().unwrap();
    assert!(content_type.is("multipart", "mixed"));
    assert_eq!(content_type.params().value("boundary"), Some("7a9cbec02ceef655"));
}

#[test]
fn reasons_may_be_utf8_or_empty() {
    assert_eq!(message("rfc4475/noreason.dat").reason(), Some(""));
    let reason = message("rfc4475/unreason.dat");
    assert_eq!(reason.reason(), Some("= 2**3 * 5**2 но сто девяносто девять - простое"));
    assert_eq!(reason.status(), Some(200));
}

#[test]
fn contact_and_uri_parameters_are_told_apart() {
    let outside = message("rfc4475/cparam01.dat");
    let Contact::Address(contact) = outside.contacts().next().unwrap().unwrap() else { panic!("an address") };
    assert!(contact.params().has("unknownparam") && contact.uri().params().is_empty());
    let inside = message("rfc4475/cparam02.dat");
    let Contact::Address(contact) = inside.contacts().next().unwrap().unwrap() else { panic!("an address") };
    assert!(contact.params().is_empty() && contact.uri().params().has("unknownparam"));
    let escaped = message("rfc4475/regescrt.dat");
    let Contact::Address(contact) = escaped.contacts().next().unwrap().unwrap() else { panic!("an address") };
    assert_eq!(contact.uri().headers(), Some("Route=%3Csip:sip.example.com%3E"));
}

#[test]
fn a_bad_date_is_an_error_only_when_asked_for() {
    let message = message("rfc4475/baddate.dat");
    assert!(message.date().is_err());
}

#[test]
fn the_bare_cookie_is_no_branch() {
    let message = message("rfc4475/badbranch.dat");
    let via = message.via_top().unwrap();
    assert_eq!(via.branch(), Some("z9hG4bK"));
    assert_eq!(via.unique_branch(), None);
}

// test: RFC5118-4.3 RFC5118-4.5 RFC5118-4.10
#[test]
fn ipv6_addresses_with_and_without_ports() {
    let host = |name: &str| {
        let message = message(name);
        let uri = Uri::parse(message.request_uri().unwrap()).unwrap();
        (uri.host().unwrap().to_string(), uri.port())
    };
    assert_eq!(host("rfc5118/port-ambiguous.sip"), ("[2001:db8::10:5070]".to_owned(), None));
    assert_eq!(host("rfc5118/port-unambiguous.sip"), ("[2001:db8::10]".to_owned(), Some(5070)));
    let three = host("rfc5118/ipv6-bug-abnf-3-colons.sip");
    assert_eq!(three, host("rfc5118/ipv6-correct-abnf-2-colons.sip"));
    assert_eq!(three.0, "[2001:db8::c000:201]");
    for name in ["rfc5118/via-received-param-with-delim.sip", "rfc5118/via-received-param-no-delim.sip"] {
        let received = message(name).via_top().unwrap().received().unwrap();
        assert_eq!(received.to_string(), "2001:db8::9:255", "{name}");
    }
    let mixed = message("rfc5118/mult-ip-in-header.sip");
    let last = mixed.vias().last().unwrap().unwrap();
    assert_eq!(last.received().unwrap().to_string(), "192.0.2.200");
    assert_eq!(mixed.vias().next().unwrap().unwrap().port(), Some(6050));
}

/// The archive leaves out the last empty line of this one; with it the fault that the RFC means is found.
#[test]
fn baddn_is_about_its_display_names() {
    let mut raw = octets("rfc4475/baddn.dat").to_vec();
    raw.extend_from_slice(b"\r\n");
    let error = judge(&raw.into()).unwrap_err();
    assert_eq!(error.answer().unwrap().reason, "Malformed From header field");
}
