//! Simultaneous open: a server that has active mode only and connects from the port below its own, as RFC 959 §3.2 says.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use twoport_client::Options;
use twoport_proto::hostport::read_port;
use twoport_session::client::io::Rung;

use super::house::{enter, fetch, wait};

const FILE: &[u8] = b"met in the middle";

/// A control port, and the one below it, held so that nobody else can listen there.
fn two_ports() -> (TcpListener, Socket) {
    loop {
        let control = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let data = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let below = control.local_addr().unwrap().port() - 1;
        if data.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, below)).into()).is_ok() {
            return (control, data);
        }
    }
}

/// Serves one session; the data connection goes out a while after it was asked for, so that the client's first SYN finds
/// nobody.
fn serve(control: TcpListener, data: Socket) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let (stream, _) = control.accept().unwrap();
        let mut out = stream.try_clone().unwrap();
        let mut say = move |text: &str| _ = out.write_all(format!("{text}\r\n").as_bytes());
        let (mut target, mut data) = (None, Some(data));
        say("220 from the port below only");
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
            match verb {
                "USER" => say("331 and?"),
                "PASS" => say("230 in"),
                "TYPE" => say("200 ok"),
                "PORT" => {
                    target = read_port(argument.as_bytes()).ok();
                    say("200 ok");
                }
                "RETR" => {
                    std::thread::sleep(Duration::from_millis(300));
                    let (data, target) = (data.take().unwrap(), target.unwrap());
                    data.connect(&target.into()).unwrap();
                    let mut data = TcpStream::from(data);
                    say("150 here it comes");
                    data.write_all(FILE).unwrap();
                    drop(data);
                    say("226 done");
                }
                "QUIT" => return say("221 bye"),
                _ => say("502 no"),
            }
        }
    })
}

#[test]
fn a_server_that_connects_from_its_data_port_is_met() {
    let (control, data) = two_ports();
    let port = control.local_addr().unwrap().port();
    let running = serve(control, data);
    wait(async {
        let options = Options { rungs: vec![Rung::Epsv, Rung::Crossing], ..Options::default() };
        let (mut client, _) = enter(port, options).await.unwrap();
        assert_eq!(fetch(&mut client, b"f", 0).await.unwrap(), FILE);
        assert_eq!(client.rung(), Some(Rung::Crossing));
        client.quit().await;
    });
    running.join().unwrap();
}
