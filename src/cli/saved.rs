//! A failure file together with the scenario that it repeats: what `replay`, `shrink`, `story` and `trace` begin with.
//!
//! It must not judge the run.

use super::invoked::invoked_as;
use super::output;
use crate::Error;
use crate::check::Perturbation;
use crate::check::file::{self, FailureFile};
use crate::choice::tape::Tape;
use crate::scenario::{Registry, Scenario};
use crate::sim::Run;
use std::path::{Path, PathBuf};

/// A failure file and its scenario.
pub(super) struct Saved {
    pub(super) path: PathBuf,
    pub(super) file: FailureFile,
    pub(super) scenario: Scenario,
}

impl Saved {
    /// Reads both.
    pub(super) fn open(path: &Path, registry: &Registry) -> Result<Saved, Error> {
        let file = file::read(path).map_err(|error| bare(path).unwrap_or(error))?;
        let Some(scenario) = &file.scenario else {
            let message =
                format!("{} is of the Rust test `{}`, not of a scenario", path.display(), file.name);
            let command = file.replay.replace("FILE", &path.display().to_string());
            return Err(Error::input(message).help(format!("repeat it with: {command}")));
        };
        if !scenario.exists() {
            let message =
                format!("{} repeats a run of {}, which is gone", path.display(), scenario.display());
            let help = "run this where that path leads to the scenario, or change `scenario` in the file";
            return Err(Error::input(message).help(help));
        }
        let mut scenario = Scenario::read(scenario, registry)?;
        scenario.check.invoked_as = invoked_as();
        (scenario.check.strategy, scenario.check.calibration) = (file.strategy, file.calibration.clone());
        // A cancellation is asked about in no other run.
        scenario.check.points = Perturbation::of_tape(&file.tape).or(scenario.check.points);
        Ok(Saved { path: path.to_owned(), file, scenario })
    }

    /// The run of the file's tape, with its trace.
    pub(super) fn replay(&self) -> Run {
        self.scenario.check.replay_file(&self.path, &self.file, self.scenario.program())
    }

    /// Notes it when the run is not the one that the file is about.
    pub(super) fn note_differences(&self, run: &Run) {
        if !self.file.has_digests_of(run) {
            output::note(&format!("note: {}", crate::check::replay_verdict(&self.file, run)));
        }
    }
}

/// What to say of a file that holds a tape and nothing else, if it does.
fn bare(path: &Path) -> Option<Error> {
    let text = file::read_text(path, file::SIZE_MAX).ok()?;
    Tape::parse(&text, path).ok().filter(|tape| !tape.is_empty())?;
    let message = format!("{} is a tape alone, and does not say which scenario it is of", path.display());
    Some(Error::input(message).help(format!(
        "name it: {} replay {} --scenario FILE",
        invoked_as(),
        path.display()
    )))
}
