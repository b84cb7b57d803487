//! All tests across the crates, one binary.
