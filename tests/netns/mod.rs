//! Networks of our own: hosts, routers, firewalls and long roads in network namespaces. Root on Linux only; elsewhere each
//! test says that it is skipped. What a network can do is shown in `kit`.

mod bounce;
mod doctor;
mod facts;
mod faults;
mod host_doctor;
mod iptables;
mod kit;
mod lab;
mod place;
mod range;
mod rules;
mod told;

use twoport_netns::{Host, Net};

/// Whether networks can be made; where not, says that the test is skipped.
fn have() -> bool {
    let why = twoport_netns::unavailable();
    if let Some(why) = why {
        println!("skipped: network namespaces ({why})");
    }
    why.is_none()
}

/// Client, a router between, server; an address of each family everywhere.
fn three() -> (Net, Host, Host, Host) {
    let net = Net::new().unwrap();
    let (client, gate, server) =
        (net.host("client").unwrap(), net.router("gate").unwrap(), net.host("server").unwrap());
    net.link((&client, "10.1.1.2/24 2001:db8:1::2/64"), (&gate, "10.1.1.1/24 2001:db8:1::1/64")).unwrap();
    net.link((&gate, "10.2.2.1/24 2001:db8:2::1/64"), (&server, "10.2.2.2/24 2001:db8:2::2/64")).unwrap();
    client.goes_by("10.1.1.1 2001:db8:1::1").unwrap();
    server.goes_by("10.2.2.1 2001:db8:2::1").unwrap();
    (net, client, gate, server)
}
