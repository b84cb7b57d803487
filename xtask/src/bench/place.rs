//! `Place`: the folders of one run. What the servers share (a large file, small ones, a folder of 10,000 files, one to store
//! into), and what they are started with: settings, a certificate, an /etc of their own. All of it goes with the value.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::group::left_by_the_dead;
use crate::install::quiet;

/// Bytes of the large file.
pub(super) const LARGE: u64 = 1 << 30;

/// Bytes of a small file.
pub(super) const SMALL: usize = 4096;

/// How many small files there are.
pub(super) const SMALLS: usize = 500;

/// Entries of the folder that is listed.
pub(super) const MANY: usize = 10_000;

/// The folders of one run.
pub(super) struct Place {
    folder: PathBuf,
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Place {
    /// Makes them below a folder of the user's choice, and removes there what a run has left that was killed.
    pub(super) fn new(below: &Path) -> Result<Place, String> {
        for left in left_by_the_dead(below) {
            let _ = fs::remove_dir_all(left);
        }
        let place = Place { folder: below.join(format!("twoport-bench-{}", std::process::id())) };
        place.furnish().map_err(|e| format!("{} cannot be filled: {e}", place.folder.display()))?;
        place.certify()?;
        Ok(place)
    }

    /// What the servers share.
    pub(super) fn root(&self) -> PathBuf {
        self.folder.join("root")
    }

    /// A file of the servers' own.
    pub(super) fn run(&self, name: &str) -> PathBuf {
        self.folder.join("run").join(name)
    }

    /// Writes a file of the servers' own; where it is.
    pub(super) fn write(&self, name: &str, text: &[u8]) -> Result<PathBuf, String> {
        let path = self.run(name);
        let folder = path.parent().unwrap_or(&self.folder);
        let written = fs::create_dir_all(folder).and_then(|()| fs::write(&path, text));
        written.map_err(|e| format!("{} cannot be written: {e}", path.display()))?;
        Ok(path)
    }

    /// Takes away what was stored.
    pub(super) fn sweep(&self) {
        for entry in fs::read_dir(self.root().join("in")).into_iter().flatten().flatten() {
            let _ = fs::remove_file(entry.path());
        }
    }

    /// Writes as much as a server is about to store, and takes it away: a virtual machine has to ask its host for memory that it
    /// has not used for a while, and whoever comes first would pay for that.
    pub(super) fn warm(&self, bytes: u64) {
        let path = self.root().join("in/warm");
        if let Ok(mut file) = File::create(&path) {
            let block = vec![1; 1 << 20];
            let _ = (0..bytes >> 20).try_for_each(|_| file.write_all(&block));
        }
        let _ = fs::remove_file(path);
    }

    fn furnish(&self) -> io::Result<()> {
        let root = self.root();
        for folder in [self.folder.join("run/etc"), root.join("many"), root.join("in")] {
            fs::create_dir_all(folder)?;
        }
        // Whoever the server becomes must come so far.
        for (folder, mode) in
            [(&self.folder, 0o755), (&root, 0o755), (&root.join("many"), 0o755), (&root.join("in"), 0o777)]
        {
            fs::set_permissions(folder, fs::Permissions::from_mode(mode))?;
        }
        let block: Vec<u8> =
            (0..1_u32 << 18).flat_map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let mut large = File::create(root.join("large"))?;
        for _ in 0..LARGE >> 20 {
            large.write_all(&block)?;
        }
        for number in 0..SMALLS {
            fs::write(root.join(format!("small{number}")), &block[..SMALL])?;
        }
        for number in 0..MANY {
            File::create(root.join(format!("many/file-{number:05}.dat")))?;
        }
        // An account that needs no account of this machine, for servers that cannot do without.
        let etc = self.folder.join("run/etc");
        fs::write(
            etc.join("passwd"),
            "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/false\nftp:x:65533:65534::/mnt:/bin/false\n",
        )?;
        fs::write(etc.join("group"), "root:x:0:\nnogroup:x:65534:\n")?;
        fs::write(etc.join("nsswitch.conf"), "passwd: files\ngroup: files\nshadow: files\nhosts: files\n")?;
        fs::write(etc.join("hosts"), "127.0.0.1 localhost\n::1 localhost\n")?;
        fs::write(etc.join("services"), "ftp 21/tcp\nftp-data 20/tcp\n")?;
        for name in ["ld.so.cache", "localtime"] {
            // Without the first the loader looks for itself; without the second the clock is UTC.
            let _ = fs::copy(Path::new("/etc").join(name), etc.join(name));
        }
        Ok(())
    }

    /// `cert.pem`, `key.pem`, and `both.pem` for servers that want one file; again where Pure-FTPd looks and nowhere else.
    fn certify(&self) -> Result<(), String> {
        let (cert, key) = (self.run("cert.pem"), self.run("key.pem"));
        let mut openssl = Command::new("openssl");
        openssl.args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "30",
        ]);
        openssl.args([
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-keyout",
        ]);
        if !quiet(openssl.arg(&key).arg("-out").arg(&cert)) {
            return Err("openssl made no certificate".to_owned());
        }
        let read = |path: &Path| fs::read(path).map_err(|e| format!("{}: {e}", path.display()));
        let both = [read(&key)?, read(&cert)?].concat();
        for path in [self.write("both.pem", &both)?, self.write("etc/ssl/private/pure-ftpd.pem", &both)?, key]
        {
            let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o600));
        }
        Ok(())
    }
}
