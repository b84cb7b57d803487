//! `Lister`: a listing piece by piece, so that the first lines leave before the last name is read and memory stays flat.
//! It asks the store for entries and writes them in the form that was ordered; patterns are followed in `pattern`.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use twoport_pipe::{Boxed, Source};
use twoport_proto::glob::Glob;
use twoport_proto::listing::{mlsx, unix};
use twoport_proto::{Entry, Failure, FtpPath, Moment};
use twoport_session::server::io::{ListForm, ListOrder};
use twoport_store::{Folder, Links, Order, Store};

use crate::pattern;

/// Entries that are asked of the store at once: few enough for a first line soon, many enough to be worth the way.
pub(crate) const BATCH: usize = 1000;

/// A listing under way.
pub(crate) struct Lister {
    store: Arc<dyn Store>,
    order: ListOrder,
    now: Moment,
    /// Entries that are known already, to be written first.
    known: VecDeque<Entry>,
    open: Option<Open>,
    todo: Vec<Below>,
}

/// The folder that is being listed.
struct Open {
    path: FtpPath,
    /// What stands before each name with NLST, and in the headings below it: empty or ending in a slash.
    prefix: Vec<u8>,
    folder: Box<dyn Folder>,
    /// Whether its entries may be removed and renamed, as far as the folder goes.
    writable: bool,
    below: Vec<Below>,
}

/// A folder whose turn comes with `-R`.
struct Below {
    path: FtpPath,
    prefix: Vec<u8>,
}

impl Lister {
    /// Looks at what is to be listed and opens it.
    ///
    /// # Errors
    /// When there is nothing of that name, or it may not be seen.
    pub(crate) async fn open(store: Arc<dyn Store>, order: ListOrder) -> Result<Lister, Failure> {
        let asked = order.asked.clone().unwrap_or_default();
        let path = order.folder.join(&asked).map_err(|_| Failure::BadName)?;
        let facts = matches!(order.form, ListForm::Facts(_));
        let mut lister =
            Lister { store, order, now: now(), known: VecDeque::new(), open: None, todo: Vec::new() };
        match lister.store.stat(&path, Links::Follow).await {
            Ok(entry) if entry.is_directory() => {
                let prefix = if asked.is_empty() || asked.ends_with(b"/") {
                    asked
                } else {
                    [&asked[..], b"/"].concat()
                };
                lister.enter(Below { path, prefix }).await?;
            }
            Ok(_) if facts => return Err(Failure::NotDirectory),
            Err(e) if e.failure == Failure::NotFound && !facts && Glob::is_pattern(&asked) => {
                lister.known = pattern::expand(&lister.store, &lister.order.folder, &asked).await?.into();
            }
            found => {
                // The thing itself, a link as a link; one that points nowhere is there all the same.
                match lister.store.stat(&path, Links::Show).await {
                    Ok(mut entry) if !facts => {
                        entry.name = asked;
                        lister.known.push_back(entry);
                    }
                    _ => return Err(found.err().map_or(Failure::NotDirectory, |e| e.failure)),
                }
            }
        }
        Ok(lister)
    }

    /// Appends the next piece; nothing appended means the end.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn more(&mut self, into: &mut Vec<u8>) -> Result<(), Failure> {
        let before = into.len();
        while into.len() == before {
            if !self.known.is_empty() {
                for entry in std::mem::take(&mut self.known) {
                    self.write(&entry, b"", true, into);
                }
            } else if let Some(mut open) = self.open.take() {
                let entries = open.folder.next(BATCH).await.map_err(|e| e.failure)?;
                if entries.is_empty() {
                    self.todo.extend(open.below.into_iter().rev());
                    continue;
                }
                for entry in &entries {
                    self.list(entry, &mut open, into);
                }
                self.open = Some(open);
            } else if let Some(below) = self.todo.pop() {
                self.heading(&below.prefix, into);
                // A folder that vanished or is closed to us is passed over: the rest is worth having.
                let _ = self.enter(below).await;
            } else {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Opens a folder; `ls -a` shows it and its parent too.
    async fn enter(&mut self, Below { path, prefix }: Below) -> Result<(), Failure> {
        // Machines sort for themselves.
        let order = if matches!(self.order.form, ListForm::Facts(_)) { Order::Any } else { Order::ByName };
        let folder = self.store.list(&path, order).await.map_err(|e| e.failure)?;
        let own = match self.order.form {
            ListForm::Names => None,
            ListForm::Long | ListForm::Facts(_) => self.store.stat(&path, Links::Follow).await.ok(),
        };
        if self.order.all && self.order.form == ListForm::Long {
            let parent = self.store.stat(&path.parent(), Links::Follow).await.ok();
            for (entry, name) in [(own.clone(), "."), (parent, "..")] {
                self.known.extend(entry.map(|entry| Entry { name: name.into(), ..entry }));
            }
        }
        let writable = own.is_some_and(|own| own.access.write);
        self.open = Some(Open { path, prefix, folder, writable, below: Vec::new() });
        Ok(())
    }

    fn list(&self, entry: &Entry, open: &mut Open, into: &mut Vec<u8>) {
        if entry.name.starts_with(b".") && !self.order.all {
            return;
        }
        if self.order.recursive && entry.is_directory() {
            let prefix = [&open.prefix[..], &entry.name, b"/"].concat();
            open.below.push(Below { path: open.path.child(&entry.name), prefix });
        }
        self.write(entry, &open.prefix, open.writable, into);
    }

    fn write(&self, entry: &Entry, prefix: &[u8], writable: bool, into: &mut Vec<u8>) {
        match self.order.form {
            ListForm::Long => unix::write_line(entry, self.now, into),
            ListForm::Facts(facts) => {
                let perm = mlsx::perm_letters(entry, self.order.rights.may(writable));
                mlsx::write_line(entry, facts, mlsx::MlsKind::Own, perm.as_bytes(), into);
            }
            // A name that would break the lines could not be asked for either.
            ListForm::Names if entry.name.iter().any(|b| matches!(b, b'\r' | b'\n')) => {}
            ListForm::Names => {
                into.extend_from_slice(prefix);
                into.extend_from_slice(&entry.name);
                into.extend_from_slice(b"\r\n");
            }
        }
    }

    /// The heading of a folder below, as `ls -lR` has it; names say where they are by themselves.
    fn heading(&self, prefix: &[u8], into: &mut Vec<u8>) {
        if self.order.form == ListForm::Long {
            into.extend_from_slice(b"\r\n");
            into.extend_from_slice(prefix.strip_suffix(b"/").unwrap_or(prefix));
            into.extend_from_slice(b":\r\n");
        }
    }
}

impl Source for Lister {
    fn fill<'a>(&'a mut self, into: &'a mut Vec<u8>) -> Boxed<'a, ()> {
        Box::pin(async move { self.more(into).await.map_err(io::Error::other) })
    }
}

fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment::from_seconds(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
