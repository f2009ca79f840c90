//! MSRP URIs: grammar, comparison, faults with their offsets.

use super::*;
use crate::Path;
use proptest::prelude::*;

fn uri(text: &str) -> MsrpUri<'_> {
    MsrpUri::parse(text, &Limits::default()).unwrap()
}

fn bad(text: &str) -> (UriErrorKind, u32) {
    let error = MsrpUri::parse(text, &Limits::default()).unwrap_err();
    (error.kind, error.offset)
}

#[test]
fn parts_are_found() {
    // test: RFC4975-9
    let u = uri("msrp://atlanta.example.com:7654/jshA7weztas;tcp");
    assert!(!u.is_secure());
    assert_eq!((u.host(), u.port()), ("atlanta.example.com", Some(7654)));
    assert_eq!((u.session_id(), u.transport()), (Some("jshA7weztas"), "tcp"));
    let u = uri("msrps://[2001:db8::1]:2855/a/b=+;tcp;x;y=z");
    assert!(u.is_secure());
    assert_eq!((u.host(), u.port(), u.session_id()), ("2001:db8::1", Some(2855), Some("a/b=+")));
    assert_eq!(u.params().collect::<Vec<_>>(), [("x", None), ("y", Some("z"))]);
    let u = uri("msrps://R1;tcp");
    assert_eq!((u.host(), u.port(), u.session_id()), ("R1", None, None));
    assert_eq!(uri("msrp://alice:pw@h.example/s;tcp").host(), "h.example");
}

#[test]
fn comparison_of_section_6_1() {
    // test: RFC4975-6.1
    let same = [
        ("MSRP://Host.Example.com:8493/asfd34;TCP", "msrp://host.example.COM:8493/asfd34;tcp"),
        ("msrp://ho%73t.example.com/s;tcp", "msrp://host.example.com/s;tcp"),
        ("msrp://alice@host.example.com/s;tcp", "msrp://host.example.com/s;tcp"),
        ("msrp://[2001:DB8:0::1]:1/s;tcp", "msrp://[2001:db8::1]:1/s;tcp"),
        ("msrp://h/s;tcp;a=b", "msrp://h/s;tcp"),
    ];
    for (a, b) in same {
        assert_eq!(uri(a), uri(b));
        assert_eq!(uri(b), uri(a));
    }
    let different = [
        ("msrp://h:1/s;tcp", "msrps://h:1/s;tcp"),
        ("msrp://h:1/s;tcp", "msrp://h:2/s;tcp"),
        ("msrp://h:2855/s;tcp", "msrp://h/s;tcp"),
        ("msrp://h:1/s;tcp", "msrp://h:1/S;tcp"),
        ("msrp://h:1/s;tcp", "msrp://h:1;tcp"),
        ("msrp://h:1/s;tcp", "msrp://h:1/s;ws"),
        ("msrp://192.0.2.1/s;tcp", "msrp://192.0.2.2/s;tcp"),
    ];
    for (a, b) in different {
        assert_ne!(uri(a), uri(b));
    }
}

#[test]
fn faults_name_their_place() {
    assert_eq!(bad("http://h/s;tcp"), (UriErrorKind::Scheme, 0));
    assert_eq!(bad("msrp:h/s;tcp"), (UriErrorKind::Scheme, 0));
    assert_eq!(bad("msrp:///s;tcp"), (UriErrorKind::Host, 7));
    assert_eq!(bad("msrp://h h/s;tcp"), (UriErrorKind::Host, 8));
    assert_eq!(bad("msrp://a%4/s;tcp"), (UriErrorKind::Host, 10));
    assert_eq!(bad("msrp://[::1/s;tcp"), (UriErrorKind::Host, 7));
    assert_eq!(bad("msrp://h:0/s;tcp"), (UriErrorKind::Port, 9));
    assert_eq!(bad("msrp://h:65536/s;tcp"), (UriErrorKind::Port, 9));
    assert_eq!(bad("msrp://h:+1/s;tcp"), (UriErrorKind::Port, 9));
    assert_eq!(bad("msrp://h:/s;tcp"), (UriErrorKind::Port, 9));
    assert_eq!(bad("msrp://h:1/;tcp"), (UriErrorKind::SessionId, 11));
    assert_eq!(bad("msrp://h:1/a@b;tcp"), (UriErrorKind::SessionId, 12));
    assert_eq!(bad("msrp://h:1/s"), (UriErrorKind::Transport, 12));
    assert_eq!(bad("msrp://h:1/s;"), (UriErrorKind::Transport, 13));
    assert_eq!(bad("msrp://h:1/s;tcp;"), (UriErrorKind::Param, 17));
    assert_eq!(bad("msrp://h:1/s;tcp;a;=b"), (UriErrorKind::Param, 19));
}

#[test]
fn length_limit_is_exact() {
    let text = "msrp://h:1/s;tcp";
    for (limit, fits) in [(text.len() - 1, false), (text.len(), true), (text.len() + 1, true)] {
        let limits = Limits { uri_bytes: limit, ..Limits::default() };
        assert_eq!(MsrpUri::parse(text, &limits).is_ok(), fits, "{limit}");
    }
}

#[test]
fn path_counts_hops_and_shifts_offsets() {
    let limits = Limits { path_hops: 2, ..Limits::default() };
    let two = "msrp://a;tcp msrp://b/s;tcp";
    let path = Path::parse(two, &limits).unwrap();
    assert_eq!((path.first().host(), path.last().host()), ("a", "b"));
    assert_eq!(path, Path::parse("msrp://A;TCP msrp://B/s;tcp", &limits).unwrap());
    assert_ne!(path, Path::parse("msrp://a;tcp", &limits).unwrap());
    let three = Path::parse("msrp://a;tcp msrp://b/s;tcp msrp://c;tcp", &limits).unwrap_err();
    assert_eq!((three.kind, three.offset), (UriErrorKind::TooManyHops, 28));
    let double = Path::parse("msrp://a;tcp  msrp://b;tcp", &limits).unwrap_err();
    assert_eq!((double.kind, double.offset), (UriErrorKind::Scheme, 13));
    assert!(Path::parse("", &limits).is_err());
}

#[test]
fn rfc_uris_are_read() {
    let Ok(folder) = std::env::var("CPM_TESTDATA") else {
        assert!(std::env::var("CI").is_err(), "CI must set CPM_TESTDATA");
        eprintln!("left out: CPM_TESTDATA is not set");
        return;
    };
    let text = std::fs::read_to_string(format!("{folder}/uri/msrp-uris.txt")).unwrap();
    let mut count = 0;
    for line in text.lines().filter(|l| l.starts_with("msrp")) {
        assert_eq!(uri(line).as_str(), line);
        count += 1;
    }
    assert!(count >= 50, "{count} URIs");
}

proptest! {
    #[test]
    fn any_text_gives_an_answer(text in "\\PC{0,60}") {
        let _ = MsrpUri::parse(&text, &Limits::default());
    }

    #[test]
    fn built_from_parts_reads_back(
        secure: bool, host in "[a-z][a-z0-9.-]{0,20}", port in proptest::option::of(1u16..),
        id in proptest::option::of("[A-Za-z0-9+=/._~-]{1,20}"), transport in "[a-z0-9]{1,4}",
    ) {
        let text = format!(
            "{}://{host}{}{};{transport}",
            if secure { "msrps" } else { "msrp" },
            port.map_or(String::new(), |p| format!(":{p}")),
            id.as_ref().map_or(String::new(), |i| format!("/{i}")),
        );
        let u = uri(&text);
        prop_assert_eq!((u.is_secure(), u.host(), u.port()), (secure, &*host, port));
        prop_assert_eq!((u.session_id(), u.transport()), (id.as_deref(), &*transport));
        let other_case = text.replacen("msrp", "MsRp", 1);
        prop_assert_eq!(u, uri(&other_case));
    }
}
