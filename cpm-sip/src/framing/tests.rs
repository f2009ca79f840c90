//! Framing: any cut of a stream gives the same frames, and nothing above the limits is gathered.

use super::*;
use crate::{Fault, HeaderId, Limits, ParseError, ParseKind};
use bytes::Bytes;
use proptest::prelude::*;

fn message(lines: &str, body: &str) -> String {
    format!("MESSAGE sip:x.org SIP/2.0\r\n{lines}\r\n{body}")
}

/// Every frame and the error, if one ends the stream.
fn frames(chunks: &[&[u8]], limits: &Limits) -> (Vec<Frame>, Option<ParseError>) {
    let (mut framer, mut frames) = (StreamFramer::new(), Vec::new());
    for chunk in chunks {
        framer.push(Bytes::copy_from_slice(chunk));
        loop {
            match framer.next(limits) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(failure) => return (frames, Some(failure.error)),
            }
        }
    }
    (frames, None)
}

fn stream() -> (Vec<u8>, Vec<Frame>) {
    let one = message("Content-Length: 5\r\n", "a\r\n\r\n");
    let two = message("X: y\r\nl:\r\n 0\r\n", "");
    let three = message("CONTENT-LENGTH : 2\r\nl: 2\r\n", "\r\n");
    let octets = ["\r\n\r\n", &one, &two, "\r\n", &three, "\r\n\r\n\r\n", &one].concat().into_bytes();
    let frame = |text: &str| Frame::Message(Bytes::copy_from_slice(text.as_bytes()));
    let frames = vec![
        Frame::Pong,
        Frame::KeepAlive,
        frame(&one),
        frame(&two),
        Frame::Pong,
        frame(&three),
        Frame::Pong,
        Frame::KeepAlive,
        Frame::Pong,
        frame(&one),
    ];
    (octets, frames)
}

// test: RFC3261-18.3 RFC5626-3.5.1 RFC3261-7.5
#[test]
fn frames_of_a_stream_cut_at_every_place() {
    let (octets, expected) = stream();
    let limits = Limits::default();
    assert_eq!(frames(&[&octets], &limits), (expected.clone(), None));
    for cut in 1..octets.len() {
        let (before, after) = octets.split_at(cut);
        assert_eq!(frames(&[before, after], &limits), (expected.clone(), None), "cut at {cut}");
    }
    let single: Vec<&[u8]> = octets.chunks(1).collect();
    assert_eq!(frames(&single, &limits), (expected, None));
}

#[test]
fn a_message_in_one_read_is_not_copied() {
    let read = Bytes::from(message("l: 3\r\n", "abc"));
    let mut framer = StreamFramer::new();
    framer.push(read.clone());
    let Ok(Some(Frame::Message(framed))) = framer.next(&Limits::default()) else { panic!("a message") };
    assert_eq!(framed.as_ptr(), read.as_ptr());
    assert!(!framer.is_inside());
}

// test: RFC3261-20.14
#[test]
fn streams_that_cannot_be_cut_any_further() {
    let invalid = |fault| ParseKind::Invalid(HeaderId::ContentLength, fault);
    let cases = [
        (message("", ""), ParseKind::Missing(HeaderId::ContentLength)),
        (message("X: Content-Length: 5\r\n", ""), ParseKind::Missing(HeaderId::ContentLength)),
        (message("X: y\r\n Content-Length: 5\r\n", ""), ParseKind::Missing(HeaderId::ContentLength)),
        (message("l: 1\r\nContent-Length: 2\r\n", "ab"), ParseKind::Duplicate(HeaderId::ContentLength)),
        (message("l: -1\r\n", ""), invalid(Fault::Number)),
        (message("l: 5,5\r\n", "12345"), invalid(Fault::Number)),
        (message("l: 4294967328\r\n", ""), ParseKind::BodyTooLarge),
        (message("l: 18446744073709551616\r\n", ""), invalid(Fault::Range)),
        (message("X: y\nl: 5\r\n", "12345"), ParseKind::LineEnd),
        ("\rX".to_owned(), ParseKind::LineEnd),
        ("\nX".to_owned(), ParseKind::LineEnd),
    ];
    for (text, expected) in cases {
        let mut framer = StreamFramer::new();
        framer.push(text.clone().into());
        let failure = framer.next(&Limits::default()).expect_err(&text);
        assert_eq!(failure.error.kind, expected, "{text}");
        assert_eq!(failure.head, text);
        framer.push(Bytes::from_static(b"\r\n"));
        assert_eq!((framer.next(&Limits::default()), framer.buffered()), (Ok(None), 0), "the stream is over");
    }
}

/// A head with another fault is framed, so that it can be answered and the next message read.
#[test]
fn a_faulty_head_does_not_lose_the_stream() {
    let bad = message("bad line\r\nl: 2\r\n", "xy");
    let good = message("l: 0\r\n", "");
    let (frames, error) = frames(&[bad.as_bytes(), good.as_bytes()], &Limits::default());
    assert_eq!((frames.len(), error), (2, None));
}

#[test]
fn limits_at_n_and_n_plus_1() {
    let mut limits = Limits::default();
    let text = message("l: 3\r\n", "abc");
    let head = text.len() - 3;
    for (limit, ok) in [(head - 1, false), (head, true), (head + 1, true)] {
        limits.head = limit;
        let whole = frames(&[text.as_bytes()], &limits);
        let single: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(frames(&single, &limits), whole);
        let expected = (!ok)
            .then_some(ParseError { kind: ParseKind::HeadTooLarge, offset: u32::try_from(limit).unwrap() });
        assert_eq!(whole.1, expected, "head limit {limit}");
    }
    limits = Limits::default();
    for (limit, ok) in [(2, false), (3, true), (4, true)] {
        limits.body = limit;
        assert_eq!(frames(&[text.as_bytes()], &limits).1.is_none(), ok, "body limit {limit}");
    }
}

/// A peer that never ends its head makes us hold no more than the limit and one read.
#[test]
fn what_is_held_is_bounded() {
    let limits = Limits::default();
    let mut framer = StreamFramer::new();
    let line = Bytes::from(format!("X: {}\r\n", "y".repeat(1000)));
    framer.push(Bytes::from_static(b"MESSAGE sip:x.org SIP/2.0\r\n"));
    for _ in 0..1000 {
        framer.push(line.clone());
        if framer.next(&limits).is_err() {
            assert_eq!(framer.buffered(), 0);
            return;
        }
        assert!(framer.buffered() <= limits.head + line.len());
    }
    panic!("the head limit was never reached");
}

// test: RFC5626-4.4.2
#[test]
fn kinds_of_datagrams() {
    assert_eq!(Datagram::of(b""), Datagram::KeepAlive);
    assert_eq!(Datagram::of(b"\r\n\r\n"), Datagram::KeepAlive);
    assert_eq!(Datagram::of(b"\0\0\0\0"), Datagram::KeepAlive);
    assert_eq!(Datagram::of(b"jaK"), Datagram::KeepAlive);
    assert_eq!(Datagram::of(b"\x00\x01\x00\x00\x21\x12\xA4\x42123456789012"), Datagram::Stun);
    assert_eq!(Datagram::of(b"\x00\x01\x00\x00\x21\x12\xA4"), Datagram::Message);
    assert_eq!(Datagram::of(b"\r\nOPTIONS"), Datagram::Message);
}

proptest! {
    #[test]
    fn any_cuts_give_the_same_frames(cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..12)) {
        let (octets, expected) = stream();
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(octets.len())).collect();
        places.sort_unstable();
        let mut chunks: Vec<&[u8]> = Vec::new();
        let mut from = 0;
        for place in places {
            chunks.push(&octets[from..place]);
            from = place;
        }
        chunks.push(&octets[from..]);
        prop_assert_eq!(frames(&chunks, &Limits::default()), (expected, None));
    }

    /// Also for octets that are no messages: frames and error are those of the whole.
    #[test]
    fn any_cut_of_any_octets(text in "[\r\nlL:0-3 A]{0,60}", cut in 0_usize..60) {
        let text = format!("M x y\r\n{text}\r\n\r\n\r\n");
        let cut = cut.min(text.len());
        let (before, after) = text.as_bytes().split_at(cut);
        let limits = Limits::default();
        prop_assert_eq!(frames(&[before, after], &limits), frames(&[text.as_bytes()], &limits));
    }
}
