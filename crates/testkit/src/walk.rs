//! One random walk: a byte string chooses what the peer says and in which pieces, how the files and the network fare,
//! how much time passes and when somebody leaves; the judge watches.

use std::time::Duration;

use twoport_plan::{LinkFault, Spent};
use twoport_proto::verb::TABLE;
use twoport_proto::{Failure, Verb};
use twoport_session::rights::{Need, Needs};
use twoport_session::server::Door;

use crate::judge::Judge;
use crate::random::Choices;
use crate::world::{Move, PASSWORD, World, essay_ends, essay_settings};

/// How far a walk came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Went {
    /// Final replies that were heard.
    pub finals: usize,
    /// Transfers and digests that ran beside the session.
    pub transfers: usize,
}

/// Walks where `bytes` lead, to the end of the session.
///
/// # Panics
/// When something that must always hold did not.
pub fn session_walk(bytes: &[u8]) -> Went {
    let mut choices = Choices::new(bytes);
    let mut walk = Walk::new(&mut choices);
    while !choices.is_over() && !walk.world.is_closed() {
        walk.step(&mut choices);
        walk.look();
    }
    walk.finish();
    Went { finals: walk.judge.finals(), transfers: walk.judge.begun() }
}

/// Half of the doors have no TLS.
fn door(manner: u8) -> Door {
    let need = |bits: u8| [Need::Off, Need::On, Need::On, Need::Required][usize::from(bits & 3)];
    if manner & 1 == 0 {
        return Door::CLEAR;
    }
    Door {
        needs: Needs { control: need(manner >> 1 | 1), data: need(manner >> 3) },
        implicit: manner & 0x60 == 0x60,
    }
}

struct Walk {
    world: World,
    judge: Judge,
    /// What the peer still has to send of a torn line.
    torn: Vec<u8>,
}

impl Walk {
    fn new(choices: &mut Choices<'_>) -> Self {
        let manner = choices.byte();
        let mut settings = essay_settings();
        settings.limits.queued_lines = if manner & 1 == 0 { 128 } else { 3 };
        settings.active = manner & 0x30 != 0x10;
        settings.passive = manner & 0xC0 != 0x40;
        settings.ccc = manner & 2 != 0;
        let mut world = World::new(settings, essay_ends(), door(choices.byte()));
        world.open_ports(u16::from(manner >> 1 & 3));
        world.tree.add_folder("/dir");
        world.tree.add_file("/dir/b.bin", &[0xFF; 40]);
        if manner & 8 != 0 {
            world.slowness = Duration::from_secs(2);
        }
        let mut walk = Walk { world, judge: Judge::new(PASSWORD), torn: Vec::new() };
        walk.look();
        // Most walks begin inside: outside there is little to see.
        let name = ["anna", "anna", "anna", "rob", "dora", "", "", "anna"][choices.below(8)];
        if !name.is_empty() {
            walk.send(&[b"USER ", name.as_bytes(), b"\r\nPASS ", PASSWORD, b"\r\n"].concat());
            walk.look();
        }
        walk
    }

    fn step(&mut self, choices: &mut Choices<'_>) {
        match choices.byte() {
            0..96 => {
                let line = command(choices);
                self.send(&line);
            }
            96..112 => {
                let line = command(choices);
                let (now, later) = line.split_at(choices.below(line.len()));
                self.send(now);
                self.torn = later.to_vec();
            }
            112..128 => {
                let abor: &[&[u8]] =
                    &[b"ABOR\r\n", b"\xFF\xF4\xFF\xF2ABOR\r\n", b"\xF2abor\n", b"NOOP\r\nABOR\r\n"];
                let form: &&[u8] = choices.pick(abor);
                self.send(form);
            }
            128..140 => self.send(b"STAT\r\n"),
            140..216 => {
                self.world.step();
            }
            216..236 => {
                let next = odd_move(choices, &self.world);
                self.world.advance(next);
            }
            236..246 => {
                let spans = [0, 1, 1_000, 1_000, 29_000, 61_000, 299_000, 301_000];
                self.world.pass(Duration::from_millis(*choices.pick(&spans)));
            }
            246..249 => {
                let some: &[Failure] = &[Failure::NotFound, Failure::Full, Failure::Io, Failure::BadName];
                self.world.next_file_operation = Some(*choices.pick(some));
                self.world.next_listener = Some(LinkFault::PortsSpent(Spent { size: 4, held: 4, share: 4 }));
            }
            249 => self.world.handshake = Err("the test".to_owned()),
            250..252 => self.world.upload = vec![b'u'; choices.below(64)],
            252 => {
                let noise = choices.raw(12).to_vec();
                self.send(&noise);
            }
            253 => self.send(b"QUIT\r\n"),
            254 => self.world.shut_down(),
            255 => self.world.client_closes(),
        }
    }

    /// What is left of a torn line goes first: nobody tears a line and then forgets it.
    fn send(&mut self, bytes: &[u8]) {
        let torn = std::mem::take(&mut self.torn);
        self.world.client_sends(&[&torn, bytes].concat());
    }

    fn look(&mut self) {
        self.judge.look(&self.world.journal());
        // What nobody reads would be kept for nothing.
        self.world.said();
        self.world.delivered();
    }

    /// First all that was said is answered, if the session still lives; then the peer leaves, and the session ends.
    fn finish(&mut self) {
        self.send(b"\n");
        self.world.run_until_quiet();
        self.look();
        if !self.world.is_closed() {
            assert_eq!(self.judge.owed(), 0, "commands without a final reply");
            assert!(self.world.wakes_by_itself(), "a session at rest that no deadline ends");
        }
        self.world.client_closes();
        for _ in 0..1000 {
            self.world.run_until_quiet();
            self.look();
            if self.world.is_closed() {
                return;
            }
            self.world.pass(Duration::from_secs(1));
        }
        panic!("the client is gone, and its session goes on: {:?}", self.world);
    }
}

/// Something that does not happen every day.
fn odd_move(choices: &mut Choices<'_>, world: &World) -> Move {
    match choices.below(12) {
        0 | 1 => Move::NoLink(world.nobody_came()),
        2 => Move::NoLink(world.stranger_came()),
        3 | 4 => Move::Pass(u64::from(choices.byte())),
        5 | 6 => Move::LinkBreaks,
        7 => Move::FileFails(Failure::Full),
        8 => Move::FileFails(*choices.pick(&EVERY_FAILURE)),
        9 => Move::Finish,
        10 => Move::Link,
        _ => Move::ObeyStop,
    }
}

/// A line that a peer might send: mostly commands that lead somewhere, else any verb with any argument.
pub(crate) fn command(choices: &mut Choices<'_>) -> Vec<u8> {
    let handy: &[&str] = &[
        "EPSV\r\n",
        "PASV\r\n",
        "PORT 192,168,150,80,14,178\r\n",
        "RETR hello.txt\r\n",
        "EPSV\r\nRETR hello.txt\r\n",
        "EPSV\r\nSTOR new.txt\r\n",
        "EPSV\r\nLIST\r\n",
        "EPSV\r\nRETR missing\r\nNOOP\r\n",
        "PASV\r\nSTOU\r\nPWD\r\n",
        "EPSV\r\nAPPE hello.txt\r\nQUIT\r\n",
        "TYPE I\r\n",
        "MODE B\r\n",
        "MODE B\r\nEPSV\r\nRETR hello.txt\r\nRETR missing\r\nLIST\r\n",
        "MODE S\r\n",
        "REST 3\r\n",
        "RANG 1 2\r\n",
        "HASH hello.txt\r\n",
        "XCRC hello.txt\r\nSTAT\r\n",
        "RNFR hello.txt\r\n",
        "RNTO other\r\n",
        "REIN\r\n",
        "USER anna\r\n",
        "PASS wrong\r\n",
        "USER rob\r\nPASS TmpPass\r\n",
        "USER anna\r\nPASS TmpPass\r\n",
        "NOOP\r\nNOOP\r\nSTAT\r\nABOR\r\nNOOP\r\n",
        "EPSV ALL\r\n",
    ];
    let choice = choices.byte();
    if choice < 128 {
        return handy[usize::from(choice) % handy.len()].as_bytes().to_vec();
    }
    let row = choices.pick(TABLE);
    let name = row.elders.first().filter(|_| choice & 8 != 0).unwrap_or(&row.name);
    let mut line = if choice & 16 == 0 { name.as_bytes().to_vec() } else { name.to_lowercase().into_bytes() };
    // Only PASS and ACCT may hold the password: whoever says it elsewhere has told it himself.
    let argument = choices.pick(arguments(row.verb));
    if !argument.is_empty() || choice & 32 != 0 {
        line.push(b' ');
        line.extend_from_slice(argument);
    }
    line.extend_from_slice(if choice & 64 == 0 { b"\r\n" } else { b"\n" });
    line
}

/// Arguments for a verb, good ones and bad ones.
fn arguments(verb: Verb) -> &'static [&'static [u8]] {
    match verb {
        Verb::Port => &[b"192,168,150,80,14,178", b"192,168,150,80,0,22", b"10,0,0,1,14,178", b"1,2,3", b""],
        Verb::Eprt => {
            &[b"|1|192.168.150.80|3762|", b"|2|::1|3762|", b"|9|x|1|", b"|1|192.168.150.80|22|", b"|"]
        }
        Verb::Epsv => &[b"", b"1", b"2", b"99999999999", b"all", b"x"],
        Verb::Type => &[b"I", b"A", b"A N", b"L 8", b"E", b"L 7", b"Z", b""],
        Verb::Stru => &[b"F", b"R", b"P", b"Q", b""],
        Verb::Mode => &[b"S", b"B", b"C", b"Z", b""],
        Verb::Rest | Verb::Allo => &[b"0", b"5", b"13", b"14", b"18446744073709551615", b"x", b""],
        Verb::Rang => &[b"0 4", b"1 0", b"5 1", b"0 18446744073709551615", b"3", b""],
        Verb::Pass | Verb::Acct => &[PASSWORD, b"wrong", b"", b"\xFF\xFF "],
        Verb::Mfmt | Verb::Mfct => {
            &[b"20200101000000 hello.txt", b"20200101000000 missing", b"2020 hello.txt", b""]
        }
        Verb::Mff => &[b"modify=20200101000000; hello.txt", b"UNIX.mode=0600; dir", b"x=1; dir", b""],
        Verb::Opts => {
            &[b"UTF8 ON", b"UTF8 OFF", b"MLST type;", b"MLST", b"HASH", b"HASH MD5", b"HASH x", b"NO", b""]
        }
        Verb::Site => &[
            b"CHMOD 600 hello.txt",
            b"CHMOD 9 x",
            b"UTIME 202001010000 hello.txt",
            b"SYMLINK hello.txt link",
            b"HELP",
            b"DOCTOR",
            b"IDLE 5",
            b"",
        ],
        Verb::Xcrc | Verb::Xmd5 | Verb::Xsha1 | Verb::Xsha256 | Verb::Xsha512 => &[
            b"hello.txt",
            b"\"hello.txt\" 1 5",
            b"hello.txt 5 1",
            b"hello.txt 20 30",
            b"missing",
            b"dir",
            b"",
        ],
        Verb::List | Verb::Nlst | Verb::Stat => {
            &[b"", b"-al", b"-1 dir", b"missing", b"-R /", b"*.txt", b"--", b"  "]
        }
        Verb::User => &[b"anna", b"rob", b"dora", b"nora", b"nobody", b"a\xFFb", b""],
        Verb::Host => &[b"ftp.example.org", b"[::1]", b""],
        Verb::Lang | Verb::Help => &[b"", b"en", b"de", b"RETR", b"SITE", b"xyzzy"],
        _ => &[
            b"hello.txt",
            b"new.txt",
            b"dir",
            b"dir/b.bin",
            b"/",
            b"..",
            b"missing/x",
            b"a\xFF\xFFb",
            b" ",
            b"",
        ],
    }
}

const EVERY_FAILURE: [Failure; 15] = [
    Failure::NotFound,
    Failure::Denied,
    Failure::Exists,
    Failure::IsDirectory,
    Failure::NotDirectory,
    Failure::NotEmpty,
    Failure::Full,
    Failure::BadName,
    Failure::Loop,
    Failure::BadOffset,
    Failure::Unsupported,
    Failure::ReadOnly,
    Failure::Busy,
    Failure::Stopped,
    Failure::Io,
];
