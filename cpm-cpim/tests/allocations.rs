//! Reading a CPIM message with its IMDN request takes no heap (docs/performance.md).

use allocation_counter::measure;
use cpm_cpim::{
    Limits,
    cpim::{Cpim, CpimBuilder, Disposition},
    datetime,
    imdn::{Delivery, Imdn, Notification},
};

fn message() -> Vec<u8> {
    CpimBuilder::new("text/plain;charset=UTF-8", b"Hello World")
        .from("", "sip:anonymous@anonymous.invalid")
        .to("Bob", "sip:bob@example.test")
        .cc("", "sip:carol@example.test")
        .message_id("ae6926cfcffa40a89e44252ce9e970a2")
        .datetime_text("2016-03-24T08:51:42+01:00")
        .want([Disposition::PositiveDelivery, Disposition::Display].into_iter().collect())
        .record_route("", "sip:pf@example.test")
        .subject(Some("en"), "topic")
        .payload_type("text/plain")
        .write()
        .unwrap()
}

#[test]
fn reading_takes_no_heap() {
    let raw = message();
    let limits = Limits::default();
    let used = measure(|| {
        let message = Cpim::parse(&raw, &limits).unwrap();
        let request = message.imdn_request().unwrap().unwrap();
        assert!(request.wanted.display);
        assert_eq!(request.message_id, "ae6926cfcffa40a89e44252ce9e970a2");
        assert!(datetime::parse(request.datetime).is_some());
        assert_eq!(message.from().unwrap().unwrap().uri, "sip:anonymous@anonymous.invalid");
        assert_eq!(message.to().count() + message.cc().count() + message.record_route().count(), 3);
        assert!(message.mime().content_type().unwrap().is("text", "plain"));
        assert_eq!(message.payload(1000).unwrap().as_ref(), b"Hello World");
        message.validate(&[]).unwrap();
    });
    assert_eq!(used.count_total, 0);
    // The counter counts.
    assert_eq!(measure(|| drop(vec![1_u8, 2])).count_total, 1);
}

#[test]
fn refusing_takes_no_heap() {
    let limits = Limits::default();
    for raw in [&b"From\r\n\r\n"[..], b"From: <sip:a@b>\n\n", b"x.y: z\r\n\r\n", b"From: \xff\r\n\r\n"] {
        assert_eq!(measure(|| assert!(Cpim::parse(raw, &limits).is_err())).count_total, 0);
    }
}

/// Something that handles an input of the given size.
type Work<'a> = Box<dyn Fn(usize) + 'a>;

/// Doubling the input at most doubles the work, counted in heap bytes, where a reader has any.
#[test]
fn linear_memory() {
    use cpm_cpim::{
        coding,
        mime::{ContentType, decode_base64, leaves},
    };
    let limits = Limits::default();
    let kind = ContentType::parse("multipart/mixed;boundary=b", &limits).unwrap();
    let work: [(&str, Work<'_>); 4] = [
        (
            "multipart of near misses",
            Box::new(|n| {
                let body =
                    [b"--b\r\n\r\n".to_vec(), b"\r\n--bx\r\n--".repeat(n), b"\r\n--b--".to_vec()].concat();
                assert_eq!(leaves(&body, &kind, &Limits::default()).unwrap().len(), 1);
            }),
        ),
        ("base64", Box::new(|n| drop(decode_base64(&b"Zm9v".repeat(n)).unwrap()))),
        (
            "text in pieces",
            Box::new(|n| {
                let text = "a<!---->&amp;".repeat(n);
                let xml = format!(
                    "<imdn xmlns=\"urn:ietf:params:xml:ns:imdn\"><subject>{text}</subject><message-id>m</message-id>\
                 <datetime>d</datetime><x:y xmlns:x=\"urn:x\"/></imdn>"
                );
                let read = Imdn::parse(xml.as_bytes(), &Limits::default()).unwrap();
                assert_eq!(read.subject.unwrap().len(), 2 * n);
            }),
        ),
        (
            "stored deflate",
            Box::new(|n| {
                // RFC 1951 §3.2.4: blocks of one stored byte.
                let body = [b"\x00\x01\x00\xfe\xffx".repeat(n), b"\x01\x00\x00\xff\xff".to_vec()].concat();
                assert_eq!(coding::decode("deflate", &body, n).unwrap().len(), n);
            }),
        ),
    ];
    for (name, run) in work {
        let bytes = |n| measure(|| run(n)).bytes_total;
        let (one, two) = (bytes(4_000), bytes(8_000));
        assert!(two <= one * 5 / 2, "{name}: {one} then {two} bytes");
    }
}

/// Memory of the XML reader stays in proportion to the document.
#[test]
fn imdn_memory() {
    let note = Notification::Delivery(Delivery::Delivered);
    let xml = Imdn::new("34jk324j", "2006-04-04T12:16:49-05:00", note).write().unwrap();
    let limits = Limits::default();
    let used = measure(|| assert!(Imdn::parse(xml.as_bytes(), &limits).is_ok()));
    assert!(used.bytes_max < 16 * 1024, "{used:?}");
    let nested =
        format!("<imdn xmlns=\"urn:ietf:params:xml:ns:imdn\">{}", "<a xmlns:b=\"urn:b\">".repeat(10_000));
    let used = measure(|| assert!(Imdn::parse(nested.as_bytes(), &limits).is_err()));
    assert!(used.bytes_max < 64 * 1024, "{used:?}");
}
