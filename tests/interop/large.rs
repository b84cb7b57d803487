//! A file of 1 GiB with each client, down in passive mode and up in active mode where it has both, compared by hash. One
//! client after the other: two at once would only measure the disk.

use std::sync::MutexGuard;
use std::time::Duration;

use crate::support::files::{hash, large, large_turn, link_large, quick};
use crate::support::server::Server;

const LIMIT: Duration = Duration::from_secs(240);

/// A server that shares `big.bin`, for a client that has `large.bin`; and the turn.
fn meeting(client: &str) -> Option<(MutexGuard<'static, ()>, Server)> {
    if quick() {
        return None;
    }
    let turn = large_turn().lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let server = Server::meeting(client)?;
    link_large(&server.root(), "big.bin");
    link_large(&server.local(), "large.bin");
    Some((turn, server))
}

/// The client has `got.bin`.
#[track_caller]
fn down(server: &Server) {
    assert!(hash(&server.local().join("got.bin")) == large().1, "got.bin differs from what was shared");
}

/// The server has `up.bin`.
#[track_caller]
fn up(server: &Server) {
    assert!(hash(&server.root().join("up.bin")) == large().1, "up.bin differs from what was sent");
}

#[test]
fn curl_moves_1_gib() {
    let Some((_turn, server)) = meeting("curl") else { return };
    let user = format!("{}:{}", server.user, server.password);
    server.run_for("curl", &["-sS", "-u", &user, "-o", "got.bin", &server.url("big.bin")], "", LIMIT).fine();
    down(&server);
    server
        .run_for(
            "curl",
            &["-sS", "-P", "-", "-u", &user, "-T", "large.bin", &server.url("up.bin")],
            "",
            LIMIT,
        )
        .fine();
    up(&server);
}

#[test]
fn lftp_moves_1_gib() {
    let Some((_turn, server)) = meeting("lftp") else { return };
    let script = format!(
        "set cmd:fail-exit yes; set ftp:ssl-allow no; open -u {},{} -p {} {}; get big.bin -o got.bin; \
         set ftp:passive-mode off; close; put large.bin -o up.bin",
        server.user, server.password, server.port, server.host
    );
    server.run_for("lftp", &["--norc", "-c", &script], "", LIMIT).fine();
    down(&server);
    up(&server);
}

#[test]
fn tnftp_moves_1_gib() {
    let Some((_turn, server)) = meeting("tnftp") else { return };
    let (user, port) = (format!("user {} {}", server.user, server.password), server.port_word());
    let script = format!("{user}\nbinary\nget big.bin got.bin\npassive\nput large.bin up.bin\nquit\n");
    server.run_for("tnftp", &["-n", "-i", "-v", "-p", server.host, &port], &script, LIMIT);
    down(&server);
    up(&server);
}

#[test]
fn inetutils_moves_1_gib() {
    let Some((_turn, server)) = meeting("inetutils-ftp") else { return };
    let (user, port) = (format!("user {} {}", server.user, server.password), server.port_word());
    // Two sessions: inetutils 2.4 sends nothing in active mode once it has been passive ("Bad file descriptor").
    for (flag, command) in [("-p", "get big.bin got.bin"), ("-A", "put large.bin up.bin")] {
        let script = format!("{user}\nbinary\n{command}\nquit\n");
        server.run_for("inetutils-ftp", &["-n", "-i", "-v", flag, server.host, &port], &script, LIMIT);
    }
    down(&server);
    up(&server);
}

#[test]
fn ncftp_moves_1_gib() {
    let Some((_turn, server)) = meeting("ncftpget") else { return };
    let port = server.port_word();
    let account = ["-V", "-u", server.user, "-p", server.password, "-P", &port];
    let get = [&account[..], &["-C", server.host, "big.bin", "got.bin"]].concat();
    server.run_for("ncftpget", &get, "", LIMIT).fine();
    down(&server);
    let put = [&["-E"], &account[..], &["-C", server.host, "large.bin", "up.bin"]].concat();
    server.run_for("ncftpput", &put, "", LIMIT).fine();
    up(&server);
}

#[test]
fn wget_moves_1_gib() {
    let Some((_turn, server)) = meeting("wget") else { return };
    let (user, password) = (format!("--user={}", server.user), format!("--password={}", server.password));
    for mode in ["--passive-ftp", "--no-passive-ftp"] {
        let url = server.url("big.bin");
        let args = ["-nv", "--no-config", "--tries=1", &user, &password, mode, "-O", "got.bin", &url];
        server.run_for("wget", &args, "", LIMIT).fine();
        down(&server);
    }
}

#[test]
fn busybox_moves_1_gib() {
    let Some((_turn, server)) = meeting("busybox") else { return };
    let port = server.port_word();
    let account = ["-u", server.user, "-p", server.password, "-P", &port, server.host];
    let get = [&["ftpget"], &account[..], &["got.bin", "big.bin"]].concat();
    server.run_for("busybox", &get, "", LIMIT).fine();
    down(&server);
    let put = [&["ftpput"], &account[..], &["up.bin", "large.bin"]].concat();
    server.run_for("busybox", &put, "", LIMIT).fine();
    up(&server);
}

#[test]
fn ftplib_moves_1_gib() {
    let Some((_turn, server)) = meeting("python3") else { return };
    super::ftplib::check(&server, "large-passive", LIMIT);
    down(&server);
    up(&server);
}
