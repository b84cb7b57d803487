//! `Lookout`: the address that clients outside are told, kept true. A name is looked up again, and the witness asked again, when a
//! client needs it and what is known has become old; what was known last stands in for an answer that does not come.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use twoport_net::outside::{Witness, address_of};
use twoport_plan::Way;
use twoport_plan::outside::{Client, Outside, Tell, told};

/// See the top of this file.
#[derive(Debug)]
pub(crate) struct Lookout {
    outside: Outside,
    witness: Option<Witness>,
    gateway: Option<Ipv4Addr>,
    /// By what is told; several that ask at once wait for one answer.
    known: Mutex<HashMap<Tell, Known>>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    address: Option<Ipv4Addr>,
    asked: Instant,
}

/// How long an answer counts: an address that changes is told wrong for so long at most.
const FRESH: Duration = Duration::from_secs(60);
/// How long an answer is waited for, while a client waits for 227.
const PATIENCE: Duration = Duration::from_secs(4);

impl Lookout {
    pub(crate) fn new(outside: Outside, witness: Option<Witness>) -> Self {
        let gateway = twoport_net::mapping::gateway();
        Lookout { outside, witness, gateway, known: Mutex::default() }
    }

    /// Whether it is one for these.
    pub(crate) fn is_of(&self, outside: &Outside, witness: Option<&Witness>) -> bool {
        &self.outside == outside && self.witness.as_ref() == witness
    }

    /// Where a client is told to come for our `port`. Nobody is waited for where nobody need be asked: 229 tells no address.
    pub(crate) async fn find(&self, client: Client, port: u16, way: Way) -> SocketAddrV4 {
        let tell = self.outside.tell(client);
        let asks = way != Way::Epsv && matches!(tell, Tell::Name(_) | Tell::Auto);
        let found = if asks { self.ask(tell).await } else { None };
        SocketAddrV4::new(told(tell, client.reached, found), self.outside.port(tell, client, port))
    }

    /// A client of this listener's, with what is known of the way to the world.
    pub(crate) fn client(&self, reached: std::net::IpAddr, peer: std::net::IpAddr, secure: bool) -> Client {
        Client { reached, peer, secure, gateway: self.gateway }
    }

    async fn ask(&self, tell: &Tell) -> Option<Ipv4Addr> {
        let mut known = self.known.lock().await;
        let before = known.get(tell).copied();
        if let Some(before) = before.filter(|before| before.asked.elapsed() < FRESH) {
            return before.address;
        }
        let answer = tokio::time::timeout(PATIENCE, async {
            match (tell, &self.witness) {
                (Tell::Name(name), _) => address_of(name).await,
                (Tell::Auto, Some(witness)) => witness.ask().await,
                _ => Err("there is nobody to ask".to_owned()),
            }
        });
        let answer =
            answer.await.unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())));
        let last = before.and_then(|before| before.address);
        let address = match answer {
            Ok(address) => {
                match last {
                    Some(last) if last != address => {
                        tracing::warn!("227 tells {address} from now on: {tell} was {last}");
                    }
                    None => tracing::info!("227 tells {address}: {tell}"),
                    Some(_) => {}
                }
                Some(address)
            }
            Err(why) => {
                let stands_in = last.map_or_else(
                    || "the address that each client reached".to_owned(),
                    |last| format!("{last}, as before"),
                );
                tracing::warn!("227 tells {stands_in}: {tell} cannot be found out: {why}");
                last
            }
        };
        known.insert(tell.clone(), Known { address, asked: Instant::now() });
        address
    }
}
