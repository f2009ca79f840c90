use super::*;
use proptest::prelude::*;

/// Unix times from an independent calendar: `date -u -d … +%s`.
const KNOWN: [(&str, u64); 11] = [
    ("1970-01-01T00:00:00Z", 0),
    ("2000-02-29T12:00:00Z", 951_825_600),
    ("2000-03-01T00:00:00Z", 951_868_800),
    ("2001-09-09T01:46:40Z", 1_000_000_000),
    ("2006-04-04T12:16:49-05:00", 1_144_171_009),
    ("2016-03-24T08:51:42+01:00", 1_458_805_902),
    ("2100-02-28T23:59:59Z", 4_107_542_399),
    ("2100-03-01T00:00:00Z", 4_107_542_400),
    ("9999-12-31T23:59:59Z", 253_402_300_799),
    ("1990-12-31T23:59:60Z", 662_688_000),
    ("1996-12-19T16:39:57-08:00", 851_042_397),
];

#[test]
fn known_times() {
    for (text, seconds) in KNOWN {
        assert_eq!(parse(text), Some(Duration::from_secs(seconds)), "{text}");
    }
}

// test: RFC3339-5.8
#[test]
fn rfc3339_examples() {
    assert_eq!(parse("1985-04-12T23:20:50.52Z"), Some(Duration::new(482_196_050, 520_000_000)));
    assert_eq!(parse("1990-12-31T15:59:60-08:00"), Some(Duration::from_secs(662_688_000)));
    // 1937 is before the epoch.
    assert_eq!(parse("1937-01-01T12:00:27.87+00:20"), None);
}

#[test]
fn refused() {
    for text in [
        "",
        "2001-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2001-13-01T00:00:00Z",
        "2001-00-01T00:00:00Z",
        "2001-01-32T00:00:00Z",
        "2001-01-00T00:00:00Z",
        "2001-01-01T24:00:00Z",
        "2001-01-01T00:60:00Z",
        "2001-01-01T00:00:61Z",
        "2001-01-01T00:00:00",
        "2001-01-01T00:00:00.Z",
        "2001-01-01T00:00:00+1:00",
        "2001-01-01T00:00:00+24:00",
        "2001-01-01T00:00:00Zx",
        "2001-1-1T00:00:00Z",
        "+001-01-01T00:00:00Z",
        "2001-01-01",
        "20\u{661}-01-01T00:00:00Z",
    ] {
        assert_eq!(parse(text), None, "{text}");
    }
}

#[test]
fn written() {
    for (text, seconds) in KNOWN.into_iter().filter(|(text, _)| text.ends_with('Z') && !text.contains(":60"))
    {
        assert_eq!(Rfc3339(Duration::from_secs(seconds)).to_string(), text);
    }
    assert_eq!(Rfc3339(Duration::from_millis(1_500)).to_string(), "1970-01-01T00:00:01.500Z");
    assert_eq!(Rfc3339(Duration::MAX).to_string().get(..20), Some("9999-12-31T23:59:59."));
}

proptest! {
    #[test]
    fn round_trip(millis in 0..253_402_300_800_000_u64) {
        let time = Duration::from_millis(millis);
        prop_assert_eq!(parse(&Rfc3339(time).to_string()), Some(time));
    }

    #[test]
    fn no_panic(text in ".{0,40}") {
        let _ = parse(&text);
    }
}
