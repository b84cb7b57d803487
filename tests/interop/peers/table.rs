//! The servers and what each of them can. A new server is one entry here and one line in `mod.rs`.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::inetd::Inetd;
use super::place::{Keeper, Place};
use crate::support::files::room;
use crate::support::server::{binary, passive_range};

/// Yes, or why not.
pub(super) type Able = Result<(), &'static str>;

/// One server.
pub(super) struct Peer {
    pub(super) name: &'static str,
    /// Starts it over a place; the error is why it is skipped.
    pub(super) start: fn(&Place) -> Result<Keeper, String>,
    pub(super) can: Can,
}

/// What a server can. What it cannot do is tried all the same: there must be a clear error, or a way round.
#[derive(Clone, Copy)]
pub(super) struct Can {
    /// HASH or one of its elders.
    pub(super) hash: Able,
    /// MFMT, or MDTM with a time: an upload keeps its time.
    pub(super) set_time: Able,
    /// STOR behind REST, and APPE.
    pub(super) resume_store: Able,
    /// A wrong password is refused.
    pub(super) login: Able,
    /// Active mode over IPv6.
    pub(super) active_v6: Able,
    /// Odd names that it does not take for a new file.
    pub(super) not_names: &'static [NotTaken],
    /// The same of folders.
    pub(super) not_folders: &'static [NotTaken],
}

/// A name that a server does not take as it is.
pub(super) struct NotTaken {
    pub(super) name: &'static str,
    pub(super) fate: Fate,
    #[expect(dead_code, reason = "for the reader of the table")]
    pub(super) why: &'static str,
}

/// What comes of it.
#[derive(Clone, Copy)]
pub(super) enum Fate {
    /// The server says no.
    Refused,
    /// The server says yes and writes another name.
    Becomes(&'static str),
    /// The server takes the name and lists another.
    Unlisted,
}

pub(super) const ALL: Can = Can {
    hash: Ok(()),
    set_time: Ok(()),
    resume_store: Ok(()),
    login: Ok(()),
    active_v6: Ok(()),
    not_names: &[],
    not_folders: &[],
};

pub(super) const TWOPORT: Peer = Peer { name: "twoport", start: twoport, can: ALL };

pub(super) const PYFTPDLIB: Peer = Peer {
    name: "pyftpdlib",
    start: pyftpdlib,
    can: Can { hash: Err("it has no command for hashes"), ..ALL },
};

pub(super) const PROFTPD: Peer = Peer {
    name: "ProFTPD",
    start: proftpd,
    can: Can {
        hash: Err("its mod_digest is not loaded, as usual"),
        resume_store: Err("AllowStoreRestart is off, as it comes"),
        not_folders: &[NotTaken {
            name: "[x]*.bin",
            fate: Fate::Refused,
            why: "it makes no folder with a star in its name",
        }],
        ..ALL
    },
};

pub(super) const PURE_FTPD: Peer = Peer {
    name: "Pure-FTPd",
    start: pure_ftpd,
    can: Can { hash: Err("it has no command for hashes"), not_names: NOT_PURE, not_folders: NOT_PURE, ..ALL },
};

const NOT_PURE: &[NotTaken] = &[
    NotTaken { name: "back\\slash.bin", fate: Fate::Refused, why: "it takes no backslash" },
    NotTaken { name: "  leading blanks.bin", fate: Fate::Becomes("__leading blanks.bin"), why: BLANKS },
    NotTaken { name: "trailing blank ", fate: Fate::Becomes("trailing blank_"), why: BLANKS },
];

const BLANKS: &str = "it makes underscores of blanks at the ends of a new name, and tells nobody";

pub(super) const VSFTPD: Peer =
    Peer { name: "vsftpd", start: vsftpd, can: Can { hash: Err("it has no command for hashes"), ..ALL } };

pub(super) const INETUTILS: Peer = Peer {
    name: "inetutils-ftpd",
    start: inetutils,
    can: Can {
        hash: Err("it has no command for hashes"),
        set_time: Err("MDTM only tells, and there is no MFMT"),
        ..ALL
    },
};

const NOT_BUSYBOX: &[NotTaken] = &[NotTaken {
    name: "Grüße 日本 😀.bin",
    fate: Fate::Unlisted,
    why: "it lists by its own ls, which shows no letter beyond those that it was built for",
}];

pub(super) const BUSYBOX: Peer = Peer {
    name: "busybox ftpd",
    start: busybox,
    can: Can {
        hash: Err("it has no command for hashes"),
        set_time: Err("MDTM only tells, and there is no MFMT"),
        login: Err("ftpd -A asks for no password, and others want accounts of the machine"),
        active_v6: Err("it has PORT and no EPRT"),
        not_names: NOT_BUSYBOX,
        not_folders: NOT_BUSYBOX,
        ..ALL
    },
};

/// The user of every server, and his password's hash as /etc/shadow has it: `secret`.
pub(super) const USER: &str = "alice";
pub(super) const PASSWORD: &str = "secret";
const HASHED: &str =
    "$6$twoport$E9zvsB1H65gFCW5L2RRaOFnbfWqaWUwW1ASn8fQwln.g7.3tAVC5PhNurr8C8QyTP9ck2aEC/5/TgHmNSPVai/";

/// The number of the user where a server wants one of its own: no account of the machine is touched.
pub(super) const ID: u32 = 1999;

fn twoport(place: &Place) -> Result<Keeper, String> {
    twoport_with(place, &["--tls", "off"])
}

pub(super) fn twoport_tls(place: &Place) -> Result<Keeper, String> {
    let (cert, key) = certificate(place)?;
    twoport_with(place, &["--tls", "required", "--tls-cert", &cert, "--tls-key", &key])
}

/// A certificate of 127.0.0.1 and its key, for servers that read such files.
fn certificate(place: &Place) -> Result<(String, String), String> {
    let pem = twoport_certs::made_up(&place.run("made-up"), &["127.0.0.1".to_owned()]);
    let pem = pem.map_err(|e| e.to_string())?;
    for (name, text) in [
        ("cert.pem", pem.chain.clone()),
        ("key.pem", pem.key.clone()),
        ("both.pem", [pem.key, pem.chain].concat()),
    ] {
        crate::support::files::write(&place.run(name), &text);
        place.keep_to_root(name);
    }
    let shown = |name: &str| place.run(name).display().to_string();
    Ok((shown("cert.pem"), shown("key.pem")))
}

fn twoport_with(place: &Place, tls: &[&str]) -> Result<Keeper, String> {
    let (root, (low, high)) = (place.root(), passive_range());
    Ok(Keeper::alone(place, |address| {
        let mut command = Command::new(binary());
        command.arg("serve").arg(&root).args(["--listen", &SocketAddr::new(address, 0).to_string()]);
        command.args(["--user", &format!("{USER}:{PASSWORD}@rw")]).args(tls);
        command.args(["--passive-ports", &format!("{low}-{high}")]);
        command
    }))
}

fn pyftpdlib(place: &Place) -> Result<Keeper, String> {
    pyftpdlib_with(place, "")
}

pub(super) fn pyftpdlib_tls(place: &Place) -> Result<Keeper, String> {
    certificate(place)?;
    let tls = format!(
        "from pyftpdlib.handlers import TLS_FTPHandler as FTPHandler
FTPHandler.certfile = '{}'
FTPHandler.tls_control_required = True
FTPHandler.tls_data_required = True
",
        place.run("both.pem").display()
    );
    pyftpdlib_with(place, &tls)
}

fn pyftpdlib_with(place: &Place, tls: &str) -> Result<Keeper, String> {
    let python = peers().join("py/bin/python3");
    if !python.is_file() {
        return Err("`cargo xtask test` did not bring it".to_owned());
    }
    let (low, high) = passive_range();
    let script = format!(
        "import sys
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer
{tls}users = DummyAuthorizer()
users.add_user('{USER}', '{PASSWORD}', sys.argv[1], perm='elradfmwMT')
FTPHandler.authorizer = users
FTPHandler.passive_ports = range({low}, {high} + 1)
server = FTPServer((sys.argv[2], 0), FTPHandler)
print('ftp://{USER}@' + sys.argv[3] + ':%d/' % server.socket.getsockname()[1], flush=True)
server.serve_forever()
"
    );
    place.write("server.py", &script);
    let (script, root) = (place.run("server.py"), place.root());
    Ok(Keeper::alone(place, |address| {
        let shown = if address.is_ipv6() { format!("[{address}]") } else { address.to_string() };
        let mut command = Command::new(&python);
        command.arg(&script).arg(&root).args([address.to_string(), shown]);
        command
    }))
}

fn proftpd(place: &Place) -> Result<Keeper, String> {
    proftpd_with(place, "")
}

/// With TLSOptions as they come: a data connection must resume the session.
pub(super) fn proftpd_tls(place: &Place) -> Result<Keeper, String> {
    let (cert, key) = certificate(place)?;
    let tls = format!(
        "LoadModule mod_tls.c\nTLSEngine on\nTLSProtocol TLSv1.2 TLSv1.3\nTLSECCertificateFile {cert}\n\
         TLSECCertificateKeyFile {key}\nTLSRequired on\n"
    );
    proftpd_with(place, &tls)
}

fn proftpd_with(place: &Place, tls: &str) -> Result<Keeper, String> {
    let program = unpacked("usr/sbin/proftpd")?;
    let (low, high) = passive_range();
    place.write("pw", &format!("{USER}:{HASHED}:{ID}:{ID}::/mnt:/bin/sh\n"));
    place.keep_to_root("pw");
    let at = |name: &str| place.run(name).display().to_string();
    place.write(
        "proftpd.conf",
        &format!(
            "ServerName test\nServerType inetd\nDefaultAddress 127.0.0.1\nDefaultServer on\nUser nobody\nGroup nogroup\nUseReverseDNS off\n\
             WtmpLog off\nTransferLog none\nSystemLog {}\nModulePath {}\nScoreboardFile {}\nDelayEngine off\n\
             AllowOverwrite on\nRequireValidShell off\n\
             AuthOrder mod_auth_file.c\nAuthUserFile {}\nAuthPAM off\nDefaultRoot ~\nUmask 022\n\
             PassivePorts {low} {high}\n{tls}",
            at("proftpd.log"),
            peers().join("x/usr/lib/proftpd").display(),
            at("score"),
            at("pw"),
        ),
    );
    let config = at("proftpd.conf");
    place.inetd(move |room| {
        let mut command = room.enter(&program);
        command.args(["-c", &config]);
        command
    })
}

fn pure_ftpd(place: &Place) -> Result<Keeper, String> {
    pure_ftpd_with(place, &[])
}

pub(super) fn pure_ftpd_tls(place: &Place) -> Result<Keeper, String> {
    certificate(place)?;
    // It looks there and nowhere else.
    let both = fs::read(place.run("both.pem")).map_err(|e| e.to_string())?;
    crate::support::files::write(&place.run("etc/ssl/private/pure-ftpd.pem"), &both);
    place.keep_to_root("etc/ssl/private/pure-ftpd.pem");
    pure_ftpd_with(place, &["-Y", "3"])
}

fn pure_ftpd_with(place: &Place, tls: &'static [&'static str]) -> Result<Keeper, String> {
    let program = unpacked("usr/sbin/pure-ftpd")?;
    let (low, high) = passive_range();
    place.write("pure.passwd", &format!("{USER}:{HASHED}:{ID}:{ID}::/mnt/./::::::::::::\n"));
    let made = Command::new(unpacked("usr/bin/pure-pw")?)
        .env("LD_LIBRARY_PATH", libraries())
        .arg("mkdb")
        .arg(place.run("pure.pdb"))
        .arg("-f")
        .arg(place.run("pure.passwd"))
        .status();
    if !made.is_ok_and(|status| status.success()) {
        return Err("pure-pw could not write its table".to_owned());
    }
    let users = format!("puredb:{}", place.run("pure.pdb").display());
    place.inetd(move |room| {
        let mut command = room.enter(&program);
        command.args(["-E", "-H", "-A", "-u", "1", "-l", &users, "-p", &format!("{low}:{high}")]).args(tls);
        command
    })
}

fn vsftpd(place: &Place) -> Result<Keeper, String> {
    vsftpd_with(place, "")
}

/// With require_ssl_reuse as it comes: a data connection must resume the session.
pub(super) fn vsftpd_tls(place: &Place) -> Result<Keeper, String> {
    let (cert, key) = certificate(place)?;
    let tls = format!(
        "ssl_enable=YES\nrequire_ssl_reuse=YES\nforce_local_logins_ssl=YES\nforce_local_data_ssl=YES\nssl_ciphers=HIGH\n\
         strict_ssl_read_eof=YES\nrsa_cert_file={cert}\nrsa_private_key_file={key}\n"
    );
    vsftpd_with(place, &tls)
}

fn vsftpd_with(place: &Place, tls: &str) -> Result<Keeper, String> {
    let program = unpacked("usr/sbin/vsftpd")?;
    let (low, high) = passive_range();
    place.write(
        "vsftpd.conf",
        &format!(
            "listen=NO\nlisten_ipv6=NO\nanonymous_enable=NO\nlocal_enable=YES\nwrite_enable=YES\nlocal_umask=022\n\
             chroot_local_user=YES\nallow_writeable_chroot=YES\nlocal_root=/mnt\npam_service_name=vsftpd\n\
             secure_chroot_dir=/run/empty\ncheck_shell=NO\nxferlog_enable=NO\nseccomp_sandbox=NO\nisolate_network=NO\n\
             connect_from_port_20=NO\npasv_min_port={low}\npasv_max_port={high}\n{tls}"
        ),
    );
    let config = place.run("vsftpd.conf");
    place.inetd(move |room| {
        let mut command = room.enter(&program);
        command.arg(&config);
        command
    })
}

/// It logs users of the machine in, so it sees another /etc. Outside a chroot, since it lists by /bin/ls.
fn inetutils(place: &Place) -> Result<Keeper, String> {
    let program = unpacked("usr/sbin/ftpd")?;
    // It takes any port for passive mode: nothing to set.
    place.inetd(move |room| room.enter(&program))
}

/// Debian builds its busybox without ftpd; ours is built from the source, others may have one in PATH.
fn busybox(place: &Place) -> Result<Keeper, String> {
    let ours = peers().join("busybox/busybox");
    let has_ftpd = |busybox: &Path| {
        let listed = Command::new(busybox).arg("--list").output().map(|out| out.stdout).unwrap_or_default();
        listed.split(|b| *b == b'\n').any(|applet| applet == b"ftpd")
    };
    let Some(busybox) = [ours, PathBuf::from("busybox")].into_iter().find(|busybox| has_ftpd(busybox)) else {
        return Err("there is no busybox with ftpd".to_owned());
    };
    let root = place.root();
    let command = move || {
        let mut command = Command::new(&busybox);
        command.args(["ftpd", "-w", "-A"]).arg(&root);
        command
    };
    Ok(Keeper::Inetd(Inetd::serve(&place.log(), command)))
}

/// Where `cargo xtask test` puts the servers.
pub(in crate::interop) fn peers() -> PathBuf {
    room().parent().unwrap_or(Path::new("target")).join("peers")
}

/// The libraries that came along with them.
pub(in crate::interop) fn libraries() -> std::ffi::OsString {
    let library = peers().join("x/usr/lib");
    let inside = fs::read_dir(&library).into_iter().flatten().flatten().map(|entry| entry.path());
    let inside = inside.filter(|path| path.to_string_lossy().contains("-linux-"));
    std::env::join_paths([library.clone()].into_iter().chain(inside)).unwrap_or_default()
}

/// A program of theirs, if it is there and we may run it.
fn unpacked(program: &str) -> Result<PathBuf, String> {
    let path = peers().join("x").join(program);
    if !path.is_file() {
        return Err("`cargo xtask test` did not bring it".to_owned());
    }
    if !rustix::process::geteuid().is_root() {
        return Err("it needs root".to_owned());
    }
    Ok(path)
}

/// The /etc that servers with users of the machine see: this user and no other.
pub(super) fn accounts() -> [(&'static str, String); 9] {
    let pam =
        "auth required pam_unix.so nodelay\naccount required pam_permit.so\nsession required pam_permit.so\n";
    [
        (
            "passwd",
            format!(
                "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/false\n\
                 ftp:x:65533:65534::/nonexistent:/bin/false\n{USER}:x:{ID}:{ID}::/mnt:/bin/sh\n"
            ),
        ),
        ("group", format!("root:x:0:\nnogroup:x:65534:\n{USER}:x:{ID}:\n")),
        ("shadow", format!("root:*:20000::::::\n{USER}:{HASHED}:20000:0:99999:7:::\n")),
        ("nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files\n".to_owned()),
        ("hosts", "127.0.0.1 localhost\n::1 localhost\n".to_owned()),
        ("shells", "/bin/sh\n".to_owned()),
        ("services", "ftp 21/tcp\nftp-data 20/tcp\n".to_owned()),
        ("pam.d/vsftpd", pam.to_owned()),
        ("pam.d/ftp", pam.to_owned()),
    ]
}
