//! The server's clock. LIST shows the server's own time and does not say which; MDTM says UTC. Asked about one file, the two
//! tell how far the clock is ahead, and with that the whole listing is UTC.

use twoport_proto::listing::{shift, zone_offset};
use twoport_proto::{Entry, Kind};

use super::Client;
use crate::error::Error;
use crate::mirror::join;

/// What is known of it.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// By how many seconds it is ahead of UTC.
    ahead: Option<i64>,
    asked: u32,
}

/// Files whose time is asked for, at most, in one session: some have changed meanwhile, and some servers do not tell.
const ASKED: u32 = 3;

const DAY: i64 = 86_400;

impl Client {
    /// Brings the times of a listing of `folder` to UTC, where it is one by LIST and the server tells the time of a file of it
    /// by MDTM as well; where it does not, they stay the server's own. MLSD's are UTC already. A time that is a day without
    /// an hour stays that day.
    ///
    /// # Errors
    /// When the connection broke; a server that tells nothing is no error.
    pub async fn settle_times(&mut self, folder: &[u8], entries: &mut [Entry]) -> Result<(), Error> {
        // `list` forgets MLST when it had to do with LIST.
        if self.features().has("MLST") {
            return Ok(());
        }
        let is_timed = |entry: &&mut Entry| entry.modified.is_some_and(|at| at.seconds % DAY != 0);
        for entry in entries.iter_mut().filter(is_timed).filter(|entry| entry.kind == Kind::File) {
            if self.clock.ahead.is_some() || self.clock.asked >= ASKED {
                break;
            }
            self.clock.asked += 1;
            let Some(listed) = entry.modified else { continue };
            match self.modified(&join(folder, &entry.name)).await {
                Ok(told) => {
                    let ahead = told.and_then(|told| zone_offset(listed, told, listed.seconds % 60 == 0));
                    self.clock.ahead = ahead;
                }
                Err(Error::Refused { .. } | Error::BadArgument(_)) => {}
                Err(e) => return Err(e),
            }
        }
        if let Some(ahead) = self.clock.ahead {
            entries.iter_mut().filter(is_timed).for_each(|entry| shift(entry, -ahead));
        }
        Ok(())
    }
}
