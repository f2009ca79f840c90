//! The writer of CPIM messages.

use super::{CPM_NAMESPACE, Dispositions, Field, IMDN_NAMESPACE, Namespace, address::format_address, escape};
use crate::{
    WriteError,
    datetime::Rfc3339,
    mime::{ContentType, write_field},
    text::{is_absolute_uri, is_name_char, is_token},
};
use std::time::Duration;

/// A CPIM message to be written. Headers come out in the order of CONV-BODY-001, whatever the order of the
/// calls. Values are escaped and names checked, so that no value can begin another line.
///
/// ```
/// use cpm_cpim::cpim::{CpimBuilder, Disposition};
///
/// let written = CpimBuilder::new("text/plain;charset=UTF-8", b"Hello")
///     .from("", "sip:anonymous@anonymous.invalid")
///     .to("", "sip:anonymous@anonymous.invalid")
///     .message_id("34jk324j")
///     .datetime_text("2006-04-04T12:16:49-05:00")
///     .want([Disposition::Display].into_iter().collect())
///     .write()?;
/// assert_eq!(
///     written,
///     b"From: <sip:anonymous@anonymous.invalid>\r\nTo: <sip:anonymous@anonymous.invalid>\r\n\
///       NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: 34jk324j\r\n\
///       DateTime: 2006-04-04T12:16:49-05:00\r\nimdn.Disposition-Notification: display\r\n\r\n\
///       Content-Type: text/plain;charset=UTF-8\r\nContent-Length: 5\r\n\r\nHello"
/// );
/// # Ok::<(), cpm_cpim::WriteError>(())
/// ```
#[derive(Clone, Debug)]
pub struct CpimBuilder<'a> {
    from: Option<(&'a str, &'a str)>,
    to: Vec<(&'a str, &'a str)>,
    cc: Vec<(&'a str, &'a str)>,
    namespaces: Vec<(&'a str, &'a str)>,
    message_id: Option<&'a str>,
    datetime: Option<String>,
    want: Dispositions,
    original_to: Option<(&'a str, &'a str)>,
    record_route: Vec<(&'a str, &'a str)>,
    route: Vec<(&'a str, &'a str)>,
    subjects: Vec<(Option<&'a str>, &'a str)>,
    payload_type: Option<&'a str>,
    require: Vec<&'a str>,
    extra: Vec<(&'a str, &'a str, &'a str)>,
    content_type: &'a str,
    mime: Vec<(&'a str, &'a str)>,
    body: &'a [u8],
}

impl<'a> CpimBuilder<'a> {
    /// A message with this payload and no headers yet. Addresses are given as formal name (may be empty) and
    /// URI.
    #[must_use]
    pub fn new(content_type: &'a str, body: &'a [u8]) -> Self {
        Self {
            from: None,
            to: Vec::new(),
            cc: Vec::new(),
            namespaces: Vec::new(),
            message_id: None,
            datetime: None,
            want: Dispositions::NONE,
            original_to: None,
            record_route: Vec::new(),
            route: Vec::new(),
            subjects: Vec::new(),
            payload_type: None,
            require: Vec::new(),
            extra: Vec::new(),
            content_type,
            mime: Vec::new(),
            body,
        }
    }

    /// Sets `From`.
    #[must_use]
    pub fn from(mut self, display: &'a str, uri: &'a str) -> Self {
        self.from = Some((display, uri));
        self
    }

    /// Adds a `To`.
    #[must_use]
    pub fn to(mut self, display: &'a str, uri: &'a str) -> Self {
        self.to.push((display, uri));
        self
    }

    /// Adds a `cc`.
    #[must_use]
    pub fn cc(mut self, display: &'a str, uri: &'a str) -> Self {
        self.cc.push((display, uri));
        self
    }

    /// Sets `imdn.Message-ID`, a Token of RFC 3862.
    #[must_use]
    pub fn message_id(mut self, id: &'a str) -> Self {
        self.message_id = Some(id);
        self
    }

    /// Sets `DateTime`, a time since the Unix epoch, written in UTC.
    #[must_use]
    pub fn datetime(mut self, time: Duration) -> Self {
        self.datetime = Some(Rfc3339(time).to_string());
        self
    }

    /// Sets `DateTime` to an RFC 3339 text.
    #[must_use]
    pub fn datetime_text(mut self, text: &'a str) -> Self {
        self.datetime = Some(text.to_owned());
        self
    }

    /// Sets `imdn.Disposition-Notification`.
    #[must_use]
    pub fn want(mut self, want: Dispositions) -> Self {
        self.want = want;
        self
    }

    /// Sets `imdn.Original-To`.
    #[must_use]
    pub fn original_to(mut self, display: &'a str, uri: &'a str) -> Self {
        self.original_to = Some((display, uri));
        self
    }

    /// Adds an `imdn.IMDN-Record-Route` below those there are.
    #[must_use]
    pub fn record_route(mut self, display: &'a str, uri: &'a str) -> Self {
        self.record_route.push((display, uri));
        self
    }

    /// Adds an `imdn.IMDN-Route` below those there are.
    #[must_use]
    pub fn route(mut self, display: &'a str, uri: &'a str) -> Self {
        self.route.push((display, uri));
        self
    }

    /// Adds a `Subject`, with its language if known.
    #[must_use]
    pub fn subject(mut self, lang: Option<&'a str>, text: &'a str) -> Self {
        self.subjects.push((lang, text));
        self
    }

    /// Sets `cpm.Payload-Type`.
    #[must_use]
    pub fn payload_type(mut self, kind: &'a str) -> Self {
        self.payload_type = Some(kind);
        self
    }

    /// Declares a prefix for [`CpimBuilder::header`]; `imdn` and `cpm` are declared as needed.
    #[must_use]
    pub fn namespace(mut self, prefix: &'a str, uri: &'a str) -> Self {
        self.namespaces.push((prefix, uri));
        self
    }

    /// Adds a name to `Require`, with its prefix.
    #[must_use]
    pub fn require(mut self, name: &'a str) -> Self {
        self.require.push(name);
        self
    }

    /// Adds a header of a declared prefix.
    #[must_use]
    pub fn header(mut self, prefix: &'a str, name: &'a str, value: &'a str) -> Self {
        self.extra.push((prefix, name, value));
        self
    }

    /// Adds a MIME header after Content-Type, such as Content-Disposition.
    #[must_use]
    pub fn mime(mut self, name: &'a str, value: &'a str) -> Self {
        self.mime.push((name, value));
        self
    }

    /// Writes the message. `Content-Length` is added.
    ///
    /// # Errors
    /// Any value that its header cannot carry, an incomplete IMDN request, or a request in an IMDN.
    // spec: CONV-BODY-001 CONV-BODY-006 CONV-BODY-014 CONV-BODY-017
    pub fn write(&self) -> Result<Vec<u8>, WriteError> {
        self.check_request()?;
        let mut head = String::with_capacity(512);
        self.write_addressing(&mut head)?;
        self.write_namespaces(&mut head)?;
        if let Some(id) = self.message_id {
            if !is_token(id) {
                return Err(WriteError::MessageId);
            }
            line(&mut head, "imdn.Message-ID", "", id);
        }
        if let Some(datetime) = &self.datetime {
            line(&mut head, "DateTime", "", datetime);
        }
        if !self.want.is_empty() {
            line(&mut head, "imdn.Disposition-Notification", "", &self.want.to_string());
        }
        if let Some((display, uri)) = self.original_to {
            raw_line(&mut head, "imdn.Original-To", &format_address(display, uri)?);
        }
        for (name, routes) in
            [("imdn.IMDN-Record-Route", &self.record_route), ("imdn.IMDN-Route", &self.route)]
        {
            for (display, uri) in routes {
                raw_line(&mut head, name, &format_address(display, uri)?);
            }
        }
        self.write_rest(&mut head)?;
        if head.len() > usize::from(u16::MAX) {
            return Err(WriteError::TooLarge);
        }
        let mut out = head.into_bytes();
        out.extend_from_slice(b"\r\n");
        write_field(&mut out, "Content-Type", self.content_type)?;
        for (name, value) in &self.mime {
            write_field(&mut out, name, value)?;
        }
        write_field(&mut out, "Content-Length", &self.body.len().to_string())?;
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(self.body);
        Ok(out)
    }

    // spec: RFC5438-7.1.1 RFC5438-7.2.1
    fn check_request(&self) -> Result<(), WriteError> {
        let kind = ContentType::parse(self.content_type, &crate::Limits::default())
            .map_err(|_| WriteError::MimeValue)?;
        if self.want.is_empty() {
            return Ok(());
        }
        if self.message_id.is_none() || self.datetime.is_none() {
            return Err(WriteError::IncompleteRequest);
        }
        if kind.is("message", "imdn+xml") {
            return Err(WriteError::RequestInNotification);
        }
        Ok(())
    }

    fn write_addressing(&self, head: &mut String) -> Result<(), WriteError> {
        for (name, addresses) in
            [("From", self.from.as_slice()), ("To", self.to.as_slice()), ("cc", self.cc.as_slice())]
        {
            for (display, uri) in addresses {
                raw_line(head, name, &format_address(display, uri)?);
            }
        }
        Ok(())
    }

    fn write_namespaces(&self, head: &mut String) -> Result<(), WriteError> {
        let imdn = self.message_id.is_some()
            || !self.want.is_empty()
            || self.original_to.is_some()
            || !self.record_route.is_empty()
            || !self.route.is_empty();
        let own = [("imdn", IMDN_NAMESPACE, imdn), ("cpm", CPM_NAMESPACE, self.payload_type.is_some())];
        for (prefix, uri, _) in own.into_iter().filter(|(.., used)| *used) {
            raw_line(head, "NS", &format!("{prefix} <{uri}>"));
        }
        for (prefix, uri) in &self.namespaces {
            let taken = own.into_iter().any(|(own, own_uri, used)| used && own == *prefix && own_uri != *uri);
            if taken || !is_name(prefix) {
                return Err(WriteError::Name);
            }
            if !uri.is_ascii() || !is_absolute_uri(uri) {
                return Err(WriteError::Uri);
            }
            raw_line(head, "NS", &format!("{prefix} <{uri}>"));
        }
        Ok(())
    }

    fn write_rest(&self, head: &mut String) -> Result<(), WriteError> {
        for (lang, text) in &self.subjects {
            let parameter = match lang {
                Some(lang)
                    if lang.is_empty() || !lang.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') =>
                {
                    return Err(WriteError::Name);
                }
                Some(lang) => format!(";lang={lang}"),
                None => String::new(),
            };
            line(head, "Subject", &parameter, text);
        }
        if let Some(kind) = self.payload_type {
            line(head, "cpm.Payload-Type", "", kind);
        }
        for name in &self.require {
            let (prefix, local) = name.split_once('.').unwrap_or(("p", name));
            if !is_name(prefix) || !is_name(local) {
                return Err(WriteError::Name);
            }
        }
        if !self.require.is_empty() {
            raw_line(head, "Require", &self.require.join(","));
        }
        for (prefix, name, value) in &self.extra {
            let declared = self.namespaces.iter().any(|(declared, _)| declared == prefix);
            if !declared || !is_name(name) {
                return Err(WriteError::Name);
            }
            line(head, &format!("{prefix}.{name}"), "", value);
        }
        Ok(())
    }
}

/// A `Name` of RFC 3862 §3.6 of a length that a reader accepts.
pub(super) fn is_name(text: &str) -> bool {
    (1..=120).contains(&text.len()) && text.bytes().all(is_name_char)
}

/// One header line with its value escaped.
pub(super) fn line(head: &mut String, name: &str, parameters: &str, value: &str) {
    for piece in [name, ":", parameters, " ", &escape::encode(value), "\r\n"] {
        head.push_str(piece);
    }
}

/// One header line with a value that is already in its wire form.
pub(super) fn raw_line(head: &mut String, name: &str, value: &str) {
    for piece in [name, ": ", value, "\r\n"] {
        head.push_str(piece);
    }
}

/// The prefix under which this crate declares a namespace, and its URI.
pub(super) fn own_prefix(namespace: Namespace) -> Option<(&'static str, &'static str)> {
    match namespace {
        Namespace::Imdn => Some(("imdn", IMDN_NAMESPACE)),
        Namespace::Cpm => Some(("cpm", CPM_NAMESPACE)),
        _ => None,
    }
}

impl Field {
    /// Whether the value is an address.
    pub(super) fn is_address(self) -> bool {
        matches!(self, Self::From | Self::To | Self::Cc | Self::OriginalTo | Self::RecordRoute | Self::Route)
    }
}
