//! Coming and going: connecting, logging in, saying goodbye.

use std::time::Duration;

use twoport_client::netrc::Login;
use twoport_client::url::{Scheme, Url};
use twoport_client::{Client, Error, Listener, Notice, Options, Security};
use twoport_proto::{Request, Secret, Verb};
use twoport_session::client::io::Flights;

use crate::exit::{Exit, Stopped};
use crate::run::remote::{netrc, through_proxy};
use crate::security;
use crate::shell::link::{Link, last};
use crate::shell::terminal::Answer;
use crate::shell::voice::{Volume, harmless, say};
use crate::shell::words::Said;
use crate::shell::{Fault, Shell, interrupted};

/// The port of the control connection (RFC 959 §8).
const PORT: u16 = 21;

/// How long a server may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(10);

/// Who somebody says that they are, as far as they have said it.
#[derive(Default)]
struct Who {
    user: Option<Vec<u8>>,
    password: Option<Secret>,
    account: Option<Secret>,
}

impl Shell {
    /// Connects to what was named: a host, `user@host`, or a URL, whose folder is gone into and whose file is fetched.
    pub(crate) fn open_target(&mut self, target: &str, port: Option<u16>) -> Result<(), Fault> {
        if !Url::is_meant(target) {
            let (user, host) =
                target.rsplit_once('@').map_or((None, target), |(user, host)| (Some(user), host));
            let who = Who { user: user.map(|user| user.as_bytes().to_vec()), ..Who::default() };
            let port = port.unwrap_or(PORT);
            return self.open_host(Scheme::Ftp, host, port, who, self.auto_login);
        }
        let url = Url::read(target).map_err(|e| Fault::Say(format!("ftp: {e}")))?;
        let who = Who { user: url.user.clone(), password: url.password.clone(), account: None };
        self.open_host(url.scheme, &url.host, url.port, who, true)?;
        let path = url.target();
        if path.is_empty() {
            return Ok(());
        }
        if url.folder {
            return self.change_folder(&path);
        }
        self.ended = true;
        self.fetch_as(&path, last(&path))
    }

    fn stopped(&mut self, exit: Exit, text: String) -> Fault {
        self.tally.first.get_or_insert(exit);
        Fault::Say(format!("ftp: {text}"))
    }

    fn open_host(
        &mut self,
        scheme: Scheme,
        host: &str,
        port: u16,
        who: Who,
        log_in: bool,
    ) -> Result<(), Fault> {
        if let Some(link) = &self.links[self.here] {
            return Err(Fault::Say(format!("Already connected to {}, use close first.", link.host)));
        }
        self.connect(scheme, host, port)?;
        self.settings.kind = crate::shell::state::Type::Binary;
        if !log_in {
            return Ok(());
        }
        let found = netrc().map_err(|stopped| self.stopped(stopped.exit, stopped.text))?;
        let known = found.and_then(|netrc| netrc.lookup(host, who.user.as_deref()));
        let macros = known.as_ref().map(|login| login.macros.clone()).unwrap_or_default();
        let who = filled(who, known);
        if let Err(fault) = self.log_in(host, who) {
            self.tally.first.get_or_insert(Exit::Refused);
            if matches!(fault, Fault::Told) && self.links[self.here].is_some() {
                return Err(Fault::say("Login failed."));
            }
            return Err(fault);
        }
        for one in macros {
            let lines = one.lines.into_iter().map(String::into_bytes).collect();
            self.macros.define(one.name.as_bytes(), lines).map_err(Fault::say)?;
        }
        if self.macros.call(b"init", &[]).is_some() {
            self.carry_out(b"$init");
        }
        Ok(())
    }

    fn connect(&mut self, scheme: Scheme, host: &str, port: u16) -> Result<(), Fault> {
        let gate = self.settings.gate.clone().filter(|_| self.settings.gated);
        let (to, at) = gate.clone().unwrap_or((host.to_owned(), port));
        // A gate does not know AUTH.
        let security = match gate {
            Some(_) => Ok(Security::off()),
            None => security::of(&self.security, scheme),
        };
        let security = security.map_err(|stopped| self.stopped(stopped.exit, stopped.text))?;
        let options = Options {
            security,
            timeout: Duration::from_secs(self.timeout),
            family: self.settings.family,
            family_only: true,
            begins_in_ascii: true,
            // Somebody reads along: a reply stands behind its command.
            flights: Flights::Never,
            rungs: self.settings.rungs(false),
            ..Options::default()
        };
        let options =
            through_proxy(options, &to).map_err(|stopped| self.stopped(stopped.exit, stopped.text))?;
        let (listener, interactive) = (self.listener(&to), self.terminal.is_interactive());
        let begun = self.runtime.block_on(async {
            tokio::select! {
                begun = Client::begin(&to, at, options, listener) => Some(begun),
                () = interrupted(interactive) => None,
            }
        });
        let client = match begun {
            Some(Ok((client, _))) => client,
            // It was shown when it came.
            Some(Err(Error::Refused { .. })) => {
                self.tally.first.get_or_insert(Exit::Unreachable);
                return Err(Fault::Told);
            }
            Some(Err(e)) => {
                let stopped = Stopped::from(e);
                return Err(self.stopped(stopped.exit, stopped.text));
            }
            None => return Err(Fault::Interrupted),
        };
        self.links[self.here] = Some(Link::new(client, scheme, host, port));
        if gate.is_some() {
            let line = format!("PASSERVE {host}").into_bytes();
            self.quote(&line)?;
        }
        Ok(())
    }

    /// Hears one connection, and says where it leads.
    fn listener(&self, to: &str) -> Listener {
        let (mut voice, verbose, to) = (self.voice.listener(), self.voice.is_verbose(), to.to_owned());
        Box::new(move |notice| {
            if let Notice::Connected { server, addresses } = &notice
                && verbose
            {
                if *addresses > 1 {
                    say(format!("Trying {} ...", server.ip()));
                }
                say(format!("Connected to {to}."));
            }
            voice(notice);
        })
    }

    /// USER, PASS and ACCT, with a question for what is not known yet; then SYST.
    fn log_in(&mut self, host: &str, who: Who) -> Result<(), Fault> {
        let user = match who.user {
            Some(user) => user,
            None => self.ask_name(host)?,
        };
        let anonymous = matches!(user.as_slice(), b"anonymous" | b"ftp");
        let password = match who.password {
            None if anonymous && !self.terminal.is_interactive() => {
                Some(Secret::new(self.settings.named("anonpass").unwrap_or("anonymous@")))
            }
            password => password,
        };
        let (mut password, mut account) = (password, who.account);
        let link = self.link()?;
        let mut request = Request::new(Verb::User, link.client.user_at(&user, &link.host, link.port));
        loop {
            let said = request.map_err(|fault| Fault::Say(format!("ftp: {fault}")))?;
            let reply = self.talk(async |client| client.say(said).await)?;
            request = match reply.code {
                331 => {
                    let secret = match password.clone() {
                        Some(secret) => secret,
                        None => self.ask_secret("Password:")?,
                    };
                    let request = Request::secret(Verb::Pass, &secret);
                    password = Some(secret);
                    request
                }
                332 => {
                    let secret = match account.clone() {
                        Some(secret) => secret,
                        None => self.ask_secret("Account:")?,
                    };
                    let request = Request::secret(Verb::Acct, &secret);
                    account = Some(secret);
                    request
                }
                _ => break,
            };
        }
        self.link()?.login = Some((user, password.unwrap_or_default(), account));
        self.ask_system();
        self.look_around();
        Ok(())
    }

    fn ask_name(&mut self, host: &str) -> Result<Vec<u8>, Fault> {
        let own = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_default();
        let question =
            if own.is_empty() { format!("Name ({host}): ") } else { format!("Name ({host}:{own}): ") };
        match self.terminal.ask(&question) {
            Answer::Line(name) if !name.trim_ascii().is_empty() => Ok(name.trim_ascii().to_vec()),
            Answer::Line(_) if !own.is_empty() => Ok(own.into_bytes()),
            Answer::Interrupted => Err(Fault::Interrupted),
            Answer::Line(_) | Answer::End => Err(Fault::Told),
        }
    }

    fn ask_secret(&mut self, question: &str) -> Result<Secret, Fault> {
        match self.terminal.ask_secret(question) {
            Answer::Line(secret) => Ok(Secret::new(secret)),
            Answer::Interrupted => Err(Fault::Interrupted),
            Answer::End => Err(Fault::Told),
        }
    }

    /// What kind of system the server is on; one that does not tell is asked nothing more.
    fn ask_system(&mut self) {
        let Ok(text) = self.at_volume_of_login(|shell| shell.tell(Verb::Syst, b"")) else { return };
        if !self.voice.is_verbose() {
            return;
        }
        let kind = text.split([' ', '\r']).next().unwrap_or_default();
        say(format!("Remote system type is {}.", harmless(kind.as_bytes())));
        if text.starts_with("UNIX Type: L8") {
            say("Using binary mode to transfer files.");
        } else if kind == "TOPS20" {
            say("Remember to set tenex mode when transferring binary files from this machine.");
        }
    }

    /// A question that the user has not asked: its refusal is news only to somebody who reads everything.
    fn at_volume_of_login<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let volume = if self.voice.is_verbose() { Volume::Normal } else { Volume::Silent };
        self.at_volume(volume, work)
    }

    /// Ends the connection that is talked to.
    pub(crate) fn hang_up(&mut self) {
        if let Some(link) = self.links[self.here].take() {
            // A server that does not answer to a goodbye has gone.
            let goodbye = async { tokio::time::timeout(GOODBYE, link.client.quit()).await };
            let _ = self.runtime.block_on(goodbye);
        }
    }

    /// Ends both connections.
    pub(crate) fn say_goodbye(&mut self) {
        for here in [1, 0] {
            self.here = here;
            self.hang_up();
        }
    }
}

/// What was said, and what `.netrc` knows.
fn filled(who: Who, known: Option<Login>) -> Who {
    let Some(known) = known else { return who };
    Who {
        user: who.user.or(Some(known.user)),
        password: who.password.or(known.password),
        account: who.account.or(known.account),
    }
}

pub(crate) fn open(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    let target = said.argument(0).ok_or(Fault::Usage)?;
    let port = match said.argument(1) {
        None => None,
        Some(word) => {
            let port =
                std::str::from_utf8(word).ok().and_then(|word| word.parse().ok()).filter(|port| *port > 0);
            Some(port.ok_or_else(|| Fault::Say(format!("{}: bad port number", harmless(word))))?)
        }
    };
    shell.open_target(&String::from_utf8_lossy(target), port)
}

pub(crate) fn user(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    if shell.links[shell.here].is_none() {
        return Err(Fault::say("Not connected."));
    }
    let secret = |place| said.argument(place).map(Secret::new);
    let who = Who { user: said.argument(0).map(<[u8]>::to_vec), password: secret(1), account: secret(2) };
    shell.link()?.login = None;
    shell.log_in("", who).map_err(|fault| match fault {
        Fault::Told if shell.links[shell.here].is_some() => Fault::say("Login failed."),
        fault => fault,
    })
}

pub(crate) fn account(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    let secret = match said.argument(0) {
        Some(word) => Secret::new(word),
        None => shell.ask_secret("Account:")?,
    };
    let request =
        Request::secret(Verb::Acct, &secret).map_err(|fault| Fault::Say(format!("ftp: {fault}")))?;
    shell.talk(async |client| client.say(request).await).map(|_| ())
}

pub(crate) fn close(shell: &mut Shell, _: &Said) -> Result<(), Fault> {
    shell.hang_up();
    if shell.here == 0 {
        shell.macros.clear();
    }
    Ok(())
}

pub(crate) fn quit(shell: &mut Shell, _: &Said) -> Result<(), Fault> {
    shell.ended = true;
    Ok(())
}

/// Hears what was said unasked, so that the next reply is the next command's.
pub(crate) fn reset(shell: &mut Shell, _: &Said) -> Result<(), Fault> {
    shell.talk(async |client| {
        client.resynchronize();
        match client.is_closed() {
            true => Err(Error::OutOfStep("the server has closed the connection".to_owned())),
            false => Ok(()),
        }
    })
}
