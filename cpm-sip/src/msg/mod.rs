//! Messages: parsed ones ([`Message`], [`MessageView`]), new ones ([`Head`]), forwarded ones ([`Edit`]), and the
//! checks that decide whether a message is acted on at all ([`validate`], [`reject`]).
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

mod access;
mod edit;
mod head_writer;
mod header_ids;
mod message;
mod method;
mod reject;
#[cfg(test)]
mod tests;
mod typed;
mod validate;
mod view;

pub use edit::Edit;
pub use head_writer::{Head, HeadError};
pub use header_ids::HeaderId;
pub use message::Message;
pub use method::Method;
pub use reject::reject;
pub use validate::validate;
pub(crate) use validate::{Essentials, essentials};
pub use view::MessageView;

use bytes::{BufMut, BytesMut};

/// Appends a number in decimal.
fn put_number(out: &mut BytesMut, number: usize) {
    let mut digits = [0_u8; 20];
    let mut rest = number;
    let mut used = 0_usize;
    for slot in digits.iter_mut().rev() {
        let digit = u8::try_from(rest.checked_rem(10).unwrap_or(0)).unwrap_or(0);
        *slot = digit.saturating_add(b'0');
        used = used.saturating_add(1);
        rest = rest.checked_div(10).unwrap_or(0);
        if rest == 0 {
            break;
        }
    }
    out.put_slice(digits.get(digits.len().saturating_sub(used)..).unwrap_or(&[]));
}
