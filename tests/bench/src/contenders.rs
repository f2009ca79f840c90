//! Every parser behind the same two calls: `parse` (start line, every header split and named) and `typed` (parse,
//! then the top Via with its branch, From with its tag, To, Call-ID, CSeq, and the first Contact or else Route).
//!
//! A contender gives a number that depends on what it read, so that nothing can be optimised away, or none if it
//! cannot read the message.

use bytes::Bytes;

/// A parser.
pub struct Contender {
    /// Its name and version.
    pub name: &'static str,
    /// Splits the whole head.
    pub parse: fn(&Bytes) -> Option<usize>,
    /// Parses and decodes the six routing headers; none where the contender has no such thing.
    pub typed: Option<fn(&Bytes) -> Option<usize>>,
}

/// Bounds first, then ours, then the peers.
pub fn all() -> Vec<Contender> {
    vec![
        Contender { name: "memchr (bound: line and colon scan)", parse: bounds::memchr_scan, typed: None },
        Contender { name: "httparse 1.10.1 (bound: header tokens)", parse: bounds::httparse, typed: None },
        Contender { name: "cpm-sip, borrowed view", parse: ours::view, typed: Some(ours::view_typed) },
        Contender { name: "cpm-sip, owned message", parse: ours::message, typed: Some(ours::message_typed) },
        Contender { name: "rsipstack 0.7.14", parse: rsipstack::parse, typed: Some(rsipstack::typed) },
        Contender { name: "sipx-sip 1.0.1", parse: sipx::parse, typed: Some(sipx::typed) },
        Contender { name: "rsip 0.4.0", parse: rsip::parse, typed: Some(rsip::typed) },
        Contender { name: "ezk-sip-types 0.6.5", parse: ezk::parse, typed: Some(ezk::typed) },
    ]
}

mod bounds {
    use super::Bytes;

    /// Finds the end of every line and its first colon; checks nothing.
    pub(super) fn memchr_scan(raw: &Bytes) -> Option<usize> {
        let mut rest = &raw[..];
        let mut sum = 0;
        loop {
            let end = memchr::memchr(b'\n', rest)?;
            let line = rest.get(..end)?;
            if line.len() <= 1 {
                return Some(sum);
            }
            sum += memchr::memchr(b':', line).unwrap_or(0);
            rest = rest.get(end + 1..)?;
        }
    }

    pub(super) fn httparse(raw: &Bytes) -> Option<usize> {
        let start = memchr::memchr(b'\n', raw)?;
        let mut headers = [httparse::EMPTY_HEADER; 64];
        match httparse::parse_headers(raw.get(start + 1..)?, &mut headers) {
            Ok(httparse::Status::Complete((length, headers))) => Some(length + headers.len()),
            _ => None,
        }
    }
}

mod sipx {
    use super::Bytes;
    use sipx_sip::headers::{CSeq, CallId, ContactValue, From, Route, To, Via};
    use sipx_sip::{Limits, Message, parse_datagram};

    fn read(raw: &Bytes) -> Option<Message> {
        parse_datagram(raw.clone(), &Limits::datagram()).ok()
    }

    pub(super) fn parse(raw: &Bytes) -> Option<usize> {
        Some(read(raw)?.headers().len())
    }

    pub(super) fn typed(raw: &Bytes) -> Option<usize> {
        let message = read(raw)?;
        let headers = message.headers();
        let via = headers.typed::<Via>()?.ok()?;
        let from = headers.typed::<From>()?.ok()?;
        let to = headers.typed::<To>()?.ok()?;
        let call_id = headers.typed::<CallId>()?.ok()?;
        let cseq = headers.typed::<CSeq>()?.ok()?;
        let last = match headers.typed::<ContactValue>() {
            Some(contact) => size_of_val(&contact.ok()?),
            None => size_of_val(&headers.typed::<Route>()?.ok()?),
        };
        let sum = via.branch()?.len() + from.0.tag()?.len() + to.0.params.len() + call_id.0.len();
        Some(sum + cseq.sequence as usize + last)
    }
}

mod rsipstack {
    use super::Bytes;
    use ::rsipstack::sip::prelude::*;
    use ::rsipstack::sip::{HasHeaders, HeadersExt, SipMessage};

    fn read(raw: &Bytes) -> Option<SipMessage> {
        SipMessage::try_from(raw.clone()).ok()
    }

    pub(super) fn parse(raw: &Bytes) -> Option<usize> {
        Some(read(raw)?.headers().iter().count())
    }

    pub(super) fn typed(raw: &Bytes) -> Option<usize> {
        let message = read(raw)?;
        let via = message.top_via_header().ok()?.typed().ok()?;
        let from = message.from_header().ok()?.typed().ok()?;
        let to = message.to_header().ok()?.typed().ok()?;
        let call_id = message.call_id_header().ok()?;
        let cseq = message.cseq_header().ok()?.typed().ok()?;
        let last = match message.contact_header() {
            Ok(contact) => size_of_val(&contact.typed().ok()?),
            Err(_) => size_of_val(&message.route_header()?.typed().ok()?),
        };
        let sum = via.params.len() + from.tag()?.value().len() + to.params.len() + call_id.value().len();
        Some(sum + cseq.seq as usize + last)
    }
}

mod rsip {
    use super::Bytes;
    use ::rsip::SipMessage;
    use ::rsip::message::{HasHeaders, HeadersExt};
    use ::rsip::prelude::*;

    fn read(raw: &Bytes) -> Option<SipMessage> {
        SipMessage::try_from(raw.clone()).ok()
    }

    pub(super) fn parse(raw: &Bytes) -> Option<usize> {
        Some(read(raw)?.headers().iter().count())
    }

    pub(super) fn typed(raw: &Bytes) -> Option<usize> {
        let message = read(raw)?;
        let via = message.via_header().ok()?.typed().ok()?;
        let from = message.from_header().ok()?.typed().ok()?;
        let to = message.to_header().ok()?.typed().ok()?;
        let call_id = message.call_id_header().ok()?;
        let cseq = message.cseq_header().ok()?.typed().ok()?;
        let last = match message.contact_header() {
            Ok(contact) => size_of_val(&contact.typed().ok()?),
            Err(_) => size_of_val(&message.route_header()?.typed().ok()?),
        };
        let sum =
            via.branch()?.value().len() + from.tag()?.value().len() + to.params.len() + call_id.value().len();
        Some(sum + cseq.seq as usize + last)
    }
}

mod ezk {
    use super::Bytes;
    use ezk_sip_types::header::typed::{CSeq, CallID, Contact, FromTo, Routing, Via};
    use ezk_sip_types::msg::{Line, MessageLine, PullParser};
    use ezk_sip_types::parse::Parse;
    use ezk_sip_types::{Headers, Name};

    fn read(raw: &Bytes) -> Option<(MessageLine, Headers)> {
        let mut parser = PullParser::new(raw, 0);
        let first = std::str::from_utf8(parser.next()?.ok()?).ok()?;
        let (_, start) = MessageLine::parse(raw)(first).ok()?;
        let mut headers = Headers::with_capacity(16);
        for line in parser {
            let line = std::str::from_utf8(line.ok()?).ok()?;
            let (_, line) = Line::parse(raw, line).ok()?;
            headers.insert(line.name, line.value);
        }
        Some((start, headers))
    }

    pub(super) fn parse(raw: &Bytes) -> Option<usize> {
        let (start, headers) = read(raw)?;
        Some(usize::from(start.is_request()) + headers.iter().count())
    }

    pub(super) fn typed(raw: &Bytes) -> Option<usize> {
        let (_, headers) = read(raw)?;
        let vias: Vec<Via> = headers.get_named().ok()?;
        let from: FromTo = headers.get(Name::FROM).ok()?;
        let to: FromTo = headers.get(Name::TO).ok()?;
        let call_id: CallID = headers.get_named().ok()?;
        let cseq: CSeq = headers.get_named().ok()?;
        let last = match headers.try_get_named::<Contact>() {
            Some(contact) => size_of_val(&contact.ok()?),
            None => size_of_val(&headers.get::<Vec<Routing>>(Name::ROUTE).ok()?),
        };
        let branch = vias.first()?.params.get_val("branch")?.len();
        let sum = branch + from.tag.as_ref()?.len() + to.tag.map_or(0, |tag| tag.len()) + call_id.0.len();
        Some(sum + cseq.cseq as usize + last)
    }
}

mod ours {
    use super::Bytes;
    use cpm_sip::{Limits, Message, MessageView};

    /// The six headers by the same calls on either form.
    macro_rules! six {
        ($message:expr) => {{
            let message = $message;
            let via = message.via_top().ok()?;
            let from = message.from().ok()?;
            let to = message.to().ok()?;
            let call_id = message.call_id().ok()?;
            let cseq = message.cseq().ok()?;
            let last = match message.contacts().next() {
                Some(contact) => size_of_val(&contact.ok()?),
                None => size_of_val(&message.routes().next()?.ok()?),
            };
            let tags = from.tag()?.len() + to.tag().map_or(0, str::len);
            Some(via.branch()?.len() + tags + call_id.len() + cseq.number as usize + last)
        }};
    }

    pub(super) fn view(raw: &Bytes) -> Option<usize> {
        Some(MessageView::parse(raw, &Limits::default()).ok()?.all_headers().count())
    }

    pub(super) fn view_typed(raw: &Bytes) -> Option<usize> {
        six!(MessageView::parse(raw, &Limits::default()).ok()?)
    }

    pub(super) fn message(raw: &Bytes) -> Option<usize> {
        Some(Message::parse(raw.clone(), &Limits::default()).ok()?.all_headers().count())
    }

    pub(super) fn message_typed(raw: &Bytes) -> Option<usize> {
        six!(Message::parse(raw.clone(), &Limits::default()).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    /// The number of header lines of each fixture, counted by hand.
    #[test]
    fn ours_reads_every_fixture() {
        let lines = [10, 18, 13, 12];
        for (fixture, lines) in fixtures::all().iter().zip(lines) {
            assert_eq!(ours::view(&fixture.raw), Some(lines), "{}", fixture.name);
            assert_eq!(ours::message(&fixture.raw), Some(lines), "{}", fixture.name);
            assert!(ours::view_typed(&fixture.raw).is_some(), "{}", fixture.name);
            assert_eq!(ours::view_typed(&fixture.raw), ours::message_typed(&fixture.raw));
        }
    }
}
