//! All situations, a file for each kind.

mod active;
mod data;
mod helpers;
mod login;
mod passive;
mod told;

use crate::Situation;
use crate::situation::{ClientPlace, NO, PLAIN, Peer, YES};

/// All of them, in the order in which they are shown.
#[must_use]
pub fn situations() -> Vec<Situation> {
    [login::ALL, told::ALL, passive::ALL, helpers::ALL, active::ALL, data::ALL].concat()
}

/// A public client, for faults that only passive data connections see: active mode works there.
const PUBLIC: Situation = Situation { modes: [NO, NO, YES, YES], client: ClientPlace::Public, ..PLAIN };

/// A server behind NAT that tells the address of its router.
const TELLS: Peer = Peer::Ours(&["--passive-address", "198.51.100.2"]);

#[cfg(test)]
mod tests {
    use twoport_doctor::causes::{Cause, Side};

    use super::*;

    #[test]
    fn every_name_is_there_once_and_every_row_is_complete() {
        let all = situations();
        for situation in &all {
            let slug = situation.slug;
            assert_eq!(all.iter().filter(|other| other.slug == slug).count(), 1, "{slug}");
            assert!(!situation.sentence.is_empty() && !situation.sentence.ends_with('.'), "{slug}");
            // Where nothing is wrong nobody has to change anything; the other way round there may be a cause.
            assert!(situation.cause != Cause::Healthy || situation.side == Side::None, "{slug}");
        }
    }

    #[test]
    fn all_of_them_are_as_they_are_listed() {
        let listed = |one: &Situation| {
            let came = crate::Mode::ALL.iter().zip(one.modes);
            let came: Vec<String> = came.map(|(mode, came)| format!("{} {came}", mode.name())).collect();
            format!("{one}\n    {}\n", came.join(", "))
        };
        insta::assert_snapshot!("situations", situations().iter().map(listed).collect::<String>());
    }

    /// The failures of the field's taxonomy that can be made to happen on one machine.
    #[test]
    fn every_failure_is_shown_by_some_situation() {
        let shown: Vec<&str> = situations().iter().flat_map(|one| one.shows.split(' ')).collect();
        let passive = [1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 21, 22, 23];
        let active = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14];
        let data = [1, 3, 4, 5, 6, 7, 8, 9, 10, 16, 17, 20];
        for (kind, numbers) in [("P", &passive[..]), ("A", &active), ("D", &data)] {
            for number in numbers {
                assert!(shown.contains(&&*format!("{kind}{number}")), "{kind}{number} is shown by none");
            }
        }
    }
}
