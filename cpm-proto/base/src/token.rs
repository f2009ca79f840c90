//! Names of outstanding effects.

/// One outstanding effect: the bits of a handle into the table of effects. Late or forged answers miss it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u64);
