//! The value of `To-Path` and `From-Path`: URIs parted by single spaces (RFC 4975 §9).

use crate::Limits;
use crate::uri::{MsrpUri, UriError, UriErrorKind};

/// A checked path of at least one URI, borrowing its text. Equal when all URIs are, in order.
///
/// ```
/// use cpm_msrp::{Limits, Path};
/// let path = Path::parse("msrps://relay.example.com:9000/a1;tcp msrps://bob.example.com:8888/b2;tcp", &Limits::default())?;
/// assert_eq!(path.hops().count(), 2);
/// assert_eq!(path.last().session_id(), Some("b2"));
/// # Ok::<(), cpm_msrp::UriError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Path<'a> {
    text: &'a str,
    first: MsrpUri<'a>,
    last: MsrpUri<'a>,
    limits: Limits,
}

impl<'a> Path<'a> {
    /// Reads the value of a path header.
    ///
    /// # Errors
    /// The fault of the first bad URI, with its offset in `text`; `TooManyHops` beyond the limit.
    pub fn parse(text: &'a str, limits: &Limits) -> Result<Self, UriError> {
        let mut offset = 0usize;
        let mut ends = None;
        for (hop, part) in text.split(' ').enumerate() {
            let start = u32::try_from(offset).unwrap_or(u32::MAX);
            if hop >= limits.path_hops {
                return Err(UriError { kind: UriErrorKind::TooManyHops, offset: start });
            }
            let uri = MsrpUri::parse(part, limits)
                .map_err(|e| UriError { kind: e.kind, offset: e.offset.saturating_add(start) })?;
            let first = ends.map_or(uri, |(first, _)| first);
            ends = Some((first, uri));
            offset = offset.saturating_add(part.len()).saturating_add(1);
        }
        match ends {
            Some((first, last)) => Ok(Self { text, first, last, limits: *limits }),
            None => Err(UriError { kind: UriErrorKind::Scheme, offset: 0 }),
        }
    }

    /// The text as given.
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    /// The next hop.
    pub fn first(&self) -> MsrpUri<'a> {
        self.first
    }

    /// The far end.
    pub fn last(&self) -> MsrpUri<'a> {
        self.last
    }

    /// All hops in order.
    pub fn hops(&self) -> impl Iterator<Item = MsrpUri<'a>> + use<'a> {
        let limits = self.limits;
        // Checked in `parse`; none is left out.
        self.text.split(' ').filter_map(move |part| MsrpUri::parse(part, &limits).ok())
    }
}

impl PartialEq for Path<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.hops().eq(other.hops())
    }
}

impl Eq for Path<'_> {}
