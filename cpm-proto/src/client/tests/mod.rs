//! One account against a scripted server, in virtual time.

mod bench;
mod chaos;
mod notifying;
mod receiving;
mod registering;
mod sending;
