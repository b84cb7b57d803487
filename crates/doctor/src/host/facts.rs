//! Looks at this machine: what the system shows in `/proc`, what `nft` and `iptables-save` list, and what is answered outside. Nothing
//! is changed, and nothing is judged.

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use twoport_net::outside::address_of;
use twoport_plan::Tell;

use super::rules::{Chain, Rules};
use super::{Host, Setup, Tracking, Used, iptables, nft};

/// Looks at all that a configuration needs.
pub async fn look(setup: &Setup) -> Host {
    let mut host = Host {
        own: own_addresses(),
        ways: (way(&read("/proc/net/route"), false), way(&read("/proc/net/ipv6_route"), true)),
        open_from: number("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap_or(1024),
        may_bind: may(CAP_NET_BIND_SERVICE),
        reserved: reserved(&read("/proc/sys/net/ipv4/ip_local_reserved_ports")),
        modules: MODULES.into_iter().filter(|module| is_loaded(module)).collect(),
        automatic: number("/proc/sys/net/netfilter/nf_conntrack_helper") == Some(1),
        tracking: tracking(),
        proxied: proxied(),
        ..Host::default()
    };
    let range = read("/proc/sys/net/ipv4/ip_local_port_range");
    let mut numbers = range.split_whitespace().filter_map(|number| number.parse().ok());
    host.ephemeral = numbers.next().zip(numbers.next());
    used(&mut host);
    filter(&mut host);
    outside(setup, &mut host).await;
    host
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn number<T: std::str::FromStr>(path: &str) -> Option<T> {
    read(path).trim().parse().ok()
}

/// The kernel's modules of the FTP helper: the one that reads, and the one that rewrites.
const MODULES: [&str; 2] = ["nf_conntrack_ftp", "nf_nat_ftp"];

/// One that is built in has a folder only.
fn is_loaded(module: &str) -> bool {
    Path::new("/sys/module").join(module).is_dir()
        || read("/proc/modules").lines().any(|line| line.split(' ').next() == Some(module))
}

/// Numbers of capabilities (capabilities(7)).
const CAP_NET_BIND_SERVICE: u32 = 10;
const CAP_NET_ADMIN: u32 = 12;

fn may(capability: u32) -> bool {
    let status = read("/proc/self/status");
    let held = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    held.and_then(|held| u64::from_str_radix(held.trim(), 16).ok())
        .is_some_and(|held| held >> capability & 1 == 1)
}

/// `LO-HI` and single ports, with commas between.
fn reserved(text: &str) -> Vec<(u16, u16)> {
    let one = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some((first.parse().ok()?, last.parse().ok()?))
    };
    text.trim().split(',').filter_map(one).collect()
}

fn own_addresses() -> Vec<IpAddr> {
    let mut own: Vec<IpAddr> = v4_of(&read("/proc/net/fib_trie")).into_iter().map(IpAddr::V4).collect();
    own.extend(v6_of(&read("/proc/net/if_inet6")).into_iter().map(IpAddr::V6));
    own
}

/// Behind an address of this machine the table has a line `/32 host LOCAL`.
fn v4_of(trie: &str) -> Vec<Ipv4Addr> {
    let mut own: Vec<Ipv4Addr> = Vec::new();
    let mut last = None;
    for line in trie.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse().ok();
        } else if let (true, Some(address)) = (line.starts_with("/32 host LOCAL"), last) {
            own.push(address);
        }
    }
    own.sort_unstable();
    own.dedup();
    own.retain(|address| !address.is_loopback() && !address.is_link_local());
    own
}

fn v6_of(table: &str) -> Vec<Ipv6Addr> {
    let address = |line: &str| Some(Ipv6Addr::from(u128::from_str_radix(line.get(..32)?, 16).ok()?));
    let own = table.lines().filter_map(address);
    own.filter(|address| !address.is_loopback() && !address.is_unicast_link_local()).collect()
}

/// The interface of the default route, or the only one that there is.
fn way(table: &str, v6: bool) -> Option<String> {
    let mut interfaces: Vec<&str> = Vec::new();
    for line in table.lines().skip(usize::from(!v6)) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (Some(interface), Some(target)) =
            (if v6 { fields.last() } else { fields.first() }, fields.get(usize::from(!v6)))
        else {
            continue;
        };
        if *interface == "lo" {
            continue;
        }
        let length = fields.get(if v6 { 1 } else { 7 }).copied().unwrap_or_default();
        if target.bytes().all(|b| b == b'0') && length.bytes().all(|b| b == b'0') {
            return Some((*interface).to_owned());
        }
        interfaces.push(interface);
    }
    let first = interfaces.first()?;
    interfaces.iter().all(|one| one == first).then(|| (*first).to_owned())
}

fn tracking() -> Option<Tracking> {
    let at = |name: &str| number(&format!("/proc/sys/net/netfilter/nf_conntrack_{name}"));
    let silent = at("tcp_timeout_established").map(Duration::from_secs);
    Some(Tracking { count: at("count")?, most: at("max")?, silent })
}

/// Each process with its number and the words that it was started with.
fn processes() -> impl Iterator<Item = (u32, Vec<String>)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let number = entry.file_name().to_str()?.parse().ok()?;
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        let words = line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
        Some((number, words.collect()))
    })
}

fn proxied() -> Vec<(u16, u16)> {
    processes().filter_map(|(_, words)| published(&words)).collect()
}

/// What a docker-proxy was started with.
fn published(words: &[String]) -> Option<(u16, u16)> {
    let value = |name: &str| {
        let at = words.iter().position(|word| word == name)?;
        words.get(at + 1)
    };
    let ports = || Some((value("-host-port")?.parse().ok()?, value("-container-port")?.parse().ok()?));
    let is_it = words.first().is_some_and(|program| program.rsplit('/').next() == Some("docker-proxy"));
    ports().filter(|_| is_it && value("-proto").is_none_or(|protocol| protocol == "tcp"))
}

/// Which ports are in use, and by whom as far as that is shown.
fn used(host: &mut Host) {
    let sockets = twoport_net::in_use();
    let mut owners: HashMap<u64, (String, u32)> = HashMap::new();
    for (process, _) in processes() {
        let folder = Path::new("/proc").join(process.to_string());
        for link in fs::read_dir(folder.join("fd")).into_iter().flatten().flatten() {
            let target = fs::read_link(link.path()).unwrap_or_default();
            let inode = target
                .to_str()
                .and_then(|name| name.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
            if let Some(inode) = inode {
                owners.entry(inode).or_insert_with(|| (read(folder.join("comm")).trim().to_owned(), process));
            }
        }
    }
    host.used = sockets
        .into_iter()
        .map(|socket| Used { at: socket.at, listens: socket.listens, by: owners.get(&socket.inode).cloned() })
        .collect();
}

/// A program's output, where it is there and does well. It is looked for where programs of root are too.
fn output(program: &str, args: &[&str]) -> Result<String, String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(program);
    command.args(args).env("PATH", format!("{path}:/usr/sbin:/sbin")).env("LC_ALL", "C").stdin(Stdio::null());
    let output = command.output().map_err(|e| format!("{program}: {e}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}

fn filter(host: &mut Host) {
    if !may(CAP_NET_ADMIN) {
        host.unseen.push(
            "the rules in force, and with them what they let through and whether a helper is assigned: only root may read \
             them; run the same as root"
                .to_owned(),
        );
        return;
    }
    let json = output("nft", &["-j", "list", "ruleset"]);
    let text = output("nft", &["-a", "list", "ruleset"]).unwrap_or_default();
    let by_nft = json.and_then(|json| {
        let rules = nft::read(&json, &text)?;
        let of_iptables = json.contains(OF_IPTABLES) || rules.chains.iter().any(Chain::is_of_iptables);
        Ok((rules, of_iptables))
    });
    // The names of tables of the old iptables, which nft does not list.
    let elder =
        ["/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"].iter().any(|path| !read(path).is_empty());
    let by_iptables: Vec<Result<(String, bool), String>> = match &by_nft {
        Ok((_, false)) if !elder => Vec::new(),
        _ => [("iptables-save", false), ("ip6tables-save", true)]
            .iter()
            .flat_map(|(program, v6)| {
                let legacy = elder.then(|| {
                    output(&program.replace("tables", "tables-legacy"), &[]).map(|text| (text, *v6))
                });
                // The one that is not the system's own choice may be missing.
                let legacy = legacy.filter(Result::is_ok);
                [Some(output(program, &[]).map(|text| (text, *v6))), legacy].into_iter().flatten()
            })
            .collect(),
    };
    match (by_nft, by_iptables.iter().any(Result::is_ok)) {
        (Err(why), false) => {
            host.unseen
                .push(format!("the rules in force, since nothing here lists them ({why}); install nftables"));
        }
        (by_nft, _) => {
            if let Err(why) = &by_nft {
                host.unseen.push(format!("rules of nftables ({why})"));
            }
            for why in by_iptables.iter().filter_map(|saved| saved.as_ref().err()) {
                host.unseen.push(format!(
                    "rules that iptables wrote, in its own words ({why}); they are read by what nft shows"
                ));
            }
            let saved = by_iptables.into_iter().flatten();
            host.rules = Some(together(by_nft.map(|(rules, _)| rules).unwrap_or_default(), saved));
        }
    }
}

/// What nft writes in place of what only iptables can tell.
const OF_IPTABLES: &str = "\"xt\":";

/// Tables that both have shown are taken as iptables tells them, since nft does not know its words.
pub(super) fn together(mut rules: Rules, saved: impl IntoIterator<Item = (String, bool)>) -> Rules {
    for (text, v6) in saved {
        let chains = iptables::read(&text, v6);
        if text.contains("(nf_tables)") {
            let has = |table: &str| chains.iter().any(|chain| chain.table == table);
            rules.chains.retain(|chain| chain.family != if v6 { "ip6" } else { "ip" } || !has(&chain.table));
        }
        let is_new = |chain: &Chain| !rules.chains.contains(chain);
        let new: Vec<_> = chains.into_iter().filter(is_new).collect();
        rules.chains.extend(new);
    }
    rules
}

/// Asks outside what the configuration asks outside.
async fn outside(setup: &Setup, host: &mut Host) {
    if !setup.site.passive {
        return;
    }
    if let Some(witness) = &setup.witness {
        host.world = Some(patiently(witness.ask()).await);
    }
    let tells = [Some(&setup.site.outside.tell), setup.site.outside.tell_in_tls.as_ref()];
    let rules = setup.site.outside.rules.iter().map(|rule| &rule.tell);
    for tell in tells.into_iter().flatten().chain(rules) {
        let answer = match tell {
            _ if host.answers.iter().any(|(known, _)| known == tell) => continue,
            Tell::Name(name) => patiently(address_of(name)).await,
            Tell::Auto => {
                host.world.clone().unwrap_or_else(|| Err("nobody is named who could be asked".to_owned()))
            }
            _ => continue,
        };
        host.answers.push((tell.clone(), answer));
    }
}

/// How long somebody outside may think.
const PATIENCE: Duration = Duration::from_secs(5);

async fn patiently(asked: impl Future<Output = Result<Ipv4Addr, String>>) -> Result<Ipv4Addr, String> {
    let late = || Err(format!("no answer within {} s", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| late())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_shows_is_read() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 10.2.2.0\n        /24 link UNICAST\n     |-- 10.2.2.2\n        /32 host LOCAL\n\
            Local:\n     |-- 10.2.2.2\n        /32 host LOCAL\n     |-- 127.0.0.1\n        /32 host LOCAL\n     |-- 10.2.2.255\n        /32 link BROADCAST\n";
        assert_eq!(v4_of(trie), [Ipv4Addr::new(10, 2, 2, 2)]);
        let table = "20010db8000000020000000000000002 04 40 00 80     eth0\nfe8000000000000000fc00fffe000001 04 40 20 80     eth0\n\
            00000000000000000000000000000001 01 80 10 80       lo\n";
        assert_eq!(v6_of(table), ["2001:db8:0:2::2".parse::<Ipv6Addr>().unwrap()]);
        assert_eq!(reserved("61000-61255,8080\n"), [(61000, 61255), (8080, 8080)]);
        assert_eq!(reserved("\n"), []);
    }

    #[test]
    fn the_way_to_the_world_is_the_default_route_or_the_only_one() {
        let head = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\n";
        let near = "docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\n";
        let far = "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\n";
        assert_eq!(way(&format!("{head}{near}{far}"), false).as_deref(), Some("eth0"));
        assert_eq!(way(&format!("{head}{near}"), false).as_deref(), Some("docker0"));
        let other = "eth1\t000012AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\n";
        assert_eq!(way(&format!("{head}{near}{other}"), false), None);
        let zero = "0".repeat(32);
        let six = format!(
            "{zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200       lo\n\
            {zero} 00 {zero} 00 fd000000000000000000000000000001 00000400 00000003 00000000 00000003     eth0\n"
        );
        assert_eq!(way(&six, true).as_deref(), Some("eth0"));
    }

    #[test]
    fn dockers_proxy_is_known_by_its_words() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let line = "/usr/bin/docker-proxy -proto tcp -host-ip 0.0.0.0 -host-port 21 -container-ip 172.17.0.2 -container-port 2121";
        assert_eq!(published(&words(line)), Some((21, 2121)));
        assert_eq!(published(&words(&line.replace("tcp", "udp"))), None);
        assert_eq!(published(&words(&line.replace("docker-proxy", "other"))), None);
    }
}
