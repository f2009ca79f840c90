//! Ordered scans.

use super::*;
use Expect::Any;

fn fill(s: &mut dyn Subject, keys: &[&str]) {
    let batch: Vec<_> = keys.iter().map(|key| put(key, key, Any)).collect();
    s.apply(&batch).unwrap();
}

pub(crate) const CASES: &[Case] = &[
    ("a scan of nothing", |s| {
        assert_eq!(s.one(scan("a", "z", 10, false)), rows(&[], false));
        assert_eq!(s.one(scan("a", "z", 10, true)), rows(&[], false));
    }),
    ("a scan is ordered by bytes, not by age", |s| {
        fill(s, &["b", "\u{7f}", "a", "ba", "B", "b\0"]);
        let all = [("B", 1, "B"), ("a", 1, "a"), ("b", 1, "b"), ("b\0", 1, "b\0"), ("ba", 1, "ba")];
        assert_eq!(s.one(scan("A", "z", 10, false)), rows(&all, false));
    }),
    ("bytes above 127 come last", |s| {
        for key in [&b"\x80"[..], b"\x7f", b"\xff\xff"] {
            s.one(StoreOp::Put { key: Bytes::copy_from_slice(key), value: Bytes::new(), expect: Any });
        }
        let op = StoreOp::Scan { from: Bytes::new(), to: vec![255; 3].into(), limit: 9, reverse: false };
        let StoreAnswer::Rows { rows, more: false } = s.one(op) else { panic!() };
        let keys: Vec<&[u8]> = rows.iter().map(|(key, ..)| &key[..]).collect();
        assert_eq!(keys, [&b"\x7f"[..], b"\x80", b"\xff\xff"]);
    }),
    ("the first bound is in, the last is out", |s| {
        fill(s, &["a", "b", "c"]);
        assert_eq!(s.one(scan("a", "c", 10, false)), rows(&[("a", 1, "a"), ("b", 1, "b")], false));
        assert_eq!(s.one(scan("a", "c", 10, true)), rows(&[("b", 1, "b"), ("a", 1, "a")], false));
        assert_eq!(s.one(scan("a", "c\0", 1, true)), rows(&[("c", 1, "c")], true));
    }),
    ("bounds need not be keys", |s| {
        fill(s, &["b"]);
        assert_eq!(s.one(scan("aa", "bb", 10, false)), rows(&[("b", 1, "b")], false));
        assert_eq!(s.one(scan("", "z", 10, false)), rows(&[("b", 1, "b")], false));
    }),
    ("an empty or inverted range", |s| {
        fill(s, &["a", "b", "c"]);
        for (from, to) in [("b", "b"), ("c", "a"), ("z", ""), ("", "")] {
            for reverse in [false, true] {
                assert_eq!(s.one(scan(from, to, 10, reverse)), rows(&[], false), "{from} {to}");
            }
        }
    }),
    ("the limit and whether there is more", |s| {
        fill(s, &["a", "b", "c"]);
        let all = [("a", 1, "a"), ("b", 1, "b"), ("c", 1, "c")];
        let reversed = [("c", 1, "c"), ("b", 1, "b"), ("a", 1, "a")];
        for limit in 0..5_u32 {
            let n = all.len().min(limit as usize);
            assert_eq!(s.one(scan("a", "z", limit, false)), rows(&all[..n], limit < 3));
            assert_eq!(s.one(scan("a", "z", limit, true)), rows(&reversed[..n], limit < 3));
        }
        assert_eq!(s.one(scan("a", "z", u32::MAX, false)), rows(&all, false));
    }),
    ("a scan goes on where the last one ended", |s| {
        let keys: Vec<String> = (0..25).map(|n| format!("k{n:02}")).collect();
        fill(s, &keys.iter().map(String::as_str).collect::<Vec<_>>());
        let (mut from, mut seen, mut pages) = (Bytes::from("k"), Vec::new(), 0);
        loop {
            let op = StoreOp::Scan { from: from.clone(), to: "l".into(), limit: 10, reverse: false };
            let StoreAnswer::Rows { rows, more } = s.one(op) else { panic!() };
            pages += 1;
            seen.extend(rows.iter().map(|(key, ..)| String::from_utf8(key.to_vec()).unwrap()));
            // The smallest key after the last one.
            from = rows.last().map(|(key, ..)| [key, &b"\0"[..]].concat().into()).unwrap();
            if !more {
                break;
            }
        }
        assert_eq!((seen, pages), (keys, 3));
    }),
    ("deleted records are not scanned", |s| {
        fill(s, &["a", "b", "c"]);
        s.one(delete("b", Any));
        assert_eq!(s.one(scan("a", "z", 2, false)), rows(&[("a", 1, "a"), ("c", 1, "c")], false));
        assert_eq!(s.one(scan("b", "c", 2, false)), rows(&[], false));
    }),
    ("versions are scanned", |s| {
        fill(s, &["a", "b"]);
        s.one(put("a", "new", Any));
        assert_eq!(s.one(scan("a", "z", 9, false)), rows(&[("a", 2, "new"), ("b", 1, "b")], false));
    }),
    ("objects are not scanned", |s| {
        s.apply(&[append("b", 0, "object"), put("a", "1", Any)]).unwrap();
        assert_eq!(s.one(scan("", "z", 9, false)), rows(&[("a", 1, "1")], false));
    }),
    ("a scan sees the writes of its batch", |s| {
        fill(s, &["b", "d", "f"]);
        let batch = [
            put("a", "new", Any),
            put("d", "changed", Any),
            delete("f", Any),
            put("e", "new", Any),
            put("g", "gone", Any),
            delete("g", Any),
            scan("a", "z", 9, false),
            scan("a", "z", 9, true),
            scan("a", "z", 2, false),
            scan("a", "z", 2, true),
            scan("b", "e", 9, false),
            scan("a", "z", 4, false),
        ];
        let all = [("a", 1, "new"), ("b", 1, "b"), ("d", 2, "changed"), ("e", 1, "new")];
        let mut reversed = all;
        reversed.reverse();
        let answers = s.apply(&batch).unwrap();
        assert_eq!(answers[6], rows(&all, false));
        assert_eq!(answers[7], rows(&reversed, false));
        assert_eq!(answers[8], rows(&all[..2], true));
        assert_eq!(answers[9], rows(&reversed[..2], true));
        assert_eq!(answers[10], rows(&all[1..3], false));
        assert_eq!(answers[11], rows(&all, false));
        assert_eq!(s.one(scan("a", "z", 9, false)), rows(&all, false));
    }),
    ("nothing more behind records that the batch deleted", |s| {
        fill(s, &["a", "b", "c"]);
        let answers = s.apply(&[delete("b", Any), delete("c", Any), scan("a", "z", 1, false)]).unwrap();
        assert_eq!(answers[2], rows(&[("a", 1, "a")], false));
    }),
    ("a scan after opening again", |s| {
        fill(s, &["a", "b", "c"]);
        s.one(delete("b", Any));
        sync(s);
        s.reopen();
        assert_eq!(s.one(scan("", "z", 9, true)), rows(&[("c", 1, "c"), ("a", 1, "a")], false));
    }),
];
