//! Messages that nobody here wrote: those printed in RFCs lie in `testdata` (each folder names its RFC); more
//! are read from the folder that `CPM_TESTDATA` names, and left out, saying so, when it names none.

use std::{
    fs,
    path::{Path, PathBuf},
};

use cpm_cpim::{
    Limits, ParseKind,
    cpim::{Cpim, CpimBuilder, Disposition, Field},
    imdn::{Delivery, Display, Imdn, Notification, Processing},
    mime::{ContentType, leaves},
};

fn own(path: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(path)).unwrap()
}

fn shared() -> Option<PathBuf> {
    let path = std::env::var_os("CPM_TESTDATA").map(PathBuf::from);
    if path.is_none() {
        let text = b"left out: CPM_TESTDATA is not set\n";
        let _ = std::io::Write::write_all(&mut std::io::stderr(), text);
    }
    path
}

fn payload_notification(message: &Cpim<'_>) -> Notification {
    assert!(message.is_imdn());
    let imdn = Imdn::parse(message.body(), &Limits::default()).unwrap();
    assert_eq!((imdn.message_id.as_ref(), imdn.datetime.as_ref()), ("34jk324j", "2008-04-04T12:16:49-05:00"));
    assert_eq!(imdn.recipient_uri.as_deref(), Some("im:bob@example.com"));
    assert_eq!(imdn.original_recipient_uri.as_deref(), Some("im:bob@example.com"));
    imdn.notification
}

// test: RFC5438-7.2.1 CONV-IMDN-021
#[test]
fn rfc5438_messages() {
    let limits = Limits::default();
    let raw = own("rfc5438/02.cpim");
    let message = Cpim::parse(&raw, &limits).unwrap();
    message.validate(&[]).unwrap();
    assert_eq!(message.message_id().as_deref(), Some("d834jied93rf"));
    assert!(message.mime().is_disposition("notification"));
    assert_eq!(payload_notification(&message), Notification::Delivery(Delivery::Delivered));

    let raw = own("rfc5438/04.cpim");
    let message = Cpim::parse(&raw, &limits).unwrap();
    assert_eq!(payload_notification(&message), Notification::Processing(Processing::Processed));
}

/// The aggregate of RFC 5438 §8.3 with its boundary closed; the RFC prints it open.
// test: CONV-IMDN-041
#[test]
fn aggregated_notifications() {
    let raw = own("rfc5438/aggregate.cpim");
    let limits = Limits::default();
    let message = Cpim::parse(&raw, &limits).unwrap();
    assert!(message.is_imdn());
    let kind = message.mime().content_type().unwrap();
    let found: Vec<_> = leaves(message.body(), &kind, &limits)
        .unwrap()
        .iter()
        .map(|part| {
            assert!(part.headers.content_type().unwrap().is("message", "imdn+xml"));
            Imdn::parse(part.body, &limits).unwrap().notification
        })
        .collect();
    assert_eq!(
        found,
        [Notification::Delivery(Delivery::Delivered), Notification::Display(Display::Displayed)]
    );
}

/// RFC 3862 §5.1 with the MIME header of the message around it: that is a MIME entity that holds a CPIM message.
#[test]
fn rfc3862_entity() {
    let raw = own("rfc3862/02.cpim");
    let limits = Limits::default();
    let entity = Cpim::parse(&raw, &limits).unwrap();
    assert_eq!(entity.headers().count(), 0);
    assert!(entity.mime().content_type().unwrap().is("message", "cpim"));
    let message = Cpim::parse(entity.body(), &limits).unwrap();
    assert_eq!(message.headers().count(), 9);
    assert_eq!(message.validate(&[]).unwrap_err().kind, ParseKind::UnknownRequire);
}

/// What RFC 5547 §9 and RFC 7701 §9 print, taken out of the MSRP messages around.
#[test]
fn messages_inside_msrp() {
    let Some(root) = shared() else { return };
    let mut count = 0;
    for entry in fs::read_dir(root.join("cpim-imdn/embedded")).unwrap() {
        let path = entry.unwrap().path();
        let raw = fs::read(&path).unwrap();
        let message =
            Cpim::parse(&raw, &Limits::default()).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        message.validate(&[]).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert!(message.datetime().unwrap().is_some());
        assert!(!message.body().is_empty());
        message.mime().disposition().unwrap();
        count += 1;
    }
    assert!(count >= 7, "{count}");
}

/// Single header lines of RFC 3862, as the list has them.
// test: RFC3862-3.6
#[test]
fn header_lines() {
    let Some(root) = shared() else { return };
    let lines = fs::read_to_string(root.join("cpim-imdn/rfc3862/header-examples.tsv")).unwrap();
    let mut count = 0;
    for line in lines.lines().skip(1) {
        let (section, header) = line.split_once('\t').unwrap();
        let prefix = header.split_once('.').map_or("unused", |(p, _)| p);
        let prefix = if prefix.contains([':', ' ']) { "unused" } else { prefix };
        let raw = format!("NS: {prefix} <mid:x@y>\r\n{header}\r\n\r\n");
        let read = Cpim::parse(raw.as_bytes(), &Limits::default());
        let message = read.unwrap_or_else(|e| panic!("§{section} {header}: {e}"));
        assert_eq!(message.headers().count(), 2);
        count += 1;
    }
    assert!(count >= 25, "{count}");
}

/// Messages of a deployed Android stack; the values are those its own tests assert.
#[test]
fn deployed_stack() {
    let Some(root) = shared() else { return };
    let limits = Limits::default();
    let folder = root.join("rcs-vectors/rcsjta");
    let raw = fs::read(folder.join("CpimParserTest-sCpimToTest.cpim")).unwrap();
    let message = Cpim::parse(&raw, &limits).unwrap();
    message.validate(&[]).unwrap();
    assert_eq!(message.from().unwrap().unwrap().uri, "sip:anonymous@anonymous.invalid");
    assert_eq!(message.message_id().as_deref(), Some("ae6926cfcffa40a89e44252ce9e970a2"));
    let asked: Vec<_> = message.asked().map(|a| a.disposition).collect();
    assert_eq!(asked, [Some(Disposition::PositiveDelivery)]);
    assert_eq!(message.body(), b"Bonjour");

    // The fields that its builder writes come out of ours byte for byte, but for the case of two names.
    let ours = CpimBuilder::new("text/plain;charset=utf-8", b"Bonjour")
        .from("", "sip:anonymous@anonymous.invalid")
        .to("", "sip:anonymous@anonymous.invalid")
        .message_id("ae6926cfcffa40a89e44252ce9e970a2")
        .datetime_text("2016-03-24T08:51:42+01:00")
        .want([Disposition::PositiveDelivery].into_iter().collect())
        .write()
        .unwrap();
    assert!(ours.eq_ignore_ascii_case(&raw));

    let raw = fs::read(folder.join("CpimParserTest-sCpimToTestWithBlankContent.cpim")).unwrap();
    assert_eq!(Cpim::parse(&raw, &limits).unwrap().body(), b"  ");

    let raw = fs::read(folder.join("CpimParserTest-sMultiparts.cpim")).unwrap();
    let kind = "multipart/mixed;boundary=\"----=_Part_3144_497651830.1459426876307\"";
    let parts = leaves(&raw, &ContentType::parse(kind, &limits).unwrap(), &limits).unwrap();
    assert_eq!(parts.len(), 2);
    assert!(parts[0].headers.content_type().unwrap().is("application", "sdp"));
    let inner = Cpim::parse(parts[1].body, &limits).unwrap();
    assert_eq!(inner.message_id().as_deref(), Some("dd4167b82b864c6ea9def42deada1b54"));
    assert_eq!(inner.body(), b"   ");
    assert!(inner.first(Field::Cc).is_none());

    let raw = fs::read(folder.join("ImdnParserTest-sXmlContentToParse.xml")).unwrap();
    let imdn = Imdn::parse(&raw, &limits).unwrap();
    assert_eq!(imdn.message_id, "34jk324j");
    assert_eq!(imdn.notification, Notification::Display(Display::Displayed));
}

/// Every XML document of the collection that is not an IMDN is refused as such or as malformed, never misread.
#[test]
fn other_documents() {
    let Some(root) = shared() else { return };
    let (mut imdn, mut other) = (0, 0);
    let folders =
        fs::read_dir(root.join("xml-rfc")).unwrap().map(|f| f.unwrap().path()).filter(|f| f.is_dir());
    for path in folders.flat_map(|f| fs::read_dir(f).unwrap()).map(|f| f.unwrap().path()) {
        let raw = fs::read(&path).unwrap();
        let is_imdn = String::from_utf8_lossy(&raw).contains("urn:ietf:params:xml:ns:imdn\"");
        match Imdn::parse(&raw, &Limits::default()) {
            Ok(_) => {
                assert!(is_imdn, "{}", path.display());
                imdn += 1;
            }
            Err(_) => other += 1,
        }
    }
    assert!(imdn + other >= 50, "{imdn} {other}");
}
