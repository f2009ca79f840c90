//! What can be wrong with a message, where, and which answer that owes (architecture §13).

use crate::msg::HeaderId;
use thiserror::Error;

/// What is wrong at one place of a header field value or URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum Fault {
    /// A token was expected (RFC 3261 §25.1).
    #[error("a token was expected")]
    Token,
    /// A quoted string does not end, or holds what it may not.
    #[error("malformed quoted string")]
    QuotedString,
    /// Not a URI, or not one that may stand here.
    #[error("malformed URI")]
    Uri,
    /// Not a host name, IPv4 address or bracketed IPv6 address.
    #[error("malformed host")]
    Host,
    /// Not a port from 1 to 65535.
    #[error("malformed port")]
    Port,
    /// Not a parameter, or one that may stand once stands twice.
    #[error("malformed parameter")]
    Param,
    /// Digits were expected.
    #[error("a number was expected")]
    Number,
    /// The number is outside its range.
    #[error("number out of range")]
    Range,
    /// `%` is not followed by two hexadecimal digits.
    #[error("malformed escape")]
    Escape,
    /// A value or list element is empty.
    #[error("empty value")]
    Empty,
    /// Something follows a complete value.
    #[error("unexpected characters after the value")]
    Trailing,
    /// A character that may not stand here.
    #[error("character not allowed here")]
    Character,
    /// The protocol is not `SIP/2.0`.
    #[error("not SIP/2.0")]
    Version,
    /// Not a date of RFC 1123 in GMT.
    #[error("malformed date")]
    Date,
    /// A field that stands once per message has several values.
    #[error("more than one value")]
    Several,
}

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum ParseKind {
    /// No octets.
    #[error("empty message")]
    Empty,
    /// No empty line ends the head.
    #[error("the head does not end")]
    Incomplete,
    /// A CR without LF or an LF without CR.
    #[error("bare CR or LF")]
    LineEnd,
    /// A NUL that is not part of a quoted pair.
    #[error("NUL in the head")]
    Nul,
    /// The head is not UTF-8.
    #[error("the head is not UTF-8")]
    Encoding,
    /// Neither a request line nor a status line.
    #[error("malformed start line")]
    StartLine,
    /// The Request-URI is malformed.
    #[error("malformed Request-URI: {0}")]
    RequestUri(Fault),
    /// The Request-URI is longer than the limit.
    #[error("Request-URI too long")]
    UriTooLong,
    /// A well formed version other than 2.0.
    #[error("unsupported SIP version")]
    UnsupportedVersion,
    /// A status code outside 100 to 699.
    #[error("status code out of range")]
    StatusCode,
    /// The head is larger than the limit.
    #[error("head too large")]
    HeadTooLarge,
    /// More header fields than the limit.
    #[error("too many header fields")]
    TooManyFields,
    /// A header field value longer than the limit.
    #[error("header field too long")]
    ValueTooLong,
    /// A header field name is no token or lacks its colon.
    #[error("malformed header field name")]
    FieldName,
    /// A mandatory field is missing.
    #[error("missing {0}")]
    Missing(HeaderId),
    /// A field that may stand once stands more often.
    #[error("duplicate {0}")]
    Duplicate(HeaderId),
    /// A field value does not fit its grammar.
    #[error("malformed {0}: {1}")]
    Invalid(HeaderId, Fault),
    /// More values of a field than the limit.
    #[error("too many {0} values")]
    TooMany(HeaderId),
    /// More parameters on a value than the limit.
    #[error("too many parameters in {0}")]
    TooManyParams(HeaderId),
    /// The method of the CSeq is not that of the request line.
    #[error("CSeq method differs from the request")]
    CSeqMethod,
    /// Content-Length promises more than there is.
    #[error("body shorter than Content-Length")]
    BodyIncomplete,
    /// The body is larger than the limit.
    #[error("body too large")]
    BodyTooLarge,
    /// A stand-alone value (URI, header field value) does not fit its grammar.
    #[error("{0}")]
    Syntax(Fault),
}

/// What is wrong, and at which octet. In a [`Message`](crate::Message) the offset counts from its first octet; in
/// a value parsed alone, from the start of the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[error("{kind} at octet {offset}")]
pub struct ParseError {
    /// What is wrong.
    pub kind: ParseKind,
    /// Where it shows.
    pub offset: u32,
}

/// A status code with its reason phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Status {
    /// 100 to 699.
    pub code: u16,
    /// What the status line says after the code.
    pub reason: &'static str,
}

impl ParseError {
    pub(crate) fn new(kind: ParseKind, offset: usize) -> Self {
        Self { kind, offset: u32::try_from(offset).unwrap_or(u32::MAX) }
    }

    /// Moves an error of a value parsed alone to the field `id` whose value begins at `base`.
    pub(crate) fn in_field(self, id: HeaderId, base: usize) -> Self {
        let kind = match self.kind {
            ParseKind::Syntax(fault) => ParseKind::Invalid(id, fault),
            other => other,
        };
        let base = u32::try_from(base).unwrap_or(u32::MAX);
        Self { kind, offset: self.offset.saturating_add(base) }
    }

    /// Moves an error of a part to the text that holds it.
    pub(crate) fn shifted(self, base: usize) -> Self {
        let base = u32::try_from(base).unwrap_or(u32::MAX);
        Self { offset: self.offset.saturating_add(base), ..self }
    }

    /// The answer this owes to the sender of a request; `None` for what only a response can have. Whether a
    /// request may be answered at all (an ACK may not) is decided by [`reject`](crate::reject).
    // spec: RFC3261-21.4.1
    pub fn answer(&self) -> Option<Status> {
        let (code, reason) = match self.kind {
            ParseKind::StatusCode => return None,
            ParseKind::Empty | ParseKind::Incomplete => (400, "Incomplete message head"),
            ParseKind::LineEnd => (400, "Bare CR or LF in the message head"),
            ParseKind::Nul => (400, "NUL in the message head"),
            ParseKind::Encoding => (400, "Message head is not UTF-8"),
            ParseKind::StartLine => (400, "Malformed request line"),
            ParseKind::RequestUri(_) => (400, "Malformed Request-URI"),
            ParseKind::UriTooLong => (414, "Request-URI Too Long"),
            ParseKind::UnsupportedVersion => (505, "Version Not Supported"),
            ParseKind::HeadTooLarge => (513, "Message Too Large"),
            ParseKind::TooManyFields => (400, "Too many header fields"),
            ParseKind::ValueTooLong => (400, "Header field too long"),
            ParseKind::FieldName => (400, "Malformed header field name"),
            ParseKind::Missing(id) => (400, id.phrases().missing),
            ParseKind::Duplicate(id) => (400, id.phrases().duplicate),
            ParseKind::Invalid(id, _) => (400, id.phrases().malformed),
            ParseKind::TooMany(HeaderId::Via) => (483, "Too Many Hops"),
            ParseKind::TooMany(id) => (400, id.phrases().too_many),
            ParseKind::TooManyParams(id) => (400, id.phrases().params),
            ParseKind::CSeqMethod => (400, "CSeq method does not match the request method"),
            ParseKind::BodyIncomplete => (400, "Body shorter than Content-Length"),
            ParseKind::BodyTooLarge => (413, "Request Entity Too Large"),
            ParseKind::Syntax(_) => (400, "Bad Request"),
        };
        Some(Status { code, reason })
    }
}

/// The reason phrase that RFC 3261 §21 and the RFCs that extend it give a status code; for an unknown code that
/// of its class.
pub fn reason_phrase(code: u16) -> &'static str {
    match code {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        183 => "Session Progress",
        199 => "Early Dialog Terminated",
        200 => "OK",
        202 => "Accepted",
        204 => "No Notification",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        305 => "Use Proxy",
        380 => "Alternative Service",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        412 => "Conditional Request Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        421 => "Extension Required",
        422 => "Session Interval Too Small",
        423 => "Interval Too Brief",
        428 => "Use Identity Header",
        430 => "Flow Failed",
        433 => "Anonymity Disallowed",
        439 => "First Hop Lacks Outbound Support",
        440 => "Max-Breadth Exceeded",
        469 => "Bad Info Package",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        485 => "Ambiguous",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        491 => "Request Pending",
        493 => "Undecipherable",
        494 => "Security Agreement Required",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        580 => "Precondition Failure",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        606 => "Not Acceptable",
        _ => class_phrase(code),
    }
}

/// What a code of this class means at the least (RFC 3261 §8.1.3.2).
fn class_phrase(code: u16) -> &'static str {
    match code {
        ..=199 => "Session Progress",
        200..=299 => "OK",
        300..=399 => "Multiple Choices",
        400..=499 => "Bad Request",
        500..=599 => "Server Internal Error",
        _ => "Busy Everywhere",
    }
}
