//! What stands in the body of a MESSAGE: a letter to show, or notifications about earlier ones.

use super::incoming::Refusal;
use crate::Limits;
use bytes::Bytes;
use cpm_cpim::cpim::Cpim;
use cpm_cpim::imdn::{Imdn, Notification};
use cpm_cpim::mime::{self, ContentType};
use cpm_cpim::{ParseError, coding};
use cpm_sip::{HeaderId, Message};
use std::borrow::Cow;

/// A body that was understood.
#[derive(Debug)]
pub(super) enum Content {
    /// Something to show.
    Letter(Box<Letter>),
    /// Disposition notifications; several when an intermediary aggregated them.
    Notifications(Vec<Note>),
}

/// A message to show.
#[derive(Debug)]
pub(super) struct Letter {
    /// `imdn.Message-ID`; the Call-ID where there is none.
    pub(super) message_id: String,
    pub(super) content_type: String,
    pub(super) body: Bytes,
    /// Its sender asks for a delivery notification.
    pub(super) wants_delivery: bool,
    /// Its sender asks for a display notification.
    pub(super) wants_display: bool,
    /// CPIM To.
    pub(super) recipient_uri: Option<String>,
    pub(super) original_to: Option<String>,
    /// CPIM DateTime as written.
    pub(super) datetime: String,
    /// `imdn.IMDN-Record-Route`.
    pub(super) routes: Vec<String>,
}

/// One notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note {
    /// Message-ID of the message it is about.
    pub(super) message_id: String,
    /// What it says.
    pub(super) notification: Notification,
}

/// Reads the body of a MESSAGE.
// spec: CONV-PM-021, CONV-HDR-016, CONV-BODY-011, CONV-BODY-016, CONV-IMDN-041
pub(super) fn read(message: &Message, limits: &Limits) -> Result<Content, Refusal> {
    let raw = message.body();
    let codings: Vec<&str> = message.headers(HeaderId::ContentEncoding).collect();
    let plain = match codings.is_empty() {
        true => Cow::Borrowed(raw.as_ref()),
        false => coding::decode(&codings.join(","), &raw, limits.decoded_body).map_err(refusal)?,
    };
    let kind = match message.header(HeaderId::ContentType) {
        Some(text) => ContentType::parse(text, &limits.cpim).map_err(|_| Refusal::content_type())?,
        None if plain.is_empty() => ContentType::default(),
        None => return Err(Refusal::new(400, "Missing Content-Type header field")),
    };
    if kind.is("message", "cpim") {
        return read_cpim(&plain, message, limits);
    }
    if kind.is("message", "imdn+xml") || kind.is("multipart", "mixed") {
        return Ok(Content::Notifications(notes(&plain, &kind, limits)?));
    }
    if kind.is("text", "plain") {
        let text = message.header(HeaderId::ContentType).unwrap_or("text/plain;charset=UTF-8");
        return Ok(Content::Letter(Box::new(Letter {
            message_id: message.header(HeaderId::CallId).unwrap_or_default().trim().to_owned(),
            content_type: text.trim().to_owned(),
            body: own(plain, &raw),
            wants_delivery: false,
            wants_display: false,
            recipient_uri: None,
            original_to: None,
            datetime: String::new(),
            routes: Vec::new(),
        })));
    }
    Err(Refusal::content_type())
}

fn read_cpim(plain: &[u8], message: &Message, limits: &Limits) -> Result<Content, Refusal> {
    let cpim = Cpim::parse(plain, &limits.cpim).map_err(refusal)?;
    cpim.validate(&[]).map_err(refusal)?;
    let payload = cpim.payload(limits.decoded_body).map_err(refusal)?;
    let kind = cpim.mime().content_type().map_err(refusal)?;
    if cpim.is_imdn() {
        return Ok(Content::Notifications(notes(&payload, &kind, limits)?));
    }
    if kind.is("application", "im-iscomposing+xml") {
        return Err(Refusal::content_type());
    }
    let message_id = match cpim.message_id() {
        Some(id) if id.len() > limits.client.id_bytes => {
            return Err(Refusal::new(400, "Message-ID too long"));
        }
        Some(id) => id.into_owned(),
        None => message.header(HeaderId::CallId).unwrap_or_default().trim().to_owned(),
    };
    let wanted = cpim.imdn_request().map_err(refusal)?.map(|request| request.wanted).unwrap_or_default();
    let routes: Result<Vec<String>, ParseError> =
        cpim.record_route().map(|route| route.map(|address| address.uri.to_owned())).collect();
    Ok(Content::Letter(Box::new(Letter {
        message_id,
        content_type: cpim.mime().content_type_text().unwrap_or("text/plain;charset=UTF-8").trim().to_owned(),
        body: Bytes::copy_from_slice(&payload),
        wants_delivery: wanted.positive_delivery,
        wants_display: wanted.display,
        recipient_uri: cpim.to().next().transpose().map_err(refusal)?.map(|to| to.uri.to_owned()),
        original_to: cpim.original_to().map_err(refusal)?.map(|to| to.uri.to_owned()),
        datetime: cpim.datetime_text().unwrap_or_default().to_owned(),
        routes: routes.map_err(refusal)?,
    })))
}

/// The notifications of one document, or of all documents of an aggregate.
fn notes(body: &[u8], kind: &ContentType<'_>, limits: &Limits) -> Result<Vec<Note>, Refusal> {
    if !kind.is("multipart", "mixed") {
        return Ok(vec![note(body, limits)?]);
    }
    let mut notes = Vec::new();
    for part in mime::leaves(body, kind, &limits.cpim).map_err(refusal)? {
        let kind = part.headers.content_type().map_err(refusal)?;
        if !kind.is("message", "imdn+xml") {
            return Err(Refusal::content_type());
        }
        let document = part.headers.decode(part.body, limits.decoded_body).map_err(refusal)?;
        notes.push(note(&document, limits)?);
    }
    Ok(notes)
}

fn note(document: &[u8], limits: &Limits) -> Result<Note, Refusal> {
    let imdn = Imdn::parse(document, &limits.cpim).map_err(refusal)?;
    Ok(Note { message_id: imdn.message_id.to_string(), notification: imdn.notification })
}

/// The answer to a body that cannot be read.
fn refusal(error: ParseError) -> Refusal {
    match error.kind.status() {
        415 => Refusal::coding(),
        413 => Refusal::new(413, "Request Entity Too Large"),
        _ => Refusal::new(400, "Malformed body"),
    }
}

/// The body as bytes of its own, without a copy where nothing was decoded.
fn own(plain: Cow<'_, [u8]>, raw: &Bytes) -> Bytes {
    match plain {
        Cow::Borrowed(_) => raw.clone(),
        Cow::Owned(decoded) => decoded.into(),
    }
}
