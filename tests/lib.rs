//! Nothing here: the tests are in `all.rs`.
