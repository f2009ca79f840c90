//! What the owned and the borrowed message have in common: the rules at the end of the scan, and the accessors.

use crate::{Limits, ParseError, ParseKind};

/// The head as text.
pub(super) fn head_text(raw: &[u8], head: usize) -> Result<&str, ParseError> {
    core::str::from_utf8(raw.get(..head).unwrap_or(raw))
        .map_err(|error| ParseError::new(ParseKind::Encoding, error.valid_up_to()))
}

/// Turns the line end of every fold into two spaces, so that offsets stay the same (RFC 3261 §7.3.1).
// spec: RFC3261-7.3.1
pub(super) fn unfold(head: &str) -> Box<str> {
    let mut text = String::with_capacity(head.len());
    let mut done = 0_usize;
    for at in memchr::memmem::find_iter(head.as_bytes(), b"\r\n") {
        let next = at.saturating_add(2);
        if matches!(head.as_bytes().get(next), Some(b' ' | b'\t')) {
            text.push_str(head.get(done..at).unwrap_or(""));
            text.push_str("  ");
            done = next;
        }
    }
    text.push_str(head.get(done..).unwrap_or(""));
    text.into_boxed_str()
}

/// Where the message ends.
pub(super) fn body_end(
    total: usize,
    head: usize,
    content_length: Option<u64>,
    limits: &Limits,
) -> Result<usize, ParseError> {
    let there = total.saturating_sub(head);
    let body = content_length.map_or(Some(there), |length| usize::try_from(length).ok());
    match body {
        Some(body) if body > limits.body => Err(ParseError::new(ParseKind::BodyTooLarge, head)),
        None => Err(ParseError::new(ParseKind::BodyTooLarge, head)),
        Some(body) if body > there => Err(ParseError::new(ParseKind::BodyIncomplete, total)),
        Some(body) => Ok(head.saturating_add(body)),
    }
}

/// The accessors of a type with `text`, `spans` and `start`.
macro_rules! accessors {
    ($type:ident, [$($lifetime:lifetime)?]) => {
        /// The start line and the fields as they are.
        impl $type$(<$lifetime>)? {
            /// Whether this is a request.
            pub fn is_request(&self) -> bool {
                matches!(self.start, crate::lex::StartLine::Request { .. })
            }

            /// The method of a request.
            pub fn method(&self) -> Option<crate::Method<'_>> {
                match self.start {
                    crate::lex::StartLine::Request { method_end, .. } => {
                        Some(crate::Method::of(self.text(0, usize::from(method_end))))
                    }
                    crate::lex::StartLine::Response { .. } => None,
                }
            }

            /// The Request-URI of a request.
            pub fn request_uri(&self) -> Option<&str> {
                match self.start {
                    crate::lex::StartLine::Request { method_end, uri_end } => {
                        let at = usize::from(method_end).saturating_add(1);
                        Some(self.text(at, usize::from(uri_end).saturating_sub(at)))
                    }
                    crate::lex::StartLine::Response { .. } => None,
                }
            }

            /// The status code of a response.
            pub fn status(&self) -> Option<u16> {
                match self.start {
                    crate::lex::StartLine::Response { code, .. } => Some(code),
                    crate::lex::StartLine::Request { .. } => None,
                }
            }

            /// The reason phrase of a response, perhaps empty.
            pub fn reason(&self) -> Option<&str> {
                match self.start {
                    crate::lex::StartLine::Response { reason_at, reason_end, .. } => {
                        let len = usize::from(reason_end.saturating_sub(reason_at));
                        Some(self.text(usize::from(reason_at), len))
                    }
                    crate::lex::StartLine::Request { .. } => None,
                }
            }

            /// The value of the first field of this kind, folds turned into spaces.
            pub fn header(&self, id: crate::HeaderId) -> Option<&str> {
                self.parts(id).next().map(|part| part.text)
            }

            /// The values of all fields of this kind, in order; a comma list is not taken apart.
            pub fn headers(&self, id: crate::HeaderId) -> impl Iterator<Item = &str> {
                self.parts(id).map(|part| part.text)
            }

            /// The values of all fields of this name, known to us or not.
            pub fn headers_named<'n>(&'n self, name: &'n str) -> impl Iterator<Item = &'n str> {
                let id = crate::HeaderId::of(name);
                self.all_headers()
                    .filter(move |(of, of_name, _)| {
                        *of == id && (id != crate::HeaderId::Other || of_name.eq_ignore_ascii_case(name))
                    })
                    .map(|(_, _, value)| value)
            }

            /// Every field in order: number, name in the letters of the message, value.
            pub fn all_headers(&self) -> impl Iterator<Item = (crate::HeaderId, &str, &str)> {
                self.spans().iter().map(|span| {
                    let name = self.text(usize::from(span.name_at), usize::from(span.name_len));
                    (span.id, name, self.text(usize::from(span.value_at), usize::from(span.value_len)))
                })
            }

            pub(crate) fn parts(&self, id: crate::HeaderId) -> impl Iterator<Item = crate::header::Part<'_>> {
                self.spans().iter().filter(move |span| span.id == id).map(|span| crate::header::Part {
                    text: self.text(usize::from(span.value_at), usize::from(span.value_len)),
                    at: span.value_at,
                })
            }

            /// The value of a field that stands once.
            fn one<'v, T: crate::lex::Read<'v>>(&'v self, id: crate::HeaderId) -> Result<Option<T>, crate::ParseError> {
                let Some(part) = self.parts(id).next() else { return Ok(None) };
                T::read_all(part.text).map(Some).map_err(|error| error.in_field(id, usize::from(part.at)))
            }

            /// The value of a field that must stand once.
            fn must<'v, T: crate::lex::Read<'v>>(&'v self, id: crate::HeaderId) -> Result<T, crate::ParseError> {
                let part = self.parts(id).next();
                let part = part.ok_or_else(|| crate::ParseError::new(crate::ParseKind::Missing(id), 0))?;
                T::read_all(part.text).map_err(|error| error.in_field(id, usize::from(part.at)))
            }

            /// The elements of all fields of one kind.
            fn list<'v, T: crate::lex::Read<'v>>(
                &'v self,
                id: crate::HeaderId,
            ) -> impl Iterator<Item = Result<T, crate::ParseError>> {
                crate::header::Values::new(id, self.parts(id))
            }

            /// The values of fields that hold one each.
            fn each<'v, T: crate::lex::Read<'v>>(
                &'v self,
                id: crate::HeaderId,
            ) -> impl Iterator<Item = Result<T, crate::ParseError>> {
                self.parts(id).map(move |part| {
                    T::read_all(part.text).map_err(|error| error.in_field(id, usize::from(part.at)))
                })
            }
        }

        crate::msg::typed::typed! { $type, [$($lifetime)?] }
    };
}

pub(super) use accessors;
