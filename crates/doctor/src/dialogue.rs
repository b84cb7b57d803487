//! `Dialogue`: one control session as a probe has it: a line out, a reply in, and no second tries.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use twoport_client::url::Login as Credentials;
use twoport_net::control::KEEPALIVE;
use twoport_net::tls::{Connector, TlsFault};
use twoport_net::{ControlStream, Source, dial};
use twoport_plan::LinkFault;
use twoport_proto::reply_reader::{ReceivedReply, ReplyReader};
use twoport_proto::sightings::Reading;
use twoport_proto::{Request, Sightings, Verb};

use crate::evidence::{Login, Outcome, Said};

/// The longest line of a reply that is taken, and the longest reply.
const LINE: usize = 8192;
const REPLY: usize = 1 << 20;

/// How long a reply to a command may take that needs no disk and no other machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(6);

/// How long the answer to ABOR may take.
const ABORTING: Duration = Duration::from_secs(2);

/// How long the password may take to be looked at.
const LOGIN: Duration = Duration::from_secs(15);

/// What was heard.
#[derive(Debug, Clone)]
pub(crate) enum Heard {
    /// A reply.
    Said(Said),
    /// Nothing, for as long as was waited.
    Nothing,
    /// The connection ended.
    End,
}

/// One session.
pub(crate) struct Dialogue {
    control: ControlStream,
    replies: ReplyReader,
    /// The server, as we reached it.
    pub(crate) at: SocketAddr,
    /// Our own end.
    pub(crate) local: SocketAddr,
    /// The first line that was no reply, if one came.
    pub(crate) strange: Option<String>,
    /// Hands of this session, once they were shaken.
    pub(crate) connector: Option<Connector>,
}

impl Dialogue {
    /// Connects; nothing is heard yet.
    pub(crate) async fn open(at: SocketAddr, mss: Option<u16>) -> Result<Dialogue, LinkFault> {
        let (stream, _) = dial(at, Source::Free, PATIENCE, mss).await?;
        Dialogue::over(stream, at)
    }

    /// Takes over a connection.
    pub(crate) fn over(stream: TcpStream, at: SocketAddr) -> Result<Dialogue, LinkFault> {
        let broken = |e: std::io::Error| LinkFault::Other { to: Some(at), text: e.to_string() };
        let control = ControlStream::new(stream, LINE, Some(KEEPALIVE)).map_err(broken)?;
        let local = control.local().map_err(broken)?;
        Ok(Dialogue { control, replies: ReplyReader::new(REPLY), at, local, strange: None, connector: None })
    }

    /// The server's address, as data connections go there.
    pub(crate) fn peer(&self) -> IpAddr {
        self.at.ip().to_canonical()
    }

    /// The next reply. Nothing is lost when the future is dropped.
    pub(crate) async fn hear(&mut self, patience: Duration) -> Heard {
        match tokio::time::timeout(patience, self.next()).await {
            Ok(heard) => heard,
            Err(_) => Heard::Nothing,
        }
    }

    async fn next(&mut self) -> Heard {
        match self.reply().await {
            Some(reply) => {
                let last = reply.lines.last().map(|line| String::from_utf8_lossy(line).trim().to_owned());
                Heard::Said(Said { code: reply.code, text: last.unwrap_or_default() })
            }
            None => Heard::End,
        }
    }

    /// All lines of the next reply.
    async fn whole(&mut self) -> Option<String> {
        self.reply().await.map(|reply| reply.text())
    }

    async fn reply(&mut self) -> Option<ReceivedReply> {
        loop {
            while let Some(line) = self.control.next_line() {
                let Ok(line) = line else { continue };
                match self.replies.feed_line(&line) {
                    Ok(Some(reply)) => return Some(reply),
                    Ok(None) => {}
                    Err(_) => {
                        let shown: String = String::from_utf8_lossy(&line).chars().take(80).collect();
                        self.strange.get_or_insert(shown);
                    }
                }
            }
            match self.control.read().await {
                Ok(true) => {}
                Ok(false) | Err(_) => return None,
            }
        }
    }

    /// Says a command, in one piece: a helper on the way drops what comes in parts.
    pub(crate) async fn say(&mut self, request: &Request) {
        self.control.ask(request);
        // What cannot be said is not answered.
        _ = self.control.flush(PATIENCE).await;
    }

    /// Says a command and hears its reply.
    pub(crate) async fn ask(&mut self, request: &Request, patience: Duration) -> Heard {
        self.say(request).await;
        self.hear(patience).await
    }

    /// Bytes that were sent and not acknowledged.
    pub(crate) fn lost(&self) -> Option<u64> {
        self.control.send_queue()?.unacknowledged()
    }

    /// That nothing was said to a command.
    pub(crate) fn no_answer(&self) -> Outcome {
        Outcome::NoAnswer { lost: self.lost(), from: self.local }
    }

    /// TLS, by AUTH, or from the first byte.
    pub(crate) async fn secure(&mut self, connector: &Connector, first: bool) -> Result<(), Login> {
        if !first {
            match self.ask(&command(Verb::Auth, "TLS"), PATIENCE).await {
                Heard::Said(said) if said.code == 234 || said.code == 334 => {}
                Heard::Said(said) => return Err(Login::NoTls(said.to_string())),
                Heard::Nothing => return Err(Login::Gone("AUTH was not answered".to_owned())),
                Heard::End => return Err(Login::Gone("the session ended at AUTH".to_owned())),
            }
        }
        match self.control.connect_tls(connector, PATIENCE).await {
            Ok(_) => {}
            Err(fault) => {
                let why = fault.to_string();
                return Err(match connector.judgement().and_then(|found| found.doubt) {
                    Some(_) => Login::Untrusted(format!("the certificate is not trusted: {why}")),
                    None if matches!(fault, TlsFault::Silent(_)) => Login::Mute,
                    None => Login::NoTls(why),
                });
            }
        }
        self.connector = Some(connector.clone());
        Ok(())
    }

    /// Logs in; in the clear and without leave, as far as the password only.
    pub(crate) async fn log_in(&mut self, (user, password, account): &Credentials, reveal: bool) -> Login {
        let said = match self.ask(&command(Verb::User, user), LOGIN).await {
            Heard::Said(said) => said,
            Heard::Nothing => return Login::Gone("USER was not answered".to_owned()),
            Heard::End => return Login::Gone("the session ended at USER".to_owned()),
        };
        let said = match said.code {
            331 | 332 if !reveal => return Login::Asked,
            331 => match Request::secret(Verb::Pass, password) {
                Ok(request) => self.ask(&request, LOGIN).await,
                Err(_) => {
                    return Login::Gone("the password cannot be said: it has a line end in it".to_owned());
                }
            },
            _ => Heard::Said(said),
        };
        let said = match (said, account) {
            (Heard::Said(Said { code: 332, .. }), Some(account)) => {
                match Request::secret(Verb::Acct, account) {
                    Ok(request) => self.ask(&request, LOGIN).await,
                    Err(_) => {
                        return Login::Gone("the account cannot be said: it has a line end in it".to_owned());
                    }
                }
            }
            (heard, _) => heard,
        };
        match said {
            Heard::Said(said) if said.code / 100 == 2 => {}
            Heard::Said(said) if needs_tls(&said) => return Login::NeedsTls(said),
            Heard::Said(said) => return Login::Refused(said),
            Heard::Nothing => return Login::Gone("the password was not answered".to_owned()),
            Heard::End => return Login::Gone("the session ended at the password".to_owned()),
        }
        if self.connector.is_some() {
            // Refused or not: whether data connections take TLS is seen there.
            self.ask(&command(Verb::Pbsz, "0"), PATIENCE).await;
            self.ask(&command(Verb::Prot, "P"), PATIENCE).await;
        }
        self.ask(&command(Verb::Type, "I"), PATIENCE).await;
        Login::In
    }

    /// From now on the system says nothing of its own on the connection.
    pub(crate) fn be_silent(&self) {
        // Where it cannot be turned off, the first sign of life is 45 seconds away.
        _ = self.control.keep_alive(None);
    }

    /// What the server saw, where it is ours and we may ask.
    pub(crate) async fn sightings(&mut self) -> Option<Reading> {
        self.say(&command(Verb::Site, "DOCTOR")).await;
        let reply = tokio::time::timeout(PATIENCE, self.reply()).await.ok().flatten()?;
        let ours = reply.code == 211 && reply.lines.len() > 2;
        ours.then(|| Sightings::read(reply.lines.iter().map(Vec::as_slice)))
    }

    /// How many connections of ours the server has seen come to the passive port, and which port that is to it.
    pub(crate) async fn own_came(&mut self) -> Option<(usize, Option<u16>)> {
        let reading = self.sightings().await?;
        let seen = reading.sound()?;
        Some((seen.came.iter().filter(|came| came.own).count(), seen.port))
    }

    /// Ends a transfer that stands still, in words, and asks what the server saw of it: what it has sent in vain it tells only then.
    pub(crate) async fn give_up(&mut self) -> Option<Reading> {
        self.say(&Request::bare(Verb::Abor)).await;
        loop {
            match self.hear(ABORTING).await {
                // 426 comes before it, where the transfer was at work still.
                Heard::Said(said) if said.code / 100 == 2 => break,
                Heard::Said(_) => {}
                Heard::Nothing | Heard::End => return None,
            }
        }
        self.sightings().await
    }

    /// Where the server sees us come from: the first address in the lines of STAT.
    pub(crate) async fn seen(&mut self) -> Option<IpAddr> {
        self.say(&Request::bare(Verb::Stat)).await;
        let reply = tokio::time::timeout(PATIENCE, self.whole()).await.ok().flatten()?;
        let mut words = reply.split(|c: char| !(c.is_ascii_hexdigit() || c == '.' || c == ':'));
        words.find_map(|word| {
            let ip = word.trim_matches(['.', ':']).parse::<IpAddr>().ok()?.to_canonical();
            (word.contains('.') && !ip.is_unspecified() && ip != self.peer()).then_some(ip)
        })
    }

    /// Takes leave, without waiting for long.
    pub(crate) async fn quit(mut self) {
        self.say(&Request::bare(Verb::Quit)).await;
        self.control.close(Duration::from_millis(500)).await;
    }
}

/// Whether the login was refused because it is in the clear.
fn needs_tls(said: &Said) -> bool {
    let text = said.text.to_ascii_lowercase();
    let words = ["ssl", "tls", "encrypt", "secure", "auth "];
    matches!(said.code, 421 | 500..=599) && words.iter().any(|word| text.contains(word))
}

/// A command of ours, whose argument has no line end in it.
pub(crate) fn command(verb: Verb, argument: impl AsRef<[u8]>) -> Request {
    Request::new(verb, argument).unwrap_or_else(|_| Request::bare(verb))
}
