//! `fatum story`: what happened in the run of a failure file, in ten lines, and what the nearest run that passes has
//! otherwise.

use super::saved::Saved;
use super::{OK, output};
use crate::Error;
use crate::scenario::Registry;
use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
pub(super) struct Arguments {
    /// The failure file
    file: PathBuf,
}

impl Arguments {
    pub(super) fn carry_out(self, registry: &Registry) -> Result<u8, Error> {
        let saved = Saved::open(&self.file, registry)?;
        let run = saved.replay();
        saved.note_differences(&run);
        crate::check::story(&run).iter().for_each(|line| output::say(line));
        if let Some(nearest) = saved.scenario.check.nearest_passing(&run, saved.scenario.program()) {
            let beside = crate::trace::beside::lines(&run.trace, &nearest.run.trace);
            output::say("");
            beside.iter().for_each(|line| output::say(line));
        }
        Ok(OK)
    }
}
