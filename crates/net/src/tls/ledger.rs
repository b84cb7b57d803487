//! `Ledger`: whose TLS session a ticket belongs to, so that a data connection can be tied to its login. A ticket that we
//! give is a random key into this table and nothing else: it works in TLS 1.2 (session identifier and RFC 5077) and in TLS
//! 1.3 alike, may be used many times, and dies with the control connections that it belongs to.
//!
//! ```text
//!   control connection ─ member ┐
//!   control connection ─ member ┴─ circle ── keys ── session secrets
//!   (the second has resumed the first one's session: they are one circle)
//! ```

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::server::{ProducesTickets, StoresServerSessions};

use super::provider;

/// The table of one server; it outlives a change of certificates.
#[derive(Default)]
pub struct Ledger {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    sessions: HashMap<Vec<u8>, Kept>,
    circles: HashMap<u64, Circle>,
    members: HashMap<u64, Membership>,
    last: u64,
}

struct Kept {
    circle: u64,
    secret: Vec<u8>,
}

#[derive(Default)]
struct Circle {
    members: usize,
    /// Keys from handshakes on control connections: some clients show their first ticket for as long as they live.
    first: VecDeque<Vec<u8>>,
    /// Keys from data connections.
    later: VecDeque<Vec<u8>>,
}

struct Membership {
    circle: u64,
    login: Option<String>,
}

/// Keys of each kind that a circle keeps; the oldest go first.
const KEYS: usize = 64;

impl Ledger {
    /// A new control connection, of nobody yet.
    #[must_use]
    pub fn enter(self: &Arc<Self>) -> Member {
        let mut inner = self.lock();
        inner.last += 1;
        let id = inner.last;
        inner.circles.insert(id, Circle { members: 1, ..Circle::default() });
        inner.members.insert(id, Membership { circle: id, login: None });
        Member { ledger: Arc::clone(self), id }
    }

    /// Sessions that could be resumed now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().sessions.len()
    }

    /// Whether nothing could be resumed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// It holds secrets.
impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ledger({})", self.len())
    }
}

impl Inner {
    fn leave(&mut self, member: u64) {
        let Some(Membership { circle, .. }) = self.members.remove(&member) else { return };
        self.drop_one(circle);
    }

    fn drop_one(&mut self, circle: u64) {
        let Some(held) = self.circles.get_mut(&circle) else { return };
        held.members -= 1;
        if held.members == 0
            && let Some(Circle { first, later, .. }) = self.circles.remove(&circle)
        {
            for key in first.into_iter().chain(later) {
                self.sessions.remove(&key);
            }
        }
    }

    /// The member's control connection has resumed a session of this circle: from now on it is of it.
    fn join(&mut self, member: u64, circle: u64) {
        let Some(membership) = self.members.get_mut(&member) else { return };
        let before = std::mem::replace(&mut membership.circle, circle);
        if before != circle
            && let Some(joined) = self.circles.get_mut(&circle)
        {
            joined.members += 1;
            self.drop_one(before);
        }
    }

    /// Whether a session of `circle` is of the member's login: its own, or that of another control connection of the same
    /// login.
    fn owns(&self, member: u64, circle: u64) -> bool {
        let Some(own) = self.members.get(&member) else { return false };
        let same =
            |other: &Membership| other.circle == circle && other.login.is_some() && other.login == own.login;
        own.circle == circle || self.members.values().any(same)
    }

    fn put(&mut self, member: u64, control: bool, key: Vec<u8>, secret: Vec<u8>) -> bool {
        let Some(circle) = self.members.get(&member).map(|membership| membership.circle) else {
            return false;
        };
        let Some(held) = self.circles.get_mut(&circle) else { return false };
        let keys = if control { &mut held.first } else { &mut held.later };
        keys.push_back(key.clone());
        let old = if keys.len() > KEYS { keys.pop_front() } else { None };
        if let Some(old) = old {
            self.sessions.remove(&old);
        }
        self.sessions.insert(key, Kept { circle, secret });
        true
    }
}

/// A control connection in the ledger; its sessions go with the last member of its circle.
#[derive(Debug)]
pub struct Member {
    ledger: Arc<Ledger>,
    id: u64,
}

impl Member {
    /// Who is logged in on it now: any text that is the same for those who may use each other's sessions.
    pub fn log_in(&self, login: &str) {
        if let Some(membership) = self.ledger.lock().members.get_mut(&self.id) {
            membership.login = Some(login.to_owned());
        }
    }

    /// Nobody is logged in on it any more.
    pub fn log_out(&self) {
        if let Some(membership) = self.ledger.lock().members.get_mut(&self.id) {
            membership.login = None;
        }
    }

    /// What a connection of this member reads and writes the ledger through: the control connection itself, or one of its
    /// data connections.
    pub(super) fn book(&self, control: bool) -> Arc<Book> {
        Arc::new(Book { ledger: Arc::clone(&self.ledger), member: self.id, control, used: Mutex::new(None) })
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.ledger.lock().leave(self.id);
    }
}

/// The ledger as one connection sees it. What it stores is its member's; whose session it looked up, it remembers.
pub(super) struct Book {
    ledger: Arc<Ledger>,
    member: u64,
    control: bool,
    used: Mutex<Option<bool>>,
}

impl Book {
    /// Whether the session that was looked up last was this login's. It is the moment that counts: before the handshake has
    /// ended, a sibling may be gone.
    pub(super) fn used_own(&self) -> Option<bool> {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self, key: &[u8]) -> Option<Vec<u8>> {
        let mut inner = self.ledger.lock();
        let Kept { circle, secret } = inner.sessions.get(key)?;
        let (circle, secret) = (*circle, secret.clone());
        // Somebody who shows a key without its secret fails in the handshake, and then this member ends with it.
        if self.control {
            inner.join(self.member, circle);
        }
        let own = inner.owns(self.member, circle);
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Some(own);
        Some(secret)
    }

    fn keep(&self, key: Vec<u8>, secret: Vec<u8>) -> bool {
        self.ledger.lock().put(self.member, self.control, key, secret)
    }
}

impl fmt::Debug for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Book({})", self.member)
    }
}

impl StoresServerSessions for Book {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.keep(key, value)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.look(key)
    }

    /// Not taken: lftp and Python's ftplib show one ticket for every transfer. Early data, for which using one twice would
    /// be harmful, is never accepted.
    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.look(key)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

impl ProducesTickets for Book {
    fn enabled(&self) -> bool {
        true
    }

    /// The longest that RFC 8446 §4.6.1 allows: a ticket ends with its control connection.
    fn lifetime(&self) -> u32 {
        604_800
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let mut key = vec![0; 32];
        provider().secure_random.fill(&mut key).ok()?;
        self.keep(key.clone(), plain.to_vec()).then_some(key)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        self.look(ticket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_known_by_its_login_and_goes_with_it() {
        let ledger = Arc::new(Ledger::default());
        let (anna, rob, sibling) = (ledger.enter(), ledger.enter(), ledger.enter());
        let ticket = anna.book(true).encrypt(b"secret").unwrap();
        anna.log_in("anna from here");
        rob.log_in("rob from here");
        sibling.log_in("anna from here");

        for member in [&anna, &rob, &sibling] {
            let book = member.book(false);
            assert_eq!(book.used_own(), None);
            // As often as one likes.
            for _ in 0..3 {
                assert_eq!(book.decrypt(&ticket).unwrap(), b"secret");
                assert_eq!(book.take(&ticket).unwrap(), b"secret");
            }
            assert_eq!(book.used_own(), Some(!std::ptr::eq(member, &rob)));
        }
        anna.log_out();
        let book = sibling.book(false);
        book.look(&ticket);
        assert_eq!(book.used_own(), Some(false));

        drop(anna);
        assert!(ledger.is_empty());
        assert_eq!(sibling.book(false).decrypt(&ticket), None);
    }

    #[test]
    fn who_resumes_on_a_control_connection_shares_the_session() {
        let ledger = Arc::new(Ledger::default());
        let (first, second) = (ledger.enter(), ledger.enter());
        first.book(true).put(b"id".to_vec(), b"secret".to_vec());
        let control = second.book(true);
        assert!(control.get(b"id").is_some());
        // It may go on with it when the first one has gone.
        drop(first);
        let data = second.book(false);
        assert!(data.get(b"id").is_some());
        assert_eq!(data.used_own(), Some(true));
        drop(second);
        assert!(ledger.is_empty());
    }

    #[test]
    fn the_first_tickets_stay_and_the_others_are_bounded() {
        let ledger = Arc::new(Ledger::default());
        let member = ledger.enter();
        let first = member.book(true).encrypt(b"first").unwrap();
        let data = member.book(false);
        for count in 0..1000 {
            data.encrypt(format!("{count}").as_bytes()).unwrap();
        }
        assert_eq!(ledger.len(), KEYS + 1);
        assert!(data.decrypt(&first).is_some());
    }
}
