//! URIs, addresses and parameters.

use super::*;
use crate::ParseKind;
use proptest::prelude::*;

fn fault(text: &str) -> Fault {
    match Uri::parse(text) {
        Err(ParseError { kind: ParseKind::Syntax(fault), .. }) => fault,
        other => panic!("{text}: {other:?}"),
    }
}

// test: RFC3261-19.1.1
#[test]
fn examples_of_rfc_3261_section_19_1_3() {
    let uri = Uri::parse("sip:alice:secretword@atlanta.com;transport=tcp").unwrap();
    assert_eq!((uri.scheme(), uri.user(), uri.password()), ("sip", Some("alice"), Some("secretword")));
    assert_eq!(uri.params().value("transport"), Some("tcp"));
    let uri = Uri::parse("sips:alice@atlanta.com?subject=project%20x&priority=urgent").unwrap();
    assert_eq!(uri.headers(), Some("subject=project%20x&priority=urgent"));
    assert!(uri.sip().unwrap().is_secure());
    let uri = Uri::parse("sip:+1-212-555-1212:1234@gateway.com;user=phone").unwrap();
    assert_eq!((uri.user(), uri.password()), (Some("+1-212-555-1212"), Some("1234")));
    let uri = Uri::parse("sip:alice@192.0.2.4").unwrap();
    assert_eq!(uri.host(), Some(Host::V4([192, 0, 2, 4].into())));
    let uri = Uri::parse("sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com").unwrap();
    assert_eq!((uri.user(), uri.host()), (None, Some(Host::Name("atlanta.com"))));
    let uri = Uri::parse("sip:alice;day=tuesday@atlanta.com").unwrap();
    assert_eq!((uri.user(), uri.params().is_empty()), (Some("alice;day=tuesday"), true));
}

#[test]
fn malformed_uris_are_refused_with_the_place() {
    let cases = [
        ("", Fault::Uri),
        ("sip", Fault::Uri),
        ("sip:", Fault::Host),
        (":x", Fault::Uri),
        ("1sip:x", Fault::Uri),
        ("sip:@x.org", Fault::Uri),
        ("sip:a@b@x.org", Fault::Character),
        ("sip:a b@x.org", Fault::Character),
        ("sip:a%4@x.org", Fault::Escape),
        ("sip:a%zz@x.org", Fault::Escape),
        ("sip:x.org:", Fault::Port),
        ("sip:x.org:0", Fault::Port),
        ("sip:x.org:65536", Fault::Port),
        ("sip:x.org:99999999999999999999", Fault::Port),
        ("sip:x.org;", Fault::Param),
        ("sip:x.org;;lr", Fault::Param),
        ("sip:x.org?", Fault::Uri),
        ("sip:x.org?a", Fault::Uri),
        ("sip:x.org?a=1&", Fault::Uri),
        ("sip:x.org>", Fault::Character),
        ("sip:2001:db8::10", Fault::Host),
        ("sip:[2001:db8::10", Fault::Host),
        ("sip:[2001:db8::10%25eth0]", Fault::Host),
        ("sip:-a.org", Fault::Host),
        ("sip:a..org", Fault::Host),
        ("sip:256.1.1.1", Fault::Host),
        ("sip:a.1", Fault::Host),
        ("tel:", Fault::Uri),
        ("tel:+", Fault::Uri),
        ("tel:+1a", Fault::Character),
        ("tel:12;phone-context=-", Fault::Uri),
        ("http:", Fault::Uri),
        ("http://a b", Fault::Uri),
        ("isbn:%2", Fault::Escape),
    ];
    for (text, expected) in cases {
        let text_fault = match Uri::parse(text) {
            Ok(uri) => panic!("{text}: {uri:?}"),
            Err(_) => fault(text),
        };
        assert_eq!(text_fault, expected, "{text}");
    }
    assert_eq!(Uri::parse("sip:alice@exam ple.org").unwrap_err().offset, 14);
}

#[test]
fn ports_from_1_to_65535() {
    assert_eq!(Uri::parse("sip:x.org:1").unwrap().port(), Some(1));
    assert_eq!(Uri::parse("sip:x.org:65535").unwrap().port(), Some(65535));
}

// test: RFC3261-19.1.4
#[test]
fn comparison_examples_of_rfc_3261_section_19_1_4() {
    let equal = [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
        ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;security=off"),
    ];
    let different = [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:alice@atlanta.com", "sips:alice@atlanta.com"),
        ("sip:alice@atlanta.com", "sip:atlanta.com"),
        ("sip:alice@atlanta.com", "tel:+1"),
    ];
    for (pairs, expected) in [(&equal[..], true), (&different[..], false)] {
        for (one, two) in pairs {
            let (first, second) = (Uri::parse(one).unwrap(), Uri::parse(two).unwrap());
            assert_eq!(first.is_equivalent(&second), expected, "{one} {two}");
            assert_eq!(second.is_equivalent(&first), expected, "{two} {one}");
        }
    }
}

// test: RFC3966-4
#[test]
fn tel_uris_compare_without_separators() {
    let pairs = [
        ("tel:+1-201-555-0123", "tel:+12015550123", true),
        ("tel:+1-201-555-0123;ext=7", "tel:+12015550123", false),
        ("tel:7042;phone-context=example.com", "tel:70-42;phone-context=EXAMPLE.com", true),
        ("tel:863-1234;phone-context=+1-914-555", "tel:8631234;phone-context=+1914555", true),
        ("tel:863-1234;phone-context=+1-914-555", "tel:8631234;phone-context=+1914556", false),
        ("tel:+1;a=b;c=d", "tel:+1;C=D;A=B", true),
        ("tel:+12015550123", "tel:+12015550124", false),
    ];
    for (one, two, expected) in pairs {
        assert_eq!(
            Uri::parse(one).unwrap().is_equivalent(&Uri::parse(two).unwrap()),
            expected,
            "{one} {two}"
        );
    }
    let Uri::Tel(local) = Uri::parse("tel:911").unwrap() else { panic!("tel") };
    assert_eq!((local.number(), local.is_global(), local.phone_context()), ("911", false, None));
}

// test: RFC3261-10.3
#[test]
fn canonical_addresses() {
    let cases = [
        ("SIP:%61lice@Example.ORG:5060;transport=tcp", "sip:alice@example.org"),
        ("sips:Alice:pw@example.org?Subject=x", "sips:Alice@example.org"),
        ("sip:a%2fb%3a@example.org.", "sip:a/b%3A@example.org"),
        ("sip:%00@x.org", "sip:%00@x.org"),
        ("sip:[2001:DB8:0::1]", "sip:[2001:db8::1]"),
        ("tel:+1-(201)-555.0123;ext=4", "tel:+12015550123"),
        ("tel:70-42;phone-context=Example.com", "tel:7042;phone-context=example.com"),
        ("HTTP://Example.org/A", "http://Example.org/A"),
    ];
    for (text, canonical) in cases {
        assert_eq!(Uri::parse(text).unwrap().canonical(), canonical, "{text}");
        assert_eq!(Uri::parse(canonical).unwrap().canonical(), canonical);
    }
}

/// The grammar of RFC 3966 §3 with the examples of its §6.
// test: RFC3966-3
#[test]
fn tel_uris_are_global_or_local_numbers() {
    for (text, number, global, context) in [
        ("tel:+1-201-555-0123", "+1-201-555-0123", true, None),
        ("tel:7042;phone-context=example.com", "7042", false, Some("example.com")),
        ("tel:863-1234;phone-context=+1-914-555", "863-1234", false, Some("+1-914-555")),
        ("tel:*69#aF.(0);ext=3;phone-context=+1", "*69#aF.(0)", false, Some("+1")),
    ] {
        let Uri::Tel(tel) = Uri::parse(text).unwrap() else { panic!("{text}") };
        assert_eq!((tel.number(), tel.is_global(), tel.phone_context()), (number, global, context), "{text}");
    }
    for text in [
        "tel:-.()",
        "tel:+",
        "tel:+1*",
        "tel:+1F",
        "tel:1+1",
        "tel:12g",
        "tel:1 2",
        "tel:12;phone-context=+",
        "tel:12;phone-context=+a",
        "tel:12;phone-context=a_b",
    ] {
        assert!(Uri::parse(text).is_err(), "{text}");
    }
}

/// RFC 4475 §3.1.1.6: no white space between a name of tokens and the bracket.
// test: RFC4475-3.1.1.6
#[test]
fn a_name_may_touch_the_bracket() {
    for (text, name) in [
        ("caller<sip:caller@example.com>;tag=323", "caller"),
        ("the caller<sip:caller@example.com>;tag=323", "the caller"),
        ("\"the <caller>\"<sip:caller@example.com>;tag=323", "the <caller>"),
    ] {
        let address = NameAddr::parse(text).unwrap();
        assert_eq!(address.display().as_deref(), Some(name));
        assert_eq!((address.uri().as_str(), address.tag()), ("sip:caller@example.com", Some("323")));
    }
}

#[test]
fn addresses_with_and_without_brackets() {
    let address = NameAddr::parse("\"A. \\\"B\\\"\" <sip:a@x.org;lr>;tag=1;x").unwrap();
    assert_eq!(address.display().unwrap(), "A. \"B\"");
    assert_eq!((address.uri().params().has("lr"), address.tag()), (true, Some("1")));
    assert_eq!(address.params().len(), 2);
    let address = NameAddr::parse("sip:a@x.org ;tag=1").unwrap();
    assert!(address.uri().params().is_empty());
    assert_eq!(address.to_string(), "sip:a@x.org ;tag=1");
    let address = NameAddr::parse("Alice Two <tel:+1>").unwrap();
    assert_eq!((address.display().unwrap().as_ref(), address.tag()), ("Alice Two", None));
    for text in [
        "",
        "<",
        "<>",
        "/",
        "<sip:a@x.org",
        "sip:a@x.org>",
        "A, B <sip:x.org>",
        "\"A <sip:x.org>",
        "A sip:x.org",
        "sip:x.org;tag=1;tag=2",
        "<sip:x.org>;tag",
        "<sip:x.org>;tag=\"a b\"",
        "<sip:x.org> x",
        "sip:x.org?a=b",
        "<sip:x.org>;=1",
        "<sip:x.org>;a=",
        "<sip:x.org>;",
        "\"a\u{1}\" <sip:x.org>",
        "\"a\" \"b\" <sip:x.org>",
    ] {
        assert!(NameAddr::parse(text).is_err(), "{text}");
    }
}

proptest! {
    // Whatever a caller puts into a URI comes out of it again, and cannot become anything else.
    #[test]
    fn written_sip_uris_read_the_same(
        secure: bool, user in proptest::option::of("\\PC{1,20}"), host in "[a-z]([a-z0-9-]{0,8}[a-z0-9])?",
        port in proptest::option::of(1_u16..), name in "[a-z]{1,8}", value in proptest::option::of("\\PC{1,12}"),
    ) {
        let text = write_sip_uri(secure, user.as_deref(), &Host::Name(&host), port, &[(&name, value.as_deref())]);
        let uri = Uri::parse(&text).unwrap();
        let sip = uri.sip().unwrap();
        prop_assert_eq!(sip.is_secure(), secure);
        prop_assert_eq!(sip.user().map(|user| decode(user).into_owned()), user.map(String::into_bytes));
        prop_assert_eq!(sip.host(), Host::Name(&host));
        prop_assert_eq!(sip.port(), port);
        prop_assert_eq!(sip.params().len(), 1);
        let read = sip.params().find(&name).unwrap();
        prop_assert_eq!(read.value.map(|value| decode(value).into_owned()), value.map(String::into_bytes));
        prop_assert!(uri.is_equivalent(&uri));
    }

    #[test]
    fn written_addresses_read_the_same(display in proptest::option::of("\\PC{0,20}"), value in "\\PC{0,12}") {
        let text = write_name_addr(display.as_deref(), "sip:a@x.org;lr", &[("x", Some(&value)), ("y", None)]);
        let address = NameAddr::parse(&text).unwrap();
        prop_assert_eq!(address.display().map(|name| name.into_owned()), display);
        prop_assert_eq!(address.uri().as_str(), "sip:a@x.org;lr");
        prop_assert_eq!(address.params().find("x").unwrap().unquoted().unwrap().into_owned(), value);
        prop_assert_eq!(address.params().find("y").unwrap().value, None);
        let again = address.to_string();
        prop_assert_eq!(NameAddr::parse(&again).unwrap(), address);
    }

    #[test]
    fn canonical_of_canonical_is_itself(text in "sips?:[a-zA-Z0-9%]{1,8}@[A-Za-z]{1,6}(:[1-9])?(;[a-z]=%41)?") {
        if let Ok(uri) = Uri::parse(&text) {
            let canonical = uri.canonical();
            prop_assert_eq!(Uri::parse(&canonical).unwrap().canonical(), canonical);
        }
    }

    /// The address readers and those of the standard library take the same and mean the same.
    #[test]
    fn addresses_read_as_the_standard_library_reads_them(text in "[0-9a-fF:.]{0,24}", v6: u128, v4: u32, at in 0_usize..40, change in "[0-9a-f:.]?") {
        let mut written = std::net::Ipv6Addr::from(v6 & (u128::MAX << (v4 % 128))).to_string();
        prop_assert_eq!(ipv6(&written), written.parse().ok());
        written.replace_range(at.min(written.len())..(at + 1).min(written.len()).max(at.min(written.len())), &change);
        let short = std::net::Ipv4Addr::from(v4).to_string();
        for text in [text.as_str(), &written, &format!("::{text}"), &format!("{text}::{short}"), &format!("1::{short}")] {
            if !text.contains(":::") {
                prop_assert_eq!(ipv6(text), text.parse().ok(), "{}", text);
            }
            let ours = match Host::parse(text) { Ok(Host::V4(address)) => Some(address), _ => None };
            prop_assert_eq!(ours, text.parse().ok(), "{}", text);
        }
    }

    #[test]
    fn no_text_makes_a_reader_panic(text in "\\PC*", ascii in "[ -~\r\n\t\0]{0,64}") {
        for text in [text.as_str(), ascii.as_str()] {
            let _ = NameAddr::parse(text);
            if let Ok(uri) = Uri::parse(text) {
                prop_assert_eq!(uri.as_str(), text);
                let _ = (uri.canonical(), uri.is_equivalent(&uri));
            }
        }
    }
}

/// liblinphone's Contact before it has a port.
#[test]
fn a_port_that_is_none_passes_in_a_contact_only() {
    let text = "sip:a:-7@192.0.2.1:-2;transport=tcp";
    assert!(Uri::parse(text).is_err());
    let uri = Uri::parse_contact(text).unwrap();
    assert_eq!((uri.port(), uri.password()), (None, Some("-7")));
    assert_eq!(uri.sip().unwrap().without_void_port(), "sip:a:-7@192.0.2.1;transport=tcp");
    let usual = "sip:a@192.0.2.1:5070";
    assert_eq!(Uri::parse_contact(usual).unwrap().sip().unwrap().without_void_port(), usual);
    for wrong in ["sip:a@192.0.2.1:-", "sip:a@192.0.2.1:-x", "sip:a@192.0.2.1:--2", "sip:a@192.0.2.1:-99999"]
    {
        assert!(Uri::parse_contact(wrong).is_err(), "{wrong}");
    }
}
