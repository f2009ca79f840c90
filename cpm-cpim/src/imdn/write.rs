//! Writes IMDN documents.

use std::fmt::Write;

use super::{EXTENSION_NAMESPACE, IMDN_XML_NAMESPACE, Imdn, Kind};
use crate::WriteError;

// spec: RFC5438-11.1 CONV-IMDN-002 CONV-IMDN-003 CONV-IMDN-004
pub(super) fn write(imdn: &Imdn<'_>) -> Result<String, WriteError> {
    let mut out = String::with_capacity(512);
    let kind = imdn.notification.kind();
    let _ = write!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<imdn xmlns=\"{IMDN_XML_NAMESPACE}\"");
    if kind == Some(Kind::Interworking) {
        let _ = write!(out, " xmlns:cpm=\"{EXTENSION_NAMESPACE}\"");
    }
    out.push_str(">\n");
    element(&mut out, "message-id", Some(&imdn.message_id))?;
    element(&mut out, "datetime", Some(&imdn.datetime))?;
    element(&mut out, "recipient-uri", imdn.recipient_uri.as_deref())?;
    element(&mut out, "original-recipient-uri", imdn.original_recipient_uri.as_deref())?;
    element(&mut out, "subject", imdn.subject.as_deref())?;
    if let Some(kind) = kind {
        let prefix = if kind == Kind::Interworking { "cpm:" } else { "" };
        let (name, status) = (kind.element(), imdn.notification.status());
        let _ = writeln!(
            out,
            "<{prefix}{name}><{prefix}status><{prefix}{status}/></{prefix}status></{prefix}{name}>"
        );
    }
    out.push_str("</imdn>\n");
    Ok(out)
}

fn element(out: &mut String, name: &str, text: Option<&str>) -> Result<(), WriteError> {
    let Some(text) = text else { return Ok(()) };
    let _ = write!(out, "<{name}>");
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // A bare CR would be read as LF (XML 1.0 §2.11).
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' | '\u{20}'..='\u{fffd}' | '\u{10000}'.. => out.push(c),
            _ => return Err(WriteError::XmlCharacter),
        }
    }
    let _ = writeln!(out, "</{name}>");
    Ok(())
}
