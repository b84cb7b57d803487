//! Certificates for a test, made by openssl in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::files::room;
use crate::support::program::have;

/// A folder with certificates, NAME.pem, and their keys, NAME.key.
pub(super) struct Paper {
    folder: tempfile::TempDir,
}

impl Paper {
    /// An empty folder, unless openssl is not installed.
    pub(super) fn new() -> Option<Paper> {
        let folder = || tempfile::Builder::new().prefix("paper-").tempdir_in(room());
        have("openssl").then(|| Paper { folder: folder().expect("a test folder can be made") })
    }

    pub(super) fn folder(&self) -> &str {
        self.folder.path().to_str().expect("test folders have plain names")
    }

    pub(super) fn pem(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.pem"))
    }

    pub(super) fn key(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.key"))
    }

    /// One that is signed by itself, for these names (`DNS:…`, `email:…`), or for none.
    #[track_caller]
    pub(super) fn write(&self, name: &str, names: &str) {
        write(self.folder.path(), name, names, None);
    }

    /// One that is signed by another of the folder.
    #[track_caller]
    pub(super) fn sign(&self, name: &str, names: &str, by: &str) {
        write(self.folder.path(), name, names, Some(by));
    }

    /// Its SHA-256.
    #[track_caller]
    pub(super) fn fingerprint(&self, name: &str) -> [u8; 32] {
        let out = Command::new("openssl")
            .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
            .arg(self.pem(name))
            .output()
            .expect("openssl runs");
        let text = String::from_utf8_lossy(&out.stdout);
        let digits = text.trim().rsplit('=').next().unwrap_or_default();
        let bytes =
            digits.split(':').map(|byte| u8::from_str_radix(byte, 16).expect("openssl writes hexadecimal"));
        bytes.collect::<Vec<u8>>().try_into().expect("SHA-256 has 32 bytes")
    }
}

#[track_caller]
fn write(folder: &Path, name: &str, names: &str, by: Option<&str>) {
    let (subject, pem, key) = (format!("/CN={name}"), format!("{name}.pem"), format!("{name}.key"));
    let (signer, signers_key) =
        (format!("{}.pem", by.unwrap_or_default()), format!("{}.key", by.unwrap_or_default()));
    let alternative = format!("subjectAltName={names}");
    let mut args =
        vec!["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"];
    args.extend(["-subj", &subject, "-out", &pem, "-keyout", &key]);
    if !names.is_empty() {
        args.extend(["-addext", &alternative]);
    }
    if by.is_some() {
        args.extend([
            "-CA",
            &signer,
            "-CAkey",
            &signers_key,
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ]);
    }
    let out = Command::new("openssl").args(args).current_dir(folder).stdin(Stdio::null()).output();
    let out = out.expect("openssl runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}
