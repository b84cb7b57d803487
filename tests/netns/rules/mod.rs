//! The rules that the generator writes, really loaded: every cell of whose firewall, mode, helper or TLS, family and dialect,
//! where everything is dropped that no rule lets through. A cell works with its rules, does not without them, and does not
//! with those of the other mode either; and its rules open nothing else.

mod cannot;
mod cell;
mod guard;
mod lab;
mod pair;
mod whole;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::Duration;

use twoport_plan::firewall::{self, Dialect};
use twoport_plan::flow::{Active, Site};

use cell::{Cell, Secrecy};
use lab::Lab;

use crate::netns::iptables::{self, Family};

/// Cells at the same time. Nearly all of the time of one is waiting for what does not come.
const AT_ONCE: usize = 12;

#[test]
fn every_cell_of_nftables_works_with_its_rules_and_not_without() {
    if crate::netns::have() {
        try_all(Cell::all(Dialect::Nftables), attempt);
    }
}

#[test]
fn every_cell_of_iptables_works_with_its_rules_and_not_without() {
    if crate::netns::have() && iptables::have() {
        try_all(Cell::all(Dialect::Iptables), attempt);
    }
}

/// A helper watches the ports that it is told, and behind TLS from the first byte there is a range as behind AUTH.
#[test]
fn other_doors_than_port_21_open_in_the_same_way() {
    if !crate::netns::have() {
        return;
    }
    let mut cells = Vec::new();
    for (door, secrecy) in [(2121, Secrecy::Helped), (2121, Secrecy::Plain), (990, Secrecy::Tls)] {
        let there = dialects().into_iter().flat_map(Cell::all).filter(|cell| cell.secrecy == secrecy);
        cells.extend(there.map(|cell| Cell { door, ..cell }));
    }
    // The port from which the server connects is the same for all; other people's clients are tried at 21 only.
    cells.retain(|cell| cell.active == Active::On && cell.announcer().is_none());
    try_all(cells, |cell| {
        let lab = Lab::of(cell, &[]);
        let rules = cell.rules(cell.mode).map_err(|conflict| conflict.to_string())?;
        lab.guard.drop_all();
        lab.load(&rules);
        lab.pair.works(Family::V4)?;
        lab.pair.works(Family::V6)
    });
}

/// `--client` at the server's sides: who is named comes in, and who is not does not.
#[test]
fn clients_that_are_named_come_in_alone() {
    if !crate::netns::have() {
        return;
    }
    let cells = dialects().into_iter().flat_map(Cell::all);
    let cells = cells.filter(|cell| cell.side.is_servers() && cell.active == Active::On);
    try_all(cells.collect(), |cell| {
        let lab = Lab::of(cell, &[]);
        let under = |clients: [&str; 2]| {
            let clients = clients.map(|client| client.parse().expect("a network")).into();
            let site = Site { clients, ..cell.site() };
            lab.guard.drop_all();
            firewall::rules(&site, cell.side, cell.mode, cell.dialect)
                .map(|rules| lab.load(&rules))
                .map_err(|conflict| conflict.to_string())
        };
        under(["192.0.2.3", "2001:db8:3::/64"])?;
        lab.pair.fails(Family::V4)?;
        lab.pair.fails(Family::V6)?;
        under(["192.0.2.2", "2001:db8:2::/64"])?;
        lab.pair.works(Family::V4)?;
        lab.pair.works(Family::V6)
    });
}

/// As the head of each says, and until the next load nothing of them is left.
#[test]
fn what_was_loaded_can_be_undone_and_loaded_again() {
    if !crate::netns::have() {
        return;
    }
    let mut cells: Vec<Cell> = dialects().into_iter().flat_map(Cell::all).collect();
    // What undoing meets differs by helper and NAT.
    cells.retain(|cell| cell.secrecy != Secrecy::Tls && cell.active == Active::On);
    try_all(cells, |cell| {
        let lab = Lab::of(cell, &[]);
        let rules = cell.rules(cell.mode).map_err(|conflict| conflict.to_string())?;
        lab.guard.drop_all();
        let before = lab.guard.rules_now();
        lab.load(&rules);
        let loaded = lab.guard.rules_now();
        if loaded == before {
            return Err("nothing was loaded".to_owned());
        }
        lab.guard.undo(&rules);
        if lab.guard.rules_now() != before {
            return Err(format!(
                "after undoing there is\n{}\nand before loading there was\n{before}",
                lab.guard.rules_now()
            ));
        }
        if cell.dialect == Dialect::Iptables {
            // "Again as often as you like."
            lab.load(&rules);
        }
        lab.load(&rules);
        if lab.guard.rules_now() != loaded {
            return Err(format!("loaded again there is\n{}\nand was\n{loaded}", lab.guard.rules_now()));
        }
        Ok(())
    });
}

/// Those that can be loaded here.
fn dialects() -> Vec<Dialect> {
    let mut dialects = vec![Dialect::Nftables];
    dialects.extend(iptables::have().then_some(Dialect::Iptables));
    dialects
}

/// Tries cells side by side; each that is wrong is told.
#[track_caller]
fn try_all(cells: Vec<Cell>, attempt: impl Fn(Cell) -> Result<(), String> + Sync) {
    let (count, cells, wrong) = (cells.len(), Mutex::new(cells.into_iter()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(cell) = { cells.lock().unwrap().next() } {
                    let tried = catch_unwind(AssertUnwindSafe(|| attempt(cell)));
                    match tried {
                        Ok(Ok(())) => println!("ok: {cell}"),
                        Ok(Err(why)) => wrong.lock().unwrap().push(format!("{cell}: {why}")),
                        Err(_) => wrong.lock().unwrap().push(format!("{cell}: panicked, as printed above")),
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {count} cells are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn attempt(cell: Cell) -> Result<(), String> {
    let lab = Lab::of(cell, &[]);
    let each = |what: &str, look: &dyn Fn(Family) -> Result<(), String>| {
        let looked = |family| look(family).map_err(|why| format!("{family:?}, {what}: {why}"));
        looked(Family::V4).and_then(|()| looked(Family::V6))
    };
    // An open network answers wherever it is asked: a knock that is not answered later was dropped.
    each("in an open network", &|family| match lab.knocks(family, Duration::from_secs(20)) {
        (_, silent) if silent.is_empty() => Ok(()),
        (_, silent) => Err(format!("no answer: {silent:?}")),
    })?;
    lab.guard.drop_all();
    each("without rules", &|family| lab.pair.fails(family).map(drop))?;
    lab.load(&cell.rules(cell.other_mode()).map_err(|conflict| conflict.to_string())?);
    each("with rules of the other mode", &|family| lab.pair.data_fails(family))?;
    lab.guard.drop_all();
    let rules = cell.rules(cell.mode).map_err(|conflict| conflict.to_string())?;
    if cell.printed(cell.mode) != rules {
        return Err(format!("twoport firewall prints other rules:\n{}", cell.printed(cell.mode)));
    }
    lab.load(&rules);
    let seen = |why: String| format!("{why}\n{}", lab.guard.host.seen());
    each("with its rules", &|family| lab.pair.works(family).map_err(seen))?;
    each("with its rules", &|family| match lab.knocks(family, Duration::from_millis(300)) {
        (open, _) if open.is_empty() => Ok(()),
        (open, _) => Err(seen(format!("more is open than is needed: {open:?}"))),
    })
}
