//! What a run was: data only.

use super::Sim;
use super::drive::Limit;
use crate::choice::Matched;
use crate::choice::tape::Tape;
use crate::runtime::diagnosis::{add_senders, diagnose};
use crate::runtime::world::World;
use crate::runtime::{Blocked, Cancels, Diagnosis, End, Leftovers, SiteStats, current, step, wait};
use crate::trace::{Digests, Trace};
use std::collections::BTreeMap;
use std::time::Duration;

/// A run that is over.
#[derive(Clone, Debug)]
pub struct Run {
    /// The seed; 0 when the source was no seed.
    pub seed: u64,
    /// How it ended.
    pub end: End,
    /// Polls.
    pub steps: u64,
    /// Tasks spawned.
    pub tasks: u32,
    /// Virtual time that passed.
    pub time: Duration,
    /// The two digests.
    pub digests: Digests,
    /// Picks among two ready tasks or more.
    pub picks: u64,
    /// Faults that fired.
    pub faults_fired: u64,
    /// Counts per site.
    pub sites: Vec<SiteStats>,
    /// Hits per `sometimes` and `reachable`.
    pub coverage: BTreeMap<&'static str, u64>,
    /// The distinct states that [`crate::cover!`] declared, ascending: folds of label and values, 65,536 at most.
    pub states: Vec<u64>,
    /// How much of the tape was met, when the source was one.
    pub matched: Matched,
    /// The deviations; empty unless kept.
    pub tape: Tape,
    /// The events; empty unless kept.
    pub trace: Trace,
    /// The tasks that had not ended, and what they wait on; empty for a run that passed or kept nothing.
    pub blocked: Vec<Blocked>,
    /// What the detectors say; empty where [`Run::blocked`] is not wanted, or when they found nothing.
    pub diagnosis: Vec<Diagnosis>,
    /// What it leaves behind; empty unless its tasks could be cancelled.
    pub leftovers: Leftovers,
    /// Tasks that had not ended either and were not examined, as they were too many.
    pub unexamined: u32,
}

impl Run {
    /// Whether two runs were the same.
    pub fn is_same(&self, other: &Run) -> bool {
        self.end == other.end
            && (self.digests.choice, self.digests.trace) == (other.digests.choice, other.digests.trace)
    }

    /// The events.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }
}

/// Who waits on what in the running world, and what the detectors say of it.
fn examined(end: &End) -> (Vec<Blocked>, Vec<Diagnosis>) {
    let blocked = wait::examine();
    let diagnosis = current::with(|world| diagnose(world, end, &blocked));
    (blocked, diagnosis)
}

impl Sim {
    /// Drives the run to its end and ends its tasks; what it was. In between `look` may take things out of the world.
    pub(super) fn into_run(mut self, look: impl FnOnce(&mut World)) -> Run {
        let drives = self.end.is_none();
        let (mut observed, mut panicked) = (None, None);
        self.entered(|sim| {
            if drives {
                sim.drive_entered(Limit::End);
            }
            current::with(look);
            observed = Some(sim.observed());
            let (closed, forgot) = (step::close(), sim.forget_properties());
            panicked = closed.or(forgot);
        });
        let mut run = observed.expect("it was observed above, or that panicked");
        if drives {
            super::refuse_a_spent_budget();
        }
        if let Some(notes) = self.world().notes.as_deref() {
            add_senders(notes, &mut run.blocked, &mut run.diagnosis);
        }
        if let Some(panicked) = panicked.filter(|_| !run.end.is_failure()) {
            run.end = panicked;
        }
        run
    }

    /// Drops what the program gave; the first panic.
    fn forget_properties(&mut self) -> Option<End> {
        if self.predicates.is_empty() && self.leftovers.is_empty() {
            return None;
        }
        let (predicates, counts) =
            (std::mem::take(&mut self.predicates), std::mem::take(&mut self.leftovers));
        step::dropped(predicates).or(step::dropped(counts))
    }

    /// What the run was that has just ended, with its world entered.
    fn observed(&mut self) -> Run {
        let end = self.end.take().expect("a run that was driven to its end has one");
        let (digests, named) = current::with(|world| (world.digests.clone(), world.names.is_some()));
        let examines = named && !end.is_passed();
        let (blocked, diagnosis) = if examines { examined(&end) } else { Default::default() };
        let (coverage, leftovers, seed) = (self.coverage(), self.left(), self.seed);
        current::with(|world| Run {
            seed,
            end,
            steps: world.steps,
            tasks: world.tasks.spawned(),
            time: Duration::from_nanos(world.now),
            digests,
            picks: world.counts.picks,
            faults_fired: world.counts.faults_fired(),
            sites: std::mem::take(&mut world.counts.sites),
            coverage,
            states: std::mem::take(&mut world.states).into_all(),
            matched: world.matched(),
            tape: std::mem::take(&mut world.tape),
            trace: Trace { events: world.events.take().unwrap_or_default() },
            unexamined: match examines {
                true => world.tasks.live_count().saturating_sub(blocked.len() as u32),
                false => 0,
            },
            blocked,
            diagnosis,
            leftovers,
        })
    }

    /// What is left behind, with what the program counts itself.
    fn left(&mut self) -> Leftovers {
        if current::with(|world| world.cancels == Cancels::Nothing) {
            return Leftovers::default();
        }
        let mut left = current::with(|world| world.leftovers());
        for (what, count) in &mut self.leftovers {
            left.add((*what).to_owned(), i64::try_from(count()).unwrap_or(i64::MAX));
        }
        left
    }

    fn coverage(&mut self) -> BTreeMap<&'static str, u64> {
        let mut coverage = current::with(|world| std::mem::take(&mut world.coverage));
        for predicate in &self.predicates {
            if let Some(reached) = predicate.reached() {
                *coverage.entry(predicate.name).or_insert(0) += u64::from(reached);
            }
        }
        coverage
    }

    /// Runs to the end; what the run was, and the source that it was answered by.
    pub(crate) fn finish_with_source<S: 'static>(self) -> (Run, S) {
        let mut source = None;
        let run = self.into_run(|world| source = Some(world.take_source().into_any()));
        let source = source.and_then(|source| source.downcast().ok());
        (run, *source.expect("the source is the one that the caller gave"))
    }
}
