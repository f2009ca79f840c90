use std::time::Duration;

use super::*;
use crate::{Limits, ParseKind, WriteError};

mod edits;
mod values;
mod written;

fn strict() -> Limits {
    Limits::default()
}

fn lenient() -> Limits {
    Limits { lenient: true, ..Limits::default() }
}

fn fault(raw: &[u8], limits: &Limits) -> (ParseKind, u32) {
    let error = Cpim::parse(raw, limits).and_then(|m| m.validate(&[])).unwrap_err();
    (error.kind, error.offset)
}

/// A message with these header lines and a short payload.
fn with_headers(headers: &str) -> Vec<u8> {
    format!("{headers}\r\nContent-Type: text/plain\r\n\r\nhi").into_bytes()
}

/// RFC 5438 §7.1.1.3, as printed: no blank line before the MIME headers.
const RFC5438: &[u8] = b"From: Alice <im:alice@example.com>\r\n\
To: Bob <im:bob@example.com>\r\n\
NS: imdn <urn:ietf:params:imdn>\r\n\
imdn.Message-ID: 34jk324j\r\n\
DateTime: 2006-04-04T12:16:49-05:00\r\n\
imdn.Disposition-Notification: positive-delivery, negative-delivery\r\n\
Content-type: text/plain\r\n\
Content-length: 12\r\n\
\r\n\
Hello World\r\n";

/// RFC 3862 §5.1, without the MIME header of the message around it.
const RFC3862: &[u8] = b"From: MR SANDERS <im:piglet@100akerwood.com>\r\n\
To: Depressed Donkey <im:eeyore@100akerwood.com>\r\n\
DateTime: 2000-12-13T13:40:00-08:00\r\n\
Subject: the weather will be fine today\r\n\
Subject:;lang=fr beau temps prevu pour aujourd'hui\r\n\
NS: MyFeatures <mid:MessageFeatures@id.foo.com>\r\n\
Require: MyFeatures.VitalMessageOption\r\n\
MyFeatures.VitalMessageOption: Confirmation-requested\r\n\
MyFeatures.WackyMessageOption: Use-silly-font\r\n\
\r\n\
Content-type: text/xml; charset=utf-8\r\n\
Content-ID: <1234567890@foo.com>\r\n\
\r\n\
<body>\r\n\
Here is the text of my message.\r\n\
</body>\r\n";

// test: RFC5438-7.1.1 CONV-BODY-007
#[test]
fn rfc5438_message() {
    let message = Cpim::parse(RFC5438, &strict()).unwrap();
    message.validate(&[]).unwrap();
    assert_eq!(
        message.from().unwrap().unwrap(),
        Address { display: "Alice".into(), uri: "im:alice@example.com" }
    );
    let to: Vec<_> = message.to().map(Result::unwrap).collect();
    assert_eq!(to, [Address { display: "Bob".into(), uri: "im:bob@example.com" }]);
    let request = message.imdn_request().unwrap().unwrap();
    assert_eq!(request.message_id, "34jk324j");
    assert_eq!(request.datetime, "2006-04-04T12:16:49-05:00");
    assert_eq!(request.original_to, None);
    let wanted = [Disposition::PositiveDelivery, Disposition::NegativeDelivery];
    assert_eq!(request.wanted, wanted.into_iter().collect());
    assert_eq!(message.datetime().unwrap(), Some(Duration::from_secs(1_144_171_009)));
    assert!(message.mime().content_type().unwrap().is("text", "plain"));
    assert_eq!(message.body(), b"Hello World\r", "the length printed in the RFC is 12");
}

// test: CONV-BODY-016 RFC3862-5.1
#[test]
fn rfc3862_message() {
    let message = Cpim::parse(RFC3862, &strict()).unwrap();
    let error = message.validate(&[]).unwrap_err();
    assert_eq!((error.kind, error.kind.status()), (ParseKind::UnknownRequire, 400));
    let place = usize::try_from(error.offset).unwrap();
    assert!(RFC3862[place..].starts_with(b"MyFeatures.VitalMessageOption\r\n"));
    message.validate(&[("mid:MessageFeatures@id.foo.com", "VitalMessageOption")]).unwrap();

    assert_eq!(message.subject().as_deref(), Some("the weather will be fine today"));
    let subjects: Vec<_> = message.all(Field::Subject).map(|s| (s.lang(), s.value())).collect();
    assert_eq!(subjects[1], (Some("fr"), "beau temps prevu pour aujourd'hui".into()));
    let wacky = message.header("mid:MessageFeatures@id.foo.com", "WackyMessageOption").unwrap();
    assert_eq!((wacky.raw_value, wacky.prefix, wacky.field), ("Use-silly-font", "MyFeatures", Field::Other));
    assert_eq!(message.header("urn:other", "WackyMessageOption").map(|h| h.raw_value), None);
    assert_eq!(message.mime().content_id(), Some("1234567890@foo.com"));
    assert_eq!(message.body(), b"<body>\r\nHere is the text of my message.\r\n</body>\r\n");
    assert_eq!(message.imdn_request(), Ok(None));
    assert_eq!(message.raw(), RFC3862);
}

/// Each line printed in RFC 3862 §§3-4, with the declaration it needs.
// test: RFC3862-3.6
#[test]
fn rfc3862_lines() {
    let declared = "NS: MyFeatures <mid:MessageFeatures@id.foo.com>\r\nNS: acme <http://id.acme.widgets/wily-headers/>\r\n\
                    NS: MyAlias <mid:MessageFeatures@id.foo.com>\r\n";
    for line in [
        "Subject:;lang=fr Objet de message",
        "MyFeatures.WackyMessageOption: Use-silly-font",
        "acme.runner-trap: set",
        "NS: <http://id.acme.widgets/wily-headers/>",
        "From: Winnie the Pooh <im:pooh@100akerwood.com>",
        "From: <im:tigger@100akerwood.com>",
        "To: Winnie the Pooh <im:pooh@100akerwood.com>",
        "cc: Winnie the Pooh <im:pooh@100akerwood.com>",
        "cc: <im:tigger@100akerwood.com>",
        "DateTime: 2001-02-01T12:16:49-05:00",
        "Subject:;lang=en Eeyore's feeling very depressed today",
        "MyAlias.MyHeader: private-extension-data",
    ] {
        let raw = with_headers(&format!("{declared}{line}\r\n"));
        Cpim::parse(&raw, &strict()).and_then(|m| m.validate(&[])).unwrap_or_else(|e| panic!("{line}: {e}"));
    }
}

/// The order of RFC 3862 and CPM is one of many; NS stands anywhere before its use.
// test: CONV-BODY-001
#[test]
fn any_order() {
    let raw = with_headers(
        "DateTime: 2006-04-04T12:16:49-05:00\r\nNS: x <urn:ietf:params:imdn>\r\nx.Disposition-Notification: display\r\n\
         cc: <tel:+12025550123>\r\nx.Message-ID: m1\r\nTo: <im:b@example.com>\r\nFrom: <im:a@example.com>\r\n",
    );
    let message = Cpim::parse(&raw, &strict()).unwrap();
    let request = message.imdn_request().unwrap().unwrap();
    assert_eq!((request.message_id.as_ref(), request.wanted.display), ("m1", true));
    assert_eq!(message.cc().next().unwrap().unwrap().uri, "tel:+12025550123");
    let fields: Vec<_> = message.headers().map(|h| h.field).collect();
    assert_eq!(
        fields,
        [
            Field::DateTime,
            Field::Ns,
            Field::DispositionNotification,
            Field::Cc,
            Field::MessageId,
            Field::To,
            Field::From
        ]
    );
}

/// The prefix counts as declared, not by its letters (threats 4.6).
// test: CONV-BODY-002
#[test]
fn namespaces() {
    let rebound = with_headers("NS: imdn <urn:other>\r\nimdn.Message-ID: evil\r\n");
    let message = Cpim::parse(&rebound, &strict()).unwrap();
    assert_eq!(message.message_id(), None);
    assert_eq!(message.header("urn:other", "Message-ID").unwrap().raw_value, "evil");

    let redeclared = with_headers(
        "NS: p <urn:other>\r\np.Message-ID: other\r\nNS: p <urn:ietf:params:imdn>\r\np.Message-ID: mine\r\n",
    );
    let message = Cpim::parse(&redeclared, &strict()).unwrap();
    assert_eq!(message.message_id().as_deref(), Some("mine"));
    assert_eq!(message.header("urn:other", "Message-ID").unwrap().raw_value, "other");

    let default = with_headers(
        "From: <im:a@b>\r\nNS: <urn:ietf:params:imdn>\r\nMessage-ID: m\r\nTo: none of ours\r\n\
         NS: c <urn:ietf:params:cpim-headers:>\r\nc.To: <im:x@y>\r\nNS: <urn:ietf:params:cpim-headers:>\r\nTo: <im:z@y>\r\n",
    );
    let message = Cpim::parse(&default, &strict()).unwrap();
    message.validate(&[]).unwrap();
    assert_eq!(message.message_id().as_deref(), Some("m"));
    let to: Vec<_> = message.to().map(|a| a.unwrap().uri).collect();
    assert_eq!(to, ["im:x@y", "im:z@y"]);
    assert_eq!(message.header(IMDN_NAMESPACE, "To").unwrap().raw_value, "none of ours");

    // NS and Require are the framework's own under any default.
    let framework =
        with_headers("NS: <urn:other>\r\nNS: i <urn:ietf:params:imdn>\r\ni.Message-ID: m\r\nRequire: X\r\n");
    let message = Cpim::parse(&framework, &strict()).unwrap();
    assert_eq!(message.message_id().as_deref(), Some("m"));
    assert_eq!(message.validate(&[]).unwrap_err().kind, ParseKind::UnknownRequire);
    message.validate(&[("urn:other", "X")]).unwrap();
}

#[test]
fn require() {
    let known = "NS: imdn <urn:ietf:params:imdn>\r\nRequire: imdn.Message-ID,From, cc\r\n";
    Cpim::parse(&with_headers(known), &strict()).unwrap().validate(&[]).unwrap();
    for unknown in ["from", "imdn.Nothing", "x.Message-ID", "", "From,"] {
        let raw = with_headers(&format!("NS: imdn <urn:ietf:params:imdn>\r\nRequire: {unknown}\r\n"));
        assert_eq!(fault(&raw, &strict()).0, ParseKind::UnknownRequire, "{unknown}");
    }
    // Several Require headers all count.
    let second = with_headers("Require: From\r\nRequire: Nothing\r\n");
    assert_eq!(fault(&second, &strict()), (ParseKind::UnknownRequire, 24));
}

/// Faults of strict reading: kind and place. What tolerant reading makes of them follows below.
// test: CONV-BODY-015
#[test]
fn strict_faults() {
    use ParseKind::*;
    let cases: &[(&[u8], ParseKind, u32)] = &[
        (b"", MissingBlankLine, 0),
        (b"From: <im:a@b>", MissingBlankLine, 14),
        (b"From: <im:a@b>\r\n", MissingBlankLine, 16),
        (b"From: <im:a@b>\n\nContent-Type: a/b\n\n", LineEnd, 14),
        (b"From: <im:a@b>\r\n\nContent-Type: a/b\r\n\r\n", LineEnd, 16),
        (b"Subject: a\r\n b\r\n\r\n\r\n", Folded, 12),
        (b" From: <im:a@b>\r\n\r\n", Folded, 0),
        (b"Subject:a\r\n\r\n", MissingSpace, 8),
        (b"Subject:\ta\r\n\r\n", MissingSpace, 8),
        (b"Subject:\r\n\r\n", MissingSpace, 8),
        (b"Subject\r\n\r\n", HeaderName, 7),
        (b"Sub ject: a\r\n\r\n", HeaderName, 3),
        (b": a\r\n\r\n", HeaderName, 0),
        (b".x: a\r\n\r\n", HeaderName, 0),
        (b"x.: a\r\n\r\n", HeaderName, 1),
        (b"NS: x <u:v>\r\nx.y.z: a\r\n\r\n", HeaderName, 14),
        (b"S\xc3\xbcbject: a\r\n\r\n", HeaderName, 1),
        (b"Subject: a\rb\r\n\r\n", ControlCharacter, 10),
        (b"Subject: a\tb\r\n\r\n", ControlCharacter, 10),
        (b"Subject: a\0b\r\n\r\n", ControlCharacter, 10),
        (b"Subject: a\x7fb\r\n\r\n", ControlCharacter, 10),
        (b"Subject: a\xffb\r\n\r\n", NotUtf8, 10),
        (b"Subject:;lang=\xff b\r\n\r\n", NotUtf8, 14),
        (b"Subject:;lang b\r\n\r\n", HeaderParameter, 9),
        (b"Subject:;lang= b\r\n\r\n", HeaderParameter, 9),
        (b"Subject:;=fr b\r\n\r\n", HeaderParameter, 9),
        (b"Subject:;lang=fr\r\n\r\n", MissingSpace, 16),
        (b"Subject:;x=\"a b\r\n\r\n", HeaderParameter, 9),
        (b"imdn.Message-ID: a\r\n\r\n", UndeclaredPrefix, 0),
        (b"imdn.Message-ID: a\r\nNS: imdn <urn:ietf:params:imdn>\r\n\r\n", UndeclaredPrefix, 0),
        (b"NS: x\r\n\r\n", Namespace, 4),
        (b"NS: x <u:v\r\n\r\n", Namespace, 4),
        (b"NS: x y <u:v>\r\n\r\n", Namespace, 4),
        (b"NS: x <nouri>\r\n\r\n", Namespace, 4),
        (b"NS: x.y <u:v>\r\n\r\n", Namespace, 4),
        (b"From: <im:a@b>\r\nFrom: <im:c@d>\r\n\r\n", DuplicateHeader, 16),
        (b"DateTime: 2000-12-13T13:40:00Z\r\nDateTime: 2000-12-13T13:40:00Z\r\n\r\n", DuplicateHeader, 32),
        (b"From: <im:a@b>\r\n\r\nHello\r\n\r\n", MimeHeader, 18),
        (b"From: <im:a@b>\r\n\r\n Content-Type: a/b\r\n\r\n", MimeHeader, 18),
        (b"From: <im:a@b>\r\n\r\nContent-Type: a/b\n\n", LineEnd, 35),
        (b"From: <im:a@b>\r\n\r\nContent-Type: a/b\r\nContent-type: c/d\r\n\r\n", DuplicateMimeHeader, 37),
        (b"From: <im:a@b>\r\n\r\nContent-Type: text\r\n\r\n", ContentType, 32),
        (b"From: <im:a@b>\r\n\r\nContent-Type: a/b\r\nContent-Length: 3\r\n\r\nhi", ContentLength, 60),
        (b"From: im:a@b\r\n\r\n", Address, 6),
        (b"From: A <im:a@b\r\n\r\n", Address, 6),
        (b"From: A <im:a@b> x\r\n\r\n", Address, 6),
        (b"From: \"A <im:a@b>\r\n\r\n", Address, 6),
        (b"From: <>\r\n\r\n", Address, 6),
        (b"To: <im:a@b>, <im:c@d>\r\n\r\n", Address, 4),
        (b"DateTime: today\r\n\r\n", DateTime, 10),
        (b"NS: i <urn:ietf:params:imdn>\r\ni.Message-ID: a b\r\n\r\n", MessageId, 44),
        (b"NS: i <urn:ietf:params:imdn>\r\ni.Message-ID: \r\n\r\n", MessageId, 44),
        (b"NS: i <urn:ietf:params:imdn>\r\ni.Disposition-Notification: a b\r\n\r\n", Disposition, 58),
        (b"NS: i <urn:ietf:params:imdn>\r\ni.Disposition-Notification: display,\r\n\r\n", Disposition, 58),
        (
            b"NS: i <urn:ietf:params:imdn>\r\ni.Disposition-Notification: display\r\n\r\n",
            IncompleteRequest,
            67,
        ),
    ];
    for (raw, kind, offset) in cases {
        assert_eq!(fault(raw, &strict()), (*kind, *offset), "{}", String::from_utf8_lossy(raw));
        assert_eq!(kind.status(), 400);
    }
}

// test: CONV-BODY-015
#[test]
fn tolerated() {
    for raw in [
        &b"From: <im:a@b>\nSubject: x\n\nContent-Type: text/plain\n\nhi"[..],
        b"From:<im:a@b>\r\nSubject:x\r\n\r\nContent-Type: text/plain\r\n\r\nhi",
        b"From: im:a@b\r\nSubject: x\r\n\r\nContent-Type: text/plain\r\n\r\nhi",
        b"from: <im:a@b>\r\nSUBJECT: x\r\n\r\nContent-Type: text/plain\r\n\r\nhi",
        b"From: <im:a@b>\r\nSubject:\tx\r\n\r\nContent-Type: text/plain\r\n\r\nhi",
        b"From: <im:a@b>\r\nSubject: x\r\n\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nhi",
        b"From: <im:a@b>\r\nunknown.Prefix: 1\r\nSubject: x\r\n\r\nContent-Type: text/plain\r\n\r\nhi",
    ] {
        let shown = String::from_utf8_lossy(raw);
        let strictly =
            Cpim::parse(raw, &strict()).and_then(|m| m.validate(&[]).map(|()| m.from().unwrap().is_some()));
        assert_ne!(strictly, Ok(true), "strict reading takes {shown}");
        let message = Cpim::parse(raw, &lenient()).unwrap_or_else(|e| panic!("{shown}: {e}"));
        message.validate(&[]).unwrap();
        assert_eq!(message.from().unwrap().unwrap().uri, "im:a@b", "{shown}");
        assert_eq!(message.subject().as_deref(), Some("x"), "{shown}");
        assert_eq!(message.body(), b"hi", "{shown}");
    }
    let folded = Cpim::parse(b"Subject: a\r\n  b\r\nFrom: <im:a@b>\r\n\r\n", &lenient()).unwrap();
    assert_eq!(folded.subject().as_deref(), Some("a b"));
    assert_eq!(folded.from().unwrap().unwrap().uri, "im:a@b");
    // A fold cannot carry what a line cannot.
    assert_eq!(fault(b"Subject: a\r\n \x01\r\n\r\n", &lenient()), (ParseKind::ControlCharacter, 13));
    assert_eq!(fault(b"Subject: a\r\n \xff\r\n\r\n", &lenient()), (ParseKind::NotUtf8, 13));
    // Two senders are one too many, in whatever case.
    assert_eq!(
        fault(b"From: <im:a@b>\r\nfrom: <im:c@d>\r\n\r\n", &lenient()),
        (ParseKind::DuplicateHeader, 16)
    );
    // Names in the wrong case are other headers to a strict reader.
    let other = Cpim::parse(b"from: <im:a@b>\r\n\r\n", &strict()).unwrap();
    assert_eq!(other.from(), Ok(None));
    assert_eq!(other.headers().next().unwrap().field, Field::Other);
}

/// The space after the colon is one; a second belongs to the value (RFC 3862 §3.6).
#[test]
fn two_spaces() {
    let raw = with_headers("From:  <im:a@b>\r\nSubject:  x\r\n");
    let message = Cpim::parse(&raw, &strict()).unwrap();
    assert_eq!(message.from().unwrap().unwrap().uri, "im:a@b");
    assert_eq!(message.subject().as_deref(), Some(" x"));
}

// test: CONV-BODY-013 CONV-BODY-017
#[test]
fn payloads() {
    let headers_only = Cpim::parse(b"From: <im:a@b>\r\n\r\n", &strict()).unwrap();
    assert_eq!(headers_only.body(), b"");
    let default = headers_only.mime().content_type().unwrap();
    assert!(default.is("text", "plain"));
    assert_eq!(default.parameter("charset").as_deref(), Some("UTF-8"));

    let untyped = Cpim::parse(b"From: <im:a@b>\r\n\r\n\r\ntext", &strict()).unwrap();
    assert_eq!(untyped.body(), b"text");
    let unended = Cpim::parse(b"From: <im:a@b>\r\n\r\nContent-Type: a/b", &strict()).unwrap();
    assert!(unended.mime().content_type().unwrap().is("a", "b"));
    let no_headers = Cpim::parse(b"\r\nContent-Type: a/b\r\n\r\nx", &strict()).unwrap();
    assert_eq!((no_headers.headers().count(), no_headers.body()), (0, &b"x"[..]));

    for (length, body) in
        [("2", &b"hi"[..]), ("0", b""), ("...", b"hi\r\n"), ("", b"hi\r\n"), ("-1", b"hi\r\n")]
    {
        let raw = format!("From: <im:a@b>\r\n\r\nContent-Length: {length}\r\n\r\nhi\r\n");
        assert_eq!(Cpim::parse(raw.as_bytes(), &strict()).unwrap().body(), body, "{length}");
    }
    let huge = b"From: <im:a@b>\r\n\r\nContent-Length: 99999999999999999999999\r\n\r\nhi";
    assert_eq!(fault(huge, &strict()).0, ParseKind::ContentLength);
}

/// A message inside a message stays opaque until it is read as one.
#[test]
fn nested() {
    let inner = with_headers("From: <im:in@b>\r\n");
    let mut outer = b"From: <im:out@b>\r\n\r\nContent-Type: Message/CPIM\r\n\r\n".to_vec();
    outer.extend_from_slice(&inner);
    let message = Cpim::parse(&outer, &strict()).unwrap();
    assert!(message.mime().content_type().unwrap().is("message", "cpim"));
    let second = Cpim::parse(message.body(), &strict()).unwrap();
    assert_eq!(second.from().unwrap().unwrap().uri, "im:in@b");
}

// test: CONV-BODY-011
#[test]
fn encoded_payload() {
    let raw = b"From: <im:a@b>\r\n\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\nSGVs\r\nbG8=\r\n";
    let message = Cpim::parse(raw, &strict()).unwrap();
    assert_eq!(message.payload(100).unwrap().as_ref(), b"Hello");
    assert_eq!(message.payload(5).unwrap().as_ref(), b"Hello");
    let error = message.payload(4).unwrap_err();
    assert_eq!((error.kind, error.kind.status()), (ParseKind::DecodedTooLarge, 413));
    let unknown = b"From: <im:a@b>\r\n\r\nContent-Transfer-Encoding: uuencode\r\n\r\nx";
    let error = Cpim::parse(unknown, &strict()).unwrap().payload(10).unwrap_err();
    assert_eq!((error.kind, error.kind.status()), (ParseKind::UnknownTransferEncoding, 415));
}

#[test]
fn header_limits() {
    let lines = |n: usize| with_headers(&"Subject: x\r\n".repeat(n));
    // One MIME header is part of the count.
    Cpim::parse(&lines(62), &strict()).unwrap();
    Cpim::parse(&lines(63), &strict()).unwrap();
    assert_eq!(fault(&lines(64), &strict()).0, ParseKind::TooManyHeaders);
    assert_eq!(fault(&lines(65), &strict()), (ParseKind::TooManyHeaders, 64 * 12));
    let few = Limits { headers: 3, ..Limits::default() };
    Cpim::parse(&lines(2), &few).unwrap();
    assert_eq!(fault(&lines(3), &few).0, ParseKind::TooManyHeaders);

    // The byte count runs to the end of the blank line before the payload.
    let raw = with_headers("Subject: abc\r\n");
    let head = raw.len() - 2;
    for (cap, ok) in [(head - 1, false), (head, true), (head + 1, true)] {
        let limits = Limits { header_bytes: cap, ..Limits::default() };
        let read = Cpim::parse(&raw, &limits);
        assert_eq!(read.is_ok(), ok, "{cap}");
        if let Err(error) = read {
            assert_eq!(error.kind, ParseKind::HeaderTooLarge);
        }
    }
    for (cap, ok) in [(raw.len() - 1, false), (raw.len(), true), (raw.len() + 1, true)] {
        let limits = Limits { message_bytes: cap, ..Limits::default() };
        assert_eq!(Cpim::parse(&raw, &limits).is_ok(), ok);
    }
    let small = Limits { message_bytes: 10, ..Limits::default() };
    assert_eq!(fault(&raw, &small).0.status(), 413);

    let name = |n: usize| format!("{}: x\r\n", "a".repeat(n));
    Cpim::parse(&with_headers(&name(255)), &strict()).unwrap();
    assert_eq!(fault(&with_headers(&name(256)), &strict()), (ParseKind::HeaderName, 0));
}

#[test]
fn status_and_text() {
    let error = Cpim::parse(b"Subject\r\n\r\n", &strict()).unwrap_err();
    assert_eq!(error.to_string(), "Bad CPIM Header Name at byte 7");
    assert_eq!(error.kind.to_string(), "Bad CPIM Header Name");
}
