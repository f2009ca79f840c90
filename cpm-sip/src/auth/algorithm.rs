//! The hash functions of digest authentication.

use md5::{Digest as _, Md5};
use sha2::Sha256;
use smallvec::SmallVec;

/// A digest algorithm (RFC 8760 §2.1). The session variants are not offered and not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Algorithm {
    /// `MD5`, kept for peers that know nothing else.
    Md5,
    /// `SHA-256`.
    Sha256,
}

impl Algorithm {
    /// The token in the `algorithm` parameter.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    /// The algorithm of this token, in any case. A challenge without the parameter means MD5 (RFC 7616 §3.3).
    pub fn of_token(token: &str) -> Option<Self> {
        [Self::Md5, Self::Sha256].into_iter().find(|algorithm| token.eq_ignore_ascii_case(algorithm.as_str()))
    }

    /// The hash of the parts joined by colons, in lower-case hexadecimal.
    pub fn hash(self, parts: &[&[u8]]) -> HexHash {
        match self {
            Self::Md5 => {
                let mut hash = Md5::new();
                feed(parts, |bytes| hash.update(bytes));
                HexHash::of(&hash.finalize())
            }
            Self::Sha256 => {
                let mut hash = Sha256::new();
                feed(parts, |bytes| hash.update(bytes));
                HexHash::of(&hash.finalize())
            }
        }
    }
}

impl std::fmt::Display for Algorithm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

fn feed(parts: &[&[u8]], mut update: impl FnMut(&[u8])) {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            update(b":");
        }
        update(part);
    }
}

/// A hash in lower-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HexHash {
    digits: SmallVec<[u8; 64]>,
}

impl HexHash {
    fn of(hash: &[u8]) -> Self {
        let mut digits = SmallVec::new();
        for byte in hash {
            for nibble in [byte >> 4, byte & 15] {
                digits.push(if nibble < 10 { b'0' + nibble } else { b'a' + (nibble - 10) });
            }
        }
        Self { digits }
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.digits).unwrap_or_default()
    }

    /// The digits as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.digits
    }
}

impl Drop for HexHash {
    // A hash of user, realm and password is as good as the password.
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(self.digits.as_mut_slice());
    }
}
