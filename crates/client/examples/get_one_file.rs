//! Fetches one file: `cargo run -p twoport-client --example get_one_file -- ftp://HOST/PATH FOLDER`. It is NAME.part until it is
//! whole, and a second run after one that was cut goes on where it was.

use std::error::Error;
use std::path::Path;

use twoport_client::local_name::{Begin, Download, LocalName};
use twoport_client::url::Url;
use twoport_client::{Client, Options, Progress, Sink, deaf};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [url, folder] = &words[..] else { return Err("get_one_file URL FOLDER".into()) };
    println!("{}", run(url, Path::new(folder)).await?);
    Ok(())
}

/// Gives a sentence of what was done.
pub(crate) async fn run(url: &str, folder: &Path) -> Result<String, Box<dyn Error>> {
    let url: Url = url.parse()?;
    let path = url.target();
    // A name from outside leads nowhere but into the folder.
    let name = LocalName::read(path.rsplit(|b| *b == b'/').next().unwrap_or_default())?;
    let download = Download::begin(folder, &name, Begin::Resume)?;

    let mut client = Client::to(&url, Options::default(), deaf()).await?;
    let mut sink = Sink::File { file: download.file(), at: download.from() };
    let moved = client.fetch(&path, download.from(), &mut sink, &Progress::default()).await?;
    if !moved.confirmed {
        return Err("all bytes came, and the server never said that this is all".into());
    }
    let modified = client.stat(&path).await?.modified;
    client.quit().await;

    let file = download.finish(modified)?;
    Ok(format!("{}: {} bytes by {}", file.display(), moved.bytes, moved.road.rung.name()))
}
