//! How a session begins: the greeting, TLS where it is wanted, and other ways where that does not come about: TLS from the first
//! byte for a server that says nothing before it, and the clear for one that nobody demanded TLS of.

use std::time::Duration;

use twoport_net::proxy::Kind;
use twoport_proto::reply_reader::ReceivedReply;
use twoport_session::client::io::{Answer, Ask, Failed, Tls};

use super::reach::reach;
use super::{Client, Options};
use crate::drive::{Listener, Notice};
use crate::error::Error;
use crate::journey::SMALL_SEGMENTS;
use crate::security::Security;

/// How long a server may take to greet before it is asked whether it waits for TLS; at the port of implicit TLS, which is
/// what that port is for.
const PROBE: Duration = Duration::from_secs(8);
const PROBE_AT_990: Duration = Duration::from_millis(1500);

/// The port of FTP with TLS from the first byte.
const IMPLICIT: u16 = 990;

/// How long such a server may take for a handshake.
const ANSWER: Duration = Duration::from_secs(3);

/// What came of a beginning.
enum Begun {
    Met(ReceivedReply),
    /// No TLS came about, and the connection is gone; in words.
    NoTls(String),
    /// It speaks TLS from the first byte.
    First,
}

impl Client {
    /// Connects, hears the greeting and has TLS as far as it is wanted: for a user who logs in step by step.
    ///
    /// # Errors
    /// When no address answers, or the server turns us away; [`Error::Insecure`] when TLS is demanded and not had, or the server
    /// is not whom it must be.
    pub async fn begin(
        host: &str,
        port: u16,
        options: Options,
        notice: Listener,
    ) -> Result<(Client, ReceivedReply), Error> {
        let (mut options, mut notice) = (options, notice);
        if options.proxy.as_ref().is_some_and(|named| named.proxy.kind == Kind::UserAtHost) {
            // It has a login of its own.
            let mut client = Client::open(host, port, options, notice).await?;
            let greeting = client.greeting().await?;
            return Ok((client, greeting));
        }
        loop {
            let mut client = Client::open(host, port, options.clone(), notice).await?;
            let (next, why) = match client.begin_once(host, port).await? {
                Begun::Met(greeting) => return Ok((client, greeting)),
                Begun::First => {
                    let why =
                        "the server says nothing, and speaks TLS from the first byte: so do we".to_owned();
                    (options.security.implicit(), why)
                }
                // Words are short, and a certificate is long: where full segments vanish, this is the first thing to.
                Begun::NoTls(_) if client.driver.is_mute() && options.mss.is_none() => {
                    options.mss = Some(SMALL_SEGMENTS);
                    let why = "nothing answers in TLS; trying small segments".to_owned();
                    (options.security.clone(), why)
                }
                Begun::NoTls(why) => match options.security.without(client.seen) {
                    Some(next) if client.driver.judgement().is_none_or(|found| found.doubt.is_none()) => {
                        let what = "no TLS came about, so it goes on in the clear: passwords and files can be read on the way";
                        (next, format!("{what} ({why})"))
                    }
                    _ => {
                        return Err(options.security.insecure(
                            host,
                            &why,
                            client.seen,
                            client.driver.judgement(),
                        ));
                    }
                },
            };
            options.security = next;
            notice = client.driver.into_notice();
            notice(Notice::Stepped(why));
        }
    }

    async fn begin_once(&mut self, host: &str, port: u16) -> Result<Begun, Error> {
        let options = self.options.clone();
        let answer = tokio::select! {
            biased;
            answer = self.driver.ask(Ask::Greeting) => answer,
            () = waits_for_tls(host, port, &options) => return Ok(Begun::First),
        };
        match answer {
            Answer::Done(greeting) => {
                if let Some(found) = self.driver.judgement()
                    && let Some(text) = self.options.security.remember(host, port, self.seen, &found)?
                {
                    self.driver.notify(Notice::Stepped(text));
                }
                // It is said once, and other sessions with this server need not ask.
                if !self.driver.is_secured()
                    && let Some(without) = self.options.security.without(self.seen)
                {
                    self.options.security = without;
                }
                Ok(Begun::Met(greeting))
            }
            Answer::Failed(Failed::NoTls(why)) => Ok(Begun::NoTls(why)),
            Answer::Failed(failed) => Err(self.failure(failed)),
            Answer::Open(_) | Answer::Unconfirmed => Err(Error::OutOfStep("out of step".to_owned())),
        }
    }

    /// The largest segment of both sides, where it is bounded.
    pub(crate) fn mss(&self) -> Option<u16> {
        self.options.mss
    }

    /// How TLS is wanted from now on: another session with this server need not find it out again.
    pub(crate) fn security(&self) -> &Security {
        &self.options.security
    }
}

/// Ends when the server has not greeted for a while and shakes hands on another connection; else never.
async fn waits_for_tls(host: &str, port: u16, options: &Options) {
    if options.proxy.is_none()
        && matches!(options.security.tls, Some(Tls::Prefer | Tls::Require))
        && let Ok(Some(connector)) = options.security.wanted(host, port).map(|wanted| wanted.connector)
    {
        tokio::time::sleep(if port == IMPLICIT { PROBE_AT_990 } else { PROBE }).await;
        if let Ok((tcp, _)) = reach(host, port, options).await {
            let shaken = connector.control(tcp, ANSWER).await;
            // One whose certificate will not do speaks TLS all the same.
            if shaken.is_ok() || connector.judgement().is_some() {
                return;
            }
        }
    }
    std::future::pending().await
}
