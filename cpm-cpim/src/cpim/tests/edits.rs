//! Edits: what is named changes, the rest stays byte for byte.

use proptest::prelude::*;

use super::*;

const MESSAGE: &[u8] = b"From: Alice <sip:alice@x.test>\r\n\
To: <sip:bob@x.test>\r\n\
NS: i <urn:ietf:params:imdn>\r\n\
i.Message-ID: m1\r\n\
Other: kept  as it is \r\n\
DateTime: 2006-04-04T12:16:49-05:00\r\n\
i.Disposition-Notification: display\r\n\
i.IMDN-Record-Route: <sip:below@x.test>\r\n\
\r\n\
Content-Type: text/plain\r\n\
\r\n\
body \xff\0";

fn message() -> Cpim<'static> {
    Cpim::parse(MESSAGE, &strict()).unwrap()
}

/// The message with one piece replaced.
fn expected(from: &str, to: &str) -> Vec<u8> {
    let at = memchr::memmem::find(MESSAGE, from.as_bytes()).unwrap();
    [&MESSAGE[..at], to.as_bytes(), &MESSAGE[at + from.len()..]].concat()
}

#[test]
fn untouched() {
    assert_eq!(message().edit().write(), MESSAGE);
    assert_eq!(message().edit().remove(Field::Cc).remove(Field::Ns).write(), MESSAGE);
}

// test: CONV-PF-032 CONV-BODY-005
#[test]
fn single_edits() {
    let set = message().edit().set_address(Field::From, "", "sip:c@x.test").unwrap().write();
    assert_eq!(set, expected("From: Alice <sip:alice@x.test>", "From: <sip:c@x.test>"));
    let set = message().edit().set_address(Field::To, "C D", "sip:c@x.test").unwrap().write();
    assert_eq!(set, expected("To: <sip:bob@x.test>", "To: C D <sip:c@x.test>"));
    let removed = message().edit().remove(Field::DispositionNotification).write();
    assert_eq!(removed, expected("i.Disposition-Notification: display\r\n", ""));
    let set = message().edit().set(Field::MessageId, "m2").unwrap().write();
    assert_eq!(set, expected("i.Message-ID: m1", "i.Message-ID: m2"));
    let set = message().edit().set(Field::Subject, "a\r\nb").unwrap().write();
    assert_eq!(set, expected("below@x.test>\r\n", "below@x.test>\r\nSubject: a\\r\\nb\r\n"));
}

/// Added IMDN headers take the prefix of the message; the last prepended is the topmost.
// test: CONV-BODY-008
#[test]
fn routes() {
    let message = message();
    let edit = message.edit().prepend_address(Field::RecordRoute, "", "sip:one@x.test").unwrap();
    let edit = edit.prepend_address(Field::RecordRoute, "", "sip:two@x.test").unwrap();
    let written = edit.append_address(Field::OriginalTo, "", "sip:list@x.test").unwrap().write();
    let routes = "i.IMDN-Record-Route: <sip:two@x.test>\r\ni.IMDN-Record-Route: <sip:one@x.test>\r\n\
                  i.IMDN-Record-Route: <sip:below@x.test>\r\n";
    let all = format!("{routes}i.Original-To: <sip:list@x.test>\r\n");
    assert_eq!(written, expected("i.IMDN-Record-Route: <sip:below@x.test>\r\n", &all));
    let read = Cpim::parse(&written, &strict()).unwrap();
    assert_eq!(read.original_to().unwrap().unwrap().uri, "sip:list@x.test");
    let uris: Vec<_> = read.record_route().map(|r| r.unwrap().uri).collect();
    assert_eq!(uris, ["sip:two@x.test", "sip:one@x.test", "sip:below@x.test"]);
}

/// Where the namespace has no usable prefix, the edit declares one.
#[test]
fn missing_declarations() {
    let bare = with_headers("From: <sip:a@x.test>\r\n");
    let edit = Cpim::parse(&bare, &strict()).unwrap();
    let written =
        edit.edit().set(Field::MessageId, "m").unwrap().set(Field::PayloadType, "a/b").unwrap().write();
    let read = Cpim::parse(&written, &strict()).unwrap();
    assert_eq!((read.message_id().as_deref(), read.payload_type()), (Some("m"), Some("a/b")));

    // The default namespace is another, and `imdn` has been bound to something else.
    let hostile = with_headers(
        "NS: imdn <urn:ietf:params:imdn>\r\nNS: imdn <urn:other>\r\nNS: <urn:third>\r\nFrom: not ours\r\n",
    );
    let message = Cpim::parse(&hostile, &strict()).unwrap();
    let edit = message.edit().set_address(Field::From, "", "sip:a@x.test").unwrap();
    let written = edit.set(Field::MessageId, "m").unwrap().write();
    let read = Cpim::parse(&written, &strict()).unwrap();
    assert_eq!(read.from().unwrap().unwrap().uri, "sip:a@x.test");
    assert_eq!(read.message_id().as_deref(), Some("m"));
    assert_eq!(read.header("urn:third", "From").unwrap().raw_value, "not ours");

    let written = message.edit().append("n", "urn:new", "Name", "value \n").unwrap().write();
    let read = Cpim::parse(&written, &strict()).unwrap();
    assert_eq!(read.header("urn:new", "Name").unwrap().value(), "value \n");
}

/// A message without the first blank line gets one when something is added.
#[test]
fn joined_header_groups() {
    let message = Cpim::parse(RFC5438, &strict()).unwrap();
    let written = message.edit().append_address(Field::Cc, "", "im:c@example.com").unwrap().write();
    let text = String::from_utf8(written).unwrap();
    let tail = "negative-delivery\r\ncc: <im:c@example.com>\r\n\r\nContent-type: text/plain\r\n";
    assert!(text.contains(tail), "{text}");
}

#[test]
fn refused() {
    let message = message();
    let edit = || message.edit();
    assert_eq!(edit().set_address(Field::From, "", "sip:a@b>\r\n").unwrap_err(), WriteError::Uri);
    assert_eq!(edit().set_address(Field::Subject, "", "sip:a@b").unwrap_err(), WriteError::Name);
    assert_eq!(edit().set(Field::From, "x").unwrap_err(), WriteError::Name);
    assert_eq!(edit().set(Field::Ns, "x").unwrap_err(), WriteError::Name);
    assert_eq!(edit().append("a b", "urn:x", "N", "v").unwrap_err(), WriteError::Name);
    assert_eq!(edit().append("a", "urn:x", "N:", "v").unwrap_err(), WriteError::Name);
    assert_eq!(edit().append("a", "urn:x>", "N", "v").unwrap_err(), WriteError::Uri);
}

proptest! {
    /// An edit gives a message that reads as asked and in which every other header is as before.
    #[test]
    fn others_stay(display in "[a-z \\\\\"\r\n]{0,12}", subject in any::<String>(), drop_request in any::<bool>()) {
        let message = message();
        let mut edit = message.edit().set_address(Field::From, &display, "sip:n@x.test").unwrap();
        edit = edit.set(Field::Subject, &subject).unwrap();
        if drop_request {
            edit = edit.remove(Field::DispositionNotification);
        }
        let written = edit.write();
        let read = Cpim::parse(&written, &Limits { header_bytes: 65_535, ..strict() }).unwrap();
        prop_assert_eq!(read.subject().unwrap(), subject);
        prop_assert_eq!(read.disposition_notification().is_empty(), drop_request);
        prop_assert_eq!(read.body(), message.body());
        let kept = |m: &Cpim<'_>| -> Vec<String> {
            m.headers()
                .filter(|h| !matches!(h.field, Field::From | Field::Subject | Field::DispositionNotification))
                .map(|h| format!("{}.{}{}:{}", h.prefix, h.name, h.parameters, h.raw_value))
                .collect()
        };
        prop_assert_eq!(kept(&read), kept(&message));
    }
}
