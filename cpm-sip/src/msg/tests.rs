//! Messages: parsing and its limits, writing, forwarding, validation, answers.

use super::*;
use crate::{Fault, Limits, NameAddr, ParseError, ParseKind, Status, Uri};
use bytes::Bytes;
use proptest::prelude::*;

const OPTIONS: &str = "OPTIONS sip:bob@x.org SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
    From: <sip:a@x.org>;tag=1\r\nTo: <sip:bob@x.org>\r\nCall-ID: c1\r\nCSeq: 7 OPTIONS\r\nMax-Forwards: 70\r\n";

fn with(lines: &str) -> String {
    format!("{OPTIONS}{lines}\r\n")
}

fn parse(raw: impl Into<Vec<u8>>) -> Result<Message, ParseError> {
    Message::parse(raw.into().into(), &Limits::default())
}

fn check(raw: impl Into<Vec<u8>>) -> Result<Message, ParseError> {
    let message = parse(raw)?;
    validate(&message, &Limits::default()).map(|()| message)
}

fn kind(raw: impl Into<Vec<u8>>) -> ParseKind {
    check(raw).expect_err("refused").kind
}

// test: RFC3261-7.3.3
#[test]
fn every_known_name_is_found_in_any_case_and_compact() {
    for id in HeaderId::ALL {
        assert_eq!(HeaderId::of(id.name()), *id);
        assert_eq!(HeaderId::of(&id.name().to_uppercase()), *id);
        assert_eq!(HeaderId::of(&id.name().to_lowercase()), *id);
        for changed in
            [format!("{}x", id.name()), format!("X{}", id.name()), id.name().replacen(|_: char| true, "0", 1)]
        {
            assert_eq!(HeaderId::of(&changed), HeaderId::Other, "{changed}");
        }
        if let Some(letter) = id.compact() {
            assert_eq!(HeaderId::of(&letter.to_string()), *id);
            assert_eq!(HeaderId::of(&letter.to_uppercase().to_string()), *id);
        }
    }
    // Every compact form of the IANA registry that we know a field for.
    let compact: String = HeaderId::ALL.iter().filter_map(|id| id.compact()).collect();
    let mut sorted: Vec<char> = compact.chars().collect();
    sorted.sort_unstable();
    assert_eq!(sorted.into_iter().collect::<String>(), "abcdefijklmnorstuvxy");
    assert_eq!(HeaderId::of(""), HeaderId::Other);
    assert_eq!(HeaderId::of("z"), HeaderId::Other);
}

// test: RFC3261-7.1 RFC3261-7.2
#[test]
fn start_lines() {
    let cases = [
        ("OPTIONS sip:x.org SIP/2.0", None),
        ("OPTIONS sip:x.org sip/2.0", None),
        ("SIP/2.0 200 OK", None),
        ("SIP/2.0 200 ", None),
        ("", Some(ParseKind::StartLine)),
        ("OPTIONS", Some(ParseKind::StartLine)),
        ("OPTIONS sip:x.org", Some(ParseKind::StartLine)),
        ("OPTIONS  sip:x.org SIP/2.0", Some(ParseKind::StartLine)),
        (" OPTIONS sip:x.org SIP/2.0", Some(ParseKind::StartLine)),
        ("OPTIONS sip:x.org SIP/2.0 ", Some(ParseKind::StartLine)),
        ("OPTIONS sip:x.org SIP/2", Some(ParseKind::StartLine)),
        ("OPTIONS sip:x.org SIP/2.", Some(ParseKind::StartLine)),
        ("OPTIONS sip:x.org HTTP/1.1", Some(ParseKind::StartLine)),
        ("OPTIONS sip:x.org SIP/3.0", Some(ParseKind::UnsupportedVersion)),
        ("OPTIONS sip:x.org SIP/2.00", Some(ParseKind::UnsupportedVersion)),
        ("OP\u{e9} sip:x.org SIP/2.0", Some(ParseKind::StartLine)),
        ("SIP/2.0 200", Some(ParseKind::StartLine)),
        ("SIP/2.0  200 OK", Some(ParseKind::StartLine)),
        ("SIP/2.0 99 x", Some(ParseKind::StatusCode)),
        ("SIP/2.0 099 x", Some(ParseKind::StatusCode)),
        ("SIP/2.0 0200 x", Some(ParseKind::StatusCode)),
        ("SIP/2.0 700 x", Some(ParseKind::StatusCode)),
        ("SIP/2.0 4294967496 x", Some(ParseKind::StatusCode)),
        ("SIP/2.0 abc x", Some(ParseKind::StartLine)),
        ("SIP/7.0 200 OK", Some(ParseKind::UnsupportedVersion)),
        ("SIPX/2.0 200 OK", Some(ParseKind::StartLine)),
    ];
    for (line, expected) in cases {
        let parsed = parse(format!("{line}\r\nSubject: x\r\n\r\n"));
        assert_eq!(parsed.err().map(|error| error.kind), expected, "{line:?}");
    }
    let response = parse("SIP/2.0 699 Weird but fine\r\n\r\n").unwrap();
    assert_eq!((response.status(), response.reason()), (Some(699), Some("Weird but fine")));
    assert_eq!((response.method(), response.request_uri(), response.is_request()), (None, None, false));
}

// test: RFC3261-7.3.1 RFC3261-7
#[test]
fn lines_and_names_are_strict() {
    let cases: [(&[u8], ParseKind); 16] = [
        (b"", ParseKind::Incomplete),
        (b"A: b", ParseKind::Incomplete),
        (b"A: b\r", ParseKind::Incomplete),
        (b"A: b\r\n", ParseKind::Incomplete),
        (b"A", ParseKind::Incomplete),
        (b"A: b\n\r\n", ParseKind::LineEnd),
        (b"A: b\rc\r\n\r\n", ParseKind::LineEnd),
        (b"A: b\r\r\n\r\n", ParseKind::LineEnd),
        (b"A: b\r\n\n", ParseKind::LineEnd),
        (b"A: b\0c\r\n\r\n", ParseKind::Nul),
        (b"A\x0b: b\r\n\r\n", ParseKind::FieldName),
        (b"A b: c\r\n\r\n", ParseKind::FieldName),
        (b": c\r\n\r\n", ParseKind::FieldName),
        (b"A\r\n: c\r\n\r\n", ParseKind::FieldName),
        (b" folded: from the start line\r\n\r\n", ParseKind::FieldName),
        (b"A: \xff\r\n\r\n", ParseKind::Encoding),
    ];
    for (lines, expected) in cases {
        let raw = [b"OPTIONS sip:x.org SIP/2.0\r\n", lines].concat();
        let text = String::from_utf8_lossy(lines).into_owned();
        assert_eq!(parse(raw).expect_err(&text).kind, expected, "{text:?}");
    }
    let message =
        parse("OPTIONS sip:x.org SIP/2.0\r\nA \t :\t b c \t\r\nB:\r\n \r\n\td\r\nC: \"\\\0\"\r\n\r\n")
            .unwrap();
    let fields: Vec<_> = message.all_headers().map(|(_, name, value)| (name, value)).collect();
    assert_eq!(fields, [("A", "b c"), ("B", "d"), ("C", "\"\\\0\"")]);
    assert_eq!(parse("").unwrap_err().kind, ParseKind::Empty);
}

#[test]
fn folding_reads_as_spaces_and_stays_in_the_raw_message() {
    let raw =
        "OPTIONS sip:x.org SIP/2.0\r\nX-Long: one\r\n two\r\n\tthree\r\nSubject: s\r\n\r\nbody\r\n more";
    let message = parse(raw).unwrap();
    assert_eq!(message.headers_named("x-LONG").collect::<Vec<_>>(), ["one   two  \tthree"]);
    assert_eq!(message.subject(), Some("s"));
    assert_eq!(message.raw(), raw.as_bytes());
    assert_eq!(message.body(), "body\r\n more");
    let view_limits = Limits::default();
    let view = MessageView::parse(raw.as_bytes(), &view_limits).unwrap();
    assert!(view.all_headers().eq(message.all_headers()));
    assert_eq!(view.body(), message.body());
}

// test: RFC3261-20.14
#[test]
fn content_length_rules() {
    let body = |lines: &str, body: &str| parse(format!("{}{body}", with(lines)));
    assert_eq!(body("Content-Length: 3\r\n", "abcdef").unwrap().body(), "abc");
    assert_eq!(body("l: 003\r\n", "abcdef").unwrap().body(), "abc");
    assert_eq!(body("", "abcdef").unwrap().body(), "abcdef");
    assert_eq!(body("Content-Length: 3\r\nL: 3\r\n", "abc").unwrap().body(), "abc");
    assert_eq!(body("Content-Length:\r\n 3\r\n", "abc").unwrap().body(), "abc");
    let invalid = |fault| ParseKind::Invalid(HeaderId::ContentLength, fault);
    let cases = [
        ("Content-Length: 3\r\nl: 2\r\n", ParseKind::Duplicate(HeaderId::ContentLength)),
        ("Content-Length: 3\r\nl: 03\r\n", ParseKind::Duplicate(HeaderId::ContentLength)),
        ("Content-Length:\r\n", invalid(Fault::Number)),
        ("Content-Length: -1\r\n", invalid(Fault::Number)),
        ("Content-Length: +1\r\n", invalid(Fault::Number)),
        ("Content-Length: 1,1\r\n", invalid(Fault::Number)),
        ("Content-Length: 1 1\r\n", invalid(Fault::Number)),
        ("Content-Length: 1x\r\n", invalid(Fault::Number)),
        ("Content-Length: 0x1\r\n", invalid(Fault::Number)),
        ("Content-Length: 4\r\n", ParseKind::BodyIncomplete),
        ("Content-Length: 2147483648\r\n", ParseKind::BodyTooLarge),
        ("Content-Length: 4294967328\r\n", ParseKind::BodyTooLarge),
        ("Content-Length: 18446744073709551615\r\n", ParseKind::BodyTooLarge),
        ("Content-Length: 18446744073709551616\r\n", invalid(Fault::Range)),
        ("Content-Length: 1000000000000000000000000000000000000003\r\n", invalid(Fault::Range)),
    ];
    for (lines, expected) in cases {
        assert_eq!(body(lines, "abc").expect_err(lines).kind, expected, "{lines}");
    }
}

#[test]
fn limits_hold_at_n_and_refuse_at_n_plus_1() {
    let limits = |change: fn(&mut Limits, usize), n: usize| {
        let mut limits = Limits::default();
        change(&mut limits, n);
        limits
    };
    let test = |raw: String, change: fn(&mut Limits, usize), n: usize, expected: ParseKind| {
        let raw = Bytes::from(raw);
        let judge = |n: usize| {
            let limits = limits(change, n);
            let view = MessageView::parse(&raw, &limits).map(|_| ());
            let owned = Message::parse(raw.clone(), &limits);
            assert_eq!(owned.as_ref().map(|_| ()).map_err(|error| *error), view);
            owned.and_then(|message| validate(&message, &limits)).map_err(|error| error.kind)
        };
        assert_eq!(judge(n), Ok(()), "at {n}");
        assert_eq!(judge(n + 1), Ok(()), "limit above {n}");
        assert_eq!(judge(n - 1), Err(expected), "limit below {n}");
    };
    let raw = with("");
    let head = raw.len();
    test(raw, |limits, n| limits.head = n, head, ParseKind::HeadTooLarge);
    test(with(""), |limits, n| limits.fields = n, 6, ParseKind::TooManyFields);
    let value = with(&format!("X: {}\r\n", "v".repeat(100)));
    test(value, |limits, n| limits.value = n, 100, ParseKind::ValueTooLong);
    test(format!("{}12345", with("")), |limits, n| limits.body = n, 5, ParseKind::BodyTooLarge);
    test(with("l: 5\r\n") + "12345", |limits, n| limits.body = n, 5, ParseKind::BodyTooLarge);
    test(with(""), |limits, n| limits.uri = n, "sip:bob@x.org".len(), ParseKind::UriTooLong);
    let via = "Via: SIP/2.0/UDP a.org;branch=z9hG4bK2, SIP/2.0/UDP b.org;branch=z9hG4bK3\r\n";
    test(with(via), |limits, n| limits.vias = n, 3, ParseKind::TooMany(HeaderId::Via));
    let route = "Route: <sip:a.org>,<sip:b.org>\r\nRoute: <sip:c.org>\r\n";
    test(with(route), |limits, n| limits.routes = n, 3, ParseKind::TooMany(HeaderId::Route));
    let history = "History-Info: <sip:a.org>;index=1, <sip:b.org>;index=2\r\n";
    test(with(history), |limits, n| limits.routes = n, 2, ParseKind::TooMany(HeaderId::HistoryInfo));
    let params = "Contact: <sip:a.org;a;b>;c;d;e\r\n";
    test(with(params), |limits, n| limits.params = n, 3, ParseKind::TooManyParams(HeaderId::Contact));
    let params = "Contact: <sip:a.org;a;b;c>;d\r\n";
    test(with(params), |limits, n| limits.params = n, 3, ParseKind::TooManyParams(HeaderId::Contact));
    let contact = "Contact: <sip:a-very-long-name@x.org>\r\n";
    let long = "sip:a-very-long-name@x.org".len();
    test(
        with(contact),
        |limits, n| limits.uri = n,
        long,
        ParseKind::Invalid(HeaderId::Contact, Fault::Range),
    );
}

#[test]
fn heads_near_64_kib() {
    let raw = |fill: usize| {
        let line = format!("X-Fill: {}\r\n", "v".repeat(7000));
        let mut lines = line.repeat(9);
        lines.push_str(&format!("X-Last: {}\r\n", "w".repeat(fill)));
        with(&lines)
    };
    let fixed = raw(0).len();
    let message = parse(raw(65_535 - fixed)).unwrap();
    assert_eq!(message.headers_named("x-last").next().unwrap().len(), 65_535 - fixed);
    assert_eq!(parse(raw(65_536 - fixed)).unwrap_err().kind, ParseKind::HeadTooLarge);
    assert_eq!(parse(raw(65_536 - fixed)).unwrap_err().answer().unwrap().code, 513);
}

// test: RFC3261-8.1.1
#[test]
fn mandatory_fields_and_single_instances() {
    assert!(check(with("")).is_ok());
    for id in [HeaderId::Via, HeaderId::From, HeaderId::To, HeaderId::CallId, HeaderId::CSeq] {
        let lines: Vec<_> =
            with("").lines().filter(|line| !line.starts_with(id.name())).map(str::to_owned).collect();
        assert_eq!(kind(lines.join("\r\n") + "\r\n"), ParseKind::Missing(id));
    }
    for id in HeaderId::ALL.iter().copied().filter(|id| id.stands_once() && *id != HeaderId::ContentLength) {
        let twice = format!("OPTIONS sip:x.org SIP/2.0\r\n{0}: 1\r\n{0}: 1\r\n\r\n", id.name());
        assert_eq!(kind(twice), ParseKind::Duplicate(id));
    }
    assert_eq!(kind(with("i: c2\r\n")), ParseKind::Duplicate(HeaderId::CallId));
}

// test: RFC3261-8.1.1.8 RFC3261-8.2.2 RFC3261-16.3
#[test]
fn requests_that_no_element_may_act_on() {
    let several = ParseKind::Invalid(HeaderId::Contact, Fault::Several);
    let register = |lines: &str| with(lines).replace("OPTIONS", "REGISTER");
    let invite = |lines: &str| with(lines).replace("OPTIONS", "INVITE");
    assert_eq!(kind(with("").replace("7 OPTIONS", "7 INFO")), ParseKind::CSeqMethod);
    assert_eq!(kind(with("").replace("7 OPTIONS", "7 options")), ParseKind::CSeqMethod);
    assert_eq!(kind(with("Contact: *\r\n")), several);
    assert_eq!(kind(register("Contact: *\r\n")), several);
    assert_eq!(kind(register("Contact: *\r\nExpires: 1\r\n")), several);
    assert_eq!(kind(register("Contact: *\r\nContact: <sip:a.org>\r\nExpires: 0\r\n")), several);
    assert!(check(register("Contact: *\r\nExpires: 0\r\n")).is_ok());
    assert!(check(register("m: <sip:a.org>, <sip:b.org>\r\n")).is_ok());
    assert_eq!(kind(invite("m: <sip:a.org>, <sip:b.org>\r\n")), several);
    assert_eq!(
        kind(with("").replace("sip:bob@x.org SIP", "sip:bob@x.org?a=b SIP")),
        ParseKind::RequestUri(Fault::Uri)
    );
    assert_eq!(kind(with("").replace("sip:bob@x.org SIP", "bob SIP")), ParseKind::RequestUri(Fault::Uri));
    assert_eq!(kind(with("Route: sip:a.org\r\n")), ParseKind::Invalid(HeaderId::Route, Fault::Uri));
    assert_eq!(kind(with("Content-Type: text\r\n")), ParseKind::Invalid(HeaderId::ContentType, Fault::Token));
    assert_eq!(kind(with("Require: ,\r\n")), ParseKind::Invalid(HeaderId::Require, Fault::Empty));
    // Not ours to judge here: other schemes, unknown options and types, a bad Date.
    let lines = "Require: nothingSupportsThis\r\nContent-Type: a/b\r\nDate: never\r\n";
    assert!(check(with(lines).replace("sip:bob@x.org SIP", "isbn:123 SIP")).is_ok());
}

// test: RFC3261-21.4.1
#[test]
fn every_error_has_its_answer() {
    let id = HeaderId::CallId;
    let table = [
        (ParseKind::Empty, 400, "Incomplete message head"),
        (ParseKind::Incomplete, 400, "Incomplete message head"),
        (ParseKind::LineEnd, 400, "Bare CR or LF in the message head"),
        (ParseKind::Nul, 400, "NUL in the message head"),
        (ParseKind::Encoding, 400, "Message head is not UTF-8"),
        (ParseKind::StartLine, 400, "Malformed request line"),
        (ParseKind::RequestUri(Fault::Host), 400, "Malformed Request-URI"),
        (ParseKind::UriTooLong, 414, "Request-URI Too Long"),
        (ParseKind::UnsupportedVersion, 505, "Version Not Supported"),
        (ParseKind::HeadTooLarge, 513, "Message Too Large"),
        (ParseKind::TooManyFields, 400, "Too many header fields"),
        (ParseKind::ValueTooLong, 400, "Header field too long"),
        (ParseKind::FieldName, 400, "Malformed header field name"),
        (ParseKind::Missing(id), 400, "Missing Call-ID header field"),
        (ParseKind::Duplicate(id), 400, "Duplicate Call-ID header field"),
        (ParseKind::Invalid(id, Fault::Empty), 400, "Malformed Call-ID header field"),
        (ParseKind::TooMany(HeaderId::Route), 400, "Too many Route values"),
        (ParseKind::TooMany(HeaderId::Via), 483, "Too Many Hops"),
        (ParseKind::TooManyParams(HeaderId::Contact), 400, "Too many parameters in Contact"),
        (ParseKind::CSeqMethod, 400, "CSeq method does not match the request method"),
        (ParseKind::BodyIncomplete, 400, "Body shorter than Content-Length"),
        (ParseKind::BodyTooLarge, 413, "Request Entity Too Large"),
        (ParseKind::Syntax(Fault::Uri), 400, "Bad Request"),
    ];
    for (kind, code, reason) in table {
        assert_eq!(ParseError { kind, offset: 0 }.answer(), Some(Status { code, reason }), "{kind}");
    }
    assert_eq!(ParseError { kind: ParseKind::StatusCode, offset: 0 }.answer(), None);
}

// test: RFC3261-17.1.1.3 RFC3261-18.1.2
#[test]
fn what_cannot_be_parsed_is_answered_or_dropped() {
    let limits = Limits::default();
    let answer = |raw: &str| {
        let error = check(raw).expect_err("refused");
        reject(raw.as_bytes(), &error, &limits).map(|head| head.write())
    };
    let folded =
        with("").replace("tag=1", "tag=1\r\n ;x=y").replace("Max-Forwards: 70", "Max-Forwards: 70abc");
    assert_eq!(
        answer(&folded).unwrap(),
        "SIP/2.0 400 Malformed Max-Forwards header field\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
         From: <sip:a@x.org>;tag=1  ;x=y\r\nTo: <sip:bob@x.org>\r\nCall-ID: c1\r\nCSeq: 7 OPTIONS\r\n\
         Content-Length: 0\r\n\r\n"
    );
    let bad = "Max-Forwards: x\r\n";
    assert!(answer(&with("").replace("Max-Forwards: 70\r\n", bad).replace("OPTIONS", "ACK")).is_none());
    let response =
        with("").replace("OPTIONS sip:bob@x.org SIP/2.0", "SIP/2.0 200 OK").replace("CSeq: 7", "CSeq: x");
    assert!(answer(&response).is_none());
    assert!(answer("OPTIONS sip:x.org SIP/2.0\r\nFrom: <sip:a@x.org>\r\n\r\n").is_none(), "no Via");
    assert!(answer("garbage\r\n\r\n").is_none());
    assert!(answer("\r\n\r\n").is_none());
    // A value that could break a line is left out, an endless list is cut.
    let bare = answer(&with("X: a\nVia: SIP/2.0/UDP evil.org\r\nTo: b\rc\r\n")).unwrap();
    assert!(parse(bare.to_vec()).is_ok());
    let many = answer(&with(&"v: SIP/2.0/UDP a.org\r\n".repeat(100))).unwrap();
    assert_eq!(parse(many.to_vec()).unwrap().headers(HeaderId::Via).count(), limits.vias);
}

// test: RFC3261-8.2.6.2 RFC3261-12.1.1
#[test]
fn responses_copy_what_they_must() {
    let request = check(
        with("Via: SIP/2.0/TCP b.org\r\nRecord-Route: <sip:p.org;lr>\r\nTimestamp: 54\r\nX: y\r\n")
            .replace("OPTIONS", "INVITE"),
    )
    .unwrap();
    let names = |head: &Head| -> Vec<HeaderId> {
        parse(head.write().to_vec()).unwrap().all_headers().map(|(id, ..)| id).collect()
    };
    use HeaderId::{CSeq, CallId, ContentLength, From, RecordRoute, Timestamp, To, Via};
    assert_eq!(
        names(&Head::response_to(&request, 200, "")),
        [Via, From, To, CallId, CSeq, Via, RecordRoute, ContentLength]
    );
    assert_eq!(
        names(&Head::response_to(&request, 100, "")),
        [Via, From, To, CallId, CSeq, Via, Timestamp, ContentLength]
    );
    assert_eq!(
        names(&Head::response_to(&request, 486, "")),
        [Via, From, To, CallId, CSeq, Via, ContentLength]
    );
    let mut answer = Head::response_to(&request, 180, "");
    answer.to_tag("abc").unwrap().to_tag("def").unwrap();
    assert_eq!(answer.header(To), Some("<sip:bob@x.org>;tag=abc"));
    assert!(answer.to_tag("a b").is_err());
    assert_eq!(parse(answer.write().to_vec()).unwrap().reason(), Some("Ringing"));
    for (code, reason, line) in [
        (99, "", "SIP/2.0 500 Server Internal Error"),
        (404, "a\r\nb", "SIP/2.0 404 Not Found"),
        (499, "", "SIP/2.0 499 Bad Request"),
    ] {
        let written = Head::response(code, reason).write();
        assert!(written.starts_with(line.as_bytes()), "{written:?}");
    }
}

// test: RFC3261-18.2.1 RFC3581-4
#[test]
fn the_source_goes_into_the_top_via() {
    let cases = [
        ("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1"),
        ("SIP/2.0/UDP a.org;branch=z9hG4bK1", "SIP/2.0/UDP a.org;branch=z9hG4bK1;received=192.0.2.1"),
        (
            "SIP/2.0/UDP 10.0.0.1;rport;branch=z9hG4bK1",
            "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1;received=192.0.2.1;rport=9999",
        ),
        (
            "SIP/2.0/UDP 192.0.2.1;rport, SIP/2.0/UDP b.org",
            "SIP/2.0/UDP 192.0.2.1;received=192.0.2.1;rport=9999, SIP/2.0/UDP b.org",
        ),
        ("SIP/2.0/UDP a.org;received=6.6.6.6", "SIP/2.0/UDP a.org;received=192.0.2.1"),
        ("garbage", "garbage"),
    ];
    for (via, expected) in cases {
        let mut head = Head::response(200, "");
        head.push(HeaderId::Via, via).unwrap();
        head.received("192.0.2.1:9999".parse().unwrap());
        assert_eq!(head.header(HeaderId::Via), Some(expected));
    }
    let mut head = Head::response(200, "");
    head.push(HeaderId::Via, "SIP/2.0/UDP [::1];rport").unwrap().received("[2001:db8::1]:5".parse().unwrap());
    assert_eq!(head.header(HeaderId::Via), Some("SIP/2.0/UDP [::1];received=2001:db8::1;rport=5"));
}

#[test]
fn heads_refuse_what_would_break_a_message() {
    assert_eq!(Head::request(Method::Other("A B"), "sip:x.org").unwrap_err(), HeadError::Name);
    for uri in ["", "sip:x y", "sip:x\r\n", "sip:x\u{7f}", "sip:\u{e9}"] {
        assert_eq!(Head::request(Method::Info, uri).unwrap_err(), HeadError::RequestUri, "{uri:?}");
    }
    let mut head = Head::request(Method::Info, "sip:x.org").unwrap();
    for value in ["a\rb", "a\nb", "a\r\n b", "a\0b", "\n", "a\\\rb"] {
        assert_eq!(head.push(HeaderId::Subject, value).unwrap_err(), HeadError::Value, "{value:?}");
        assert_eq!(head.push_named("X", value).unwrap_err(), HeadError::Value, "{value:?}");
    }
    for name in ["", "a b", "a:", "a\r\nb", "\u{e9}"] {
        assert_eq!(head.push_named(name, 1).unwrap_err(), HeadError::Name, "{name:?}");
    }
    assert_eq!(head.push(HeaderId::ContentLength, 5).unwrap_err(), HeadError::ContentLength);
    assert_eq!(head.push_named("L", 5).unwrap_err(), HeadError::ContentLength);
    assert_eq!(head.push(HeaderId::Other, 5).unwrap_err(), HeadError::Name);
    head.push(HeaderId::CallId, "1").unwrap();
    assert_eq!(head.push_named("i", "2").unwrap_err(), HeadError::Duplicate(HeaderId::CallId));
    assert_eq!(head.push(HeaderId::Subject, "x".repeat(70_000)).unwrap_err(), HeadError::TooLarge);
    assert_eq!(head.write(), "INFO sip:x.org SIP/2.0\r\nCall-ID: 1\r\nContent-Length: 0\r\n\r\n");
}

#[test]
fn heads_can_be_changed() {
    let mut head = Head::request(Method::Message, "sip:x.org").unwrap();
    head.push(HeaderId::Via, "1")
        .unwrap()
        .push(HeaderId::Route, "a")
        .unwrap()
        .push(HeaderId::Route, "b")
        .unwrap();
    head.push_front(HeaderId::Via, "0")
        .unwrap()
        .push_front(HeaderId::Route, "z")
        .unwrap()
        .push_front(HeaderId::To, "t")
        .unwrap();
    head.push_named("X-A", "v")
        .unwrap()
        .set(HeaderId::Route, "only")
        .unwrap()
        .body("text/plain", "hi")
        .unwrap();
    assert_eq!(
        (head.method(), head.request_uri(), head.status()),
        (Some(Method::Message), Some("sip:x.org"), None)
    );
    assert_eq!(
        head.write(),
        "MESSAGE sip:x.org SIP/2.0\r\nTo: t\r\nVia: 0\r\nVia: 1\r\nRoute: only\r\nX-A: v\r\n\
         Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi"
    );
    head.remove(HeaderId::Via).remove(HeaderId::Route);
    assert_eq!(head.headers(HeaderId::Via).count(), 0);
}

// test: RFC3261-16.4 RFC3261-16.6
#[test]
fn forwarding_changes_only_what_is_named() {
    let raw = "MESSAGE sip:bob@x.org SIP/2.0\r\nv : SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
        Route: <sip:me.org;lr>, <sip:next.org;lr>\r\nMax-forwards: 7\r\nX-Odd :   a\r\n  b \t\r\nsubject:x\r\nl:2\r\n\r\nhi";
    let message = parse(raw).unwrap();
    let mut edit = Edit::new(&message);
    edit.prepend(HeaderId::Via, "SIP/2.0/UDP me.org;branch=z9hG4bK2").unwrap();
    edit.prepend(HeaderId::RecordRoute, "<sip:me.org;lr>").unwrap();
    assert_eq!(edit.decrement_max_forwards(), Ok(true));
    edit.pop_route();
    assert_eq!(
        edit.write(),
        "MESSAGE sip:bob@x.org SIP/2.0\r\nRecord-Route: <sip:me.org;lr>\r\nVia: SIP/2.0/UDP me.org;branch=z9hG4bK2\r\n\
         v : SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nRoute: <sip:next.org;lr>\r\nMax-forwards: 6\r\n\
         X-Odd :   a\r\n  b \t\r\nsubject:x\r\nl:2\r\n\r\nhi"
    );
    let mut edit = Edit::new(&message);
    edit.pop_route().pop_route().pop_route().pop_via();
    edit.remove_named("x-odd").remove(HeaderId::Subject).request_uri("sip:new@x.org").unwrap();
    edit.append_named("X-New", "1").unwrap().append(HeaderId::Server, "s").unwrap().body("longer");
    assert_eq!(
        edit.write(),
        "MESSAGE sip:new@x.org SIP/2.0\r\nMax-forwards: 7\r\nX-New: 1\r\nServer: s\r\nContent-Length: 6\r\n\r\nlonger"
    );
    let mut edit = Edit::new(&message);
    assert_eq!(edit.append(HeaderId::Server, "a\r\nb").unwrap_err(), HeadError::Value);
    assert_eq!(edit.append_named("a b", "b").unwrap_err(), HeadError::Name);
    assert_eq!(edit.append_named("s", "b").unwrap_err(), HeadError::Duplicate(HeaderId::Subject));
    assert_eq!(edit.replace(HeaderId::ContentLength, 1).unwrap_err(), HeadError::ContentLength);
    assert_eq!(edit.request_uri("a b").unwrap_err(), HeadError::RequestUri);
    assert_eq!(edit.write(), raw);
}

// test: RFC3261-16.6
#[test]
fn hops_are_counted_down_to_zero() {
    for (field, ok, written) in [
        ("Max-Forwards: 1\r\n", true, "Max-Forwards: 0"),
        ("", true, "Max-Forwards: 70"),
        ("Max-Forwards: 0\r\n", false, "Max-Forwards: 0"),
    ] {
        let message = parse(with("").replace("Max-Forwards: 70\r\n", field)).unwrap();
        let mut edit = Edit::new(&message);
        assert_eq!(edit.decrement_max_forwards(), Ok(ok));
        assert!(String::from_utf8_lossy(&edit.write()).contains(written));
    }
    let message = parse(with("").replace("Max-Forwards: 70", "Max-Forwards: 256")).unwrap();
    assert!(Edit::new(&message).decrement_max_forwards().is_err());
}

fn any_id() -> impl Strategy<Value = HeaderId> {
    let usual: Vec<_> = HeaderId::ALL.iter().copied().filter(|id| *id != HeaderId::ContentLength).collect();
    proptest::sample::select(usual)
}

proptest! {
    /// A head with any values that were let in reads back as exactly these fields: nothing was injected.
    #[test]
    fn nothing_can_be_injected(
        fields in proptest::collection::vec((any_id(), "[ -~\u{e9}\r\n\0\t\\\\]{0,24}"), 0..12),
        name in "[ -~]{0,6}", reason in "[ -~\r\n\0]{0,12}", body in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut head = Head::response(200, &reason);
        let mut expected = Vec::new();
        for (id, value) in &fields {
            if head.push(*id, value).is_ok() {
                expected.push((id.name().to_owned(), value.trim_matches([' ', '\t']).to_owned()));
            }
        }
        if head.push_named(&name, "v").is_ok() {
            expected.push((name.clone(), "v".to_owned()));
        }
        head.bare_body(body.clone());
        let message = parse(head.write().to_vec()).unwrap();
        let mut read: Vec<_> = message.all_headers().map(|(_, name, value)| (name.to_owned(), value.to_owned())).collect();
        prop_assert_eq!(read.pop(), Some(("Content-Length".to_owned(), body.len().to_string())));
        for ((read_name, read_value), (name, value)) in read.iter().zip(&expected) {
            prop_assert!(HeaderId::of(read_name) == HeaderId::of(name) && read_value == value, "{read:?} {expected:?}");
        }
        prop_assert_eq!(read.len(), expected.len());
        prop_assert_eq!(message.body().to_vec(), body);
    }

    /// Any octets: no panic, both forms agree, and an answer is a message.
    #[test]
    fn any_octets_are_survived(mut raw in proptest::collection::vec(any::<u8>(), 0..200), at in 0_usize..300, text in "[ -~\r\n]{0,40}") {
        let limits = Limits::default();
        let mut mutated = with("Contact: <sip:a.org>;q=0.1\r\nl: 0\r\n").into_bytes();
        mutated.splice(at.min(mutated.len())..(at + 3).min(mutated.len()).max(at.min(mutated.len())), text.bytes());
        raw.extend_from_slice(b"\r\n\r\n");
        for raw in [raw, mutated] {
            let owned = Message::parse(raw.clone().into(), &limits);
            let view = MessageView::parse(&raw, &limits);
            prop_assert_eq!(owned.as_ref().err(), view.as_ref().err());
            match owned.and_then(|message| validate(&message, &limits).map(|()| message)) {
                Ok(message) => prop_assert!(message.from().is_ok() && Uri::parse(message.request_uri().unwrap_or("sip:x")).is_ok()),
                Err(error) => {
                    prop_assert!(usize::try_from(error.offset).unwrap() <= raw.len());
                    if let Some(answer) = reject(&raw, &error, &limits) {
                        prop_assert!(parse(answer.write().to_vec()).is_ok());
                    }
                }
            }
        }
    }

    /// Folding anywhere between the tokens of a value changes nothing (threats §2.6).
    #[test]
    fn folded_and_plain_values_mean_the_same(folds in proptest::collection::vec(any::<bool>(), 6)) {
        let parts = ["\"A\"", "<sip:a@x.org>", ";", "tag", "=", "1"];
        let fold = |(part, fold): (&&str, &bool)| if *fold { format!("\r\n {part}") } else { (*part).to_owned() };
        let value: String = parts.iter().zip(&folds).map(fold).collect();
        let message = parse(format!("OPTIONS sip:x.org SIP/2.0\r\nFrom: {value}\r\n\r\n")).unwrap();
        let from = message.from().unwrap();
        let plain = NameAddr::parse("\"A\"<sip:a@x.org>;tag=1").unwrap();
        prop_assert_eq!((from.display(), from.uri().as_str(), from.tag()), (plain.display(), plain.uri().as_str(), plain.tag()));
    }
}
