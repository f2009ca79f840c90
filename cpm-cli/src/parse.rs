//! `cpm parse`: reads files as SIP messages, CPIM messages or IMDN documents and says what they are, one JSON
//! line a file. Strict, as a server reads what comes from the network.

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use bytes::Bytes;
use cpm_cpim::{
    cpim::{Address, Cpim, Disposition},
    imdn::Imdn,
    mime::leaves,
};
use cpm_sip::{Message, reject, validate};
use serde::Serialize;
use serde_json::{Value, json};

/// What a file is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// A SIP message, as one datagram holds it.
    Sip,
    /// A CPIM message (RFC 3862).
    Cpim,
    /// An IMDN document (RFC 5438 §11), or a CPIM message that carries one or several.
    Imdn,
}

/// One line of output.
#[derive(Debug, Serialize)]
struct Line {
    file: String,
    ok: bool,
    error: Option<Fault>,
    /// The SIP status a server would answer; null where none is due.
    respond: Option<u16>,
    summary: Option<Value>,
}

/// What is wrong, and at which byte of the file.
#[derive(Debug, Serialize)]
struct Fault {
    kind: String,
    offset: Option<u32>,
    reason: String,
}

/// A fault and the status owed for it.
type Failure = (Fault, Option<u16>);

/// Reads every file and writes a line for each.
///
/// # Errors
/// What writing to `out` gives. A file that cannot be read is a line with `ok` false, and exit code 1.
pub(crate) fn run(kind: Kind, files: &[PathBuf], out: &mut impl Write) -> io::Result<ExitCode> {
    let mut all = true;
    for path in files {
        let result = fs::read(path).map_err(unreadable).and_then(|data| match kind {
            Kind::Sip => sip(data),
            Kind::Cpim => cpim(&data),
            Kind::Imdn => imdn(&data),
        });
        let file = path.display().to_string();
        let line = match result {
            Ok(summary) => Line { file, ok: true, error: None, respond: None, summary: Some(summary) },
            Err((error, respond)) => Line { file, ok: false, error: Some(error), respond, summary: None },
        };
        all &= line.ok;
        serde_json::to_writer(&mut *out, &line)?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(ExitCode::from(u8::from(!all)))
}

fn unreadable(error: io::Error) -> Failure {
    (Fault { kind: "unreadable".to_owned(), offset: None, reason: error.to_string() }, None)
}

fn sip(data: Vec<u8>) -> Result<Value, Failure> {
    let limits = cpm_sip::Limits::default();
    let data = Bytes::from(data);
    let read = Message::parse(data.clone(), &limits);
    let message =
        read.and_then(|message| validate(&message, &limits).map(|()| message)).map_err(|error| {
            let reason =
                error.answer().map_or_else(|| error.kind.to_string(), |status| status.reason.to_owned());
            let respond = reject(&data, &error, &limits).and_then(|head| head.status());
            (Fault { kind: snake(&format!("{:?}", error.kind)), offset: Some(error.offset), reason }, respond)
        })?;
    let cseq = message.cseq().map(|cseq| format!("{} {}", cseq.number, cseq.method.as_str())).ok();
    let uri = |address: Result<cpm_sip::NameAddr<'_>, _>| address.map(|a| a.uri().as_str().to_owned()).ok();
    Ok(json!({
        "type": if message.is_request() { "request" } else { "response" },
        "method": message.method().map(|m| m.as_str().to_owned()),
        "request_uri": message.request_uri(),
        "status": message.status(),
        "reason": message.reason(),
        "from": uri(message.from()),
        "to": uri(message.to()),
        "call_id": message.call_id().ok(),
        "cseq": cseq,
        "content_type": message.header(cpm_sip::HeaderId::ContentType),
        "headers": message.all_headers().count(),
        "body_bytes": message.body().len(),
        "bytes": message.raw().len(),
    }))
}

fn body_failure(error: cpm_cpim::ParseError) -> Failure {
    let kind = snake(&format!("{:?}", error.kind));
    let fault = Fault { kind, offset: Some(error.offset), reason: error.kind.to_string() };
    (fault, Some(error.kind.status()))
}

fn cpim(data: &[u8]) -> Result<Value, Failure> {
    let message = Cpim::parse(data, &cpm_cpim::Limits::default())
        .and_then(|message| message.validate(&[]).map(|()| message))
        .map_err(body_failure)?;
    cpim_summary(&message).map_err(body_failure)
}

fn cpim_summary(message: &Cpim<'_>) -> Result<Value, cpm_cpim::ParseError> {
    let wanted = message.disposition_notification();
    let wanted: Vec<_> =
        Disposition::ALL.into_iter().filter(|d| wanted.contains(*d)).map(Disposition::as_str).collect();
    let uris = |addresses: &mut dyn Iterator<Item = Result<Address<'_>, _>>| {
        addresses.map(|a| a.map(|a| a.uri.to_owned())).collect::<Result<Vec<_>, cpm_cpim::ParseError>>()
    };
    Ok(json!({
        "from": message.from()?.map(|a| a.uri.to_owned()),
        "to": uris(&mut message.to())?,
        "cc": uris(&mut message.cc())?,
        "message_id": message.message_id(),
        "datetime": message.datetime_text(),
        "disposition_notification": wanted,
        "subject": message.subject(),
        "headers": message.headers().count(),
        "content_type": message.mime().content_type()?.essence(),
        "is_imdn": message.is_imdn(),
        "body_bytes": message.body().len(),
    }))
}

fn imdn(data: &[u8]) -> Result<Value, Failure> {
    let limits = cpm_cpim::Limits::default();
    let text = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data).trim_ascii_start();
    if text.is_empty() || text.starts_with(b"<") {
        return Imdn::parse(data, &limits).map(|imdn| document(&imdn)).map_err(body_failure);
    }
    carried(data, &limits).map_err(body_failure)
}

/// The documents that a CPIM message carries: one, or an aggregate.
fn carried(data: &[u8], limits: &cpm_cpim::Limits) -> Result<Value, cpm_cpim::ParseError> {
    let shift = |error: cpm_cpim::ParseError, base: usize| cpm_cpim::ParseError {
        kind: error.kind,
        offset: error.offset.saturating_add(u32::try_from(base).unwrap_or(u32::MAX)),
    };
    let message = Cpim::parse(data, limits)?;
    message.validate(&[])?;
    let kind = message.mime().content_type()?;
    let body = message.body();
    let at = data.len() - body.len();
    if !kind.kind.eq_ignore_ascii_case("multipart") {
        let payload = message.payload(limits.xml_bytes)?;
        return Imdn::parse(&payload, limits).map(|imdn| document(&imdn)).map_err(|e| shift(e, at));
    }
    let parts = leaves(body, &kind, limits).map_err(|e| shift(e, at))?;
    let mut documents = Vec::new();
    for part in parts {
        let payload =
            part.headers.decode(part.body, limits.xml_bytes).map_err(|e| shift(e, at + part.offset))?;
        let imdn = Imdn::parse(&payload, limits).map_err(|e| shift(e, at + part.body_offset))?;
        documents.push(document(&imdn));
    }
    Ok(json!({ "aggregate": documents }))
}

fn document(imdn: &Imdn<'_>) -> Value {
    json!({
        "message_id": imdn.message_id,
        "datetime": imdn.datetime,
        "recipient_uri": imdn.recipient_uri,
        "original_recipient_uri": imdn.original_recipient_uri,
        "notification": imdn.notification.element(),
        "status": imdn.notification.status(),
    })
}

/// The name of a kind as the JSON has it: `MissingBlankLine` is `missing_blank_line`, `Missing(CallId)` is
/// `missing_call_id`.
fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 8);
    let mut before = '_';
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        if !c.is_ascii_alphanumeric() {
            if before != '_' && rest.peek().is_some() {
                out.push('_');
                before = '_';
            }
            continue;
        }
        let starts_word = c.is_ascii_uppercase()
            && (before.is_ascii_lowercase()
                || before.is_ascii_digit()
                || rest.peek().is_some_and(char::is_ascii_lowercase));
        if starts_word && before != '_' {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
        before = c;
    }
    // The field is one word.
    out.replace("c_seq", "cseq")
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
