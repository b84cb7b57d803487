//! Lists a folder: `cargo run -p twoport-client --example list_a_folder -- ftp://HOST/PATH/`. Every step that the client takes to
//! get through is told on stderr.

use std::error::Error;

use twoport_client::url::Url;
use twoport_client::{Client, Kind, Notice, Options};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("list_a_folder URL")?;
    print!("{}", run(&url).await?);
    Ok(())
}

/// Gives a line for each entry: size, or what it is; name.
pub(crate) async fn run(url: &str) -> Result<String, Box<dyn Error>> {
    let url: Url = url.parse()?;
    let tell = Box::new(|notice| {
        if let Notice::Stepped(why) = notice {
            eprintln!("{why}");
        }
    });
    let mut client = Client::to(&url, Options::default(), tell).await?;
    let entries = client.list(&url.target(), twoport_client::now()).await?;
    client.quit().await;
    let line = |entry: &twoport_client::Entry| {
        let what = match entry.kind {
            Kind::File => entry.size.to_string(),
            Kind::Directory => "folder".to_owned(),
            Kind::Link | Kind::Other => "other".to_owned(),
        };
        format!("{what:>12} {}\n", String::from_utf8_lossy(&entry.name))
    };
    Ok(entries.iter().map(line).collect())
}
