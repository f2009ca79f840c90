//! Answering what cannot be parsed: the fields a response must copy are taken from the octets, line by line,
//! without asking whether their values make sense.

use super::{Head, HeaderId};
use crate::lex::{TOKEN, is};
use crate::{Limits, ParseError};

/// The response that a message with `error` is owed: status and reason of [`ParseError::answer`], with Via, From, To,
/// Call-ID and CSeq as far as they can be made out. `None` means silent drop: a response, an ACK, something that is
/// no request at all, or a request without any Via, whose sender could not tell what the answer belongs to.
// spec: RFC3261-8.2.6.2 RFC3261-17.1.1.3 RFC3261-18.1.2
pub fn reject(raw: &[u8], error: &ParseError, limits: &Limits) -> Option<Head> {
    let status = error.answer()?;
    let window = raw.get(..limits.head).unwrap_or(raw);
    let mut lines =
        window.split(|octet| *octet == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let start = lines.next()?;
    let method_len = start.iter().position(|octet| !is(*octet, TOKEN))?;
    if method_len == 0
        || start.get(method_len) != Some(&b' ')
        || start.get(..method_len) == Some(b"ACK".as_slice())
    {
        return None;
    }
    let mut head = Head::response(status.code, status.reason);
    let mut vias = 0_usize;
    let mut lines = lines.take_while(|line| !line.is_empty()).peekable();
    while let Some(line) = lines.next() {
        let (id, value) = field(line);
        let mut value = value.to_vec();
        while let Some(more) = lines.next_if(|line| matches!(line.first(), Some(b' ' | b'\t'))) {
            value.push(b' ');
            value.extend_from_slice(more);
        }
        let wanted = match id {
            Some(HeaderId::Via) => {
                vias = vias.saturating_add(1);
                vias <= limits.vias
            }
            Some(id) => head.header(id).is_none(),
            None => false,
        };
        if let (Some(id), true, Some(text)) = (id, wanted, echo(&value, limits)) {
            head.copy(id, text);
        }
    }
    head.header(HeaderId::Via).is_some().then_some(head)
}

/// A value that can be sent back.
fn echo<'a>(value: &'a [u8], limits: &Limits) -> Option<&'a str> {
    let text = core::str::from_utf8(value).ok()?.trim_matches([' ', '\t']);
    (super::head_writer::is_clean(text) && text.len() <= limits.value).then_some(text)
}

/// The field of a line, if it is one that a response copies.
fn field(line: &[u8]) -> (Option<HeaderId>, &[u8]) {
    let name_len = line.iter().position(|octet| !is(*octet, TOKEN)).unwrap_or(line.len());
    let (name, rest) = line.split_at_checked(name_len).unwrap_or((line, &[]));
    let blanks = rest.iter().take_while(|octet| matches!(octet, b' ' | b'\t')).count();
    let Some((b':', value)) = rest.get(blanks..).and_then(<[u8]>::split_first) else { return (None, &[]) };
    let id = HeaderId::of_octets(name);
    let copied =
        matches!(id, HeaderId::Via | HeaderId::From | HeaderId::To | HeaderId::CallId | HeaderId::CSeq);
    (copied.then_some(id), value)
}
