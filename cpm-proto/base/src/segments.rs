//! Bytes to write, as a list of pieces for vectored writes: payload is never copied together.

use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::io::IoSlice;

/// A list of byte pieces with a known total. It is a [`Buf`], so a runtime's vectored write takes it as it is:
/// offer `chunks_vectored`, then `advance` by what the socket took.
///
/// ```
/// use bytes::{Buf, Bytes};
/// let mut segments = cpm_base::Segments::new();
/// segments.push(Bytes::from_static(b"MSRP a1 SEND\r\n"));
/// segments.push(Bytes::from_static(b"body"));
/// segments.advance(16); // the socket took sixteen bytes
/// assert_eq!((segments.len(), segments.chunk()), (2, &b"dy"[..]));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Segments {
    pieces: VecDeque<Bytes>,
    len: usize,
}

impl Segments {
    /// Nothing to write.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a piece; an empty one is left out, so that every piece makes progress.
    pub fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.len += piece.len();
            self.pieces.push_back(piece);
        }
    }

    /// Bytes in all pieces.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The pieces in order.
    pub fn iter(&self) -> impl Iterator<Item = &Bytes> {
        self.pieces.iter()
    }

    /// Takes off the front what one write should offer: at most `bytes` bytes in at most `pieces` pieces.
    pub fn take_front(&mut self, bytes: usize, pieces: usize) -> Self {
        let mut front = Self::new();
        while front.len < bytes && front.pieces.len() < pieces {
            let Some(mut piece) = self.pieces.pop_front() else { break };
            let room = bytes - front.len;
            if piece.len() > room {
                let rest = piece.split_off(room);
                self.pieces.push_front(rest);
            }
            self.len -= piece.len();
            front.push(piece);
        }
        front
    }
}

impl Buf for Segments {
    fn remaining(&self) -> usize {
        self.len
    }

    fn chunk(&self) -> &[u8] {
        self.pieces.front().map_or(&[], |piece| piece.as_ref())
    }

    /// Drops `bytes` bytes from the front; at most what is there.
    fn advance(&mut self, bytes: usize) {
        let mut left = bytes.min(self.len);
        self.len -= left;
        while left > 0 {
            let Some(mut piece) = self.pieces.pop_front() else { break };
            if piece.len() > left {
                piece.advance(left);
                self.pieces.push_front(piece);
                break;
            }
            left -= piece.len();
        }
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
            *slice = IoSlice::new(piece);
            filled += 1;
        }
        filled
    }
}

impl FromIterator<Bytes> for Segments {
    fn from_iter<I: IntoIterator<Item = Bytes>>(pieces: I) -> Self {
        let mut segments = Self::new();
        for piece in pieces {
            segments.push(piece);
        }
        segments
    }
}

#[cfg(test)]
#[path = "segments_tests.rs"]
mod tests;
