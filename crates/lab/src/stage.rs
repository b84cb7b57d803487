//! A situation that has been built: its hosts, its rules, its server. All of it goes with the value.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use twoport_netns::{Error, Host, Net, Process, Result};

use crate::boxes::Running;
use crate::scripted;
use crate::situation::{At, Beside, ClientPlace, Peer, Rule, ServerPlace, Situation, Tls};

/// The user of every server here.
pub const USER: &str = "lab";

/// And the password.
pub const PASSWORD: &str = "lab";

/// The name that a server has where it has one.
const NAME: &str = "ftp.lab.test";

/// The one file, of so many bytes.
pub(crate) const FILE: &str = "file.bin";
const LENGTH: usize = 200_000;

/// The server's passive ports.
const RANGE: &str = "40000-40100";

/// How long our server waits for a data connection, and for one to move: the clients' patience is longer.
const CONFIG: &str = "link-seconds = 4\nstall-seconds = 4\nwhen-full = \"refuse\"\n\
    [[user]]\nname = \"lab\"\npassword = \"lab\"\ndoctor = true\n";

const PUBLIC: &str = "203.0.113.2";
const PRIVATE: &str = "192.168.50.2";
const EDGE: &str = "198.51.100.2";

/// One situation, standing.
///
/// ```text
///   client ── home ── edge ── server
///             10.77.1.1 / 192.0.2.1    198.51.100.1 ── .2    203.0.113.1 / 192.168.50.1
/// ```
#[derive(Debug)]
pub struct Stage {
    situation: Situation,
    /// In the order of [`At`].
    hosts: [Host; 4],
    folder: PathBuf,
    content: Vec<u8>,
    _server: Option<Process>,
    _running: Vec<Running>,
    // Last, since what runs in it goes first.
    _net: Net,
}

impl Stage {
    /// Builds it. `program` is twoport itself, as a server.
    ///
    /// # Errors
    /// Where no networks can be made, or a part of it does not come about.
    pub fn build(situation: &Situation, program: &Path) -> Result<Stage> {
        let net = Net::new()?;
        let folder = net.folder()?;
        let content = content();
        let failed = |error: std::io::Error| Error::new(format!("{}: {error}", folder.display()));
        for name in ["root", "home", "here"] {
            fs::create_dir(folder.join(name)).map_err(failed)?;
        }
        fs::write(folder.join("root").join(FILE), &content).map_err(failed)?;
        let listen = format!("listen = [\"[::]:{}\"]\n", situation.port);
        fs::write(folder.join("twoport.toml"), listen + CONFIG).map_err(failed)?;
        let hosts = links(&net, situation)?;
        rules(situation, &hosts)?;
        let mut running = Vec::new();
        for one in situation.beside {
            match one {
                Beside::Mute(at, port) => running.push(Running::mute(of(&hosts, *at), *port)?),
                Beside::Socks(at, port) => running.push(Running::socks(of(&hosts, *at), *port)?),
                Beside::SecondServer => {}
            }
        }
        let server = of(&hosts, At::Server);
        let mut ours = None;
        match situation.peer {
            Peer::Ours(flags) => ours = Some(serve(server, program, &folder, situation, flags)?),
            Peer::Scripted(script) => {
                running.push(scripted::begin(server, situation.port, script, content.clone())?);
            }
            Peer::Nobody => {}
        }
        let client = of(&hosts, At::Client);
        client.etc("resolv.conf", "nameserver 127.0.0.1\n")?;
        let names: String = situation.names.iter().map(|address| format!("{address} {NAME}\n")).collect();
        client.etc("hosts", &format!("127.0.0.1 localhost\n{names}"))?;
        Ok(Stage {
            situation: *situation,
            hosts,
            folder,
            content,
            _server: ours,
            _running: running,
            _net: net,
        })
    }

    /// What it is.
    #[must_use]
    pub fn situation(&self) -> &Situation {
        &self.situation
    }

    /// Where the client is.
    #[must_use]
    pub fn client(&self) -> &Host {
        of(&self.hosts, At::Client)
    }

    /// Where the server is; none where a script plays it, which is nobody's machine.
    #[must_use]
    pub fn server_host(&self) -> Option<&Host> {
        (!matches!(self.situation.peer, Peer::Scripted(_))).then(|| of(&self.hosts, At::Server))
    }

    /// The configuration of the server.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder.join("twoport.toml")
    }

    /// A folder that goes with it. The client works in `here`, and its home is `home`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is in the file.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// The server as the user names it: a name or an address.
    #[must_use]
    pub fn server(&self) -> &'static str {
        match (self.situation.reached, self.situation.server) {
            _ if !self.situation.names.is_empty() => NAME,
            (Some(address), _) => address,
            (None, ServerPlace::Public) => PUBLIC,
            (None, ServerPlace::Behind(_)) => EDGE,
        }
    }

    /// The addresses of the server's name; none where it has no name, or a name that has none.
    #[must_use]
    pub fn addresses(&self) -> Vec<IpAddr> {
        self.situation.names.iter().filter_map(|address| address.parse().ok()).collect()
    }

    /// The URL of the file.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.situation.tls == Tls::None { "ftp" } else { "ftpes" };
        let port = match self.situation.port {
            21 => String::new(),
            port => format!(":{port}"),
        };
        format!("{scheme}://{USER}:{}@{}{port}/{FILE}", self.situation.password, self.server())
    }

    /// How many packets have met the fault; none where it is no rule that counts.
    ///
    /// # Errors
    /// When a host does not tell.
    pub fn hits(&self) -> Result<Option<u64>> {
        let mut sum = None;
        for rule in self.situation.rules.iter().filter(|rule| rule.lines.contains("counter name hit")) {
            let hits = of(&self.hosts, rule.at).count(&format!("hit_{}", rule.hook))?;
            sum = Some(sum.unwrap_or(0) + hits);
        }
        Ok(sum)
    }

    /// The rules of all hosts with what they have counted, for somebody who wonders.
    #[must_use]
    pub fn seen(&self) -> String {
        self.hosts.iter().map(Host::seen).collect::<Vec<_>>().join("\n")
    }
}

fn of(hosts: &[Host; 4], at: At) -> &Host {
    &hosts[at as usize]
}

/// Bytes that nobody mistakes for others.
fn content() -> Vec<u8> {
    let mut state: u32 = 20_261_122;
    let byte = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..LENGTH).map(byte).collect()
}

/// Our server. It listens when this returns.
fn serve(
    server: &Host,
    program: &Path,
    folder: &Path,
    situation: &Situation,
    flags: &[&str],
) -> Result<Process> {
    let has = |flag: &str| flags.contains(&flag);
    let mut command = server.command(program);
    command.arg("serve").arg(folder.join("root")).arg("--config").arg(folder.join("twoport.toml"));
    command.args(flags);
    if !has("--tls") {
        command.args(["--tls", if situation.tls == Tls::None { "off" } else { "required" }]);
    }
    if !has("--passive-ports") {
        command.args(["--passive-ports", RANGE]);
    }
    command.env("XDG_STATE_HOME", folder.join("state")).env("HOME", folder).env_remove("TWOPORT_LOG");
    let mut process = Process::start(command)?;
    process.says("ftp")?;
    Ok(process)
}

/// The hosts with their addresses and routes.
fn links(net: &Net, situation: &Situation) -> Result<[Host; 4]> {
    let (home, edge) = (net.router("home")?, net.router("edge")?);
    let (client, server) = (net.host("client")?, net.host("server")?);
    let (own, before) = match situation.client {
        ClientPlace::Home => ("10.77.1.2", "10.77.1.1"),
        ClientPlace::Public => ("192.0.2.2", "192.0.2.1"),
        ClientPlace::Lan => ("192.168.50.9", "192.168.50.1"),
    };
    let (serving, router) = match situation.server {
        ServerPlace::Public => (PUBLIC, "203.0.113.1"),
        ServerPlace::Behind(_) => (PRIVATE, "192.168.50.1"),
    };
    let [own, behind, serving, routing] =
        [own, before, serving, router].map(|address| format!("{address}/24"));
    net.link(
        (&home, "198.51.100.1/24 198.51.100.9/24 2001:db8:ff::1/64"),
        (&edge, "198.51.100.2/24 2001:db8:ff::2/64"),
    )?;
    if situation.client == ClientPlace::Lan {
        let switch = net.host("switch")?;
        for (host, address) in [(&client, &own), (&server, &serving), (&edge, &routing)] {
            net.link((host, address), (&switch, ""))?;
        }
        bridge(&switch, &["client", "server", "edge"])?;
    } else {
        net.link(
            (&client, &format!("{own} 2001:db8:1::2/64")),
            (&home, &format!("{behind} 2001:db8:1::1/64")),
        )?;
        net.link(
            (&edge, &format!("{routing} 2001:db8:50::1/64")),
            (&server, &format!("{serving} 2001:db8:50::2/64")),
        )?;
        client.goes_by("2001:db8:1::1")?;
        server.goes_by("2001:db8:50::1")?;
    }
    client.goes_by(before)?;
    server.goes_by(router)?;
    home.goes_by("198.51.100.2 2001:db8:ff::2")?;
    edge.goes_by("198.51.100.1 2001:db8:ff::1")?;
    if situation.beside.iter().any(|one| matches!(one, Beside::SecondServer)) {
        let second = net.host("second")?;
        net.link((&edge, "192.168.60.1/24"), (&second, "192.168.60.2/24"))?;
        second.goes_by("192.168.60.1")?;
    }
    if situation.mtu < 1500 {
        let mtu = situation.mtu.to_string();
        home.run("ip", ["link", "set", "edge", "mtu", &mtu])?;
        edge.run("ip", ["link", "set", "home", "mtu", &mtu])?;
    }
    for (host, by) in [(&client, &home), (&server, &edge)] {
        // None of them is a passive port.
        host.set("net/ipv4/ip_local_port_range", "50000 60000")?;
        // Segments go one by one, as between machines: what is in one packet there is in one here.
        let by = if situation.client == ClientPlace::Lan { "switch" } else { by.name() };
        host.run("ip", ["link", "set", by, "gso_max_segs", "1"])?;
    }
    Ok([client, home, edge, server])
}

fn rules(situation: &Situation, hosts: &[Host; 4]) -> Result<()> {
    for (at, setting, value) in situation.settings {
        of(hosts, *at).set(setting, value)?;
    }
    let mut rules = situation.rules.to_vec();
    if situation.client == ClientPlace::Home {
        rules.extend(HOME.iter().filter(|usual| !replaced(situation.rules, usual)));
    }
    if let ServerPlace::Behind(ports) = situation.server {
        rules.extend(EDGE_NAT.iter().filter(|usual| !replaced(situation.rules, usual)));
        let forwarded = format!("ip daddr {EDGE} {ports} dnat ip to {PRIVATE}");
        let usual = Rule { at: At::Edge, hook: "prerouting", lines: "" };
        if !replaced(situation.rules, &usual) {
            load(of(hosts, At::Edge), "prerouting", &forwarded)?;
        }
    }
    for rule in rules {
        load(of(hosts, rule.at), rule.hook, rule.lines)?;
    }
    for (at, port) in situation.helpers {
        of(hosts, *at).load_nft(&format!(
            "table inet helper {{
                ct helper ftp {{ type \"ftp\" protocol tcp; }}
                chain watched {{
                    type filter hook prerouting priority filter; policy accept;
                    tcp dport {port} ct helper set \"ftp\"
                }}
            }}"
        ))?;
    }
    Ok(())
}

fn replaced(rules: &[Rule], usual: &Rule) -> bool {
    rules.iter().any(|rule| rule.at == usual.at && rule.hook == usual.hook)
}

fn load(host: &Host, hook: &str, lines: &str) -> Result<()> {
    let (kind, priority) = match hook {
        "prerouting" => ("nat", "dstnat"),
        "postrouting" => ("nat", "srcnat"),
        _ => ("filter", "filter"),
    };
    let lines = lines.replace("counter name hit", &format!("counter name hit_{hook}"));
    host.load_nft(&format!(
        "table inet lab_{hook} {{
            counter hit_{hook} {{ }}
            chain c {{ type {kind} hook {hook} priority {priority}; policy accept;\n{lines}\n}}
        }}"
    ))
}

/// A home router: it hides who is behind it, and lets in what was asked for.
const HOME: [Rule; 3] = [
    Rule { at: At::Home, hook: "postrouting", lines: "oifname edge meta nfproto ipv4 masquerade" },
    Rule {
        at: At::Home,
        hook: "forward",
        lines: "ct state invalid drop
                ct state established,related accept
                iifname edge meta nfproto ipv4 drop",
    },
    Rule {
        at: At::Home,
        hook: "input",
        lines: "iifname != edge accept
                ct state established,related accept
                meta l4proto { icmp, ipv6-icmp } accept
                drop",
    },
];

/// The router of a server with a private address: what is forwarded comes in, and all goes out.
const EDGE_NAT: [Rule; 2] = [
    Rule { at: At::Edge, hook: "postrouting", lines: "oifname home meta nfproto ipv4 masquerade" },
    Rule {
        at: At::Edge,
        hook: "forward",
        lines: "ct state established,related accept
                iifname != home accept
                meta l4proto { icmp, ipv6-icmp } accept
                ct status dnat accept
                drop",
    },
];

/// Makes one network of the ends of some links.
fn bridge(switch: &Host, ports: &[&str]) -> Result<()> {
    switch.run("ip", ["link", "add", "bridge", "type", "bridge", "forward_delay", "0"])?;
    for port in ports {
        switch.run("ip", ["link", "set", port, "master", "bridge"])?;
    }
    switch.run("ip", ["link", "set", "bridge", "up"])?;
    // It forwards only when the kernel has told it that its ports are up.
    let end = Instant::now() + Duration::from_secs(10);
    while switch.run("bridge", ["link"])?.matches("state forwarding").count() < ports.len() {
        if Instant::now() > end {
            return Err(Error::new("a bridge does not begin to forward".to_owned()));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
