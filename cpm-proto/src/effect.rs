//! What a node wants from outside that is no packet.

use crate::store::engine::{Durability, StoreOp};
use cpm_base::Token;

/// Asked of the driver; the answer comes back as an input with the same token, in any order, or never.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Effect {
    /// Apply a batch. Batches of one lane are applied in the order given out; lanes are independent.
    Store {
        /// Comes back in `Input::Stored`.
        token: Token,
        /// A user or group; a hash of its key.
        lane: u64,
        /// How safe the batch must be before the answer.
        durability: Durability,
        /// The operations; all or nothing.
        batch: Vec<StoreOp>,
    },
}
