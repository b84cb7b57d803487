//! What a network of namespaces can do, shown once: both families, NAT in both directions, default-drop by nftables and by
//! iptables, counters, the kernel's FTP helper, and a long road.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use twoport_netns::{Host, Net};
use twoport_testkit::road::Road;

use super::iptables::{self, Family};
use super::three;

fn listen(host: &Host, at: &str) -> TcpListener {
    host.inside(|| TcpListener::bind(at)).unwrap().expect("a host may listen at its own address")
}

/// What must be answered has time, for the machine may be busy.
fn connect(host: &Host, to: &str) -> std::io::Result<TcpStream> {
    connect_within(Duration::from_secs(20), host, to)
}

fn connect_within(patience: Duration, host: &Host, to: &str) -> std::io::Result<TcpStream> {
    let to: SocketAddr = to.parse().expect("an address");
    host.inside(|| TcpStream::connect_timeout(&to, patience)).unwrap()
}

/// One SYN: a lost one is sent again after a second.
#[track_caller]
fn does_not_answer(host: &Host, to: &str) {
    let tried = connect_within(Duration::from_millis(400), host, to);
    assert_eq!(tried.expect_err("something answers").kind(), ErrorKind::TimedOut, "{to}");
}

#[test]
fn both_families_cross_a_router() {
    if !crate::netns::have() {
        return;
    }
    let (_net, client, _gate, server) = three();
    for (at, from) in [("10.2.2.2:21", "10.1.1.2"), ("[2001:db8:2::2]:21", "2001:db8:1::2")] {
        let listener = listen(&server, at);
        connect(&client, at).unwrap();
        assert_eq!(listener.accept().unwrap().1.ip().to_string(), from);
    }
    assert_eq!(connect(&client, "10.2.2.2:22").unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_router_hides_a_client_and_forwards_to_a_server() {
    if !crate::netns::have() {
        return;
    }
    let (_net, client, gate, server) = three();
    gate.load_nft(
        r#"table ip nat {
            chain in { type nat hook prerouting priority dstnat; ip daddr 10.1.1.1 tcp dport 21 dnat to 10.2.2.2; }
            chain out { type nat hook postrouting priority srcnat; oifname "server" masquerade; }
        }"#,
    ).unwrap();
    let listener = listen(&server, "10.2.2.2:21");
    connect(&client, "10.1.1.1:21").unwrap();
    assert_eq!(listener.accept().unwrap().1.ip().to_string(), "10.2.2.1");
}

#[test]
fn what_is_dropped_is_counted_and_what_is_rejected_is_refused() {
    if !crate::netns::have() {
        return;
    }
    let (_net, client, gate, server) = three();
    gate.load_nft(
        r#"table inet lab {
            counter dropped { }
            chain forward {
                type filter hook forward priority filter; policy drop;
                ct state established accept
                tcp dport 21 accept
                tcp dport 22 reject with tcp reset
                tcp dport 23 counter name dropped
            }
        }"#,
    )
    .unwrap();
    let _listener = (listen(&server, "10.2.2.2:21"), listen(&server, "10.2.2.2:23"));
    connect(&client, "10.2.2.2:21").unwrap();
    assert_eq!(connect(&client, "10.2.2.2:22").unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert_eq!(gate.count("dropped").unwrap(), 0);
    does_not_answer(&client, "10.2.2.2:23");
    assert_eq!(gate.count("dropped").unwrap(), 1);
}

#[test]
fn iptables_drops_and_lets_through() {
    if !crate::netns::have() || !iptables::have() {
        return;
    }
    let (_net, client, _gate, server) = three();
    for (family, at, other) in
        [(Family::V4, "10.2.2.2:21", "10.2.2.2:22"), (Family::V6, "[2001:db8:2::2]:21", "[2001:db8:2::2]:22")]
    {
        let _listeners = (listen(&server, at), listen(&server, other));
        // Neighbours of IPv6 find each other by ICMP.
        let icmp = if family == Family::V4 { "icmp" } else { "ipv6-icmp" };
        iptables::load(
            &server,
            family,
            &format!(
                "*filter\n:INPUT DROP [0:0]\n-A INPUT -p {icmp} -j ACCEPT\n-A INPUT -p tcp --dport 21 -j ACCEPT\nCOMMIT\n"
            ),
        );
        connect(&client, at).unwrap();
        does_not_answer(&client, other);
    }
}

/// The kernel reads PORT on its way and lets the connection in that belongs to it.
#[test]
fn the_kernels_helper_opens_what_a_control_connection_names() {
    if !crate::netns::have() {
        return;
    }
    let (_net, client, gate, server) = three();
    gate.load_nft(
        r#"table inet lab {
            ct helper ftp21 { type "ftp" protocol tcp; }
            chain helpers {
                type filter hook prerouting priority filter;
                tcp dport 21 ct helper set "ftp21"
            }
            chain forward {
                type filter hook forward priority filter; policy drop;
                ct state established,related accept
                tcp dport 21 accept
            }
        }"#,
    )
    .unwrap();
    let control = listen(&server, "10.2.2.2:21");
    let _data = listen(&client, "10.1.1.2:4097");
    let mut asking = connect(&client, "10.2.2.2:21").unwrap();
    let (mut asked, _) = control.accept().unwrap();
    does_not_answer(&server, "10.1.1.2:4097");
    // Never the first line of all: the helper has to have seen a line's end before.
    for line in ["NOOP\r\n", "PORT 10,1,1,2,16,1\r\n"] {
        asking.write_all(line.as_bytes()).unwrap();
        let mut heard = vec![0; line.len()];
        asked.read_exact(&mut heard).unwrap();
        assert_eq!(heard, line.as_bytes());
    }
    connect(&server, "10.1.1.2:4097").unwrap();
}

#[test]
fn a_long_road_takes_its_time_loses_some_and_has_an_mtu() {
    if !crate::netns::have() {
        return;
    }
    if !std::path::Path::new("/dev/net/tun").exists() {
        println!("skipped: a long road (there is no /dev/net/tun)");
        return;
    }
    let net = Net::new().unwrap();
    let (near, far) = (net.host("near").unwrap(), net.host("far").unwrap());
    let delay = Duration::from_millis(30);
    let _road = Road { delay, lost: 20, mtu: 1300 }
        .between((&near, "10.3.3.1/24 2001:db8:3::1/64"), (&far, "10.3.3.2/24 2001:db8:3::2/64"));
    far.load_nft(
        "table inet lab {
            counter large { }
            chain input { type filter hook input priority filter; meta length > 1300 counter name large; }
        }",
    )
    .unwrap();
    for at in ["10.3.3.2:21", "[2001:db8:3::2]:21"] {
        let listener = listen(&far, at);
        let to: SocketAddr = at.parse().unwrap();
        let begun = Instant::now();
        let mut sending =
            near.inside(|| TcpStream::connect_timeout(&to, Duration::from_secs(20))).unwrap().unwrap();
        assert!(begun.elapsed() >= 2 * delay, "{at} answered after {:?}", begun.elapsed());
        let (mut receiving, _) = listener.accept().unwrap();
        let bytes = crate::support::files::bytes(300_000, 5);
        let sent = bytes.clone();
        let sender = std::thread::spawn(move || sending.write_all(&sent).unwrap());
        let mut came = vec![0; bytes.len()];
        receiving.read_exact(&mut came).unwrap();
        sender.join().unwrap();
        assert!(came == bytes, "a road changes nothing");
    }
    let again = near.inside(|| std::fs::read_to_string("/proc/thread-self/net/snmp")).unwrap().unwrap();
    assert!(resent(&again) > 0, "nothing was lost: {again}");
    assert_eq!(far.count("large").unwrap(), 0);
}

/// `RetransSegs` of the two lines that begin with `Tcp:`.
fn resent(snmp: &str) -> u64 {
    let mut lines = snmp.lines().filter(|line| line.starts_with("Tcp:")).map(str::split_whitespace);
    let (names, values) = (lines.next().expect("its names"), lines.next().expect("its values"));
    let mut pairs = names.zip(values);
    pairs.find(|(name, _)| *name == "RetransSegs").expect("it is counted").1.parse().expect("a number")
}

/// What a run leaves behind that was killed: a namespace whose maker is no more, and a program in it.
#[test]
fn what_a_killed_run_left_is_removed_by_the_next() {
    if !crate::netns::have() {
        return;
    }
    const LEFT: &str = "TWOPORT_TEST_LEAVES";
    if let Ok(told) = std::env::var(LEFT) {
        // We are the run that will be killed.
        let net = Net::new().unwrap();
        let host = net.host("left").unwrap();
        let _sleeper = host.spawn("sleep", ["600"]).unwrap();
        std::fs::write(told, host.netns()).unwrap();
        loop {
            std::thread::park();
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("name");
    let this = || {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "netns::kit::what_a_killed_run_left_is_removed_by_the_next"]);
        command
    };
    let mut leaves = Running(this().env(LEFT, &told).spawn().unwrap());
    let end = Instant::now() + Duration::from_secs(20);
    let name = loop {
        match std::fs::read_to_string(&told) {
            Ok(name) if !name.is_empty() => break name,
            _ => std::thread::sleep(Duration::from_millis(10)),
        }
        assert!(Instant::now() < end, "the other run does not begin");
    };
    let there = || std::path::Path::new("/run/netns").join(&name).exists();
    // Another run that begins while this one lives leaves it alone, and so does one that begins later.
    for alive in [true, false] {
        if !alive {
            leaves.end();
        }
        let other = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "netns::kit::both_families_cross_a_router"])
            .output()
            .unwrap();
        assert!(other.status.success(), "{}", String::from_utf8_lossy(&other.stdout));
        assert_eq!(there(), alive, "{name}");
    }
}

/// A child that does not outlive the test.
struct Running(std::process::Child);

impl Running {
    fn end(&mut self) {
        // It may have ended by itself.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}
