//! Action graphs in scenario files.
//!
//! Stands here and not in `systems`, which comes before the scenarios and knows none: an engine is used without
//! them. It must not know how graphs work, only how one is put into a world.

use super::{Broken, Section, Subject, System};
use crate::Error;
use crate::choice::fault::{SITE_LATE, SITE_STALL};
use crate::property;
use crate::sim::Sim;
use crate::systems::graph::planner::PlanError;
use crate::systems::graph::properties::{NAMES, install};
use crate::systems::graph::workload::{GraphSource, StepResult, Workload, run};
use crate::systems::graph::{GraphEvent, Punctuality, RunFacts, Variant, judge_sweep};
use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// The system `graph`: executors that run a graph of actions, each waiting for events that others signal.
#[derive(Clone, Copy, Debug, Default)]
pub struct Graph;

/// What a sweep may be required to reach.
const PLACES: [&str; 8] = [
    "run-complete",
    "run-stopped",
    "action-failed",
    "action-retried",
    "action-refused",
    "action-blocked",
    "action-not-started",
    "action-abandoned",
];

static VARIANTS: LazyLock<Vec<&'static str>> = LazyLock::new(|| Variant::ALL.map(Variant::name).to_vec());

impl System for Graph {
    fn name(&self) -> &'static str {
        "graph"
    }

    fn about(&self) -> &'static str {
        "executors that run a graph of actions, each waiting for events that others signal"
    }

    fn variants(&self) -> &[&'static str] {
        &VARIANTS
    }

    fn properties(&self) -> &[&'static str] {
        &NAMES
    }

    fn places(&self) -> &[&'static str] {
        &PLACES
    }

    fn sites(&self) -> &[&'static str] {
        &["action.run", "cloud.get"]
    }

    fn example(&self) -> &'static str {
        include_str!("graph.toml")
    }

    fn load(&self, section: &Section<'_>) -> Result<Box<dyn Subject>, Error> {
        let mut workload: Workload = section.workload()?;
        if workload.executor.variant != Variant::Correct {
            let error = Error::input("the variant is a key of the file, not of the executor");
            return Err(section.error(error.help("write `variant = \"…\"` below `system`")));
        }
        let variant = section.variant().parse();
        workload.executor.variant =
            variant.map_err(|error| section.error(Error::input(format!("{error}"))))?;
        let places = section.places().iter().copied().collect();
        Ok(Box::new(Shared(Arc::new(Loaded {
            workload: Arc::new(workload),
            places,
            known: Mutex::default(),
        }))))
    }
}

/// Shared with the mains of its runs.
struct Shared(Arc<Loaded>);

/// A workload, and what its runs came to.
struct Loaded {
    workload: Arc<Workload>,
    places: BTreeSet<&'static str>,
    known: Mutex<Known>,
}

/// Outcomes that are remembered over a sweep, at most: a bound on memory where every run draws another graph.
const KNOWN_MAX: usize = 10_000;

/// The different outcomes of runs that did not stop early. Beyond the bound it keeps the smallest, so that what is
/// known at the end does not depend on the order of the runs.
#[derive(Default)]
struct Known(BTreeSet<RunFacts>);

impl Known {
    fn note(&mut self, facts: RunFacts) {
        if facts.stopped {
            return;
        }
        self.0.insert(facts);
        if self.0.len() > KNOWN_MAX {
            self.0.pop_last();
        }
    }
}

impl Subject for Shared {
    fn set_up(&self, sim: &mut Sim) {
        self.0.watch_places(sim);
        let may_be_late = sim.faults().speaks_of(SITE_STALL) || sim.faults().speaks_of(SITE_LATE);
        let facts = install(sim, if may_be_late { Punctuality::Late } else { Punctuality::Exact });
        let loaded = Arc::clone(&self.0);
        sim.run(async move {
            for workload in loaded.rehearsal_and_run() {
                refused(run(&workload).await.steps)?;
            }
            let mut known = loaded.known.lock().unwrap_or_else(PoisonError::into_inner);
            facts.runs().into_iter().for_each(|facts| known.note(facts));
            Ok::<(), String>(())
        });
    }

    fn judge_sweep(&self) -> Result<(), Broken> {
        let known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        judge_sweep(&known.0.iter().cloned().collect::<Vec<_>>())
            .map_err(|violation| Broken { property: violation.property.to_owned(), detail: violation.detail })
    }
}

impl Loaded {
    /// The workload; a dry run is followed by a real one of the same graph, which it must foretell. A graph that is
    /// drawn anew each time can be compared with no other.
    fn rehearsal_and_run(&self) -> Vec<Arc<Workload>> {
        let mut all = vec![Arc::clone(&self.workload)];
        if self.workload.executor.dry_run && !matches!(self.workload.graph, GraphSource::Random(_)) {
            let mut real = (*self.workload).clone();
            real.executor.dry_run = false;
            all.push(Arc::new(real));
        }
        all
    }

    fn watch_places(&self, sim: &mut Sim) {
        for &place in &self.places {
            sim.reachable(place);
        }
        if self.places.is_empty() {
            return;
        }
        sim.fold::<GraphEvent, _>("places", self.places.clone(), |wanted, _, event| {
            let reached = places_of(event).into_iter().filter(|place| wanted.contains(place));
            reached.for_each(property::reachable);
            Ok(())
        });
    }
}

fn places_of(event: &GraphEvent) -> Vec<&'static str> {
    match event {
        GraphEvent::Stopped { .. } => vec!["run-stopped"],
        GraphEvent::Refused { .. } => vec!["action-refused"],
        GraphEvent::Attempt { attempt: 2.., .. } => vec!["action-retried"],
        GraphEvent::Finished { error: Some(_), .. } => vec!["action-failed"],
        GraphEvent::RunFinished { error, sets, .. } => [
            ("run-complete", error.is_none()),
            ("action-blocked", !sets.blocked.is_empty()),
            ("action-not-started", !sets.not_started.is_empty()),
            ("action-abandoned", !sets.abandoned.is_empty()),
        ]
        .into_iter()
        .filter_map(|(place, is_reached)| is_reached.then_some(place))
        .collect(),
        _ => Vec::new(),
    }
}

fn refused(steps: Vec<(&'static str, StepResult)>) -> Result<(), String> {
    let refused = steps.into_iter().find_map(|(name, result)| match result {
        StepResult::Refused(why) => Some(format!("the step {name} was refused: {why}")),
        // What there is could not be fetched: a fault, and no plan is right then.
        StepResult::Unplanned(why) if matches!(*why, PlanError::Closure(_)) => None,
        StepResult::Unplanned(why) => Some(format!("the step {name} has no plan: {why}")),
        StepResult::Complete(_) | StepResult::Incomplete(_) | StepResult::Overdue => None,
    });
    refused.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run of a graph of its own, in which nothing failed.
    fn facts(name: usize, completed: bool) -> RunFacts {
        RunFacts {
            graph: vec![(format!("{name:06}").into(), BTreeSet::new())],
            given: BTreeSet::new(),
            dry_run: false,
            failed: BTreeSet::new(),
            stopped: false,
            error: None,
            completed: completed.then_some(0).into_iter().collect(),
            blocked: BTreeSet::new(),
        }
    }

    #[test]
    fn what_is_kept_of_many_graphs_does_not_depend_on_the_order_of_the_runs() {
        let all: Vec<RunFacts> = (0..KNOWN_MAX + 50).map(|name| facts(name, true)).collect();
        let (mut forth, mut back) = (Known::default(), Known::default());
        all.iter().cloned().for_each(|facts| forth.note(facts));
        all.iter().rev().cloned().for_each(|facts| back.note(facts));
        assert_eq!(forth.0.len(), KNOWN_MAX);
        assert_eq!(forth.0, back.0);
        // Two runs of one graph that differ are both kept, whichever came first.
        forth.note(facts(7, false));
        assert!(judge_sweep(&forth.0.into_iter().collect::<Vec<_>>()).is_err());
    }
}
