//! What is said of TLS: AUTH, PBSZ, PROT, CCC, and what is refused for the lack of it.

use twoport_proto::{Reply, Verb};

use super::with_name;

pub(in crate::server) fn secure_now() -> Reply {
    Reply::new(234, "AUTH TLS successful; begin TLS now.")
}

pub(in crate::server) fn secured_already() -> Reply {
    Reply::new(503, "The control connection is in TLS already.")
}

pub(in crate::server) fn cleared_for_good() -> Reply {
    Reply::new(503, "After CCC protection stays as it is.")
}

pub(in crate::server) fn only_tls() -> Reply {
    Reply::new(504, "Only TLS is known here: AUTH TLS.")
}

pub(in crate::server) fn smuggled() -> Reply {
    Reply::new(421, "Commands came in the clear where TLS begins or ends; closing the connection.")
}

pub(in crate::server) fn not_ftp() -> Reply {
    Reply::new(421, "This is an FTP server; closing the connection.")
}

pub(in crate::server) fn auth_first(verb: Verb) -> Reply {
    Reply::new(503, format!("{verb} comes after AUTH TLS."))
}

pub(in crate::server) fn buffer_size() -> Reply {
    Reply::new(200, "PBSZ=0")
}

pub(in crate::server) fn buffer_size_first() -> Reply {
    Reply::new(503, "PROT comes after PBSZ 0.")
}

pub(in crate::server) fn protection_set(private: bool) -> Reply {
    Reply::new(
        200,
        if private {
            "Protection set to Private: data connections are in TLS."
        } else {
            "Protection set to Clear."
        },
    )
}

pub(in crate::server) fn no_such_protection() -> Reply {
    Reply::new(
        536,
        "TLS protects both against reading and against changes: use PROT P, or PROT C for neither.",
    )
}

pub(in crate::server) fn must_be_private() -> Reply {
    Reply::new(534, "Data connections must be in TLS here: use PROT P.")
}

pub(in crate::server) fn cannot_be_private() -> Reply {
    Reply::new(534, "Data connections cannot be in TLS here: use PROT C.")
}

pub(in crate::server) fn data_must_be_private(secured: bool) -> Reply {
    let what = if secured { "PBSZ 0 and PROT P" } else { "AUTH TLS, PBSZ 0 and PROT P" };
    Reply::new(521, format!("Data connections must be in TLS here: say {what} first."))
}

pub(in crate::server) fn data_cannot_be_private() -> Reply {
    Reply::new(521, "Data connections cannot be in TLS here: say PROT C first.")
}

pub(in crate::server) fn ccc_off() -> Reply {
    Reply::new(500, "CCC is off on this server.")
}

pub(in crate::server) fn nothing_to_clear() -> Reply {
    Reply::new(533, "The control connection is in the clear already.")
}

pub(in crate::server) fn cleared_now() -> Reply {
    Reply::new(200, "The control connection goes on in the clear; end TLS now.")
}

pub(in crate::server) fn tls_first() -> Reply {
    Reply::new(530, "TLS is required here: say AUTH TLS first (explicit FTP over TLS in the client).")
}

pub(in crate::server) fn account_needs_tls() -> Reply {
    Reply::new(
        530,
        "This account logs in over TLS only, and its password has just crossed the network in the clear.",
    )
}

pub(in crate::server) fn account_without_tls() -> Reply {
    Reply::new(530, "This account logs in without TLS only.")
}

/// RFC 2228 §5.1.
pub(in crate::server) fn authorized(account: &str) -> Reply {
    Reply::new(232, format!("User {account} logged in, authorized by certificate."))
}

pub(in crate::server) fn host_differs(name: &[u8], wanted: &str) -> Reply {
    with_name(
        504,
        "TLS was begun for ",
        wanted.as_bytes(),
        &format!(", not for {}.", String::from_utf8_lossy(name)),
    )
}
