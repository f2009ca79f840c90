//! What is wrong with a body, and what to answer.

use thiserror::Error;

/// The kind of a fault in a body. The text of each names the fault and fits a SIP Reason phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum ParseKind {
    /// The message or document is longer than the limit.
    #[error("Body Too Large")]
    TooLarge,
    /// The header groups are longer than the limit.
    #[error("CPIM Header Too Large")]
    HeaderTooLarge,
    /// There are more headers than the limit.
    #[error("Too Many CPIM Headers")]
    TooManyHeaders,
    /// The headers are not UTF-8 (RFC 3862 §2.2).
    #[error("CPIM Header Not UTF-8")]
    NotUtf8,
    /// A control character, or a CR or LF alone, in a header (RFC 3862 §2.2).
    #[error("Control Character In CPIM Header")]
    ControlCharacter,
    /// A line does not end with CR LF (RFC 3862 §2.2).
    #[error("Bad Line End In CPIM Header")]
    LineEnd,
    /// A line begins with white space (RFC 3862 §2.2 knows no folding).
    #[error("Folded CPIM Header")]
    Folded,
    /// The header group ends without a blank line.
    #[error("Missing Blank Line In CPIM")]
    MissingBlankLine,
    /// A line without a colon, or with a name outside RFC 3862 §3.6.
    #[error("Bad CPIM Header Name")]
    HeaderName,
    /// No single space after the colon or the parameters (RFC 3862 §2.2).
    #[error("Missing Space In CPIM Header")]
    MissingSpace,
    /// Header parameters that do not follow RFC 3862 §3.6.
    #[error("Bad CPIM Header Parameter")]
    HeaderParameter,
    /// An `NS` header that does not follow RFC 3862 §4.6.
    #[error("Bad CPIM NS Header")]
    Namespace,
    /// A prefix used before its declaration (RFC 3862 §3.4).
    #[error("Undeclared CPIM Prefix")]
    UndeclaredPrefix,
    /// A second header of a kind that may occur once.
    #[error("Duplicate CPIM Header")]
    DuplicateHeader,
    /// `Require` names something this reader does not know (RFC 3862 §3.5, CONV-BODY-016).
    #[error("Unknown CPIM Require")]
    UnknownRequire,
    /// A `From`, `To`, `cc` or route value that is not `[Formal-name] "<" URI ">"`.
    #[error("Bad CPIM Address")]
    Address,
    /// A `Message-ID` that is empty or has white space.
    #[error("Bad IMDN Message-ID")]
    MessageId,
    /// A list of disposition notifications that does not follow RFC 5438 §10.
    #[error("Bad Disposition-Notification")]
    Disposition,
    /// An IMDN is asked for without `Message-ID` or `DateTime` (RFC 5438 §7.1.1).
    #[error("IMDN Request Without Message-ID Or DateTime")]
    IncompleteRequest,
    /// Not an RFC 3339 date and time, or one before 1970.
    #[error("Bad DateTime")]
    DateTime,
    /// A MIME header line that does not follow RFC 2045.
    #[error("Bad MIME Header")]
    MimeHeader,
    /// A MIME header field that occurs twice.
    #[error("Duplicate MIME Header")]
    DuplicateMimeHeader,
    /// A media type that does not follow RFC 2045 §5.1.
    #[error("Bad Content-Type")]
    ContentType,
    /// A MIME parameter that does not follow RFC 2045 §5.1.
    #[error("Bad MIME Parameter")]
    Parameter,
    /// More MIME parameters than the limit.
    #[error("Too Many MIME Parameters")]
    TooManyParameters,
    /// `Content-Length` names more bytes than there are.
    #[error("Bad Content-Length")]
    ContentLength,
    /// A transfer encoding that is unknown to RFC 2045.
    #[error("Unknown Content-Transfer-Encoding")]
    UnknownTransferEncoding,
    /// The payload breaks the rules of its transfer encoding.
    #[error("Bad Transfer Encoding")]
    TransferEncoding,
    /// A content coding other than gzip, deflate and identity.
    #[error("Unknown Content-Encoding")]
    UnknownCoding,
    /// The compressed data is broken or its check value is wrong.
    #[error("Bad Compressed Data")]
    Compressed,
    /// The decoded data would be longer than the cap.
    #[error("Decoded Body Too Large")]
    DecodedTooLarge,
    /// A multipart type without a usable boundary (RFC 2046 §5.1.1).
    #[error("Bad Multipart Boundary")]
    Boundary,
    /// The closing boundary of a multipart is missing.
    #[error("Unterminated Multipart")]
    Unterminated,
    /// More parts than the limit.
    #[error("Too Many Parts")]
    TooManyParts,
    /// Deeper nesting of parts or elements than the limit.
    #[error("Nested Too Deep")]
    TooDeep,
    /// Not well-formed XML.
    #[error("Malformed XML")]
    Xml,
    /// A document type declaration, which is never accepted.
    #[error("XML DOCTYPE Refused")]
    Doctype,
    /// More attributes on an element than the limit.
    #[error("Too Many XML Attributes")]
    TooManyAttributes,
    /// The root is not `imdn` of its namespace.
    #[error("Not An IMDN Document")]
    NotImdn,
    /// `message-id`, `datetime` or `status` is missing.
    #[error("Missing IMDN Element")]
    MissingElement,
    /// An element that may occur once occurs twice.
    #[error("Duplicate IMDN Element")]
    DuplicateElement,
    /// No notification in the document.
    #[error("IMDN Without Notification")]
    NoNotification,
    /// More than one notification in the document (CONV-IMDN-001).
    #[error("Several Notifications In IMDN")]
    SeveralNotifications,
    /// An element where only text, or another element, may stand.
    #[error("Unexpected IMDN Element")]
    UnexpectedElement,
    /// A status that its notification does not know.
    #[error("Unknown IMDN Status")]
    UnknownStatus,
}

impl ParseKind {
    /// The SIP status a server owes for a request with this fault: 413 for size, 415 for a coding or type
    /// it does not know, else 400. The Reason phrase is the `Display` text.
    // spec: CONV-BODY-016
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::TooLarge | Self::DecodedTooLarge => 413,
            Self::UnknownCoding | Self::UnknownTransferEncoding => 415,
            _ => 400,
        }
    }
}

/// A fault in a body: what it is and where, in bytes from the start of what was given to the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[error("{kind} at byte {offset}")]
pub struct ParseError {
    /// What is wrong.
    pub kind: ParseKind,
    /// Where.
    pub offset: u32,
}

impl ParseError {
    pub(crate) fn new(kind: ParseKind, offset: usize) -> Self {
        Self { kind, offset: u32::try_from(offset).unwrap_or(u32::MAX) }
    }

    /// The same fault in a text that begins at `base` of a larger one.
    pub(crate) fn shifted(self, base: usize) -> Self {
        let base = u32::try_from(base).unwrap_or(u32::MAX);
        Self { kind: self.kind, offset: self.offset.saturating_add(base) }
    }
}

/// Why a builder refuses to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum WriteError {
    /// A header or parameter name outside its grammar.
    #[error("bad header name")]
    Name,
    /// A URI with a character that RFC 3986 does not allow, or without a scheme.
    #[error("bad URI")]
    Uri,
    /// A Message-ID that is not an RFC 3862 Token.
    #[error("bad message id")]
    MessageId,
    /// A MIME value with a control character.
    #[error("bad MIME header value")]
    MimeValue,
    /// A character that XML 1.0 cannot carry.
    #[error("character not allowed in XML")]
    XmlCharacter,
    /// An IMDN is asked for, but there is no Message-ID or no DateTime (RFC 5438 §7.1.1).
    #[error("an IMDN request needs message id and date")]
    IncompleteRequest,
    /// A payload that is itself an IMDN asks for an IMDN (RFC 5438 §7.2.1).
    #[error("an IMDN must not ask for an IMDN")]
    RequestInNotification,
    /// The boundary is empty, too long, has a character outside RFC 2046, or occurs in a part.
    #[error("bad or colliding boundary")]
    Boundary,
    /// The header groups would be longer than a reader accepts.
    #[error("headers too large")]
    TooLarge,
}
