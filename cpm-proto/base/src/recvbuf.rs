//! What has come in on a stream and is not used up: one contiguous view, slices without copies, a limit.

use bytes::{Bytes, BytesMut};

/// A refused append: the bytes come back, nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the receive buffer is full")]
pub struct Full(pub Bytes);

/// Receive buffer of one stream.
///
/// A read that finds the buffer empty is kept as it is and only sliced; bytes are copied together only where a
/// message lies across reads. A search for the end of a head remembers how far it came, so that a peer who
/// sends one byte at a time costs no more than one who sends all at once.
///
/// ```
/// use bytes::Bytes;
/// let mut buffer = cpm_base::RecvBuf::new(1_000);
/// buffer.push(Bytes::from_static(b"OPTIONS\r"))?;
/// assert_eq!(buffer.find(b"\r\n"), None);
/// buffer.push(Bytes::from_static(b"\nrest"))?;
/// let end = buffer.find(b"\r\n").map(|at| at + 2);
/// assert_eq!(end.and_then(|end| buffer.take(end)), Some(Bytes::from_static(b"OPTIONS\r\n")));
/// assert_eq!(buffer.as_slice(), b"rest");
/// # Ok::<(), cpm_base::Full>(())
/// ```
#[derive(Clone, Debug)]
pub struct RecvBuf {
    /// The first bytes, as they came.
    front: Bytes,
    /// Everything, once bytes had to be joined; then `front` is empty.
    joined: BytesMut,
    limit: usize,
    /// No match of the last needle begins before this offset.
    searched: usize,
}

impl RecvBuf {
    /// An empty buffer that holds at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { front: Bytes::new(), joined: BytesMut::new(), limit, searched: 0 }
    }

    /// Appends what a read gave.
    ///
    /// # Errors
    /// [`Full`] with the same bytes if they do not fit.
    pub fn push(&mut self, data: Bytes) -> Result<(), Full> {
        if data.len() > self.limit.saturating_sub(self.len()) {
            return Err(Full(data));
        }
        if self.is_empty() {
            self.front = data;
        } else {
            if self.joined.is_empty() {
                self.joined.extend_from_slice(&std::mem::take(&mut self.front));
            }
            self.joined.extend_from_slice(&data);
        }
        Ok(())
    }

    /// Takes exactly `bytes` bytes off the front; `None` if they are not all there.
    pub fn take(&mut self, bytes: usize) -> Option<Bytes> {
        if bytes > self.len() {
            return None;
        }
        self.searched = 0;
        if self.joined.is_empty() {
            return Some(self.front.split_to(bytes));
        }
        let taken = self.joined.split_to(bytes).freeze();
        // What is left can be sliced again without copies.
        self.front = self.joined.split().freeze();
        Some(taken)
    }

    /// Offset of the first `needle`, continuing where the last search for it ended. Taking bytes starts anew;
    /// between two calls of `take` every call must name the same needle.
    pub fn find(&mut self, needle: &[u8]) -> Option<usize> {
        let from = self.searched;
        let rest = self.as_slice().get(from..)?;
        let found = rest.windows(needle.len().max(1)).position(|window| window == needle);
        self.searched = match found {
            Some(at) => from + at,
            None => from.max((self.len() + 1).saturating_sub(needle.len())),
        };
        found.map(|at| from + at)
    }

    /// All bytes, in one piece.
    pub fn as_slice(&self) -> &[u8] {
        if self.joined.is_empty() { &self.front } else { &self.joined }
    }

    /// Bytes held.
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that still fit.
    pub fn room(&self) -> usize {
        self.limit.saturating_sub(self.len())
    }
}

#[cfg(test)]
#[path = "recvbuf_tests.rs"]
mod tests;
