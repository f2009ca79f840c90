//! The borrowed view of a CPIM message.

use std::{borrow::Cow, time::Duration};

use super::{
    Address, Asked, CpimEdit, Dispositions, Field, ImdnRequest, Namespace, escape,
    field::{CPIM_NAMESPACE, CPM_NAMESPACE, IMDN_NAMESPACE},
    request,
    scan::{self, Span, Table, split_declaration},
};
use crate::{Limits, ParseError, ParseKind, datetime, mime::MimeHeaders, text::trim_lws};

/// A CPIM message, read from bytes that it borrows. Reading it takes no heap.
///
/// [`Cpim::parse`] checks the structure: lines, names, namespaces, single headers, the MIME header lines and
/// the length. Values are decoded by the typed access; [`Cpim::validate`] runs all of it.
#[derive(Clone, Debug)]
pub struct Cpim<'a> {
    raw: &'a [u8],
    head: &'a str,
    table: Table,
    mime: MimeHeaders<'a>,
    body: &'a [u8],
    lenient: bool,
}

impl<'a> Cpim<'a> {
    /// Reads one message; the payload runs to the end of `raw` unless its `Content-Length` ends it before.
    ///
    /// # Errors
    /// Any fault in the structure, by kind and offset.
    // spec: CONV-BODY-001 CONV-BODY-002 CONV-BODY-013 CONV-BODY-015
    pub fn parse(raw: &'a [u8], limits: &Limits) -> Result<Self, ParseError> {
        let mut table = Table::new();
        let (head, mime, body_at) = scan::scan(raw, limits, &mut table)?;
        let rest = raw.get(body_at..).unwrap_or(&[]);
        let body = match mime.content_length() {
            Some(length) => match usize::try_from(length).ok().and_then(|n| rest.get(..n)) {
                Some(body) => body,
                None if limits.lenient => rest,
                None => return Err(ParseError::new(ParseKind::ContentLength, raw.len())),
            },
            None => rest,
        };
        Ok(Self { raw, head, table, mime, body, lenient: limits.lenient })
    }

    /// Checks every value this crate can decode, and that `Require` names only known headers or `known`
    /// ones, given as namespace URI and name.
    ///
    /// # Errors
    /// The first fault.
    // spec: CONV-BODY-016
    pub fn validate(&self, known: &[(&str, &str)]) -> Result<(), ParseError> {
        for header in self.headers() {
            let fault = |kind| ParseError::new(kind, header.value_at());
            match header.field {
                Field::From
                | Field::To
                | Field::Cc
                | Field::OriginalTo
                | Field::RecordRoute
                | Field::Route => {
                    header.address()?;
                }
                Field::DateTime => {
                    datetime::parse(trim_lws(header.raw_value)).ok_or_else(|| fault(ParseKind::DateTime))?;
                }
                Field::MessageId => {
                    request::message_id(header.raw_value).map_err(fault)?;
                }
                Field::DispositionNotification => {
                    for entry in request::asked(header.raw_value) {
                        entry.map_err(fault)?;
                    }
                }
                Field::Require => self.require(&header, known)?,
                Field::Subject | Field::Ns | Field::PayloadType | Field::Other => {}
            }
        }
        self.mime.content_type()?;
        self.imdn_request()?;
        Ok(())
    }

    fn require(&self, header: &Header<'a>, known: &[(&str, &str)]) -> Result<(), ParseError> {
        for name in header.raw_value.split(',').map(trim_lws) {
            let (prefix, local) = name.split_once('.').map_or((None, name), |(p, l)| (Some(p), l));
            let namespace = self.namespace_of(prefix);
            let own = namespace.is_some_and(|ns| {
                Field::resolve(Namespace::of_uri(ns), local.as_bytes(), false) != Field::Other
            });
            let given = namespace.is_some_and(|ns| known.contains(&(ns, local)));
            if !own && !given {
                return Err(ParseError::new(ParseKind::UnknownRequire, header.value_at()));
            }
        }
        Ok(())
    }

    /// The namespace that a prefix (or no prefix) has after the last header. `Require` may name a prefix
    /// that is declared after it.
    fn namespace_of(&self, prefix: Option<&str>) -> Option<&'a str> {
        let wanted = prefix.unwrap_or("");
        let declared = self.spans().iter().rev().filter(|s| s.field == Field::Ns).find_map(|span| {
            let (declared, uri) = split_declaration(self.header_of(span).raw_value)?;
            (declared == wanted).then_some(uri)
        });
        match prefix {
            None => Some(declared.unwrap_or(CPIM_NAMESPACE)),
            Some(_) => declared,
        }
    }

    /// All message headers in their order.
    pub fn headers(&self) -> impl Iterator<Item = Header<'a>> + '_ {
        self.spans().iter().map(|span| self.header_of(span))
    }

    /// The headers of one known field, in their order.
    pub fn all(&self, field: Field) -> impl Iterator<Item = Header<'a>> + '_ {
        self.spans().iter().filter(move |s| s.field == field).map(|span| self.header_of(span))
    }

    /// The first header of a known field.
    #[must_use]
    pub fn first(&self, field: Field) -> Option<Header<'a>> {
        self.spans().iter().find(|s| s.field == field).map(|span| self.header_of(span))
    }

    /// The first header with this namespace URI and name, whatever its prefix.
    #[must_use]
    pub fn header(&self, namespace: &str, name: &str) -> Option<Header<'a>> {
        self.headers().find(|h| h.name == name && h.namespace == namespace)
    }

    /// `From`. None if there is none.
    ///
    /// # Errors
    /// [`ParseKind::Address`].
    pub fn from(&self) -> Result<Option<Address<'a>>, ParseError> {
        self.first(Field::From).map(|h| h.address()).transpose()
    }

    /// The `To` headers.
    pub fn to(&self) -> impl Iterator<Item = Result<Address<'a>, ParseError>> + '_ {
        self.all(Field::To).map(|h| h.address())
    }

    /// The `cc` headers: in a CPM group the participants a message is addressed to.
    // spec: CONV-BODY-009
    pub fn cc(&self) -> impl Iterator<Item = Result<Address<'a>, ParseError>> + '_ {
        self.all(Field::Cc).map(|h| h.address())
    }

    /// `DateTime` as written.
    #[must_use]
    pub fn datetime_text(&self) -> Option<&'a str> {
        self.value(Field::DateTime).map(|(value, _)| trim_lws(value))
    }

    /// `DateTime` as time since the Unix epoch.
    ///
    /// # Errors
    /// [`ParseKind::DateTime`].
    pub fn datetime(&self) -> Result<Option<Duration>, ParseError> {
        let Some(header) = self.first(Field::DateTime) else { return Ok(None) };
        datetime::parse(trim_lws(header.raw_value))
            .map(Some)
            .ok_or_else(|| ParseError::new(ParseKind::DateTime, header.value_at()))
    }

    /// The first `Subject`, decoded; others may differ in [`Header::lang`].
    #[must_use]
    pub fn subject(&self) -> Option<Cow<'a, str>> {
        self.first(Field::Subject).map(|h| h.value())
    }

    /// `imdn.Message-ID`; None if there is none or it is no id.
    #[must_use]
    pub fn message_id(&self) -> Option<Cow<'a, str>> {
        self.value(Field::MessageId).and_then(|(value, _)| request::message_id(value).ok())
    }

    /// What `imdn.Disposition-Notification` asks for. Unknown and malformed entries are ignored.
    // spec: CONV-BODY-007
    #[must_use]
    pub fn disposition_notification(&self) -> Dispositions {
        let mut set = Dispositions::NONE;
        for span in self.spans().iter().filter(|s| s.field == Field::DispositionNotification) {
            request::collect(self.value_of(span), &mut set);
        }
        set
    }

    /// The entries of `imdn.Disposition-Notification`, unknown ones and parameters included.
    pub fn asked(&self) -> impl Iterator<Item = Asked<'a>> + '_ {
        self.all(Field::DispositionNotification)
            .flat_map(|h| request::asked(h.raw_value).filter_map(Result::ok))
    }

    /// The IMDN request as a whole; None if nothing is asked for, or if the message is itself an IMDN, which
    /// must not ask for one (RFC 5438 §7.2.1).
    ///
    /// # Errors
    /// [`ParseKind::IncompleteRequest`] without Message-ID or DateTime, [`ParseKind::MessageId`],
    /// [`ParseKind::Address`] in `Original-To`.
    // spec: CONV-BODY-006 CONV-BODY-010 RFC5438-7.1.1
    pub fn imdn_request(&self) -> Result<Option<ImdnRequest<'a>>, ParseError> {
        let wanted = self.disposition_notification();
        if wanted.is_empty() || self.is_imdn() {
            return Ok(None);
        }
        let incomplete = ParseError::new(ParseKind::IncompleteRequest, self.table.headers_end);
        let (id, id_at) = self.value(Field::MessageId).ok_or(incomplete)?;
        let message_id = request::message_id(id).map_err(|kind| ParseError::new(kind, id_at))?;
        let datetime = self.datetime_text().ok_or(incomplete)?;
        let original_to = self.first(Field::OriginalTo).map(|h| h.address()).transpose()?;
        Ok(Some(ImdnRequest { message_id, datetime, wanted, original_to }))
    }

    /// Whether the payload is an IMDN, by its media type (CONV-IMDN-021: the disposition may be missing), or
    /// an aggregate, by media type and disposition.
    // spec: CONV-IMDN-021 CONV-IMDN-041
    #[must_use]
    pub fn is_imdn(&self) -> bool {
        self.mime.is_media_type("message/imdn+xml")
            || self.mime.is_media_type("multipart/mixed") && self.mime.is_disposition("notification")
    }

    /// `imdn.Original-To`.
    ///
    /// # Errors
    /// [`ParseKind::Address`].
    pub fn original_to(&self) -> Result<Option<Address<'a>>, ParseError> {
        self.first(Field::OriginalTo).map(|h| h.address()).transpose()
    }

    /// The `imdn.IMDN-Record-Route` headers, topmost first.
    // spec: CONV-BODY-008
    pub fn record_route(&self) -> impl Iterator<Item = Result<Address<'a>, ParseError>> + '_ {
        self.all(Field::RecordRoute).map(|h| h.address())
    }

    /// The `imdn.IMDN-Route` headers, topmost first.
    pub fn route(&self) -> impl Iterator<Item = Result<Address<'a>, ParseError>> + '_ {
        self.all(Field::Route).map(|h| h.address())
    }

    /// `cpm.Payload-Type` as written; the payload's own Content-Type wins (CONV-BODY-014).
    // spec: CONV-BODY-014
    #[must_use]
    pub fn payload_type(&self) -> Option<&'a str> {
        self.first(Field::PayloadType).map(|h| trim_lws(h.raw_value))
    }

    /// The MIME headers of the payload.
    #[must_use]
    pub fn mime(&self) -> &MimeHeaders<'a> {
        &self.mime
    }

    /// The payload as it stands in the message.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The payload with its transfer encoding and content coding undone, at most `cap` bytes.
    ///
    /// # Errors
    /// Unknown or broken encoding, or more than `cap` bytes.
    // spec: CONV-BODY-011
    pub fn payload(&self, cap: usize) -> Result<Cow<'a, [u8]>, ParseError> {
        self.mime.decode(self.body, cap)
    }

    /// The whole message.
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Begins a changed copy in which all that is not touched stays byte for byte.
    #[must_use]
    pub fn edit(&self) -> CpimEdit<'_, 'a> {
        CpimEdit::new(self)
    }

    /// Length of the message header lines, without the blank line.
    pub(super) fn headers_end(&self) -> usize {
        self.table.headers_end
    }

    fn spans(&self) -> &[Span] {
        self.table.spans()
    }

    /// The raw value of the first header of a field, and where it begins.
    fn value(&self, field: Field) -> Option<(&'a str, usize)> {
        let span = self.spans().iter().find(|s| s.field == field)?;
        Some((self.value_of(span), usize::from(span.value)))
    }

    fn value_of(&self, span: &Span) -> &'a str {
        self.text(usize::from(span.value), usize::from(span.end))
    }

    fn header_of(&self, span: &Span) -> Header<'a> {
        let (line, value, end) = (usize::from(span.line), usize::from(span.value), usize::from(span.end));
        let name_end = line.saturating_add(usize::from(span.name));
        let prefix_end = line.saturating_add(usize::from(span.prefix));
        let name_at = if span.prefix == 0 { line } else { prefix_end.saturating_add(1) };
        let namespace = match span.namespace {
            Namespace::Cpim => CPIM_NAMESPACE,
            Namespace::Imdn => IMDN_NAMESPACE,
            Namespace::Cpm => CPM_NAMESPACE,
            Namespace::Undeclared => "",
            Namespace::Other => self
                .spans()
                .get(usize::from(span.extra))
                .and_then(|ns| split_declaration(self.text(usize::from(ns.value), usize::from(ns.end))))
                .map_or("", |(_, uri)| uri),
        };
        Header {
            field: span.field,
            namespace,
            prefix: self.text(line, prefix_end),
            name: self.text(name_at, name_end),
            parameters: trim_lws(self.text(name_end.saturating_add(1), value)),
            raw_value: self.text(value, end),
            offset: u32::from(span.line),
            value_offset: u32::from(span.value),
            lenient: self.lenient,
        }
    }

    /// A piece of the message headers.
    fn text(&self, from: usize, to: usize) -> &'a str {
        self.head.get(from..to).unwrap_or("")
    }
}

/// One message header.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    /// Which known field it is.
    pub field: Field,
    /// The URI of its namespace; empty if the prefix is not declared (tolerant reading only).
    pub namespace: &'a str,
    /// The prefix as written, without the dot; empty if there is none.
    pub prefix: &'a str,
    /// The name without prefix.
    pub name: &'a str,
    /// The parameters as written, each with its leading semicolon.
    pub parameters: &'a str,
    /// The value as written.
    pub raw_value: &'a str,
    /// Where the header's line begins, in bytes from the start of the message.
    pub offset: u32,
    value_offset: u32,
    lenient: bool,
}

impl<'a> Header<'a> {
    /// The value with its escapes decoded.
    #[must_use]
    pub fn value(&self) -> Cow<'a, str> {
        escape::decode(self.raw_value)
    }

    /// The `lang` parameter (RFC 3862 §3.3).
    #[must_use]
    pub fn lang(&self) -> Option<&'a str> {
        request::split(self.parameters, b';').find_map(|p| p.strip_prefix("lang="))
    }

    /// The value as an address.
    ///
    /// # Errors
    /// [`ParseKind::Address`].
    pub fn address(&self) -> Result<Address<'a>, ParseError> {
        Address::read(self.raw_value, self.lenient).map_err(|kind| ParseError::new(kind, self.value_at()))
    }

    fn value_at(&self) -> usize {
        usize::try_from(self.value_offset).unwrap_or(usize::MAX)
    }
}
