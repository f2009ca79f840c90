//! Reads IMDN documents from XML events. Elements are matched on namespace and local name; there is no
//! recursion, the place in the document is [`Place`] and the depth.

use std::borrow::Cow;

use quick_xml::{
    NsReader,
    events::{BytesDecl, BytesRef, BytesStart, Event},
    name::{Namespace, ResolveResult},
};

use super::{EXTENSION_NAMESPACE, IMDN_XML_NAMESPACE, Imdn, Kind, Notification, STATUSES};
use crate::{
    Limits, ParseError,
    ParseKind::{
        self, Doctype, DuplicateElement, MissingElement, NoNotification, NotImdn, NotUtf8,
        SeveralNotifications, TooDeep, TooLarge, TooManyAttributes, UnexpectedElement, UnknownStatus, Xml,
    },
};

/// The elements that hold text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    MessageId,
    DateTime,
    RecipientUri,
    OriginalRecipientUri,
    Subject,
}

const SLOTS: [(&str, Slot); 5] = [
    ("message-id", Slot::MessageId),
    ("datetime", Slot::DateTime),
    ("recipient-uri", Slot::RecipientUri),
    ("original-recipient-uri", Slot::OriginalRecipientUri),
    ("subject", Slot::Subject),
];

/// Where in the document the reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before the root.
    Prolog,
    /// In `imdn`.
    Imdn,
    /// In an element that holds text.
    Text(Slot),
    /// In a notification.
    Notification(Kind),
    /// In its status.
    Status(Kind),
    /// After the root.
    Epilog,
}

struct Reader<'a, 'l> {
    limits: &'l Limits,
    place: Place,
    depth: usize,
    /// Depth of the element that is skipped with all it holds.
    skip: Option<usize>,
    texts: [Option<Cow<'a, str>>; SLOTS.len()],
    notification: Option<Notification>,
    /// A notification is open and its status has not been seen.
    status_due: bool,
    extension: bool,
}

// spec: RFC5438-11.1 CONV-IMDN-001 CONV-IMDN-002 CONV-IMDN-003 CONV-IMDN-004
pub(super) fn read<'a>(xml: &'a [u8], limits: &Limits) -> Result<Imdn<'a>, ParseError> {
    if xml.len() > limits.xml_bytes {
        return Err(ParseError::new(TooLarge, limits.xml_bytes));
    }
    let text = std::str::from_utf8(xml).map_err(|e| ParseError::new(NotUtf8, e.valid_up_to()))?;
    if let Some(at) = forbidden_character(text) {
        return Err(ParseError::new(Xml, at));
    }
    let (text, base) = text.strip_prefix('\u{feff}').map_or((text, 0), |text| (text, 3));
    let mut events = NsReader::from_str(text);
    let config = events.config_mut();
    config.expand_empty_elements = true;
    config.check_comments = true;
    let mut reader = Reader {
        limits,
        place: Place::Prolog,
        depth: 0,
        skip: None,
        texts: [const { None }; SLOTS.len()],
        notification: None,
        status_due: false,
        extension: false,
    };
    loop {
        let at = offset(events.buffer_position(), base);
        let event =
            events.read_event().map_err(|_| ParseError::new(Xml, offset(events.error_position(), base)))?;
        let fault = |kind: ParseKind| ParseError::new(kind, at);
        match event {
            Event::Start(start) => {
                let (resolved, local) = events.resolver().resolve_element(start.name());
                let namespace = match resolved {
                    ResolveResult::Bound(Namespace(uri)) => uri,
                    ResolveResult::Unbound => "",
                    ResolveResult::Unknown(_) => return Err(fault(Xml)),
                };
                reader.attributes(&start).map_err(fault)?;
                reader.start(namespace, local.as_ref()).map_err(fault)?;
            }
            Event::End(_) => reader.end().map_err(fault)?,
            Event::Text(text) => reader.text(text.xml10_content()).map_err(fault)?,
            Event::CData(text) => reader.cdata(text.xml10_content()).map_err(fault)?,
            Event::GeneralRef(reference) => reader.reference(&reference).map_err(fault)?,
            Event::Decl(declaration) if at == base => check_declaration(&declaration).map_err(fault)?,
            Event::DocType(_) => return Err(fault(Doctype)),
            Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => return reader.finish().map_err(fault),
            Event::Decl(_) | Event::Empty(_) => return Err(fault(Xml)),
        }
    }
}

fn offset(position: u64, base: usize) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX).saturating_add(base)
}

/// A character outside `Char` of XML 1.0 §2.2.
fn forbidden_character(text: &str) -> Option<usize> {
    let suspect = text
        .bytes()
        .fold(false, |found, b| found | (b < 0x20 && !matches!(b, b'\t' | b'\r' | b'\n')) | (b == 0xef));
    if suspect { text.char_indices().find(|(_, c)| !is_xml_char(*c)).map(|(at, _)| at) } else { None }
}

fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..)
}

/// XML 1.0 in UTF-8 (RFC 5438 §11.1); US-ASCII is a part of it.
fn check_declaration(declaration: &BytesDecl<'_>) -> Result<(), ParseKind> {
    let version = declaration.version().map_err(|_| Xml)?;
    let encoding = declaration.encoding().transpose().map_err(|_| Xml)?;
    let known = |name: &str| name.eq_ignore_ascii_case("utf-8") || name.eq_ignore_ascii_case("us-ascii");
    if version != "1.0" || encoding.is_some_and(|name| !known(&name)) { Err(Xml) } else { Ok(()) }
}

impl<'a> Reader<'a, '_> {
    /// Attributes carry nothing here, but must be well-formed and few.
    fn attributes(&self, start: &BytesStart<'_>) -> Result<(), ParseKind> {
        for (index, attribute) in start.attributes().enumerate() {
            attribute.map_err(|_| Xml)?;
            if index >= self.limits.xml_attributes {
                return Err(TooManyAttributes);
            }
        }
        Ok(())
    }

    fn start(&mut self, namespace: &str, local: &str) -> Result<(), ParseKind> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > self.limits.xml_depth {
            return Err(TooDeep);
        }
        if self.skip.is_some() {
            return Ok(());
        }
        match self.place {
            Place::Prolog if namespace == IMDN_XML_NAMESPACE && local == "imdn" => self.place = Place::Imdn,
            Place::Prolog => return Err(NotImdn),
            Place::Epilog => return Err(Xml),
            Place::Imdn => self.child(namespace, local)?,
            Place::Text(_) => return Err(UnexpectedElement),
            Place::Notification(kind) if namespace == kind.namespace() && local == "status" => {
                if !self.status_due {
                    return Err(DuplicateElement);
                }
                self.status_due = false;
                self.place = Place::Status(kind);
            }
            Place::Notification(_) => self.skip = Some(self.depth),
            Place::Status(kind) => self.status(kind, namespace, local)?,
        }
        Ok(())
    }

    /// A child of the root.
    fn child(&mut self, namespace: &str, local: &str) -> Result<(), ParseKind> {
        let kind = Kind::ALL.into_iter().find(|k| k.namespace() == namespace && k.element() == local);
        if let Some(kind) = kind {
            if self.notification.is_some() {
                return Err(SeveralNotifications);
            }
            self.notification = Some(Notification::Extension);
            self.status_due = true;
            self.place = Place::Notification(kind);
            return Ok(());
        }
        let slot = SLOTS.iter().position(|(name, _)| namespace == IMDN_XML_NAMESPACE && *name == local);
        match slot.and_then(|i| Some((SLOTS.get(i)?.1, self.texts.get_mut(i)?))) {
            Some((_, Some(_))) => Err(DuplicateElement),
            Some((slot, text)) => {
                *text = Some(Cow::Borrowed(""));
                self.place = Place::Text(slot);
                Ok(())
            }
            None => {
                self.extension |= !namespace.is_empty() && namespace != IMDN_XML_NAMESPACE;
                self.skip = Some(self.depth);
                Ok(())
            }
        }
    }

    /// A child of `status`: one of the kind's own, or an extension beside it.
    fn status(&mut self, kind: Kind, namespace: &str, local: &str) -> Result<(), ParseKind> {
        self.skip = Some(self.depth);
        let known = STATUSES.iter().find(|(k, name, _)| *k == kind && *name == local);
        match known {
            Some((_, _, status)) if namespace == kind.namespace() => {
                if self.notification != Some(Notification::Extension) {
                    return Err(SeveralNotifications);
                }
                self.notification = Some(*status);
                Ok(())
            }
            _ if matches!(namespace, "" | IMDN_XML_NAMESPACE | EXTENSION_NAMESPACE) => Err(UnknownStatus),
            _ => {
                self.extension = true;
                Ok(())
            }
        }
    }

    fn end(&mut self) -> Result<(), ParseKind> {
        let depth = self.depth;
        self.depth = depth.saturating_sub(1);
        if let Some(skip) = self.skip {
            if skip == depth {
                self.skip = None;
            }
            return Ok(());
        }
        self.place = match self.place {
            Place::Imdn => Place::Epilog,
            Place::Text(_) => Place::Imdn,
            Place::Notification(_) if self.status_due => return Err(MissingElement),
            Place::Notification(_) => Place::Imdn,
            Place::Status(_) if self.notification == Some(Notification::Extension) && !self.extension => {
                return Err(UnknownStatus);
            }
            Place::Status(kind) => Place::Notification(kind),
            other @ (Place::Prolog | Place::Epilog) => other,
        };
        Ok(())
    }

    /// Text joins across comments, references and CDATA, so that a comment cannot hide part of a value.
    fn text(&mut self, piece: Cow<'a, str>) -> Result<(), ParseKind> {
        if self.depth == 0 {
            let blank = piece.bytes().all(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'));
            return if blank { Ok(()) } else { Err(Xml) };
        }
        if self.skip.is_none()
            && let Place::Text(slot) = self.place
            && let Some(Some(text)) =
                SLOTS.iter().position(|(_, s)| *s == slot).and_then(|i| self.texts.get_mut(i))
        {
            if text.is_empty() {
                *text = piece;
            } else {
                text.to_mut().push_str(&piece);
            }
        }
        Ok(())
    }

    fn cdata(&mut self, piece: Cow<'a, str>) -> Result<(), ParseKind> {
        if self.depth == 0 { Err(Xml) } else { self.text(piece) }
    }

    /// A character reference or one of the five predefined entities; there can be no other.
    fn reference(&mut self, reference: &BytesRef<'a>) -> Result<(), ParseKind> {
        if self.depth == 0 {
            return Err(Xml);
        }
        let character = match reference.resolve_char_ref().map_err(|_| Xml)? {
            Some(c) => c,
            None => match &**reference {
                "lt" => '<',
                "gt" => '>',
                "amp" => '&',
                "apos" => '\'',
                "quot" => '"',
                _ => return Err(Xml),
            },
        };
        if !is_xml_char(character) {
            return Err(Xml);
        }
        self.text(Cow::Owned(character.to_string()))
    }

    fn finish(self) -> Result<Imdn<'a>, ParseKind> {
        match self.place {
            Place::Prolog => return Err(NotImdn),
            Place::Epilog => {}
            _ => return Err(Xml),
        }
        let [message_id, datetime, recipient_uri, original_recipient_uri, subject] = self.texts;
        let message_id = message_id.map(trim).filter(|id| !id.is_empty()).ok_or(MissingElement)?;
        let datetime = match datetime.map(trim).filter(|d| !d.is_empty()) {
            Some(datetime) => datetime,
            None if self.limits.lenient => Cow::Borrowed(""),
            None => return Err(MissingElement),
        };
        let notification = match self.notification {
            Some(notification) => notification,
            None if self.extension => Notification::Extension,
            None => return Err(NoNotification),
        };
        Ok(Imdn {
            message_id,
            datetime,
            recipient_uri: recipient_uri.map(trim),
            original_recipient_uri: original_recipient_uri.map(trim),
            subject,
            notification,
        })
    }
}

/// White space around a `token` or `anyURI` is no part of it.
fn trim(text: Cow<'_, str>) -> Cow<'_, str> {
    const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim_matches(SPACE)),
        Cow::Owned(text) => Cow::Owned(text.trim_matches(SPACE).to_owned()),
    }
}
