//! What the tests on sockets and the interop tests stand on: the program under test, other people's programs, files.

pub(crate) mod files;
pub(crate) mod program;
pub(crate) mod server;
pub(crate) mod terminal;
