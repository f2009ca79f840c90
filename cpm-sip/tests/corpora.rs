//! Messages that nobody on the project wrote and that may not be copied into it: read from the folder that the
//! environment variable `CPM_TESTDATA` names, left out without it (an error where `CI` is set).

#![allow(clippy::print_stdout)] // a test that leaves something out says so

use bytes::Bytes;
use cpm_sip::{Edit, Frame, Limits, Message, MessageView, StreamFramer, reject, validate};
use std::path::{Path, PathBuf};

/// The folder of one corpus, unless there is none to read.
fn corpus(name: &str) -> Option<PathBuf> {
    match std::env::var_os("CPM_TESTDATA") {
        Some(root) => {
            let folder = Path::new(&root).join(name);
            assert!(folder.is_dir(), "{} is missing", folder.display());
            Some(folder)
        }
        None if std::env::var_os("CI").is_some_and(|ci| ci == "true") => {
            panic!("CPM_TESTDATA must be set in CI")
        }
        None => {
            println!("CPM_TESTDATA is not set: {name} was left out");
            None
        }
    }
}

/// What the RFCs and captures have wrong by the grammar of RFC 3261, and we refuse with them.
const REFUSED: [(&str, &str); 14] = [
    ("rfc3261/030-23-4-2.sip", "no scheme in From and To"),
    ("rfc3428/003-10.sip", "`;;` in Via"),
    ("rfc3428/004-10.sip", "`;;` in From"),
    ("rfc4916/005-5-1.sip", "Content-Length is no number"),
    ("rfc5359/194-2-11.sip", "received=120."),
    ("rfc5626/001-3-2.sip", "`; ;` in Contact"),
    ("rfc5626/002-9-1.sip", "no scheme in To"),
    ("rfc7315/006-4-3-2-3.sip", "user part in the sent-by of Via"),
    ("rfc7315/007-4-3-2-3.sip", "user part in the sent-by of Via"),
    ("rfc7315/009-4-5-2-3.sip", "user part in the sent-by of Via"),
    ("rfc7315/011-4-6-2-3.sip", "user part in the sent-by of Via"),
    ("sip-compact-form/001.sip", "backslashes before the quotes of a display name"),
    ("sip_reqs/002.sip", "no empty line"),
    ("sip_reqs/003.sip", "no empty line"),
];

fn is_refused(name: &str) -> bool {
    REFUSED.iter().any(|(of, _)| *of == name)
}

/// Path (below the corpus) and expectation of every line of its index.
fn index(folder: &Path) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(folder.join("INDEX.tsv")).unwrap();
    let columns = |line: &str| {
        let columns: Vec<_> = line.split('\t').collect();
        (columns[0].to_owned(), (*columns.last().unwrap()).to_owned())
    };
    text.lines().skip(1).map(columns).collect()
}

/// Whatever the octets are: no panic, the two forms of a message agree, an answer is a message, and what is taken
/// can be forwarded, decoded and framed.
fn exercise(name: &str, raw: &Bytes) -> Result<(), cpm_sip::ParseError> {
    let limits = Limits::default();
    let owned = Message::parse(raw.clone(), &limits);
    let view = MessageView::parse(raw, &limits);
    assert_eq!(owned.as_ref().err(), view.as_ref().err(), "{name}");
    let judged = owned.and_then(|message| validate(&message, &limits).map(|()| message));
    match judged {
        Ok(message) => {
            if message.content_length().is_some() {
                assert_eq!(Edit::new(&message).write(), message.raw(), "{name}");
                let mut framer = StreamFramer::new();
                framer.push(message.raw().clone());
                assert_eq!(framer.next(&limits), Ok(Some(Frame::Message(message.raw().clone()))), "{name}");
            }
            Ok(())
        }
        Err(error) => {
            if let Some(answer) = reject(raw, &error, &limits) {
                let answer = Message::parse(answer.write(), &limits);
                assert!(answer.is_ok_and(|answer| answer.status().is_some_and(|code| code >= 400)), "{name}");
            }
            Err(error)
        }
    }
}

/// Where the RFC prints less body than Content-Length says, the missing octets are added.
fn fitted(raw: Bytes, expected: &str) -> Bytes {
    if !expected.starts_with("headers valid") {
        return raw;
    }
    let mut octets = raw.to_vec();
    octets.resize(octets.len() + 4096, b'x');
    octets.into()
}

#[test]
fn messages_printed_in_rfcs() {
    let Some(folder) = corpus("sip-rfc") else { return };
    let (mut valid, mut refused) = (0, Vec::new());
    for (name, expected) in index(&folder) {
        let raw = Bytes::from(std::fs::read(folder.join(&name)).unwrap());
        let judged = exercise(&name, &fitted(raw, &expected));
        if expected.starts_with("valid") || expected.starts_with("headers valid") {
            match judged {
                Ok(()) => valid += 1,
                Err(_) if is_refused(&name) => {}
                Err(error) => refused.push(format!("{name}: {error}")),
            }
        }
    }
    assert!(refused.is_empty(), "{valid} taken, refused:\n{}", refused.join("\n"));
    assert!(valid > 0);
}

#[test]
fn messages_lifted_from_captures() {
    let Some(folder) = corpus("sip-from-pcap") else { return };
    let (mut valid, mut refused) = (0, Vec::new());
    for (name, expected) in index(&folder) {
        let raw = Bytes::from(std::fs::read(folder.join(&name)).unwrap());
        match exercise(&name, &raw) {
            Ok(()) => valid += 1,
            Err(error) if expected.starts_with("valid") && !is_refused(&name) => {
                refused.push(format!("{name}: {error}"))
            }
            Err(_) => {}
        }
    }
    assert!(refused.is_empty(), "{valid} taken, refused:\n{}", refused.join("\n"));
    assert!(valid > 0);
}

#[test]
fn another_parsers_torture_set() {
    let Some(folder) = corpus("sip-torture-jsip") else { return };
    let (mut seen, mut taken) = (0, 0);
    for (name, _) in index(&folder) {
        let mut raw = std::fs::read(folder.join(&name)).unwrap();
        let _ = exercise(&name, &raw.clone().into());
        // Many of these lack the empty line at the end; with it they are looked at as a whole.
        raw.extend_from_slice(b"\r\n");
        taken += usize::from(exercise(&name, &raw.into()).is_ok());
        seen += 1;
    }
    // The set has some fifty messages that break RFC 3261; the others must be taken.
    assert!(seen > 300 && taken >= 315, "{taken} of {seen} taken");
}

#[test]
fn fuzz_seeds_of_others() {
    let Some(folder) = corpus("sip-fuzz-seeds") else { return };
    for (name, _) in index(&folder) {
        let raw = Bytes::from(std::fs::read(folder.join(&name)).unwrap());
        let _ = exercise(&name, &raw);
    }
}
