//! The servers and how each is started: anonymous, read and write, over one shared folder, on one address, with limits out of the
//! way and transfers not logged where that is a setting, and as it comes in all else. None is installed, and none touches an account
//! or a file of the machine.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::group::Group;
use super::place::Place;
use crate::install::{is_root, on_path};
use crate::peers::Peers;

/// One server.
pub(super) struct Server {
    /// As it is called on the command line.
    pub(super) name: &'static str,
    /// How it says its version, and the word before it; a program and its arguments.
    version: fn(&Site<'_>) -> Result<Command, String>,
    /// How it is started at a port, in TLS or not; the error is why not.
    start: fn(&Site<'_>, u16, bool) -> Result<Command, String>,
}

/// The servers, in the order of tables and plots: the floor, ours, and those of other people.
pub(super) const SERVERS: &[Server] = &[
    Server { name: "floor", version: |_| Err("of this checkout".to_owned()), start: floor },
    Server { name: "twoport", version: |site| Ok(with(&site.binary, &["--version"])), start: twoport },
    Server { name: "vsftpd", version: vsftpd_version, start: vsftpd },
    Server { name: "proftpd", version: |site| site.unpacked("usr/sbin/proftpd", &["-v"]), start: proftpd },
    Server {
        name: "pure-ftpd",
        version: |site| site.unpacked("usr/sbin/pure-ftpd", &["--help"]),
        start: pure_ftpd,
    },
    Server {
        name: "pyftpdlib",
        version: |site| site.python(&["-c", "import pyftpdlib; print('pyftpdlib', pyftpdlib.__ver__)"]),
        start: pyftpdlib,
    },
    Server { name: "unftp", version: |site| Ok(with(&site.unftp()?, &["--version"])), start: unftp },
];

/// What starting needs to know.
pub(super) struct Site<'a> {
    pub(super) place: &'a Place,
    pub(super) peers: Peers,
    /// Where the peers lie.
    pub(super) target: PathBuf,
    /// Our program.
    pub(super) binary: PathBuf,
    /// Passive ports, where a server wants a range.
    pub(super) passive: (u16, u16),
}

/// A server that runs, until it is dropped.
pub(super) struct Running {
    pub(super) at: SocketAddr,
    pub(super) group: Group,
    log: PathBuf,
}

impl Server {
    /// Starts it; the error is why not, in its own words where it has said any.
    pub(super) fn run(&self, site: &Site<'_>, tls: bool) -> Result<Running, String> {
        let mut why = String::new();
        for _ in 0..3 {
            // Somebody else may take the port before the server does.
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
            let port = port.map_err(|e| format!("there is no port: {e}"))?.port();
            match Running::start(self.name, &(self.start)(site, port, tls)?, site, port, tls) {
                Ok(running) => return Ok(running),
                Err(words) => why = words,
            }
        }
        Err(why)
    }

    /// What it says of its version; nothing when it is not here.
    pub(super) fn version(&self, site: &Site<'_>) -> Option<String> {
        if self.name == "floor" {
            return Some("of this checkout".to_owned());
        }
        let out = (self.version)(site).ok()?.stdin(Stdio::null()).output().ok()?;
        let said = [out.stdout, out.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        let line = said.lines().find(|line| line.contains(|c: char| c.is_ascii_digit()))?;
        Some(line.trim().to_owned())
    }
}

impl Running {
    fn start(
        name: &str,
        command: &Command,
        site: &Site<'_>,
        port: u16,
        tls: bool,
    ) -> Result<Running, String> {
        let log = site.place.run(&format!("{name}.log"));
        let file = File::create(&log).map_err(|e| format!("{}: {e}", log.display()))?;
        let errors = file.try_clone().map_err(|e| e.to_string())?;
        let mut group = Group::new(&format!("{name}{}", if tls { "-tls" } else { "" }));
        let mut inside = group.inside(command);
        // Nothing of the user's is read, and nothing is left with him.
        inside.env("HOME", site.place.run("")).env("XDG_STATE_HOME", site.place.run(""));
        inside.stdin(Stdio::null()).stdout(file).stderr(errors);
        group.start(&mut inside).map_err(|e| format!("it did not start: {e}"))?;
        let mut running = Running { at: (Ipv4Addr::LOCALHOST, port).into(), group, log };
        running.answers()?;
        Ok(running)
    }

    fn answers(&mut self) -> Result<(), String> {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(10) {
            if let Some(status) = self.group.ended() {
                return Err(format!("it ended with {status}: {}", self.last_words()));
            }
            if let Ok(stream) = TcpStream::connect(self.at) {
                let mut line = String::new();
                let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
                if BufReader::new(stream).read_line(&mut line).is_ok() && line.starts_with("220") {
                    return Ok(());
                }
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(format!("it did not answer: {}", self.last_words()))
    }

    fn last_words(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no word").trim().to_owned()
    }
}

impl Site<'_> {
    /// One of Debian's programs, with the libraries that came along.
    fn unpacked(&self, program: &str, args: &[&str]) -> Result<Command, String> {
        let path = self.peers.root().join(program);
        if !path.is_file() {
            return Err("`cargo xtask install` did not bring it".to_owned());
        }
        let mut command = with(&path, args);
        command.env("LD_LIBRARY_PATH", self.peers.libraries());
        Ok(command)
    }

    /// The same where /etc is ours, /run is empty and /mnt is the shared folder.
    fn sealed(&self, program: &str, args: &[&str]) -> Result<Command, String> {
        const SCRIPT: &str = "mount --bind \"$1\" /etc && mount --bind \"$2\" /mnt && mount -t tmpfs tmpfs /run && \
                              mkdir -p /run/empty && shift 2 && exec \"$@\"";
        if !is_root() {
            return Err("it needs root".to_owned());
        }
        let bare = self.unpacked(program, args)?;
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", SCRIPT, "sh"]);
        command
            .arg(self.place.run("etc"))
            .arg(self.place.root())
            .arg(bare.get_program())
            .args(bare.get_args());
        command.env("LD_LIBRARY_PATH", self.peers.libraries());
        Ok(command)
    }

    fn python(&self, args: &[&str]) -> Result<Command, String> {
        if !self.peers.python().is_file() {
            return Err("`cargo xtask install` did not bring it".to_owned());
        }
        Ok(with(&self.peers.python(), args))
    }

    fn unftp(&self) -> Result<PathBuf, String> {
        let ours = self.target.join("peers/unftp/bin/unftp");
        match () {
            () if ours.is_file() => Ok(ours),
            () if on_path("unftp") => Ok(PathBuf::from("unftp")),
            () => Err("it is neither in PATH nor in target/peers/unftp/bin".to_owned()),
        }
    }

    fn at(&self, name: &str) -> String {
        self.place.run(name).display().to_string()
    }
}

fn with(program: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args);
    command
}

fn floor(site: &Site<'_>, port: u16, tls: bool) -> Result<Command, String> {
    if tls {
        return Err("there is no TLS on the floor".to_owned());
    }
    let own = std::env::current_exe().map_err(|e| e.to_string())?;
    let mut command = with(&own, &["bench", "--floor", &format!("127.0.0.1:{port}")]);
    command.arg(site.place.root());
    Ok(command)
}

/// As somebody starts it who shares a folder: its log is on.
fn twoport(site: &Site<'_>, port: u16, tls: bool) -> Result<Command, String> {
    let (low, high) = site.passive;
    let mut command = Command::new(&site.binary);
    command.arg("serve").arg(site.place.root()).args([
        "--listen",
        &format!("127.0.0.1:{port}"),
        "--anonymous",
        "rw",
    ]);
    command.args(["--passive-ports", &format!("{low}-{high}")]);
    if tls {
        command.args(["--tls-cert", &site.at("cert.pem"), "--tls-key", &site.at("key.pem")]);
    }
    Ok(command)
}

/// It says its version to its standard input, where inetd would have put the client.
fn vsftpd_version(site: &Site<'_>) -> Result<Command, String> {
    let bare = site.unpacked("usr/sbin/vsftpd", &["-v"])?;
    let mut command = with(Path::new("sh"), &["-c", "exec \"$0\" \"$@\" 0>&1"]);
    command.arg(bare.get_program()).args(bare.get_args()).env("LD_LIBRARY_PATH", site.peers.libraries());
    Ok(command)
}

fn vsftpd(site: &Site<'_>, port: u16, tls: bool) -> Result<Command, String> {
    let (low, high) = site.passive;
    let mut text = format!(
        "listen=YES\nlisten_address=127.0.0.1\nlisten_port={port}\nbackground=NO\nanonymous_enable=YES\nno_anon_password=YES\n\
         anon_root=/mnt\nftp_username=ftp\nwrite_enable=YES\nanon_upload_enable=YES\nanon_umask=022\nsecure_chroot_dir=/run/empty\n\
         connect_from_port_20=NO\npasv_min_port={low}\npasv_max_port={high}\nxferlog_enable=NO\nmax_clients=0\nmax_per_ip=0\n"
    );
    if tls {
        let both = site.at("both.pem");
        text += &format!(
            "ssl_enable=YES\nallow_anon_ssl=YES\nrsa_cert_file={both}\nrequire_ssl_reuse=NO\nssl_ciphers=HIGH\n"
        );
    }
    let config = site.place.write(&format!("vsftpd-{tls}.conf"), text.as_bytes())?;
    site.sealed("usr/sbin/vsftpd", &[&config.to_string_lossy()])
}

fn proftpd(site: &Site<'_>, port: u16, tls: bool) -> Result<Command, String> {
    let (low, high) = site.passive;
    let mut text = format!(
        "ServerName bench\nServerType standalone\nDefaultAddress 127.0.0.1\nDefaultServer on\nPort {port}\nUser ftp\nGroup nogroup\n\
         MaxInstances none\nUseIPv6 off\nUseReverseDNS off\nWtmpLog off\nTransferLog none\nModulePath {}\nPidFile {}\n\
         ScoreboardFile {}\nDelayEngine off\nAllowOverwrite on\nRequireValidShell off\nPassivePorts {low} {high}\nMaxClients none\n\
         <Anonymous /mnt>\nUser ftp\nGroup nogroup\nUserAlias anonymous ftp\nRequireValidShell off\nMaxClients none\n\
         <Directory *>\nAllowAll\n</Directory>\n</Anonymous>\n",
        site.peers.root().join("usr/lib/proftpd").display(),
        site.at(&format!("proftpd-{tls}.pid")),
        site.at(&format!("proftpd-{tls}.score")),
    );
    if tls {
        text += &format!(
            "LoadModule mod_tls.c\nTLSEngine on\nTLSProtocol TLSv1.2 TLSv1.3\nTLSECCertificateFile {}\nTLSECCertificateKeyFile {}\n\
             TLSOptions NoSessionReuseRequired\nTLSRequired off\n",
            site.at("cert.pem"),
            site.at("key.pem")
        );
    }
    let config = site.place.write(&format!("proftpd-{tls}.conf"), text.as_bytes())?;
    site.sealed("usr/sbin/proftpd", &["-n", "-q", "-c", &config.to_string_lossy()])
}

fn pure_ftpd(site: &Site<'_>, port: u16, tls: bool) -> Result<Command, String> {
    let (low, high) = site.passive;
    let (at, range) = (format!("127.0.0.1,{port}"), format!("{low}:{high}"));
    let mut args = vec![
        "-S", &at, "-e", "-M", "-c", "20000", "-C", "20000", "-p", &range, "-H", "-K", "-I", "60", "-k", "99",
    ];
    if tls {
        args.extend(["-Y", "1"]);
    }
    site.sealed("usr/sbin/pure-ftpd", &args)
}

fn pyftpdlib(site: &Site<'_>, port: u16, tls: bool) -> Result<Command, String> {
    let (low, high) = site.passive;
    let (handler, certificate) = match tls {
        true => ("TLS_FTPHandler", format!("FTPHandler.certfile = {:?}\n", site.at("both.pem"))),
        false => ("FTPHandler", String::new()),
    };
    let text = format!(
        "import logging
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import {handler} as FTPHandler
from pyftpdlib.servers import FTPServer
logging.basicConfig(level=logging.ERROR)
users = DummyAuthorizer()
users.add_anonymous({:?}, perm='elradfmwMT')
FTPHandler.authorizer = users
FTPHandler.passive_ports = range({low}, {high} + 1)
{certificate}FTPServer.max_cons = FTPServer.max_cons_per_ip = 20000
FTPServer(('127.0.0.1', {port}), FTPHandler).serve_forever()
",
        site.place.root()
    );
    let script = site.place.write(&format!("pyftpdlib-{tls}.py"), text.as_bytes())?;
    site.python(&[&script.to_string_lossy()])
}

fn unftp(site: &Site<'_>, port: u16, tls: bool) -> Result<Command, String> {
    let (low, high) = site.passive;
    let mut command = Command::new(site.unftp()?);
    command.args(["--bind-address", &format!("127.0.0.1:{port}"), "--auth-type", "anonymous", "--root-dir"]);
    command.arg(site.place.root()).args(["--passive-ports", &format!("{low}-{high}")]);
    if tls {
        command.args(["--ftps-certs-file", &site.at("cert.pem"), "--ftps-key-file", &site.at("key.pem")]);
    }
    Ok(command)
}
