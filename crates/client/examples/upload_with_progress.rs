//! Carries a file up and tells how far it is: `cargo run -p twoport-client --example upload_with_progress -- FILE ftp://HOST/PATH`.
//! A session that is cut is followed by another, and the file goes on where it was.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use twoport_client::url::Url;
use twoport_client::{Journey, Options, Progress, Upload, deaf};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [file, url] = &words[..] else { return Err("upload_with_progress FILE URL".into()) };
    println!("{}", run(Path::new(file), url, |percent| eprintln!("{percent} %")).await?);
    Ok(())
}

/// Gives a sentence of what was done; `tell` hears now and then how many of a hundred parts are over.
pub(crate) async fn run(file: &Path, url: &str, tell: impl Fn(u64)) -> Result<String, Box<dyn Error>> {
    let url: Url = url.parse()?;
    let upload = Upload::open(file, &url.target())?;
    let mut journey = Journey::to(&url, Options::default(), deaf())?;

    // A count that anybody may look at, at any time: nobody who looks on can hold the bytes up.
    let progress = Progress::default();
    let look_on = async {
        loop {
            tell(progress.moved() * 100 / upload.size.max(1));
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let uploaded = tokio::select! {
        uploaded = journey.upload(&upload, &progress) => uploaded?,
        () = look_on => return Err("it never ends".into()),
    };
    journey.end().await;
    tell(100);
    Ok(format!("{} bytes, as told by the server's {:?}", uploaded.moved.bytes, uploaded.word))
}
