//! The roads against each other over real sockets, and the faults of either side. Sockets are loopback with port 0;
//! the clock of the stall tests is tokio's, stopped, on wires that are no sockets.

use std::fs::File;
use std::future::Future;
use std::io::{self, Read, Seek, Write};
use std::num::NonZeroU64;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use crate::pace::Pace;
use crate::range::Range;
use crate::{
    Bare, Body, Boxed, Cut, Progress, Rate, Recode, Side, Sink, Source, Taker, Terms, Wire, receive, send,
};

const LONG: Duration = Duration::from_secs(60);
const SIZES: [usize; 7] = [0, 1, 4095, 4096, 65536, (1 << 20) + 3, 20 << 20];

/// A wire that owns up to nothing, as TLS does.
struct Veiled<S>(S);

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Wire for Veiled<S> {
    fn bare(&mut self) -> Option<&mut dyn Bare> {
        None
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Veiled<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Veiled<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Gives its pieces, then the end, or a fault if there is one.
struct Pieces(Vec<Vec<u8>>, Option<io::ErrorKind>);

impl Source for Pieces {
    fn fill<'a>(&'a mut self, into: &'a mut Vec<u8>) -> Boxed<'a, ()> {
        Box::pin(async move {
            if !self.0.is_empty() {
                into.append(&mut self.0.remove(0));
            } else if let Some(kind) = self.1 {
                return Err(kind.into());
            }
            Ok(())
        })
    }
}

/// Takes up to so many bytes.
struct Bucket(Arc<Mutex<Vec<u8>>>, usize);

impl Taker for Bucket {
    fn take<'a>(&'a mut self, bytes: &'a [u8]) -> Boxed<'a, ()> {
        Box::pin(async move {
            let mut held = self.0.lock().unwrap();
            held.extend_from_slice(bytes);
            if held.len() > self.1 { Err(io::ErrorKind::QuotaExceeded.into()) } else { Ok(()) }
        })
    }
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    (near.unwrap(), far.unwrap().0)
}

fn wire(stream: TcpStream, bare: bool) -> Box<dyn Wire> {
    if bare { Box::new(stream) } else { Box::new(Veiled(stream)) }
}

/// Bytes without a period that a wrong offset could hide in, with LF, CR, NUL and FF among them.
fn pattern(size: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..size).map(|_| step() as u8).collect()
}

fn file(bytes: &[u8]) -> Arc<File> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    Arc::new(file)
}

fn hole(size: u64) -> Arc<File> {
    let file = tempfile::tempfile().unwrap();
    file.set_len(size).unwrap();
    Arc::new(file)
}

fn whole(file: Arc<File>) -> Body {
    Body::File { file, from: 0, length: None }
}

fn sink() -> Sink {
    Sink::File { file: hole(0), at: 0 }
}

fn content(sink: &Sink) -> (Vec<u8>, u64) {
    let Sink::File { file, at } = sink else { panic!("no file") };
    let (mut file, mut bytes) = (&**file, Vec::new());
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    (bytes, *at)
}

async fn until(what: &str, mut true_now: impl FnMut() -> bool) {
    let wait = async {
        while !true_now() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(LONG, wait).await.unwrap_or_else(|_| panic!("{what} never came"));
}

/// Sends the body and gives what the peer got and what `send` said; checks the counts against each other.
async fn sent(body: Body, bare: bool, recode: Recode) -> (Vec<u8>, Result<u64, Cut>) {
    let (near, mut far) = pair().await;
    let progress = Progress::default();
    let sending = async {
        let mut near = wire(near, bare);
        send(body, &mut *near, recode, LONG, &progress).await
    };
    let mut got = Vec::new();
    let (said, read) = tokio::join!(sending, far.read_to_end(&mut got));
    read.unwrap();
    let moved = said.as_ref().map_or_else(|cut| cut.moved, |moved| *moved);
    assert_eq!((moved, progress.moved()), (got.len() as u64, got.len() as u64));
    (got, said)
}

/// Receives what the peer writes and gives what `receive` said; checks the counts against each other.
async fn received(bytes: &[u8], sink: &mut Sink, bare: bool, recode: Recode) -> Result<u64, Cut> {
    let (near, mut far) = pair().await;
    let progress = Progress::default();
    let receiving = async {
        let mut near = wire(near, bare);
        receive(&mut *near, sink, recode, LONG, &progress).await
    };
    let writing = async move {
        // The receiver may give up before all is written.
        let _ = far.write_all(bytes).await;
    };
    let (said, ()) = tokio::join!(receiving, writing);
    assert_eq!(said.as_ref().map_or_else(|cut| cut.moved, |moved| *moved), progress.moved());
    said
}

fn assert_cut<T: std::fmt::Debug>(said: Result<T, Cut>, side: Side, kind: io::ErrorKind) -> Cut {
    let cut = said.unwrap_err();
    assert_eq!((cut.side, cut.source.kind()), (side, kind), "{cut:?}");
    cut
}

#[tokio::test]
async fn all_roads_send_the_same_bytes() {
    for size in SIZES {
        let bytes = pattern(size);
        for bare in [true, false] {
            let halves = Pieces(bytes.chunks(size / 2 + 1).map(<[u8]>::to_vec).collect(), None);
            for body in [whole(file(&bytes)), Body::Bytes(bytes.clone()), Body::Source(Box::new(halves))] {
                let name = format!("{body:?}, bare {bare}");
                let (got, said) = sent(body, bare, Recode::None).await;
                assert_eq!(said.unwrap(), size as u64, "{name}");
                assert!(got == bytes, "{name}");
            }
        }
    }
}

#[tokio::test]
async fn all_roads_receive_the_same_bytes() {
    for size in SIZES {
        let bytes = pattern(size);
        for bare in [true, false] {
            let mut sink = sink();
            assert_eq!(received(&bytes, &mut sink, bare, Recode::None).await.unwrap(), size as u64);
            let (got, at) = content(&sink);
            assert!(got == bytes && at == size as u64, "{size} bytes, bare {bare}");

            let held = Arc::new(Mutex::new(Vec::new()));
            let mut sink = Sink::Taker(Box::new(Bucket(Arc::clone(&held), usize::MAX)));
            received(&bytes, &mut sink, bare, Recode::None).await.unwrap();
            assert!(*held.lock().unwrap() == bytes, "{size} bytes taken, bare {bare}");
        }
    }
}

#[tokio::test]
async fn a_range_is_sent_from_its_first_byte_to_its_last() {
    let bytes = pattern((3 << 20) + 5);
    let size = bytes.len() as u64;
    let file = file(&bytes);
    let ranges =
        [(0, None), (1, None), (4097, None), (size, None), (size + 9, None), (0, Some(0)), (7, Some(4096))];
    let long = [(1 << 20, Some((1 << 20) + 1)), (1, Some(size - 1)), (size + 9, Some(0))];
    for (from, length) in ranges.into_iter().chain(long) {
        for bare in [true, false] {
            let body = Body::File { file: Arc::clone(&file), from, length };
            let (got, said) = sent(body, bare, Recode::None).await;
            said.unwrap();
            let start = from.min(size);
            let end = length.map_or(size, |length| start + length);
            assert!(got == bytes[start as usize..end as usize], "{from} {length:?} bare {bare}");
        }
    }
}

#[tokio::test]
async fn receiving_goes_on_where_the_sink_says() {
    let bytes = pattern((1 << 20) + 3);
    for bare in [true, false] {
        let mut sink = Sink::File { file: file(b"0123456789"), at: 4 };
        received(&bytes, &mut sink, bare, Recode::None).await.unwrap();
        let (got, at) = content(&sink);
        assert_eq!(at, 4 + bytes.len() as u64);
        assert!(got == [b"0123", &bytes[..]].concat());
    }
}

#[tokio::test]
async fn a_promised_length_that_the_file_has_not_is_a_cut() {
    for (size, length) in [(4096, 4097), (0, 1), (1 << 20, 9 << 20)] {
        for bare in [true, false] {
            let body = Body::File { file: file(&pattern(size)), from: 0, length: Some(length) };
            let (got, said) = sent(body, bare, Recode::None).await;
            assert_cut(said, Side::File, io::ErrorKind::UnexpectedEof);
            assert_eq!(got.len(), size);
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_is_on_the_disk_only_is_waited_for_elsewhere() {
    use rustix::fs::{Advice, fadvise};

    for size in [5_000, 3 << 20] {
        let bytes = pattern(size);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        file.sync_all().unwrap();
        fadvise(&file, 0, None, Advice::DontNeed).unwrap();
        let body = Body::File { file: Arc::new(file), from: 1, length: Some(size as u64 - 1) };
        let (mut near, mut far) = pair().await;
        let progress = Progress::default();
        let mut came = Vec::new();
        let sending = async {
            send(body, &mut near, Recode::None, LONG, &progress).await.unwrap();
            near.shutdown().await.unwrap();
        };
        let (_, read) = tokio::join!(sending, far.read_to_end(&mut came));
        read.unwrap();
        assert!(came == bytes[1..], "{size}");
    }
}

#[tokio::test]
async fn a_file_that_shrinks_ends_where_it_ends() {
    let (mut near, mut far) = pair().await;
    let progress = Progress::default();
    let mut pace = Pace::new(LONG, &progress);
    for bare in [true, false] {
        let file = hole(2 << 20);
        let mut range = Range::new(Arc::clone(&file), 0, None).unwrap();
        file.set_len(5000).unwrap();
        #[cfg(target_os = "linux")]
        if bare {
            assert!(crate::linux::send(&mut range, &mut near, &mut pace).await.unwrap());
        }
        let outlet = crate::fallback::Outlet::new(&mut near, None);
        outlet.send_range(&mut range, &mut pace).await.unwrap();
        let mut got = vec![0; 5000];
        far.read_exact(&mut got).await.unwrap();
        assert_eq!(progress.moved(), if bare { 5000 } else { 10000 });
    }
}

#[tokio::test]
async fn the_wire_is_left_open() {
    for bare in [true, false] {
        let (near, mut far) = pair().await;
        let mut near = wire(near, bare);
        let progress = Progress::default();
        for body in [whole(file(b"one ")), Body::Bytes(b"two ".to_vec()), Body::Bytes(Vec::new())] {
            send(body, &mut *near, Recode::None, LONG, &progress).await.unwrap();
        }
        near.write_all(b"three").await.unwrap();
        drop(near);
        let mut got = String::new();
        far.read_to_string(&mut got).await.unwrap();
        assert_eq!(got, "one two three");
    }
}

#[tokio::test]
async fn text_is_recoded_both_ways() {
    let text = b"one\ntwo\r\n\nthree".repeat(50_000);
    let on_wire = b"one\r\ntwo\r\n\r\nthree".repeat(50_000);
    let back = b"one\ntwo\n\nthree".repeat(50_000);
    for bare in [true, false] {
        for body in [whole(file(&text)), Body::Bytes(text.clone())] {
            let (got, said) = sent(body, bare, Recode::Ascii).await;
            said.unwrap();
            assert!(got == on_wire);
        }
        let mut sink = sink();
        received(&on_wire, &mut sink, bare, Recode::Ascii).await.unwrap();
        assert!(content(&sink) == (back.clone(), back.len() as u64));
    }
    let mut sink = sink();
    received(b"end\r", &mut sink, true, Recode::Ascii).await.unwrap();
    assert_eq!(content(&sink).0, b"end\r");
}

#[tokio::test]
async fn records_come_back_byte_for_byte() {
    for recode in [Recode::Record, Recode::AsciiRecord] {
        for size in SIZES.into_iter().filter(|size| *size < 2 << 20) {
            let bytes = pattern(size);
            let (on_wire, said) = sent(whole(file(&bytes)), true, recode).await;
            said.unwrap();
            assert!(on_wire.ends_with(b"\xFF\x02"));
            let mut sink = sink();
            assert_eq!(received(&on_wire, &mut sink, true, recode).await.unwrap(), on_wire.len() as u64);
            assert!(content(&sink).0 == bytes, "{size} bytes");
        }
    }
}

#[tokio::test]
async fn a_record_stream_without_end_or_with_a_strange_mark_is_a_cut_of_the_wire() {
    for (stream, kind) in
        [(&b"abc"[..], io::ErrorKind::UnexpectedEof), (b"abc\xFF\x07def", io::ErrorKind::InvalidData)]
    {
        let mut sink = sink();
        let cut = assert_cut(received(stream, &mut sink, true, Recode::Record).await, Side::Wire, kind);
        assert_eq!(cut.moved, stream.len() as u64);
        assert_eq!(content(&sink), (b"abc".to_vec(), 3), "what came before is kept");
    }
}

#[tokio::test]
async fn a_source_that_fails_is_the_fault_of_the_file_side() {
    let source = Pieces(vec![b"one".to_vec(), b"two".to_vec()], Some(io::ErrorKind::NotFound));
    let (got, said) = sent(Body::Source(Box::new(source)), true, Recode::None).await;
    let cut = assert_cut(said, Side::File, io::ErrorKind::NotFound);
    assert_eq!((got, cut.moved), (b"onetwo".to_vec(), 6));
}

#[tokio::test]
async fn a_taker_that_refuses_is_the_fault_of_the_file_side() {
    let mut sink = Sink::Taker(Box::new(Bucket(Arc::default(), 100_000)));
    let said = received(&pattern(200_000), &mut sink, true, Recode::None).await;
    assert_cut(said, Side::File, io::ErrorKind::QuotaExceeded);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_or_written_is_the_fault_of_the_file_side() {
    let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    std::fs::write(&path, b"abc").unwrap();
    for bare in [true, false] {
        let deaf = Arc::new(File::options().write(true).open(&path).unwrap());
        let (_, said) = sent(whole(deaf), bare, Recode::None).await;
        assert_eq!(
            (said.as_ref().unwrap_err().side, said.unwrap_err().source.raw_os_error()),
            (Side::File, Some(9))
        );
        let mut mute = Sink::File { file: Arc::new(File::open(&path).unwrap()), at: 0 };
        let said = received(b"def", &mut mute, bare, Recode::None).await;
        assert_eq!(
            (said.as_ref().unwrap_err().side, said.unwrap_err().source.raw_os_error()),
            (Side::File, Some(9))
        );
        assert_eq!(content(&mute).1, 0);
    }
}

#[tokio::test]
async fn a_peer_that_leaves_while_we_send_is_the_fault_of_the_wire() {
    for bare in [true, false] {
        for body in [whole(hole(1 << 30)), Body::Bytes(vec![7; 64 << 20])] {
            let (near, mut far) = pair().await;
            let mut near = wire(near, bare);
            let progress = Progress::default();
            let leaving = async move { far.read_u8().await.unwrap() };
            let (said, _) = tokio::join!(send(body, &mut *near, Recode::None, LONG, &progress), leaving);
            let cut = said.unwrap_err();
            assert_eq!(cut.side, Side::Wire);
            assert!(
                matches!(cut.source.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe),
                "{cut:?}"
            );
            assert_eq!(cut.moved, progress.moved());
        }
    }
}

#[tokio::test]
async fn a_reset_while_we_receive_is_no_end_and_what_came_is_kept() {
    // Below and above the size from which bytes are spliced.
    for size in [1000, 1 << 20] {
        for bare in [true, false] {
            let (near, mut far) = pair().await;
            let (mut near, mut sink, progress) = (wire(near, bare), sink(), Progress::default());
            let bytes = pattern(size);
            let reset = async {
                far.write_all(&bytes).await.unwrap();
                until("the last byte", || progress.moved() == size as u64).await;
                far.set_zero_linger().unwrap();
                drop(far);
            };
            let (said, ()) =
                tokio::join!(receive(&mut *near, &mut sink, Recode::None, LONG, &progress), reset);
            let cut = assert_cut(said, Side::Wire, io::ErrorKind::ConnectionReset);
            assert_eq!(cut.moved, size as u64);
            assert!(content(&sink) == (bytes, size as u64));
        }
    }
}

#[tokio::test]
async fn a_dropped_receive_leaves_in_the_file_what_was_counted() {
    for size in [1000, 1 << 20] {
        for bare in [true, false] {
            let (near, mut far) = pair().await;
            let (mut near, mut sink, progress) = (wire(near, bare), sink(), Progress::default());
            let bytes = pattern(size);
            tokio::select! {
                _ = receive(&mut *near, &mut sink, Recode::None, LONG, &progress) => panic!("it has not ended"),
                () = async {
                    far.write_all(&bytes).await.unwrap();
                    until("the last byte", || progress.moved() == size as u64).await;
                } => {}
            }
            assert!(content(&sink) == (bytes, size as u64));
        }
    }
}

#[tokio::test]
async fn a_peer_that_does_not_read_stalls_the_sending() {
    for bare in [true, false] {
        for body in [whole(hole(1 << 30)), Body::Bytes(vec![7; 64 << 20])] {
            let (near, far) = pair().await;
            let mut near = wire(near, bare);
            let progress = Progress::default();
            let stall = Duration::from_millis(200);
            let said = send(body, &mut *near, Recode::None, stall, &progress).await;
            let cut = assert_cut(said, Side::Wire, io::ErrorKind::TimedOut);
            assert!(cut.moved > 0 && cut.moved == progress.moved());
            drop(far);
        }
    }
}

#[tokio::test]
async fn a_peer_that_does_not_write_stalls_the_receiving() {
    for size in [0, 1000, 1 << 20] {
        for bare in [true, false] {
            let (near, mut far) = pair().await;
            let (mut near, mut sink, progress) = (wire(near, bare), sink(), Progress::default());
            let bytes = pattern(size);
            let stall = Duration::from_millis(200);
            let receiving = receive(&mut *near, &mut sink, Recode::None, stall, &progress);
            let (said, written) = tokio::join!(receiving, far.write_all(&bytes));
            written.unwrap();
            assert_eq!(assert_cut(said, Side::Wire, io::ErrorKind::TimedOut).moved, size as u64);
            assert!(content(&sink).0 == bytes);
        }
    }
}

fn still_wire() -> (Veiled<DuplexStream>, DuplexStream) {
    let (near, far) = duplex(1000);
    (Veiled(near), far)
}

#[tokio::test(start_paused = true)]
async fn slow_is_not_still() {
    let (mut near, mut far) = still_wire();
    let reading = async {
        let mut piece = [0; 100];
        for _ in 0..100 {
            sleep(Duration::from_millis(900)).await;
            far.read_exact(&mut piece).await.unwrap();
        }
        // Less than the stall until here; and now nothing more.
        std::future::pending::<()>().await;
    };
    let progress = Progress::default();
    let start = Instant::now();
    tokio::select! {
        () = reading => {}
        said = send(Body::Bytes(vec![7; 20_000]), &mut near, Recode::None, Duration::from_secs(1), &progress) => {
            assert_eq!(assert_cut(said, Side::Wire, io::ErrorKind::TimedOut).moved, 11_000);
            let late = start.elapsed() - Duration::from_millis(100 * 900 + 1000);
            assert!(late < Duration::from_millis(10), "{late:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_longest_stall_is_no_stall() {
    let (mut near, mut far) = still_wire();
    let progress = Progress::default();
    let writing = async move {
        sleep(Duration::from_secs(1_000_000)).await;
        far.write_all(b"at last").await.unwrap();
    };
    let mut sink = sink();
    let (said, ()) =
        tokio::join!(receive(&mut near, &mut sink, Recode::None, Duration::MAX, &progress), writing);
    assert_eq!((said.unwrap(), content(&sink).0), (7, b"at last".to_vec()));
}

#[tokio::test]
async fn a_fast_transfer_lets_others_run() {
    // On one thread, a sender whose peer always keeps up would otherwise run to its end between two ticks of the other.
    let (near, far) = pair().await;
    let progress = Progress::default();
    let far = far.into_std().unwrap();
    far.set_nonblocking(false).unwrap();
    let drain = std::thread::spawn(move || io::copy(&mut &far, &mut io::sink()).unwrap());
    let mut near = near;
    let mut ticks = 0u64;
    let size = 256 << 20;
    let body = whole(hole(size));
    {
        let mut sending = std::pin::pin!(send(body, &mut near, Recode::None, LONG, &progress));
        std::future::poll_fn(|cx| {
            ticks += 1;
            sending.as_mut().poll(cx).map(|said| assert_eq!(said.unwrap(), size))
        })
        .await;
    }
    drop(near);
    assert_eq!(drain.join().unwrap(), size);
    assert!(ticks >= size / (8 << 20), "only {ticks} chances for others");
}

#[test]
fn the_futures_may_move_between_threads() {
    fn check<T: Send>(future: T) {
        drop(future);
    }
    let (mut near, _far) = still_wire();
    let (mut sink, progress) = (sink(), Progress::default());
    check(send(Body::Bytes(Vec::new()), &mut near, Recode::None, LONG, &progress));
    check(receive(&mut near, &mut sink, Recode::None, LONG, &progress));
    check(crate::digest(Body::Bytes(Vec::new()), twoport_proto::modes::Algorithm::Crc32, &progress));
}

#[test]
fn a_cut_speaks_of_its_side_and_keeps_its_cause() {
    let cut = Cut { side: Side::File, moved: 12, source: io::Error::from_raw_os_error(28) };
    assert_eq!(cut.to_string(), "the file failed after 12 bytes");
    let cause = std::error::Error::source(&cut).unwrap().downcast_ref::<io::Error>().unwrap();
    assert_eq!(cause.kind(), io::ErrorKind::StorageFull);
}

#[cfg(target_os = "linux")]
mod refusals {
    use super::*;

    #[tokio::test]
    async fn a_file_that_sendfile_refuses_is_sent_by_hand() {
        let path = "/proc/self/auxv";
        let expected = std::fs::read(path).unwrap();
        let file = Arc::new(File::open(path).unwrap());
        let (got, said) = sent(whole(file), true, Recode::None).await;
        said.unwrap();
        assert_eq!(got, expected);
    }

    #[tokio::test]
    async fn a_file_that_splice_refuses_is_written_by_hand() {
        let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        let appending = Arc::new(File::options().append(true).open(&path).unwrap());
        let bytes = pattern(3 << 20);
        let mut sink = Sink::File { file: appending, at: 0 };
        received(&bytes, &mut sink, true, Recode::None).await.unwrap();
        assert!(std::fs::read(&path).unwrap() == bytes);
    }

    #[tokio::test]
    async fn a_full_disk_says_so_on_either_road() {
        let full = || Arc::new(File::options().write(true).open("/dev/full").unwrap());
        for bare in [true, false] {
            let mut sink = Sink::File { file: full(), at: 0 };
            let said = received(&pattern(1 << 20), &mut sink, bare, Recode::None).await;
            let cut = assert_cut(said, Side::File, io::ErrorKind::StorageFull);
            assert_eq!(cut.source.raw_os_error(), Some(28));
        }

        let (mut near, mut far) = pair().await;
        far.write_all(b"abc").await.unwrap();
        let (progress, mut at) = (Progress::default(), 0);
        let said = crate::linux::receive(&mut near, &full(), &mut at, &mut Pace::new(LONG, &progress)).await;
        let cut = assert_cut(said, Side::File, io::ErrorKind::StorageFull);
        assert_eq!((cut.moved, at), (3, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_rate_holds_on_every_road_and_both_ways() {
    // More than what is received before splice takes over.
    let bytes = pattern(600_000);
    for bare in [true, false] {
        for file in [true, false] {
            let rate = Rate::new(NonZeroU64::new(300_000).unwrap());
            // Time is not real here: a stall must not be taken for one.
            let terms = Terms { stall: Duration::MAX, rate: Some(rate) };
            let body = if file { whole(self::file(&bytes)) } else { Body::Bytes(bytes.clone()) };
            let (near, mut far) = pair().await;
            let (began, progress) = (Instant::now(), Progress::default());
            let sending = async {
                let mut near = wire(near, bare);
                send(body, &mut *near, Recode::None, terms.clone(), &progress).await
            };
            let mut got = Vec::new();
            let (said, read) = tokio::join!(sending, far.read_to_end(&mut got));
            read.unwrap();
            assert_eq!((said.unwrap(), got == bytes), (600_000, true));
            let sent_after = began.elapsed();
            assert!(sent_after >= Duration::from_millis(1850), "{bare} {file} {sent_after:?}");

            let (near, mut far) = pair().await;
            let mut sink =
                if file { sink() } else { Sink::Taker(Box::new(Bucket(Arc::default(), bytes.len()))) };
            let receiving = async {
                let mut near = wire(near, bare);
                receive(&mut *near, &mut sink, Recode::None, terms, &progress).await
            };
            let bytes = bytes.clone();
            let writing = async move { far.write_all(&bytes).await.unwrap() };
            let (said, ()) = tokio::join!(receiving, writing);
            assert_eq!(said.unwrap(), 600_000);
            // One limit for both: what came before counts.
            assert!(began.elapsed() >= Duration::from_millis(3700), "{bare} {file} {:?}", began.elapsed());
            assert!(progress.pulse().is_some(), "nothing is held any more");
        }
    }
}
