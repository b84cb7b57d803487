//! Patterns in LIST and NLST: `*.txt`, `20??/*/report`. Part by part, with a budget: a pattern over a huge tree must not
//! hold a session for ever, and there are no braces (CVE-2011-0418).

use std::sync::Arc;

use twoport_proto::glob::Glob;
use twoport_proto::{Entry, Failure, FtpPath, Kind};
use twoport_store::{Links, Order, Store};

use crate::listing::BATCH;

/// Entries that one pattern may look at.
const BUDGET: usize = 200_000;

/// Everything that `asked` means, seen from `folder`; entries carry the name that the pattern would have spelled.
///
/// # Errors
/// `NotFound` when nothing matches.
pub(crate) async fn expand(
    store: &Arc<dyn Store>,
    folder: &FtpPath,
    asked: &[u8],
) -> Result<Vec<Entry>, Failure> {
    let absolute = asked.starts_with(b"/");
    let start = if absolute { FtpPath::root() } else { folder.clone() };
    let mut places = vec![(start, if absolute { b"/".to_vec() } else { Vec::new() })];
    let mut found = Vec::new();
    let mut budget = BUDGET;
    let parts: Vec<&[u8]> = asked.split(|b| *b == b'/').filter(|part| !part.is_empty()).collect();
    for (number, part) in parts.iter().enumerate() {
        let last = number + 1 == parts.len();
        let mut next = Vec::new();
        for (path, shown) in &places {
            let entries = if Glob::is_pattern(part) {
                matching(store, path, &Glob::read(part), &mut budget).await
            } else {
                let place = path.join(part).map_err(|_| Failure::BadName)?;
                let entry = store.stat(&place, Links::Show).await.ok();
                entry.map(|entry| Entry { name: part.to_vec(), ..entry }).into_iter().collect()
            };
            for entry in entries {
                let name = [&shown[..], &entry.name].concat();
                if last {
                    found.push(Entry { name, ..entry });
                } else if entry.kind != Kind::File {
                    next.push((
                        path.join(&entry.name).map_err(|_| Failure::BadName)?,
                        [&name[..], b"/"].concat(),
                    ));
                }
            }
        }
        places = next;
    }
    if found.is_empty() { Err(Failure::NotFound) } else { Ok(found) }
}

/// The entries of one folder that a pattern matches; none where it cannot be read.
async fn matching(store: &Arc<dyn Store>, path: &FtpPath, pattern: &Glob, budget: &mut usize) -> Vec<Entry> {
    let mut matching = Vec::new();
    let Ok(mut folder) = store.list(path, Order::ByName).await else { return matching };
    while let Ok(entries) = folder.next(BATCH).await
        && !entries.is_empty()
        && *budget > 0
    {
        *budget = budget.saturating_sub(entries.len());
        matching.extend(entries.into_iter().filter(|entry| pattern.matches(&entry.name)));
    }
    matching
}
