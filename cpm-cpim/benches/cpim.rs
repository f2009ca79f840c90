//! CPIM.
fn main() {}
