//! Typed header field values, decoded on request from a message or from a text of their own. Every type borrows
//! from what it was read from; `parse` reads one value, and the iterators of a message walk comma lists and
//! repeated fields alike (RFC 3261 §7.3.1).
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

mod address;
mod auth;
mod content;
mod cpm;
mod date;
mod feature;
mod list;
mod number;
#[cfg(test)]
mod tests;
mod text;
mod via;

pub use address::{Contact, ContactAddress, Route};
pub use auth::{AuthParams, Challenge, Credentials, quote};
pub use content::{Disposition, MediaRange, MediaType};
pub use cpm::{MessageExpires, ServiceId};
pub use date::{Date, write_date};
pub use feature::{AcceptContact, FeatureTokens, escape_urn};
pub use number::{CSeq, RetryAfter};
pub use text::{CodingRange, Token, Warning};
pub use via::{BRANCH_COOKIE, Via, write_via};

pub(crate) use address::Asserted;
pub(crate) use cpm::CpmId;
pub(crate) use list::{Part, Values};
pub(crate) use number::{DeltaSeconds, MaxForwards};
pub(crate) use text::{CallId, PrivacyValue};

macro_rules! parse {
    ($($type:ident)*) => {
        $(impl<'a> $type<'a> {
            /// Reads a text that is one value.
            ///
            /// # Errors
            /// The fault and where it is.
            pub fn parse(text: &'a str) -> Result<Self, crate::ParseError> {
                crate::lex::Read::read_all(text)
            }
        })*
    };
}

parse! { Via Contact Route CSeq RetryAfter MediaType MediaRange Disposition Challenge Credentials AcceptContact Warning ServiceId }
