//! Replays under libtest: the file that `FATUM_REPLAY` names, and the files of `tests/regressions` before a sweep.

use super::Check;
use super::env::{Environment, TraceFormat};
use super::file::{self, FailureFile};
use super::program::Program;
use super::report::render_blocked;
use super::story::story;
use crate::Error;
use crate::sim::Run;
use std::io::Write;
use std::path::{Path, PathBuf};

impl Check {
    /// Replays regressions, sweeps, and panics with the report when anything fails. See [`super::check`].
    ///
    /// # Panics
    /// With the failure report, when a run fails or the environment cannot be read.
    pub fn assert_passes(&self, program: impl Program) {
        if let Err(page) = self.passes(&program) {
            panic!("{}\n\n{page}", self.name);
        }
    }

    /// The page to panic with, if anything failed.
    fn passes(&self, program: &dyn Program) -> Result<(), String> {
        let environment = Environment::read().map_err(|error| error.to_string())?;
        if let Some(path) = &environment.replay {
            let file = file::read(path).map_err(|error| error.to_string())?;
            if file.name == self.name {
                let page = self.replays(path, &file, &environment, program)?;
                // It was asked for, so that it is shown even of a test that passes.
                say(&page);
            }
            return Ok(());
        }
        for path in self.regressions().map_err(|error| error.to_string())? {
            let file = file::read(&path).map_err(|error| error.to_string())?;
            if file.name == self.name {
                self.replays(&path, &file, &environment, program)?;
            }
        }
        let check = environment.apply(self.clone());
        let report = check.sweep(program, &|_| {}).map_err(|error| error.to_string())?;
        if !report.is_passed() {
            return Err(check.render(&report));
        }
        if let Some(warning) = report.no_choices() {
            say(&format!("{}: warning: {warning}", self.name));
        }
        Ok(())
    }

    /// The files that are replayed first, sorted by name.
    pub(crate) fn regressions(&self) -> Result<Vec<PathBuf>, Error> {
        let Some(dir) = self.regressions_dir.as_ref().filter(|dir| dir.is_dir()) else {
            return Ok(Vec::new());
        };
        let entries = std::fs::read_dir(dir).map_err(|error| Error::io("list", dir, error))?;
        let mut paths: Vec<PathBuf> =
            entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
        paths.sort();
        Ok(paths)
    }

    /// The page of a replay, as an error unless it passes.
    fn replays(
        &self,
        path: &Path,
        file: &FailureFile,
        environment: &Environment,
        program: &dyn Program,
    ) -> Result<String, String> {
        let run = self.replay_file(path, file, program);
        let page = replay_page(path, file, &run, environment.trace);
        if run.end.is_passed() { Ok(page) } else { Err(page) }
    }
}

/// Says something beside a test that passes: not by a macro, whose text the harness would keep to itself.
fn say(text: &str) {
    // A test does not fail because nobody listens.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// What a replay shows: whether it is the same failure, the story, who waits, and the trace where wanted.
pub fn replay_page(path: &Path, file: &FailureFile, run: &Run, trace: Option<TraceFormat>) -> String {
    page(path, &replay_verdict(file, run), run, trace)
}

/// What the replay of a tape in a file of its own shows: how the run ends, and the rest of [`replay_page`].
pub fn tape_page(path: &Path, run: &Run, trace: Option<TraceFormat>) -> String {
    page(path, &format!("{} ({})", run.end.sentence(), met(run)), run, trace)
}

fn page(path: &Path, verdict: &str, run: &Run, trace: Option<TraceFormat>) -> String {
    let mut page = vec![format!("replay of {}: {verdict}", path.display()), String::new()];
    page.extend(story(run).into_iter().map(|line| format!("  {line}")));
    page.push(String::new());
    page.extend(render_blocked(run));
    match trace {
        Some(format) => page.push(format.render(&run.trace)),
        None => page.extend(crate::log::lines(&run.trace)),
    }
    page.join("\n")
}

/// How a replay compares with its file, in a sentence.
pub fn replay_verdict(file: &FailureFile, run: &Run) -> String {
    let met = met(run);
    if file.has_digests_of(run) && file.end == run.end {
        format!("reproduced, the same run to the last event ({met})")
    } else if file.end.signature() == run.end.signature() {
        format!("reproduced in an edited program ({met})")
    } else if run.end.is_passed() {
        format!("passes now ({met})")
    } else {
        format!("fails in another way, {} ({met})", run.end.kind())
    }
}

/// How much of the tape a replay met.
fn met(run: &Run) -> String {
    let matched = run.matched;
    format!("{} of {} deviations met", matched.met, matched.met + matched.unmatched)
}
