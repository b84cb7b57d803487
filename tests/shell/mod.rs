//! The classic shell, `twoport ftp`, against our own server: as a script, and at a terminal with somebody typing.

mod commands;
mod essay;
mod script;
mod terminal;
mod typist;

use std::os::unix::fs::PermissionsExt;

use crate::support::program::Ran;
use crate::support::server::{Server, binary};

/// A server whose login is in the `.netrc` of the client's home, with more lines behind it.
fn known_server(more: &str) -> Server {
    let server = Server::start("127.0.0.1", "alice", "secret");
    let netrc = server.home().join(".netrc");
    std::fs::write(&netrc, format!("machine 127.0.0.1 login alice password secret\n{more}"))
        .expect("a test file can be written");
    std::fs::set_permissions(&netrc, std::fs::Permissions::from_mode(0o600)).expect("a test file has a mode");
    server
}

/// Runs a script in the shell, logged in.
#[track_caller]
fn shell(server: &Server, flags: &[&str], script: &str) -> Ran {
    let port = server.port_word();
    let args = [&["ftp", "--tls", "off"], flags, &["127.0.0.1", &port]].concat();
    server.run(binary().to_str().expect("the program's path is UTF-8"), &args, script)
}
