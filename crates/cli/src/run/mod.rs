//! One file per subcommand.

pub(crate) mod check;
pub(crate) mod doctor;
pub(crate) mod firewall;
pub(crate) mod mirror;
pub(crate) mod pages;
pub(crate) mod remote;
pub(crate) mod serve;
pub(crate) mod transfer;
