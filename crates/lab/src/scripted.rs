//! A server that does what ours never would: it answers EPSV, PASV, EPRT and PORT as its script says, and sends its one file
//! early, late or slowly. It holds to RFC 959 in nothing that a script does not need.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use twoport_netns::{Host, Result};
use twoport_proto::hostport::{read_eprt, read_port};

use crate::boxes::{LOOK, Running};
use crate::{PASSWORD, USER, stage};

/// What it does. What a row does not say is as in [`GOOD`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Script {
    /// How long the greeting takes.
    pub(crate) greets_after: Duration,
    /// What it says first; if that is not 220, it is the end.
    pub(crate) greeting: &'static str,
    /// The answer to EPSV. It listens if that begins with 2.
    pub(crate) epsv: &'static str,
    /// The answer to PASV. `{host}` is `h1,h2,h3,h4`, `{port}` the port and `{halves}` `p1,p2`.
    pub(crate) pasv: &'static str,
    /// The answer to EPRT. It connects if that begins with 2.
    pub(crate) eprt: &'static str,
    /// The answer to PORT.
    pub(crate) port: &'static str,
    /// The ports that are told, in turn, over all sessions. Any, where there are none.
    pub(crate) ports: &'static [u16],
    /// How long it rests behind each 10000 bytes of the file.
    pub(crate) rests: Duration,
}

/// A server that is as it should be.
pub(crate) const GOOD: Script = Script {
    greets_after: Duration::ZERO,
    greeting: "220 Ready",
    epsv: "229 Entering Extended Passive Mode (|||{port}|)",
    pasv: "227 Entering Passive Mode ({host},{halves}).",
    eprt: "200 EPRT command successful.",
    port: "200 PORT command successful.",
    ports: &[],
    rests: Duration::ZERO,
};

/// How long it waits for a data connection, or for one to take what is sent.
const PATIENCE: Duration = Duration::from_secs(4);

/// The first of the ports that it tells where its script names none; a session has one of the next hundred.
const FIRST: u16 = 40_000;

/// What all sessions of a server share.
struct Server {
    script: Script,
    content: Vec<u8>,
    told: AtomicUsize,
}

/// Serves at a port of a host.
pub(crate) fn begin(host: &Host, port: u16, script: Script, content: Vec<u8>) -> Result<Running> {
    let server = Server { script, content, told: AtomicUsize::new(0) };
    Running::begin(host, port, move |control, stop| Session::begin(control, &server, stop)?.run())
}

/// How the second connection will come about.
enum Plan {
    None,
    Passive(TcpListener),
    Active(SocketAddr),
}

struct Session<'a> {
    server: &'a Server,
    stop: &'a AtomicBool,
    control: BufReader<TcpStream>,
    plan: Plan,
    rest: usize,
    user: String,
}

impl<'a> Session<'a> {
    fn begin(control: TcpStream, server: &'a Server, stop: &'a AtomicBool) -> std::io::Result<Self> {
        control.set_nonblocking(false)?;
        control.set_nodelay(true)?;
        control.set_read_timeout(Some(LOOK))?;
        control.set_write_timeout(Some(PATIENCE))?;
        let control = BufReader::new(control);
        Ok(Session { server, stop, control, plan: Plan::None, rest: 0, user: String::new() })
    }

    fn run(mut self) -> std::io::Result<()> {
        let script = &self.server.script;
        self.sleep(script.greets_after);
        self.say(script.greeting)?;
        if !script.greeting.starts_with("220") {
            return Ok(());
        }
        while let Some(line) = self.line()? {
            let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
            if verb.eq_ignore_ascii_case("QUIT") {
                return self.say("221 Goodbye.");
            }
            self.obey(&verb.to_ascii_uppercase(), argument)?;
        }
        Ok(())
    }

    fn obey(&mut self, verb: &str, argument: &str) -> std::io::Result<()> {
        let script = self.server.script;
        match verb {
            "USER" => {
                self.user = argument.to_owned();
                self.say("331 Password, please.")
            }
            "PASS" if (self.user.as_str(), argument) == (USER, PASSWORD) => self.say("230 Logged in."),
            "PASS" => self.say("530 Login incorrect."),
            "SYST" => self.say("215 UNIX Type: L8"),
            "FEAT" => self.say("211-Features:\r\n EPSV\r\n REST STREAM\r\n SIZE\r\n211 End"),
            "TYPE" | "MODE" | "STRU" | "NOOP" => self.say("200 Fine."),
            "PWD" => self.say("257 \"/\" is where you are."),
            "CWD" => self.say("250 Fine."),
            "STAT" if argument.is_empty() => self.say("211-Status\r\n Nothing to tell.\r\n211 End"),
            "SIZE" if self.is_file(argument) => self.say(&format!("213 {}", self.server.content.len())),
            "SIZE" => self.say("550 No such file."),
            "REST" => {
                self.rest = argument.parse().unwrap_or(0);
                self.say("350 Fine.")
            }
            "EPSV" => self.passive(script.epsv),
            "PASV" => self.passive(script.pasv),
            "EPRT" => self.active(script.eprt, read_eprt(argument.as_bytes()).ok()),
            "PORT" => self.active(script.port, read_port(argument.as_bytes()).ok().map(SocketAddr::V4)),
            "RETR" if self.is_file(argument) => {
                let from = std::mem::take(&mut self.rest).min(self.server.content.len());
                let server = self.server;
                self.send(&server.content[from..])
            }
            "RETR" => self.say("550 No such file."),
            "LIST" | "NLST" => {
                let (file, length) = (stage::FILE, self.server.content.len());
                let long = format!("-rw-r--r--   1 lab      lab      {length:>8} Nov 22 12:00 {file}\r\n");
                self.send(if verb == "LIST" { long } else { format!("{file}\r\n") }.as_bytes())
            }
            "ABOR" => {
                self.plan = Plan::None;
                self.say("225 Nothing to stop.")
            }
            _ => self.say("502 Not here."),
        }
    }

    fn is_file(&self, argument: &str) -> bool {
        argument.trim_start_matches(['.', '/']) == stage::FILE
    }

    fn passive(&mut self, answer: &str) -> std::io::Result<()> {
        if !answer.starts_with('2') {
            return self.say(answer);
        }
        let ports = self.server.script.ports;
        let turn = self.server.told.fetch_add(1, Ordering::Relaxed);
        let turn = |count: usize| turn % count;
        let port = match ports {
            [] => FIRST + u16::try_from(turn(100)).unwrap_or(0),
            ports => ports[turn(ports.len())],
        };
        // What was waited on before is waited on no longer.
        self.plan = Plan::None;
        let listener = TcpListener::bind(("::", port))?;
        listener.set_nonblocking(true)?;
        self.plan = Plan::Passive(listener);
        let host = match self.control.get_ref().local_addr()?.ip().to_canonical() {
            std::net::IpAddr::V4(own) => own.to_string().replace('.', ","),
            std::net::IpAddr::V6(_) => "0,0,0,0".to_owned(),
        };
        let answer = answer
            .replace("{host}", &host)
            .replace("{port}", &port.to_string())
            .replace("{halves}", &format!("{},{}", port >> 8, port & 255));
        self.say(&answer)
    }

    fn active(&mut self, answer: &str, to: Option<SocketAddr>) -> std::io::Result<()> {
        match to {
            Some(to) => {
                if answer.starts_with('2') {
                    self.plan = Plan::Active(to);
                }
                self.say(answer)
            }
            None => self.say("501 Which address?"),
        }
    }

    fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let Some(mut data) = self.connect() else {
            return self.say("425 No data connection.");
        };
        self.say("150 Here it comes.")?;
        if self.pour(&mut data, bytes).is_err() {
            return self.say("426 The data connection broke.");
        }
        drop(data);
        self.say("226 That was all.")
    }

    fn connect(&mut self) -> Option<TcpStream> {
        let data = match std::mem::replace(&mut self.plan, Plan::None) {
            Plan::None => return None,
            Plan::Active(to) => TcpStream::connect_timeout(&to, PATIENCE).ok()?,
            Plan::Passive(listener) => {
                let end = Instant::now() + PATIENCE;
                loop {
                    match listener.accept() {
                        Ok((stream, _)) => break stream,
                        Err(_) if Instant::now() > end || self.is_over() => return None,
                        Err(_) => std::thread::sleep(LOOK),
                    }
                }
            }
        };
        data.set_nonblocking(false).ok()?;
        data.set_write_timeout(Some(PATIENCE)).ok()?;
        Some(data)
    }

    fn pour(&self, data: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
        for part in bytes.chunks(10_000) {
            data.write_all(part)?;
            self.sleep(self.server.script.rests);
            if self.is_over() {
                return Err(ErrorKind::Interrupted.into());
            }
        }
        Ok(())
    }

    fn say(&mut self, line: &str) -> std::io::Result<()> {
        self.control.get_mut().write_all(format!("{line}\r\n").as_bytes())
    }

    /// The next line without its end; none when there is no more.
    fn line(&mut self) -> std::io::Result<Option<String>> {
        let mut line = Vec::new();
        loop {
            match self.control.read_until(b'\n', &mut line) {
                Ok(_) if line.ends_with(b"\n") => {
                    return Ok(Some(String::from_utf8_lossy(&line).trim_end().to_owned()));
                }
                Ok(_) => return Ok(None),
                // What has come until now is kept.
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    if self.is_over() {
                        return Ok(None);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn sleep(&self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end && !self.is_over() {
            std::thread::sleep(LOOK.min(end.saturating_duration_since(Instant::now())));
        }
    }
}
