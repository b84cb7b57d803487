//! The loop behind an answer to a CA: it listens while an order is under way. The address is open to all, so no asker
//! is waited for, and many of them take the place of the oldest.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use crate::Error;

/// Listens where the CA will ask.
pub(super) async fn listen(address: SocketAddr, challenge: &str) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| {
        let what = format!(
            "{challenge} is answered at {address}, where this program cannot listen; end what is there, or have the \
             port led to another address and name that"
        );
        Error::Local { what, source }
    })
}

/// Answers until it is dropped, and every asker with it.
pub(super) async fn serve<F>(listener: TcpListener, answer: impl Fn(TcpStream) -> F) -> Infallible
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut askers = JoinSet::new();
    let mut oldest: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => {
                    oldest.retain(|asker| !asker.is_finished());
                    if oldest.len() >= MOST && let Some(asker) = oldest.pop_front() {
                        asker.abort();
                    }
                    let limited = tokio::time::timeout(PATIENCE, answer(socket));
                    oldest.push_back(askers.spawn(async { drop(limited.await) }));
                }
                // No file descriptor is left, or the like: it says so again at once, so give others a moment.
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
            Some(_) = askers.join_next() => {}
        }
    }
}

/// As many askers at one time.
const MOST: usize = 64;

/// How long one asker may take.
const PATIENCE: Duration = Duration::from_secs(10);

const PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// Writes one byte when it has read one.
    async fn echo(mut socket: TcpStream) {
        if let Ok(byte) = socket.read_u8().await {
            let _ = socket.write_u8(byte).await;
        }
    }

    #[tokio::test]
    async fn who_is_silent_holds_nobody_up() {
        let listener = listen("127.0.0.1:0".parse().unwrap(), "a test").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asking = async {
            let mut silent = Vec::new();
            for _ in 0..2 * MOST {
                silent.push(TcpStream::connect(address).await.unwrap());
            }
            let mut asker = TcpStream::connect(address).await.unwrap();
            asker.write_u8(7).await.unwrap();
            assert_eq!(asker.read_u8().await.unwrap(), 7);
            // The first of the silent ones had to make room.
            assert!(silent[0].read_u8().await.is_err());
        };
        tokio::select! {
            () = asking => {}
            never = serve(listener, echo) => match never {},
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_silent_is_closed() {
        let listener = listen("127.0.0.1:0".parse().unwrap(), "a test").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asking = async {
            let mut asker = TcpStream::connect(address).await.unwrap();
            let start = tokio::time::Instant::now();
            assert!(asker.read_u8().await.is_err());
            assert!(start.elapsed() >= PATIENCE / 2);
        };
        tokio::select! {
            () = asking => {}
            never = serve(listener, echo) => match never {},
        }
    }

    #[tokio::test]
    async fn an_address_that_is_taken_is_named() {
        let taken = listen("127.0.0.1:0".parse().unwrap(), "a test").await.unwrap();
        let address = taken.local_addr().unwrap();
        let said = listen(address, "http-01").await.unwrap_err().to_string();
        assert!(said.contains(&format!("http-01 is answered at {address}")), "{said}");
    }
}
