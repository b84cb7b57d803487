//! The clients that people have, and the doctor, run at the client of a situation as a user would run them.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Stage;
use crate::situation::Tls;

/// How long a client may take.
const LIMIT: Duration = Duration::from_secs(30);

/// How long the doctor may take.
const EXAMINATION: Duration = Duration::from_secs(120);

/// A client of a name that people know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Ours, with what it does by itself.
    Twoport,
    /// curl.
    Curl,
    /// lftp.
    Lftp,
    /// The ftp of NetBSD.
    Tnftp,
}

/// What came of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetched {
    /// The whole file, and it said so.
    Whole,
    /// The whole file, and it was ended, or did not take it for whole.
    Unsure,
    /// Not the file.
    Not,
    /// It is not installed, or it has no TLS where TLS is wanted.
    Cannot,
}

impl Fetched {
    /// In one word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Fetched::Whole => "yes",
            Fetched::Unsure => "unsure",
            Fetched::Not => "no",
            Fetched::Cannot => "-",
        }
    }
}

impl Program {
    /// In the order in which they are shown.
    pub const ALL: [Program; 4] = [Program::Twoport, Program::Curl, Program::Lftp, Program::Tnftp];

    /// How it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Program::Twoport => "twoport",
            Program::Curl => "curl",
            Program::Lftp => "lftp",
            Program::Tnftp => "tnftp",
        }
    }

    /// Fetches the file of a situation. `twoport` is our own program.
    #[must_use]
    pub fn fetch(self, stage: &Stage, twoport: &Path) -> Fetched {
        let tls = stage.situation().tls;
        if self == Program::Tnftp && tls != Tls::None || self != Program::Twoport && !on_path(self.name()) {
            return Fetched::Cannot;
        }
        let here = stage.folder().join("here").join(self.name());
        let target = here.display().to_string();
        let url = stage.url();
        let mut command = stage.client().command(match self {
            Program::Twoport => twoport.as_os_str(),
            _ => self.name().as_ref(),
        });
        match self {
            Program::Twoport => {
                command.args(["get", "--quiet", "--timeout", "6", "--output", &target]);
                command.args((tls != Tls::None).then_some("--insecure")).arg(&url);
            }
            Program::Curl => {
                command.args(["-sS", "--connect-timeout", "6", "--max-time", "25", "-o", &target]);
                // It names the two kinds of TLS by a scheme and a flag.
                let url = url.replacen("ftpes://", "ftp://", 1);
                command.args(["--insecure", &url]).args((tls == Tls::Explicit).then_some("--ssl-reqd"));
            }
            Program::Lftp => {
                let force = if tls == Tls::Explicit { "set ftp:ssl-force yes; " } else { "" };
                let url = url.replacen("ftpes://", "ftp://", 1);
                let settings = "set net:timeout 6; set net:max-retries 2; set net:reconnect-interval-base 1; \
                                set ssl:verify-certificate no; set cmd:fail-exit yes; ";
                command.args(["--norc", "-c", &format!("{settings}{force}get {url} -o {target}")]);
            }
            Program::Tnftp => {
                command.args(["-V", "-q", "6", "-o", &target, &url]);
            }
        }
        at_home(&mut command, stage);
        let fine = run(command, Stdio::null(), LIMIT);
        let whole = std::fs::read(&here).is_ok_and(|bytes| bytes == stage.content());
        match (whole, fine) {
            (true, true) => Fetched::Whole,
            (true, false) => Fetched::Unsure,
            // Whatever it says.
            (false, _) => Fetched::Not,
        }
    }
}

/// What the doctor found.
#[derive(Debug, Clone)]
pub struct Diagnosis {
    /// The cause, by its name.
    pub cause: String,
    /// Who has to change something.
    pub side: String,
    /// How sure it is: `certain`, `likely` or `possible`.
    pub confidence: String,
}

/// What the server's own side says, as a file; none where that is no machine of ours.
fn server_side(stage: &Stage, twoport: &Path) -> Option<std::path::PathBuf> {
    let mut command = stage.server_host()?.command(twoport);
    command.args(["doctor", "--json", "--config"]).arg(stage.config());
    at_home(&mut command, stage);
    let printed = stage.folder().join("server-side");
    let output = std::fs::File::create(&printed).ok()?;
    // Its exit code says how it stands.
    run(command, output.into(), LIMIT);
    Some(printed)
}

/// Asks the doctor, with what the other end has to say. None where it does not come to an end.
#[must_use]
pub fn diagnose(stage: &Stage, twoport: &Path) -> Option<Diagnosis> {
    let mut command = stage.client().command(twoport);
    // The server's certificate is made up, and that is not what the situation is about.
    let trusting = stage.situation().tls != Tls::None;
    command.args(["doctor", "--json"]).args(trusting.then_some("--insecure")).arg(stage.url());
    if let Some(said) = server_side(stage, twoport) {
        command.arg("--server-side").arg(said);
    }
    at_home(&mut command, stage);
    // A file, since whatever it leaves running would keep a pipe open.
    let printed = stage.folder().join("printed");
    let output = std::fs::File::create(&printed).ok()?;
    // Its exit code says that something is the matter.
    run(command, output.into(), EXAMINATION);
    let printed = std::fs::read_to_string(printed).ok()?;
    let value: Value = serde_json::Deserializer::from_str(&printed).into_iter().next()?.ok()?;
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    Some(Diagnosis {
        cause: text("cause")?,
        side: text("side").unwrap_or_default(),
        confidence: text("confidence").unwrap_or_default(),
    })
}

/// A command that knows nothing of whoever runs the laboratory: no start-up files, no proxies but that of the situation, one
/// language.
pub fn at_home(command: &mut Command, stage: &Stage) {
    let home = stage.folder().join("home");
    command.current_dir(stage.folder().join("here")).env("LC_ALL", "C");
    for name in ["HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
        command.env(name, &home);
    }
    for (name, _) in std::env::vars_os() {
        let proxy = name.to_string_lossy().to_lowercase();
        if proxy.ends_with("_proxy") || proxy == "ftpmode" || proxy == "netrc" {
            command.env_remove(name);
        }
    }
    for name in ["ALL_PROXY", "all_proxy"] {
        command.envs(stage.situation().proxy.map(|proxy| (name, proxy)));
    }
}

/// Whether it ended in time, with success. What it leaves running goes with the stage.
fn run(mut command: Command, output: Stdio, limit: Duration) -> bool {
    command.stdin(Stdio::null()).stdout(output).stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else { return false };
    let end = Instant::now() + limit;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(20)),
            _ => break,
        }
    }
    // It may have ended just now.
    _ = child.kill();
    _ = child.wait();
    false
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
