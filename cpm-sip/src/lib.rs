//! SIP as pure state machines: messages, transactions, registration and digest authentication, without any IO.
//!
//! Bytes become a [`Message`]: one buffer plus a table of offsets, nothing decoded until asked for. Outgoing
//! messages are built by [`Head`], forwarded ones by [`Edit`]. Sources: RFC 3261, RFC 3581, RFC 3840, RFC 3841,
//! RFC 3966, RFC 4475, RFC 5118, RFC 5626, RFC 6026, RFC 8760.

pub mod auth;
pub mod endpoint;
mod error;
mod flow;
pub mod framing;
pub mod header;
mod lex;
mod limits;
pub mod msg;
pub mod register;
pub mod txn;
pub mod uri;

pub use endpoint::{Config, Endpoint, Error};
pub use error::{Fault, ParseError, ParseKind, Status, reason_phrase};
pub use framing::{Datagram, Frame, FrameError, StreamFramer};
pub use limits::Limits;
pub use msg::{Edit, Head, HeadError, HeaderId, Message, MessageView, Method, reject, validate};
pub use uri::{Host, NameAddr, SipUri, TelUri, Uri};
