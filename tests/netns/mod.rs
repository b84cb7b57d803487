//! Networks of our own: hosts, routers, firewalls and long roads in network namespaces. Root on Linux only; elsewhere each
//! test says that it is skipped. What a network can do is shown in `kit`.

mod bounce;
mod faults;
mod kit;
mod place;
mod range;
mod rules;
mod told;
