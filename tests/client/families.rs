//! A server whose data connections come about over one address family only.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::thread::JoinHandle;

use twoport_client::{Journey, Notice, Options};
use twoport_proto::Secret;

use super::house::{Told, fetch, wait};

const FILE: &[u8] = b"by the other family";

/// The same port of both loopback addresses; none where this machine has one family only.
fn both() -> Option<(TcpListener, TcpListener)> {
    for _ in 0..100 {
        let six = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).ok()?;
        let port = six.local_addr().unwrap().port();
        if let Ok(four) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return Some((six, four));
        }
    }
    None
}

/// One session; `epsv` answers EPSV, and PORT and EPRT are refused.
fn serve(control: TcpListener, epsv: fn(u16) -> String) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let (stream, _) = control.accept().unwrap();
        let listener = TcpListener::bind((control.local_addr().unwrap().ip(), 0)).unwrap();
        let mut out = stream.try_clone().unwrap();
        let mut say = move |text: &str| _ = out.write_all(format!("{text}\r\n").as_bytes());
        say("220 hello");
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            match line.split(' ').next().unwrap_or_default() {
                "USER" => say("331 and?"),
                "PASS" => say("230 in"),
                "TYPE" => say("200 ok"),
                "EPSV" => say(&epsv(listener.local_addr().unwrap().port())),
                "RETR" => {
                    let (mut link, _) = listener.accept().unwrap();
                    say("150 here it comes");
                    link.write_all(FILE).unwrap();
                    drop(link);
                    say("226 done");
                }
                "QUIT" => return say("221 bye"),
                _ => say("500 not over this protocol"),
            }
        }
    })
}

#[test]
fn where_one_family_has_no_road_the_other_is_taken() {
    let Some((six, four)) = both() else {
        return eprintln!("skipped: this machine has one address family only");
    };
    let port = six.local_addr().unwrap().port();
    // The first has no road; every step is a refusal, so another session there would not help.
    let refusing = serve(six, |_| "522 not over this protocol".to_owned());
    let good = serve(four, |port| format!("229 (|||{port}|)"));
    let told: Told = Told::default();
    let hear = std::sync::Arc::clone(&told);
    let notice = Box::new(move |notice| hear.lock().unwrap().push(notice));
    let addresses = vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
    let options = Options { addresses, ..Options::default() };
    let login = (b"anna".to_vec(), Secret::new("secret"), None);
    let mut journey = Journey::new("ftp.test", port, login, options, notice);
    wait(async {
        let file = journey.run(|| 0, async |client| fetch(client, b"f", 0).await).await;
        assert_eq!(file.expect("the other family carries"), FILE);
        journey.end().await;
    });
    let steps = told.lock().unwrap();
    let said =
        steps.iter().any(|step| matches!(step, Notice::Stepped(why) if why.starts_with("no road over IPv6")));
    assert!(said, "{steps:?}");
    refusing.join().unwrap();
    good.join().unwrap();
}
