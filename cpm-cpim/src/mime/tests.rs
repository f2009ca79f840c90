use proptest::prelude::*;

use super::*;
use crate::{Limits, ParseKind, WriteError};

fn limits() -> Limits {
    Limits::default()
}

#[test]
fn field_block() {
    let raw = b"Content-TYPE: text/plain;\r\n charset=utf-8\r\nX-Other : a b \r\nContent-Disposition: Attachment\r\n\
                Content-ID:<a@b>\r\nContent-Encoding: gzip\r\n\r\nbody";
    let (headers, body_at) = MimeHeaders::parse(raw, &limits()).unwrap();
    assert_eq!(&raw[body_at..], b"body");
    let kind = headers.content_type().unwrap();
    assert_eq!(
        (kind.essence().as_str(), kind.parameter("Charset").as_deref()),
        ("text/plain", Some("utf-8"))
    );
    assert!(headers.is_disposition("attachment") && !headers.is_disposition("notification"));
    assert_eq!((headers.content_id(), headers.content_encoding()), (Some("a@b"), Some("gzip")));
    assert_eq!(headers.content_length(), None);
    assert_eq!(headers.transfer_encoding(), Ok(TransferEncoding::Binary));
    let all: Vec<_> = headers.fields().collect();
    assert_eq!(all[0], ("Content-TYPE", "text/plain;\r\n charset=utf-8"));
    assert_eq!(all[1], ("X-Other", "a b"));
    assert_eq!(all.len(), 5);
}

#[test]
fn field_faults() {
    use ParseKind::*;
    for (raw, kind, offset) in [
        (&b"no colon\r\n\r\n"[..], MimeHeader, 0),
        (b"A: b\r\n: c\r\n\r\n", MimeHeader, 6),
        (b"A b: c\r\n\r\n", MimeHeader, 0),
        (b" A: b\r\n\r\n", MimeHeader, 0),
        (b"A: b\n\n", LineEnd, 4),
        (b"A: b\rc\r\n\r\n", ControlCharacter, 4),
        (b"A: b\0\r\n\r\n", ControlCharacter, 4),
        (b"A: \xff\r\n\r\n", NotUtf8, 3),
        (b"Content-ID: a\r\ncontent-id: b\r\n\r\n", DuplicateMimeHeader, 15),
    ] {
        let error = MimeHeaders::parse(raw, &limits()).unwrap_err();
        assert_eq!((error.kind, error.offset), (kind, offset), "{}", String::from_utf8_lossy(raw));
    }
    let three = b"A: 1\r\nB: 2\r\nC: 3\r\n\r\n";
    for (most, ok) in [(2, false), (3, true), (4, true)] {
        let limits = Limits { headers: most, ..limits() };
        assert_eq!(MimeHeaders::parse(three, &limits).is_ok(), ok);
    }
    for (most, ok) in [(three.len() - 1, false), (three.len(), true)] {
        let limits = Limits { header_bytes: most, ..limits() };
        assert_eq!(MimeHeaders::parse(three, &limits).is_ok(), ok, "{most}");
    }
}

/// RFC 2045 §5.1, its comment example, and what real senders write.
// test: CONV-BODY-017
#[test]
fn content_types() {
    let parse = |text| ContentType::parse(text, &limits());
    let kind = parse("text/plain; charset=us-ascii (Plain text)").unwrap();
    assert_eq!(kind.parameter("charset").as_deref(), Some("us-ascii"));
    let kind = parse("Multipart/Mixed ; Boundary=\"a \\\"b\\\\ c\"; x = y ;").unwrap();
    assert!(kind.is("multipart", "mixed"));
    assert_eq!(kind.parameter("boundary").as_deref(), Some("a \"b\\ c"));
    assert_eq!(kind.parameters().count(), 2);
    let kind = parse("a/b;\r\n\tc=\"d\r\n e\" (x (nested \\) ) y);f=\u{fc}").unwrap();
    assert_eq!(kind.parameter("c").as_deref(), Some("d e"));
    assert_eq!(kind.parameter("f").as_deref(), Some("\u{fc}"));
    for (text, fault, offset) in [
        ("", ParseKind::ContentType, 0),
        ("text", ParseKind::ContentType, 0),
        ("/plain", ParseKind::ContentType, 0),
        ("text/", ParseKind::ContentType, 0),
        ("text/pl ain", ParseKind::ContentType, 0),
        ("te(xt)/plain", ParseKind::ContentType, 0),
        ("text/plain;a", ParseKind::Parameter, 12),
        ("text/plain;a=", ParseKind::Parameter, 13),
        ("text/plain;=b", ParseKind::Parameter, 11),
        ("text/plain;a=\"b", ParseKind::Parameter, 14),
        ("text/plain;a=b c=d", ParseKind::Parameter, 15),
        ("text/plain (open", ParseKind::Parameter, 16),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!((error.kind, error.offset), (fault, offset), "{text}");
    }
    for (count, ok) in [(31, true), (32, true), (33, false)] {
        let text = format!("a/b{}", ";x=y".repeat(count));
        assert_eq!(ContentType::parse(&text, &limits()).is_ok(), ok);
    }
}

/// RFC 5547 §9.1, folded as printed.
// test: CONV-BODY-018
#[test]
fn dispositions() {
    let text = "render; filename=\"My cool picture.jpg\";\r\n creation-date=\"Mon, 15 May 2006 15:01:31 +0300\";\r\n size=4092";
    let disposition = Disposition::parse(text, &limits()).unwrap();
    assert_eq!(disposition.kind, "render");
    assert_eq!(disposition.parameter("filename").as_deref(), Some("My cool picture.jpg"));
    assert_eq!(disposition.parameter("size").as_deref(), Some("4092"));
    assert!(!disposition.is_optional());
    assert!(Disposition::parse("session;handling=Optional", &limits()).unwrap().is_optional());
    assert!(!Disposition::parse("session;handling=required", &limits()).unwrap().is_optional());
    assert_eq!(Disposition::parse("a b", &limits()).unwrap_err().kind, ParseKind::Parameter);
}

/// RFC 4648 §10, and what a protocol field must not hold.
// test: CONV-BODY-011
#[test]
fn base64() {
    for (encoded, decoded) in [
        ("", ""),
        ("Zg==", "f"),
        ("Zm8=", "fo"),
        ("Zm9v", "foo"),
        ("Zm9vYg==", "foob"),
        ("Zm9vYmE=", "fooba"),
        ("Zm9vYmFy", "foobar"),
        (" Zm9v\r\n YmFy\t\r\n", "foobar"),
    ] {
        assert_eq!(decode_base64(encoded.as_bytes()).unwrap(), decoded.as_bytes(), "{encoded}");
    }
    for bad in ["Z", "Zg", "Zg=", "Zm8", "Zh==", "Zm9=", "Zg==Zg==", "Zg===", "=", "Z===", "Zm9v!", "Zm9v-_"]
    {
        assert_eq!(decode_base64(bad.as_bytes()).unwrap_err().kind, ParseKind::TransferEncoding, "{bad}");
    }
}

/// RFC 2045 §6.7 with its example of a soft break.
#[test]
fn quoted_printable() {
    for (encoded, decoded) in [
        (
            "Now's the time =\r\nfor all folk to come=\r\n to the aid of their country.",
            "Now's the time for all folk to come to the aid of their country.",
        ),
        ("a=3Db=0D=0A", "a=b\r\n"),
        ("trailing \t \r\nspace", "trailing\r\nspace"),
        ("soft = \r\nbreak", "soft break"),
        ("=c3=A9", "\u{e9}"),
        ("bare\nline", "bare\nline"),
        ("end=", "end"),
    ] {
        assert_eq!(decode_quoted_printable(encoded.as_bytes()).unwrap(), decoded.as_bytes(), "{encoded:?}");
    }
    for (bad, offset) in [("=4", 0), ("a=zz", 1), ("ok\r\n==3D", 4)] {
        let error = decode_quoted_printable(bad.as_bytes()).unwrap_err();
        assert_eq!((error.kind, error.offset), (ParseKind::TransferEncoding, offset), "{bad}");
    }
}

fn read<'a>(body: &'a [u8], kind: &str) -> Vec<(String, &'a [u8])> {
    let kind = ContentType::parse(kind, &limits()).unwrap();
    Parts::new(body, &kind, &limits())
        .unwrap()
        .map(|part| part.map(|p| (p.headers.content_type().unwrap().essence(), p.body)).unwrap())
        .collect()
}

/// RFC 2046 §5.1.1's example: preamble, a part without header fields, one that ends with a line break, epilogue.
// test: CONV-BODY-018 RFC2046-5.1.1
#[test]
fn rfc2046_multipart() {
    let body = b"This is the preamble.  It is to be ignored, though it\r\n\
is a handy place for composition agents to include an\r\n\
explanatory note to non-MIME conformant readers.\r\n\r\n\
--simple boundary\r\n\r\n\
This is implicitly typed plain US-ASCII text.\r\n\
It does NOT end with a linebreak.\r\n\
--simple boundary\r\n\
Content-type: text/html; charset=us-ascii\r\n\r\n\
This is explicitly typed plain US-ASCII text.\r\n\
It DOES end with a linebreak.\r\n\r\n\
--simple boundary--\r\n\r\n\
This is the epilogue.  It is also to be ignored.\r\n";
    let parts = read(body, "multipart/mixed; boundary=\"simple boundary\"");
    assert_eq!(parts.len(), 2);
    assert_eq!(parts[0].0, "text/plain");
    assert!(parts[0].1.ends_with(b"It does NOT end with a linebreak."));
    assert_eq!(parts[1].0, "text/html");
    assert!(parts[1].1.ends_with(b"It DOES end with a linebreak.\r\n"));
}

/// Boundaries in the way: a longer one, one in the middle of a line, one in the preamble, padding, empty parts.
#[test]
fn boundaries() {
    let body = b"--bb\r\ntext --b\r\n--b  \r\n\r\none --b\r\n--bx\r\n--b\r\n\r\n--b\r\n\r\n\r\n--b--";
    let parts = read(body, "multipart/mixed;boundary=b");
    let bodies: Vec<_> = parts.iter().map(|p| p.1).collect();
    assert_eq!(bodies, [&b"one --b\r\n--bx"[..], b"", b""]);
    assert_eq!(read(b"--b--", "multipart/mixed;boundary=b"), []);

    let open = |body: &'static [u8], kind: &str, limits: &Limits| {
        let kind = ContentType::parse(kind, limits).unwrap();
        let parts = Parts::new(body, &kind, limits)?;
        parts.collect::<Result<Vec<_>, _>>().map(|p| p.len())
    };
    for (body, kind, fault) in [
        (&b"--b\r\n\r\nx"[..], "multipart/mixed;boundary=b", ParseKind::Unterminated),
        (b"--b\r\n\r\nx\r\n--b\r\n", "multipart/mixed;boundary=b", ParseKind::Unterminated),
        (b"", "multipart/mixed;boundary=b", ParseKind::Unterminated),
        (b"x--b--", "multipart/mixed;boundary=b", ParseKind::Unterminated),
        (b"--b\n\nx\n--b--\n", "multipart/mixed;boundary=b", ParseKind::Unterminated),
        (b"--b--", "multipart/mixed", ParseKind::Boundary),
        (b"--b--", "text/plain;boundary=b", ParseKind::Boundary),
        (b"----", "multipart/mixed;boundary=\"\"", ParseKind::Boundary),
        (b"--b--", "multipart/mixed;boundary=\"b \"", ParseKind::Boundary),
        (b"--b--", "multipart/mixed;boundary=\"b*\"", ParseKind::Boundary),
        (b"--b\r\nbad\r\n\r\n--b--", "multipart/mixed;boundary=b", ParseKind::MimeHeader),
    ] {
        assert_eq!(
            open(body, kind, &limits()).unwrap_err().kind,
            fault,
            "{kind} {}",
            String::from_utf8_lossy(body)
        );
    }
    let lenient = Limits { lenient: true, ..limits() };
    assert_eq!(open(b"--b\n\nx\n--b--\n", "multipart/mixed;boundary=b", &lenient), Ok(1));
    // RFC 5438 §8.3 prints an aggregate without the closing dashes.
    assert_eq!(open(b"--b\r\n\r\nx\r\n--b\r\n\r\ny", "multipart/mixed;boundary=b", &lenient), Ok(2));

    for (length, ok) in [(69, true), (70, true), (71, false)] {
        assert_eq!(MultipartBuilder::new(&"b".repeat(length)).is_ok(), ok);
    }
}

fn nest(depth: usize) -> Vec<u8> {
    let mut body = b"leaf".to_vec();
    let mut kind = "text/plain".to_owned();
    for level in 0..depth {
        let mut parts = MultipartBuilder::new(&format!("b{level}")).unwrap();
        parts.part(&[("Content-Type", &kind)], &body).unwrap();
        body = parts.finish();
        kind = format!("multipart/mixed;boundary=b{level}");
    }
    body
}

#[test]
fn depth_and_count() {
    for (depth, ok) in [(7, true), (8, true), (9, false)] {
        let body = nest(depth);
        let kind_text = format!("multipart/mixed;boundary=b{}", depth - 1);
        let kind = ContentType::parse(&kind_text, &limits()).unwrap();
        match leaves(&body, &kind, &limits()) {
            Ok(found) => {
                assert!(ok);
                assert_eq!((found.len(), found[0].body), (1, &b"leaf"[..]));
                assert!(body[found[0].offset..].starts_with(b"Content-Type: text/plain"));
                assert!(body[found[0].body_offset..].starts_with(b"leaf"));
            }
            Err(error) => assert_eq!((ok, error.kind), (false, ParseKind::TooDeep)),
        }
    }
    let kind = ContentType::parse("multipart/mixed;boundary=b", &limits()).unwrap();
    for (count, ok) in [(63, true), (64, true), (65, false)] {
        let body = [b"--b\r\n\r\nx\r\n".repeat(count), b"--b--".to_vec()].concat();
        let result = leaves(&body, &kind, &limits()).map(|found| found.len());
        if ok {
            assert_eq!(result, Ok(count));
        } else {
            assert_eq!(result.unwrap_err().kind, ParseKind::TooManyParts);
        }
    }
}

/// An inner multipart ends where the outer part does.
#[test]
fn nested_in_order() {
    let body = b"--o\r\nContent-Type: multipart/alternative;boundary=i\r\n\r\n--i\r\n\r\n1\r\n--i\r\n\r\n2\r\n--i--\r\n--o\r\n\r\n3\r\n--o--";
    let kind = ContentType::parse("multipart/mixed;boundary=o", &limits()).unwrap();
    let found: Vec<_> = leaves(body, &kind, &limits()).unwrap().iter().map(|p| p.body).collect();
    assert_eq!(found, [b"1", b"2", b"3"]);
    let cut = b"--o\r\nContent-Type: multipart/alternative;boundary=i\r\n\r\n--i\r\n\r\n1\r\n--o\r\n\r\n--i--\r\n--o--";
    assert_eq!(leaves(cut, &kind, &limits()).unwrap_err().kind, ParseKind::Unterminated);
}

#[test]
fn written_parts() {
    let mut parts = MultipartBuilder::new("b").unwrap();
    assert_eq!(parts.part(&[], b"x\r\n--b--").unwrap_err(), WriteError::Boundary);
    assert_eq!(parts.part(&[("X", "--b")], b"x").unwrap_err(), WriteError::Boundary);
    assert_eq!(parts.part(&[("X", "a\r\nY: b")], b"x").unwrap_err(), WriteError::MimeValue);
    assert_eq!(parts.part(&[("X Y", "a")], b"x").unwrap_err(), WriteError::Name);
    assert_eq!(parts.finish(), b"--b--\r\n", "a refused part leaves nothing behind");
}

proptest! {
    /// Whatever the parts, they come back; the boundary either survives or is refused.
    #[test]
    fn multipart_round_trip(
        bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..6),
        text in "[\r\n-]{0,12}(--b)?[\r\n-]{0,4}",
    ) {
        let mut parts = MultipartBuilder::new("b.1").unwrap();
        let mut expected: Vec<Vec<u8>> = bodies;
        expected.push(text.into_bytes());
        for body in &expected {
            parts.part(&[("Content-Type", "application/octet-stream")], body).unwrap();
        }
        let written = parts.finish();
        let found = read(&written, "multipart/mixed;boundary=\"b.1\"");
        let found: Vec<_> = found.into_iter().map(|p| p.1.to_vec()).collect();
        prop_assert_eq!(found, expected);
    }

    /// The crate base64 as the oracle.
    #[test]
    fn base64_against_oracle(data in proptest::collection::vec(any::<u8>(), 0..100), noise in any::<u8>(), at in any::<prop::sample::Index>()) {
        use ::base64::{Engine, prelude::BASE64_STANDARD};
        let encoded = BASE64_STANDARD.encode(&data).into_bytes();
        prop_assert_eq!(&decode_base64(&encoded).unwrap(), &data);
        if !encoded.is_empty() && !noise.is_ascii_whitespace() {
            let mut changed = encoded.clone();
            changed[at.index(encoded.len())] = noise;
            prop_assert_eq!(decode_base64(&changed).ok(), BASE64_STANDARD.decode(&changed).ok());
        }
    }

    #[test]
    fn any_bytes(body in proptest::collection::vec(prop_oneof![Just(b'-'), Just(b'b'), Just(b'\r'), Just(b'\n'), any::<u8>()], 0..200)) {
        let kind = ContentType::parse("multipart/mixed;boundary=b", &limits()).unwrap();
        let _ = leaves(&body, &kind, &limits());
        let _ = decode_quoted_printable(&body);
        let _ = MimeHeaders::parse(&body, &limits());
        if let Ok(text) = std::str::from_utf8(&body) {
            let _ = ContentType::parse(text, &limits());
        }
    }
}
