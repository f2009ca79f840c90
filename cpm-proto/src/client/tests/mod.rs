//! One account against a scripted server, in virtual time.

mod bench;
mod registering;
