//! The messages that every contender reads: IPv6 hosts, quoted strings, lists, a body; nothing folded, nothing
//! broken, so that each parser does its usual work.

use bytes::Bytes;

/// A message and what it is called in the tables.
pub struct Fixture {
    /// Method or status, size.
    pub name: &'static str,
    /// As it comes from the wire.
    pub raw: Bytes,
}

/// All of them, in the order of the tables.
pub fn all() -> Vec<Fixture> {
    vec![
        Fixture { name: "REGISTER", raw: message(REGISTER, "", "") },
        Fixture { name: "INVITE", raw: message(INVITE, INVITE_TYPE, INVITE_BODY) },
        Fixture { name: "MESSAGE", raw: message(MESSAGE, "message/cpim", MESSAGE_BODY) },
        Fixture { name: "200 OK", raw: message(OK, "", "") },
    ]
}

/// `head` and `body` are written with line feeds; the wire has CRLF, and the length of the body is counted.
fn message(head: &str, content_type: &str, body: &str) -> Bytes {
    let body = body.replace('\n', "\r\n");
    let mut text = head.trim_start().replace('\n', "\r\n");
    if !content_type.is_empty() {
        text.push_str(&format!("Content-Type: {content_type}\r\n"));
    }
    text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    text.into()
}

const REGISTER: &str = r#"
REGISTER sip:example.net SIP/2.0
Via: SIP/2.0/UDP [2001:db8::9:1]:5060;branch=z9hG4bKnashds7x8QkVw2;rport
Max-Forwards: 70
From: "Alice" <sip:alice@example.net>;tag=a73kszlfl
To: "Alice" <sip:alice@example.net>
Call-ID: 1j9FpLxk3uxtm8tn@2001-db8--9-1
CSeq: 1826 REGISTER
Contact: <sip:alice@[2001:db8::9:1]:5060>;+sip.instance="<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>";+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg"
Expires: 3600
Supported: path, gruu
"#;

const INVITE: &str = r#"
INVITE sip:conference-factory@example.net SIP/2.0
Via: SIP/2.0/TCP [2001:db8::9:1]:5060;branch=z9hG4bKnashds7x8QkVw2;rport
Via: SIP/2.0/UDP [2001:db8::7]:5062;branch=z9hG4bK87asdks7;received=2001:db8::77
Max-Forwards: 68
Route: <sip:[2001:db8::5]:5060;lr>, <sip:scscf.example.net;lr>
Record-Route: <sip:[2001:db8::6];lr>
From: "Alice A." <sip:alice@example.net>;tag=9fxced76sl
To: <sip:conference-factory@example.net>
Call-ID: 3848276298220188511@2001-db8--9-1
CSeq: 31862 INVITE
Contact: <sip:alice@[2001:db8::9:1]:5060;transport=tcp>;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.session.group"
Accept-Contact: *;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.session.group"
P-Preferred-Identity: <sip:alice@example.net>
Conversation-ID: f81d4fae-7dec-11d0-a765-00a0c91e6bf6
Contribution-ID: abcdef-1234-5678-90ab-cdef01234567
Supported: timer, 100rel
Require: recipient-list-invite
"#;

const INVITE_TYPE: &str = "multipart/mixed;boundary=\"boundary1\"";

const INVITE_BODY: &str = r#"--boundary1
Content-Type: application/sdp

v=0
o=alice 2890844526 2890844526 IN IP6 2001:db8::9:1
s=-
c=IN IP6 2001:db8::9:1
t=0 0
m=message 7654 TCP/MSRP *
a=accept-types:message/cpim
a=path:msrp://[2001:db8::9:1]:7654/jshA7weztas;tcp
--boundary1
Content-Type: application/resource-lists+xml
Content-Disposition: recipient-list

<?xml version="1.0"?><resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list><entry uri="sip:bob@example.net"/></list></resource-lists>
--boundary1--
"#;

const MESSAGE: &str = r#"
MESSAGE sip:bob@example.net SIP/2.0
Via: SIP/2.0/UDP [2001:db8::9:1]:5060;branch=z9hG4bK776sgdkse;rport
Max-Forwards: 70
Route: <sip:[2001:db8::5]:5060;lr>
From: "Alice" <sip:alice@example.net>;tag=49583
To: <sip:bob@example.net>
Call-ID: asd88asd77a@2001-db8--9-1
CSeq: 17 MESSAGE
Accept-Contact: *;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg"
P-Preferred-Service: urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg
Conversation-ID: f81d4fae-7dec-11d0-a765-00a0c91e6bf6
Contribution-ID: abcdef-1234-5678-90ab-cdef01234567
"#;

const MESSAGE_BODY: &str = r#"From: <sip:alice@example.net>
To: <sip:bob@example.net>
DateTime: 2026-11-25T14:00:00.000Z
NS: imdn <urn:ietf:params:imdn>
imdn.Message-ID: 34jk324j
imdn.Disposition-Notification: positive-delivery, display

Content-Type: text/plain; charset=utf-8
Content-Length: 27

Hello Bob, shall we meet?
"#;

const OK: &str = r#"
SIP/2.0 200 OK
Via: SIP/2.0/UDP [2001:db8::5]:5060;branch=z9hG4bK2d4790.1
Via: SIP/2.0/UDP [2001:db8::9:1]:5060;branch=z9hG4bKnashds7x8QkVw2;rport=5060;received=2001:db8::9:1
From: "Alice" <sip:alice@example.net>;tag=a73kszlfl
To: "Alice" <sip:alice@example.net>;tag=37GkEhwl6
Call-ID: 1j9FpLxk3uxtm8tn@2001-db8--9-1
CSeq: 1826 REGISTER
Contact: <sip:alice@[2001:db8::9:1]:5060>;expires=3600;+sip.instance="<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>"
Service-Route: <sip:orig@scscf.example.net;lr>
P-Associated-URI: <sip:alice@example.net>, <tel:+15550100001>
Path: <sip:[2001:db8::5];lr>
Date: Wed, 25 Nov 2026 14:00:00 GMT
"#;
