//! All that is found out of one situation.

use std::path::Path;

use twoport_netns::Result;

use crate::attempt::{self, Attempt};
use crate::programs::{Diagnosis, Fetched, Program, diagnose};
use crate::{Situation, Stage};

/// What came of a situation.
#[derive(Debug, Clone)]
pub struct Report {
    /// Which.
    pub situation: Situation,
    /// The four modes, by our own client with nothing else to try.
    pub attempts: Vec<Attempt>,
    /// The clients that people have.
    pub clients: Vec<(Program, Fetched)>,
    /// What the doctor says, where it comes to an end.
    pub diagnosis: Option<Diagnosis>,
}

impl Report {
    /// Builds a situation, tries everything, and removes it.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn of(situation: &Situation, twoport: &Path) -> Result<Report> {
        let stage = Stage::build(situation, twoport)?;
        let attempts = attempt::all(&stage)?;
        // They are nearly all waiting.
        let clients = std::thread::scope(|scope| {
            let stage = &stage;
            let running =
                Program::ALL.map(|program| scope.spawn(move || (program, program.fetch(stage, twoport))));
            running.into_iter().filter_map(|thread| thread.join().ok()).collect()
        });
        let diagnosis = diagnose(&stage, twoport);
        Ok(Report { situation: *situation, attempts, clients, diagnosis })
    }
}
