//! Work grows with the size of the input and not faster.

use super::measure;
use crate::header::{AcceptContact, Challenge, Contact, FeatureTokens, MediaType, Via};
use crate::{Frame, Head, HeaderId, Limits, Message, NameAddr, StreamFramer, Uri, reject, validate};
use bytes::Bytes;

fn wide() -> Limits {
    Limits {
        fields: 60_000,
        value: 65_535,
        vias: 60_000,
        routes: 60_000,
        uri: 65_535,
        params: 60_000,
        ..Limits::default()
    }
}

/// `build(n)` and `build(2n)`: the second costs less than 2.5 times the first, and neither more than `per_octet` looks
/// at each octet.
fn is_linear(name: &str, per_octet: usize, build: impl Fn(usize) -> String, read: impl Fn(&str)) {
    let cost = |n: usize| {
        let text = build(n);
        (measure(|| read(&text)), text.len())
    };
    let ((once, size), (twice, _)) = (cost(400), cost(800));
    assert!(once > 0, "{name}: nothing was counted");
    assert!(twice * 2 < once * 5, "{name}: {once} for n, {twice} for 2n");
    assert!(once <= per_octet * size, "{name}: {once} looks at {size} octets");
}

fn request(lines: &str) -> String {
    format!(
        "OPTIONS sip:x.org SIP/2.0\r\nFrom: <sip:a.org>;tag=1\r\nTo: <sip:a.org>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\
         Via: SIP/2.0/UDP a.org;branch=z9hG4bK1\r\n{lines}\r\n"
    )
}

fn whole(text: &str) {
    let limits = wide();
    let message = Message::parse(text.to_owned().into(), &limits).expect("a message");
    validate(&message, &limits).expect("valid");
    assert!(message.all_headers().count() > 0 && message.contacts().all(|contact| contact.is_ok()));
}

#[test]
fn whole_messages() {
    is_linear("fields", 4, |n| request(&"X-Field: some value\r\n".repeat(n)), whole);
    is_linear("folds", 4, |n| request(&format!("X-Field: a{}\r\n", "\r\n b".repeat(n))), whole);
    is_linear("Via fields", 8, |n| request(&"Via: SIP/2.0/UDP a.org\r\n".repeat(n)), whole);
    is_linear(
        "Via values",
        8,
        |n| request(&format!("Via: {}\r\n", vec!["SIP/2.0/UDP a.org"; n].join(","))),
        whole,
    );
    is_linear(
        "routes",
        10,
        |n| request(&format!("Route: {}\r\n", vec!["<sip:a.org;lr>"; n].join(","))),
        whole,
    );
    is_linear(
        "contacts",
        16,
        |n| request(&format!("m: {}\r\n", vec!["\"A\" <sip:a@b.org>;q=0.1"; n].join(","))),
        whole,
    );
    is_linear("Content-Length", 4, |n| request(&"Content-Length: 0\r\n".repeat(n)), whole);
}

#[test]
fn single_values() {
    let via = |text: &str| assert!(Via::parse(text).is_ok());
    is_linear("Via parameters", 8, |n| format!("SIP/2.0/UDP a.org{}", ";p=v".repeat(n)), via);
    let address = |text: &str| assert!(NameAddr::parse(text).is_ok_and(|address| address.tag().is_none()));
    is_linear("address parameters", 8, |n| format!("<sip:a.org>{}", ";p=v".repeat(n)), address);
    is_linear("URI parameters", 8, |n| format!("<sip:a.org{}>", ";p=v".repeat(n)), address);
    is_linear("display words", 8, |n| format!("{}<sip:a.org>", "word ".repeat(n)), address);
    is_linear("quoted pairs", 8, |n| format!("\"{}\" <sip:a.org>", "\\\"".repeat(n)), address);
    is_linear(
        "words that are no name",
        8,
        |n| format!("{}x", "word ".repeat(n)),
        |text| {
            assert!(NameAddr::parse(text).is_err());
        },
    );
    is_linear(
        "escaped user",
        8,
        |n| format!("sip:{}@a.org", "%41".repeat(n)),
        |text| {
            assert!(Uri::parse(text).is_ok());
        },
    );
    is_linear(
        "URI headers",
        8,
        |n| format!("sip:a.org?{}", vec!["h=v"; n].join("&")),
        |text| {
            assert!(Uri::parse(text).is_ok());
        },
    );
    is_linear(
        "auth parameters",
        16,
        |n| format!("Digest {}", vec!["p=\"v\""; n].join(", ")),
        |text| {
            assert!(Challenge::parse(text).is_ok_and(|challenge| challenge.params.value("nonce").is_none()));
        },
    );
    is_linear(
        "media parameters",
        8,
        |n| format!("a/b{}", ";p=v".repeat(n)),
        |text| {
            assert!(MediaType::parse(text).is_ok());
        },
    );
    is_linear(
        "feature tokens",
        16,
        |n| format!("*;+g.3gpp.icsi-ref=\"{}\"", vec!["urn%3Aa"; n].join(",")),
        |text| {
            assert!(AcceptContact::parse(text).is_ok_and(|wanted| !wanted.icsi().has("urn:b")));
        },
    );
    is_linear(
        "feature parameters",
        16,
        |n| format!("<sip:a.org>{}", ";+g.x=\"a\"".repeat(n)),
        |text| {
            let Ok(Contact::Address(contact)) = Contact::parse(text) else { panic!("a contact") };
            assert!(!FeatureTokens::of(contact.params(), "+g.x").has("b"));
        },
    );
}

#[test]
fn answers_to_malformed_messages() {
    let limits = wide();
    is_linear(
        "rejected fields",
        8,
        |n| request(&"Via: SIP/2.0/UDP a.org\r\n".repeat(n)).replace("CSeq", "X-CSeq"),
        |text| {
            let error = Message::parse(text.to_owned().into(), &limits)
                .and_then(|message| validate(&message, &limits));
            let head: Head =
                reject(text.as_bytes(), &error.expect_err("no CSeq"), &limits).expect("an answer");
            assert!(head.header(HeaderId::Via).is_some());
        },
    );
}

/// One octet a read is the worst a peer can do: no octet is searched again but the three before the cut.
#[test]
fn streams_in_single_octets() {
    let read = |text: &str| {
        let (mut framer, limits) = (StreamFramer::new(), Limits::default());
        let mut frames = 0;
        for octet in text.as_bytes() {
            framer.push(Bytes::copy_from_slice(&[*octet]));
            if let Ok(Some(Frame::Message(_))) = framer.next(&limits) {
                frames += 1;
            }
        }
        assert_eq!(frames, 1);
    };
    is_linear(
        "one octet a read",
        6,
        |n| request(&format!("l: 0\r\nX-Field: {}\r\n", "v".repeat(n * 10))),
        read,
    );
}
