//! `fatum diff`: where two runs first differ.

use super::saved::Saved;
use super::{OK, output};
use crate::Error;
use crate::scenario::Registry;
use crate::trace::diff;
use clap::Args;
use std::path::PathBuf;

/// Prints the last events that both runs have, and the next of each. Without a second file, the first is compared with
/// its nearest passing run: the one that lacks a single deviation and is equal for longest
#[derive(Args)]
pub(super) struct Arguments {
    /// A failure file
    file: PathBuf,
    /// Another, of the same scenario or of its twin
    other: Option<PathBuf>,
}

impl Arguments {
    pub(super) fn carry_out(self, registry: &Registry) -> Result<u8, Error> {
        let saved = Saved::open(&self.file, registry)?;
        let run = saved.replay();
        saved.note_differences(&run);
        let name = self.file.display().to_string();
        let (other, other_name) = match &self.other {
            Some(path) => {
                let other = Saved::open(path, registry)?;
                (other.replay(), path.display().to_string())
            }
            None => {
                let check = &saved.scenario.check;
                let nearest = check.nearest_passing(&run, saved.scenario.program()).ok_or_else(|| {
                    let count = run.tape.deviations();
                    Error::input(format!("{name} has no passing run beside it: of its {count} deviations, it fails without any one"))
                        .help("shrink it first (`fatum shrink FILE`), or name a second file")
                })?;
                (nearest.run, "the nearest passing run".to_owned())
            }
        };
        match diff::first(&run.trace, &other.trace) {
            Some(difference) => {
                difference.lines(&name, &other_name).iter().for_each(|line| output::say(line))
            }
            None => output::say(&format!("no difference in {} events", run.trace.events.len())),
        }
        Ok(OK)
    }
}
