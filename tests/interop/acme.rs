//! ACME with Pebble, the CA that Let's Encrypt made for tests: it looks at every name for true, and now and then refuses a
//! nonce, as CAs do. Names are resolved by its own server of DNS, all to one address of the loopback.

mod service;

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use twoport_certs::acme::{Challenge, ExternalAccount, Notice, Settings, keep_renewed, kept, renew};
use twoport_certs::{Error, Facts, Pem, made_up};

use super::peers;
use crate::support::files::{self, room};
use crate::support::program::have;

/// A CA with its DNS, until it is dropped.
struct Pebble {
    folder: tempfile::TempDir,
    /// An address that nobody else on this machine uses, so that a port that is free stays free.
    address: Ipv4Addr,
    ports: Ports,
    running: Vec<Child>,
}

struct Ports {
    directory: u16,
    management: u16,
    dns: u16,
    records: u16,
    http: u16,
    tls: u16,
}

impl Pebble {
    /// Starts one where Pebble is there.
    fn here() -> Option<Pebble> {
        Pebble::with(json!({}), None)
    }

    /// One that gives accounts to its customers only, of whom it knows the keys; to everybody when it has none. Its
    /// certificates hold for so many seconds, or for years.
    fn with(keys: serde_json::Value, validity: Option<u64>) -> Option<Pebble> {
        let program = peers::folder().join("x/usr/bin/pebble");
        if !program.is_file() {
            println!("skipped: pebble is not there; `cargo xtask install` brings it");
            return None;
        }
        let folder =
            tempfile::Builder::new().prefix("acme-").tempdir_in(room()).expect("a folder can be made");
        let address = own_address();
        let mut free = Vec::new();
        let mut port = || {
            let listener = TcpListener::bind((address, 0)).expect("an address of the loopback can be used");
            let port = listener.local_addr().expect("it listens").port();
            // Kept until all are found, so that no two are the same.
            free.push(listener);
            port
        };
        let ports = Ports {
            directory: port(),
            management: port(),
            dns: port(),
            records: port(),
            http: port(),
            tls: port(),
        };
        drop(free);
        let mut pebble = Pebble { folder, address, ports, running: Vec::new() };
        let own = made_up(pebble.folder.path(), &[address.to_string()]).expect("a certificate can be made");
        files::write(&pebble.roots(), &own.chain);
        files::write(&pebble.path("key.pem"), &own.key);
        let config = json!({"pebble": {
            "listenAddress": pebble.at(pebble.ports.directory).to_string(),
            "managementListenAddress": pebble.at(pebble.ports.management).to_string(),
            "certificate": pebble.roots(),
            "privateKey": pebble.path("key.pem"),
            "httpPort": pebble.ports.http,
            "tlsPort": pebble.ports.tls,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": keys.as_object().is_some_and(|keys| !keys.is_empty()),
            "externalAccountMACKeys": keys,
            "certificateValidityPeriod": validity.unwrap_or(0),
        }});
        files::write(&pebble.path("config.json"), config.to_string().as_bytes());
        pebble.start();
        Some(pebble)
    }

    fn start(&mut self) {
        let program = |name: &str| {
            let mut command = Command::new(peers::folder().join("x/usr/bin").join(name));
            let log = File::options().create(true).append(true).open(self.path("log"));
            let log = log.expect("a log can be written");
            let second = log.try_clone().expect("a file can be opened twice");
            command.stdin(Stdio::null()).stdout(log).stderr(second).current_dir(self.folder.path());
            command
        };
        let mut dns = program("pebble-challtestsrv");
        dns.args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""]);
        dns.args(["-defaultIPv4", &self.address.to_string()]);
        dns.args(["-dns01", &self.at(self.ports.dns).to_string()]);
        dns.args(["-management", &self.at(self.ports.records).to_string()]);
        let mut ca = program("pebble");
        ca.arg("-config").arg(self.path("config.json"));
        ca.args(["-dnsserver", &self.at(self.ports.dns).to_string()]);
        // At once, a nonce in twenty refused, and every name looked at each time.
        ca.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_WFE_NONCEREJECT", "5").env("PEBBLE_AUTHZREUSE", "0");
        let wanted = [self.ports.dns, self.ports.records, self.ports.directory];
        for mut command in [dns, ca] {
            self.running.push(command.spawn().unwrap_or_else(|e| panic!("{command:?} did not start: {e}")));
        }
        let end = Instant::now() + Duration::from_secs(60);
        while !wanted.iter().all(|port| TcpStream::connect(self.at(*port)).is_ok()) {
            let ended = self.running.iter_mut().any(|child| !matches!(child.try_wait(), Ok(None)));
            assert!(!ended && Instant::now() < end, "pebble does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it, with all that it knew: it keeps nothing on disk.
    fn stop(&mut self) {
        for mut child in self.running.drain(..) {
            _ = child.kill();
            _ = child.wait();
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn roots(&self) -> PathBuf {
        self.path("roots.pem")
    }

    fn at(&self, port: u16) -> SocketAddr {
        (self.address, port).into()
    }

    fn http(&self) -> Challenge {
        Challenge::Http01 { listen: self.at(self.ports.http) }
    }

    fn settings(&self, names: &[&str], challenge: Challenge) -> Settings {
        Settings {
            directory: format!("https://{}/dir", self.at(self.ports.directory)),
            roots: Some(self.roots()),
            contact: vec!["somebody@example.org".to_owned()],
            names: names.iter().map(ToString::to_string).collect(),
            challenge,
            folder: self.path("kept"),
            external_account: None,
            profile: None,
        }
    }

    /// A hook that writes to its server of DNS, and notes that it did.
    fn hook(&self) -> PathBuf {
        let script = format!(
            "#!/bin/sh\nset -e\necho \"$1 $2\" >> {log}\ncase $1 in add) call=set-txt ;; *) call=clear-txt ;; esac\n\
             curl -sSf --noproxy '*' -d \"{{\\\"host\\\": \\\"$2.\\\", \\\"value\\\": \\\"$3\\\"}}\" \
             http://{records}/$call\n",
            log = self.path("hook-log").display(),
            records = self.at(self.ports.records),
        );
        executable(&self.path("hook"), &script);
        self.path("hook")
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            println!("pebble said:\n{}", fs::read_to_string(self.path("log")).unwrap_or_default());
        }
    }
}

/// An address of the loopback for one Pebble: by the process and a count in it.
fn own_address() -> Ipv4Addr {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let [.., middle, low] = std::process::id().to_be_bytes();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    Ipv4Addr::new(127, 100 + u8::try_from(count % 100).expect("it is below 100"), middle, low)
}

/// Writes a program. Another process does it: were the file open here, a program that another test starts at this moment
/// would inherit it, and the system runs no file that is open for writing.
fn executable(path: &Path, text: &str) {
    let script = format!("cat > '{0}' && chmod 700 '{0}'", path.display());
    let mut writer = Command::new("sh").args(["-c", &script]).stdin(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut writer.stdin.take().unwrap(), text.as_bytes()).unwrap();
    assert!(writer.wait().unwrap().success());
}

#[track_caller]
fn is_for(pem: &Pem, names: &[&str]) {
    let facts = Facts::of_pem(&pem.chain).unwrap();
    let mut found: Vec<&str> = facts.names.iter().map(String::as_str).collect();
    let mut wanted = names.to_vec();
    found.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(found, wanted);
    assert!(!facts.self_signed && facts.issuer.contains("Pebble"), "{facts:?}");
    let certificates = pem.chain.windows(11).filter(|part| part == b"-----BEGIN ").count();
    assert!(certificates >= 2, "the chain is the leaf alone");
}

/// A certificate is had and kept, and a second look finds it.
async fn had(settings: &Settings) {
    assert_eq!(kept(settings), None);
    let pem = renew(settings).await.unwrap();
    let names: Vec<&str> = settings.names.iter().map(String::as_str).collect();
    is_for(&pem, &names);
    assert_eq!(kept(settings), Some(pem));
}

#[track_caller]
fn says(error: &Error, parts: &[&str]) {
    let said = error.to_string();
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in {said:?}");
    }
}

#[tokio::test]
async fn names_and_an_address_are_proved_by_http() {
    let Some(pebble) = Pebble::here() else { return };
    let address = pebble.address.to_string();
    had(&pebble.settings(&["ftp.example.org", "two.example.org", &address], pebble.http())).await;
    // The port is listened on while it is needed only.
    TcpListener::bind(pebble.at(pebble.ports.http)).unwrap();
}

#[tokio::test]
async fn names_and_an_address_are_proved_by_tls() {
    let Some(pebble) = Pebble::here() else { return };
    let address = pebble.address.to_string();
    let challenge = Challenge::TlsAlpn01 { listen: pebble.at(pebble.ports.tls) };
    had(&pebble.settings(&["ftp.example.org", "two.example.org", &address], challenge)).await;
    TcpListener::bind(pebble.at(pebble.ports.tls)).unwrap();
}

#[tokio::test]
async fn a_name_and_all_below_it_are_proved_by_dns() {
    if !have("curl") {
        return;
    }
    let Some(pebble) = Pebble::here() else { return };
    let challenge = Challenge::Dns01 { hook: pebble.hook() };
    had(&pebble.settings(&["example.org", "*.example.org"], challenge)).await;
    let (record, log) = ("_acme-challenge.example.org", fs::read_to_string(pebble.path("hook-log")).unwrap());
    let expected = ["add", "add", "remove", "remove"].map(|verb| format!("{verb} {record}"));
    assert_eq!(log.lines().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_hook_that_fails_ends_the_order_with_its_words() {
    let Some(pebble) = Pebble::here() else { return };
    let hook = pebble.path("bad-hook");
    executable(&hook, "#!/bin/sh\n[ $1 = remove ] || { echo no key for this zone >&2; exit 4; }\n");
    let settings = pebble.settings(&["ftp.example.org"], Challenge::Dns01 { hook });
    says(
        &renew(&settings).await.unwrap_err(),
        &["add _acme-challenge.ftp.example.org", "no key for this zone"],
    );
}

#[tokio::test]
async fn what_cannot_be_proved_is_said_and_leaves_what_is_kept() {
    let Some(pebble) = Pebble::here() else { return };
    let settings = pebble.settings(&["ftp.example.org"], pebble.http());
    let pem = renew(&settings).await.unwrap();
    // A name that was proved once need not be proved again: Pebble leaves one in a hundred out, whatever it is told.
    let names = vec!["two.example.org".to_owned()];
    let other = Settings { names, ..settings.clone() };
    // The CA asks where nobody answers.
    let elsewhere = Challenge::Http01 { listen: pebble.at(0) };
    let error = renew(&Settings { challenge: elsewhere, ..other.clone() }).await.unwrap_err();
    says(
        &error,
        &["two.example.org was not proved by http-01", "connection refused", "port 80 of two.example.org"],
    );
    // It has no record.
    let lazy = Challenge::Dns01 { hook: "/bin/true".into() };
    let error = renew(&Settings { challenge: lazy, ..other }).await.unwrap_err();
    says(&error, &["was not proved by dns-01", "TXT", "/bin/true"]);
    assert_eq!(kept(&settings), Some(pem));
}

#[tokio::test]
async fn a_name_that_the_ca_does_not_issue_for_is_refused() {
    let Some(pebble) = Pebble::here() else { return };
    let settings = pebble.settings(&["a_b.example.org"], pebble.http());
    says(&renew(&settings).await.unwrap_err(), &["the CA at https://", "refused", "illegal character"]);
}

#[tokio::test]
async fn a_directory_that_is_not_believed_is_an_error_that_names_the_remedy() {
    let Some(pebble) = Pebble::here() else { return };
    let settings = Settings { roots: None, ..pebble.settings(&["ftp.example.org"], pebble.http()) };
    let error = renew(&settings).await.unwrap_err();
    says(&error, &["PEM file", "roots"]);
    // Another CA's certificate, behind ours: all of them count.
    let other = made_up(&pebble.path("other"), &["other".to_owned()]).unwrap();
    let both = [other.chain.clone(), fs::read(pebble.roots()).unwrap()].concat();
    files::write(&pebble.path("both.pem"), &both);
    files::write(&pebble.path("other.pem"), &other.chain);
    let with = |file: &str| Settings { roots: Some(pebble.path(file)), ..settings.clone() };
    let error = renew(&with("other.pem")).await.unwrap_err();
    assert!(matches!(error, Error::Untrusted { .. }), "{error}");
    renew(&with("both.pem")).await.unwrap();
}

#[tokio::test]
async fn who_is_no_directory_is_named() {
    let Some(mut pebble) = Pebble::here() else { return };
    let settings = pebble.settings(&["ftp.example.org"], pebble.http());
    let wrong = Settings { directory: format!("{}/wrong", settings.directory), ..settings.clone() };
    says(&renew(&wrong).await.unwrap_err(), &["/dir/wrong", "does not answer as an ACME directory does"]);
    pebble.stop();
    says(&renew(&settings).await.unwrap_err(), &["/dir", "refused"]);
}

#[tokio::test]
async fn a_ca_that_has_forgotten_the_account_gets_another() {
    let Some(mut pebble) = Pebble::here() else { return };
    let settings = pebble.settings(&["ftp.example.org"], pebble.http());
    let first = renew(&settings).await.unwrap();
    pebble.stop();
    pebble.start();
    assert_ne!(renew(&settings).await.unwrap(), first);
}

#[tokio::test]
async fn an_account_of_a_customer_is_bound_to_him() {
    // Keys of 32 bytes in base64url, one of them with both characters that the other alphabet does not have.
    let (key, other) =
        ("zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG", "_-NDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9w8");
    let Some(pebble) = Pebble::with(json!({"customer-1": key, "customer-2": other}), None) else {
        return;
    };
    let settings = pebble.settings(&["ftp.example.org"], pebble.http());
    says(&renew(&settings).await.unwrap_err(), &["refused", "external account's id and key"]);
    let with = |id: &str, key: &str| {
        let external = ExternalAccount { id: id.to_owned(), key: key.to_owned() };
        Settings { external_account: Some(external), ..settings.clone() }
    };
    says(&renew(&with("customer-1", other)).await.unwrap_err(), &["refused"]);
    renew(&with("customer-2", &other.replace('_', "/").replace('-', "+"))).await.unwrap();
}

#[tokio::test]
async fn a_server_is_given_what_comes_and_what_is_kept() {
    let Some(pebble) = Pebble::here() else { return };
    let settings = pebble.settings(&["ftp.example.org"], pebble.http());
    let first = given(&settings).await;
    is_for(&first.0, &["ftp.example.org"]);
    assert!(matches!(&first.1, Some(Notice::Got { names, .. }) if *names == settings.names), "{:?}", first.1);
    // A server that is started again uses it and asks nobody.
    let second = given(&settings).await;
    assert_eq!(second, (first.0, None));
}

/// The first certificate that a server is given, and what it is told until then.
async fn given(settings: &Settings) -> (Pem, Option<Notice>) {
    let (send, mut came) = tokio::sync::mpsc::unbounded_channel();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let keeping = keep_renewed(settings.clone(), move |pem| _ = send.send(pem), move |n| _ = tell.send(n));
    let keeping = tokio::spawn(keeping);
    let pem = came.recv().await.expect("it runs for ever");
    keeping.abort();
    (pem, told.try_recv().ok())
}
