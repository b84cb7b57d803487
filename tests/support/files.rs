//! Files for transfers: bytes that show where they come from, the names that clients stumble over, one large file.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use sha2::{Digest, Sha256};

/// Spaces, both quotes, and letters of two, three and four bytes.
pub(crate) const NAMES: &[&str] = &["two words.bin", "it's \"quoted\".bin", "Grüße 日本 😀.bin"];

/// The size of the large file: 1 GiB.
pub(crate) const LARGE: u64 = 1 << 30;

/// Bytes that do not repeat within a file, every value among them.
pub(crate) fn bytes(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        bytes.extend(step());
    }
    bytes.truncate(len);
    bytes
}

/// Writes a file and the folders that it needs.
#[track_caller]
pub(crate) fn write(path: &Path, bytes: &[u8]) {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).expect("a test folder can be made");
    }
    std::fs::write(path, bytes)
        .unwrap_or_else(|error| panic!("{} could not be written: {error}", path.display()));
}

/// A file holds just these bytes.
#[track_caller]
pub(crate) fn same(path: &Path, bytes: &[u8]) {
    let found =
        std::fs::read(path).unwrap_or_else(|error| panic!("{} is not there: {error}", path.display()));
    let differ = found.iter().zip(bytes).position(|(a, b)| a != b);
    assert!(
        found == bytes,
        "{}: {} bytes where {} were sent; the first difference is at {differ:?}",
        path.display(),
        found.len(),
        bytes.len()
    );
}

/// Whether the large file is left out: `cargo xtask test --quick`.
pub(crate) fn quick() -> bool {
    let quick = std::env::var_os("TWOPORT_QUICK").is_some();
    if quick {
        println!("skipped: the 1 GiB file (TWOPORT_QUICK is set)");
    }
    quick
}

/// The large file and its hash. It is made once and kept for the next run. No two of its blocks are alike, so a block in
/// the wrong place changes the hash.
pub(crate) fn large() -> &'static (PathBuf, [u8; 32]) {
    static LARGE_FILE: OnceLock<(PathBuf, [u8; 32])> = OnceLock::new();
    LARGE_FILE.get_or_init(|| {
        let path = room().join("large.bin");
        if path.metadata().map(|data| data.len()).ok() != Some(LARGE) {
            // Whole under a name of its own first: another run may look for it at the same time.
            let working = room().join(format!("large.{}", std::process::id()));
            let mut file = File::create(&working).expect("the large file can be made");
            let mut block = bytes(1 << 20, 1);
            for number in 0..LARGE >> 20 {
                block[..8].copy_from_slice(&number.to_le_bytes());
                file.write_all(&block).expect("there is room for the large file");
            }
            std::fs::rename(&working, &path).expect("the large file can be named");
        }
        let hash = hash(&path);
        (path, hash)
    })
}

/// One at a time: two large files at once would only measure the disk.
pub(crate) fn large_turn() -> &'static Mutex<()> {
    static TURN: Mutex<()> = Mutex::new(());
    &TURN
}

/// A second name for the large file in `folder`.
pub(crate) fn link_large(folder: &Path, name: &str) {
    let to = folder.join(name);
    if std::fs::hard_link(&large().0, &to).is_err() {
        std::fs::copy(&large().0, &to).expect("there is room for a copy of the large file");
    }
}

/// SHA-256 of a file.
#[track_caller]
pub(crate) fn hash(path: &Path) -> [u8; 32] {
    let mut file =
        File::open(path).unwrap_or_else(|error| panic!("{} is not there: {error}", path.display()));
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer).expect("a test file can be read") {
            0 => return hash.finalize().into(),
            count => hash.update(&buffer[..count]),
        }
    }
}

/// Where test files lie: beside the build, since `/tmp` may be small and kept in memory.
pub(crate) fn room() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}
