//! TLS with the servers that people have: nine data connections in one piece of work, fetches and stores in the order that shows
//! whether a client keeps tickets for the next transfer. vsftpd and ProFTPD refuse one that does not resume the session.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use twoport_client::{Body, Journey, Notice, Options, Progress, Put, Secret, Security, Sink, Tls, Versions};

use super::bench::Bench;
use super::place::{Keeper, Place};
use super::table::{self, PASSWORD, Peer, USER};
use crate::support::files::{bytes, same};

/// r fetches, s stores.
const ORDER: &str = "rrssssrrs";

/// What a run came to.
struct Went {
    /// Sessions that were begun.
    sessions: usize,
    /// Data connections: how many in all, how many resumed, how many of them in TLS 1.2.
    data: usize,
    resumed: usize,
    old: usize,
    /// What was said on the way.
    said: Vec<String>,
}

/// A server in TLS, of this table.
fn secure(peer: &'static str, start: fn(&Place) -> Result<Keeper, String>) -> Option<Bench> {
    Bench::with(&Peer { name: peer, start, can: table::ALL })
}

fn nine(bench: &Bench, versions: Versions) -> Went {
    work(bench, versions, ORDER)
}

/// Transfers in this order, and a listing.
fn work(bench: &Bench, versions: Versions, order: &str) -> Went {
    let told: Arc<Mutex<Vec<Notice>>> = Arc::default();
    let hear = Arc::clone(&told);
    let authority = std::fs::read(bench.place.run("cert.pem")).expect("the certificate is there");
    let security = Security {
        tls: Some(Tls::Require),
        authorities: Some(Arc::new(authority)),
        versions,
        ..Security::default()
    };
    let options = Options { security, timeout: Duration::from_secs(30), ..Options::default() };
    let login = (USER.into(), Secret::new(PASSWORD), None);
    let port = bench.at[0].port();
    let notice = Box::new(move |notice| hear.lock().unwrap().push(notice));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut journey = Journey::new("127.0.0.1", port, login, options, notice);
        for (place, step) in order.chars().enumerate() {
            let name = format!("file{place}");
            // The first of either kind is empty: hands are shaken all the same.
            let len = if place == 2 { 0 } else { 100_000 + place };
            if step == 'r' {
                let file = bench.offers(&name, len);
                let got = bench.here(&name);
                journey
                    .run(
                        || 0,
                        async |client| {
                            let local = std::fs::File::create(&got).unwrap();
                            let mut sink = Sink::File { file: Arc::new(local), at: 0 };
                            client.fetch(name.as_bytes(), 0, &mut sink, &Progress::default()).await
                        },
                    )
                    .await
                    .unwrap_or_else(|e| panic!("{place}: {e}\n{:?}", told.lock().unwrap()));
                same(&got, &file);
            } else {
                let file = bytes(len, 77 + place as u64);
                journey
                    .run(
                        || 0,
                        async |client| {
                            let body = Body::Bytes(file.clone());
                            client.store(name.as_bytes(), Put::Replace, body, &Progress::default()).await
                        },
                    )
                    .await
                    .unwrap_or_else(|e| panic!("{place}: {e}\n{:?}", told.lock().unwrap()));
                same(&bench.there(&name), &file);
            }
        }
        let listed = journey.run(|| 0, async |client| client.list(b"", twoport_client::now()).await);
        assert_eq!(listed.await.unwrap().len(), order.len());
        journey.end().await;
    });
    let mut went = Went { sessions: 0, data: 0, resumed: 0, old: 0, said: Vec::new() };
    for notice in told.lock().unwrap().iter() {
        match notice {
            Notice::Connected { .. } => went.sessions += 1,
            Notice::Secured { data: true, how } => {
                went.data += 1;
                went.resumed += usize::from(how.contains("(resumed)"));
                went.old += usize::from(how.contains("TLSv1.2"));
            }
            Notice::Stepped(why) => went.said.push(why.clone()),
            Notice::Secured { .. } | Notice::Sent(_) | Notice::Heard(_) => {}
        }
    }
    went
}

/// Nine and a listing in one session, each resumed.
#[track_caller]
fn all_in_one(bench: &Bench) {
    for versions in [Versions::All, Versions::Only12] {
        let Went { sessions, data, resumed, old, said } = nine(bench, versions);
        let in_old = if versions == Versions::Only12 { 10 } else { 0 };
        assert_eq!((sessions, data, resumed, old), (1, 10, 10, in_old), "{versions:?}: {said:?}");
        empty(bench);
    }
}

#[test]
fn twoport_gives_tickets_enough() {
    let Some(bench) = secure("twoport", table::twoport_tls) else { return };
    all_in_one(&bench);
}

/// Uploads alone give tickets too, to a client that asks for some.
#[test]
fn many_uploads_in_a_row_need_one_session() {
    let Some(bench) = secure("twoport", table::twoport_tls) else { return };
    let Went { sessions, data, resumed, said, .. } = work(&bench, Versions::All, &"s".repeat(25));
    assert_eq!((sessions, data, resumed), (1, 26, 26), "{said:?}");
}

#[test]
fn vsftpd_insists_on_resumption_and_gets_it() {
    let Some(bench) = secure("vsftpd", table::vsftpd_tls) else { return };
    all_in_one(&bench);
}

/// Takes what lies there away for the next run.
fn empty(bench: &Bench) {
    for entry in std::fs::read_dir(bench.place.root()).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
}

/// Neither gives anything to resume by, and neither insists on it.
#[track_caller]
fn all_anew(bench: &Bench) {
    for (versions, in_old) in [(Versions::All, 0), (Versions::Only12, 10)] {
        let Went { sessions, data, old, said, .. } = nine(bench, versions);
        assert_eq!((sessions, data, old), (1, 10, in_old), "{versions:?}: {said:?}");
        empty(bench);
    }
}

#[test]
fn pure_ftpd_is_met_in_both_versions() {
    let Some(bench) = secure("Pure-FTPd", table::pure_ftpd_tls) else { return };
    all_anew(&bench);
}

#[test]
fn pyftpdlib_is_met_in_both_versions() {
    let Some(bench) = secure("pyftpdlib", table::pyftpdlib_tls) else { return };
    all_anew(&bench);
}

/// It gives no ticket with an upload: when those from before are spent, a session with TLS 1.2 goes on, and that is said once.
#[test]
fn proftpd_runs_out_of_tickets_and_is_met_again_with_tls_1_2() {
    let Some(bench) = secure("ProFTPD", table::proftpd_tls) else { return };
    let went = nine(&bench, Versions::All);
    let about = |said: &Vec<String>| said.iter().filter(|why| why.contains("TLS 1.2")).count();
    assert_eq!((went.sessions, about(&went.said)), (2, 1), "{:?}", went.said);
    assert_eq!((went.data, went.resumed), (10, 10), "none was begun in vain: {:?}", went.said);
    assert!(went.old > 0 && went.old < 10);
    let held = nine(&bench, Versions::Only12);
    assert_eq!((held.sessions, held.data, held.resumed, held.old), (1, 10, 10, 10), "{:?}", held.said);
}

/// By the program: what was found out is remembered for the next time.
#[test]
fn a_server_whose_tickets_ran_out_is_known_for_it() {
    let Some(bench) = secure("ProFTPD", table::proftpd_tls) else { return };
    let names: Vec<String> = (0..6).map(|count| format!("up{count}")).collect();
    for name in &names {
        bench.has(name, 5000);
    }
    let (url, authority) = (bench.url(""), bench.place.run("cert.pem").display().to_string());
    let mut args = vec!["put"];
    args.extend(names.iter().map(String::as_str));
    args.extend([&url, "--tls", "require", "--ca", &authority, "--parallel", "1", "--trace"]);
    let (_, first) = bench.ends(&args, 0);
    assert_eq!(first.matches("a new session with TLS 1.2").count(), 1, "{first}");
    let (_, second) = bench.ends(&args, 0);
    assert!(!second.contains("a new session with TLS 1.2") && !second.contains("TLSv1.3"), "{second}");
    assert_eq!(second.matches("control connection: TLSv1.2").count(), 1, "{second}");
}
