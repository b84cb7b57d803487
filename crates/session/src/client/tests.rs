//! The client's machine alone: what it says, in which order, and where it goes when something does not come about.

use std::time::{Duration, Instant};

use twoport_plan::LinkFault;
use twoport_proto::Secret;
use twoport_proto::reply_reader::ReceivedReply;
use twoport_proto::{Request, Verb};

use twoport_proto::modes::Mode;

use super::io::{Answer, Ask, Door, Failed, Flights, Input, Output, Rung, Tls, TransferAsk};
use super::{ClientSession, Ends, Settings};

/// A machine, its clock, and what it said.
struct Bench {
    machine: ClientSession,
    now: Instant,
}

impl Bench {
    fn new(server: &str) -> Bench {
        let ends = Ends { server: server.parse().unwrap(), local: "192.0.2.2:40000".parse().unwrap() };
        Bench { machine: ClientSession::new(Settings::default(), ends), now: Instant::now() }
    }

    fn wanting(tls: Tls) -> Bench {
        let mut bench = Bench::new(SERVER);
        bench.machine.settings.tls = tls;
        bench
    }

    fn log_in(&mut self) -> String {
        self.ask(Ask::Login { user: b"anna".to_vec(), password: Secret::new("x"), account: None })
    }

    /// What comes out, a word each.
    fn out(&mut self) -> String {
        let mut said = Vec::new();
        while let Some(output) = self.machine.poll() {
            said.push(match output {
                Output::Send(request) => request.shown(),
                Output::Dial { to, .. } => {
                    format!("dial {}", to.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
                }
                Output::Listen(Door::Own) => "listen".to_owned(),
                Output::Listen(door) => format!("listen {door:?}"),
                Output::Accept { .. } => "accept".to_owned(),
                Output::Secure => "shake hands".to_owned(),
                Output::DropLink => "drop".to_owned(),
                Output::Stepped(why) => format!("({why})"),
                Output::Answer(Answer::Open(road)) => format!("open by {}", road.rung.name()),
                Output::Answer(Answer::Done(reply)) => format!("done {}", reply.code),
                Output::Answer(Answer::Unconfirmed) => "unconfirmed".to_owned(),
                Output::Answer(Answer::Failed(Failed::Refused(reply))) => format!("refused {}", reply.code),
                Output::Answer(Answer::Failed(Failed::NoRoad(steps))) => {
                    format!("no road after {}", steps.len())
                }
                Output::Answer(Answer::Failed(failed)) => format!("failed: {failed:?}"),
            });
        }
        said.join(", ")
    }

    fn ask(&mut self, ask: Ask) -> String {
        self.machine.ask(self.now, ask);
        self.out()
    }

    fn hear(&mut self, code: u16, text: &str) -> String {
        self.tell(Input::Reply(ReceivedReply { code, lines: vec![text.as_bytes().to_vec()] }))
    }

    fn tell(&mut self, input: Input) -> String {
        self.machine.handle(self.now, input);
        self.out()
    }

    fn fetch(&mut self) -> String {
        let request = Request::new(Verb::Retr, "a").unwrap();
        self.ask(Ask::Transfer(TransferAsk::alone(request, 0, false)))
    }

    /// A transfer that was asked for over a link that is there; 150 is to come.
    fn commanded() -> Bench {
        let mut bench = Bench::new(SERVER);
        bench.fetch();
        bench.hear(200, "ok");
        bench.hear(229, "(|||50000|)");
        bench.tell(Input::Dialled(Ok("203.0.113.9:50000".parse().unwrap())));
        bench
    }

    /// Nobody answered at the address that was dialled.
    fn nobody(&mut self) -> String {
        let to = "203.0.113.9:50000".parse().unwrap();
        let fault = LinkFault::TimedOut { to, after: Duration::from_secs(3) };
        self.tell(Input::Dialled(Err(vec![(to, fault)])))
    }
}

const SERVER: &str = "203.0.113.9:21";

#[test]
fn a_login_says_what_is_asked_for() {
    let mut bench = Bench::new(SERVER);
    let login =
        Ask::Login { user: b"anna".to_vec(), password: Secret::new("x"), account: Some(Secret::new("y")) };
    assert_eq!(bench.ask(login), "");
    assert_eq!(bench.hear(120, "wait"), "");
    assert_eq!(bench.hear(220, "hello"), "USER anna");
    assert_eq!(bench.hear(331, "password"), "PASS XXXX");
    assert_eq!(bench.hear(332, "account"), "ACCT XXXX");
    assert_eq!(bench.hear(230, "in"), "done 230");
}

#[test]
fn a_transfer_that_goes_well() {
    let mut bench = Bench::new(SERVER);
    assert_eq!(bench.fetch(), "TYPE I");
    assert_eq!(bench.hear(200, "ok"), "EPSV");
    assert_eq!(bench.hear(229, "ok (|||50000|)"), "dial 203.0.113.9:50000");
    assert_eq!(bench.tell(Input::Dialled(Ok("203.0.113.9:50000".parse().unwrap()))), "RETR a");
    assert_eq!(bench.hear(150, "here"), "open by EPSV");
    assert_eq!(bench.machine.poll_timeout(), None, "bytes have their own patience");
    assert_eq!(bench.ask(Ask::Finish { whole: true }), "");
    assert_eq!(bench.hear(226, "done"), "done 226");
    // The type is known, and so is the rung.
    assert_eq!(bench.fetch(), "EPSV");
}

#[test]
fn the_whole_ladder_down() {
    let mut bench = Bench::new(SERVER);
    bench.fetch();
    bench.hear(200, "ok");
    assert!(bench.hear(500, "what?").ends_with("PASV"));
    assert_eq!(
        bench.hear(227, "(10,0,0,5,195,80)"),
        "dial 203.0.113.9:50000",
        "a private address is not believed"
    );
    assert!(bench.nobody().contains("227 said 10.0.0.5:50000"));
    let told = bench.tell(Input::Listening(Ok("192.0.2.2:1025".parse().unwrap())));
    assert_eq!(told, "PORT 192,0,2,2,4,1");
    assert_eq!(bench.hear(500, "no"), "EPRT |1|192.0.2.2|1025|");
    assert!(bench.hear(500, "no").ends_with("listen Mapped"));
    let fault = LinkFault::Other { to: None, text: "no NAT".to_owned() };
    assert!(bench.tell(Input::Listening(Err(fault.clone()))).ends_with("listen Crossing"));
    assert!(bench.tell(Input::Listening(Err(fault))).ends_with("no road after 5"));
}

/// A machine behind a NAT that has come down to simultaneous open; `refusal` is what its PORT heard.
fn crossing(refusal: &str) -> (Bench, String) {
    let ends = Ends { server: SERVER.parse().unwrap(), local: "192.168.1.5:40000".parse().unwrap() };
    let settings = Settings { rungs: vec![Rung::Active, Rung::Crossing], ..Settings::default() };
    let mut bench = Bench { machine: ClientSession::new(settings, ends), now: Instant::now() };
    bench.fetch();
    assert_eq!(bench.hear(200, "ok"), "listen");
    bench.tell(Input::Listening(Ok("192.168.1.5:1025".parse().unwrap())));
    bench.hear(500, refusal);
    let said = bench.hear(500, refusal);
    (bench, said)
}

#[test]
fn behind_a_nat_the_server_is_asked_for_our_address_and_told_it() {
    let (mut bench, said) = crossing("Illegal PORT command");
    assert!(said.ends_with("STAT"), "{said}");
    assert_eq!(bench.hear(211, "status: Connected to 198.51.100.7"), "listen Crossing");
    let told = bench.tell(Input::Listening(Ok("192.168.1.5:1026".parse().unwrap())));
    assert_eq!(told, "PORT 198,51,100,7,4,2");
    assert_eq!(bench.hear(200, "ok"), "RETR a, accept");
    assert_eq!(bench.tell(Input::Accepted(Ok(()))), "");
    assert_eq!(bench.hear(150, "here"), "open by active by simultaneous open");
}

#[test]
fn a_refusal_that_tells_our_address_spares_the_question() {
    let (_, said) = crossing("Will not connect to 192.168.1.5: you come from 198.51.100.7");
    assert!(said.ends_with("listen Crossing"), "{said}");
}

#[test]
fn a_server_that_does_not_tell_our_address_is_not_told_one() {
    let (mut bench, _) = crossing("Illegal PORT command");
    let said = bench.hear(502, "no STAT");
    assert!(said.contains("does not tell which address") && said.ends_with("no road after 2"), "{said}");
}

#[test]
fn where_nobody_came_the_next_session_begins_one_rung_further() {
    let mut bench = Bench::new(SERVER);
    bench.fetch();
    bench.hear(200, "ok");
    bench.hear(500, "what?");
    bench.hear(500, "what?");
    bench.tell(Input::Listening(Ok("192.0.2.2:1025".parse().unwrap())));
    assert_eq!(bench.hear(200, "ok"), "RETR a, accept");
    let fault =
        LinkFault::NobodyCame { port: 1025, waited: Duration::from_secs(3), range: None, half_open: false };
    assert!(bench.tell(Input::Accepted(Err(fault))).contains("no road after 3"));
    assert_eq!(bench.machine.rung(), Some(Rung::Mapped));
}

#[test]
fn a_public_address_is_tried_first_and_the_control_address_beside_it() {
    let mut bench = Bench::new(SERVER);
    bench.fetch();
    bench.hear(200, "ok");
    bench.hear(500, "what?");
    let dial = bench.hear(227, "(198,51,100,7,195,80)");
    assert_eq!(dial, "dial 198.51.100.7:50000 203.0.113.9:50000");
}

#[test]
fn over_ipv6_there_is_no_pasv() {
    let mut bench = Bench::new("[2001:db8::1]:21");
    bench.fetch();
    bench.hear(200, "ok");
    assert!(bench.hear(500, "what?").ends_with("listen"));
}

#[test]
fn a_425_steps_down_and_a_550_does_not() {
    for (code, says) in [(425, "PASV"), (550, "refused 550")] {
        let mut bench = Bench::commanded();
        let said = bench.hear(code, "no");
        assert!(said.starts_with("drop") && said.ends_with(says), "{said}");
    }
}

#[test]
fn a_rung_that_kills_the_session_is_not_the_first_of_the_next() {
    let mut bench = Bench::new(SERVER);
    bench.fetch();
    bench.hear(200, "ok");
    bench.now += Duration::from_secs(10);
    assert!(bench.tell(Input::Deadline).contains("EPSV: the server did not answer"));
    assert_eq!(bench.machine.rung(), Some(Rung::Pasv));
    // One that was tried after others gets a session of its own.
    let mut bench = Bench::new(SERVER);
    bench.fetch();
    bench.hear(200, "ok");
    bench.hear(500, "OOPS");
    bench.tell(Input::Closed);
    assert_eq!(bench.machine.rung(), Some(Rung::Pasv));
}

#[test]
fn all_bytes_and_no_last_word_is_unconfirmed() {
    let mut bench = Bench::commanded();
    bench.hear(150, "here");
    bench.tell(Input::Closed);
    assert_eq!(bench.ask(Ask::Finish { whole: true }), "unconfirmed");
}

#[test]
fn a_last_word_that_comes_early_is_kept() {
    let mut bench = Bench::commanded();
    bench.hear(150, "here");
    assert_eq!(bench.machine.ended_elsewhere(), None);
    bench.hear(226, "done");
    assert_eq!(bench.machine.ended_elsewhere(), Some(true));
    assert_eq!(bench.ask(Ask::Finish { whole: true }), "done 226");
}

#[test]
fn a_421_ends_the_session_whatever_was_asked() {
    let mut bench = Bench::new(SERVER);
    bench.ask(Ask::Say(Request::bare(Verb::Noop)));
    assert_eq!(bench.hear(421, "bye"), "refused 421");
    assert!(bench.ask(Ask::Say(Request::bare(Verb::Noop))).contains("closed"));
}

#[test]
fn a_login_step_by_step_begins_with_the_greeting() {
    let mut bench = Bench::new(SERVER);
    assert_eq!(bench.ask(Ask::Greeting), "");
    assert_eq!(bench.hear(120, "wait"), "");
    assert_eq!(bench.hear(220, "hello"), "done 220");
    assert_eq!(bench.ask(Ask::Say(Request::new(Verb::User, "anna").unwrap())), "USER anna");
    assert_eq!(bench.hear(331, "password"), "done 331");
    let mut bench = Bench::new(SERVER);
    bench.ask(Ask::Greeting);
    assert_eq!(bench.hear(421, "full"), "refused 421");
    assert!(bench.machine.is_closed());
}

#[test]
fn a_type_that_was_said_in_other_words_is_not_said_again() {
    let mut bench = Bench::new(SERVER);
    bench.ask(Ask::Say(Request::quote(b"type i").unwrap()));
    assert_eq!(bench.hear(200, "ok"), "done 200");
    assert_eq!(bench.fetch(), "EPSV");
    let mut bench = Bench::new(SERVER);
    bench.ask(Ask::Say(Request::new(Verb::Type, "I").unwrap()));
    assert_eq!(bench.hear(504, "no"), "refused 504");
    assert_eq!(bench.fetch(), "TYPE I");
}

#[test]
fn where_ascii_is_where_one_begins_a_listing_says_no_type() {
    let ends = Ends { server: SERVER.parse().unwrap(), local: "192.0.2.2:40000".parse().unwrap() };
    let settings = Settings { begins_in_ascii: true, ..Settings::default() };
    let mut bench = Bench { machine: ClientSession::new(settings, ends), now: Instant::now() };
    bench.machine.set_rungs(vec![Rung::Pasv], false);
    let list = TransferAsk::alone(Request::bare(Verb::List), 0, true);
    assert_eq!(bench.ask(Ask::Transfer(list)), "PASV");
    assert!(bench.hear(502, "no").ends_with("no road after 1"));
}

#[test]
fn an_abort_awaits_an_answer_to_what_it_stops_and_to_itself() {
    // In a transfer, while the data connection is dialled, and when the last word had come already.
    let mut bench = Bench::commanded();
    bench.hear(150, "here");
    assert_eq!(bench.ask(Ask::Abort), "drop, ABOR");
    assert_eq!(bench.hear(426, "cut"), "");
    assert_eq!(bench.hear(226, "stopped"), "done 226");
    assert_eq!(bench.fetch(), "EPSV");
    bench.hear(229, "(|||50000|)");
    assert_eq!(bench.ask(Ask::Abort), "drop, ABOR");
    assert_eq!(bench.hear(225, "nothing to stop"), "done 225");
    let mut bench = Bench::commanded();
    bench.hear(150, "here");
    bench.hear(226, "done");
    bench.ask(Ask::Abort);
    assert_eq!(bench.hear(225, "nothing to stop"), "done 225");
}

#[test]
fn a_server_with_one_answer_for_both_is_not_waited_for() {
    let mut bench = Bench::commanded();
    bench.hear(150, "here");
    bench.ask(Ask::Abort);
    bench.hear(226, "stopped");
    bench.now = bench.machine.poll_timeout().expect("a second answer is waited for a moment");
    assert_eq!(bench.tell(Input::Deadline), "done 226");
    assert!(bench.machine.is_idle());
    // One without any answer has gone.
    bench.fetch();
    bench.ask(Ask::Abort);
    bench.now = bench.machine.poll_timeout().expect("an answer is waited for");
    assert!(bench.tell(Input::Deadline).contains("said nothing"));
}

#[test]
fn a_copy_elsewhere_takes_what_it_takes() {
    let mut bench = Bench::new(SERVER);
    bench.ask(Ask::SayElsewhere(Request::new(Verb::Retr, "a").unwrap()));
    assert!(bench.machine.poll_timeout().is_some());
    bench.hear(150, "here");
    assert_eq!(bench.machine.poll_timeout(), None);
    assert_eq!(bench.hear(226, "done"), "done 226");
}

#[test]
fn where_nobody_came_an_abort_gives_the_session_back() {
    let to_nobody = || {
        let mut bench = Bench::new(SERVER);
        bench.machine.set_rungs(vec![Rung::Active], false);
        bench.fetch();
        bench.hear(200, "ok");
        bench.tell(Input::Listening(Ok("192.0.2.2:1025".parse().unwrap())));
        assert_eq!(bench.hear(200, "ok"), "RETR a, accept");
        let fault = LinkFault::Other { to: None, text: "nobody came".to_owned() };
        assert!(bench.tell(Input::Accepted(Err(fault))).ends_with("no road after 1"));
        bench
    };
    let mut bench = to_nobody();
    assert!(bench.ask(Ask::Say(Request::bare(Verb::Noop))).contains("closed"));
    assert_eq!(bench.ask(Ask::Abort), "drop, ABOR");
    bench.hear(426, "stopped");
    assert_eq!(bench.hear(226, "ok"), "done 226");
    // So does the server's own last word.
    let mut bench = to_nobody();
    assert_eq!(bench.hear(425, "cannot connect"), "");
    assert_eq!(bench.ask(Ask::Say(Request::bare(Verb::Noop))), "NOOP");
}

/// A transfer that others will follow, with MDTM said beside it.
fn one_of_many(name: &str) -> Ask {
    let request = |verb| Request::new(verb, name).unwrap();
    let (request, also) = (request(Verb::Retr), vec![request(Verb::Mdtm)]);
    Ask::Transfer(TransferAsk { also, more: true, ..TransferAsk::alone(request, 0, false) })
}

/// The first of many files has come, and the port for the second was asked for with it.
fn flying() -> Bench {
    let mut bench = Bench::new(SERVER);
    assert_eq!(bench.ask(one_of_many("a")), "TYPE I");
    bench.hear(200, "ok");
    bench.hear(229, "(|||50000|)");
    let said = bench.tell(Input::Dialled(Ok("203.0.113.9:50000".parse().unwrap())));
    assert_eq!(
        said, "RETR a",
        "the first data connection is to be seen before anything is said in one flight"
    );
    bench.hear(150, "here");
    bench.ask(Ask::Finish { whole: true });
    assert_eq!(bench.hear(226, "done"), "done 226");
    assert_eq!(bench.ask(one_of_many("b")), "EPSV");
    bench.hear(229, "(|||50001|)");
    let said = bench.tell(Input::Dialled(Ok("203.0.113.9:50001".parse().unwrap())));
    assert_eq!(said, "RETR b, MDTM b, EPSV");
    bench.hear(150, "here");
    bench.ask(Ask::Finish { whole: true });
    bench
}

#[test]
fn the_next_port_is_asked_for_in_one_flight_with_the_transfer_before() {
    let mut bench = flying();
    assert_eq!(bench.hear(226, "done"), "", "what was said beside it is answered with it");
    assert_eq!(bench.hear(213, "20261125120000"), "done 226");
    assert_eq!(bench.machine.take_also().len(), 1);
    assert_eq!(bench.ask(one_of_many("c")), "", "the port was asked for already");
    assert_eq!(bench.hear(229, "(|||50002|)"), "dial 203.0.113.9:50002");
    let said = bench.tell(Input::Dialled(Ok("203.0.113.9:50002".parse().unwrap())));
    assert_eq!(said, "RETR c, MDTM c, EPSV");
    // All before the bytes have ended.
    for (code, text) in [(150, "here"), (226, "done"), (213, "20261125120000"), (229, "(|||50003|)")] {
        bench.hear(code, text);
    }
    assert_eq!(bench.ask(Ask::Finish { whole: true }), "done 226");
    assert_eq!(bench.ask(one_of_many("d")), "dial 203.0.113.9:50003");
}

#[test]
fn a_refusal_leaves_the_port_that_was_asked_for() {
    let mut bench = flying();
    bench.hear(226, "done");
    bench.hear(213, "20261125120000");
    bench.hear(229, "(|||50002|)");
    bench.ask(one_of_many("c"));
    bench.tell(Input::Dialled(Ok("203.0.113.9:50002".parse().unwrap())));
    assert_eq!(bench.hear(550, "no such file"), "drop, refused 550");
    assert_eq!(bench.hear(550, "no such file"), "", "that is MDTM's");
    assert!(bench.machine.take_also().is_empty());
    bench.hear(229, "(|||50003|)");
    assert_eq!(bench.ask(one_of_many("d")), "dial 203.0.113.9:50003");
}

#[test]
fn a_listing_between_files_changes_the_type_in_the_same_flight() {
    let mut bench = flying();
    for (code, text) in [(226, "done"), (213, "20261125120000"), (229, "(|||50002|)")] {
        bench.hear(code, text);
    }
    let list = TransferAsk::alone(Request::bare(Verb::List), 0, true);
    assert_eq!(bench.ask(Ask::Transfer(list)), "TYPE A, dial 203.0.113.9:50002");
    assert_eq!(bench.tell(Input::Dialled(Ok("203.0.113.9:50002".parse().unwrap()))), "LIST");
    bench.hear(200, "ASCII");
    assert_eq!(bench.hear(150, "here"), "open by EPSV");
}

#[test]
fn the_first_connection_that_fails_in_a_flight_ends_all_flights() {
    let mut bench = flying();
    for (code, text) in [(226, "done"), (213, "20261125120000"), (229, "(|||50002|)")] {
        bench.hear(code, text);
    }
    bench.ask(one_of_many("c"));
    let landed = bench.nobody();
    assert!(landed.ends_with("one command at a time from now on), EPSV"), "{landed}");
    assert_eq!(bench.machine.flights(), Flights::Never);
    bench.hear(229, "(|||50003|)");
    let said = bench.tell(Input::Dialled(Ok("203.0.113.9:50003".parse().unwrap())));
    assert_eq!(said, "RETR c", "the same rung, and one command at a time");
}

#[test]
fn what_a_server_loses_in_a_flight_costs_the_session_and_not_the_file() {
    let mut bench = flying();
    assert_eq!(bench.hear(226, "done"), "");
    bench.now += Duration::from_secs(10);
    assert_eq!(bench.tell(Input::Deadline), "done 226");
    assert_eq!(bench.machine.flights(), Flights::Never);
    assert!(bench.ask(one_of_many("c")).contains("closed"));
}

#[test]
fn nothing_is_said_in_one_flight_with_port() {
    let mut bench = Bench::new(SERVER);
    bench.machine.settings.rungs = vec![Rung::Active];
    bench.machine.settings.flights = Flights::Now;
    bench.machine.ascii = Some(false);
    assert_eq!(bench.ask(one_of_many("a")), "listen");
    bench.tell(Input::Listening(Ok("192.0.2.2:1025".parse().unwrap())));
    assert_eq!(bench.hear(200, "ok"), "RETR a, accept");
    bench.hear(150, "here");
    assert_eq!(bench.tell(Input::Accepted(Ok(()))), "open by active");
    bench.ask(Ask::Finish { whole: true });
    assert_eq!(bench.hear(226, "done"), "done 226");
    assert_eq!(bench.ask(one_of_many("b")), "listen");
}

/// The first file has come in blocks, and the data connection is open.
fn in_blocks() -> Bench {
    let mut bench = Bench::new(SERVER);
    assert_eq!(bench.ask(Ask::Mode(Mode::Block)), "MODE B");
    assert_eq!(bench.hear(200, "blocks"), "done 200");
    bench.fetch();
    bench.hear(200, "ok");
    bench.hear(229, "(|||50000|)");
    bench.tell(Input::Dialled(Ok("203.0.113.9:50000".parse().unwrap())));
    bench.hear(150, "here");
    bench.ask(Ask::Finish { whole: true });
    assert!(!bench.machine.keeps_link());
    assert_eq!(bench.hear(250, "stays open"), "done 250");
    assert!(bench.machine.keeps_link());
    bench
}

#[test]
fn in_blocks_the_data_connection_stays() {
    let mut bench = in_blocks();
    assert_eq!(bench.fetch(), "RETR a");
    assert_eq!(bench.hear(125, "open already"), "open by EPSV");
    bench.ask(Ask::Finish { whole: true });
    assert_eq!(bench.hear(250, "stays open"), "done 250");
    assert_eq!(bench.fetch(), "RETR a");
    assert_eq!(bench.hear(550, "no"), "refused 550", "a connection that is open is not dropped for that");
    assert_eq!(bench.fetch(), "RETR a");
    // The server has closed it: the ladder again.
    assert_eq!(bench.hear(425, "no connection"), "drop, EPSV");
}

#[test]
fn a_226_in_blocks_closes_the_data_connection() {
    let mut bench = in_blocks();
    bench.fetch();
    bench.hear(125, "open already");
    bench.ask(Ask::Finish { whole: true });
    bench.hear(226, "closing");
    assert!(!bench.machine.keeps_link());
    assert_eq!(bench.fetch(), "EPSV");
}

#[test]
fn in_blocks_transfers_are_asked_for_ahead_of_their_turn() {
    let mut bench = in_blocks();
    let retr = |name: &str| Request::new(Verb::Retr, name).unwrap();
    for name in ["a", "b", "c", "d"] {
        let ahead = Ask::Ahead { request: retr(name), ascii: false };
        assert_eq!(bench.ask(ahead), format!("RETR {name}"));
    }
    let turn = |name: &str| Ask::Transfer(TransferAsk::alone(retr(name), 0, false));
    assert_eq!(bench.ask(turn("a")), "");
    assert_eq!(bench.hear(125, "a"), "open by EPSV");
    // The server is ahead of us.
    for code in [250, 125, 250, 550] {
        assert_eq!(bench.hear(code, "early"), "");
    }
    assert_eq!(bench.ask(Ask::Finish { whole: true }), "done 250");
    assert_eq!(bench.ask(turn("b")), "open by EPSV");
    assert_eq!(bench.ask(Ask::Finish { whole: true }), "done 250");
    assert_eq!(bench.ask(turn("c")), "refused 550");
    assert_eq!(bench.ask(turn("d")), "");
    assert_eq!(bench.hear(125, "d"), "open by EPSV");
    bench.ask(Ask::Finish { whole: true });
    assert_eq!(bench.hear(250, "d"), "done 250");
    assert_eq!(bench.ask(turn("e")), "RETR e", "that was not said ahead");
}

#[test]
fn a_reply_that_nobody_waits_for_is_late_and_no_harm() {
    let mut bench = in_blocks();
    assert_eq!(bench.hear(200, "to a NOOP of long ago"), "");
    assert_eq!(bench.fetch(), "RETR a");
    assert_eq!(bench.hear(125, "open already"), "open by EPSV");
}

/// A transfer from a server that greets so, with its bytes under way.
fn moving(greeting: &str) -> Bench {
    let mut bench = Bench::new(SERVER);
    bench.ask(Ask::Login { user: b"anna".to_vec(), password: Secret::new("x"), account: None });
    bench.hear(220, greeting);
    bench.hear(230, "in");
    bench.fetch();
    bench.hear(200, "ok");
    bench.hear(229, "(|||50000|)");
    bench.tell(Input::Dialled(Ok("203.0.113.9:50000".parse().unwrap())));
    assert_eq!(bench.hear(150, "here"), "open by EPSV");
    bench
}

impl Bench {
    /// Waits as long as the machine wants.
    fn wait(&mut self) -> String {
        self.now = self.machine.poll_timeout().expect("something is waited for");
        self.tell(Input::Deadline)
    }
}

#[test]
fn noop_is_said_only_to_a_server_that_bears_it() {
    assert_eq!(moving("Microsoft FTP Service").machine.poll_timeout(), None);
    let mut bench = moving("(vsFTPd 3.0.3)");
    let began = bench.now;
    assert_eq!(bench.wait(), "NOOP");
    assert!(bench.now - began < Duration::from_secs(50), "a box may forget us after a minute");
    assert_eq!(bench.wait(), "NOOP");
}

#[test]
fn noops_that_are_answered_at_once_leave_nothing_owed() {
    let mut bench = moving("ProFTPD Server");
    bench.wait();
    assert_eq!(bench.hear(200, "NOOP: data transfer in progress"), "");
    assert_eq!(bench.ask(Ask::Finish { whole: true }), "");
    assert_eq!(bench.hear(226, "done"), "done 226");
}

#[test]
fn late_answers_to_noop_are_not_those_of_the_next_command() {
    // Behind the last word, and the last word before or after we ask for it.
    for early in [true, false] {
        let mut bench = moving("(vsFTPd 3.0.3)");
        bench.wait();
        bench.wait();
        if early {
            bench.hear(226, "done");
            bench.hear(200, "NOOP ok");
            assert_eq!(bench.machine.poll_timeout(), None, "no more NOOP once it is over");
            assert_eq!(bench.ask(Ask::Finish { whole: true }), "PWD");
        } else {
            assert_eq!(bench.ask(Ask::Finish { whole: true }), "");
            assert_eq!(bench.hear(226, "done"), "PWD");
            assert_eq!(bench.hear(200, "NOOP ok"), "");
        }
        assert_eq!(bench.hear(200, "NOOP ok"), "");
        assert_eq!(bench.hear(257, "\"/\""), "done 226");
        assert_eq!(bench.ask(Ask::Say(Request::bare(Verb::Noop))), "NOOP");
        assert_eq!(bench.hear(200, "ok"), "done 200");
    }
}

#[test]
fn a_server_that_swallows_noops_is_told_no_more_of_them() {
    let mut bench = moving("pyftpdlib 2.2.0 ready.");
    bench.wait();
    bench.ask(Ask::Finish { whole: true });
    assert_eq!(bench.hear(226, "done"), "PWD");
    assert_eq!(bench.hear(257, "\"/\""), "done 226");
    bench.fetch();
    bench.hear(229, "(|||50000|)");
    bench.tell(Input::Dialled(Ok("203.0.113.9:50000".parse().unwrap())));
    bench.hear(150, "here");
    assert_eq!(bench.machine.poll_timeout(), None);
}

#[test]
fn a_transfer_is_done_even_when_what_is_owed_never_comes() {
    for silent in [true, false] {
        let mut bench = moving("(vsFTPd 3.0.3)");
        bench.wait();
        bench.ask(Ask::Finish { whole: true });
        bench.hear(226, "done");
        let said = if silent { bench.wait() } else { bench.tell(Input::Closed) };
        assert_eq!(said, "done 226");
        // What comes late must not be taken for something else.
        assert!(bench.ask(Ask::Say(Request::bare(Verb::Noop))).contains("closed"));
    }
}

#[test]
fn a_refusal_is_a_refusal_with_or_without_noop() {
    let mut bench = moving("(vsFTPd 3.0.3)");
    bench.wait();
    bench.ask(Ask::Finish { whole: false });
    assert_eq!(bench.hear(426, "cut"), "PWD");
    bench.hear(200, "NOOP ok");
    assert_eq!(bench.hear(257, "\"/\""), "refused 426");
}

#[test]
fn a_noop_in_a_flight_is_told_from_what_else_is_in_it() {
    let mut bench = moving("(vsFTPd 3.0.3)");
    bench.ask(Ask::Finish { whole: true });
    bench.hear(226, "done");
    assert_eq!(bench.ask(one_of_many("b")), "EPSV");
    bench.hear(229, "(|||50001|)");
    let said = bench.tell(Input::Dialled(Ok("203.0.113.9:50001".parse().unwrap())));
    assert_eq!(said, "RETR b, MDTM b, EPSV");
    bench.hear(150, "here");
    assert_eq!(bench.wait(), "NOOP");
    assert_eq!(bench.hear(226, "done"), "");
    assert_eq!(bench.ask(Ask::Finish { whole: true }), "PWD");
    for (code, text) in [(213, "20261125120000"), (229, "(|||50002|)"), (200, "NOOP ok")] {
        assert_eq!(bench.hear(code, text), "");
    }
    assert_eq!(bench.hear(257, "\"/\""), "done 226");
    assert_eq!(bench.machine.take_also().len(), 1);
    assert_eq!(bench.ask(one_of_many("c")), "dial 203.0.113.9:50002", "the port came with the flight");
}

#[test]
fn a_transfer_of_a_whole_day_is_no_chatter() {
    for at_once in [true, false] {
        let mut bench = moving("(vsFTPd 3.0.3)");
        for _ in 0..2000 {
            assert_eq!(bench.wait(), "NOOP");
            if at_once {
                assert_eq!(bench.hear(200, "ok"), "");
            }
        }
        bench.ask(Ask::Finish { whole: true });
        assert_eq!(bench.hear(226, "done"), if at_once { "done 226" } else { "PWD" });
        if !at_once {
            (0..2000).for_each(|_| assert_eq!(bench.hear(200, "ok"), ""));
            assert_eq!(bench.hear(257, "\"/\""), "done 226");
        }
    }
}

#[test]
fn one_who_only_says_wait_is_given_up() {
    let mut bench = Bench::new(SERVER);
    bench.ask(Ask::Say(Request::bare(Verb::Noop)));
    let said = (0..2000).map(|_| bench.hear(120, "wait")).find(|said| !said.is_empty()).unwrap();
    assert!(said.contains("1000 replies and no answer"), "{said}");
}

#[test]
fn what_does_not_end_a_transfer_is_no_end_of_it() {
    for (code, says) in [(226, "open by EPSV"), (250, "open by EPSV"), (200, "OutOfStep"), (229, "OutOfStep")]
    {
        let said = Bench::commanded().hear(code, "done");
        assert!(said.contains(says), "{code}: {said}");
    }
}

#[test]
fn the_extended_way_to_tell_an_address_can_be_the_first() {
    let mut bench = Bench::new(SERVER);
    bench.machine.set_rungs(vec![Rung::Active], true);
    bench.fetch();
    bench.hear(200, "ok");
    let told = bench.tell(Input::Listening(Ok("192.0.2.2:1025".parse().unwrap())));
    assert_eq!(told, "EPRT |1|192.0.2.2|1025|");
    assert_eq!(bench.hear(500, "no"), "PORT 192,0,2,2,4,1");
}

#[test]
fn what_answers_another_command_is_no_last_word() {
    // The server dropped the transfer when it heard the EPSV behind it, and answers only that.
    let mut bench = flying();
    let said = bench.hear(229, "(|||50002|)");
    assert!(said.contains("unconfirmed") && !said.contains("done"), "{said}");
    assert_eq!(bench.machine.flights(), Flights::Never);
}

#[test]
fn a_type_that_was_said_by_itself_is_said_again_for_the_next_transfer() {
    let mut bench = in_blocks();
    assert_eq!(bench.ask(Ask::Say(Request::new(Verb::Type, "A").unwrap())), "TYPE A");
    assert_eq!(bench.hear(200, "ok"), "done 200");
    assert_eq!(bench.fetch(), "TYPE I, RETR a");
}

#[test]
fn a_part_of_a_file_is_asked_for_by_rang() {
    let mut bench = in_blocks();
    let part = TransferAsk {
        to: Some(300),
        ..TransferAsk::alone(Request::new(Verb::Retr, "a").unwrap(), 100, false)
    };
    assert_eq!(bench.ask(Ask::Transfer(part)), "RANG 100 299");
    assert_eq!(bench.hear(350, "bytes 100 to 299"), "RETR a");
}

#[test]
fn tls_comes_before_the_login_and_protection_before_the_first_transfer() {
    let mut bench = Bench::wanting(Tls::Prefer);
    assert_eq!(bench.log_in(), "");
    assert_eq!(bench.hear(220, "hello"), "AUTH TLS");
    assert_eq!(bench.hear(234, "go on"), "shake hands");
    assert_eq!(bench.machine.poll_timeout(), None, "the driver keeps the time of a handshake");
    assert_eq!(bench.tell(Input::Secured(Ok(()))), "USER anna");
    bench.hear(331, "password");
    assert_eq!(bench.hear(230, "in"), "done 230");
    assert!(!bench.machine.is_private());
    assert_eq!(bench.fetch(), "PBSZ 0");
    assert_eq!(bench.hear(200, "PBSZ=0"), "PROT P");
    assert_eq!(bench.hear(200, "ok"), "TYPE I");
    assert!(bench.machine.is_private());
    assert_eq!(bench.hear(200, "ok"), "EPSV");
    bench.hear(229, "(|||50000|)");
    bench.tell(Input::Dialled(Ok("203.0.113.9:50000".parse().unwrap())));
    bench.hear(150, "here");
    bench.ask(Ask::Finish { whole: true });
    bench.hear(226, "done");
    assert_eq!(bench.fetch(), "EPSV", "it is said once");
    // What a user says of it is heeded.
    let mut bench = Bench::wanting(Tls::Prefer);
    bench.machine.data = super::Data::Private;
    bench.ask(Ask::Say(Request::quote(b"prot c").unwrap()));
    bench.hear(200, "ok");
    assert!(!bench.machine.is_private());
    bench.machine.data = super::Data::Private;
    bench.ask(Ask::Say(Request::quote(b"rein").unwrap()));
    bench.hear(220, "ok");
    assert_eq!(bench.fetch(), "PBSZ 0");
}

#[test]
fn where_tls_is_not_offered_it_goes_on_in_the_clear_and_says_so() {
    let mut bench = Bench::wanting(Tls::Prefer);
    bench.log_in();
    bench.hear(220, "hello");
    let said = bench.hear(502, "what?");
    assert!(said.contains("does not offer TLS (502 what?)") && said.ends_with("USER anna"), "{said}");
    bench.hear(230, "in");
    assert_eq!(bench.fetch(), "TYPE I");
    // Nor does it fail where only data connections are not protected.
    let mut bench = Bench::wanting(Tls::Prefer);
    bench.machine.data = super::Data::Wanted;
    bench.fetch();
    assert_eq!(bench.hear(500, "what?"), "PROT P", "a server that knows no PBSZ may know PROT");
    let said = bench.hear(536, "no");
    assert!(
        said.contains("does not protect data connections (536 no)") && said.ends_with("TYPE I"),
        "{said}"
    );
}

#[test]
fn where_tls_is_demanded_nothing_is_said_without_it() {
    let mut bench = Bench::wanting(Tls::Require);
    bench.log_in();
    bench.hear(220, "hello");
    assert_eq!(bench.hear(504, "what?"), "AUTH SSL", "servers of old know it by this name");
    assert!(bench.hear(504, "what?").contains("NoTls"));
    let mut bench = Bench::wanting(Tls::Require);
    bench.log_in();
    bench.hear(220, "hello");
    bench.hear(234, "go on");
    let failed = bench.tell(Input::Secured(Err("not to be trusted".to_owned())));
    assert!(failed.contains("NoTls(\"not to be trusted\")"), "{failed}");
    assert!(bench.machine.is_closed());
    let mut bench = Bench::wanting(Tls::Require);
    bench.machine.data = super::Data::Wanted;
    bench.fetch();
    bench.hear(200, "PBSZ=0");
    assert!(bench.hear(534, "no").contains("NoTls"));
}

#[test]
fn a_server_that_falls_silent_or_hangs_up_on_auth_has_no_tls() {
    for how in [Input::Closed, Input::Deadline] {
        let mut bench = Bench::wanting(Tls::Prefer);
        bench.log_in();
        bench.hear(220, "hello");
        bench.now = bench.machine.poll_timeout().unwrap();
        let said = bench.tell(how);
        assert!(said.contains("NoTls") && said.contains("TLS was asked for"), "{said}");
    }
    // Before the greeting nothing was asked.
    let mut bench = Bench::wanting(Tls::Prefer);
    bench.log_in();
    assert!(bench.tell(Input::Closed).contains("Gone"));
}

#[test]
fn tls_from_the_first_byte_comes_before_the_greeting() {
    let mut bench = Bench::wanting(Tls::Implicit);
    assert_eq!(bench.ask(Ask::Greeting), "shake hands");
    assert_eq!(bench.tell(Input::Secured(Ok(()))), "");
    assert_eq!(bench.hear(220, "hello"), "done 220");
    assert_eq!(bench.log_in(), "USER anna", "the greeting was heard");
    bench.hear(230, "in");
    assert_eq!(bench.fetch(), "PBSZ 0");
}
