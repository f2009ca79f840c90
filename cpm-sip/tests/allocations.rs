//! Heap allocations, counted: none for a view and for typed values, one for an owned message, and never more bytes
//! than a small multiple of the input.

use allocation_counter::measure;
use bytes::{Bytes, BytesMut};
use cpm_sip::{Edit, Head, HeaderId, Limits, Message, MessageView, Method, reject, validate};
use std::hint::black_box;
use std::path::Path;

const MESSAGES: [(&str, &[u8]); 4] = [
    ("register", include_bytes!("../benches/messages/register.sip")),
    ("invite", include_bytes!("../benches/messages/invite.sip")),
    ("message", include_bytes!("../benches/messages/message.sip")),
    ("ok", include_bytes!("../benches/messages/ok.sip")),
];

#[test]
fn a_view_and_its_typed_values_need_no_heap() {
    let limits = Limits::default();
    for (name, raw) in MESSAGES {
        let info = measure(|| {
            let message = MessageView::parse(raw, &limits).unwrap();
            let via = message.via_top().unwrap();
            let (from, to) = (message.from().unwrap(), message.to().unwrap());
            black_box((
                via.branch(),
                from.tag(),
                to.tag(),
                message.call_id().unwrap(),
                message.cseq().unwrap(),
            ));
            assert!(message.contacts().all(|contact| contact.is_ok()));
            assert!(message.routes().chain(message.record_routes()).all(|route| route.is_ok()));
            assert!(message.accept_contacts().all(|wanted| wanted.is_ok()));
            assert!(message.p_preferred_services().all(|service| service.is_ok()));
            black_box((message.conversation_id().unwrap(), message.contribution_id().unwrap()));
            black_box((
                message.max_forwards().unwrap(),
                message.expires().unwrap(),
                message.content_type().unwrap(),
            ));
        });
        assert_eq!(info.count_total, 0, "{name}");
    }
}

#[test]
fn an_owned_message_needs_one_allocation() {
    let limits = Limits::default();
    for (name, raw) in MESSAGES {
        let shared = Bytes::from_static(raw);
        let mut parsed = None;
        let info = measure(|| parsed = Some(Message::parse(shared.clone(), &limits).unwrap()));
        assert_eq!(info.count_total, 1, "{name}");
        let message = parsed.unwrap();
        let info = measure(|| validate(&message, &limits).unwrap());
        assert_eq!(info.count_total, 0, "{name}: validation");
        let info = measure(|| assert!(!message.raw().is_empty() && message.body().len() < raw.len()));
        assert_eq!(info.count_total, 0, "{name}: the body is a slice");
    }
}

/// A folded head costs one more, for its text without folds; 128 fields still one.
#[test]
fn folded_and_long_heads() {
    let limits = Limits::default();
    let folded = Bytes::from_static(b"OPTIONS sip:x.org SIP/2.0\r\nSubject: a\r\n b\r\n\r\n");
    assert_eq!(measure(|| drop(Message::parse(folded.clone(), &limits).unwrap())).count_total, 2);
    let long = Bytes::from(format!("OPTIONS sip:x.org SIP/2.0\r\n{}\r\n", "Warning: a\r\n".repeat(128)));
    assert_eq!(measure(|| drop(Message::parse(long.clone(), &limits).unwrap())).count_total, 1);
    let view = Bytes::from(format!("OPTIONS sip:x.org SIP/2.0\r\n{}\r\n", "Warning: a\r\n".repeat(64)));
    assert_eq!(measure(|| drop(MessageView::parse(&view, &limits).unwrap())).count_total, 0);
}

#[test]
fn writing_into_a_buffer_needs_no_heap() {
    let invite = Message::parse(Bytes::from_static(MESSAGES[1].1), &Limits::default()).unwrap();
    let mut out = BytesMut::with_capacity(4096);
    let info = measure(|| Edit::new(&invite).write_to(&mut out));
    assert_eq!((info.count_total, &out[..]), (0, MESSAGES[1].1));
    let mut head = Head::request(Method::Invite, invite.request_uri().unwrap()).unwrap();
    head.push(HeaderId::CallId, "1").unwrap().push_named("X-New", 5).unwrap();
    out.clear();
    assert_eq!(measure(|| head.write_to(&mut out)).count_total, 0);
    let info = measure(|| drop(Head::response_to(&invite, 200, "OK")));
    assert_eq!(info.count_total, 1, "the text of a response");
}

/// Whatever the octets are, memory stays below eight times the input and 4 KiB (threats §12).
#[test]
fn memory_is_bounded_by_the_input() {
    let limits = Limits::default();
    for folder in ["rfc4475", "rfc5118", "rfc5118/fixed-length"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture").join(folder);
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if !entry.file_type().unwrap().is_file() {
                continue;
            }
            let raw = Bytes::from(std::fs::read(entry.path()).unwrap());
            let info = measure(|| {
                let judged =
                    Message::parse(raw.clone(), &limits).and_then(|message| validate(&message, &limits));
                if let Err(error) = judged {
                    drop(reject(&raw, &error, &limits));
                }
            });
            let bound = 8 * u64::try_from(raw.len()).unwrap() + 4096;
            assert!(info.bytes_max <= bound, "{}: {} bytes", entry.path().display(), info.bytes_max);
        }
    }
}
