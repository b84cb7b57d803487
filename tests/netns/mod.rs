//! Networks of our own: hosts, routers, firewalls and long roads in network namespaces. Root on Linux only; elsewhere each
//! test says that it is skipped. What a network can do is shown in `kit`.

mod bounce;
mod faults;
mod host_doctor;
mod kit;
mod place;
mod range;
mod rules;
mod told;

use twoport_testkit::netns::{Host, Net};

/// Client, a router between, server; an address of each family everywhere.
fn three() -> (Net, Host, Host, Host) {
    let net = Net::new();
    let (client, gate, server) = (net.host("client"), net.router("gate"), net.host("server"));
    net.link((&client, "10.1.1.2/24 2001:db8:1::2/64"), (&gate, "10.1.1.1/24 2001:db8:1::1/64"));
    net.link((&gate, "10.2.2.1/24 2001:db8:2::1/64"), (&server, "10.2.2.2/24 2001:db8:2::2/64"));
    client.goes_by("10.1.1.1 2001:db8:1::1");
    server.goes_by("10.2.2.1 2001:db8:2::1");
    (net, client, gate, server)
}
