//! Where a server's certificate comes from (made up and kept, or had by ACME), and what a certificate says. It hands out
//! PEM text and knows nothing of TLS: who shows a certificate, and who believes one, is decided elsewhere.

pub mod acme;
mod error;
pub mod facts;
mod made_up;
mod names;
pub mod pem;

pub use error::Error;
pub use facts::Facts;
pub use made_up::made_up;
pub use pem::Pem;
