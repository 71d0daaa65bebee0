//! `fatum replay`: the run of a failure file once more, compared with what the file says.

use super::saved::Saved;
use super::{OK, diverged_code, output};
use crate::Error;
use crate::check::{Environment, TraceFormat, file, replay_page, tape_page};
use crate::choice::tape::Tape;
use crate::scenario::{Registry, Scenario};
use clap::Args;
use std::path::{Path, PathBuf};

/// The run could not be made: what tells `git bisect run` to skip the commit.
pub(super) const SKIP: u8 = 125;

/// Exits with the code of the kind of end when it is reproduced, 0 when the run passes, 18 when it fails in another
/// way, 125 when it cannot be made as the file or its scenario is missing or of another format: so `git bisect run
/// fatum replay FILE` finds the commit, and skips those that have no such scenario. FATUM_TRACE=text, jsonl or perfetto prints
/// the whole trace
#[derive(Args)]
pub(super) struct Arguments {
    /// The failure file
    file: PathBuf,
    /// The scenario that a tape is of which stands in FILE alone, as a fuzzer keeps it; exits as `fatum run` does
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
}

impl Arguments {
    pub(super) fn carry_out(self, registry: &Registry) -> Result<u8, Error> {
        let trace = Environment::read()?.trace;
        if let Some(scenario) = &self.scenario {
            return Ok(self.replay_bare(scenario, registry, trace).unwrap_or_else(|error| {
                output::complain(&error);
                SKIP
            }));
        }
        let saved = match Saved::open(&self.file, registry) {
            Ok(saved) => saved,
            Err(error) => {
                output::complain(&error);
                return Ok(SKIP);
            }
        };
        let run = saved.replay();
        output::say(&replay_page(&saved.path, &saved.file, &run, trace));
        Ok(if run.end.is_passed() {
            OK
        } else if run.end.signature() == saved.file.end.signature() {
            run.end.exit_code()
        } else {
            diverged_code()
        })
    }

    /// The run of a tape that does not say what it is of.
    fn replay_bare(
        &self,
        scenario: &Path,
        registry: &Registry,
        trace: Option<TraceFormat>,
    ) -> Result<u8, Error> {
        let tape = Tape::parse(&file::read_text(&self.file, file::SIZE_MAX)?, &self.file)?;
        let scenario = Scenario::read(scenario, registry)?;
        let run = scenario.check.replay_bare(&self.file, &tape, scenario.program());
        output::say(&tape_page(&self.file, &run, trace));
        Ok(run.end.exit_code())
    }
}
