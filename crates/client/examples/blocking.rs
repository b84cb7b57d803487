//! The same without `async`: `cargo run -p twoport-client --example blocking -- ftp://HOST/PATH`. Says what is known of a file, and its
//! hash where the server tells one.

use std::error::Error;

use twoport_client::blocking::Client;
use twoport_client::url::Url;
use twoport_client::{Options, deaf};

fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("blocking URL")?;
    println!("{}", run(&url)?);
    Ok(())
}

/// Gives the size and the hash.
pub(crate) fn run(url: &str) -> Result<String, Box<dyn Error>> {
    let url: Url = url.parse()?;
    let mut client = Client::to(&url, Options::default(), deaf())?;
    let entry = client.stat(&url.target())?;
    let hash = match client.hash(&url.target()) {
        Ok((algorithm, hash)) => format!("{algorithm} {hash}"),
        Err(twoport_client::Error::Refused { .. }) => "no hash".to_owned(),
        Err(e) => return Err(e.into()),
    };
    client.quit();
    Ok(format!("{} bytes, {hash}", entry.size))
}
