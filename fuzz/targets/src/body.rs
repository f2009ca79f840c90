//! CPIM, IMDN, MIME and the codings.

use cpm_cpim::{
    Limits, coding as codings,
    cpim::{Cpim, CpimBuilder, Field, decode, encode},
    datetime,
    imdn::Imdn,
    mime::{ContentType, MimeHeaders, MultipartBuilder, decode_base64, decode_quoted_printable, leaves},
};

use crate::input::Input;

fn lenient() -> Limits {
    let mut limits = Limits::default();
    limits.lenient = true;
    limits
}

/// Reads a CPIM message strictly and tolerantly, decodes all of it, edits it and writes it anew.
///
/// # Panics
/// When strict reading takes what tolerant reading refuses, an edit changes what it should not, or a message
/// built from the values read does not read back.
pub fn cpim(data: &[u8]) {
    let limits = Limits::default();
    let tolerant = Cpim::parse(data, &lenient());
    let strict = Cpim::parse(data, &limits);
    if let Ok(message) = &tolerant {
        let _ = message.validate(&[]);
        let _ = message.payload(4096);
        assert!(message.headers().count() <= limits.headers);
    }
    let message = match strict {
        Ok(message) => message,
        Err(error) => {
            assert!(usize::try_from(error.offset).is_ok_and(|at| at <= data.len()));
            return;
        }
    };
    // Tolerant reading takes `from` for a second `From`; to strict reading it is another header.
    let refused = tolerant.err().map(|e| e.kind).filter(|kind| *kind != cpm_cpim::ParseKind::DuplicateHeader);
    assert_eq!(refused, None, "strict reading took what tolerant reading refuses");
    let validated = message.validate(&[]);
    if let Ok(Some(request)) = message.imdn_request() {
        assert!(!request.wanted.is_empty() && !request.message_id.is_empty());
    }
    for header in message.headers() {
        assert_eq!(decode(&encode(&header.value())), header.value());
        let line = usize::try_from(header.offset).unwrap_or(usize::MAX);
        assert!(data[line..].starts_with(header.prefix.as_bytes()));
    }
    assert_eq!(message.edit().write(), data_with_blank_line(&message));
    edited(&message);
    if validated.is_ok() {
        rebuilt(&message);
    }
}

/// The edit closes the header group that some leave open; nothing else may change.
fn data_with_blank_line(message: &Cpim<'_>) -> Vec<u8> {
    let raw = message.raw();
    let written = message.edit().write();
    if written == raw {
        return written;
    }
    assert_eq!(written.len(), raw.len() + 2);
    let at = written.iter().zip(raw).take_while(|(a, b)| a == b).count();
    let joined: Vec<u8> = [&raw[..at], b"\r\n", &raw[at..]].concat();
    assert!(joined == written || written.windows(4).any(|w| w == b"\r\n\r\n"));
    written
}

fn edited(message: &Cpim<'_>) {
    let Ok(edit) = message.edit().set_address(Field::From, "F \"x\\", "sip:fuzz@example.test") else {
        panic!("a good address was refused")
    };
    let Ok(edit) = edit.prepend_address(Field::RecordRoute, "", "sip:pf@example.test") else {
        panic!("a good address was refused")
    };
    let written = edit.remove(Field::DispositionNotification).write();
    let mut limits = Limits::default();
    limits.header_bytes = usize::from(u16::MAX);
    let read = match Cpim::parse(&written, &limits) {
        Ok(read) => read,
        // The added lines may be one too many.
        Err(error) => return assert_eq!(error.kind, cpm_cpim::ParseKind::TooManyHeaders),
    };
    assert_eq!(read.body(), message.body());
    assert!(read.disposition_notification().is_empty());
    let from = read.from().ok().flatten().map(|a| (a.display.into_owned(), a.uri));
    assert_eq!(from, Some(("F \"x\\".to_owned(), "sip:fuzz@example.test")));
    assert_eq!(read.record_route().next().map(|r| r.map(|a| a.uri)), Some(Ok("sip:pf@example.test")));
    assert_eq!(read.subject(), message.subject());
    assert_eq!(read.message_id(), message.message_id());
    assert_eq!(read.to().count(), message.to().count());
}

/// Writes a message from the values of another and compares what it reads.
fn rebuilt(message: &Cpim<'_>) {
    let Ok(from) = message.from() else { return };
    let subject = message.subject();
    let id = message.message_id();
    let mut builder = CpimBuilder::new("application/octet-stream", message.body());
    if let Some(from) = &from {
        builder = builder.from(&from.display, from.uri);
    }
    if let Some(subject) = &subject {
        builder = builder.subject(None, subject);
    }
    if let Some(id) = &id {
        builder = builder.message_id(id);
    }
    if let Some(text) = message.datetime_text() {
        builder = builder.datetime_text(text);
    }
    // What tolerant readers take and writers do not: IRIs, ids that are no tokens.
    let Ok(written) = builder.write() else { return };
    let mut limits = Limits::default();
    limits.header_bytes = usize::from(u16::MAX);
    let read = Cpim::parse(&written, &limits)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&written)));
    assert_eq!(read.from(), Ok(from));
    assert_eq!(read.subject(), subject);
    assert_eq!(read.message_id(), id);
    assert_eq!(read.datetime(), message.datetime());
    assert_eq!(read.body(), message.body());
}

/// Reads an IMDN document and writes it.
///
/// # Panics
/// When the written document reads differently.
pub fn imdn(data: &[u8]) {
    let limits = Limits::default();
    let document = match Imdn::parse(data, &limits) {
        Ok(document) => document,
        Err(error) => return assert!(usize::try_from(error.offset).is_ok_and(|at| at <= data.len())),
    };
    assert!(!document.message_id.is_empty());
    let _ = datetime::parse(&document.datetime);
    let mut document = document;
    if document.notification == cpm_cpim::imdn::Notification::Extension {
        // Unknown notifications are not written.
        document.notification = cpm_cpim::imdn::Notification::Delivery(cpm_cpim::imdn::Delivery::Error);
    }
    let written = document.write().unwrap_or_else(|e| panic!("{e}"));
    let read = Imdn::parse(written.as_bytes(), &limits);
    if written.len() <= limits.xml_bytes {
        assert_eq!(read.as_ref(), Ok(&document));
    }
}

/// Reads header fields, a media type and a multipart body; writes the parts found into a new one.
///
/// # Panics
/// When the written parts read differently, or a limit does not hold.
pub fn mime(data: &[u8]) {
    let limits = Limits::default();
    let mut input = Input::new(data);
    let kind = input.piece();
    let body = input.rest();
    let _ = decode_quoted_printable(body);
    if let Ok(decoded) = decode_base64(body) {
        assert!(decoded.len() <= body.len());
    }
    if let Ok((headers, at)) = MimeHeaders::parse(body, &limits) {
        assert!(at <= body.len() && headers.fields().count() <= limits.headers);
        let _ = (headers.content_type(), headers.disposition(), headers.transfer_encoding());
        let _ = headers.decode(&body[at..], 4096);
    }
    let Some(kind) = std::str::from_utf8(kind).ok().and_then(|k| ContentType::parse(k, &limits).ok()) else {
        return;
    };
    assert!(kind.parameters().count() <= limits.parameters);
    let Ok(found) = leaves(body, &kind, &limits) else { return };
    assert!(found.len() <= limits.mime_parts);
    let Ok(mut writer) = MultipartBuilder::new("fuzz-boundary-0123456789") else { panic!("a good boundary") };
    let mut written = 0;
    for part in &found {
        assert!(body[part.body_offset..].starts_with(part.body));
        let fields: Vec<_> = part.headers.fields().collect();
        written += usize::from(writer.part(&fields, part.body).is_ok());
    }
    if written < found.len() {
        // A folded field or a boundary inside; the writer refuses these.
        return;
    }
    let text = writer.finish();
    let again =
        ContentType::parse("multipart/mixed;boundary=fuzz-boundary-0123456789", &limits).and_then(|kind| {
            leaves(&text, &kind, &limits).map(|parts| parts.iter().map(|p| p.body).collect::<Vec<_>>())
        });
    assert_eq!(again, Ok(found.iter().map(|p| p.body).collect()));
}

/// Decodes by every coding with a small cap, and what deflate decoded once more under its exact size.
///
/// # Panics
/// When more than the cap comes out, or the cap changes the result.
pub fn coding(data: &[u8]) {
    for name in ["gzip", "deflate", "gzip, deflate", "identity"] {
        let Ok(decoded) = codings::decode(name, data, 64 * 1024) else { continue };
        assert!(decoded.len() <= 64 * 1024);
        assert_eq!(codings::decode(name, data, decoded.len()).as_deref(), Ok(&*decoded));
        if name != "gzip, deflate" && !decoded.is_empty() {
            assert!(codings::decode(name, data, decoded.len() - 1).is_err());
        }
    }
}
