//! One file per subcommand.

pub(crate) mod check;
pub(crate) mod pages;
pub(crate) mod serve;
