use super::*;

fn pieces(list: &[&'static str]) -> Segments {
    list.iter().map(|piece| Bytes::from_static(piece.as_bytes())).collect()
}

fn text(segments: &Segments) -> String {
    segments.iter().map(|piece| String::from_utf8_lossy(piece).into_owned()).collect::<Vec<_>>().join("|")
}

#[test]
fn advance_goes_over_piece_bounds() {
    for (bytes, left) in
        [(0, "ab|cde|f"), (1, "b|cde|f"), (2, "cde|f"), (4, "e|f"), (5, "f"), (6, ""), (99, "")]
    {
        let mut segments = pieces(&["ab", "", "cde", "f"]);
        segments.advance(bytes);
        assert_eq!(text(&segments), left, "after {bytes}");
        assert_eq!(segments.len(), left.replace('|', "").len());
    }
}

#[test]
fn take_front_keeps_to_bytes_and_pieces() {
    let mut segments = pieces(&["abc", "def", "gh"]);
    assert_eq!(text(&segments.take_front(4, 9)), "abc|d");
    assert_eq!(text(&segments), "ef|gh");
    assert_eq!(text(&segments.take_front(99, 1)), "ef");
    assert_eq!(text(&segments.take_front(99, 9)), "gh");
    assert!(segments.is_empty() && segments.take_front(9, 9).is_empty());
}

#[test]
fn vectored_writes_see_the_pieces() {
    let segments = pieces(&["abc", "de"]);
    let mut slices = [IoSlice::new(&[]); 4];
    assert_eq!(segments.chunks_vectored(&mut slices), 2);
    assert_eq!((&*slices[0], &*slices[1]), (&b"abc"[..], &b"de"[..]));
    assert_eq!((segments.remaining(), segments.chunk()), (5, &b"abc"[..]));
}
