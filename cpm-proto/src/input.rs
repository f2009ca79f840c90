//! What goes into a [`Node`](crate::Node) and what comes out of it.

use crate::effect::Effect;
use crate::event::Event;
use crate::store::engine::{StoreAnswer, StoreError};
use cpm_base::{FlowInput, FlowOutput, Token};

/// What a driver tells a node.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input {
    /// Something about a flow.
    Flow(FlowInput),
    /// The answer to `Effect::Store`.
    Stored {
        /// The token of the effect.
        token: Token,
        /// One answer for each operation of the batch, or why nothing was done.
        result: Result<Vec<StoreAnswer>, StoreError>,
    },
}

impl From<FlowInput> for Input {
    fn from(input: FlowInput) -> Self {
        Self::Flow(input)
    }
}

/// What a node wants done, in cause order.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Output {
    /// Carry out something on a flow.
    Flow(FlowOutput),
    /// Carry out an effect and bring back its answer.
    Effect(Effect),
    /// Tell the user.
    Event(Event),
}

/// The outputs that are no flow's business.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Rest {
    /// Carry out an effect and bring back its answer.
    Effect(Effect),
    /// Tell the user.
    Event(Event),
}
