//! What only several runs can show: that schedules do not change what completes, and that a dry run foretells a real
//! one. Separate because it sees summaries, not events; it must not know how runs were made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::history::History;
use super::{Violation, broken};
use crate::systems::graph::outcome::OutcomeIndices;

/// One run in summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFacts {
    /// The actions: name, and what it waits for. Runs of one graph have equal lists.
    pub graph: Vec<(Arc<str>, BTreeSet<Arc<str>>)>,
    /// It only said what it would do.
    pub dry_run: bool,
    /// It stopped early, or an action failed.
    pub disturbed: bool,
    /// The kind of its error.
    pub error: Option<&'static str>,
    /// Who completed.
    pub completed: BTreeSet<u32>,
    /// Who was left waiting.
    pub blocked: BTreeSet<u32>,
}

impl History {
    pub(super) fn facts(&self, error: Option<&'static str>, sets: &OutcomeIndices) -> RunFacts {
        let of = |past: &super::history::Past| (Arc::clone(&past.name), past.wants.clone());
        RunFacts {
            graph: self.actions.values().map(of).collect(),
            dry_run: self.settings.dry_run,
            disturbed: self.stop.is_some() || !sets.failed.is_empty(),
            error,
            completed: sets.completed.iter().copied().collect(),
            blocked: sets.blocked.iter().copied().collect(),
        }
    }
}

/// Judges the runs of a sweep together.
///
/// # Errors
/// `determinism`: two undisturbed runs of one graph completed or left different actions. `dry-run`: a dry run
/// completed other actions than an undisturbed real run.
pub fn judge_sweep(runs: &[RunFacts]) -> Result<(), Violation> {
    let mut first: BTreeMap<(&[_], bool), &RunFacts> = BTreeMap::new();
    for run in runs.iter().filter(|run| !run.disturbed) {
        let known = *first.entry((&run.graph, run.dry_run)).or_insert(run);
        if (&known.completed, &known.blocked) != (&run.completed, &run.blocked) {
            return differ("determinism", "two undisturbed runs", known, run);
        }
    }
    for ((graph, dry_run), real) in &first {
        let foretold = first.get(&(*graph, true)).filter(|_| !dry_run);
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
