//! The edits of an intermediary: what is not touched stays byte for byte.

use super::{
    Cpim, Field, Header, Namespace,
    address::format_address,
    build::{is_name, line, own_prefix, raw_line},
    escape,
};
use crate::WriteError;

/// A changed copy of a message. A PF relays CPIM unchanged but for what it must: a copy to the sender's own
/// Devices loses `Disposition-Notification` (CONV-PF-032), a CF re-originates `From` and `To`.
///
/// ```
/// use cpm_cpim::{Limits, cpim::{Cpim, Field}};
///
/// let raw = b"From: <sip:a@x.test>\r\nTo: <sip:b@x.test>\r\n\r\nContent-Type: text/plain\r\n\r\nhi";
/// let message = Cpim::parse(raw, &Limits::default())?;
/// let changed = message.edit().set_address(Field::From, "", "sip:c@x.test")?.write();
/// assert!(changed.starts_with(b"From: <sip:c@x.test>\r\nTo: <sip:b@x.test>\r\n\r\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct CpimEdit<'v, 'a> {
    view: &'v Cpim<'a>,
    removed: Vec<Field>,
    replaced: Vec<(Field, String)>,
    /// Before the first header of that field, else at the end of the headers.
    topmost: Vec<(Field, String)>,
    appended: Vec<(Field, String)>,
    /// Further lines at the end, complete.
    lines: String,
}

impl<'v, 'a> CpimEdit<'v, 'a> {
    pub(super) fn new(view: &'v Cpim<'a>) -> Self {
        Self {
            view,
            removed: Vec::new(),
            replaced: Vec::new(),
            topmost: Vec::new(),
            appended: Vec::new(),
            lines: String::new(),
        }
    }

    /// Removes every header of a field. `NS` stays, since other names depend on it.
    #[must_use]
    pub fn remove(mut self, field: Field) -> Self {
        if field != Field::Ns {
            self.removed.push(field);
        }
        self
    }

    /// Gives a field this address: the first header of it is replaced in its place, further ones are
    /// removed, and if there is none it is added at the end.
    ///
    /// # Errors
    /// [`WriteError::Uri`]; [`WriteError::Name`] for a field whose value is no address.
    // spec: CONV-BODY-005 CONV-PF-032
    pub fn set_address(mut self, field: Field, display: &str, uri: &str) -> Result<Self, WriteError> {
        let value = address(field, display, uri)?;
        self.replaced.retain(|(f, _)| *f != field);
        self.replaced.push((field, value));
        Ok(self)
    }

    /// Gives a field this text, escaped; else as [`CpimEdit::set_address`].
    ///
    /// # Errors
    /// [`WriteError::Name`] for an address, `NS`, or no known field.
    pub fn set(mut self, field: Field, value: &str) -> Result<Self, WriteError> {
        if field.is_address() || matches!(field, Field::Ns | Field::Require | Field::Other) {
            return Err(WriteError::Name);
        }
        self.replaced.retain(|(f, _)| *f != field);
        self.replaced.push((field, escape::encode(value).into_owned()));
        Ok(self)
    }

    /// Adds a header with an address after all others.
    ///
    /// # Errors
    /// As [`CpimEdit::set_address`].
    pub fn append_address(mut self, field: Field, display: &str, uri: &str) -> Result<Self, WriteError> {
        self.appended.push((field, address(field, display, uri)?));
        Ok(self)
    }

    /// Adds a header with an address above those of its field, as an intermediary does with its own
    /// `IMDN-Record-Route` (RFC 5438 §8).
    ///
    /// # Errors
    /// As [`CpimEdit::set_address`].
    // spec: CONV-BODY-008
    pub fn prepend_address(mut self, field: Field, display: &str, uri: &str) -> Result<Self, WriteError> {
        self.topmost.push((field, address(field, display, uri)?));
        Ok(self)
    }

    /// Adds a header of any namespace at the end, with a declaration of `prefix` before it.
    ///
    /// # Errors
    /// [`WriteError::Name`], [`WriteError::Uri`].
    pub fn append(
        mut self,
        prefix: &str,
        namespace: &str,
        name: &str,
        value: &str,
    ) -> Result<Self, WriteError> {
        if !is_name(prefix) || !is_name(name) {
            return Err(WriteError::Name);
        }
        if !namespace.is_ascii() || !crate::text::is_absolute_uri(namespace) {
            return Err(WriteError::Uri);
        }
        raw_line(&mut self.lines, "NS", &format!("{prefix} <{namespace}>"));
        line(&mut self.lines, &format!("{prefix}.{name}"), "", value);
        Ok(self)
    }

    /// Writes the changed message.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let raw = self.view.raw();
        let mut head = String::with_capacity(raw.len().saturating_add(256));
        let mut set = Vec::new();
        let mut topmost = self.topmost.clone();
        let headers: Vec<Header<'a>> = self.view.headers().collect();
        let mut prefixes: Vec<(&str, &str)> = Vec::new();
        for (index, header) in headers.iter().enumerate() {
            let end =
                headers.get(index.saturating_add(1)).map_or(self.view.headers_end(), |next| start(next));
            let original = text(raw, start(header), end);
            if header.field == Field::Ns {
                prefixes.extend(super::scan::split_declaration(header.raw_value));
            }
            // The last one added becomes the topmost.
            let mut at = topmost.len();
            while let Some(i) = at.checked_sub(1) {
                at = i;
                if topmost.get(i).is_some_and(|(field, _)| *field == header.field) {
                    let (_, value) = topmost.remove(i);
                    raw_line(&mut head, &written_name(header), &value);
                }
            }
            if self.removed.contains(&header.field) {
                continue;
            }
            match self.replaced.iter().find(|(field, _)| *field == header.field) {
                Some((field, value)) => {
                    if !set.contains(field) {
                        set.push(*field);
                        raw_line(&mut head, &written_name(header), value);
                    }
                }
                None => head.push_str(original),
            }
        }
        let missing = self.replaced.iter().filter(|(field, _)| !set.contains(field));
        for (field, value) in missing.chain(topmost.iter().rev()).chain(&self.appended) {
            add(&mut head, &mut prefixes, *field, value);
        }
        head.push_str(&self.lines);
        let rest = raw.get(self.view.headers_end()..).unwrap_or(&[]);
        let mut out = head.into_bytes();
        // A message without the first blank line gets one, so that the added lines cannot be misread.
        if !rest.starts_with(b"\r\n") && !rest.starts_with(b"\n") {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(rest);
        out
    }
}

fn address(field: Field, display: &str, uri: &str) -> Result<String, WriteError> {
    if field.is_address() { format_address(display, uri) } else { Err(WriteError::Name) }
}

fn start(header: &Header<'_>) -> usize {
    usize::try_from(header.offset).unwrap_or(usize::MAX)
}

/// A piece of the header lines, which the view has checked to be UTF-8.
fn text(raw: &[u8], from: usize, to: usize) -> &str {
    raw.get(from..to).and_then(|piece| std::str::from_utf8(piece).ok()).unwrap_or("")
}

fn written_name(header: &Header<'_>) -> String {
    match header.prefix {
        "" => header.name.to_owned(),
        prefix => format!("{prefix}.{}", header.name),
    }
}

/// Adds a header of a known field under the prefix that the message has for its namespace; where it has
/// none, under a new one.
fn add<'p>(head: &mut String, prefixes: &mut Vec<(&'p str, &'p str)>, field: Field, value: &str) {
    let default_changed = prefixes.iter().any(|(prefix, _)| prefix.is_empty());
    let namespace = field.namespace();
    let (own, uri) = match own_prefix(namespace) {
        Some(own) => own,
        None if namespace == Namespace::Cpim && default_changed => ("cpim", super::CPIM_NAMESPACE),
        None => return raw_line(head, field.name(), value),
    };
    // The newest declaration of a prefix is the one in force.
    let known = prefixes.iter().enumerate().rev().find(|(i, (prefix, declared))| {
        *declared == uri
            && !prefix.is_empty()
            && !prefixes.iter().skip(i.saturating_add(1)).any(|(later, _)| later == prefix)
    });
    let prefix = match known {
        Some((_, (prefix, _))) => *prefix,
        None => {
            raw_line(head, "NS", &format!("{own} <{uri}>"));
            prefixes.push((own, uri));
            own
        }
    };
    raw_line(head, &format!("{prefix}.{}", field.name()), value);
}
