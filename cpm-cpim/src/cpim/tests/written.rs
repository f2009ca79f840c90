//! The builder, read back.

use proptest::prelude::*;

use super::*;

/// The order of CONV-BODY-001, all headers there are.
// test: CONV-BODY-001 CONV-BODY-014
#[test]
fn order() {
    let written = CpimBuilder::new("text/plain;charset=UTF-8", b"Bob, your turn")
        .mime("Content-Disposition", "render")
        .header("x", "Extra", "a\r\nb")
        .require("x.Extra")
        .require("From")
        .namespace("x", "urn:x:y")
        .payload_type("text/plain")
        .subject(Some("fr"), "sujet")
        .route("", "sip:r2@x.test")
        .record_route("", "sip:r1@x.test")
        .original_to("", "sip:o@x.test")
        .want(Dispositions { display: true, positive_delivery: true, ..Dispositions::NONE })
        .datetime(Duration::from_secs(1_599_473_220))
        .message_id("gm-0001")
        .cc("", "sip:bob@home2.net")
        .to("", "tel:+12025550123")
        .from("Alice \"A\" <x>", "sip:alice@home1.net")
        .write()
        .unwrap();
    let expected = "From: \"Alice \\\"A\\\" <x>\"<sip:alice@home1.net>\r\n\
        To: <tel:+12025550123>\r\n\
        cc: <sip:bob@home2.net>\r\n\
        NS: imdn <urn:ietf:params:imdn>\r\n\
        NS: cpm <http://www.openmobilealliance.org/cpm/>\r\n\
        NS: x <urn:x:y>\r\n\
        imdn.Message-ID: gm-0001\r\n\
        DateTime: 2020-09-07T10:07:00Z\r\n\
        imdn.Disposition-Notification: positive-delivery, display\r\n\
        imdn.Original-To: <sip:o@x.test>\r\n\
        imdn.IMDN-Record-Route: <sip:r1@x.test>\r\n\
        imdn.IMDN-Route: <sip:r2@x.test>\r\n\
        Subject:;lang=fr sujet\r\n\
        cpm.Payload-Type: text/plain\r\n\
        Require: x.Extra,From\r\n\
        x.Extra: a\\r\\nb\r\n\
        \r\n\
        Content-Type: text/plain;charset=UTF-8\r\n\
        Content-Disposition: render\r\n\
        Content-Length: 14\r\n\
        \r\n\
        Bob, your turn";
    assert_eq!(String::from_utf8(written.clone()).unwrap(), expected);
    let read = Cpim::parse(&written, &strict()).unwrap();
    read.validate(&[("urn:x:y", "Extra")]).unwrap();
    assert_eq!(read.from().unwrap().unwrap().display, "Alice \"A\" <x>");
    assert_eq!(read.header("urn:x:y", "Extra").unwrap().value(), "a\r\nb");
    assert_eq!(read.payload_type(), Some("text/plain"));
    assert_eq!(read.original_to().unwrap().unwrap().uri, "sip:o@x.test");
    assert_eq!(read.record_route().next().unwrap().unwrap().uri, "sip:r1@x.test");
    assert_eq!(read.route().next().unwrap().unwrap().uri, "sip:r2@x.test");
}

fn plain<'a>() -> CpimBuilder<'a> {
    CpimBuilder::new("text/plain", b"x")
}

// test: CONV-BODY-006
#[test]
fn refused() {
    let want = Dispositions { display: true, ..Dispositions::NONE };
    let cases = [
        (plain().from("", "sip:a@b>\r\nTo: <sip:c@d"), WriteError::Uri),
        (plain().from("", "sip:a@b\r\n"), WriteError::Uri),
        (plain().to("", "nouri"), WriteError::Uri),
        (plain().to("", "sip:ä@b"), WriteError::Uri),
        (plain().message_id("a@b"), WriteError::MessageId),
        (plain().message_id(""), WriteError::MessageId),
        (plain().message_id("a\r\nTo: x"), WriteError::MessageId),
        (plain().subject(Some("fr\r\n"), "x"), WriteError::Name),
        (plain().subject(Some(""), "x"), WriteError::Name),
        (plain().namespace("a b", "urn:x"), WriteError::Name),
        (plain().namespace("a", "urn:x>\r\n"), WriteError::Uri),
        (plain().namespace("imdn", "urn:x").message_id("m"), WriteError::Name),
        (plain().header("undeclared", "N", "v"), WriteError::Name),
        (plain().namespace("a", "urn:x").header("a", "N: x\r\nTo", "v"), WriteError::Name),
        (plain().require("a b"), WriteError::Name),
        (plain().require("a.b.c"), WriteError::Name),
        (plain().mime("X", "a\r\nb"), WriteError::MimeValue),
        (plain().mime("X:", "a"), WriteError::Name),
        (CpimBuilder::new("text/plain\r\nX: y", b""), WriteError::MimeValue),
        (CpimBuilder::new("text", b""), WriteError::MimeValue),
        (plain().want(want), WriteError::IncompleteRequest),
        (plain().want(want).message_id("m"), WriteError::IncompleteRequest),
        (plain().want(want).datetime(Duration::ZERO), WriteError::IncompleteRequest),
        (
            CpimBuilder::new("message/imdn+xml", b"").want(want).message_id("m").datetime(Duration::ZERO),
            WriteError::RequestInNotification,
        ),
    ];
    for (builder, error) in cases {
        assert_eq!(builder.write(), Err(error), "{builder:?}");
    }
}

prop_compose! {
    /// Any text, most of it with something to escape.
    fn text()(text in prop_oneof![any::<String>(), "[a-z \\\\\"'<>;:\r\n\t]{0,20}"]) -> String { text }
}

proptest! {
    /// Whatever the values, the message reads back to them and has no other header.
    #[test]
    fn round_trip(
        display in text(),
        subject in text(),
        extra in text(),
        id in "[A-Za-z0-9._-]{1,40}",
        user in "[a-z0-9.]{1,12}",
        millis in 0..4_102_444_800_000_u64,
        body in proptest::collection::vec(any::<u8>(), 0..64),
        bits in 0..32_u8,
    ) {
        let uri = format!("sip:{user}@example.test");
        let want: Dispositions =
            Disposition::ALL.into_iter().enumerate().filter(|(i, _)| bits >> i & 1 == 1).map(|(_, d)| d).collect();
        let time = Duration::from_millis(millis);
        let written = CpimBuilder::new("text/plain;charset=UTF-8", &body)
            .from(&display, &uri)
            .to("", &uri)
            .message_id(&id)
            .datetime(time)
            .want(want)
            .subject(None, &subject)
            .namespace("x", "urn:x")
            .header("x", "E", &extra)
            .write()
            .unwrap();
        let read = Cpim::parse(&written, &Limits { header_bytes: 65_535, ..strict() }).unwrap();
        read.validate(&[]).unwrap();
        prop_assert_eq!(read.from().unwrap().unwrap(), Address { display: display.as_str().into(), uri: &uri });
        prop_assert_eq!(read.subject().unwrap(), subject);
        prop_assert_eq!(read.header("urn:x", "E").unwrap().value(), extra);
        prop_assert_eq!(read.message_id().unwrap(), id);
        prop_assert_eq!(read.datetime().unwrap(), Some(time));
        prop_assert_eq!(read.disposition_notification(), want);
        prop_assert_eq!(read.body(), body);
        prop_assert_eq!(read.headers().count(), 8 + usize::from(!want.is_empty()));
    }

    /// Arbitrary bytes never panic, and strict reading accepts nothing that tolerant reading refuses, but
    /// for a header repeated in another case.
    #[test]
    fn any_bytes(raw in prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..200),
        "((From|To|NS|Subject|imdn.Message-ID|Content-Type): [a-z<>:;/ ]{0,12}\r?\n){0,6}\r\n.{0,20}".prop_map(String::into_bytes),
    ]) {
        let strict_read = Cpim::parse(&raw, &strict());
        let tolerant = Cpim::parse(&raw, &lenient());
        if let Ok(message) = &strict_read {
            let repeated = |e: &crate::ParseError| e.kind == ParseKind::DuplicateHeader;
            prop_assert!(tolerant.as_ref().err().is_none_or(repeated));
            let _ = message.validate(&[]);
            for header in message.headers() {
                let at = usize::try_from(header.offset).unwrap();
                prop_assert!(raw[at..].starts_with(header.prefix.as_bytes()));
            }
        }
    }
}
