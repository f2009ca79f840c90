//! The participating function and the registrar as their peers see them, in virtual time.

mod border;
mod chaos;
mod crash;
mod deferred;
mod deliver;
mod identity;
mod imdn;
mod limits;
mod pair;
mod register;
mod world;
