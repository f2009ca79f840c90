//! The CPM functions (client, participating function) and the `Node` that holds them, without any IO.

pub mod effect;
pub mod store;
