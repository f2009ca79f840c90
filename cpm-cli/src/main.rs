//! The program `cpm`.
fn main() {}
