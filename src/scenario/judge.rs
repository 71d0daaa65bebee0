//! A sweep of a scenario, set against what its file expects.
//!
//! Separate because the command line, tests and machines ask the same question; it must not print.

use super::expect::{Expect, signature};
use super::{Broken, Scenario};
use crate::Error;
use crate::check::file::{self, FailureFile};
use crate::check::{Failure, Report, Verdict};
use crate::runtime::End;
use crate::sim::Run;
use std::path::{Path, PathBuf};

/// What the sweep of a scenario came to.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// What the file expects.
    pub expect: Expect,
    /// The regressions that were replayed first and do not pass.
    pub regressions: Vec<Regression>,
    /// The sweep.
    pub report: Report,
    /// The property that all runs together broke.
    pub broken: Option<Broken>,
}

/// A failure file under `tests/regressions`, and its run as it is now.
#[derive(Clone, Debug)]
pub struct Regression {
    /// Its path.
    pub path: PathBuf,
    /// What it says.
    pub file: FailureFile,
    /// Its run.
    pub run: Run,
}

impl Scenario {
    /// Replays the scenario's regressions and sweeps it; `progress` hears of runs done.
    ///
    /// # Errors
    /// A failure file cannot be written, or a regression file not be read.
    pub fn sweep(&self, progress: &(dyn Fn(u64) + Sync)) -> Result<Judgement, Error> {
        let regressions = self.regressions()?;
        let report = self.check.sweep(self.program(), progress)?;
        let broken = self.subject().judge_sweep().err();
        Ok(Judgement { expect: self.expect.clone(), regressions, report, broken })
    }

    /// The run of a seed as a sweep makes it, with its trace.
    pub fn run_seed(&self, seed: u64) -> Run {
        self.check.run_seed(seed, self.program())
    }

    fn regressions(&self) -> Result<Vec<Regression>, Error> {
        let mut failing = Vec::new();
        for path in self.check.regressions()? {
            let file = file::read(&path)?;
            if file.scenario.as_deref().is_some_and(|scenario| is_same(scenario, Path::new(&self.name))) {
                let run = self.check.replay_file(&path, &file, self.program());
                if !run.end.is_passed() {
                    failing.push(Regression { path, file, run });
                }
            }
        }
        Ok(failing)
    }
}

/// Whether two paths lead to one file, however they are written.
fn is_same(a: &Path, b: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    a == b || real(a).is_some_and(|a| Some(a) == real(b))
}

impl Judgement {
    /// Whether the sweep ended as the file expects.
    pub fn is_as_expected(&self) -> bool {
        let only_expected = self.unexpected().next().is_none()
            && self.regressions.iter().all(|regression| self.expects(&regression.run.end))
            && self.broken.as_ref().is_none_or(|broken| self.expects_broken(broken));
        only_expected
            && match &self.expect {
                Expect::Passed => self.report.is_passed(),
                Expect::Ends { kind: "out-of-budget", .. } => self.report.inconclusive_runs > 0,
                Expect::Ends { .. } => !self.report.failures.is_empty() || self.broken.is_some(),
            }
    }

    /// The failures that the file does not expect.
    pub fn unexpected(&self) -> impl Iterator<Item = &Failure> {
        self.report.failures.iter().filter(|failure| !self.expects(&failure.end))
    }

    /// The failure that tells most: one that is not expected, else the first.
    pub fn failure(&self) -> Option<&Failure> {
        self.unexpected().next().or(self.report.failures.first())
    }

    /// How the sweep ended, in the words in which files expect it.
    pub fn verdict(&self) -> String {
        let of_runs = |end: &End| signature(end.kind(), end.property());
        let of_all = |broken: &Broken| signature("violated", Some(&broken.property));
        let is_new = |broken: &&Broken| !self.expects_broken(broken);
        let unexpected = self.unexpected().next().map(|failure| of_runs(&failure.end));
        unexpected
            .or_else(|| self.broken.as_ref().filter(is_new).map(of_all))
            .or_else(|| self.report.failures.first().map(|failure| of_runs(&failure.end)))
            .or_else(|| self.regressions.first().map(|regression| of_runs(&regression.run.end)))
            .or_else(|| self.broken.as_ref().map(of_all))
            .unwrap_or_else(|| match self.report.verdict {
                Verdict::Inconclusive if self.report.runs == 0 => "no runs".to_owned(),
                Verdict::Inconclusive => "out-of-budget".to_owned(),
                Verdict::Passed | Verdict::Failed | Verdict::Uncovered(_) => {
                    self.report.verdict.name().to_owned()
                }
            })
    }

    /// Whether the file expects all runs together to break it.
    fn expects_broken(&self, broken: &Broken) -> bool {
        let Expect::Ends { kind: "violated", property: Some(property) } = self.expect else { return false };
        broken.property == property
    }

    /// Whether the file expects runs to end so.
    pub fn expects(&self, end: &End) -> bool {
        match &self.expect {
            Expect::Passed => false,
            Expect::Ends { kind, property } => end.signature() == (*kind, *property),
        }
    }
}
