//! Servers with TLS that mean no good, or are broken in one way (`mean.py`): what is said, with which code, and what is kept.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use twoport_certs::made_up;

use super::client::run_in;
use crate::support::files::room;
use crate::support::program::have;

/// Such a server, and a folder of the client's.
struct Mean {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Mean {
    fn new(manner: &str) -> Option<Mean> {
        if !have("python3") {
            return None;
        }
        let folder = tempfile::tempdir_in(room()).unwrap();
        let mut files = Vec::new();
        for name in ["one", "two"] {
            let state = folder.path().join(name);
            let pem = made_up(&state, &["127.0.0.1".to_owned()]).unwrap();
            for (part, text) in [("cert", pem.chain), ("key", pem.key)] {
                let path = folder.path().join(format!("{name}.{part}"));
                fs::write(&path, text).unwrap();
                files.push(path);
            }
        }
        // The data connection shows another certificate in one manner only.
        files.truncate(if manner == "other-data" { 4 } else { 2 });
        let mut child = Command::new("python3")
            .arg("-B")
            .arg(format!("{}/face/mean.py", env!("CARGO_MANIFEST_DIR")))
            .arg(manner)
            .args(&files)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Some(Mean { child, port: line.trim().parse().unwrap(), folder })
    }

    /// `get` of its file; gives what was said.
    #[track_caller]
    fn get(&self, flags: &[&str], code: i32) -> String {
        let url = format!("ftp://anna:secret@127.0.0.1:{}/file", self.port);
        // Whatever it does is soon over.
        let common = ["get", &url, "-o", "file", "--retries", "1", "--timeout", "4", "--passive"];
        let output = run_in(self.folder.path(), &[&common, flags].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{flags:?}: {said}");
        assert!(!said.contains("secret"), "{said}");
        said
    }

    fn got(&self) -> Option<usize> {
        fs::metadata(self.folder.path().join("file")).ok().map(|file| usize::try_from(file.len()).unwrap())
    }
}

impl Drop for Mean {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

const WHOLE: usize = 256_000;

#[track_caller]
fn says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "no {part:?} in: {said}");
    }
}

#[test]
fn what_is_said_in_the_clear_behind_234_is_not_heard_in_tls() {
    let Some(mean) = Mean::new("injects") else { return };
    says(&mean.get(&["--tls", "require", "--insecure"], 5), &["more was said in the clear where TLS begins"]);
    assert_eq!(mean.got(), None);
}

#[test]
fn a_server_that_cannot_shake_hands_is_met_in_the_clear_unless_tls_is_demanded() {
    for (manner, why) in [
        ("hangs-up", "closed the control connection"),
        ("swallows", "said nothing to AUTH TLS"),
        ("babbles", "what came was no TLS"),
        ("old", "knows no version of TLS that this side does"),
    ] {
        let Some(mean) = Mean::new(manner) else { return };
        says(&mean.get(&["--tls", "require", "--insecure"], 5), &["TLS was demanded", why]);
        assert_eq!(mean.got(), None, "{manner}");
        says(&mean.get(&[], 0), &["in the clear", "can be read on the way", why]);
        assert_eq!(mean.got(), Some(WHOLE), "{manner}");
    }
}

#[test]
fn a_box_that_swallows_full_segments_is_passed_by_small_ones() {
    let Some(mean) = Mean::new("stubborn") else { return };
    says(&mean.get(&["--tls", "require", "--insecure"], 0), &["trying small segments"]);
    assert_eq!(mean.got(), Some(WHOLE));
    let Some(mean) = Mean::new("mute") else { return };
    let said = mean.get(&["--tls", "require", "--insecure"], 5);
    says(&said, &["trying small segments", "the handshake did not end within 4 seconds"]);
}

#[test]
fn a_server_that_protects_no_data_is_no_server_where_tls_is_demanded() {
    let Some(mean) = Mean::new("clear-data") else { return };
    says(
        &mean.get(&["--tls", "require", "--insecure"], 5),
        &["does not protect data connections (536 not here)"],
    );
    says(&mean.get(&[], 0), &["does not protect data connections", "files can be read on the way"]);
    assert_eq!(mean.got(), Some(WHOLE));
}

#[test]
fn a_data_connection_with_another_certificate_is_refused() {
    let Some(mean) = Mean::new("other-data") else { return };
    let one = mean.folder.path().join("one.cert").display().to_string();
    says(&mean.get(&["--tls", "require", "--ca", &one], 5), &["data connection", "not to be trusted"]);
    // At first sight the control connection's is the one that is known from then on.
    says(&mean.get(&[], 5), &["first sight", "data connection", "another certificate"]);
    assert_eq!(mean.got(), None);
}

#[test]
fn a_download_that_ends_without_close_notify_is_whole_only_by_its_size() {
    let Some(mean) = Mean::new("unended") else { return };
    mean.get(&["--insecure"], 0);
    assert_eq!(mean.got(), Some(WHOLE));
    let Some(mean) = Mean::new("cut") else { return };
    mean.get(&["--insecure"], 7);
    assert_eq!(mean.got(), None, "it has its name only when it is whole");
}
