//! ncftp's tools for scripts: ncftpls, ncftpget, ncftpput. They know PORT (-E) and PASV (-F).

use crate::support::files::NAMES;
use crate::support::program::Ran;
use crate::support::server::Server;

const MODES: &[&str] = &["-F", "-E"];

#[track_caller]
fn ncftp(server: &Server, tool: &str, mode: &str, flags: &[&str], args: &[&str]) -> Ran {
    let port = server.port_word();
    let mut all = vec!["-u", server.user, "-p", server.password, "-P", &port, "-t", "20", mode];
    all.extend(flags);
    if tool != "ncftpls" {
        all.push(server.host);
    }
    all.extend(args);
    server.run(tool, &all, "")
}

#[test]
fn ncftp_lists_in_every_mode() {
    let Some(server) = Server::meeting("ncftpls") else { return };
    server.offers("one.bin", 12_345);
    server.offers("folder/two.bin", 1);
    for mode in MODES {
        ncftp(&server, "ncftpls", mode, &["-l"], &[&server.url("")])
            .fine()
            .prints(&["one.bin", "12345", "folder"]);
        ncftp(&server, "ncftpls", mode, &["-1"], &[&server.url("folder/")]).fine().prints(&["two.bin"]);
        ncftp(&server, "ncftpls", mode, &["-m"], &[&server.url("")]).fine().prints(&["one.bin", "folder"]);
    }
}

#[test]
fn ncftp_gets_puts_and_resumes_in_every_mode() {
    let Some(server) = Server::meeting("ncftpget") else { return };
    let there = server.offers("there.bin", 300_000);
    let here = server.has("here.bin", 300_001);
    for mode in MODES {
        ncftp(&server, "ncftpget", mode, &[], &[".", "there.bin"]).fine();
        server.client_got("there.bin", &there);
        ncftp(&server, "ncftpput", mode, &[], &["/", "here.bin"]).fine();
        server.server_got("here.bin", &here);
        std::fs::write(server.local().join("there.bin"), &there[..70_001])
            .expect("a test file can be written");
        ncftp(&server, "ncftpget", mode, &["-z"], &[".", "there.bin"]).fine();
        server.client_got("there.bin", &there);
        std::fs::write(server.root().join("here.bin"), &here[..50_003]).expect("a test file can be written");
        // -s: with sendfile ncftpput 3.2.6 says REST and then sends the file from its beginning.
        ncftp(&server, "ncftpput", mode, &["-z", "-s"], &["/", "here.bin"]).fine();
        server.server_got("here.bin", &here);
        std::fs::remove_file(server.local().join("there.bin")).expect("it was got");
        std::fs::remove_file(server.root().join("here.bin")).expect("it was put");
    }
}

#[test]
fn ncftp_renames_deletes_and_makes_folders() {
    let Some(server) = Server::meeting("ncftpput") else { return };
    let here = server.has("here.bin", 1000);
    ncftp(&server, "ncftpput", "-F", &["-m"], &["/made", "here.bin"]).fine();
    server.server_got("made/here.bin", &here);
    // With -Z, no listing, ncftpls does not end with success.
    let words = ["-Z", "-W", "RNFR made/here.bin", "-W", "RNTO new.bin"];
    ncftp(&server, "ncftpls", "-F", &words, &[&server.url("")]).prints(&["350", "250"]);
    server.server_got("new.bin", &here);
    ncftp(&server, "ncftpget", "-F", &["-DD"], &[".", "new.bin"]).fine();
    server.client_got("new.bin", &here);
    assert!(!server.shares("new.bin"));
    ncftp(&server, "ncftpls", "-F", &["-Z", "-W", "RMD made"], &[&server.url("")]);
    assert!(!server.shares("made"));
}

#[test]
fn ncftp_gets_and_puts_odd_names() {
    let Some(server) = Server::meeting("ncftpget") else { return };
    for name in NAMES {
        let there = server.offers(name, 5000);
        ncftp(&server, "ncftpget", "-F", &[], &[".", name]).fine();
        server.client_got(name, &there);
        let up = format!("up {name}");
        let here = server.has(&up, 6000);
        ncftp(&server, "ncftpput", "-E", &[], &["/", &up]).fine();
        server.server_got(&up, &here);
    }
    ncftp(&server, "ncftpls", "-F", &["-1"], &[&server.url("")]).fine().prints(NAMES);
}

#[test]
fn ncftp_gets_and_puts_an_empty_file() {
    let Some(server) = Server::meeting("ncftpget") else { return };
    server.offers("empty", 0);
    server.has("void", 0);
    for mode in MODES {
        ncftp(&server, "ncftpget", mode, &[], &[".", "empty"]).fine();
        server.client_got("empty", b"");
        ncftp(&server, "ncftpput", mode, &[], &["/", "void"]).fine();
        server.server_got("void", b"");
    }
}

#[test]
fn ncftp_gets_and_puts_a_tree() {
    let Some(server) = Server::meeting("ncftpget") else { return };
    let top = server.offers("tree/a.bin", 3000);
    let leaf = server.offers("tree/deep/er/b.bin", 4000);
    ncftp(&server, "ncftpget", "-F", &["-R", "-T"], &[".", "tree"]).fine();
    server.client_got("tree/a.bin", &top);
    server.client_got("tree/deep/er/b.bin", &leaf);
    ncftp(&server, "ncftpput", "-F", &["-R", "-m"], &["/back", "tree"]).fine();
    server.server_got("back/tree/a.bin", &top);
    server.server_got("back/tree/deep/er/b.bin", &leaf);
}
