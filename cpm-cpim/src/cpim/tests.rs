use super::*;
use crate::{Limits, ParseKind};

/// RFC 5438 §7.1.1.3, as printed: no blank line before the MIME headers.
const RFC5438: &[u8] = b"From: Alice <im:alice@example.com>\r\n\
To: Bob <im:bob@example.com>\r\n\
NS: imdn <urn:ietf:params:imdn>\r\n\
imdn.Message-ID: 34jk324j\r\n\
DateTime: 2006-04-04T12:16:49-05:00\r\n\
imdn.Disposition-Notification: positive-delivery, negative-delivery\r\n\
Content-type: text/plain\r\n\
Content-length: 12\r\n\
\r\n\
Hello World\r\n";

#[test]
fn rfc5438_message() {
    let message = Cpim::parse(RFC5438, &Limits::default()).unwrap();
    message.validate(&[]).unwrap();
    assert_eq!(
        message.from().unwrap().unwrap(),
        Address { display: "Alice".into(), uri: "im:alice@example.com" }
    );
    let to: Vec<_> = message.to().map(Result::unwrap).collect();
    assert_eq!(to, [Address { display: "Bob".into(), uri: "im:bob@example.com" }]);
    let request = message.imdn_request().unwrap().unwrap();
    assert_eq!(request.message_id, "34jk324j");
    assert_eq!(request.datetime, "2006-04-04T12:16:49-05:00");
    assert!(request.wanted.positive_delivery && request.wanted.negative_delivery && !request.wanted.display);
    assert_eq!(message.mime().content_type().unwrap().essence(), "text/plain");
    assert!(message.body().starts_with(b"Hello World"));
}

#[test]
fn strict_refuses_bare_lf() {
    let error =
        Cpim::parse(b"From: <sip:a@b>\n\nContent-Type: text/plain\n\nx", &Limits::default()).unwrap_err();
    assert_eq!((error.kind, error.offset), (ParseKind::LineEnd, 15));
}
