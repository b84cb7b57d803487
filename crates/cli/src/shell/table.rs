//! The one table of commands: names, arguments, help, and what carries them out. Look-up by prefix, `help`, `usage` and
//! completion read it.

use super::commands::{files, listing, local, many, meta, options, relay, session, toggles, transfer};
use super::words::Said;
use super::{Fault, Shell};

/// Carries a command out.
pub(crate) type Run = fn(&mut Shell, &Said) -> Result<(), Fault>;

/// One command.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// What it takes, as `usage` prints it.
    pub(crate) usage: &'static str,
    /// What is asked for when it is not there: so many arguments there must be.
    pub(crate) asks: &'static [&'static str],
    /// Arguments at most.
    pub(crate) most: usize,
    /// Whether it needs a server.
    pub(crate) remote: bool,
    /// What its arguments are, one letter each: r remote and l local names, c commands, o names of `set`; the last one
    /// goes on for ever.
    pub(crate) completes: &'static str,
    pub(crate) help: &'static str,
    pub(crate) run: Run,
}

/// What a word stands for.
pub(crate) enum Found {
    One(&'static Row),
    Ambiguous,
    Nothing,
}

/// The command of this name, or the only one that begins so.
pub(crate) fn find(word: &[u8]) -> Found {
    let Ok(word) = std::str::from_utf8(word) else { return Found::Nothing };
    if let Some(row) = TABLE.iter().find(|row| row.name == word) {
        return Found::One(row);
    }
    let mut fitting = TABLE.iter().filter(|row| !word.is_empty() && row.name.starts_with(word));
    match (fitting.next(), fitting.next()) {
        (Some(row), None) => Found::One(row),
        (Some(_), Some(_)) => Found::Ambiguous,
        _ => Found::Nothing,
    }
}

/// As many arguments as one likes.
const MANY: usize = usize::MAX;
/// Needs a server, and does not.
const FAR: bool = true;
const NEAR: bool = false;

macro_rules! commands {
    ($($name:literal $usage:literal, $asks:expr, $most:expr, $remote:expr, $completes:literal, $help:literal => $run:path;)*) => {
        /// Every command, in the order of `help`.
        pub(crate) const TABLE: &[Row] = &[$(Row {
            name: $name,
            usage: $usage,
            asks: $asks,
            most: $most,
            remote: $remote,
            completes: $completes,
            help: $help,
            run: $run,
        },)*];
    };
}

/// The names of arguments that are asked for.
const FILE: &[&str] = &["remote-file"];
const FILES: &[&str] = &["remote-files"];
const LOCAL: &[&str] = &["local-file"];

commands! {
    "!" "[command [args]]", &[], MANY, NEAR, "l", "escape to the shell" => local::shell;
    "$" "macro-name [args]", &["macro name"], MANY, NEAR, "", "execute macro" => local::run_macro;
    "?" "[command ...]", &[], MANY, NEAR, "c", "print local help information" => meta::help;
    "account" "[password]", &[], 1, FAR, "", "send account command to remote server" => session::account;
    "append" "local-file [remote-file]", LOCAL, 2, FAR, "lr", "append to a file" => transfer::append;
    "ascii" "", &[], 0, NEAR, "", "set ascii transfer type" => options::ascii;
    "bell" "[on|off]", &[], 1, NEAR, "", "beep when command completed" => toggles::bell;
    "binary" "", &[], 0, NEAR, "", "set binary transfer type" => options::binary;
    "bye" "", &[], 0, NEAR, "", "terminate ftp session and exit" => session::quit;
    "case" "[on|off]", &[], 1, NEAR, "", "toggle mget upper/lower case id mapping" => toggles::case;
    "cd" "remote-directory", &["remote-directory"], 1, FAR, "r", "change remote working directory" => files::cd;
    "cdup" "", &[], 0, FAR, "", "change remote working directory to parent directory" => files::cdup;
    "chmod" "mode file-name", &["mode", "file-name"], 2, FAR, "nr", "change file permissions of remote file" => files::chmod;
    "close" "", &[], 0, FAR, "", "terminate ftp session" => session::close;
    "cr" "[on|off]", &[], 1, NEAR, "", "toggle carriage return stripping on ascii gets" => toggles::cr;
    "debug" "[on|off|level]", &[], 1, NEAR, "", "toggle/set debugging mode" => toggles::debug;
    "delete" "remote-file", FILE, 1, FAR, "r", "delete remote file" => files::delete;
    "dir" "[remote-path [local-file]]", &[], 2, FAR, "rl", "list contents of remote directory" => listing::ls;
    "disconnect" "", &[], 0, FAR, "", "terminate ftp session" => session::close;
    "edit" "[on|off]", &[], 1, NEAR, "", "toggle command line editing" => toggles::edit;
    "epsv" "[on|off]", &[], 1, NEAR, "", "toggle use of EPSV/EPRT on both IPv4 and IPv6" => toggles::epsv;
    "epsv4" "[on|off]", &[], 1, NEAR, "", "toggle use of EPSV/EPRT on IPv4" => toggles::epsv4;
    "epsv6" "[on|off]", &[], 1, NEAR, "", "toggle use of EPSV/EPRT on IPv6" => toggles::epsv6;
    "exit" "", &[], 0, NEAR, "", "terminate ftp session and exit" => session::quit;
    "features" "", &[], 0, FAR, "", "show FEATures supported by remote system" => meta::features;
    "fget" "local-file", LOCAL, 1, FAR, "l", "get files using a localfile as a source of names" => many::fget;
    "form" "[format]", &[], 1, NEAR, "", "set file transfer format" => options::form;
    "ftp" "host-name [port]", &["to"], 2, NEAR, "", "connect to remote ftp server" => session::open;
    "gate" "[host [port]]", &[], 2, NEAR, "", "toggle gate-ftp; specify host[:port] to change proxy" => options::gate;
    "get" "remote-file [local-file]", FILE, 2, FAR, "rl", "receive file" => transfer::get;
    "glob" "[on|off]", &[], 1, NEAR, "", "toggle metacharacter expansion of local file names" => toggles::glob;
    "hash" "[on|off|size]", &[], 1, NEAR, "", "toggle printing `#' marks; specify number to set size" => toggles::hash;
    "help" "[command ...]", &[], MANY, NEAR, "c", "print local help information" => meta::help;
    "idle" "[seconds]", &[], 1, FAR, "", "get (set) idle timer on remote side" => meta::idle;
    "image" "", &[], 0, NEAR, "", "set binary transfer type" => options::binary;
    "ipany" "", &[], 0, NEAR, "", "allow use of any address family" => options::ipany;
    "ipv4" "", &[], 0, NEAR, "", "restrict address family to IPv4" => options::ipv4;
    "ipv6" "", &[], 0, NEAR, "", "restrict address family to IPv6" => options::ipv6;
    "lcd" "[local-directory]", &[], 1, NEAR, "l", "change local working directory" => local::lcd;
    "less" "remote-file", FILE, 1, FAR, "r", "view a remote file through your pager" => listing::page;
    "lpage" "local-file", LOCAL, 1, NEAR, "l", "view a local file through your pager" => local::lpage;
    "lpwd" "", &[], 0, NEAR, "", "print local working directory" => local::lpwd;
    "ls" "[remote-path [local-file]]", &[], 2, FAR, "rl", "list contents of remote directory" => listing::ls;
    "macdef" "macro-name", &["macro name"], 1, NEAR, "", "define a macro" => local::macdef;
    "mdelete" "[remote-files]", FILES, MANY, FAR, "r", "delete multiple files" => many::mdelete;
    "mdir" "remote-files local-file", &["remote-files", "local-file"], MANY, FAR, "r", "list contents of multiple remote directories" => listing::mls;
    "mget" "remote-files", FILES, MANY, FAR, "r", "get multiple files" => many::mget;
    "mirror" "[-R] [-e] [-n] source [target]", &["source"], 5, FAR, "r", "make a folder here like one there, or the other way round with -R" => many::mirror;
    "mkdir" "directory-name", &["directory-name"], 1, FAR, "r", "make directory on the remote machine" => files::mkdir;
    "mls" "remote-files local-file", &["remote-files", "local-file"], MANY, FAR, "r", "list contents of multiple remote directories" => listing::mls;
    "mlsd" "[remote-path [local-file]]", &[], 2, FAR, "rl", "list contents of remote directory in a machine parsable form" => listing::mlsd;
    "mlst" "[remote-path]", &[], 1, FAR, "r", "list remote path in a machine parsable form" => listing::mlst;
    "mode" "[mode-name]", &[], 1, NEAR, "", "set file transfer mode" => options::mode;
    "modtime" "remote-file", FILE, 1, FAR, "r", "show last modification time of remote file" => files::modtime;
    "more" "remote-file", FILE, 1, FAR, "r", "view a remote file through your pager" => listing::page;
    "mput" "local-files", &["local-files"], MANY, FAR, "l", "send multiple files" => many::mput;
    "mreget" "remote-files", FILES, MANY, FAR, "r", "get multiple files restarting at end of local file" => many::mreget;
    "msend" "local-files", &["local-files"], MANY, FAR, "l", "send multiple files" => many::mput;
    "newer" "remote-file [local-file]", FILE, 2, FAR, "rl", "get file if remote file is newer than local file" => transfer::newer;
    "nlist" "[remote-path [local-file]]", &[], 2, FAR, "rl", "nlist contents of remote directory" => listing::nlist;
    "nmap" "[in-pattern [out-pattern]]", &[], 2, NEAR, "", "set templates for default file name mapping" => options::nmap;
    "ntrans" "[in-chars [out-chars]]", &[], 2, NEAR, "", "set translation table for default file name mapping" => options::ntrans;
    "open" "host-name [port]", &["to"], 2, NEAR, "", "connect to remote ftp server" => session::open;
    "page" "remote-file", FILE, 1, FAR, "r", "view a remote file through your pager" => listing::page;
    "parallel" "[sessions]", &[], 1, NEAR, "", "how many sessions mget, mput and mirror use at the same time" => options::parallel;
    "passive" "[on|off|auto]", &[], 1, NEAR, "", "toggle use of passive transfer mode" => toggles::passive;
    "pdir" "[remote-path]", &[], 1, FAR, "r", "list contents of remote directory through your pager" => listing::pls;
    "pls" "[remote-path]", &[], 1, FAR, "r", "list contents of remote directory through your pager" => listing::pls;
    "pmlsd" "[remote-path]", &[], 1, FAR, "r", "list contents of remote directory in a machine parsable form through your pager" => listing::pmlsd;
    "preserve" "[on|off]", &[], 1, NEAR, "", "toggle preservation of modification time of retrieved files" => toggles::preserve;
    "progress" "[on|off]", &[], 1, NEAR, "", "toggle transfer progress meter" => toggles::progress;
    "prompt" "[on|off]", &[], 1, NEAR, "", "force interactive prompting on multiple commands" => toggles::prompt;
    "proxy" "command [args]", &["command"], MANY, NEAR, "c", "issue command on alternate connection" => relay::proxy;
    "put" "local-file [remote-file]", LOCAL, 2, FAR, "lr", "send one file" => transfer::put;
    "pwd" "", &[], 0, FAR, "", "print working directory on remote machine" => files::pwd;
    "quit" "", &[], 0, NEAR, "", "terminate ftp session and exit" => session::quit;
    "quote" "command", &["command line to send"], MANY, FAR, "", "send arbitrary ftp command" => meta::quote;
    "rate" "(all|get|put) [maximum-bytes]", &[], 3, NEAR, "", "set transfer rate limit (in bytes/second)" => options::rate;
    "rcvbuf" "size", &["size"], 1, NEAR, "", "set socket receive buffer size" => options::rcvbuf;
    "recv" "remote-file [local-file]", FILE, 2, FAR, "rl", "receive file" => transfer::get;
    "reget" "remote-file [local-file]", FILE, 2, FAR, "rl", "get file restarting at end of local file" => transfer::reget;
    "remopts" "command [options]", &["command"], MANY, FAR, "", "set options on remote system" => meta::remopts;
    "remotehelp" "[command]", &[], 1, FAR, "", "get help from remote server" => meta::rhelp;
    "rename" "from-name to-name", &["from-name", "to-name"], 2, FAR, "r", "rename file" => files::rename;
    "reset" "", &[], 0, FAR, "", "clear queued command replies" => session::reset;
    "restart" "marker", &["restart offset"], 1, FAR, "", "restart file transfer at bytecount" => transfer::restart;
    "rhelp" "[command]", &[], 1, FAR, "", "get help from remote server" => meta::rhelp;
    "rmdir" "directory-name", &["directory-name"], 1, FAR, "r", "remove directory on the remote machine" => files::rmdir;
    "rstatus" "[file]", &[], 1, FAR, "r", "show status of remote machine" => meta::rstatus;
    "runique" "[on|off]", &[], 1, NEAR, "", "toggle store unique for local files" => toggles::runique;
    "send" "local-file [remote-file]", LOCAL, 2, FAR, "lr", "send one file" => transfer::put;
    "sendport" "[on|off]", &[], 1, NEAR, "", "toggle use of PORT/LPRT cmd for each data connection" => toggles::sendport;
    "set" "[option value]", &[], 2, NEAR, "o", "set or display options" => options::set;
    "site" "command", &["arguments to SITE command"], MANY, FAR, "", "send site specific command to remote server" => meta::site;
    "size" "remote-file", FILE, 1, FAR, "r", "show size of remote file" => files::size;
    "sndbuf" "size", &["size"], 1, NEAR, "", "set socket send buffer size" => options::sndbuf;
    "status" "", &[], 0, NEAR, "", "show current status" => meta::status;
    "struct" "[struct-name]", &[], 1, NEAR, "", "set file transfer structure" => options::structure;
    "sunique" "[on|off]", &[], 1, NEAR, "", "toggle store unique on remote machine" => toggles::sunique;
    "system" "", &[], 0, FAR, "", "show remote system type" => meta::system;
    "tenex" "", &[], 0, NEAR, "", "set tenex file transfer type" => options::tenex;
    "throttle" "(all|get|put) [maximum-bytes]", &[], 3, NEAR, "", "set transfer rate limit (in bytes/second)" => options::rate;
    "tick" "[on|off]", &[], 1, NEAR, "", "toggle printing byte counter during transfers" => toggles::tick;
    "trace" "[on|off]", &[], 1, NEAR, "", "toggle packet tracing" => toggles::trace;
    "type" "[type-name]", &[], 1, NEAR, "", "set file transfer type" => options::kind;
    "umask" "[mask]", &[], 1, FAR, "", "get (set) umask on remote side" => meta::umask;
    "unset" "option", &["option"], 1, NEAR, "o", "unset an option" => options::unset;
    "usage" "command", &["command"], MANY, NEAR, "c", "show command usage" => meta::usage;
    "user" "user-name [password [account]]", &["username"], 3, FAR, "", "send new user information" => session::user;
    "verbose" "[on|off]", &[], 1, NEAR, "", "toggle verbose mode" => toggles::verbose;
    "xferbuf" "size", &["size"], 1, NEAR, "", "set socket send/receive buffer size" => options::xferbuf;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(word: &str) -> &'static str {
        match find(word.as_bytes()) {
            Found::One(row) => row.name,
            Found::Ambiguous => "ambiguous",
            Found::Nothing => "nothing",
        }
    }

    #[test]
    fn a_prefix_stands_for_the_one_command_that_begins_so() {
        for (word, meant) in [
            ("get", "get"),
            ("ge", "get"),
            ("pas", "passive"),
            ("quot", "quote"),
            ("ls", "ls"),
            ("ru", "runique"),
            ("m", "ambiguous"),
            ("q", "ambiguous"),
            ("nothing", "nothing"),
            ("", "nothing"),
            ("GET", "nothing"),
        ] {
            assert_eq!(name(word), meant, "{word}");
        }
    }

    #[test]
    fn the_table_is_sorted_and_agrees_with_itself() {
        let names: Vec<&str> = TABLE.iter().map(|row| row.name).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(names, sorted);
        for row in TABLE {
            assert!(row.asks.len() <= row.most && !row.help.is_empty(), "{}", row.name);
            assert_eq!(row.most == 0, row.usage.is_empty(), "{}", row.name);
        }
    }
}
