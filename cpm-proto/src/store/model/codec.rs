//! How records are written: big-endian integers, byte strings with a 32-bit length.

use bytes::Bytes;
use std::net::{IpAddr, SocketAddr};

/// Appends fields to a value.
pub(super) struct Writer {
    out: Vec<u8>,
}

impl Writer {
    /// A value of this schema version.
    pub(super) fn new(schema: u8) -> Self {
        Self { out: vec![schema] }
    }

    pub(super) fn byte(&mut self, value: u8) -> &mut Self {
        self.out.push(value);
        self
    }

    pub(super) fn u32(&mut self, value: u32) -> &mut Self {
        self.out.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(super) fn u64(&mut self, value: u64) -> &mut Self {
        self.out.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Strings of a record come from messages, so 32 bits always suffice; a longer one is cut.
    pub(super) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        let len = u32::try_from(value.len()).unwrap_or(u32::MAX);
        self.u32(len);
        self.out.extend(value.iter().take(usize::try_from(len).unwrap_or(usize::MAX)));
        self
    }

    pub(super) fn text(&mut self, value: &str) -> &mut Self {
        self.bytes(value.as_bytes())
    }

    pub(super) fn optional(&mut self, value: Option<&str>) -> &mut Self {
        match value {
            None => self.byte(0),
            Some(text) => self.byte(1).text(text),
        }
    }

    pub(super) fn address(&mut self, value: SocketAddr) -> &mut Self {
        match value.ip() {
            IpAddr::V4(ip) => self.bytes(&ip.octets()),
            IpAddr::V6(ip) => self.bytes(&ip.octets()),
        };
        self.u32(u32::from(value.port()))
    }

    pub(super) fn finish(self) -> Bytes {
        Bytes::from(self.out)
    }
}

/// Takes fields off a value. `None` means the record is damaged or of a newer schema.
pub(super) struct Reader {
    rest: Bytes,
}

impl Reader {
    /// A reader behind the schema byte, if that is the one known.
    pub(super) fn new(value: &Bytes, schema: u8) -> Option<Self> {
        let mut reader = Self { rest: value.clone() };
        (reader.byte()? == schema).then_some(reader)
    }

    fn take(&mut self, count: usize) -> Option<Bytes> {
        (count <= self.rest.len()).then(|| self.rest.split_to(count))
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.as_ref().try_into().ok()?))
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.take(8)?.as_ref().try_into().ok()?))
    }

    pub(super) fn bytes(&mut self) -> Option<Bytes> {
        let len = usize::try_from(self.u32()?).ok()?;
        self.take(len)
    }

    pub(super) fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    pub(super) fn optional(&mut self) -> Option<Option<String>> {
        match self.byte()? {
            0 => Some(None),
            1 => self.text().map(Some),
            _ => None,
        }
    }

    pub(super) fn address(&mut self) -> Option<SocketAddr> {
        let ip = self.bytes()?;
        let ip = match ip.len() {
            4 => IpAddr::from(<[u8; 4]>::try_from(ip.as_ref()).ok()?),
            16 => IpAddr::from(<[u8; 16]>::try_from(ip.as_ref()).ok()?),
            _ => return None,
        };
        Some(SocketAddr::new(ip, u16::try_from(self.u32()?).ok()?))
    }

    /// The value must be used up: what follows is not ours.
    pub(super) fn end(self) -> Option<()> {
        self.rest.is_empty().then_some(())
    }
}
