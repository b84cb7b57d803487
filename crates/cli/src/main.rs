//! twoport.
fn main() {}
