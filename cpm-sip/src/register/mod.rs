//! Registration (RFC 3261 §10): [`Bindings`] decides as the registrar, [`Registration`] drives a client's
//! binding. Both are pure; the owner stores, sends and waits.

mod bindings;
mod registration;
mod request;

#[cfg(test)]
mod bindings_tests;
#[cfg(test)]
mod registration_tests;

pub use bindings::{Binding, Bindings, Decision, Refusal, RegistrarPolicy, Update};
pub use registration::{Granted, Outcome, Registration, RegistrationConfig};
pub use request::{ContactWish, Contacts, RegisterRequest};
