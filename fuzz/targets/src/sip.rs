//! SIP messages, their parts and their framing.

use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use cpm_base::Rng;
use cpm_sip::{
    Edit, Frame, FrameError, HeaderId, Limits, Message, MessageView, NameAddr, StreamFramer, Uri,
    auth::{Authenticator, Presented, Role, Secret, Verdict, Verifier, VerifierConfig},
    reject,
    uri::{decode, unquote},
    validate,
};

use crate::input::{Input, owned, start};

/// Reads a datagram both ways and decodes every field; what is malformed is answered.
///
/// # Panics
/// When view and owned message disagree, or the answer to a malformed request cannot be read.
pub fn sip_message(data: &[u8]) {
    let limits = Limits::default();
    let view = MessageView::parse(data, &limits);
    let message = Message::parse(owned(data), &limits);
    match (view, message) {
        (Ok(view), Ok(message)) => {
            assert_eq!(view.is_request(), message.is_request());
            assert_eq!(view.request_uri(), message.request_uri());
            assert_eq!(view.status(), message.status());
            assert_eq!(view.body(), &message.body()[..]);
            assert!(view.all_headers().eq(message.all_headers()));
            assert_eq!(view.cseq(), message.cseq());
            assert!(view.vias().eq(message.vias()));
            decode_all(&message);
            if let Err(error) = validate(&message, &limits) {
                answered(data, &error, &limits);
            }
        }
        (Err(error), Err(same)) => {
            assert_eq!(error, same);
            answered(data, &error, &limits);
        }
        (view, message) => panic!("view {:?}, message {:?}", view.err(), message.err()),
    }
}

/// A rejection, where one is due, is itself a good response with the status owed.
fn answered(data: &[u8], error: &cpm_sip::ParseError, limits: &Limits) {
    assert!(!error.to_string().is_empty());
    let Some(head) = reject(data, error, limits) else { return };
    let status = head.status();
    assert_eq!(status, error.answer().map(|s| s.code));
    let written = head.write();
    let read = Message::parse(written.clone(), limits);
    let read = read.unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&written)));
    assert_eq!(read.status(), status);
}

/// Runs every typed access; none may panic or give an offset outside.
fn decode_all(message: &Message) {
    let length = message.raw().len();
    let check = |error: Option<cpm_sip::ParseError>| {
        if let Some(error) = error {
            assert!(usize::try_from(error.offset).is_ok_and(|at| at <= length), "{error}");
        }
    };
    check(message.via_top().err());
    check(message.from().err());
    check(message.to().err());
    check(message.call_id().err());
    check(message.cseq().err());
    check(message.max_forwards().err());
    check(message.expires().err());
    check(message.min_expires().err());
    check(message.content_type().err());
    check(message.content_disposition().err());
    check(message.conversation_id().err());
    check(message.contribution_id().err());
    check(message.in_reply_to_contribution_id().err());
    check(message.message_expires().err());
    check(message.date().err());
    check(message.retry_after().err());
    message.vias().for_each(|v| check(v.err()));
    message.contacts().for_each(|v| check(v.err()));
    message.routes().for_each(|v| check(v.err()));
    message.record_routes().for_each(|v| check(v.err()));
    message.paths().for_each(|v| check(v.err()));
    message.service_routes().for_each(|v| check(v.err()));
    message.content_encodings().for_each(|v| check(v.err()));
    message.accept().for_each(|v| check(v.err()));
    message.accept_encodings().for_each(|v| check(v.err()));
    message.allow().for_each(|v| check(v.err()));
    message.supported().for_each(|v| check(v.err()));
    message.require().for_each(|v| check(v.err()));
    message.proxy_require().for_each(|v| check(v.err()));
    message.unsupported().for_each(|v| check(v.err()));
    message.www_authenticate().for_each(|v| check(v.err()));
    message.proxy_authenticate().for_each(|v| check(v.err()));
    message.authorization().for_each(|v| check(v.err()));
    message.proxy_authorization().for_each(|v| check(v.err()));
    message.accept_contacts().for_each(|v| check(v.err()));
    message.p_asserted_identities().for_each(|v| check(v.err()));
    message.p_preferred_identities().for_each(|v| check(v.err()));
    message.p_associated_uris().for_each(|v| check(v.err()));
    message.p_asserted_services().for_each(|v| check(v.err()));
    message.p_preferred_services().for_each(|v| check(v.err()));
    message.warnings().for_each(|v| check(v.err()));
    check(message.privacy().err());
    if let Some(uri) = message.request_uri() {
        uri_holds(uri);
    }
}

/// Cuts one stream at the places the first bytes name and in one piece.
///
/// # Panics
/// When the cut changes what comes out.
pub fn sip_stream_split(data: &[u8]) {
    let mut input = Input::new(data);
    let cuts = input.take(8);
    let stream = owned(input.rest());
    let limits = small_limits();
    let whole = frames(std::iter::once(stream.clone()), &limits);
    let mut pieces = Vec::new();
    let mut rest = stream.clone();
    for cut in cuts {
        pieces.push(rest.split_to(usize::from(*cut).min(rest.len())));
    }
    pieces.push(rest);
    assert_eq!(frames(pieces.into_iter(), &limits), whole);
    let singles = (0..stream.len()).map(|at| stream.slice(at..at + 1));
    assert_eq!(frames(singles, &limits), whole);
}

/// Small enough that the fuzzer reaches them.
fn small_limits() -> Limits {
    let mut limits = Limits::default();
    limits.head = 600;
    limits.body = 200;
    limits
}

fn frames(
    pieces: impl Iterator<Item = Bytes>,
    limits: &Limits,
) -> (Vec<Frame>, Option<(FrameErrorKind, Bytes)>, usize) {
    let mut framer = StreamFramer::new();
    let mut out = Vec::new();
    for piece in pieces {
        framer.push(piece);
        loop {
            match framer.next(limits) {
                Ok(Some(frame)) => out.push(frame),
                Ok(None) => break,
                // How much of a broken message had arrived depends on the cut; the fault does not.
                Err(FrameError { error, .. }) => return (out, Some((error, Bytes::new())), 0),
            }
        }
        assert!(framer.buffered() <= limits.head + limits.body + stream_slack());
    }
    (out, None, framer.buffered())
}

type FrameErrorKind = cpm_sip::ParseError;

/// One read may lie behind an incomplete message.
fn stream_slack() -> usize {
    64 * 1024
}

/// Reads two URIs and an address, one a line.
///
/// # Panics
/// When comparison is not symmetric and reflexive, or the canonical form is no URI or has another canonical form.
pub fn sip_uri(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.splitn(3, '\n');
    let (one, two, address) =
        (lines.next().unwrap_or(""), lines.next().unwrap_or(""), lines.next().unwrap_or(""));
    uri_holds(one);
    uri_holds(two);
    if let (Ok(one), Ok(two)) = (Uri::parse(one), Uri::parse(two)) {
        assert_eq!(one.is_equivalent(&two), two.is_equivalent(&one), "{one:?} {two:?}");
    }
    if let Ok(address) = NameAddr::parse(address) {
        let _ = (address.display(), address.tag());
        uri_holds(address.uri().as_str());
        for param in address.params().iter() {
            let _ = param.unquoted();
        }
    }
    let _ = (decode(text), unquote(text));
}

fn uri_holds(text: &str) {
    let uri = match Uri::parse(text) {
        Ok(uri) => uri,
        Err(error) => return assert!(usize::try_from(error.offset).is_ok_and(|at| at <= text.len())),
    };
    assert_eq!(uri.as_str(), text);
    assert!(uri.is_equivalent(&uri), "{text}");
    let _ = (uri.user(), uri.password(), uri.host(), uri.port(), uri.headers());
    let _ = uri.params().iter().count();
    let canonical = uri.canonical();
    let again = Uri::parse(&canonical).unwrap_or_else(|e| panic!("{text} gives {canonical}: {e}"));
    assert_eq!(again.canonical(), canonical, "{text}");
}

/// Puts the bytes into one header field of a good request and decodes everything.
///
/// # Panics
/// When the request around the field changes.
pub fn sip_headers(data: &[u8]) {
    const NAMES: [&str; 32] = [
        "Via",
        "From",
        "To",
        "Call-ID",
        "CSeq",
        "Contact",
        "Route",
        "Record-Route",
        "Max-Forwards",
        "Expires",
        "Content-Length",
        "Content-Type",
        "Content-Encoding",
        "Content-Disposition",
        "WWW-Authenticate",
        "Authorization",
        "Accept-Contact",
        "P-Asserted-Identity",
        "P-Asserted-Service",
        "Conversation-ID",
        "Contribution-ID",
        "Message-Expires",
        "Date",
        "Warning",
        "Retry-After",
        "Supported",
        "Accept",
        "Privacy",
        "Path",
        "Service-Route",
        "i",
        "X-Unknown",
    ];
    let mut input = Input::new(data);
    let name = NAMES[input.below(NAMES.len())];
    let value = input.rest();
    let mut raw = b"MESSAGE sip:bob@example.test SIP/2.0\r\n".to_vec();
    raw.extend_from_slice(name.as_bytes());
    raw.extend_from_slice(b": ");
    raw.extend_from_slice(value);
    raw.extend_from_slice(b"\r\nMarker: end\r\n\r\n");
    let limits = Limits::default();
    let Ok(message) = Message::parse(owned(&raw), &limits) else { return };
    decode_all(&message);
    let _ = validate(&message, &limits);
    assert_eq!(message.request_uri(), Some("sip:bob@example.test"));
    let ends = memmem(value, b"\r\n\r\n");
    if !ends {
        assert_eq!(message.headers_named("marker").last(), Some("end"));
    }
}

fn memmem(text: &[u8], wanted: &[u8]) -> bool {
    [text, b"\r\n"].concat().windows(wanted.len()).any(|w| w == wanted)
}

/// Digest in both directions: credentials for a challenge are accepted once, not twice, and not when changed; a
/// challenge of arbitrary bytes is answered with a field that can be read.
///
/// # Panics
/// When that does not hold.
pub fn sip_auth(data: &[u8]) {
    let mut input = Input::new(data);
    let (flip, mask, body) = (usize::from(input.word()), input.byte(), input.piece());
    let now = start();
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut rng = Rng::new([7; 32]);
    let mut verifier = Verifier::new(VerifierConfig::new("example.test"), [1; 32]);
    let challenges = verifier.challenges(now, peer, false);
    let mut client = Authenticator::new("alice", Secret::new("secret"), None);
    let lines: String = challenges.iter().map(|c| format!("WWW-Authenticate: {c}\r\n")).collect();
    let answer = |lines: &str| {
        let raw = format!("SIP/2.0 401 Unauthorized\r\n{lines}\r\n");
        Message::parse(Bytes::from(raw), &Limits::default())
    };
    let Ok(message) = answer(&lines) else { panic!("our own challenge is malformed") };
    let taken = client.challenged(&mut rng, Role::Server, message.www_authenticate().filter_map(Result::ok));
    assert_eq!(taken, Ok(()));
    let value = client.authorize("MESSAGE", "sip:bob@example.test", body).remove(0).value;
    let mut verify = |value: &str| {
        let raw = format!("MESSAGE sip:bob@example.test SIP/2.0\r\nAuthorization: {value}\r\n\r\n");
        let message = Message::parse(Bytes::from(raw), &Limits::default()).ok()?;
        let credentials = message.authorization().next()?.ok()?;
        let presented = Presented {
            peer,
            method: "MESSAGE",
            uri: "sip:bob@example.test",
            body,
            credentials: &credentials,
        };
        Some(verifier.verify(now, "alice", &presented, Some(&Secret::new("secret"))))
    };
    let mut changed = value.clone().into_bytes();
    let at = flip % changed.len();
    changed[at] ^= mask;
    if let Ok(changed) = String::from_utf8(changed)
        && verify(&changed) == Some(Verdict::Accepted)
    {
        // White space, letter case and fields that no digest covers may change.
        let digest =
            |text: &str| text.split("response=").nth(1).map(|r| r.chars().take(10).collect::<String>());
        assert_eq!(digest(&changed).map(|d| d.to_ascii_lowercase()), digest(&value));
    } else {
        assert_eq!(verify(&value), Some(Verdict::Accepted));
    }
    assert_ne!(verify(&value), Some(Verdict::Accepted), "credentials were taken twice");

    let Ok(text) = std::str::from_utf8(input.rest()) else { return };
    let lines = text.lines().map(|line| format!("WWW-Authenticate: {line}\r\n")).collect::<String>();
    let Ok(message) = answer(&lines) else { return };
    let mut client = Authenticator::new("alice \"q\"", Secret::new("secret"), None);
    if client.challenged(&mut rng, Role::Server, message.www_authenticate().filter_map(Result::ok)).is_ok() {
        for given in client.authorize("REGISTER", "sip:example.test", body) {
            let raw = format!("REGISTER sip:example.test SIP/2.0\r\nAuthorization: {}\r\n\r\n", given.value);
            let Ok(message) = Message::parse(Bytes::from(raw), &Limits::default()) else {
                panic!("unreadable credentials: {}", given.value)
            };
            assert!(message.authorization().all(|c| c.is_ok()), "{}", given.value);
            assert_eq!(message.all_headers().count(), 1);
        }
    }
}

/// Reads a message, writes it unchanged and with an edit, and reads it again.
///
/// # Panics
/// When a field that was not edited comes back different.
pub fn sip_roundtrip(data: &[u8]) {
    let limits = Limits::default();
    let Ok(message) = Message::parse(owned(data), &limits) else { return };
    let fields = |m: &Message| -> Vec<(HeaderId, String, String)> {
        m.all_headers()
            .filter(|(id, ..)| !matches!(id, HeaderId::ContentLength | HeaderId::Subject))
            .map(|(id, name, value)| {
                (id, name.to_owned(), value.split_whitespace().collect::<Vec<_>>().join(" "))
            })
            .collect()
    };
    let read = |written: Bytes| match Message::parse(written.clone(), &limits) {
        Ok(read) => Some(read),
        Err(error) => {
            // An added field can be the one too many.
            let full = message.all_headers().count() + 2 > limits.fields || written.len() + 256 > limits.head;
            assert!(full, "{error}: {}", String::from_utf8_lossy(&written));
            None
        }
    };
    if let Some(same) = read(Edit::new(&message).write()) {
        assert_eq!(fields(&same), fields(&message));
        assert_eq!(same.body(), message.body());
        assert_eq!(same.request_uri(), message.request_uri());
    }
    let mut edit = Edit::new(&message);
    let Ok(_) = edit.replace(HeaderId::Subject, "edited") else { panic!("a good value was refused") };
    if let Some(changed) = read(edit.write()) {
        assert_eq!(fields(&changed), fields(&message));
        assert_eq!(changed.header(HeaderId::Subject), Some("edited"));
        assert_eq!(changed.headers(HeaderId::Subject).count(), 1);
        assert_eq!(changed.body(), message.body());
    }
}
