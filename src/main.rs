//! The `fatum` binary.
fn main() {}
