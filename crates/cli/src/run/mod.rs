//! One file per subcommand.

pub(crate) mod check;
pub(crate) mod doctor;
pub(crate) mod firewall;
#[cfg(target_os = "linux")]
pub(crate) mod lab;
#[cfg(not(target_os = "linux"))]
#[path = "no_lab.rs"]
pub(crate) mod lab;
pub(crate) mod mirror;
pub(crate) mod pages;
pub(crate) mod remote;
pub(crate) mod serve;
pub(crate) mod transfer;
