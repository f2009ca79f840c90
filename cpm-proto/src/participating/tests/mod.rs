//! The participating function and the registrar as their peers see them, in virtual time.

mod border;
mod deliver;
mod identity;
mod register;
mod world;
