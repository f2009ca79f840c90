//! Bytes on disk: how records and objects become keys and values of fjall.
//!
//! ```text
//! keyspace records   key                              -> version (8, big-endian) value
//! keyspace objects   length of name (2) name          -> length of object (8)
//!                    length of name (2) name at (8)   -> the bytes appended there
//! ```

use bytes::{BufMut, Bytes};

/// A stored value that no correct program wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Damage;

pub(crate) fn record_value(version: u64, value: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(8 + value.len());
    stored.put_u64(version);
    stored.put_slice(value);
    stored
}

/// The version and value of a stored record.
pub(crate) fn split_record(stored: &[u8]) -> Result<(u64, Bytes), Damage> {
    let (version, value) = stored.split_first_chunk::<8>().ok_or(Damage)?;
    match u64::from_be_bytes(*version) {
        0 => Err(Damage),
        version => Ok((version, Bytes::copy_from_slice(value))),
    }
}

/// Where the length of an object is; also the common start of the keys of its pieces. The length in front keeps
/// one object's keys from being a prefix of another's.
pub(crate) fn object_key(name: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(2 + name.len() + 8);
    // Names are at most KEY_LIMIT long, which fits.
    key.put_u16(u16::try_from(name.len()).unwrap_or(u16::MAX));
    key.put_slice(name);
    key
}

pub(crate) fn piece_key(name: &[u8], at: u64) -> Vec<u8> {
    let mut key = object_key(name);
    key.put_u64(at);
    key
}

pub(crate) fn length_value(length: u64) -> [u8; 8] {
    length.to_be_bytes()
}

/// A number of eight bytes at the end of `stored`: an object's length, or where a piece begins.
pub(crate) fn trailing_number(stored: &[u8]) -> Result<u64, Damage> {
    let (_, number) = stored.split_last_chunk::<8>().ok_or(Damage)?;
    Ok(u64::from_be_bytes(*number))
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
