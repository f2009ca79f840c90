//! Typed header field values, with values from the RFCs.

use super::*;
use crate::uri::Host;
use crate::{Limits, Message, Method};
use proptest::prelude::*;

/// A request whose only other fields are these lines.
fn message(lines: &str) -> Message {
    let raw = format!("OPTIONS sip:x.org SIP/2.0\r\n{lines}\r\n\r\n");
    Message::parse(raw.into(), &Limits::default()).unwrap()
}

// test: RFC3261-20.42 RFC3581-4
#[test]
fn via_examples() {
    let text = "SIP / 2.0 / UDP first.example.com: 4000;ttl=16 ;maddr=224.2.0.1 ;branch=z9hG4bKa7c6a8dlze.1";
    let via = Via::parse(text).unwrap();
    assert_eq!(
        (via.transport(), via.host(), via.port()),
        ("UDP", Host::Name("first.example.com"), Some(4000))
    );
    assert_eq!((via.ttl(), via.maddr()), (Some(16), Some("224.2.0.1")));
    assert_eq!(via.unique_branch(), Some("z9hG4bKa7c6a8dlze.1"));
    assert_eq!((via.rport(), via.received()), (None, None));
    let via = Via::parse("SIP/2.0/TLS [2001:db8::9]:5061;rport;branch=z9hG4bK1").unwrap();
    assert_eq!((via.rport(), via.port()), (Some(None), Some(5061)));
    let via =
        Via::parse("SIP/2.0/UDP 10.1.1.1:4540;received=192.0.2.1;rport=9988;branch=z9hG4bKkjshdyff").unwrap();
    assert_eq!((via.rport(), via.received()), (Some(Some(9988)), Some([192, 0, 2, 1].into())));
}

#[test]
fn malformed_vias() {
    for text in [
        "",
        "SIP/2.0/UDP",
        "SIP/2.0/UDP ",
        "SIP/2.0 x.org",
        "SIP/3.0/UDP x.org",
        "HTTP/2.0/UDP x.org",
        "SIP/2.0/UDP x.org;",
        "SIP/2.0/UDP x.org;;branch=1",
        "SIP/2.0/UDP x.org;branch",
        "SIP/2.0/UDP x.org;branch=",
        "SIP/2.0/UDP x.org;branch=1;branch=2",
        "SIP/2.0/UDP x.org;rport=0",
        "SIP/2.0/UDP x.org;rport=65536",
        "SIP/2.0/UDP x.org;rport=5;rport",
        "SIP/2.0/UDP x.org;received=x",
        "SIP/2.0/UDP x.org;ttl=256",
        "SIP/2.0/UDP x.org:0",
        "SIP/2.0/UDP x.org:x",
        "SIP/2.0/UDP a b",
        "SIP/2.0/UDP 1.2.3",
        "SIP/2.0/UDP [::1",
    ] {
        assert!(Via::parse(text).is_err(), "{text}");
    }
}

#[test]
fn comma_lists_and_repeated_fields_are_one_list() {
    let list = message("Route: <sip:a.org;lr>, \"x, y\" <sip:b.org>;z=\"1,2\"\r\nRoute: <sip:c.org>");
    let repeated =
        message("ROUTE: <sip:a.org;lr>\r\nroute : \"x, y\" <sip:b.org>;z=\"1,2\"\r\nRoute:<sip:c.org>");
    let hosts = |message: &Message| -> Vec<String> {
        message.routes().map(|route| route.unwrap().uri().host().unwrap().to_string()).collect()
    };
    assert_eq!(hosts(&list), ["a.org", "b.org", "c.org"]);
    assert_eq!(hosts(&list), hosts(&repeated));
}

#[test]
fn empty_elements_are_errors_and_end_the_list() {
    for value in
        [",<sip:a.org>", "<sip:a.org>,", "<sip:a.org>,,<sip:b.org>", "", ",", "<sip:a.org> <sip:b.org>"]
    {
        let message = message(&format!("Route: {value}"));
        let read: Vec<_> = message.routes().collect();
        assert!(read.last().is_some_and(Result::is_err), "{value:?}: {read:?}");
        assert_eq!(read.iter().filter(|route| route.is_err()).count(), 1, "{value:?}");
    }
    assert_eq!(message("Supported:").supported().count(), 0);
    assert_eq!(message("Supported:\r\nk: a , b").supported().filter(Result::is_ok).count(), 2);
    assert!(message("Require:").require().next().unwrap().is_err());
}

#[test]
fn errors_name_the_field_and_the_octet_of_the_message() {
    let message = message("Subject: x\r\nCSeq: 1 OPTIONS\r\nCall-ID: a@b@c");
    let error = message.call_id().unwrap_err();
    let at = message.raw().windows(2).position(|pair| pair == b"@c").unwrap();
    assert_eq!(error.offset, u32::try_from(at).unwrap());
    assert_eq!(error.answer().unwrap().reason, "Malformed Call-ID header field");
}

// test: RFC3261-20.10
#[test]
fn contacts() {
    let text = "\"Mr. Watson\" <sip:watson@worcester.bell-telephone.com>;q=0.7;expires=3600";
    let Contact::Address(contact) = Contact::parse(text).unwrap() else { panic!("an address") };
    assert_eq!((contact.q(), contact.expires()), (Some(700), Some(3600)));
    let text = "<sip:a@192.0.2.2>;reg-id=1;+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000A95A0E128>\"";
    let Contact::Address(contact) = Contact::parse(text).unwrap() else { panic!("an address") };
    assert_eq!(contact.instance(), Some("urn:uuid:00000000-0000-1000-8000-000A95A0E128"));
    assert_eq!(contact.reg_id(), Some(1));
    assert_eq!(Contact::parse(" * "), Ok(Contact::Any));
    // RFC 3261 §20.10 and §20.19: malformed counts as an hour, overlarge as the largest.
    for (expires, seconds) in [("4294967296", u32::MAX), ("x", 3600), ("0", 0)] {
        let text = format!("<sip:a.org>;expires={expires}");
        let Contact::Address(contact) = Contact::parse(&text).unwrap() else { panic!("an address") };
        assert_eq!(contact.expires(), Some(seconds));
    }
    for text in [
        "*;q=1",
        "**",
        "<sip:a.org>;q=1.001",
        "<sip:a.org>;q=2",
        "<sip:a.org>;q=0.1234",
        "<sip:a.org>;q=0;q=1",
    ] {
        assert!(Contact::parse(text).is_err(), "{text}");
    }
}

/// `qvalue = ("0" ["." 0*3DIGIT]) / ("1" ["." 0*3("0")])`
// test: RFC3261-25.1
#[test]
fn preferences_have_three_digits_at_most() {
    let q = |text: &str| match Contact::parse(&format!("<sip:a.org>;q={text}")) {
        Ok(Contact::Address(contact)) => contact.q(),
        _ => None,
    };
    for (text, thousandths) in [
        ("0", 0),
        ("0.", 0),
        ("0.001", 1),
        ("0.05", 50),
        ("0.7", 700),
        ("0.999", 999),
        ("1", 1000),
        ("1.", 1000),
        ("1.000", 1000),
    ] {
        assert_eq!(q(text), Some(thousandths), "{text}");
    }
    for text in ["1.001", "1.0000", "0.0000", "2", "00", "01", "10", "0.x", "-0", "0,5", "0.1.1", "1e0"] {
        assert_eq!(q(text), None, "{text}");
    }
}

/// The examples of RFC 3261 §20.8; `callid = word ["@" word]`.
// test: RFC3261-20.8
#[test]
fn call_ids() {
    let read = |line: &str| message(line).call_id().map(str::to_owned);
    for (line, id) in [
        (
            "Call-ID: f81d4fae-7dec-11d0-a765-00a0c91e6bf6@biloxi.com",
            "f81d4fae-7dec-11d0-a765-00a0c91e6bf6@biloxi.com",
        ),
        (
            "i:f81d4fae-7dec-11d0-a765-00a0c91e6bf6@192.0.2.4",
            "f81d4fae-7dec-11d0-a765-00a0c91e6bf6@192.0.2.4",
        ),
        ("Call-ID: -.!%*_+`'~()<>:\\\"/[]?{}aA0", "-.!%*_+`'~()<>:\\\"/[]?{}aA0"),
    ] {
        assert_eq!(read(line).as_deref(), Ok(id), "not one octet is changed");
    }
    for value in ["", "@", "a@", "@a", "a@b@c", "a b", "a,b", "a;b", "a=b", "\u{e9}"] {
        assert!(read(&format!("Call-ID: {value}")).is_err(), "{value}");
    }
}

// test: RFC3323-4.2
#[test]
fn privacy_is_a_list_with_semicolons() {
    let read = |lines: &str| {
        message(lines).privacy().map(|all| all.map(str::to_owned).collect::<Vec<_>>()).map_err(|_| ())
    };
    let words = ["header", "session", "user", "none", "critical"];
    assert_eq!(read("Privacy: header;session ; user; none;\r\n critical").unwrap(), words);
    assert_eq!(read("Privacy: id").unwrap(), ["id"]);
    assert_eq!(read("Subject: x").unwrap(), [""; 0]);
    for value in ["", ";", "id;", ";id", "id;;critical", "id critical", "\"id\""] {
        assert_eq!(read(&format!("Privacy: {value}")), Err(()), "{value}");
    }
}

// test: RFC3261-8.1.1.5
#[test]
fn cseq_below_2_to_the_31() {
    let cseq = CSeq::parse("2147483647 INVITE").unwrap();
    assert_eq!((cseq.number, cseq.method), (2_147_483_647, Method::Invite));
    for text in
        ["2147483648 INVITE", "4294967296 INVITE", "-1 INVITE", "1", "1INVITE", "1 ", "x INVITE", "1 A B"]
    {
        assert!(CSeq::parse(text).is_err(), "{text}");
    }
}

// test: RFC3261-20.22 RFC3261-20.19
#[test]
fn numbers_at_their_limits() {
    let hops = |value: &str| message(&format!("Max-Forwards: {value}")).max_forwards();
    assert_eq!(hops("255"), Ok(Some(255)));
    assert_eq!(hops("0"), Ok(Some(0)));
    for value in ["256", "70abc", "", "-1", "1 2", "99999999999999999999999"] {
        assert!(hops(value).is_err(), "{value}");
    }
    let expires = |value: &str| message(&format!("Expires: {value}")).expires();
    assert_eq!(expires("4294967295"), Ok(Some(u32::MAX)));
    assert_eq!(expires("4294967296"), Ok(Some(u32::MAX)));
    assert_eq!(expires("99999999999999999999999999"), Ok(Some(u32::MAX)));
    assert!(expires("+5").is_err() && expires("5,5").is_err());
    let retry = RetryAfter::parse("18000 (in \\) a (while));duration=3600").unwrap();
    assert_eq!((retry.seconds, retry.comment), (18000, Some("(in \\) a (while))")));
    assert_eq!(retry.params.value("duration"), Some("3600"));
    assert!(RetryAfter::parse("5 (").is_err());
}

#[test]
fn media_types_and_ranges() {
    let media = MediaType::parse("multipart/mixed; boundary=\"a;b\"").unwrap();
    assert!(media.is("Multipart", "MIXED"));
    assert_eq!(media.params().find("boundary").unwrap().unquoted().unwrap(), "a;b");
    for text in ["text", "text/", "/plain", "text/plain;", "text plain", "text/plain;a"] {
        assert_eq!(MediaType::parse(text).is_ok(), text == "text/plain;a", "{text}");
    }
    let message = message("Accept: text/*;q=0.5, message/cpim\r\nAccept: */*;q=0");
    let ranges: Vec<_> = message.accept().map(Result::unwrap).collect();
    assert!(ranges[0].covers("text", "html") && !ranges[0].covers("image", "png"));
    assert_eq!(ranges.iter().map(MediaRange::q).collect::<Vec<_>>(), [500, 1000, 0]);
    assert!(Disposition::parse("session;handling=optional").unwrap().is_optional());
}

// test: RFC3261-20.44 RFC3261-20.7
#[test]
fn challenges_and_credentials() {
    let challenge = Challenge::parse(
        "Digest realm=\"atlanta.com\",\r domain=\"sip:ss1.carrier.com\", qop=\"auth\""
            .replace('\r', "")
            .leak(),
    )
    .unwrap();
    assert!(challenge.is_digest());
    assert_eq!(challenge.params.value("qop").unwrap(), "auth");
    assert_eq!(challenge.params.raw("domain"), Some("\"sip:ss1.carrier.com\""));
    let message = message(
        "WWW-Authenticate: Digest realm=\"a\", nonce=\"1\", algorithm=SHA-256\r\n\
         WWW-Authenticate: Digest realm=\"a\", nonce=\"2\", algorithm=MD5\r\n\
         Authorization: Digest username=\"Alice\", realm=\"atlanta.com\",\r\n \
         nonce=\"84a4cc6f3082121f32b42a2187831a9e\",\r\n response=\"7587245234b3434cc3412213e5f113a5432\",nc=00000001",
    );
    let nonces: Vec<_> =
        message.www_authenticate().map(|c| c.unwrap().params.value("nonce").unwrap()).collect();
    assert_eq!(nonces, ["1", "2"]);
    let credentials = message.authorization().next().unwrap().unwrap();
    assert_eq!(credentials.params.len(), 5);
    assert_eq!(credentials.params.once("nc").unwrap().unwrap().value, Some("00000001"));
    let bearer = Credentials::parse("Bearer mF_9.B5f-4.1JqM==").unwrap();
    assert_eq!(
        (bearer.params.as_str(), bearer.params.len(), bearer.params.iter().count()),
        ("mF_9.B5f-4.1JqM==", 0, 0)
    );
    for text in [
        "Digest",
        "Digest ",
        "Digest a",
        "Digest a=",
        "Digest a=1,",
        "Digest ,a=1",
        "Digest a=\"",
        "a=1",
        "Digest a=1 b=2",
    ] {
        assert!(Credentials::parse(text).is_err(), "{text}");
    }
    let twice = Credentials::parse("Digest nonce=a, NONCE=b").unwrap();
    assert_eq!(twice.params.once("nonce"), Err(crate::Fault::Param));
    assert_eq!(quote("a\"\\b"), "\"a\\\"\\\\b\"");
}

// test: CONV-TAG-001 CONV-TAG-002 CONV-TAG-003 RFC3841-9.2
#[test]
fn feature_tags_match_by_whole_token() {
    let escaped =
        "*;+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.session\";require;explicit";
    let literal = "*;+g.3gpp.icsi-ref=\"urn:urn-7:3gpp-service.ims.icsi.oma.cpm.session\"";
    let urn = "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.session";
    for text in [escaped, literal] {
        let wanted = AcceptContact::parse(text).unwrap();
        assert!(wanted.icsi().has(urn), "{text}");
        assert!(wanted.icsi().has(&urn.to_uppercase()), "{text}");
        assert!(!wanted.icsi().has("urn:urn-7:3gpp-service.ims.icsi.oma.cpm"), "a prefix is another token");
        assert!(!wanted.icsi().has(&format!("{urn}.group")));
    }
    let wanted = AcceptContact::parse(escaped).unwrap();
    assert!(wanted.is_required() && wanted.is_explicit());
    let several =
        AcceptContact::parse("*;+g.3gpp.icsi-ref=\"urn%3Aa, urn:b\";+g.3gpp.icsi-ref=\"urn%3Ac%2541\"")
            .unwrap();
    assert_eq!(several.icsi().iter().collect::<Vec<_>>(), ["urn:a", "urn:b", "urn:c%41"]);
    let device = AcceptContact::parse("*;+sip.instance=\"<urn:uuid:1>\"").unwrap();
    assert_eq!((device.instance(), device.icsi().is_empty()), (Some("urn:uuid:1"), true));
    assert_eq!(escape_urn(urn), "urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.session");
    assert!(AcceptContact::parse("sip:a.org").is_err());
    let list = message(
        "a: *;audio;require, *;video;explicit\r\nAccept-Contact: *;methods=\"BYE\";class=\"business\"",
    );
    let demands: Vec<_> = list
        .accept_contacts()
        .map(Result::unwrap)
        .map(|one| (one.is_required(), one.is_explicit()))
        .collect();
    assert_eq!(demands, [(true, false), (false, true), (false, false)], "the compact form and lists");
}

// test: RFC3261-20.43
#[test]
fn identities_services_and_cpm_fields() {
    let message = message(
        "P-Asserted-Identity: \"Cullen\" <sip:fluffy@cisco.com>, tel:+14085264000\r\n\
         P-Preferred-Service: urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg\r\n\
         Conversation-ID: 7c9e6679-7425-40de-944b-e07fc1f90ae7\r\n\
         Contribution-ID: abc@host;x=y\r\nInReplyTo-Contribution-ID: q w\r\n\
         Message-Expires: 3600\r\nPrivacy: id; critical\r\n\
         Warning: 307 isi.edu \"Session parameter 'foo' not understood\", 399 [::1]:5060 \"a, b\"\r\n\
         Accept-Encoding: gzip;q=1.0, identity; q=0.5, *;q=0",
    );
    let identities: Vec<_> =
        message.p_asserted_identities().map(|one| one.unwrap().uri().canonical()).collect();
    assert_eq!(identities, ["sip:fluffy@cisco.com", "tel:+14085264000"]);
    let service = message.p_preferred_services().next().unwrap().unwrap();
    assert!(service.is("URN:urn-7:3gpp-service.ims.icsi.oma.cpm.msg"));
    assert_eq!(message.conversation_id(), Ok(Some("7c9e6679-7425-40de-944b-e07fc1f90ae7")));
    assert_eq!(message.contribution_id(), Ok(Some("abc@host")));
    assert_eq!(message.in_reply_to_contribution_id(), Ok(Some("q")));
    assert_eq!(message.message_expires(), Ok(Some(MessageExpires::After(3600))));
    assert_eq!(message.privacy().unwrap().collect::<Vec<_>>(), ["id", "critical"]);
    let warnings: Vec<_> = message.warnings().map(|one| one.unwrap()).collect();
    assert_eq!((warnings[0].code, warnings[0].agent), (307, "isi.edu"));
    assert_eq!((warnings[1].agent, warnings[1].text().as_ref()), ("[::1]:5060", "a, b"));
    let codings: Vec<_> =
        message.accept_encodings().map(|one| one.map(|c| (c.coding, c.q)).unwrap()).collect();
    assert_eq!(codings, [("gzip", 1000), ("identity", 500), ("*", 0)]);
    assert!(Warning::parse("1812 overture \"In Progress\"").is_err());
    let until = MessageExpires::parse("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
    assert_eq!(until, MessageExpires::At(Date::from_unix(784_111_777)));
    assert!(ServiceId::parse("sip:x").is_err() && ServiceId::parse("urn:").is_err());
}

// test: RFC3261-20.17
#[test]
fn dates() {
    // RFC 9110 §5.6.7 and RFC 3261 §20.17, and the ends of the range.
    let cases = [
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
        ("Sat, 13 Nov 2010 23:29:00 GMT", 1_289_690_940),
        ("Thu, 29 Feb 2024 12:00:00 GMT", 1_709_208_000),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
    ];
    for (text, seconds) in cases {
        assert_eq!(Date::parse(text).map(Date::unix), Ok(seconds), "{text}");
        assert_eq!(write_date(seconds), text);
    }
    for text in [
        "",
        "Sat, 13 Nov 2010 23:29:00",
        "Sat, 13 Nov 2010 23:29:00 EST",
        "Sun, 13 Nov 2010 23:29:00 GMT",
        "Sat, 31 Feb 2010 00:00:00 GMT",
        "Fri, 13 Nov 2010 24:00:00 GMT",
        "Sat, 13 Nov 2010 23:60:00 GMT",
        "Sat, 13 Nov 10 23:29:00 GMT",
        "Wed, 31 Dec 1969 23:59:59 GMT",
        "Sat, 13 Nov 2010 23:29 GMT",
        "Thu, 29 Feb 2023 12:00:00 GMT",
        "Sat, 13 Nov 2010 23:29:00 GMT x",
        "Sat, 1\u{661} Nov 2010 23:29:00 GMT",
    ] {
        assert!(Date::parse(text).is_err(), "{text}");
    }
    assert_eq!(Date::from_unix(u64::MAX).to_string(), "Fri, 31 Dec 9999 23:59:59 GMT");
}

proptest! {
    #[test]
    fn written_dates_read_the_same(seconds in 0_u64..=253_402_300_799) {
        prop_assert_eq!(Date::parse(&write_date(seconds)).unwrap().unix(), seconds);
    }

    #[test]
    fn written_vias_read_the_same(host in "[a-z]{1,10}", port in proptest::option::of(1_u16..), branch in "[A-Za-z0-9]{1,20}", rport: bool) {
        let branch = format!("{BRANCH_COOKIE}{branch}");
        let text = write_via("TCP", &Host::Name(&host), port, &branch, rport);
        let via = Via::parse(&text).unwrap();
        prop_assert_eq!((via.transport(), via.host(), via.port()), ("TCP", Host::Name(&host), port));
        prop_assert_eq!((via.unique_branch(), via.rport().is_some()), (Some(branch.as_str()), rport));
        prop_assert_eq!(via.to_string(), text);
    }

    #[test]
    fn quoted_parameters_read_the_same(value in "\\PC{0,30}") {
        let text = format!("Digest realm={}, x=1", quote(&value));
        let challenge = Challenge::parse(&text).unwrap();
        prop_assert_eq!(challenge.params.value("realm").unwrap().into_owned(), value);
        prop_assert_eq!(challenge.params.len(), 2);
    }

    /// What is read and written again is read as the same.
    #[test]
    fn typed_values_survive_a_round_trip(text in "[ -~]{0,80}") {
        if let Ok(value) = Via::parse(&text) { let again = value.to_string(); prop_assert_eq!(Via::parse(&again).unwrap(), value); }
        if let Ok(value) = Contact::parse(&text) { let again = value.to_string(); prop_assert_eq!(Contact::parse(&again).unwrap().to_string(), again.clone()); }
        if let Ok(value) = CSeq::parse(&text) { let again = value.to_string(); prop_assert_eq!(CSeq::parse(&again).unwrap(), value); }
        if let Ok(value) = MediaType::parse(&text) { let again = value.to_string(); prop_assert_eq!(MediaType::parse(&again).unwrap().to_string(), again.clone()); }
        if let Ok(value) = Challenge::parse(&text) { let again = value.to_string(); prop_assert_eq!(Challenge::parse(&again).unwrap(), value); }
        if let Ok(value) = Warning::parse(&text) { let again = value.to_string(); prop_assert_eq!(Warning::parse(&again).unwrap(), value); }
        let _ = (RetryAfter::parse(&text), MediaRange::parse(&text), Disposition::parse(&text), AcceptContact::parse(&text), ServiceId::parse(&text));
    }
}
