//! Content codings of SIP and MIME bodies: gzip (RFC 1952), deflate (RFC 1950, or RFC 1951 alone, as some
//! senders mean it) and identity, with a cap on what comes out.

use std::borrow::Cow;

use miniz_oxide::inflate::{
    TINFLStatus,
    core::{
        DecompressorOxide, decompress,
        inflate_flags::{
            TINFL_FLAG_COMPUTE_ADLER32, TINFL_FLAG_PARSE_ZLIB_HEADER,
            TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
        },
    },
};

use crate::{
    ParseError,
    ParseKind::{Compressed, DecodedTooLarge, UnknownCoding},
};

/// What a 415 lists in Accept-Encoding (RFC 3261 §21.4.13).
pub const ACCEPT_ENCODING: &str = "gzip, deflate, identity";

/// Undoes a list of codings, in Content-Encoding order (the last was applied last). At most four.
///
/// ```
/// use cpm_cpim::{ParseKind, coding};
/// assert_eq!(coding::decode("identity", b"as it is", 100)?.as_ref(), b"as it is");
/// let unknown = coding::decode("br", b"", 100).unwrap_err();
/// assert_eq!((unknown.kind, unknown.kind.status()), (ParseKind::UnknownCoding, 415));
/// # Ok::<(), cpm_cpim::ParseError>(())
/// ```
///
/// # Errors
/// [`UnknownCoding`], [`Compressed`], or
/// [`DecodedTooLarge`] as soon as a step gives more than `cap` bytes.
pub fn decode<'a>(encoding: &str, body: &'a [u8], cap: usize) -> Result<Cow<'a, [u8]>, ParseError> {
    if encoding.split(',').count() > 4 {
        return Err(ParseError::new(UnknownCoding, 0));
    }
    let mut current = Cow::Borrowed(body);
    for name in encoding.rsplit(',').map(str::trim) {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("gzip") || is("x-gzip") {
            current = Cow::Owned(gunzip(&current, cap)?);
        } else if is("deflate") {
            current = Cow::Owned(inflate_any(&current, cap)?);
        } else if !is("identity") && !name.is_empty() {
            return Err(ParseError::new(UnknownCoding, 0));
        }
    }
    if current.len() > cap { Err(ParseError::new(DecodedTooLarge, 0)) } else { Ok(current) }
}

/// Reads the members of a gzip file (RFC 1952 §2.2); each is checked by its CRC-32 and length.
fn gunzip(body: &[u8], cap: usize) -> Result<Vec<u8>, ParseError> {
    let mut out = Vec::new();
    let mut at = 0_usize;
    loop {
        let broken = ParseError::new(Compressed, at);
        let member = body.get(at..).ok_or(broken)?;
        let header = gzip_header(member).ok_or(broken)?;
        let data = member.get(header..).ok_or(broken)?;
        let start = out.len();
        let used = inflate(data, false, cap, &mut out).map_err(|e| e.shifted(at.saturating_add(header)))?;
        let trailer = data.get(used..).and_then(|t| t.first_chunk::<8>()).ok_or(broken)?;
        let [c0, c1, c2, c3, l0, l1, l2, l3] = *trailer;
        let content = out.get(start..).unwrap_or(&[]);
        let length = u32::try_from(content.len()).map_err(|_| broken)?;
        if u32::from_le_bytes([c0, c1, c2, c3]) != crc32(content)
            || u32::from_le_bytes([l0, l1, l2, l3]) != length
        {
            return Err(broken);
        }
        at = at.saturating_add(header).saturating_add(used).saturating_add(8);
        if at >= body.len() {
            return Ok(out);
        }
    }
}

const FHCRC: u8 = 2;
const FEXTRA: u8 = 4;
const FNAME: u8 = 8;
const FCOMMENT: u8 = 16;

/// Length of a gzip member header (RFC 1952 §2.3), its own check value verified.
fn gzip_header(member: &[u8]) -> Option<usize> {
    let [0x1f, 0x8b, 8, flags, ..] = *member.first_chunk::<10>()? else { return None };
    if flags & 0xe0 != 0 {
        return None;
    }
    let mut at = 10_usize;
    if flags & FEXTRA != 0 {
        let length = member.get(at..)?.first_chunk::<2>()?;
        at = at.checked_add(2)?.checked_add(usize::from(u16::from_le_bytes(*length)))?;
    }
    for text in [FNAME, FCOMMENT] {
        if flags & text != 0 {
            at = at.checked_add(memchr::memchr(0, member.get(at..)?)?)?.checked_add(1)?;
        }
    }
    if flags & FHCRC != 0 {
        let stored = u16::from_le_bytes(*member.get(at..)?.first_chunk::<2>()?);
        if u32::from(stored) != crc32(member.get(..at)?) & 0xffff {
            return None;
        }
        at = at.checked_add(2)?;
    }
    Some(at)
}

/// `deflate`: the zlib format (RFC 9110 §8.4.1.2), or, without its header, bare deflate data.
fn inflate_any(body: &[u8], cap: usize) -> Result<Vec<u8>, ParseError> {
    let zlib = body.first_chunk::<2>().is_some_and(|h| {
        let [cmf, flags] = *h;
        cmf & 0x0f == 8 && cmf >> 4 <= 7 && flags & 0x20 == 0 && u16::from_be_bytes(*h).is_multiple_of(31)
    });
    let mut out = Vec::new();
    let used = inflate(body, zlib, cap, &mut out)?;
    // Both formats end themselves; what follows is not part of the body.
    if used != body.len() {
        return Err(ParseError::new(Compressed, used));
    }
    Ok(out)
}

/// Inflates one stream and appends it to `out`, which never grows past `cap`. Gives the bytes used.
fn inflate(data: &[u8], zlib: bool, cap: usize, out: &mut Vec<u8>) -> Result<usize, ParseError> {
    let mut flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    if zlib {
        flags |= TINFL_FLAG_PARSE_ZLIB_HEADER | TINFL_FLAG_COMPUTE_ADLER32;
    }
    let mut state = Box::<DecompressorOxide>::default();
    let start = out.len();
    let mut used = 0_usize;
    let mut produced = start;
    // One byte of room past the cap tells "exactly the cap" from "more".
    let most = cap.saturating_add(1);
    out.resize(
        produced.saturating_add(data.len().saturating_mul(4).clamp(64, 64 * 1024)).min(most).max(start),
        0,
    );
    loop {
        let input = data.get(used..).unwrap_or(&[]);
        // A gzip member must not reach back into the one before it: the window begins at its own start.
        let window = out.get_mut(start..).unwrap_or(&mut []);
        let position = produced.saturating_sub(start);
        let (status, read, written) = decompress(&mut state, input, window, position, flags);
        used = used.saturating_add(read);
        produced = produced.saturating_add(written);
        if produced > cap {
            return Err(ParseError::new(DecodedTooLarge, used));
        }
        match status {
            TINFLStatus::Done => {
                out.truncate(produced);
                return Ok(used);
            }
            TINFLStatus::HasMoreOutput if out.len() < most => {
                out.resize(out.len().saturating_mul(2).max(64).min(most), 0);
            }
            TINFLStatus::HasMoreOutput => return Err(ParseError::new(DecodedTooLarge, used)),
            _ => return Err(ParseError::new(Compressed, used)),
        }
    }
}

/// CRC-32 of RFC 1952 §8.
fn crc32(data: &[u8]) -> u32 {
    const TABLE: [u32; 256] = crc_table();
    !data.iter().fold(u32::MAX, |crc, &byte| {
        let index = usize::from(byte ^ crc.to_le_bytes()[0]);
        TABLE.get(index).copied().unwrap_or(0) ^ crc >> 8
    })
}

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::as_conversions)] // const, fixed bounds
const fn crc_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        let mut c = n as u32;
        let mut bit = 0;
        while bit < 8 {
            c = if c & 1 == 1 { 0xedb8_8320 ^ c >> 1 } else { c >> 1 };
            bit += 1;
        }
        table[n] = c;
        n += 1;
    }
    table
}

#[cfg(test)]
#[path = "coding_tests.rs"]
mod tests;
