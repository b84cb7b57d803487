//! Certificates: which one the server shows, that a renewed one disturbs nobody, and whom it knows by theirs.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};
use twoport_server::certificates::Source;
use twoport_server::{Certificate, ClientCertificates, Password, Resumption, Rights, Secret, Settings, Tls};

use super::super::house::{House, account};
use super::paper::Paper;
use super::{check, check_at, python};
use crate::support::server::Server;

fn files(paper: &Paper, name: &str) -> Source {
    Source::Files { certificate: paper.pem(name), key: paper.key(name) }
}

/// A house with two certificates.
#[track_caller]
fn by_name(name: &str, change: impl FnOnce(&mut Settings, &mut Tls)) {
    let (true, Some(paper)) = (python(), Paper::new()) else { return };
    paper.write("one", "DNS:one.example");
    paper.write("two", "DNS:two.example");
    let house = House::secure(|settings| {
        let mut tls = settings.tls.take().unwrap();
        tls.certificates = vec![files(&paper, "one"), files(&paper, "two")];
        change(settings, &mut tls);
        settings.tls = Some(tls);
    });
    check(&house, "certificates.py", name, &[paper.folder()]);
}

#[test]
fn the_name_chooses_the_certificate_in_tls_or_by_host() {
    by_name("by_name", |_, _| {});
}

#[test]
fn a_name_that_is_nobodys_is_shown_the_first() {
    by_name("unknown_names", |_, _| {});
}

#[test]
fn a_name_that_is_not_ours_ends_the_handshake_where_ours_are_told() {
    by_name("only_our_names", |settings, _| {
        settings.hosts = vec!["one.example".to_owned(), "two.example".to_owned()];
    });
}

#[test]
fn a_data_connection_is_shown_what_its_control_connection_was() {
    by_name("data_by_name", |_, tls| tls.resumption = Resumption::Off);
}

/// The program with a certificate that is named in its configuration, and the folder where it lies.
fn with_a_file() -> Option<(Server, Paper)> {
    let paper = Paper::new()?;
    paper.write("used", "IP:127.0.0.1");
    paper.write("two", "IP:127.0.0.1");
    let server = Server::prepared("127.0.0.1", |folder| {
        let config = folder.join("config.toml");
        let (pem, key) = (paper.pem("used"), paper.key("used"));
        let text = format!("tls-cert = {:?}\ntls-key = {:?}\n", pem.to_str().unwrap(), key.to_str().unwrap());
        fs::write(&config, text).unwrap();
        vec!["--config".to_owned(), config.to_str().unwrap().to_owned()]
    });
    Some((server, paper))
}

#[track_caller]
fn check_served(server: &Server, name: &str, more: &[&str]) {
    check_at(&server.host.parse().unwrap(), server.port, &server.root(), "certificates.py", name, more);
}

#[test]
fn a_renewed_certificate_is_for_new_sessions_and_disturbs_nobody() {
    let (true, Some((server, paper))) = (python(), with_a_file()) else { return };
    check_served(&server, "renewed", &[paper.folder(), &server.id().to_string()]);
    server.logs("the configuration was read again");
}

#[test]
fn a_certificate_that_cannot_be_read_leaves_the_one_before_in_force() {
    let (true, Some((server, paper))) = (python(), with_a_file()) else { return };
    let good = fs::read(paper.pem("used")).unwrap();
    let id = i32::try_from(server.id()).ok().and_then(Pid::from_raw).expect("a child has a process id");
    // No certificate at all, and one that is not the key's.
    for (turn, bad) in [b"nothing".to_vec(), fs::read(paper.pem("two")).unwrap()].iter().enumerate() {
        fs::write(paper.pem("used"), bad).unwrap();
        kill_process(id, Signal::HUP).expect("the server is there");
        let refused = || server.log().matches("the configuration was not taken").count();
        server.logs("the configuration was not taken");
        while refused() <= turn {
            std::thread::yield_now();
        }
        fs::write(paper.pem("used"), &good).unwrap();
        check_served(&server, "is_shown", &[paper.folder()]);
    }
}

/// A house in which certificates count: anna's is enough, rob's is wanted besides his password, carol's is known by the
/// authority's word, and erin needs none.
#[track_caller]
fn known(name: &str, required: bool) {
    let (true, Some(paper)) = (python(), Paper::new()) else { return };
    paper.write("authority", "");
    paper.write("false-authority", "");
    for name in ["anna", "rob", "stranger"] {
        paper.write(name, "");
    }
    paper.sign("carol", "email:carol@example.org", "authority");
    paper.sign("dave", "email:dave@example.org", "authority");
    paper.sign("false-carol", "email:carol@example.org", "false-authority");
    let house = House::secure(|settings| {
        let root = settings.accounts[0].root.clone();
        let mut new = |name: &str, password, certificates| {
            settings.accounts.retain(|account| account.name != name);
            let mut account = account(name, Rights::READ_WRITE, &root);
            (account.password, account.certificates) = (password, certificates);
            settings.accounts.push(account);
        };
        let secret = || Password::Plain(Secret::new("secret"));
        new("anna", Password::None, vec![Certificate::Fingerprint(paper.fingerprint("anna"))]);
        new("rob", secret(), vec![Certificate::Fingerprint(paper.fingerprint("rob"))]);
        new("carol", Password::None, vec![Certificate::Name("carol@example.org".to_owned())]);
        new("erin", secret(), Vec::new());
        settings.tls.as_mut().unwrap().clients = ClientCertificates {
            asked: true,
            required,
            authorities: fs::read(paper.pem("authority")).unwrap(),
            known: Vec::new(),
        };
    });
    check(&house, "certificates.py", name, &[paper.folder()]);
}

#[test]
fn a_certificate_is_enough_or_wanted_besides_or_not_known() {
    known("known_clients", false);
}

#[test]
fn nobody_without_a_certificate_comes_in_where_one_is_required() {
    known("required", true);
}
