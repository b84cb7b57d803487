//! Two of our servers behind HAProxy, which says by the PROXY protocol who the client is, on both connections. Each test is one of
//! the ways of docs/balancers.md to bring a data connection to the server of its control connection; the configurations there
//! are these.

use std::io::Write;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::peers;
use crate::sockets::peer::{from_elsewhere, to_the_end};
use crate::support::files::{self, room};
use crate::support::program::have;
use crate::support::server::{Server, binary, passive_range};

/// What both configurations begin with. Checks ask for the greeting ten times a second, so that they would be seen.
const DEFAULTS: &str = "
global
    maxconn 2000

defaults
    mode tcp
    timeout connect 5s
    timeout client  2h
    timeout server  2h
    option clitcpka
    option srvtcpka
    default-server send-proxy-v2

";

const CHECKS: &str = "    option tcp-check
    tcp-check expect rstring ^220
    tcp-check send QUIT\\r\\n
    tcp-check expect rstring ^221
    default-server check inter 100ms
";

/// HAProxy, and the servers behind it.
struct Balanced {
    servers: [Server; 2],
    haproxy: Child,
    folder: tempfile::TempDir,
    address: IpAddr,
    /// Of the control connections, and of those that begin with TLS.
    ports: [u16; 2],
}

impl Drop for Balanced {
    fn drop(&mut self) {
        let _ = self.haproxy.kill();
        let _ = self.haproxy.wait();
        if std::thread::panicking() {
            let said = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            eprintln!("HAProxy said:\n{said}");
        }
    }
}

/// What a configuration is written from.
struct Plan<'a> {
    /// HAProxy's own address.
    own: IpAddr,
    ports: [u16; 2],
    range: (u16, u16),
    servers: &'a [Server; 2],
}

fn program() -> Option<PathBuf> {
    let program = peers::folder().join("x/usr/sbin/haproxy");
    let there = program.is_file();
    if !there {
        println!("skipped: haproxy is not there; `cargo xtask install` brings it");
    }
    (there && have("curl") && have("lftp")).then_some(program)
}

impl Balanced {
    /// The servers have these addresses and parts of the passive range, HAProxy the last address.
    fn start(
        addresses: [&'static str; 3],
        divided: bool,
        configure: impl Fn(&Plan) -> String,
    ) -> Option<Balanced> {
        let program = program()?;
        let (low, high) = passive_range();
        let middle = low + (high - low) / 2;
        let parts = if divided { [(low, middle), (middle + 1, high)] } else { [(low, high); 2] };
        let [one, other, own] = addresses;
        let config = format!("proxy-protocol = [\"{own}\"]\n");
        let servers = Server::balanced([(one, parts[0]), (other, parts[1])], &[], &config);
        let own: IpAddr = own.parse().unwrap();
        let listeners = [(); 2].map(|()| TcpListener::bind((own, 0)).unwrap());
        let ports = listeners.map(|listener| listener.local_addr().unwrap().port());
        let folder = tempfile::Builder::new().prefix("haproxy-").tempdir_in(room()).unwrap();
        let text = configure(&Plan { own, ports, range: (low, high), servers: &servers });
        files::write(&folder.path().join("haproxy.cfg"), text.as_bytes());
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let haproxy = Command::new(program)
            .args(["-db", "-f", "haproxy.cfg"])
            .current_dir(folder.path())
            .env("LD_LIBRARY_PATH", peers::libraries())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut balanced = Balanced { servers, haproxy, folder, address: own, ports };
        let end = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect((own, ports[0])).is_err() {
            let ended = balanced.haproxy.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < end, "HAProxy does not listen: {ended:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
        Some(balanced)
    }

    fn url(&self, scheme: &str, name: &str) -> String {
        let port = self.ports[usize::from(scheme == "ftps")];
        format!("{scheme}://{}:{port}/{name}", self.address)
    }

    /// What both servers have logged for people who do not look for faults.
    fn notable(&self) -> String {
        let logs: Vec<String> = self.servers.iter().map(Server::log).collect();
        let lines = logs.iter().flat_map(|log| log.lines());
        lines.filter(|line| line.contains(" INFO ") || line.contains(" WARN ")).collect::<Vec<_>>().join("\n")
    }

    /// Waits until one of the servers has logged this.
    #[track_caller]
    fn logs(&self, part: &str) {
        let end = Instant::now() + Duration::from_secs(30);
        while !self.notable().contains(part) {
            assert!(Instant::now() < end, "no {part:?} in\n{}", self.notable());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Every client lists, gets and puts from an address of its own, in the clear and in TLS, and that address is in the log.
fn everybody_gets_through(balanced: &Balanced) {
    let server = &balanced.servers[0];
    let there = server.offers("there.bin", 300_000);
    let here = server.has("here.bin", 200_001);
    let curl = |from: &str, scheme: &str, flags: &[&str], name: &str| {
        let mut all = vec!["-sS", "--max-time", "50", "-u", "alice:secret", "--interface", from];
        let url = balanced.url(scheme, name);
        all.extend(flags);
        all.push(&url);
        server.run("curl", &all, "").fine()
    };
    let ways: [(&str, &[&str]); 5] = [
        ("ftp", &[]),
        ("ftp", &["--disable-epsv"]),
        ("ftp", &["--ssl-reqd", "-k"]),
        ("ftps", &["-k"]),
        // The server connects to the client itself.
        ("ftp", &["-P", "-"]),
    ];
    for turn in 1..=6 {
        let from = format!("127.0.80.{turn}");
        for (at, (scheme, flags)) in ways.iter().enumerate() {
            let name = format!("curl-{turn}-{at}.bin");
            curl(&from, scheme, &[*flags, &["-l"]].concat(), "").prints(&["there.bin"]);
            curl(&from, scheme, &[*flags, &["-o", &name]].concat(), "there.bin");
            server.client_got(&name, &there);
            curl(&from, scheme, &[*flags, &["-T", "here.bin"]].concat(), &name);
            server.server_got(&name, &here);
        }
        balanced.logs(&format!("logged in from {from}"));
        balanced.logs(&format!("connected from {from} by way of {}", balanced.address));
    }

    for (at, secure) in
        ["set ftp:ssl-allow no", "set ftp:ssl-force yes; set ftp:ssl-protect-data yes"].iter().enumerate()
    {
        let (from, name) = (format!("127.0.81.{}", at + 1), format!("lftp-{at}.bin"));
        let script = format!(
            "set cmd:fail-exit yes; set net:timeout 20; set net:max-retries 1; set net:socket-bind-ipv4 {from}\n\
             set ssl:verify-certificate no; {secure}\n\
             open -u alice,secret -p {} {}\nls; get there.bin -o {name}; put here.bin -o {name}; cls -l {name}\n",
            balanced.ports[0], balanced.address
        );
        server.run("lftp", &["--norc", "-c", &script], "").fine().prints(&["there.bin", "200001"]);
        server.client_got(&name, &there);
        server.server_got(&name, &here);
        balanced.logs(&format!("logged in from {from}"));
    }

    let ours = binary();
    let ours = ours.to_str().unwrap();
    for (at, flags) in [&["--tls", "off"][..], &["--tls", "require", "--insecure"]].iter().enumerate() {
        let name = format!("ours-{at}.bin");
        let url =
            |name: &str| format!("ftp://alice:secret@{}:{}/{name}", balanced.address, balanced.ports[0]);
        let run = |args: &[&str]| server.run(ours, &[args, flags].concat(), "").fine();
        run(&["ls", &url("")]).prints(&["there.bin"]);
        run(&["get", &url("there.bin"), "-o", &name]);
        server.client_got(&name, &there);
        run(&["put", "here.bin", &url(&name)]);
        server.server_got(&name, &here);
    }
    balanced.logs("logged in from 127.0.0.1");
}

/// Whoever says a header without being the balancer is refused, be it to the server itself or through the balancer.
fn nobody_else_is_believed(balanced: &Balanced) {
    let server = SocketAddr::new(balanced.servers[0].host.parse().unwrap(), balanced.servers[0].port);
    let front = SocketAddr::new(balanced.address, balanced.ports[0]);
    for (from, to) in [([127, 0, 82, 1], server), ([127, 0, 82, 2], front)] {
        let from = IpAddr::from(from);
        let mut liar = from_elsewhere(from, to);
        liar.write_all(format!("PROXY TCP4 10.1.2.3 {} 40000 21\r\n", balanced.address).as_bytes()).unwrap();
        let heard = String::from_utf8_lossy(&to_the_end(&mut liar)).into_owned();
        assert!(heard.is_empty() || heard.starts_with("220 ") && heard.lines().count() == 1, "{heard}");
        balanced.logs(&format!("PROXY header from {from}"));
    }
    assert!(!balanced.notable().contains("10.1.2.3"));
}

/// Both servers had clients, and of the balancer that looked after them all the time nothing was said.
fn the_log_is_about_clients(balanced: &Balanced) {
    for server in &balanced.servers {
        assert!(server.log().contains("logged in from"), "a server had no client");
        server.logs("Ended { why: \"quit\" }");
    }
    let (notable, own) = (balanced.notable(), format!("from {}", balanced.address));
    assert!(!notable.contains(&own) && !notable.contains("from the balancer"), "{notable}");
    assert!(!notable.contains("refused for"), "{notable}");
}

#[test]
fn each_server_has_a_part_of_the_passive_range() {
    let balanced = Balanced::start(["127.0.78.1", "127.0.78.2", "127.0.78.3"], true, |plan| {
        let Plan { own, ports, range: (low, high), servers: [one, other] } = plan;
        let middle = low + (high - low) / 2;
        let (one_at, other_at) = (one.host, other.host);
        format!(
            "{DEFAULTS}
frontend ftp
    bind {own}:{}
    default_backend ftp

backend ftp
    balance leastconn
    source {own}
{CHECKS}    server one {one_at}:{}
    server other {other_at}:{}

listen ftps
    bind {own}:{}
    balance leastconn
    source {own}
    default-server check inter 100ms
    server one {one_at}:{}
    server other {other_at}:{}

listen ftp-data-one
    bind {own}:{low}-{middle}
    source {own}
    server one {one_at}

listen ftp-data-other
    bind {own}:{}-{high}
    source {own}
    server other {other_at}
",
            ports[0],
            one.port,
            other.port,
            ports[1],
            one.implicit.unwrap(),
            other.implicit.unwrap(),
            middle + 1,
        )
    });
    let Some(balanced) = balanced else { return };
    everybody_gets_through(&balanced);
    nobody_else_is_believed(&balanced);
    the_log_is_about_clients(&balanced);
}

#[test]
fn a_client_sticks_to_its_server_by_its_address() {
    let balanced = Balanced::start(["127.0.79.1", "127.0.79.2", "127.0.79.3"], false, |plan| {
        let Plan { own, ports, range: (low, high), servers: [one, other] } = plan;
        let (one_at, other_at) = (one.host, other.host);
        format!(
            "{DEFAULTS}
frontend ftp
    bind {own}:{}
    default_backend ftp

backend ftp
    balance roundrobin
    stick-table type ip size 100k expire 2h
    stick on src
    source {own}
{CHECKS}    server one {one_at}:{}
    server other {other_at}:{}

listen ftps
    bind {own}:{}
    balance roundrobin
    stick on src table ftp
    source {own}
    server one {one_at}:{} track ftp/one
    server other {other_at}:{} track ftp/other

listen ftp-data
    bind {own}:{low}-{high}
    stick match src table ftp
    source {own}
    server one {one_at} track ftp/one
    server other {other_at} track ftp/other
",
            ports[0],
            one.port,
            other.port,
            ports[1],
            one.implicit.unwrap(),
            other.implicit.unwrap(),
        )
    });
    let Some(balanced) = balanced else { return };
    everybody_gets_through(&balanced);
    nobody_else_is_believed(&balanced);
    the_log_is_about_clients(&balanced);
}
