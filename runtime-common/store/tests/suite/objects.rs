//! Objects: grow, read, drop.

use super::*;
use Expect::Any;
use StoreAnswer::Done;
use cpm_proto::store::engine::KEY_LIMIT;

pub(crate) const CASES: &[Case] = &[
    ("there is no object", |s| {
        assert_eq!(s.one(read("o", 0, 10)), piece("", 0));
        assert_eq!(s.one(read("o", 7, 10)), piece("", 0));
        assert_eq!(s.one(drop_object("o")), Done);
    }),
    ("an object grows", |s| {
        assert_eq!(s.one(append("o", 0, "abc")), Done);
        assert_eq!(s.one(append("o", 3, "de")), Done);
        assert_eq!(s.one(append("o", 5, "f")), Done);
        assert_eq!(s.one(read("o", 0, 100)), piece("abcdef", 6));
    }),
    ("an object grows only at its end", |s| {
        assert_eq!(s.apply(&[append("o", 1, "x")]), conflict(0, 0));
        s.one(append("o", 0, "abc"));
        for at in [0, 1, 2, 4, u64::MAX] {
            assert_eq!(s.apply(&[get("k"), append("o", at, "x")]), conflict(1, 3));
        }
        assert_eq!(s.one(read("o", 0, 100)), piece("abc", 3));
    }),
    ("an upload that is sent twice is found out", |s| {
        s.one(append("o", 0, "abc"));
        assert_eq!(s.apply(&[append("o", 0, "abc")]), conflict(0, 3));
        s.one(append("o", 3, "def"));
        assert_eq!(s.one(read("o", 0, 100)), piece("abcdef", 6));
    }),
    ("every piece of an object in pieces", |s| {
        let whole = "abcdefghij";
        for (at, part) in [(0, "abc"), (3, "d"), (4, "efgh"), (8, "ij")] {
            s.one(append("o", at, part));
        }
        for at in 0..12_usize {
            for limit in 0..12_usize {
                let from = at.min(10);
                let to = (from + limit).min(10);
                assert_eq!(
                    s.one(read("o", at as u64, limit as u32)),
                    piece(&whole[from..to], 10),
                    "{at} {limit}"
                );
            }
        }
        assert_eq!(s.one(read("o", u64::MAX, u32::MAX)), piece("", 10));
        assert_eq!(s.one(read("o", 9, u32::MAX)), piece("j", 10));
    }),
    ("appending nothing changes nothing", |s| {
        assert_eq!(s.one(append("o", 0, "")), Done);
        assert_eq!(s.one(read("o", 0, 10)), piece("", 0));
        s.one(append("o", 0, "abc"));
        assert_eq!(s.one(append("o", 3, "")), Done);
        assert_eq!(s.apply(&[append("o", 2, "")]), conflict(0, 3));
        assert_eq!(s.one(read("o", 0, 10)), piece("abc", 3));
    }),
    ("a dropped object is gone and may begin again", |s| {
        s.one(append("o", 0, "abc"));
        s.one(append("o", 3, "def"));
        assert_eq!(s.one(drop_object("o")), Done);
        assert_eq!(s.one(read("o", 0, 10)), piece("", 0));
        assert_eq!(s.apply(&[append("o", 6, "g")]), conflict(0, 0));
        s.one(append("o", 0, "xy"));
        assert_eq!(s.one(read("o", 0, 10)), piece("xy", 2));
    }),
    ("objects and records have names of their own", |s| {
        s.apply(&[append("k", 0, "object"), put("k", "record", Any)]).unwrap();
        s.one(delete("k", Any));
        assert_eq!(s.one(read("k", 0, 10)), piece("object", 6));
        s.one(put("k", "record", Any));
        s.one(drop_object("k"));
        assert_eq!(s.one(get("k")), value(1, "record"));
    }),
    ("names that begin alike", |s| {
        for (name, data) in [("o", "1"), ("oo", "22"), ("o\0", "333"), ("o\0\0\0\0\0\0\0\0", "4444")] {
            s.one(append(name, 0, data));
        }
        s.one(append("o", 1, "!"));
        s.one(drop_object("oo"));
        assert_eq!(s.one(read("o", 0, 10)), piece("1!", 2));
        assert_eq!(s.one(read("oo", 0, 10)), piece("", 0));
        assert_eq!(s.one(read("o\0", 0, 10)), piece("333", 3));
        s.one(drop_object("o"));
        assert_eq!(s.one(read("o\0\0\0\0\0\0\0\0", 0, 10)), piece("4444", 4));
    }),
    ("a batch reads what it appended", |s| {
        s.one(append("o", 0, "abc"));
        let batch = [
            append("o", 3, "def"),
            read("o", 2, 2),
            append("o", 6, "ghi"),
            read("o", 0, 100),
            read("o", 5, 2),
            read("o", 7, 1),
            append("p", 0, "new"),
            read("p", 1, 9),
        ];
        let answers = vec![
            Done,
            piece("cd", 6),
            Done,
            piece("abcdefghi", 9),
            piece("fg", 9),
            piece("h", 9),
            Done,
            piece("ew", 3),
        ];
        assert_eq!(s.apply(&batch), Ok(answers));
        assert_eq!(s.one(read("o", 0, 100)), piece("abcdefghi", 9));
    }),
    ("drop and begin again in one batch", |s| {
        s.one(append("o", 0, "abc"));
        s.one(append("o", 3, "def"));
        let batch =
            [drop_object("o"), read("o", 0, 9), append("o", 0, "XY"), append("o", 2, "Z"), read("o", 1, 9)];
        assert_eq!(s.apply(&batch), Ok(vec![Done, piece("", 0), Done, Done, piece("YZ", 3)]));
        assert_eq!(s.one(read("o", 0, 100)), piece("XYZ", 3));
        assert_eq!(s.one(append("o", 3, "!")), Done);
        assert_eq!(s.one(read("o", 0, 100)), piece("XYZ!", 4));
    }),
    ("begin and drop in one batch", |s| {
        let batch = [append("o", 0, "abc"), drop_object("o"), read("o", 0, 9), drop_object("o")];
        assert_eq!(s.apply(&batch), Ok(vec![Done, Done, piece("", 0), Done]));
        assert_eq!(s.one(read("o", 0, 9)), piece("", 0));
    }),
    ("grow, drop, begin and drop in one batch", |s| {
        s.one(append("o", 0, "abc"));
        let batch =
            [append("o", 3, "d"), drop_object("o"), append("o", 0, "x"), drop_object("o"), read("o", 0, 9)];
        assert_eq!(s.apply(&batch), Ok(vec![Done, Done, Done, Done, piece("", 0)]));
        assert_eq!(s.one(read("o", 0, 9)), piece("", 0));
    }),
    ("a body and its index go in together or not at all", |s| {
        s.one(put("index", "0", Any));
        let torn = [append("body", 0, "text"), put("index", "1", Expect::Version(7))];
        assert_eq!(s.apply(&torn), conflict(1, 1));
        assert_eq!(s.one(read("body", 0, 9)), piece("", 0));
        let whole = [append("body", 0, "text"), put("index", "1", Expect::Version(1))];
        assert_eq!(s.apply(&whole), Ok(vec![Done, written(2)]));
        assert_eq!(s.one(read("body", 0, 9)), piece("text", 4));
    }),
    ("an object of 3 MiB in pieces of 64 KiB", |s| {
        let chunk: Vec<u8> = (0..65_536_u32).map(|n| (n % 251) as u8).collect();
        for n in 0..48_u64 {
            let data = Bytes::copy_from_slice(&chunk);
            s.one(StoreOp::Append { object: "o".into(), at: n * 65_536, data });
        }
        let StoreAnswer::Piece { data, length } = s.one(read("o", 65_530, 65_548)) else { panic!() };
        assert_eq!(length, 3_145_728);
        assert_eq!(data, [&chunk[65_530..], &chunk[..], &chunk[..6]].concat());
        s.one(drop_object("o"));
        assert_eq!(s.one(read("o", 0, 1)), piece("", 0));
    }),
    ("the limits of names", |s| {
        let long = "o".repeat(KEY_LIMIT);
        s.one(append(&long, 0, "x"));
        assert_eq!(s.one(read(&long, 0, 9)), piece("x", 1));
        let longer = "o".repeat(KEY_LIMIT + 1);
        for bad in ["", longer.as_str()] {
            for op in [append(bad, 0, "x"), read(bad, 0, 1), drop_object(bad)] {
                assert_eq!(s.apply(&[op]), Err(StoreError::Invalid));
            }
        }
    }),
    ("objects outlive the process", |s| {
        s.apply(&[append("o", 0, "abc"), append("gone", 0, "x"), append("p", 0, "p")]).unwrap();
        s.apply(&[append("o", 3, "def"), drop_object("gone")]).unwrap();
        s.apply(&[drop_object("p"), append("p", 0, "again")]).unwrap();
        sync(s);
        s.reopen();
        assert_eq!(s.one(read("o", 1, 4)), piece("bcde", 6));
        assert_eq!(s.one(read("gone", 0, 4)), piece("", 0));
        assert_eq!(s.one(read("p", 0, 9)), piece("again", 5));
        s.one(append("o", 6, "g"));
        assert_eq!(s.one(read("o", 0, 9)), piece("abcdefg", 7));
    }),
];
