//! Values: escapes, addresses, the disposition list.

use std::borrow::Cow;

use proptest::prelude::*;

use super::*;

/// RFC 3862 §2.3, and §2.3.1 for what is not defined.
// test: CONV-BODY-015 RFC3862-2.3
#[test]
fn escapes() {
    for (written, read) in [
        ("plain", "plain"),
        (r"\\", "\\"),
        (r#"\""#, "\""),
        (r"\'", "'"),
        (r"\b\t\n\r", "\u{8}\t\n\r"),
        (r"\u00e9", "é"),
        (r"\u00E9t\u00e9", "été"),
        (r"\u0000", "\0"),
        (r"\x", "x"),
        (r"\é", "é"),
        (r"\u12", "u12"),
        (r"\u12g4", "u12g4"),
        (r"\u+123", "u+123"),
        (r"\uD83D\uDE00", "😀"),
        (r"\uD83D", "\u{fffd}"),
        (r"\uDE00x", "\u{fffd}x"),
        (r"\uD83D\u0041", "\u{fffd}A"),
        ("end\\", "end"),
        (r"\\\", "\\"),
        ("ünïcode", "ünïcode"),
    ] {
        assert_eq!(decode(written), read, "{written}");
    }
    assert!(matches!(decode("plain"), Cow::Borrowed(_)));
    assert!(matches!(encode("plain \"'"), Cow::Borrowed(_)));
    assert_eq!(encode("a\\b\u{8}\t\n\r\0\u{1f}\u{7f}"), r"a\\b\b\t\n\r\u0000\u001f\u007f");
    assert_eq!(encode("\"'"), "\"'", "quotes stay outside strings (RFC 3862 §2.3.1)");
}

#[test]
fn addresses() {
    for (value, display, uri) in [
        ("<im:tigger@100akerwood.com>", "", "im:tigger@100akerwood.com"),
        ("Winnie the Pooh <im:pooh@100akerwood.com>", "Winnie the Pooh", "im:pooh@100akerwood.com"),
        (r#""A \"quoted\" <name>" <sip:a@b;x=y?h=1>"#, "A \"quoted\" <name>", "sip:a@b;x=y?h=1"),
        (r#""Name"<sip:a@b>"#, "Name", "sip:a@b"),
        ("Bjørn <tel:+15550100002>", "Bjørn", "tel:+15550100002"),
        (r"Bj\u00f8rn <sip:b@c>", "Bjørn", "sip:b@c"),
        ("  <sip:a@b>  ", "", "sip:a@b"),
    ] {
        let raw = with_headers(&format!("From: {value}\r\n"));
        let message = Cpim::parse(&raw, &strict()).unwrap();
        assert_eq!(message.from().unwrap().unwrap(), Address { display: display.into(), uri }, "{value}");
    }
    for value in [
        "<sip:a b@c>",
        "<1sip:a>",
        "<:a>",
        "<sip:>",
        "<sip:a\\b>",
        "A",
        "",
        "<<sip:a@b>>",
        "a \"b\" <sip:a@b",
    ] {
        let raw = with_headers(&format!("From: {value}\r\n"));
        let error = Cpim::parse(&raw, &strict()).unwrap().from().unwrap_err();
        assert_eq!((error.kind, error.offset), (ParseKind::Address, 6), "{value}");
    }
}

// test: CONV-BODY-009
#[test]
fn several_recipients() {
    let raw = with_headers(
        "To: <sip:1@x>\r\ncc: Bob <sip:2@x>\r\nTo: <sip:3@x>\r\ncc: <sip:4@x>\r\nCC: <sip:5@x>\r\n",
    );
    let message = Cpim::parse(&raw, &strict()).unwrap();
    assert_eq!(message.to().map(|a| a.unwrap().uri).collect::<Vec<_>>(), ["sip:1@x", "sip:3@x"]);
    assert_eq!(message.cc().map(|a| a.unwrap().uri).collect::<Vec<_>>(), ["sip:2@x", "sip:4@x"]);
    let tolerant = Cpim::parse(&raw, &lenient()).unwrap();
    assert_eq!(tolerant.cc().map(|a| a.unwrap().uri).collect::<Vec<_>>(), ["sip:2@x", "sip:4@x", "sip:5@x"]);
}

/// Token, meaning, parameters.
type Entry = (String, Option<Disposition>, Vec<(String, String)>);

fn asked_of(value: &str) -> Vec<Entry> {
    let raw =
        with_headers(&format!("NS: i <urn:ietf:params:imdn>\r\ni.Disposition-Notification: {value}\r\n"));
    let message = Cpim::parse(&raw, &strict()).unwrap();
    message
        .asked()
        .map(|a| {
            let parameters = a.parameters().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
            (a.token.to_owned(), a.disposition, parameters)
        })
        .collect()
}

/// RFC 5438 §10.
// test: CONV-BODY-007 RFC5438-10
#[test]
fn dispositions() {
    assert_eq!(asked_of(""), []);
    assert_eq!(asked_of("  "), []);
    let all = asked_of("positive-delivery , negative-delivery,processing, display , interworking");
    assert_eq!(all.iter().map(|a| a.1.unwrap()).collect::<Vec<_>>(), Disposition::ALL);
    let odd = asked_of("later, Display, display ; a=1 ; b=\"x, ;y\"");
    assert_eq!(odd[0], ("later".to_owned(), None, vec![]));
    assert_eq!(odd[1].1, None, "tokens are case-sensitive");
    assert_eq!(odd[2].1, Some(Disposition::Display));
    assert_eq!(odd[2].2, [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "\"x, ;y\"".to_owned())]);
    let malformed = asked_of("display;, positive-delivery;a, processing;=1, negative-delivery");
    assert_eq!(malformed.len(), 1);
    assert_eq!(malformed[0].1, Some(Disposition::NegativeDelivery));
    let set: Dispositions = Disposition::ALL.into_iter().collect();
    assert_eq!(set.to_string(), "positive-delivery, negative-delivery, processing, display, interworking");
    assert!(Disposition::ALL.into_iter().all(|d| set.contains(d)) && Dispositions::NONE.is_empty());
}

/// An IMDN must not ask for one, and nobody answers if it does (RFC 5438 §7.2.1).
// test: CONV-IMDN-021 CONV-IMDN-041 CONV-BODY-010
#[test]
fn notifications_ask_for_nothing() {
    let head = "NS: i <urn:ietf:params:imdn>\r\ni.Message-ID: m\r\nDateTime: 2006-04-04T12:16:49-05:00\r\n\
                i.Disposition-Notification: display\r\n\r\n";
    for (mime, imdn) in [
        ("Content-Type: message/imdn+xml\r\nContent-Disposition: notification", true),
        ("Content-Type: Message/IMDN+XML", true),
        ("Content-Type: multipart/mixed;boundary=b\r\nContent-Disposition: Notification;x=y", true),
        ("Content-Type: multipart/mixed;boundary=b", false),
        ("Content-Type: text/plain", false),
    ] {
        let raw = format!("{head}{mime}\r\n\r\n");
        let message = Cpim::parse(raw.as_bytes(), &strict()).unwrap();
        assert_eq!(message.is_imdn(), imdn, "{mime}");
        assert_eq!(message.imdn_request().unwrap().is_none(), imdn, "{mime}");
    }
}

proptest! {
    #[test]
    fn escapes_round_trip(text in any::<String>()) {
        let written = encode(&text);
        prop_assert!(!written.bytes().any(|b| b < 0x20 || b == 0x7f));
        let read = decode(&written);
        prop_assert_eq!(read.as_ref(), text.as_str());
    }

    #[test]
    fn decode_takes_anything(text in "[\\\\u0-9a-fD\r\n \"x]{0,24}") {
        prop_assert!(decode(&text).len() <= text.len().saturating_mul(3));
    }
}
