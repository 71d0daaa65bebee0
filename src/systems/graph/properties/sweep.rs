//! What only several runs can show: that schedules do not change what completes, and that a dry run foretells a real
//! one. Separate because it sees summaries, not events; it must not know how runs were made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::history::{History, Past};
use super::{Violation, broken};
use crate::systems::graph::outcome::OutcomeIndices;

/// One run in summary. In the order of what is compared, then of what came of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunFacts {
    /// The actions: name, and what it waits for. Runs of one graph have equal lists.
    pub graph: Vec<(Arc<str>, BTreeSet<Arc<str>>)>,
    /// The events that had come before the run: those of an earlier run that it resumes.
    pub given: BTreeSet<Arc<str>>,
    /// It only said what it would do.
    pub dry_run: bool,
    /// Who failed.
    pub failed: BTreeSet<u32>,
    /// It stopped early.
    pub stopped: bool,
    /// The kind of its error.
    pub error: Option<&'static str>,
    /// Who completed.
    pub completed: BTreeSet<u32>,
    /// Who was left waiting.
    pub blocked: BTreeSet<u32>,
}

/// What must be equal for two runs to have to agree: the graph, what was given, dry or not, who failed.
type Question<'r> = (&'r [(Arc<str>, BTreeSet<Arc<str>>)], &'r BTreeSet<Arc<str>>, bool, &'r BTreeSet<u32>);

impl History {
    pub(super) fn facts(&self, error: Option<&'static str>, sets: &OutcomeIndices) -> RunFacts {
        let of = |past: &Past| (Arc::clone(&past.name), past.wants.clone());
        RunFacts {
            graph: self.actions.values().map(of).collect(),
            given: self.given.clone(),
            dry_run: self.settings.dry_run,
            failed: sets.failed.iter().copied().collect(),
            stopped: self.stop.is_some(),
            error,
            completed: sets.completed.iter().copied().collect(),
            blocked: sets.blocked.iter().copied().collect(),
        }
    }
}

/// Judges the runs of a sweep together; those that stopped early say nothing.
///
/// # Errors
/// `determinism`: two runs of one graph without failures completed or left different actions. `minimal-blockage`: two
/// in which the same actions failed did. `dry-run`: a dry run completed other actions than a real one without failures.
pub fn judge_sweep(runs: &[RunFacts]) -> Result<(), Violation> {
    let mut first: BTreeMap<Question<'_>, &RunFacts> = BTreeMap::new();
    for run in runs.iter().filter(|run| !run.stopped) {
        let known = *first.entry((&run.graph, &run.given, run.dry_run, &run.failed)).or_insert(run);
        if (&known.completed, &known.blocked) != (&run.completed, &run.blocked) {
            return match run.failed.is_empty() {
                true => differ("determinism", "two undisturbed runs", known, run),
                false => differ("minimal-blockage", "two runs with the same failures", known, run),
            };
        }
    }
    for ((graph, given, dry_run, failed), real) in &first {
        let foretold = first.get(&(*graph, *given, true, *failed)).filter(|_| !dry_run && failed.is_empty());
        if let Some(foretold) = foretold.filter(|foretold| foretold.completed != real.completed) {
            return differ("dry-run", "a dry and a real run", foretold, real);
        }
    }
    Ok(())
}

fn differ(property: &'static str, who: &str, one: &RunFacts, other: &RunFacts) -> Result<(), Violation> {
    let name = |action: &u32| one.graph.get(*action as usize).map_or("?", |(name, _)| name).to_owned();
    let mut names: Vec<String> = one.completed.symmetric_difference(&other.completed).map(name).collect();
    if names.is_empty() {
        names = one.blocked.symmetric_difference(&other.blocked).map(name).collect();
    }
    broken(property, format!("{who} of one graph differ in {}", names.join(", ")))
}
