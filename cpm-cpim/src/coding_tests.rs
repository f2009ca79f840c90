//! The oracle is flate2 (its own encoder and framing), and vectors made by Python's zlib and gzip modules.

use std::io::Write;

use flate2::{Compression, GzBuilder, write};
use proptest::prelude::*;

use super::*;

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = write::GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn zlib(data: &[u8]) -> Vec<u8> {
    let mut encoder = write::ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn raw(data: &[u8]) -> Vec<u8> {
    let mut encoder = write::DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// `zlib.compress(b"Hello World")`, `zlib.compressobj(wbits=-15)`, `gzip.compress(b"Hello World", mtime=0)`.
#[test]
fn vectors() {
    let text = b"Hello World";
    for (coding, bytes) in [
        ("deflate", "789cf348cdc9c95708cf2fca490100180b041d"),
        ("deflate", "f348cdc9c95708cf2fca490100"),
        ("gzip", "1f8b0800000000000203f348cdc9c95708cf2fca49010056b1174a0b000000"),
        ("X-GZip", "1f8b0800000000000203f348cdc9c95708cf2fca49010056b1174a0b000000"),
    ] {
        assert_eq!(decode(coding, &hex(bytes), 100).unwrap().as_ref(), text, "{coding} {bytes}");
    }
    // RFC 1952 §8 has the code; this value for "123456789" is the check value published for CRC-32.
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
}

#[test]
fn identity_and_unknown() {
    assert!(matches!(decode("identity", b"x", 1), Ok(Cow::Borrowed(b"x"))));
    assert!(matches!(decode("", b"x", 1), Ok(Cow::Borrowed(b"x"))));
    assert_eq!(decode("identity", b"xy", 1).unwrap_err().kind, DecodedTooLarge);
    for unknown in ["br", "compress", "gzip;q=1", "gzip, zstd", "gzip gzip"] {
        let error = decode(unknown, &gzip(b"x"), 100).unwrap_err();
        assert_eq!((error.kind, error.kind.status()), (UnknownCoding, 415), "{unknown}");
    }
}

#[test]
fn caps() {
    let data = vec![7_u8; 10_000];
    for (coding, encoded) in [("gzip", gzip(&data)), ("deflate", zlib(&data)), ("deflate", raw(&data))] {
        assert_eq!(decode(coding, &encoded, 10_000).unwrap().as_ref(), data);
        assert_eq!(decode(coding, &encoded, 10_001).unwrap().as_ref(), data);
        let error = decode(coding, &encoded, 9_999).unwrap_err();
        assert_eq!((error.kind, error.kind.status()), (DecodedTooLarge, 413));
        assert_eq!(decode(coding, &encoded, 0).unwrap_err().kind, DecodedTooLarge);
    }
    // A bomb inside a bomb stops at the cap too.
    let bomb = gzip(&gzip(&vec![0_u8; 1 << 20]));
    assert_eq!(decode("gzip, gzip", &bomb, 64 * 1024).unwrap_err().kind, DecodedTooLarge);
    assert_eq!(decode("gzip, gzip", &bomb, 1 << 20).unwrap().len(), 1 << 20);
    let five = "gzip, gzip, gzip, gzip, gzip";
    assert_eq!(decode(five, &bomb, 1 << 20).unwrap_err().kind, UnknownCoding);
    assert_eq!(decode("gzip", &gzip(b""), 0).unwrap().as_ref(), b"");
}

/// The last coding in the list was applied last.
#[test]
fn order_of_codings() {
    let both = gzip(&zlib(b"text"));
    assert_eq!(decode("deflate, gzip", &both, 100).unwrap().as_ref(), b"text");
    assert_eq!(decode("gzip, deflate", &both, 100).unwrap_err().kind, Compressed);
}

#[test]
fn gzip_headers() {
    let mut encoder = GzBuilder::new()
        .filename("name.txt")
        .comment("a comment")
        .extra(vec![1, 2, 3])
        .write(Vec::new(), Compression::best());
    encoder.write_all(b"text").unwrap();
    let full = encoder.finish().unwrap();
    assert_eq!(decode("gzip", &full, 10).unwrap().as_ref(), b"text");
    // Header CRC (RFC 1952 §2.3.1), set by hand over the ten bytes before it.
    let plain = gzip(b"text");
    let mut checked = plain[..10].to_vec();
    checked[3] = FHCRC;
    let crc = crc32(&checked).to_le_bytes();
    checked.extend_from_slice(&crc[..2]);
    checked.extend_from_slice(&plain[10..]);
    assert_eq!(decode("gzip", &checked, 10).unwrap().as_ref(), b"text");
    checked[11] ^= 1;
    assert_eq!(decode("gzip", &checked, 10).unwrap_err().kind, Compressed);
    // Two members are one file (RFC 1952 §2.2).
    let two = [gzip(b"one "), gzip(b"two")].concat();
    assert_eq!(decode("gzip", &two, 7).unwrap().as_ref(), b"one two");
    assert_eq!(decode("gzip", &two, 6).unwrap_err().kind, DecodedTooLarge);
}

/// Every single corrupted byte of a gzip or zlib stream is noticed or harmless, never a wrong text.
#[test]
fn corruption() {
    let text = b"From: <sip:a@b> From: <sip:a@b> From: <sip:a@b>";
    for (coding, good) in [("gzip", gzip(text)), ("deflate", zlib(text))] {
        for length in 0..good.len() {
            let error = decode(coding, &good[..length], 1000).unwrap_err();
            assert_eq!(error.kind, Compressed, "{coding} cut at {length}");
        }
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            if let Ok(read) = decode(coding, &bad, 1000) {
                assert_eq!(read.as_ref(), text, "{coding} byte {at}");
            }
        }
        let longer = [&good[..], b"x"].concat();
        assert_eq!(decode(coding, &longer, 1000).unwrap_err().kind, Compressed, "{coding} with a tail");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn round_trip(data in proptest::collection::vec(0..8_u8, 0..5000)) {
        for (coding, encoded) in [("gzip", gzip(&data)), ("deflate", zlib(&data)), ("deflate", raw(&data))] {
            let decoded = decode(coding, &encoded, data.len()).unwrap();
            prop_assert_eq!(decoded.as_ref(), &data[..]);
        }
    }

    #[test]
    fn any_bytes(data in proptest::collection::vec(any::<u8>(), 0..300), gz in any::<bool>()) {
        let coding = if gz { "gzip" } else { "deflate" };
        if let Ok(decoded) = decode(coding, &data, 1000) {
            prop_assert!(decoded.len() <= 1000);
        }
    }
}
