//! The `authd` program.

fn main() {}
