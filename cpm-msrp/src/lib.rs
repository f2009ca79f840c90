//! MSRP as pure state machines, without any IO.
