//! `Account`: a name, what proves it, what it may do, and which folder is its root. `Accounts`: all of a server's.

use std::collections::HashMap;
use std::path::PathBuf;

use twoport_proto::{FtpPath, Secret};
use twoport_session::{Grant, Rights};

/// What proves that somebody is who they say.
#[derive(Debug, Clone)]
pub enum Password {
    /// This secret.
    Plain(Secret),
    /// Anything: anonymous.
    Any,
}

/// An account of this server.
#[derive(Debug, Clone)]
pub struct Account {
    /// The name after USER.
    pub name: String,
    /// What proves it.
    pub password: Password,
    /// What it may do.
    pub rights: Rights,
    /// The folder of this machine that is its `/`.
    pub root: PathBuf,
}

impl Account {
    /// What a session is granted that logs in as this account.
    #[must_use]
    pub fn grant(&self) -> Grant {
        Grant { account: self.name.clone(), rights: self.rights, home: FtpPath::root() }
    }
}

/// Names by which anonymous logs in (RFC 1635 §2).
const ANONYMOUS: [&str; 2] = ["anonymous", "ftp"];

/// All accounts of a server, by name.
#[derive(Debug, Clone, Default)]
pub struct Accounts(HashMap<String, Account>);

impl Accounts {
    /// These accounts; of two with one name the later one stays.
    #[must_use]
    pub fn new(accounts: impl IntoIterator<Item = Account>) -> Self {
        Accounts(accounts.into_iter().map(|account| (account.name.clone(), account)).collect())
    }

    /// The anonymous account, reached by both of its names; its password is anything.
    #[must_use]
    pub fn anonymous(rights: Rights, root: PathBuf) -> Account {
        Account { name: ANONYMOUS[0].to_owned(), password: Password::Any, rights, root }
    }

    /// Every account.
    pub fn iter(&self) -> impl Iterator<Item = &Account> {
        self.0.values()
    }

    /// The account, if `secret` proves that it is `name`'s. A name that nobody has takes as long as a wrong password.
    #[must_use]
    pub fn check(&self, name: &[u8], secret: &Secret) -> Option<&Account> {
        let name = std::str::from_utf8(name).ok();
        let found = name.and_then(|name| {
            let guest = ANONYMOUS.iter().any(|guest| guest.eq_ignore_ascii_case(name));
            self.0.get(name).or_else(|| guest.then(|| self.0.get(ANONYMOUS[0])).flatten())
        });
        let proven = match found.map(|account| &account.password) {
            Some(Password::Any) => true,
            Some(Password::Plain(right)) => same(right.reveal(), secret.reveal()),
            // Compared all the same, so that the time tells nothing; `found` is none whatever comes of it.
            None => same(b"nobody", secret.reveal()),
        };
        found.filter(|_| proven)
    }
}

/// Compares without telling by its time where the first difference is.
fn same(right: &[u8], given: &[u8]) -> bool {
    let mut difference = right.len() ^ given.len();
    for (place, byte) in given.iter().enumerate() {
        difference |= usize::from(byte ^ right.get(place % right.len().max(1)).copied().unwrap_or(0));
    }
    difference == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts() -> Accounts {
        let anna = Account {
            name: "anna".into(),
            password: Password::Plain(Secret::new("secret")),
            rights: Rights::READ_WRITE,
            root: "/srv".into(),
        };
        Accounts::new([anna, Accounts::anonymous(Rights::READ_ONLY, "/pub".into())])
    }

    fn name(user: &str, password: &str) -> Option<String> {
        accounts().check(user.as_bytes(), &Secret::new(password)).map(|account| account.name.clone())
    }

    #[test]
    fn the_right_password_and_no_other_lets_in() {
        assert_eq!(name("anna", "secret").as_deref(), Some("anna"));
        for wrong in ["", "secre", "secrets", "secretsecret", "Secret"] {
            assert_eq!(name("anna", wrong), None, "{wrong}");
        }
        assert_eq!(name("nobody", "nobody"), None);
        assert_eq!(name("", ""), None);
    }

    #[test]
    fn anonymous_has_two_names_and_any_password() {
        assert_eq!(name("anonymous", "me@example.org").as_deref(), Some("anonymous"));
        assert_eq!(name("FTP", "").as_deref(), Some("anonymous"));
    }
}
