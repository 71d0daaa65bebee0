//! `fatum shrink`: fewer deviations for a failure file, or the right ones for an edited program.

use super::saved::Saved;
use super::{OK, output};
use crate::Error;
use crate::check::file;
use crate::check::{Canonical, shrink, story};
use crate::scenario::Registry;
use clap::Args;
use std::path::{Path, PathBuf};

/// The result is written beside the file
#[derive(Args)]
pub(super) struct Arguments {
    /// The failure file
    file: PathBuf,
}

impl Arguments {
    pub(super) fn carry_out(self, registry: &Registry) -> Result<u8, Error> {
        let saved = Saved::open(&self.file, registry)?;
        let run = saved.replay();
        if !run.end.is_failure() {
            let message =
                format!("{} has nothing to shrink: its run {}", self.file.display(), run.end.sentence());
            return Err(Error::input(message));
        }
        saved.note_differences(&run);
        let before = run.tape.deviations();
        let program = saved.scenario.program();
        let shrunk = shrink(&saved.scenario.check, &program, &run, &mut Canonical::default());
        let after = shrunk.tape.deviations();
        output::say(&format!("from {before} deviations to {after} in {} runs", shrunk.runs));
        story(&shrunk.run).iter().for_each(|line| output::say(&format!("  {line}")));
        let smaller = saved.file.shrunk(&shrunk);
        if smaller.tape == saved.file.tape && smaller.end == saved.file.end {
            output::say("the file says so already");
            return Ok(OK);
        }
        let dir = self.file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        output::say(&format!("saved to {}", file::write(dir, &smaller)?.display()));
        Ok(OK)
    }
}
