//! `Account`: a name, what proves it, what it may do, and which folder is its root. `Accounts`: all of a server's.

use std::collections::HashMap;
use std::path::PathBuf;

use twoport_proto::{FtpPath, Secret};
use twoport_session::rights::Needs;
use twoport_session::{Grant, Rights};

/// What proves that somebody is who they say.
#[derive(Debug, Clone)]
pub enum Password {
    /// This secret.
    Plain(Secret),
    /// Anything: anonymous.
    Any,
    /// Nothing that can be said: a certificate must do.
    None,
}

/// A certificate of which an account's owner has the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Certificate {
    /// This one, by its SHA-256, whoever has signed it.
    Fingerprint([u8; 32]),
    /// Any that is signed by an authority whose word is taken, and names this: as common name, host or mail address.
    Name(String),
}

/// A certificate as a client has shown it, once TLS has proved that it has the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its SHA-256.
    pub fingerprint: [u8; 32],
    /// The names in it; none unless an authority whose word is taken has signed it.
    pub names: Vec<String>,
}

impl Certificate {
    fn is(&self, shown: &Shown) -> bool {
        match self {
            Certificate::Fingerprint(fingerprint) => *fingerprint == shown.fingerprint,
            Certificate::Name(name) => shown.names.iter().any(|other| other.eq_ignore_ascii_case(name)),
        }
    }
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
    /// What it needs of TLS, whatever its listener says.
    pub needs: Needs,
    /// One of these must be shown, if there are any: in place of a password where there is none, else besides it.
    pub certificates: Vec<Certificate>,
}

impl Account {
    /// Whether one of its certificates was shown.
    fn is_shown(&self, shown: Option<&Shown>) -> bool {
        shown.is_some_and(|shown| self.certificates.iter().any(|certificate| certificate.is(shown)))
    }

    /// What a session is granted that logs in as this account.
    #[must_use]
    pub fn grant(&self) -> Grant {
        Grant { account: self.name.clone(), rights: self.rights, home: FtpPath::root(), needs: self.needs }
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
        let (needs, certificates) = (Needs::default(), Vec::new());
        Account { name: ANONYMOUS[0].to_owned(), password: Password::Any, rights, root, needs, certificates }
    }

    /// Every account.
    pub fn iter(&self) -> impl Iterator<Item = &Account> {
        self.0.values()
    }

    /// The account, if the certificate alone proves that it is `name`'s.
    #[must_use]
    pub fn recognize(&self, name: &[u8], shown: &Shown) -> Option<&Account> {
        let account = self.find(name)?;
        let alone = matches!(account.password, Password::None);
        (alone && account.is_shown(Some(shown))).then_some(account)
    }

    fn find(&self, name: &[u8]) -> Option<&Account> {
        let name = std::str::from_utf8(name).ok()?;
        let guest = ANONYMOUS.iter().any(|guest| guest.eq_ignore_ascii_case(name));
        self.0.get(name).or_else(|| guest.then(|| self.0.get(ANONYMOUS[0])).flatten())
    }

    /// The account, if `secret` proves that it is `name`'s, and the certificate too where it wants one. A name that nobody
    /// has takes as long as a wrong password.
    #[must_use]
    pub fn check(&self, name: &[u8], secret: &Secret, shown: Option<&Shown>) -> Option<&Account> {
        let found = self.find(name);
        let proven = match found.map(|account| &account.password) {
            Some(Password::Any) => true,
            Some(Password::Plain(right)) => same(right.reveal(), secret.reveal()),
            // Compared all the same, so that the time tells nothing; `found` is none whatever comes of it.
            None | Some(Password::None) => {
                same(b"nobody", secret.reveal());
                false
            }
        };
        found.filter(|account| proven && (account.certificates.is_empty() || account.is_shown(shown)))
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
            needs: Needs::default(),
            certificates: Vec::new(),
        };
        Accounts::new([anna, Accounts::anonymous(Rights::READ_ONLY, "/pub".into())])
    }

    fn name(user: &str, password: &str) -> Option<String> {
        accounts().check(user.as_bytes(), &Secret::new(password), None).map(|account| account.name.clone())
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
    fn a_certificate_does_in_place_of_a_password_or_besides_it() {
        let named = Certificate::Name("anna@example.org".into());
        let account = |name: &str, password| Account {
            name: name.into(),
            password,
            certificates: vec![Certificate::Fingerprint([7; 32]), named.clone()],
            ..Accounts::anonymous(Rights::READ_ONLY, "/srv".into())
        };
        let plain = Password::Plain(Secret::new("secret"));
        let accounts = Accounts::new([account("key", Password::None), account("both", plain)]);
        let by_print = Shown { fingerprint: [7; 32], names: Vec::new() };
        let by_name = Shown { fingerprint: [8; 32], names: vec!["Anna@example.org".into()] };
        let other = Shown { fingerprint: [9; 32], names: vec!["rob@example.org".into()] };
        for shown in [&by_print, &by_name] {
            assert!(accounts.recognize(b"key", shown).is_some());
            assert!(accounts.recognize(b"both", shown).is_none(), "its password is wanted too");
            assert!(accounts.recognize(b"nobody", shown).is_none());
            assert!(accounts.check(b"both", &Secret::new("secret"), Some(shown)).is_some());
            assert!(accounts.check(b"both", &Secret::new("wrong"), Some(shown)).is_none());
        }
        assert!(accounts.recognize(b"key", &other).is_none());
        for secret in ["", "secret", "nobody"] {
            assert!(accounts.check(b"both", &Secret::new(secret), Some(&other)).is_none());
            assert!(accounts.check(b"both", &Secret::new(secret), None).is_none());
            assert!(accounts.check(b"key", &Secret::new(secret), Some(&by_print)).is_none());
        }
    }

    #[test]
    fn anonymous_has_two_names_and_any_password() {
        assert_eq!(name("anonymous", "me@example.org").as_deref(), Some("anonymous"));
        assert_eq!(name("FTP", "").as_deref(), Some("anonymous"));
    }
}
