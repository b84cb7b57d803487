//! Carries out one file operation on a session's store.

use std::sync::Arc;

use twoport_proto::Failure;
use twoport_session::server::io::{FileAnswer, FileOp, ListOrder};
use twoport_store::{Links, Store};

use crate::listing::Lister;
use crate::transfer::noted;

/// Does it, and says how it went.
pub(crate) async fn carry_out(store: &Arc<dyn Store>, operation: FileOp) -> Result<FileAnswer, Failure> {
    let (path, done) = match operation {
        FileOp::Stat { path, link } => {
            let links = if link { Links::Show } else { Links::Follow };
            let entry = store.stat(&path, links).await.map_err(|e| noted(&path, &e))?;
            return Ok(FileAnswer::Entry(Box::new(entry)));
        }
        FileOp::Space(path) => {
            return store.space(&path).await.map(FileAnswer::Space).map_err(|e| noted(&path, &e));
        }
        FileOp::Lines(order, most) => return lines(store, order, most).await,
        FileOp::MakeDir(path) => (path.clone(), store.make_dir(&path).await),
        FileOp::RemoveDir(path) => (path.clone(), store.remove_dir(&path).await),
        FileOp::Remove(path) => (path.clone(), store.remove(&path).await),
        FileOp::Rename(from, to) => (to.clone(), store.rename(&from, &to).await),
        FileOp::Change(path, change) => (path.clone(), store.change(&path, change).await),
        FileOp::Symlink(target, path) => (path.clone(), store.symlink(&target, &path).await),
    };
    done.map(|()| FileAnswer::Done).map_err(|e| noted(&path, &e))
}

/// A listing of at most `most` lines, and whether there would be more.
async fn lines(store: &Arc<dyn Store>, order: ListOrder, most: usize) -> Result<FileAnswer, Failure> {
    let mut lister = Lister::open(Arc::clone(store), order).await?;
    let (mut text, mut count) = (Vec::new(), 0);
    while count <= most {
        let before = text.len();
        lister.more(&mut text).await?;
        if text.len() == before {
            break;
        }
        count += text[before..].iter().filter(|b| **b == b'\n').count();
    }
    let mut lines: Vec<Vec<u8>> =
        text.split(|b| *b == b'\n').map(|line| line.trim_ascii_end().to_vec()).collect();
    // What follows the last line end is nothing.
    lines.pop();
    let more = lines.len() > most;
    lines.truncate(most);
    Ok(FileAnswer::Lines(lines, more))
}
