use super::*;
use proptest::prelude::*;

#[test]
fn a_whole_message_in_one_read_is_not_copied() {
    let read = Bytes::from(vec![1, 2, 3, 4, 5]);
    let mut buffer = RecvBuf::new(10);
    buffer.push(read.clone()).unwrap();
    let taken = buffer.take(2).unwrap();
    assert_eq!(taken.as_ptr(), read.as_ptr());
    assert_eq!(buffer.take(3).unwrap().as_ptr(), read[2..].as_ptr());
}

#[test]
fn the_limit_is_exact_and_a_refused_read_comes_back() {
    let mut buffer = RecvBuf::new(4);
    buffer.push(Bytes::from_static(b"abc")).unwrap();
    assert_eq!(buffer.push(Bytes::from_static(b"de")), Err(Full(Bytes::from_static(b"de"))));
    assert_eq!((buffer.len(), buffer.room()), (3, 1));
    buffer.push(Bytes::from_static(b"d")).unwrap();
    assert_eq!((buffer.as_slice(), buffer.room()), (&b"abcd"[..], 0));
    assert_eq!(buffer.take(5), None);
    assert_eq!(buffer.take(4), Some(Bytes::from_static(b"abcd")));
    assert_eq!((buffer.take(0), buffer.take(1)), (Some(Bytes::new()), None));
}

#[test]
fn a_search_does_not_look_twice_at_the_same_bytes() {
    let mut buffer = RecvBuf::new(1 << 20);
    for _ in 0..1_000 {
        buffer.push(Bytes::from_static(b"x")).unwrap();
        assert_eq!(buffer.find(b"\r\n\r\n"), None);
    }
    assert_eq!(buffer.searched, 997, "only the last three can begin a match");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any cut of the stream gives the same lines.
    #[test]
    fn cuts_do_not_matter(
        lines in prop::collection::vec("[a-c\r]{0,6}", 0..8),
        cuts in prop::collection::vec(1..5usize, 1..40),
    ) {
        let stream: Vec<u8> = lines.iter().flat_map(|line| format!("{line}\r\n").into_bytes()).collect();
        let mut expected: Vec<Vec<u8>> = Vec::new();
        let mut rest = &stream[..];
        while let Some(at) = rest.windows(2).position(|pair| pair == b"\r\n") {
            expected.push(rest[..at + 2].to_vec());
            rest = &rest[at + 2..];
        }
        let (mut buffer, mut seen, mut at) = (RecvBuf::new(stream.len().max(1)), Vec::new(), 0);
        for cut in cuts.iter().cycle() {
            let end = (at + cut).min(stream.len());
            buffer.push(Bytes::copy_from_slice(&stream[at..end])).unwrap();
            at = end;
            while let Some(found) = buffer.find(b"\r\n") {
                seen.push(buffer.take(found + 2).unwrap().to_vec());
            }
            if at == stream.len() {
                break;
            }
        }
        prop_assert_eq!(seen, expected);
        prop_assert_eq!(buffer.as_slice(), rest);
    }
}
