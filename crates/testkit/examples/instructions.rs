//! The work whose instructions `cargo xtask instructions` counts: each part is a fixed number of turns through one piece of
//! `proto` or through the server's machine. No socket, no chance, no hash table whose seed is made up anew, and a clock that is
//! read once: the same program takes the same number of instructions each time.
//!
//! `instructions` lists the parts, `instructions PART` does one.

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::process::ExitCode;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use twoport_proto::line::LineBuf;
use twoport_proto::listing::mlsx::{self, FactSet, May, MlsKind};
use twoport_proto::listing::unix;
use twoport_proto::listing::{Outcome, Reader};
use twoport_proto::{Command, Entry, FtpPath, Kind, Moment, Reply, hostport};
use twoport_session::ServerSession;
use twoport_session::rights::{Grant, Needs, Rights};
use twoport_session::server::Door;
use twoport_session::server::io::{Ending, FileAnswer, FileOp, Input, LinkId, Listening, Output, Task};
use twoport_testkit::tree::MODIFIED;
use twoport_testkit::world::{FIRST_PORT, essay_ends, essay_settings};

/// A part by its name, and how often it is done: about twenty million instructions each, beside which the start of the
/// program is nothing.
struct Part {
    name: &'static str,
    turns: usize,
    turn: fn(),
}

const PARTS: &[Part] = &[
    Part { name: "proto-commands", turns: 250, turn: commands },
    Part { name: "proto-replies", turns: 4000, turn: replies },
    Part { name: "proto-hostports", turns: 2500, turn: hostports },
    Part { name: "proto-list-write", turns: 80, turn: list_write },
    Part { name: "proto-list-read", turns: 20, turn: list_read },
    Part { name: "proto-mlsd-write", turns: 50, turn: mlsd_write },
    Part { name: "proto-mlsd-read", turns: 20, turn: mlsd_read },
    Part { name: "session-login", turns: 1500, turn: || session(&[], 1) },
    Part { name: "session-noop", turns: 15, turn: || session(NOOP, 500) },
    Part { name: "session-retr", turns: 10, turn: || session(RETR, 100) },
    Part { name: "session-stor", turns: 10, turn: || session(STOR, 100) },
    Part { name: "session-list", turns: 10, turn: || session(LIST, 100) },
];

fn main() -> ExitCode {
    let asked = std::env::args().nth(1);
    let Some(asked) = asked else {
        for part in PARTS {
            println!("{}", part.name);
        }
        return ExitCode::SUCCESS;
    };
    let Some(part) = PARTS.iter().find(|part| part.name == asked) else {
        eprintln!("there is no part {asked}");
        return ExitCode::from(2);
    };
    for _ in 0..part.turns {
        (part.turn)();
    }
    ExitCode::SUCCESS
}

/// Bytes to lines and lines to commands, in pieces that tear lines.
fn commands() {
    let mut lines = LineBuf::new(4096);
    for piece in black_box(CORPUS).as_bytes().chunks(100) {
        lines.feed(piece);
        while let Some(line) = lines.next_line() {
            if let Ok(line) = line {
                let _ = black_box(Command::read(&line));
            }
        }
    }
}

fn replies() {
    let mut out = Vec::with_capacity(512);
    Reply::new(226, "Transfer complete.").write(&mut out);
    Reply::new(150, "Opening BINARY mode data connection for hello.txt (13 bytes).").write(&mut out);
    let features = ["UTF8", "MDTM", "SIZE", "REST STREAM", "TVFS"].map(Vec::from).to_vec();
    Reply::of_lines(211, "Extensions supported:", features, "End").write(&mut out);
    black_box(&out);
}

fn hostports() {
    let v4 = SocketAddrV4::new(Ipv4Addr::new(192, 168, 150, 90), FIRST_PORT);
    let v6 = SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 7], FIRST_PORT));
    let written = hostport::write_port(black_box(v4));
    let _ = black_box(hostport::read_port(written.as_bytes()));
    let written = hostport::write_eprt(black_box(v6));
    let _ = black_box(hostport::read_eprt(written.as_bytes()));
    let _ = black_box(hostport::read_227(black_box(b"Entering Passive Mode (192,168,150,90,195,149).")));
    let _ = black_box(hostport::read_229(black_box(b"Entering Extended Passive Mode (|||50069|).")));
}

fn list_write() {
    black_box(long());
}

fn list_read() {
    let mut reader = Reader::new(MODIFIED);
    let lines = LONG.split_inclusive(|b| *b == b'\n');
    let read = lines.filter(|line| matches!(reader.line(line), Outcome::Entry(_)));
    assert_eq!(read.count(), ENTRIES, "every entry is read back");
}

fn mlsd_write() {
    black_box(facts());
}

fn mlsd_read() {
    let read = FACTS.split_inclusive(|b| *b == b'\n').filter(|line| mlsx::read_line(line).is_some());
    assert_eq!(read.count(), ENTRIES, "every entry is read back");
}

fn long() -> Vec<u8> {
    let mut out = Vec::with_capacity(ENTRIES * 100);
    for entry in FOLDER.iter() {
        unix::write_line(entry, MODIFIED, &mut out);
    }
    out
}

fn facts() -> Vec<u8> {
    let mut out = Vec::with_capacity(ENTRIES * 100);
    for entry in FOLDER.iter() {
        let perm = mlsx::perm_letters(entry, May::ALL);
        mlsx::write_line(entry, FactSet::DEFAULT, MlsKind::Own, perm.as_bytes(), &mut out);
    }
    out
}

/// Made once, so that nearly all that is counted is the work itself.
static FOLDER: LazyLock<Vec<Entry>> = LazyLock::new(entries);
static LONG: LazyLock<Vec<u8>> = LazyLock::new(long);
static FACTS: LazyLock<Vec<u8>> = LazyLock::new(facts);

/// A folder's entries, of different sizes and dates.
fn entries() -> Vec<Entry> {
    let entry = |number: usize| {
        let kind = if number.is_multiple_of(10) { Kind::Directory } else { Kind::File };
        let size = (number * number * 977) as u64;
        let mut entry = Entry::new(format!("file-{number:05}.dat"), kind, size);
        entry.modified = Some(Moment::from_seconds(MODIFIED.seconds - number as i64 * 86_400));
        entry.mode = Some(0o644);
        entry.unique = Some((0x803, number as u64 + 0x1_0000));
        (entry.owner, entry.group) = (Some("slacker".into()), Some("users".into()));
        entry
    };
    (0..ENTRIES).map(entry).collect()
}

/// A session from its greeting to QUIT, with a login and so many rounds of the commands in between; whatever it orders comes
/// true at once.
fn session(commands: &[&str], rounds: usize) {
    let now = Instant::now();
    let machine = ServerSession::new(Arc::new(essay_settings()), essay_ends(), Door::CLEAR, now);
    let mut walk = Walk { machine, now, said: Vec::with_capacity(4096), refused: 0, links: 0 };
    walk.obey();
    for line in ["USER anna", "PASS TmpPass", "TYPE I"] {
        walk.hear(line);
    }
    for line in std::iter::repeat_n(commands, rounds).flatten() {
        walk.hear(line);
    }
    walk.hear("QUIT");
    assert!(walk.machine.is_closed() && walk.refused == 0, "the session went as it was meant to");
}

struct Walk {
    machine: ServerSession,
    now: Instant,
    said: Vec<u8>,
    /// Replies that were no consent.
    refused: usize,
    links: u64,
}

impl Walk {
    fn hear(&mut self, line: &str) {
        self.said.clear();
        self.machine.handle(self.now, Input::Line(Ok(line.as_bytes().to_vec())));
        self.obey();
    }

    fn obey(&mut self) {
        while let Some(output) = self.machine.poll() {
            match output {
                Output::Say(reply) => {
                    self.refused += usize::from(reply.code.0 >= 400);
                    reply.write(&mut self.said);
                }
                Output::Check { .. } => {
                    let (rights, needs) = (Rights::READ_WRITE, Needs::default());
                    let grant = Grant { account: "anna".to_owned(), rights, home: FtpPath::root(), needs };
                    self.tell(Input::Checked(Some(grant)));
                }
                Output::Recognize { .. } => self.tell(Input::Recognized(None)),
                Output::Files(FileOp::Stat { .. }) => {
                    let entry = Entry::new("hello.txt", Kind::File, 4096);
                    self.tell(Input::Filed(Ok(FileAnswer::Entry(Box::new(entry)))));
                }
                Output::Files(_) => self.tell(Input::Filed(Ok(FileAnswer::Done))),
                Output::Listen(_) => {
                    self.links += 1;
                    let told = SocketAddrV4::new(Ipv4Addr::new(192, 168, 150, 90), FIRST_PORT);
                    self.tell(Input::Listening(Ok(Listening { id: LinkId(self.links), told })));
                }
                Output::Begin(order) => {
                    let path = FtpPath::root().child(b"hello.txt");
                    self.tell(Input::Ready { path, size: Some(4096) });
                    self.tell(Input::Linked);
                    let upload = matches!(order.task, Task::Receive { .. });
                    self.tell(if upload { Input::Received } else { WHOLE });
                }
                Output::Keep => self.tell(WHOLE),
                Output::Look => self.tell(Input::Saw(Box::default())),
                Output::Measure => self.tell(Input::Measured(0)),
                Output::Secure { .. } | Output::Clear(_) => unreachable!("nobody asks for TLS"),
                Output::LogOut | Output::Forget(_) | Output::Stop | Output::Tell(_) | Output::Close => {}
            }
        }
    }

    fn tell(&mut self, input: Input) {
        self.machine.handle(self.now, input);
    }
}

const WHOLE: Input = Input::Ended(Ending::Whole { bytes: 4096 });

const NOOP: &[&str] = &["NOOP"];
const RETR: &[&str] = &["PASV", "RETR hello.txt", "EPSV", "RETR hello.txt"];
const STOR: &[&str] = &["PASV", "STOR hello.txt", "EPSV", "STOR hello.txt"];
const LIST: &[&str] = &["PASV", "LIST", "EPSV", "MLSD"];

const ENTRIES: usize = 200;

/// Lines of sessions as they happen, and some that are none.
const CORPUS: &str = "USER anonymous\r\nPASS guest@example.com\r\nSYST\r\nFEAT\r\nOPTS UTF8 ON\r\nPWD\r\nTYPE I\r\nCWD /pub/linux\r\n\
    PASV\r\nLIST -la\r\nEPSV\r\nMLSD\r\nSIZE kernel.tar.xz\r\nMDTM kernel.tar.xz\r\nPASV\r\nREST 1048576\r\nRETR kernel.tar.xz\r\n\
    PORT 192,168,150,80,14,178\r\nSTOR a name with blanks.bin\r\nEPRT |2|2001:db8::1|5282|\r\nAPPE log.txt\r\nRNFR a\r\nRNTO b\r\n\
    DELE b\r\nMKD new\r\nRMD new\r\nCDUP\r\nNOOP\r\nSITE CHMOD 644 a\r\nMFMT 20260727014500 a\r\nHASH a\r\nAUTH TLS\r\nPBSZ 0\r\n\
    PROT P\r\nABOR\r\nSTAT\r\nHELP RETR\r\nmode z\r\nstru f\r\nXYZZY\r\nPORT 1,2,3\r\nTYPE Q\r\nGET / HTTP/1.1\r\nQUIT\r\n";
