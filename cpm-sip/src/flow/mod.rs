//! Flows as SIP sees them: which there are, which leads where, keep-alive and slow senders
//! (RFC 3261 §18, RFC 5626 §4.4.1).

mod keepalive;
mod table;

pub(crate) use keepalive::{Budget, Ping, PingState};
pub(crate) use table::FlowTable;
