//! Reading octets: character classes, a cursor over one value, and the scan that splits a head into fields.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]

mod cursor;
mod head;
mod tables;
#[cfg(test)]
mod tests;
mod work;

pub(crate) use cursor::{Cursor, Read};
pub(crate) use head::{Scan, Span, StartLine, content_length, scan};
pub(crate) use tables::{HEADER_CHAR, HOST, PARAM_CHAR, PASSWORD, TOKEN, URI_CHAR, USER, WORD, is, is_token};
pub(crate) use work::looked_at;
#[cfg(test)]
pub(crate) use work::measure;
