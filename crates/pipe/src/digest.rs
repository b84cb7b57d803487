//! `digest`: the hash of a body. Files are hashed on the blocking pool, because a hash is work without a wait in it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use twoport_proto::modes::Algorithm;

use crate::body::Body;
use crate::progress::Progress;
use crate::range::Range;

/// The hash of `body` as big-endian bytes (4 for CRC-32, 16 for MD5, 20, 32 or 64 for SHA); `progress` counts the
/// bytes read. Dropping the future stops the work within 256 KiB. Needs a tokio runtime.
///
/// # Errors
/// When the body cannot be read, and `UnexpectedEof` when a file ends before a promised `length`.
pub async fn digest(body: Body, algorithm: Algorithm, progress: &Progress) -> io::Result<Vec<u8>> {
    let mut hasher = Hasher::new(algorithm);
    let progress = progress.clone();
    match body {
        Body::File { file, from, length } => {
            let stop = Stop::default();
            let stopped = Arc::clone(&stop.0);
            let work = move || {
                let mut range = Range::new(file, from, length)?;
                let mut buffer = vec![0; range.next(CHUNK)];
                while !stopped.load(Ordering::Relaxed) {
                    let read = range.read(&mut buffer)?;
                    if read == 0 {
                        return Ok(hasher.finish());
                    }
                    hasher.update(&buffer[..read]);
                    progress.add(read as u64);
                }
                Err(io::ErrorKind::Interrupted.into())
            };
            tokio::task::spawn_blocking(work).await?
        }
        Body::Bytes(bytes) => {
            for piece in bytes.chunks(CHUNK) {
                hasher.update(piece);
                progress.add(piece.len() as u64);
                tokio::task::yield_now().await;
            }
            Ok(hasher.finish())
        }
        Body::Source(mut source) => {
            let mut buffer = Vec::new();
            loop {
                buffer.clear();
                source.fill(&mut buffer).await?;
                if buffer.is_empty() {
                    return Ok(hasher.finish());
                }
                hasher.update(&buffer);
                progress.add(buffer.len() as u64);
                tokio::task::yield_now().await;
            }
        }
    }
}

/// Tells the thread to stop when the future that waits for it is dropped.
#[derive(Default)]
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

enum Hasher {
    Crc32(crc32fast::Hasher),
    Md5(Md5),
    Sha1(Sha1),
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Crc32 => Hasher::Crc32(crc32fast::Hasher::new()),
            Algorithm::Md5 => Hasher::Md5(Md5::new()),
            Algorithm::Sha1 => Hasher::Sha1(Sha1::new()),
            Algorithm::Sha256 => Hasher::Sha256(Sha256::new()),
            Algorithm::Sha512 => Hasher::Sha512(Sha512::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Hasher::Crc32(hasher) => hasher.update(bytes),
            Hasher::Md5(hasher) => hasher.update(bytes),
            Hasher::Sha1(hasher) => hasher.update(bytes),
            Hasher::Sha256(hasher) => hasher.update(bytes),
            Hasher::Sha512(hasher) => hasher.update(bytes),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Hasher::Crc32(hasher) => hasher.finalize().to_be_bytes().to_vec(),
            Hasher::Md5(hasher) => hasher.finalize().to_vec(),
            Hasher::Sha1(hasher) => hasher.finalize().to_vec(),
            Hasher::Sha256(hasher) => hasher.finalize().to_vec(),
            Hasher::Sha512(hasher) => hasher.finalize().to_vec(),
        }
    }
}

/// Bytes hashed between two looks at the stop flag.
const CHUNK: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;
    use std::time::Duration;

    use super::*;
    use crate::body::{Boxed, Source};

    /// Twice the same bytes, then the end.
    struct Twice(Vec<u8>, u8);

    impl Source for Twice {
        fn fill<'a>(&'a mut self, into: &'a mut Vec<u8>) -> Boxed<'a, ()> {
            if self.1 < 2 {
                self.1 += 1;
                into.extend_from_slice(&self.0);
            }
            Box::pin(std::future::ready(Ok(())))
        }
    }

    fn file(bytes: &[u8]) -> Arc<File> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Arc::new(file)
    }

    async fn hex(body: Body, algorithm: Algorithm) -> String {
        let hash = digest(body, algorithm, &Progress::default()).await.unwrap();
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[tokio::test]
    async fn known_hashes() {
        let vectors = [
            (Algorithm::Crc32, "", "00000000"),
            (Algorithm::Crc32, "abc", "352441c2"),
            (Algorithm::Crc32, "123456789", "cbf43926"),
            (Algorithm::Md5, "", "d41d8cd98f00b204e9800998ecf8427e"),
            (Algorithm::Md5, "abc", "900150983cd24fb0d6963f7d28e17f72"),
            (Algorithm::Sha1, "", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
            (Algorithm::Sha1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (Algorithm::Sha256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (Algorithm::Sha256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                Algorithm::Sha512,
                "",
                "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce\
                 47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
            ),
            (
                Algorithm::Sha512,
                "abc",
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                 2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            ),
        ];
        for (algorithm, text, hash) in vectors {
            let bytes = text.as_bytes();
            assert_eq!(hex(Body::Bytes(bytes.to_vec()), algorithm).await, hash);
            let body = Body::File { file: file(bytes), from: 0, length: None };
            assert_eq!(hex(body, algorithm).await, hash);
        }
    }

    #[tokio::test]
    async fn a_large_body_has_one_hash_in_every_shape() {
        let half: Vec<u8> = (0..400_001u32).map(|i| (i % 251) as u8).collect();
        let all = half.repeat(2);
        let ranged =
            Body::File { file: file(&[b"x", &all[..], b"yz"].concat()), from: 1, length: Some(800_002) };
        let expected = hex(Body::Bytes(all), Algorithm::Sha256).await;
        assert_eq!(hex(ranged, Algorithm::Sha256).await, expected);
        assert_eq!(hex(Body::Source(Box::new(Twice(half, 0))), Algorithm::Sha256).await, expected);
    }

    #[tokio::test]
    async fn progress_counts_what_was_read_and_a_short_file_is_a_fault() {
        let progress = Progress::default();
        let body = Body::File { file: file(&[7; 300_000]), from: 0, length: Some(300_001) };
        let error = digest(body, Algorithm::Crc32, &progress).await.unwrap_err();
        assert_eq!((error.kind(), progress.moved()), (io::ErrorKind::UnexpectedEof, 300_000));
    }

    #[tokio::test]
    async fn a_dropped_digest_lets_go_of_the_file() {
        let hole = Arc::new(tempfile::tempfile().unwrap());
        hole.set_len(1 << 40).unwrap();
        let progress = Progress::default();
        let body = Body::File { file: Arc::clone(&hole), from: 0, length: None };
        let begun = async {
            while progress.moved() == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            _ = digest(body, Algorithm::Crc32, &progress) => panic!("a tebibyte at once"),
            () = begun => {}
        }
        let let_go = async {
            while Arc::strong_count(&hole) > 1 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), let_go).await.unwrap();
        assert!(progress.moved() < 1 << 40);
    }
}
