//! Who may come in: accounts and the check of a login. "No such user" and "wrong password" are one answer in one time.

pub mod account;

pub use account::{Account, Accounts, Certificate, Password, Shown};
