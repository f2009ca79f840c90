//! Seeded randomness: unguessable in production, repeatable in tests.

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng as _, SeedableRng};

/// ChaCha stream over a 32-byte seed. The adapter fetches the seed from the operating system once; the seed
/// is a secret.
#[derive(Clone)]
pub struct Rng {
    stream: ChaCha12Rng,
}

impl std::fmt::Debug for Rng {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rng")
    }
}

const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

impl Rng {
    /// The stream of this seed.
    pub fn new(seed: [u8; 32]) -> Self {
        Self { stream: ChaCha12Rng::from_seed(seed) }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.stream.next_u64()
    }

    /// A seed for a child machine.
    pub fn child_seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.stream.fill_bytes(&mut seed);
        seed
    }

    /// Fills `out`.
    pub fn fill(&mut self, out: &mut [u8]) {
        self.stream.fill_bytes(out);
    }

    /// A number in `0..bound`, without bias worth speaking of; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// `letters` characters of lower-case base 32 (5 bits each): tags, branches, Call-IDs, message ids.
    pub fn base32(&mut self, letters: usize) -> String {
        let mut out = String::with_capacity(letters);
        let mut bits = 0u64;
        for at in 0..letters {
            if at % 12 == 0 {
                bits = self.next_u64();
            }
            out.push(char::from(BASE32[(bits & 31) as usize]));
            bits >>= 5;
        }
        out
    }

    /// A random UUID (RFC 4122 §4.4), 36 characters: Conversation-ID, Contribution-ID.
    pub fn uuid(&mut self) -> String {
        let mut b = [0u8; 16];
        self.fill(&mut b);
        b[6] = (b[6] & 0x0f) | 0x40;
        b[8] = (b[8] & 0x3f) | 0x80;
        let mut out = String::with_capacity(36);
        for (at, byte) in b.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                out.push('-');
            }
            for nibble in [byte >> 4, byte & 15] {
                out.push(char::from(b"0123456789abcdef"[usize::from(nibble)]));
            }
        }
        out
    }
}

#[cfg(test)]
#[path = "rng_tests.rs"]
mod tests;
