//! The kernel moves the bytes: sendfile to the wire, splice from it. When the kernel refuses (an odd file system, a
//! file opened for appending, a container's filter) both say so and leave everything ready for the plain loop.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rustix::fs::{Advice, fadvise, sendfile};
use rustix::io::{Errno, ReadWriteFlags, preadv2};
use rustix::net::SendFlags;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
use tokio::io::Interest;

use crate::cut::Cut;
use crate::pace::Pace;
use crate::range::{Range, write_all_at};
use crate::wire::Bare;

/// Sends the range; `false` when the kernel refuses, and then the range is what is still to be sent.
pub(crate) async fn send(range: &mut Range, wire: &mut dyn Bare, pace: &mut Pace<'_>) -> Result<bool, Cut> {
    if !range.is_at_least(SMALL) && !pace.is_limited() {
        send_small(range, wire, pace);
    }
    if range.is_at_least(LARGE) {
        // Doubles the kernel's own read-ahead. Asking for windows with WILLNEED on top was measured, and slower, cold
        // cache or warm. Advice: nothing is lost when it is not taken.
        let _ = fadvise(&range.file, range.at, None, Advice::Sequential);
    }
    let (mut first, mut warm_to) = (true, 0);
    loop {
        let want = range.next(pace.stride());
        if want == 0 {
            return Ok(true);
        }
        let want = pace.allow(want).await;
        if range.at >= warm_to {
            warm_to = warm(range, want).await;
        }
        let at = range.at;
        let step = |wire: BorrowedFd<'_>| {
            sendfile(wire, &range.file, Some(&mut { at }), want).map_err(io::Error::from)
        };
        // A new socket can be written to, but the runtime learns that only by asking the kernel: for a small file the
        // one call that matters is made without asking.
        let at_once = if std::mem::take(&mut first) {
            step(wire.as_fd())
        } else {
            Err(io::ErrorKind::WouldBlock.into())
        };
        let sent = match at_once {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let known = wire.known().map_err(|error| pace.wire(error))?;
                pace.hold(known.async_io(Interest::WRITABLE, || step(known.as_fd()))).await
            }
            done => done,
        };
        match sent {
            Ok(0) => {
                range.end().map_err(|error| pace.file(error))?;
                return Ok(true);
            }
            Ok(sent) => {
                range.advance(sent);
                pace.count(sent);
                pace.rest().await;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if is_of_the_wire(&error) => return Err(pace.wire(error)),
            // A refusal, or a fault of the file: the plain loop meets the latter again and then knows the side.
            Err(_) => return Ok(false),
        }
    }
}

/// What is read with one call goes with one packet, and the end of the connection with it: sendfile would send it alone. What the
/// socket does not take, or is not in memory, is still to be sent.
fn send_small(range: &mut Range, wire: &dyn Bare, pace: &mut Pace<'_>) {
    let mut buffer = [0; SMALL as usize];
    let want = range.next(buffer.len());
    if let Ok(read) = read_now(&range.file, range.at, &mut buffer[..want]) {
        let sent = at_once(wire, &buffer[..read]);
        range.advance(sent);
        pace.count(sent);
    }
}

/// Reads what is in memory.
fn read_now(file: &File, at: u64, into: &mut [u8]) -> Result<usize, Errno> {
    preadv2(file, &mut [IoSliceMut::new(into)], at, ReadWriteFlags::NOWAIT)
}

/// Waits until the next bytes of the file are in memory, so that sendfile does not wait for a disk and hold up whatever else this
/// thread carries; up to where they are. A look ahead is enough, since files are read in order; where the system does not tell, they
/// are taken to be there.
async fn warm(range: &Range, bytes: usize) -> u64 {
    let cold = |at: u64| matches!(read_now(&range.file, at, &mut [0]), Err(Errno::AGAIN));
    let far = range.at + range.next(WINDOW) as u64;
    if !cold(range.at) && !cold(far.saturating_sub(1)) {
        return far;
    }
    let (file, mut at, near) = (Arc::clone(&range.file), range.at, range.at + bytes as u64);
    // What fails here fails again where it is told.
    let _ = tokio::task::spawn_blocking(move || {
        let mut buffer = vec![0; SMALL_PIPE];
        while at < near {
            match file.read_at(&mut buffer, at) {
                Ok(read @ 1..) => at += read as u64,
                Ok(0) | Err(_) => break,
            }
        }
    })
    .await;
    near
}

/// Sends the front of `bytes`, as much as a new socket takes without the runtime asking the kernel whether it is
/// writable; 0 if it takes nothing or fails, and then the next write meets the fault too. The system may wait for more for a moment.
pub(crate) fn at_once(wire: &dyn Bare, bytes: &[u8]) -> usize {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL | SendFlags::MORE;
    rustix::net::send(wire.as_fd(), bytes, flags).unwrap_or(0)
}

/// Receives into the file until the wire ends; `false` when the kernel refuses, and then nothing is under way.
pub(crate) async fn receive(
    wire: &mut dyn Bare,
    file: &File,
    at: &mut u64,
    pace: &mut Pace<'_>,
) -> Result<bool, Cut> {
    let Ok((from, into)) = pipe_with(PipeFlags::CLOEXEC) else { return Ok(false) };
    // A user with many pipes is held to small ones; those are slower, not wrong.
    let size = fcntl_setpipe_size(&into, PIPE).unwrap_or(SMALL_PIPE);
    loop {
        let most = pace.allow(size).await;
        let wire = wire.known().map_err(|error| pace.wire(error))?;
        let step = || splice(wire, None, &into, None, most, SpliceFlags::NONBLOCK).map_err(io::Error::from);
        let taken = match pace.hold(wire.async_io(Interest::READABLE, step)).await {
            Ok(0) => return Ok(true),
            Ok(taken) => taken,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if is_refusal(&error) => return Ok(false),
            Err(error) => return Err(pace.wire(error)),
        };
        pace.count(taken);
        // No await until the pipe is empty: whoever drops this future finds in the file all that was counted.
        if !empty(&from, taken, file, at).map_err(|error| pace.file(error))? {
            return Ok(false);
        }
        pace.rest().await;
    }
}

/// Moves `left` bytes from the pipe to the file; `false` when it had to be done by hand.
fn empty(from: &OwnedFd, mut left: usize, file: &File, at: &mut u64) -> io::Result<bool> {
    while left > 0 {
        match splice(from, None, file, Some(at), left, SpliceFlags::empty()) {
            Ok(moved) if moved > 0 => left -= moved,
            Err(Errno::INTR) => {}
            // By hand either it goes, or it fails with the word of a plain write.
            _ => {
                let mut buffer = vec![0; left];
                while left > 0 {
                    let read = rustix::io::retry_on_intr(|| rustix::io::read(from, &mut *buffer))?;
                    write_all_at(file, &buffer[..read], at)?;
                    left -= read;
                }
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn is_refusal(error: &io::Error) -> bool {
    let refusals = [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP, Errno::PERM, Errno::ACCESS];
    Errno::from_io_error(error).is_some_and(|errno| refusals.contains(&errno))
}

/// Whether sendfile speaks of the socket; a socket says each of these only once, so no other road would hear it.
fn is_of_the_wire(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::BrokenPipe
            | Kind::ConnectionAborted
            | Kind::ConnectionReset
            | Kind::HostUnreachable
            | Kind::NetworkDown
            | Kind::NetworkUnreachable
            | Kind::NotConnected
            | Kind::TimedOut
    )
}

/// Bytes below which a file is read and sent, and not sent by sendfile.
const SMALL: u64 = 16 << 10;
/// Bytes that are looked ahead.
const WINDOW: usize = 4 << 20;
/// Bytes from which read-ahead is worth a call.
const LARGE: u64 = 1 << 20;
/// Bytes of a pipe where the user may have one of that size.
const PIPE: usize = 1 << 20;
/// Bytes of a pipe as the kernel makes it.
const SMALL_PIPE: usize = 64 << 10;
