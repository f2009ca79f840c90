//! What a datagram is before anyone parses it.

/// The kinds of datagrams that reach a SIP port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Datagram {
    /// Something to parse.
    Message,
    /// Nothing but line ends, NUL octets or `jaK`: it keeps a NAT binding open and is not answered.
    KeepAlive,
    /// A STUN message (RFC 5626 §4.4.2): the first two bits of SIP never are zero, and the magic cookie is there.
    Stun,
}

impl Datagram {
    /// Tells what a datagram is.
    // spec: RFC5626-4.4.2
    pub fn of(octets: &[u8]) -> Self {
        if octets == b"jaK" || octets.iter().all(|octet| matches!(octet, b'\r' | b'\n' | 0)) {
            return Self::KeepAlive;
        }
        let stun = octets.first().is_some_and(|first| *first < 0x40)
            && octets.get(4..8) == Some(&[0x21, 0x12, 0xA4, 0x42]);
        if stun { Self::Stun } else { Self::Message }
    }
}
