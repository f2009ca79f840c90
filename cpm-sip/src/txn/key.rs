//! What identifies a transaction (RFC 3261 §17.1.3, §17.2.3).
//!
//! A key is a short run of bytes built in a buffer that is used again and again, so that a look-up allocates
//! nothing. Its first byte is the [`Class`]; the parts follow, each with its length in front, so that no two
//! different lists of parts make the same bytes.

use smallvec::SmallVec;

/// Which transactions can share a branch without being the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Server side, INVITE and its ACK.
    ServerInvite,
    /// Server side, any other method; the method is part of the key.
    ServerOther,
    /// Server side, a request of RFC 2543 without the magic cookie (RFC 3261 §17.2.3).
    ServerOld,
    /// Client side, INVITE.
    ClientInvite,
    /// Client side, any other method; the method is part of the key.
    ClientOther,
    /// The parts that two copies of one request share when they came over different ways (RFC 3261 §8.2.2.2).
    Merged,
}

/// A key under construction, to be looked up or kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyBuf {
    bytes: SmallVec<[u8; 128]>,
}

impl KeyBuf {
    /// An empty buffer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts over with a key of this class.
    pub fn begin(&mut self, class: Class) -> &mut Self {
        self.bytes.clear();
        self.bytes.push(match class {
            Class::ServerInvite => 0,
            Class::ServerOther => 1,
            Class::ServerOld => 2,
            Class::ClientInvite => 3,
            Class::ClientOther => 4,
            Class::Merged => 5,
        });
        self
    }

    /// Adds a part whose case counts: a method, a tag, a Call-ID.
    pub fn exact(&mut self, part: &str) -> &mut Self {
        self.length(part.len());
        self.bytes.extend_from_slice(part.as_bytes());
        self
    }

    /// Adds a part whose case does not count (RFC 3261 §7.3.1): a branch, a host name.
    pub fn folded(&mut self, part: &str) -> &mut Self {
        self.length(part.len());
        self.bytes.extend(part.bytes().map(|b| b.to_ascii_lowercase()));
        self
    }

    /// Adds a number.
    pub fn number(&mut self, number: u32) -> &mut Self {
        self.bytes.extend_from_slice(&number.to_be_bytes());
        self
    }

    /// Adds an address.
    pub fn octets(&mut self, octets: &[u8]) -> &mut Self {
        self.length(octets.len());
        self.bytes.extend_from_slice(octets);
        self
    }

    /// Server key, to be followed by sent-by: branch and method, with INVITE and ACK merged. A CANCEL has a key of
    /// its own; the one it is about has the method `INVITE` (RFC 3261 §9.2).
    // spec: RFC3261-17.2.3 RFC3261-9.2
    pub fn server(&mut self, method: &str, branch: &str) -> &mut Self {
        if matches!(method, "INVITE" | "ACK") {
            self.begin(Class::ServerInvite);
        } else {
            self.begin(Class::ServerOther).exact(method);
        }
        self.folded(branch)
    }

    /// Client key: the branch we made and the method of the CSeq.
    // spec: RFC3261-17.1.3
    pub fn client(&mut self, method: &str, branch: &str) -> &mut Self {
        if method == "INVITE" {
            self.begin(Class::ClientInvite);
        } else {
            self.begin(Class::ClientOther).exact(method);
        }
        self.folded(branch)
    }

    /// The finished key.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn length(&mut self, len: usize) {
        // A part comes from a message head, which is below 64 KiB; a longer one only shares the mark.
        let len = u16::try_from(len).unwrap_or(u16::MAX);
        self.bytes.extend_from_slice(&len.to_be_bytes());
    }
}
