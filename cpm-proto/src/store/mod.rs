//! Storage as the core sees it.

pub mod engine;
pub mod mem;
pub mod model;
