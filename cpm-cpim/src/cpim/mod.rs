//! CPIM messages (RFC 3862): a borrowed view, a builder and the edits of an intermediary.
//!
//! A CPIM message has two header groups, each ended by a blank line, and the payload:
//!
//! | part | read by |
//! |---|---|
//! | message headers, with namespaces | [`Cpim::headers`], typed access by [`Field`] |
//! | MIME headers of the payload | [`Cpim::mime`] |
//! | payload | [`Cpim::body`], [`Cpim::payload`] |
//!
//! One blank line is missing in what RFC 5438 §7, RFC 5547 §9 and RFC 7701 §9 print. So a message header
//! whose name begins with `Content-` starts the MIME headers, with or without a blank line before it.

mod address;
mod build;
mod edit;
mod escape;
mod field;
mod request;
mod scan;
mod view;

pub use address::Address;
pub use build::CpimBuilder;
pub use edit::CpimEdit;
pub use escape::{decode, encode};
pub use field::{CPIM_NAMESPACE, CPM_NAMESPACE, Field, IMDN_NAMESPACE, Namespace};
pub use request::{Asked, Disposition, Dispositions, ImdnRequest};
pub use scan::MAX_HEADERS;
pub use view::{Cpim, Header};

#[cfg(test)]
mod tests;
