//! The law: one row per verb. May a stranger say it? which right does it ask? what does it do to the data plan? does it
//! pass over a transfer? which codes may answer? A `match` over `Verb`: a verb without a row does not compile.

use twoport_proto::Verb;

use crate::rights::Right;

/// Who may say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Anybody, logged in or not.
    Anybody,
    /// Whoever is logged in.
    Member,
    /// Whoever is logged in and has this right.
    With(Right),
}

/// What it does to the data plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// Nothing.
    Leaves,
    /// Makes one; the one before is forgotten.
    Makes,
    /// Uses it up, whatever comes of it.
    Spends,
    /// Forgets it.
    Drops,
}

/// What happens when it comes during a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum During {
    /// It waits for its turn.
    Waits,
    /// It is heard at once.
    Jumps,
}

/// A row of the law.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Law {
    /// Who may say it.
    pub who: Who,
    /// What it does to the data plan.
    pub plan: Plan,
    /// What happens when it comes during a transfer.
    pub during: During,
    /// The codes that may answer besides [`COMMON`].
    pub codes: &'static [u16],
}

/// What may answer any verb: closing, syntax, not implemented, out of order, wrong parameter, not logged in.
pub const COMMON: &[u16] = &[421, 500, 501, 502, 503, 504, 530];

const FETCH: &[u16] = &[125, 150, 226, 250, 425, 426, 450, 451, 521, 522, 550, 554];
const KEEP: &[u16] = &[125, 150, 226, 250, 425, 426, 450, 451, 452, 521, 522, 550, 552, 553, 554];
const SHOW: &[u16] = &[125, 150, 226, 250, 425, 426, 450, 451, 521, 522, 550];
const ALTER: &[u16] = &[200, 213, 250, 257, 450, 451, 452, 550, 552, 553];

/// The row of `verb`.
#[must_use]
pub fn law(verb: Verb) -> Law {
    use Right::{Change, Delete, Look, Make, Read, Rename, Store};
    use Verb as V;
    let row = |who, codes| Law { who, plan: Plan::Leaves, during: During::Waits, codes };
    match verb {
        V::User => row(Who::Anybody, &[232, 331]),
        V::Pass => row(Who::Anybody, &[230]),
        V::Acct => row(Who::Anybody, &[202]),
        V::Host => row(Who::Anybody, &[220]),
        V::Rein => Law { plan: Plan::Drops, ..row(Who::Anybody, &[220]) },
        V::Quit => row(Who::Anybody, &[221]),
        V::Feat => row(Who::Anybody, &[211]),
        V::Opts => row(Who::Anybody, &[200, 451]),
        V::Lang | V::Clnt | V::Csid | V::Noop => row(Who::Anybody, &[200]),
        V::Help => row(Who::Anybody, &[214]),
        V::Syst => row(Who::Anybody, &[215]),
        V::Auth => Law { plan: Plan::Drops, ..row(Who::Anybody, &[234]) },
        V::Pbsz => row(Who::Anybody, &[200]),
        V::Prot => row(Who::Anybody, &[200, 534, 536]),
        V::Ccc => row(Who::Anybody, &[200, 533]),
        V::Smnt => row(Who::Anybody, &[]),
        V::Stat => Law { during: During::Jumps, ..row(Who::Anybody, &[211, 212, 213, 450, 451, 550]) },
        V::Abor => Law { plan: Plan::Drops, during: During::Jumps, ..row(Who::Anybody, &[225, 226]) },
        V::Cwd | V::Cdup => row(Who::Member, &[250, 450, 451, 550]),
        V::Pwd => row(Who::Member, &[257]),
        V::Type | V::Stru | V::Mode => row(Who::Member, &[200]),
        V::Rest | V::Rang => row(Who::Member, &[350]),
        V::Port => Law { plan: Plan::Makes, ..row(Who::Member, &[200]) },
        V::Eprt => Law { plan: Plan::Makes, ..row(Who::Member, &[200, 522]) },
        V::Pasv => Law { plan: Plan::Makes, ..row(Who::Member, &[227, 425]) },
        V::Epsv => Law { plan: Plan::Makes, ..row(Who::Member, &[200, 229, 425, 522]) },
        V::Retr => Law { plan: Plan::Spends, ..row(Who::With(Read), FETCH) },
        V::Stor | V::Stou | V::Appe => Law { plan: Plan::Spends, ..row(Who::With(Store), KEEP) },
        V::List | V::Nlst | V::Mlsd => Law { plan: Plan::Spends, ..row(Who::With(Look), SHOW) },
        V::Mlst => row(Who::With(Look), &[250, 450, 451, 550]),
        V::Size | V::Mdtm => row(Who::With(Look), &[213, 450, 451, 550]),
        V::Hash => row(Who::With(Read), &[213, 450, 451, 550, 554]),
        V::Xcrc | V::Xmd5 | V::Xsha1 | V::Xsha256 | V::Xsha512 => {
            row(Who::With(Read), &[250, 450, 451, 550, 554])
        }
        V::Allo => row(Who::With(Store), &[200, 450, 451, 452, 550]),
        V::Avbl => row(Who::With(Store), &[213, 450, 451, 550]),
        V::Rnfr => row(Who::With(Rename), &[350, 450, 451, 550]),
        V::Rnto => row(Who::With(Rename), ALTER),
        V::Dele | V::Rmd => row(Who::With(Delete), ALTER),
        V::Mkd => row(Who::With(Make), ALTER),
        V::Mfmt | V::Mfct | V::Mff => row(Who::With(Change), ALTER),
        // What follows SITE asks for its own right.
        V::Site => row(Who::Member, &[200, 211, 214, 450, 451, 452, 550, 552, 553]),
    }
}

/// Whether `code` may answer `verb`.
#[must_use]
pub fn may_answer(verb: Verb, code: u16) -> bool {
    law(verb).codes.contains(&code) || COMMON.contains(&code)
}

/// Words of other protocols. Whoever says one before the login is a browser or a mail program that was led here (ALPACA, and
/// forms that post to port 21): the session ends before more of it is taken for commands.
const FOREIGN: &[&[u8]] = &[
    b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH", b"PRI", b"EHLO",
    b"HELO", b"LHLO", b"MAIL", b"RCPT", b"DATA", b"BDAT",
];

/// Whether a word is another protocol's.
#[must_use]
pub fn is_foreign(word: &[u8]) -> bool {
    FOREIGN.iter().any(|foreign| foreign.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use twoport_proto::verb::TABLE;

    use super::*;

    #[test]
    fn whatever_can_fail_with_files_may_say_550() {
        for row in TABLE {
            let law = law(row.verb);
            if matches!(law.who, Who::With(_)) {
                assert!(law.codes.contains(&550), "{}", row.name);
            }
            assert!(law.plan != Plan::Spends || law.codes.contains(&425), "{}", row.name);
        }
    }

    #[test]
    fn the_whole_law() {
        let mut table = String::new();
        for row in TABLE {
            let Law { who, plan, during, codes } = law(row.verb);
            let codes: Vec<String> = codes.iter().map(u16::to_string).collect();
            table.push_str(&format!(
                "{:<8}{:<18}{:<8}{:<7}{}\n",
                row.name,
                format!("{who:?}"),
                format!("{plan:?}"),
                format!("{during:?}"),
                codes.join(" ")
            ));
        }
        insta::assert_snapshot!(table);
    }
}
