//! Decisions as pure functions from facts: which Device is suitable, what many answers mean together, how long
//! a message is kept, when it is tried again.

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

mod device;
mod lifetime;
mod outcome;

pub(crate) use device::Capability;
pub(crate) use lifetime::{Limit, backoff, expiry};
pub(crate) use outcome::{Outcome, is_refusal, outcome};
