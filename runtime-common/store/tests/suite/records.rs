//! Records: versions, expectations, batches.

use super::*;
use Expect::{Absent, Any, Version};
use StoreAnswer::Done;
use cpm_proto::store::engine::{BATCH_LIMIT, KEY_LIMIT};

pub(crate) const CASES: &[Case] = &[
    ("an empty store has nothing", |s| {
        assert_eq!(s.one(get("k")), nothing());
    }),
    ("an empty batch does nothing", |s| {
        assert_eq!(s.apply(&[]), Ok(vec![]));
    }),
    ("a put is read back", |s| {
        assert_eq!(s.one(put("k", "v", Any)), written(1));
        assert_eq!(s.one(get("k")), value(1, "v"));
    }),
    ("an empty value is a value", |s| {
        assert_eq!(s.one(put("k", "", Any)), written(1));
        assert_eq!(s.one(get("k")), value(1, ""));
    }),
    ("each put counts the version up", |s| {
        for version in 1..=5 {
            assert_eq!(s.one(put("k", "same", Any)), written(version));
        }
        assert_eq!(s.one(get("k")), value(5, "same"));
    }),
    ("versions are per key", |s| {
        s.one(put("a", "1", Any));
        s.one(put("a", "2", Any));
        assert_eq!(s.one(put("b", "1", Any)), written(1));
    }),
    ("keys and values are any bytes", |s| {
        let (key, data) = (Bytes::from_static(b"\0\xff\0"), Bytes::from_static(b"\xff\0\r\n"));
        s.one(StoreOp::Put { key: key.clone(), value: data.clone(), expect: Absent });
        assert_eq!(s.one(StoreOp::Get { key }), StoreAnswer::Value(Some((1, data))));
    }),
    ("one key may be the start of another", |s| {
        s.apply(&[put("a", "1", Any), put("aa", "2", Any), put("a\0", "3", Any)]).unwrap();
        assert_eq!(s.one(get("a")), value(1, "1"));
        assert_eq!(s.one(get("aa")), value(1, "2"));
        assert_eq!(s.one(get("a\0")), value(1, "3"));
    }),
    ("a value of 1 MiB", |s| {
        let data = Bytes::from((0..1_048_576_u32).map(|n| (n % 251) as u8).collect::<Vec<_>>());
        s.one(StoreOp::Put { key: "k".into(), value: data.clone(), expect: Any });
        assert_eq!(s.one(get("k")), StoreAnswer::Value(Some((1, data))));
    }),
    ("put expecting nothing", |s| {
        assert_eq!(s.one(put("k", "1", Absent)), written(1));
        assert_eq!(s.apply(&[put("k", "2", Absent)]), conflict(0, 1));
        assert_eq!(s.one(get("k")), value(1, "1"));
    }),
    ("put expecting a version", |s| {
        assert_eq!(s.apply(&[put("k", "1", Version(1))]), conflict(0, 0));
        s.one(put("k", "1", Any));
        assert_eq!(s.one(put("k", "2", Version(1))), written(2));
        assert_eq!(s.apply(&[put("k", "3", Version(1))]), conflict(0, 2));
        assert_eq!(s.apply(&[put("k", "3", Version(3))]), conflict(0, 2));
        assert_eq!(s.one(get("k")), value(2, "2"));
    }),
    ("version 0 means nothing there", |s| {
        assert_eq!(s.one(check("k", 0)), Done);
        assert_eq!(s.one(put("k", "1", Version(0))), written(1));
        assert_eq!(s.apply(&[put("k", "2", Version(0))]), conflict(0, 1));
        assert_eq!(s.apply(&[check("k", 0)]), conflict(0, 1));
    }),
    ("delete removes", |s| {
        s.one(put("k", "1", Any));
        assert_eq!(s.one(delete("k", Any)), Done);
        assert_eq!(s.one(get("k")), nothing());
    }),
    ("delete of nothing", |s| {
        assert_eq!(s.one(delete("k", Any)), Done);
        assert_eq!(s.one(delete("k", Absent)), Done);
        assert_eq!(s.apply(&[delete("k", Version(1))]), conflict(0, 0));
    }),
    ("delete expecting a version", |s| {
        s.one(put("k", "1", Any));
        s.one(put("k", "2", Any));
        assert_eq!(s.apply(&[delete("k", Version(1))]), conflict(0, 2));
        assert_eq!(s.apply(&[delete("k", Absent)]), conflict(0, 2));
        assert_eq!(s.one(get("k")), value(2, "2"));
        assert_eq!(s.one(delete("k", Version(2))), Done);
        assert_eq!(s.one(get("k")), nothing());
    }),
    ("after a delete versions begin again", |s| {
        s.one(put("k", "1", Any));
        s.one(put("k", "2", Any));
        s.one(delete("k", Any));
        assert_eq!(s.one(put("k", "3", Absent)), written(1));
    }),
    ("check of a lease", |s| {
        s.one(put("lease", "node a", Any));
        assert_eq!(s.apply(&[check("lease", 1), put("k", "by a", Any)]), Ok(vec![Done, written(1)]));
        s.one(put("lease", "node b", Version(1)));
        // The old holder is fenced off, and its write with it.
        assert_eq!(s.apply(&[check("lease", 1), put("k", "by a again", Any)]), conflict(0, 2));
        assert_eq!(s.apply(&[put("k", "by a again", Any), check("lease", 1)]), conflict(1, 2));
        assert_eq!(s.one(get("k")), value(1, "by a"));
    }),
    ("a batch reads its own writes", |s| {
        s.one(put("old", "0", Any));
        let batch = [
            get("k"),
            put("k", "1", Absent),
            get("k"),
            put("k", "2", Version(1)),
            check("k", 2),
            get("k"),
            delete("k", Version(2)),
            get("k"),
            check("k", 0),
            delete("old", Any),
            get("old"),
        ];
        let answers = vec![
            nothing(),
            written(1),
            value(1, "1"),
            written(2),
            Done,
            value(2, "2"),
            Done,
            nothing(),
            Done,
            Done,
            nothing(),
        ];
        assert_eq!(s.apply(&batch), Ok(answers));
        assert_eq!(s.one(get("k")), nothing());
        assert_eq!(s.one(get("old")), nothing());
    }),
    ("delete and put again in one batch", |s| {
        s.one(put("k", "1", Any));
        s.one(put("k", "2", Any));
        let batch = [delete("k", Version(2)), put("k", "3", Absent)];
        assert_eq!(s.apply(&batch), Ok(vec![Done, written(1)]));
        assert_eq!(s.one(get("k")), value(1, "3"));
    }),
    ("put and delete again in one batch", |s| {
        assert_eq!(s.apply(&[put("k", "1", Absent), delete("k", Version(1))]), Ok(vec![written(1), Done]));
        assert_eq!(s.one(get("k")), nothing());
    }),
    ("a batch of many puts of one key", |s| {
        let batch: Vec<_> = (0..50).map(|n| put("k", &n.to_string(), Version(n))).collect();
        assert_eq!(s.apply(&batch), Ok((1..=50).map(written).collect()));
        assert_eq!(s.one(get("k")), value(50, "49"));
    }),
    ("a batch fails as a whole", |s| {
        s.apply(&[put("a", "1", Any), put("b", "1", Any), append("o", 0, "abc"), append("p", 0, "x")])
            .unwrap();
        let batch = [
            put("a", "2", Any),
            put("new", "1", Any),
            delete("b", Any),
            append("o", 3, "def"),
            drop_object("p"),
            append("q", 0, "q"),
            put("a", "3", Version(1)),
        ];
        assert_eq!(s.apply(&batch), conflict(6, 2));
        assert_eq!(s.one(get("a")), value(1, "1"));
        assert_eq!(s.one(get("b")), value(1, "1"));
        assert_eq!(s.one(get("new")), nothing());
        assert_eq!(s.one(read("o", 0, 9)), piece("abc", 3));
        assert_eq!(s.one(read("p", 0, 9)), piece("x", 1));
        assert_eq!(s.one(read("q", 0, 9)), piece("", 0));
    }),
    ("the first conflict is reported", |s| {
        assert_eq!(s.apply(&[get("k"), check("a", 7), check("b", 8)]), conflict(1, 0));
    }),
    ("a refused batch leaves no trace in the next", |s| {
        assert_eq!(s.apply(&[put("k", "1", Any), check("k", 9)]), conflict(1, 1));
        assert_eq!(s.one(put("k", "2", Absent)), written(1));
    }),
    ("the limits of keys", |s| {
        let long = "k".repeat(KEY_LIMIT);
        assert_eq!(s.one(put(&long, "1", Any)), written(1));
        assert_eq!(s.one(get(&long)), value(1, "1"));
        let longer = "k".repeat(KEY_LIMIT + 1);
        for bad in ["", longer.as_str()] {
            for op in [get(bad), put(bad, "", Any), delete(bad, Any), check(bad, 0)] {
                assert_eq!(s.apply(&[put("x", "1", Any), op]), Err(StoreError::Invalid));
            }
        }
        assert_eq!(s.one(get("x")), nothing());
    }),
    ("the limit of a batch", |s| {
        let many = vec![put("k", "v", Any); BATCH_LIMIT];
        assert_eq!(s.apply(&many).map(|answers| answers.len()), Ok(BATCH_LIMIT));
        let more = vec![get("k"); BATCH_LIMIT + 1];
        assert_eq!(s.apply(&more), Err(StoreError::Invalid));
    }),
    ("a later batch names the version an earlier one makes", |s| {
        // Two batches of one lane, the second made before the first was answered (architecture §5).
        assert_eq!(s.apply(&[put("k", "1", Absent)]), Ok(vec![written(1)]));
        assert_eq!(s.apply(&[put("k", "2", Version(1))]), Ok(vec![written(2)]));
    }),
    ("sync at every durability", |s| {
        s.one(put("k", "1", Any));
        for durability in [Durability::Memory, Durability::Local, Durability::Replicated] {
            s.engine().sync(durability).unwrap();
            s.engine().sync(durability).unwrap();
        }
        assert_eq!(s.one(get("k")), value(1, "1"));
    }),
    ("records outlive the process", |s| {
        s.apply(&[put("a", "1", Any), put("b", "1", Any), put("c", "1", Any)]).unwrap();
        s.apply(&[put("a", "2", Version(1)), delete("b", Any)]).unwrap();
        sync(s);
        for _ in 0..2 {
            s.reopen();
            assert_eq!(s.one(get("a")), value(2, "2"));
            assert_eq!(s.one(get("b")), nothing());
            assert_eq!(s.one(get("c")), value(1, "1"));
        }
        assert_eq!(s.one(put("a", "3", Version(2))), written(3));
    }),
];
