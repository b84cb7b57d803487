//! TLS as a user of the commands sees it: what is said at first sight, what is refused later, and what the flags mean.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use twoport_certs::{Facts, made_up};
use twoport_client::Security;
use twoport_server::Settings;
use twoport_server::certificates::Source;

use super::client::Desk;
use crate::sockets::house::House;
use crate::support::files::bytes;
use crate::support::program::{program, run};
use crate::support::server::binary;

/// A server with a certificate of its own that no authority vouches for, and somebody who meets it.
struct Own {
    desk: Desk,
    folder: tempfile::TempDir,
}

impl Own {
    fn new() -> Own {
        Own::with("127.0.0.1", |_| {})
    }

    fn with(name: &str, change: impl FnOnce(&mut Settings)) -> Own {
        let folder = tempfile::tempdir().unwrap();
        let own = |part: &str| folder.path().join(part);
        let files = Source::Files { certificate: own("cert.pem"), key: own("key.pem") };
        renew(&folder, name);
        let house = House::secure(|settings| {
            settings.tls.as_mut().unwrap().certificates = vec![files];
            change(settings);
        });
        house.put("file", &bytes(100_000, 1));
        Own { desk: Desk::of(house), folder }
    }

    fn cert(&self) -> String {
        self.folder.path().join("cert.pem").display().to_string()
    }

    fn fingerprint(&self) -> String {
        let facts = Facts::of_pem(&fs::read(self.cert()).unwrap()).unwrap();
        facts.fingerprint.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
    }

    fn url(&self, scheme: &str) -> String {
        self.desk.url("file").replace("ftp://", scheme)
    }

    fn known_hosts(&self) -> PathBuf {
        self.desk.here(".local/state/twoport/known_hosts")
    }
}

/// Another certificate in the place of the one that is there.
fn renew(folder: &tempfile::TempDir, name: &str) {
    let fresh = tempfile::tempdir().unwrap();
    let pem = made_up(fresh.path(), &[name.to_owned()]).unwrap();
    fs::write(folder.path().join("cert.pem"), pem.chain).unwrap();
    fs::write(folder.path().join("key.pem"), pem.key).unwrap();
}

#[test]
fn a_certificate_is_told_at_first_sight_and_another_one_is_refused() {
    let own = Own::new();
    let (desk, url) = (&own.desk, own.url("ftp://"));
    let (_, said) = desk.ends(&["get", &url], 0);
    let first = own.fingerprint();
    assert!(said.contains("first sight of 127.0.0.1") && said.contains(&first), "{said}");
    assert!(fs::read(desk.here("file")).unwrap() == bytes(100_000, 1));
    let (_, said) = desk.ends(&["get", &url], 0);
    assert!(!said.contains("first sight"), "{said}");

    renew(&own.folder, "127.0.0.1");
    desk.house.warden.reload(&desk.house.settings).unwrap();
    let (_, said) = desk.ends(&["get", &url], 5);
    let parts = ["another certificate than before", &first, &own.fingerprint(), "known_hosts"];
    assert!(parts.iter().all(|part| said.contains(part)), "{said}");
    // Whoever is asked and says that it is the new one.
    fs::write(own.known_hosts(), "").unwrap();
    desk.ends(&["get", &url], 0);
}

#[test]
fn a_server_that_is_known_and_gives_tls_up_is_refused() {
    let own = Own::new();
    let (desk, url) = (&own.desk, own.url("ftp://"));
    desk.ends(&["stat", &url], 0);
    let plain = Settings { tls: None, ..desk.house.settings.clone() };
    desk.house.warden.reload(&plain).unwrap();
    let (_, said) = desk.ends(&["stat", &url], 5);
    assert!(said.contains("spoke TLS before") && said.contains("--tls off"), "{said}");
    desk.ends(&["stat", "--tls", "off", &url], 0);
    // Where nothing was seen there before, it goes on in the clear and says so.
    fs::remove_file(own.known_hosts()).unwrap();
    let (_, said) = desk.ends(&["stat", &url], 0);
    assert!(said.contains("does not offer TLS") && said.contains("can be read on the way"), "{said}");
}

#[test]
fn a_server_that_is_told_to_demand_tls_does_so_from_then_on() {
    let own = Own::new();
    let (desk, url) = (&own.desk, own.url("ftp://"));
    desk.ends(&["stat", "--tls", "off", &url], 0);
    let mut settings = desk.house.settings.clone();
    settings.listen[0].door.needs.control = twoport_server::Need::Required;
    desk.house.warden.reload(&settings).unwrap();
    let (_, said) = desk.ends(&["stat", "--tls", "off", &url], 3);
    assert!(said.contains("530 TLS is required here"), "{said}");
    desk.ends(&["stat", &url], 0);
}

#[test]
fn what_is_demanded_is_verified() {
    let own = Own::new();
    let (desk, url) = (&own.desk, own.url("ftpes://"));
    let (_, said) = desk.ends(&["cat", &url], 5);
    let parts =
        ["not to be trusted", "signed by nobody who is trusted here", &own.fingerprint(), "--ca FILE"];
    assert!(parts.iter().all(|part| said.contains(part)), "{said}");
    desk.ends(&["cat", "--tls", "require", &own.url("ftp://")], 5);
    for flags in [&["--ca", &own.cert()][..], &["--pin", &own.fingerprint()], &["--insecure"]] {
        let args = [&["get", &url], flags].concat();
        let (_, said) = desk.ends(&args, 0);
        assert!(!said.contains("first sight"), "{said}");
    }
    // Nothing of this was taken for a first sight.
    assert!(!own.known_hosts().exists());
    let other = own.fingerprint().replace('A', "B").replace('1', "2");
    let (_, said) = desk.ends(&["get", "--pin", &other, &url], 5);
    assert!(
        said.contains("another certificate than --pin names") && said.contains(&own.fingerprint()),
        "{said}"
    );
    // A pin makes a demand of ftp:// too.
    desk.ends(&["get", "--pin", &other, &own.url("ftp://")], 5);
    desk.ends(&["get", "--pin", &own.fingerprint(), &own.url("ftp://")], 0);
    let (out, _) = desk.ends(&["get", "--json", &url], 5);
    assert!(out.contains("\"cause\":\"insecure\""), "{out}");
}

#[test]
fn a_certificate_for_another_name_does_not_do() {
    let own = Own::with("ftp.example.org", |_| {});
    let url = own.url("ftpes://");
    let (_, said) = own.desk.ends(&["get", "--ca", &own.cert(), &url], 5);
    assert!(said.contains("for another name"), "{said}");
}

#[test]
fn tls_from_the_first_byte_by_url_and_by_flag() {
    let own = Own::with("127.0.0.1", |settings| settings.listen[0].door.implicit = true);
    let desk = &own.desk;
    desk.ends(&["get", "--ca", &own.cert(), &own.url("ftps://")], 0);
    desk.ends(&["get", "--ca", &own.cert(), "--tls", "implicit", &own.url("ftp://")], 0);
    // An explicit server answers in the clear.
    let explicit = Own::new();
    let (_, said) = desk.ends(&["get", "--insecure", &explicit.url("ftps://")], 5);
    assert!(said.contains("no TLS"), "{said}");
}

#[test]
fn a_trace_tells_version_cipher_and_whether_it_was_resumed() {
    let own = Own::new();
    let (_, said) = own.desk.ends(&["get", "--trace", "--insecure", &own.url("ftpes://")], 0);
    let lines: Vec<&str> = said.lines().map(str::trim).collect();
    let at = |start: &str| {
        lines.iter().position(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no {start}: {said}"))
    };
    let control = at("control connection: TLSv1.3 TLS_AES_256_GCM_SHA384 (new session)");
    assert!(at("234 ") < control && control < at("---> USER anna"));
    // Connect, command, 150, handshake.
    let data = at("data connection: TLSv1.3 TLS_AES_256_GCM_SHA384 (resumed)");
    assert!(at("---> PBSZ 0") < at("---> PROT P") && at("150 ") < data && data < at("226 "));
}

#[test]
fn a_server_may_want_a_certificate_of_the_client() {
    let guest = tempfile::tempdir().unwrap();
    let pem = made_up(guest.path(), &["guest".to_owned()]).unwrap();
    let [cert, key] = ["guest.pem", "guest.key"].map(|name| guest.path().join(name).display().to_string());
    fs::write(&cert, &pem.chain).unwrap();
    fs::write(&key, &pem.key).unwrap();
    let known = Facts::of_pem(&pem.chain).unwrap().fingerprint;
    let own = Own::with("127.0.0.1", |settings| {
        let account = &mut settings.accounts[0];
        account.certificates = vec![twoport_server::Certificate::Fingerprint(known)];
        account.password = twoport_server::Password::None;
        settings.tls.as_mut().unwrap().clients.asked = true;
    });
    let url = own.url("ftpes://");
    own.desk.ends(&["get", "--insecure", &url], 3);
    let (_, said) = own.desk.ends(&["get", "--insecure", "--cert", &cert, "--key", &key, "--trace", &url], 0);
    assert!(said.contains("232 User anna logged in, authorized by certificate."), "{said}");
    let (_, said) = own.desk.ends(&["get", "--insecure", "--cert", &cert, &url], 6);
    assert!(said.contains("no private key"), "{said}");
}

#[test]
fn flags_that_contradict_each_other_are_refused() {
    let own = Own::new();
    let run = |args: &[&str], part: &str| {
        let (_, said) = own.desk.ends(args, 2);
        assert!(said.contains(part), "{args:?}: {said}");
    };
    run(&["ls", "--tls", "off", &own.url("ftpes://")], "demands TLS");
    run(&["ls", "--pin", "abc", &own.url("ftp://")], "64 hexadecimal digits");
    run(&["ls", "--insecure", "--ca", &own.cert(), &own.url("ftp://")], "--insecure");
    let (_, said) = own.desk.ends(&["ls", "--ca", "/nonexistent", &own.url("ftp://")], 6);
    assert!(said.contains("/nonexistent cannot be read"), "{said}");
}

#[test]
fn many_files_at_once_are_each_in_tls() {
    let own = Own::new();
    let desk = &own.desk;
    for count in 0..40 {
        desk.house.put(&format!("tree/{count}"), &bytes(1000 + count, count as u64));
    }
    let url = desk.url("tree");
    let (_, said) =
        desk.ends(&["mirror", "--trace", "--ca", &own.cert(), "--tls", "require", &url, "here"], 0);
    for count in 0..40 {
        assert!(fs::read(desk.here(&format!("here/{count}"))).unwrap() == bytes(1000 + count, count as u64));
    }
    let data: Vec<&str> = said.lines().filter(|line| line.contains("data connection: ")).collect();
    assert!(said.contains("MODE B") && !data.is_empty(), "{said}");
    assert!(data.iter().all(|line| line.ends_with("(resumed)")), "{data:?}");
    let up = desk.url("up");
    desk.ends(&["mirror", "--ca", &own.cert(), "--tls", "require", "here", &up], 0);
    for count in 0..40 {
        assert!(desk.house.holds(&format!("up/{count}")) == bytes(1000 + count, count as u64));
    }
}

#[test]
fn sessions_that_meet_a_server_at_once_tell_of_it_once() {
    let own = Own::new();
    let desk = &own.desk;
    let urls: Vec<String> = (0..8).map(|count| desk.url(&format!("many/{count}"))).collect();
    for count in 0..8 {
        desk.house.put(&format!("many/{count}"), &bytes(200_000, count));
    }
    let mut args = vec!["get", "-o", "./"];
    args.extend(urls.iter().map(String::as_str));
    let (_, said) = desk.ends(&args, 0);
    assert_eq!(said.matches("first sight").count(), 1, "{said}");
}

#[test]
fn the_shell_speaks_tls_and_knows_whom_it_met() {
    let own = Own::new();
    let desk = &own.desk;
    let at = desk.house.address;
    let (ip, port) = (at.ip().to_string(), at.port().to_string());
    let netrc = desk.here(".netrc");
    fs::write(&netrc, "machine 127.0.0.1 login anna password secret\n").unwrap();
    fs::set_permissions(&netrc, fs::Permissions::from_mode(0o600)).unwrap();
    let shell = |flags: &[&str], well: bool| {
        let binary = binary();
        let mut command = program(binary.to_str().unwrap(), &desk.here(""), &desk.here(""));
        command.args(["ftp", "-d", "-v"]).args(flags).args([&ip, &port]);
        let ran = run(command, "get file\nls\nput file again\n", Duration::from_secs(60));
        assert_eq!(ran.ok, well, "{}", ran.text);
        ran.text
    };
    let said = shell(&[], true);
    for part in
        ["Connected to 127.0.0.1", "first sight of 127.0.0.1", "control connection: TLSv1.3", "(resumed)"]
    {
        assert!(said.contains(part), "no {part}: {said}");
    }
    assert!(desk.house.holds("again") == bytes(100_000, 1));
    assert!(!shell(&[], true).contains("first sight"));
    assert!(shell(&["--tls", "require"], false).contains("not to be trusted"));
    assert!(!shell(&["--tls", "off"], true).contains("AUTH"));
}

/// The library does as the program does.
#[test]
fn a_url_decides_where_nothing_else_was_said() {
    use twoport_client::url::Scheme;
    for (scheme, tls) in [
        (Scheme::Ftp, twoport_client::Tls::Prefer),
        (Scheme::Ftpes, twoport_client::Tls::Require),
        (Scheme::Ftps, twoport_client::Tls::Implicit),
    ] {
        assert_eq!(Security::default().for_scheme(scheme).tls, Some(tls));
        assert_eq!(Security::off().for_scheme(scheme).tls, Some(twoport_client::Tls::Off));
    }
}
