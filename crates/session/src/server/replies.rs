//! Every text that the server says, one function per outcome, and the only place where a `Failure` becomes a code.
//! Where the essay in the mission shows a text, it is that text.

mod tls;

use std::net::SocketAddrV4;
use std::time::Duration;

use twoport_plan::LinkFault;
use twoport_plan::data::Way;
use twoport_proto::hostport::{self, Protocol};
use twoport_proto::line::LineFault;
use twoport_proto::listing::mlsx::{self, FactSet, MlsKind};
use twoport_proto::modes::{Algorithm, Mode, Structure, Type};
use twoport_proto::placement::Change;
use twoport_proto::{Entry, Failure, FtpPath, Malformed, Moment, Reply, Verb};

pub(super) use self::tls::*;
use crate::law::may_answer;
use crate::rights::{Right, Rights};

/// A text with a name in it: names are bytes.
pub(super) fn with_name(code: u16, before: &str, name: &[u8], after: &str) -> Reply {
    Reply::new(code, [before.as_bytes(), name, after.as_bytes()].concat())
}

// Coming and going.

pub(super) fn greeting(host: &str) -> Reply {
    Reply::new(220, format!("{host} FTP server ready."))
}

pub(super) fn password_please(name: &[u8]) -> Reply {
    with_name(331, "Password required for ", name, ".")
}

pub(super) fn user_first() -> Reply {
    Reply::new(503, "Login with USER first.")
}

pub(super) fn already_in() -> Reply {
    Reply::new(503, "Already logged in; USER begins a new login.")
}

pub(super) fn logged_in(account: &str) -> Reply {
    Reply::new(230, format!("User {account} logged in."))
}

pub(super) fn login_incorrect() -> Reply {
    Reply::new(530, "Login incorrect.")
}

pub(super) fn too_many_failures() -> Reply {
    Reply::new(421, "Too many wrong passwords; closing the connection.")
}

pub(super) fn not_logged_in() -> Reply {
    Reply::new(530, "Please login with USER and PASS.")
}

pub(super) fn no_account_needed() -> Reply {
    Reply::new(202, "No account needed; USER and PASS are enough.")
}

pub(super) fn host_accepted(name: &[u8]) -> Reply {
    with_name(220, "", name, " FTP server ready.")
}

pub(super) fn host_unknown(name: &[u8]) -> Reply {
    with_name(504, "There is no host ", name, " here.")
}

pub(super) fn host_too_late() -> Reply {
    Reply::new(503, "HOST must come before USER.")
}

pub(super) fn goodbye() -> Reply {
    Reply::new(221, "Goodbye.")
}

pub(super) fn going_down() -> Reply {
    Reply::new(421, "The server is stopping; come back when it is up again.")
}

pub(super) fn timeout(limit: Duration, why: &str) -> Reply {
    Reply::new(421, format!("Timeout ({} seconds, {why}); connect again, and log in.", limit.as_secs()))
}

// What a line may be, and what the law says.

pub(super) fn bad_line(fault: LineFault) -> Reply {
    match fault {
        LineFault::TooLong { cap } => {
            Reply::new(500, format!("Line too long (at most {cap} bytes); nothing was done."))
        }
        LineFault::Control => Reply::new(500, "A command may not hold CR or NUL; nothing was done."),
    }
}

pub(super) fn unknown(word: &[u8]) -> Reply {
    if word.is_empty() {
        return Reply::new(500, "A command was expected; HELP lists them.");
    }
    with_name(500, "", &word.to_ascii_uppercase(), " not understood; HELP lists the commands.")
}

pub(super) fn malformed(verb: Verb, fault: Malformed) -> Reply {
    Reply::new(501, format!("{verb}: expected {}.", fault.expected))
}

pub(super) fn not_offered(verb: Verb) -> Reply {
    let why = match verb {
        Verb::Smnt => "there is nothing to mount",
        _ => "TLS is off here",
    };
    Reply::new(502, format!("{verb} not implemented: {why}."))
}

pub(super) fn no_right(right: Right) -> Reply {
    let what = match right {
        Right::Look => "list",
        Right::Read => "read",
        Right::Store => "store files",
        Right::Overwrite => "overwrite or resume files",
        Right::Delete => "delete",
        Right::Rename => "rename",
        Right::Make => "make directories or links",
        Right::Change => "change times or permissions",
        Right::Doctor => return Reply::new(550, NO_DOCTOR),
    };
    Reply::new(550, format!("Permission denied: this account may not {what} here."))
}

const NO_DOCTOR: &str = "Permission denied: 'doctor = true' in this account's [[user]] table allows SITE DOCTOR, and for \
                         anonymous 'anonymous-doctor = true'.";

// The data plan.

pub(super) fn port_taken(way: Way) -> Reply {
    Reply::new(200, format!("{} command successful.", active_verb(way)))
}

pub(super) fn port_refused(way: Way, why: &str) -> Reply {
    Reply::new(504, format!("{} refused: {why}", active_verb(way)))
}

pub(super) fn active_verb(way: Way) -> Verb {
    if way == Way::Eprt { Verb::Eprt } else { Verb::Port }
}

pub(super) fn passive(told: SocketAddrV4) -> Reply {
    Reply::new(227, format!("Entering Passive Mode ({}).", hostport::write_port(told)))
}

pub(super) fn extended_passive(port: u16) -> Reply {
    Reply::new(229, format!("Entering Extended Passive Mode {}.", hostport::write_epsv(port)))
}

pub(super) fn epsv_all() -> Reply {
    Reply::new(200, "EPSV ALL ok.")
}

pub(super) fn epsv_only() -> Reply {
    Reply::new(503, "EPSV ALL was said: only EPSV is taken until the end of the session.")
}

pub(super) fn other_protocol(ours: Protocol) -> Reply {
    Reply::new(522, format!("Network protocol not supported, use ({})", ours.number()))
}

pub(super) fn mode_off(fault: &LinkFault) -> Reply {
    Reply::new(502, fault.to_string())
}

/// 522 where TLS was the reason (RFC 4217 §10.2).
pub(super) fn no_link(fault: &LinkFault) -> Reply {
    Reply::new(if fault.is_of_tls() { 522 } else { 425 }, fault.to_string())
}

pub(super) fn no_plan() -> Reply {
    no_link(&LinkFault::NoPlan)
}

// Transfer parameters.

pub(super) fn type_set(kind: Type) -> Reply {
    let letter = match kind {
        Type::Image => "I",
        Type::Local(_) => "L 8",
        Type::Ascii(_) | Type::Ebcdic(_) => "A",
    };
    Reply::new(200, format!("Type set to {letter}."))
}

pub(super) fn no_such_type() -> Reply {
    Reply::new(504, "This type is not supported; use A, I or L 8.")
}

pub(super) fn structure_set(structure: Structure) -> Reply {
    Reply::new(
        200,
        if structure == Structure::Record { "Structure set to R." } else { "Structure set to F." },
    )
}

pub(super) fn no_such_structure() -> Reply {
    Reply::new(504, "This structure is not supported; use F or R.")
}

pub(super) fn mode_set(mode: Mode) -> Reply {
    Reply::new(200, format!("Mode set to {}.", mode.letter()))
}

/// The name of a mode in STAT.
pub(super) fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Stream => "Stream",
        Mode::Block => "Block",
        Mode::Compressed => "Compressed",
        Mode::Deflate => "Deflate",
    }
}

pub(super) fn no_such_mode() -> Reply {
    Reply::new(504, "This mode is not supported; use S, B or Z.")
}

pub(super) fn no_records_in_blocks() -> Reply {
    Reply::new(504, "Records go in MODE S or Z, and MODE B with STRU F.")
}

pub(super) fn restarting_at(offset: u64) -> Reply {
    Reply::new(350, format!("Restarting at {offset}. Send STOR or RETR to initiate transfer."))
}

pub(super) fn restart_needs_image() -> Reply {
    Reply::new(504, "A position counts bytes of the file: say TYPE I and STRU F first.")
}

pub(super) fn range_set(first: u64, last: u64) -> Reply {
    if first > last {
        return Reply::new(350, "The range is taken back.");
    }
    Reply::new(350, format!("Bytes {first} to {last}. Send RETR or HASH."))
}

pub(super) fn bad_range() -> Reply {
    Reply::new(501, "The range ends before it begins.")
}

pub(super) fn range_is_for_fetching() -> Reply {
    Reply::new(503, "RANG goes with RETR and HASH; REST says where STOR begins.")
}

// Transfers.

pub(super) fn opening(ascii: bool, name: &[u8], size: Option<u64>) -> Reply {
    let mode = if ascii {
        "Opening ASCII mode data connection for "
    } else {
        "Opening BINARY mode data connection for "
    };
    match size {
        Some(size) => with_name(150, mode, name, &format!(" ({size} bytes).")),
        None => with_name(150, mode, name, "."),
    }
}

pub(super) fn opening_list() -> Reply {
    Reply::new(150, "Opening ASCII mode data connection for file list.")
}

/// RFC 1123 §4.1.2.9 fixes this form.
pub(super) fn opening_unique(path: &FtpPath) -> Reply {
    with_name(150, "FILE: ", path.name(), "")
}

/// 125 in place of 150: the transfer before has left the data connection open (RFC 959 §3.2).
pub(super) fn open_already(name: &[u8], size: Option<u64>) -> Reply {
    let size = size.map_or(String::new(), |size| format!(" ({size} bytes)"));
    with_name(125, "Data connection already open; transfer of ", name, &format!("{size} starting."))
}

pub(super) fn transfer_complete() -> Reply {
    Reply::new(226, "Transfer complete.")
}

/// 250 in place of 226: the data connection is left open for the next transfer (RFC 959 §3.2).
pub(super) fn complete_and_open() -> Reply {
    Reply::new(250, "Transfer complete; data connection stays open.")
}

pub(super) fn stored_as(path: &FtpPath) -> Reply {
    with_name(226, "Transfer complete (unique file name: ", path.name(), ").")
}

pub(super) fn transfer_stopped(bytes: u64) -> Reply {
    Reply::new(426, format!("Transfer aborted after {bytes} bytes; data connection closed."))
}

pub(super) fn link_broke(fault: &LinkFault, bytes: u64) -> Reply {
    Reply::new(426, format!("Data connection failed after {bytes} bytes. {fault}."))
}

/// The file's side failed during a transfer: full is 452, all else 451; what was never opened is [`refused`].
pub(super) fn file_failed(verb: Verb, name: &[u8], failure: Failure, bytes: u64) -> Reply {
    match failure {
        Failure::Full if may_answer(verb, 452) => {
            with_name(452, "", name, &format!(": {failure}; {bytes} bytes had arrived."))
        }
        Failure::Exists | Failure::Denied => refused(verb, name, failure),
        _ => with_name(451, "", name, &format!(": {failure} after {bytes} bytes.")),
    }
}

pub(super) fn nothing_to_abort() -> Reply {
    Reply::new(225, "No transfer to ABOR.")
}

pub(super) fn aborted() -> Reply {
    Reply::new(226, "ABOR command successful.")
}

// Files.

/// What a store refused. A code outside the verb's row in the law becomes 550, which is in every row that can fail.
pub(super) fn refused(verb: Verb, name: &[u8], failure: Failure) -> Reply {
    let code = match failure {
        Failure::BadName => 553,
        Failure::Full => 452,
        Failure::BadOffset => 554,
        Failure::Unsupported => 504,
        Failure::Busy => 450,
        Failure::Stopped | Failure::Io => 451,
        _ => 550,
    };
    let code = if may_answer(verb, code) { code } else { 550 };
    with_name(code, "", name, &format!(": {failure}."))
}

pub(super) fn done(verb: Verb) -> Reply {
    let code = if verb == Verb::Site { 200 } else { 250 };
    Reply::new(code, format!("{verb} command successful."))
}

pub(super) fn working_directory(folder: &FtpPath) -> Reply {
    with_name(257, "", &folder.quoted(), " is the current directory.")
}

pub(super) fn made(path: &FtpPath) -> Reply {
    with_name(257, "", &path.quoted(), " - Directory successfully created.")
}

pub(super) fn rename_to_please() -> Reply {
    Reply::new(350, "File or directory exists, ready for destination name.")
}

pub(super) fn rename_from_first() -> Reply {
    Reply::new(503, "RNTO must follow RNFR.")
}

pub(super) fn size(bytes: u64) -> Reply {
    Reply::new(213, bytes.to_string())
}

pub(super) fn size_needs_image() -> Reply {
    Reply::new(550, "SIZE counts bytes of the file: say TYPE I first.")
}

pub(super) fn not_plain(name: &[u8]) -> Reply {
    with_name(550, "", name, ": Not a plain file.")
}

pub(super) fn modified(moment: Moment) -> Reply {
    Reply::new(213, moment.stamp())
}

/// RFC 3659 §7.2: the one line between begins with a space and names the whole path.
pub(super) fn facts(path: &FtpPath, entry: &Entry, facts: FactSet, rights: Rights) -> Reply {
    let mut line = Vec::new();
    let perm = mlsx::perm_letters(entry, rights.may(!path.is_root()));
    mlsx::write_facts(entry, facts, MlsKind::Own, perm.as_bytes(), &mut line);
    line.push(b' ');
    line.extend_from_slice(path.as_bytes());
    Reply::of_lines(250, "Begin", vec![line], "End")
}

pub(super) fn facts_changed(change: &Change, name: &[u8]) -> Reply {
    let mut said = String::new();
    if let Some(moment) = change.modified {
        said.push_str(&format!("Modify={};", moment.stamp()));
    }
    if let Some(moment) = change.created {
        said.push_str(&format!("Create={};", moment.stamp()));
    }
    if let Some(mode) = change.mode {
        said.push_str(&format!("UNIX.mode={mode:04o};"));
    }
    with_name(213, &said, &[b" ", name].concat(), "")
}

pub(super) fn fits(wanted: u64, left: u64) -> Reply {
    if wanted <= left {
        Reply::new(200, "There is room for that.")
    } else {
        Reply::new(452, format!("There is no room for that: {left} bytes are left."))
    }
}

pub(super) fn space(bytes: u64) -> Reply {
    Reply::new(213, bytes.to_string())
}

pub(super) fn digest(
    verb: Verb,
    algorithm: Option<Algorithm>,
    hash: &str,
    range: (u64, u64),
    name: &[u8],
) -> Reply {
    match algorithm {
        // The draft counts the last byte in; of nothing there is no last byte, and 0-0 is what is said of it.
        Some(algorithm) if verb == Verb::Hash => {
            let last = range.1.saturating_sub(1).max(range.0);
            with_name(213, &format!("{algorithm} {}-{last} {hash} ", range.0), name, "")
        }
        _ => Reply::new(250, hash.to_ascii_uppercase()),
    }
}

pub(super) fn digest_stopped() -> Reply {
    Reply::new(451, "Stopped; nothing was told.")
}

// What the server can do.

pub(super) fn system() -> Reply {
    Reply::new(215, "UNIX Type: L8")
}

pub(super) fn noop() -> Reply {
    Reply::new(200, "NOOP command successful.")
}

pub(super) fn noted() -> Reply {
    Reply::new(200, "Noted.")
}

pub(super) fn server_id((name, version): &(String, String)) -> Reply {
    Reply::new(200, format!("Name={name}; Version={version};"))
}

/// RFC 2640 §4: English is all there is.
pub(super) fn language(word: Option<&[u8]>) -> Reply {
    match word.map(|word| word.trim_ascii().to_ascii_lowercase()).as_deref() {
        None => Reply::new(200, "Replies are in English."),
        Some(word) if word == b"en" || word.starts_with(b"en-") => Reply::new(200, "Replies are in English."),
        Some(_) => Reply::new(504, "Replies are in English only."),
    }
}

pub(super) fn utf8_on() -> Reply {
    Reply::new(200, "UTF8 set to on.")
}

pub(super) fn utf8_stays() -> Reply {
    Reply::new(504, "Names are bytes here, and UTF8 cannot be switched off.")
}

pub(super) fn facts_chosen(facts: FactSet) -> Reply {
    Reply::new(200, facts.write_names())
}

pub(super) fn hash_chosen(algorithm: Algorithm) -> Reply {
    Reply::new(200, algorithm.name())
}

pub(super) fn no_such_hash() -> Reply {
    let names: Vec<&str> = Algorithm::ALL.iter().map(|a| a.name()).collect();
    Reply::new(504, format!("Unknown algorithm; there are {}.", names.join(", ")))
}

pub(super) fn no_such_option() -> Reply {
    Reply::new(501, "OPTS: expected UTF8, MLST or HASH.")
}

pub(super) fn site_unknown(word: &[u8]) -> Reply {
    with_name(504, "SITE ", &word.to_ascii_uppercase(), " is not known here; SITE HELP lists what is.")
}

pub(super) fn status_of(name: &[u8], lines: Vec<Vec<u8>>, more: bool) -> Reply {
    let last = if more { "There is more; LIST shows all." } else { "End of status." };
    Reply::of_lines(213, [b"Status of ", name, b":"].concat(), lines, last)
}
