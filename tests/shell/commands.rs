//! Every command of the shell's table at least once against our own server. The table is asked from the program itself, so
//! that a command without a case here fails.

use std::collections::BTreeSet;

use super::{known_server, shell};
use crate::support::server::Server;

/// What is typed, and what must be on the screen for it. The command is the first word of a line of the script.
const CASES: &[(&str, &[&str])] = &[
    ("!echo from the shell", &["from the shell"]),
    ("macdef twice\nput $1 $1.a\nput $1 $1.b\n\n$ twice local.txt\nnlist", &["local.txt.a", "local.txt.b"]),
    ("? get bell", &["get       \treceive file", "bell      \tbeep"]),
    ("debug\naccount word", &["---> ACCT XXXX", "202 "]),
    ("append local.txt README\nsize README", &["README\t12"]),
    ("ascii\ntype", &["200 Type set to A", "Using ascii mode to transfer files."]),
    ("bell\nget README", &["Bell mode on.", "\u{7}"]),
    ("binary", &["200 Type set to I"]),
    ("bye", &["221"]),
    ("case\nget UPPER.TXT\n!ls", &["Case mapping on.", "upper.txt"]),
    ("cd dir\npwd", &["257 \"/dir\""]),
    ("cd dir\ncdup\npwd", &["257 \"/\""]),
    ("chmod 600 README\nls README", &["-rw-------"]),
    ("close\nls", &["221", "Not connected."]),
    ("cr\nascii\nget crlf.txt\n!od -c crlf.txt", &["Carriage Return stripping off.", "\\r  \\n"]),
    ("debug\npwd", &["Debugging on (debug=1).", "---> PWD"]),
    ("delete README\nnlist", &["250"]),
    ("dir dir", &["inner"]),
    ("disconnect\npwd", &["221", "Not connected."]),
    ("edit", &["Editing mode off: there is no terminal"]),
    ("debug\nepsv\nls", &["EPSV/EPRT on IPv4 and IPv6 on.", "---> EPSV", "229"]),
    ("debug\nepsv4 on\nls\nepsv4 off\nls", &["on IPv4 on.", "---> EPSV", "on IPv4 off.", "---> PASV"]),
    ("epsv6", &["EPSV/EPRT on IPv6 off."]),
    ("exit", &["221"]),
    ("features", &["211-", "MLST", "211 "]),
    ("fget list.txt\n!cat README UPPER.TXT", &["hello\nCAPITALS\n"]),
    ("form non-print", &["We only support non-print format, sorry."]),
    ("ftp 127.0.0.1", &["Already connected to 127.0.0.1, use close first."]),
    ("gate", &["no gate-ftp server defined"]),
    ("get README here\n!cat here", &["local: here remote: README", "6 bytes received in ", "hello"]),
    ("glob\nmget *.txt", &["Globbing off.", "550 "]),
    ("hash 2k\nget big.bin", &["Hash mark printing on (2048 bytes/hash mark).", "\n###"]),
    (
        "help quit\nhelp nothing\nhelp m",
        &["quit      \tterminate", "?Invalid help command", "?Ambiguous help"],
    ),
    ("idle 100", &["SITE"]),
    ("image", &["200 Type set to I"]),
    ("ipany", &["both IPv4 and IPv6"]),
    ("ipv4", &["IPv4 only"]),
    ("ipv6", &["IPv6 only"]),
    ("lcd sub\nlpwd", &["Local directory now ", "/sub"]),
    ("set pager cat\nless README", &["hello"]),
    ("set pager cat\nlpage local.txt", &["world"]),
    ("lpwd", &["Local directory: "]),
    ("ls", &["README", "big.bin", "226"]),
    ("macdef show\npwd\n\n$show", &["257 \"/\""]),
    ("mdelete *.txt\nnlist", &["250 ", "README", "big.bin"]),
    ("mdir dir README out\n!cat out", &["inner", "README"]),
    ("mget *.TXT README\n!cat UPPER.TXT README", &["CAPITALS\nhello\n"]),
    ("mirror dir copy\n!cat copy/inner", &["deep"]),
    ("mkdir made\nnlist", &["257 ", "made"]),
    ("mls dir out\n!cat out", &["inner"]),
    ("mlsd", &["type=file", "README"]),
    ("mlst README", &["250-", "type=file", "250 "]),
    ("mode stream", &["We only support stream mode, sorry."]),
    ("modtime README", &["README\t", " GMT"]),
    ("set pager cat\nmore README", &["hello"]),
    ("mput local.txt list.txt\nnlist", &["local.txt", "list.txt"]),
    ("!head -c 3 big.src > big.bin\nmreget *.bin\n!cmp big.bin big.src && echo same", &["350 ", "same"]),
    ("msend l*.txt\nnlist", &["local.txt", "list.txt"]),
    ("get README\nnewer README", &["is newer than remote file \"README\""]),
    ("nlist dir", &["inner"]),
    ("nmap $1.$2 $2.$1\nget crlf.txt\n!ls", &["local: txt.crlf remote: crlf.txt", "txt.crlf"]),
    ("ntrans .T _t\nget UPPER.TXT\n!ls", &["UPPER_tXt"]),
    ("close\nopen 127.0.0.1 PORT\npwd", &["Connected to 127.0.0.1.", "230", "257 \"/\""]),
    ("set pager cat\npage README", &["hello"]),
    ("parallel 3\nmget *\n!cmp big.bin big.src && cat README", &["Sessions at the same time: 3.", "hello"]),
    (
        "passive\npassive\npassive auto",
        &["Passive mode on.", "Passive mode off.", "fallback to active mode on."],
    ),
    ("set pager cat\npdir dir", &["inner"]),
    ("set pager cat\npls dir", &["inner"]),
    ("set pager cat\npmlsd dir", &["type=file"]),
    ("preserve\nget README", &["Preserve modification times off."]),
    ("progress on", &["Progress bar on."]),
    ("prompt", &["Interactive mode on."]),
    ("proxy open 127.0.0.1 PORT\nproxy get README copied\nnlist\nproxy close", &["copied", "221"]),
    ("put local.txt up\nsize up", &["6 bytes sent in ", "up\t6"]),
    ("pwd", &["257 \"/\""]),
    ("quit", &["221"]),
    ("quote STAT README", &["README", "21"]),
    ("rate get 100k\nget README", &["Get transfer rate throttle: 102400 bytes/s."]),
    ("rcvbuf 64k", &["rcvbuf: 65536."]),
    ("recv README", &["6 bytes received"]),
    ("!head -c 1000 big.src > big.bin\nreget big.bin\n!cmp big.bin big.src && echo same", &["350 ", "same"]),
    ("remopts UTF8 ON", &["200"]),
    ("remotehelp", &["214"]),
    ("rename README other\nnlist", &["350", "250", "other"]),
    ("reset\npwd", &["257 \"/\""]),
    (
        "!head -c 5 big.src > big.bin\nrestart 5\nget big.bin\n!cmp big.bin big.src && echo same",
        &["350 ", "same"],
    ),
    ("rhelp LIST", &["214", "LIST"]),
    ("mkdir gone\nrmdir gone", &["250"]),
    ("rstatus", &["211"]),
    ("runique\nget README\nget README\n!ls", &["Receive unique on.", "README.1"]),
    ("send local.txt", &["6 bytes sent"]),
    ("sendport", &["Use of PORT cmds off."]),
    ("set prompt x\nset", &["anonpass", "anonymous@", "prompt        x"]),
    ("site HELP", &["214", "CHMOD"]),
    ("size big.bin", &["big.bin\t20000"]),
    ("sndbuf 1m", &["sndbuf: 1048576."]),
    ("status", &["Connected to 127.0.0.1.", "Passive mode: on", "Type: binary"]),
    ("struct file", &["We only support file structure, sorry."]),
    ("sunique\nput local.txt README\nnlist", &["Store unique on.", "README.1"]),
    ("system", &["215 UNIX"]),
    ("debug\ntenex\nget README\n!cat README", &["---> TYPE L 8", "hello"]),
    ("throttle all 1m", &["Put transfer rate throttle: 1048576 bytes/s."]),
    ("tick\nget big.bin", &["Tick counter printing on.", "Bytes transferred: 20000"]),
    ("trace", &["Packet tracing on."]),
    ("type binary\ntype nonsense", &["200 Type set to I", "nonsense: unknown mode"]),
    ("umask 022", &["SITE"]),
    ("set pager less\nunset pager\nset pager", &["pager"]),
    ("usage get", &["usage: get remote-file [local-file]"]),
    ("user alice secret", &["230"]),
    ("verbose\nget README\nls README", &["Verbose mode off.", "README"]),
    ("xferbuf 32k", &["xferbuf: 32768."]),
];

/// Fresh folders on both sides.
fn furnish(server: &Server) {
    for folder in [server.root(), server.local()] {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                std::fs::remove_dir_all(path).unwrap()
            } else {
                std::fs::remove_file(path).unwrap()
            }
        }
    }
    let there = |name: &str, text: &[u8]| std::fs::write(server.root().join(name), text).unwrap();
    there("README", b"hello\n");
    there("UPPER.TXT", b"CAPITALS\n");
    there("crlf.txt", b"one\ntwo\n");
    std::fs::create_dir(server.root().join("dir")).unwrap();
    there("dir/inner", b"deep");
    let big = server.offers("big.bin", 20_000);
    let here = |name: &str, text: &[u8]| std::fs::write(server.local().join(name), text).unwrap();
    here("local.txt", b"world\n");
    here("list.txt", b"README\nUPPER.TXT\n");
    here("big.src", &big);
    std::fs::create_dir(server.local().join("sub")).unwrap();
}

#[test]
fn every_command_of_the_table_does_what_it_says() {
    let server = known_server("");
    let help = shell(&server, &[], "help\n").text;
    let (_, names) = help.split_once("Commands are:").expect("help lists the commands");
    let mut left: BTreeSet<&str> = names.split_whitespace().collect();
    assert!(left.len() > 100, "{left:?}");
    let mut wrong = String::new();
    for (script, parts) in CASES {
        furnish(&server);
        let script = script.replace("PORT", &server.port_word());
        let ran = shell(&server, &["-v", "-i"], &format!("{script}\n"));
        let missing = parts.iter().filter(|part| !ran.text.contains(**part));
        let unknown = ["?Invalid command", "?Ambiguous command"];
        let unwanted = unknown.iter().filter(|part| ran.text.contains(**part));
        for part in missing.chain(unwanted) {
            wrong.push_str(&format!("=== {script}\n{part:?} in\n{}\n", ran.text));
        }
        for line in script.lines() {
            let first = line.split(' ').next().unwrap_or_default();
            left.remove(first.get(..1).filter(|sign| matches!(*sign, "!" | "$")).unwrap_or(first));
        }
    }
    assert!(wrong.is_empty(), "missing or unwanted:\n{wrong}");
    assert!(left.is_empty(), "commands without a case: {left:?}");
}
