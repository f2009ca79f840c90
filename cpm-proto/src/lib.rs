//! The CPM functions (client, participating function) and the [`Node`] that holds them, without any IO.

pub mod client;
mod config;
pub mod effect;
mod error;
mod event;
mod gate;
mod input;
mod limits;
mod node;
mod participating;
mod policy;
mod registrar;
pub mod service;
pub mod store;

pub use config::{
    Account, Config, DigestAlgorithm, Policy, RegistrarPolicy, Secret, ServerConfig, UserSecret,
};
pub use error::Error;
pub use event::{ClientEvent, Direction, Event, Received};
pub use input::{Input, Output, Rest};
pub use limits::Limits;
pub use node::{Node, Stats};
