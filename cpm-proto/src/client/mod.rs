//! The client function: one [`User`] for each account.

/// One client account of a node.
#[derive(Debug)]
pub struct User(());
