//! `fatum replay`: the run of a failure file once more, compared with what the file says.

use super::saved::Saved;
use super::{OK, diverged_code, output};
use crate::Error;
use crate::check::replay_page;
use crate::scenario::Registry;
use clap::Args;
use std::path::PathBuf;

/// Exits with the code of the kind of end when it is reproduced, 0 when the run passes, 18 when it fails in another
/// way: so `git bisect run fatum replay FILE` finds the commit
#[derive(Args)]
pub(super) struct Arguments {
    /// The failure file
    file: PathBuf,
}

impl Arguments {
    pub(super) fn carry_out(self, registry: &Registry) -> Result<u8, Error> {
        let saved = Saved::open(&self.file, registry)?;
        let run = saved.replay();
        output::say(&replay_page(&saved.path, &saved.file, &run, None));
        Ok(if run.end.is_passed() {
            OK
        } else if run.end.signature() == saved.file.end.signature() {
            run.end.exit_code()
        } else {
            diverged_code()
        })
    }
}
