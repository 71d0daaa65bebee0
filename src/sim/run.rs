//! What a run was: data only.

use super::Sim;
use crate::choice::Matched;
use crate::choice::tape::Tape;
use crate::runtime::diagnosis::{add_senders, diagnose};
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
    /// What the run was, and the source that it was answered by.
    pub(super) fn into_run(mut self) -> Run {
        let end = self.end.take().expect("a run that was driven to its end has one");
        let digests = self.world_ref().digests.clone();
        let wanted = !end.is_passed() && self.world_ref().names.is_some();
        let (blocked, diagnosis) = if wanted { self.entered(|_| examined(&end)) } else { Default::default() };
        let coverage = self.coverage();
        let leftovers = self.leftovers();
        let seed = self.seed;
        let unexamined =
            if wanted { self.world().tasks.live_count().saturating_sub(blocked.len() as u32) } else { 0 };
        let world = self.world();
        let mut run = Run {
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
            blocked,
            diagnosis,
            leftovers,
            unexamined,
        };
        let (predicates, counts) =
            (std::mem::take(&mut self.predicates), std::mem::take(&mut self.leftovers));
        let panicked =
            self.entered(|_| step::close().or(step::dropped(predicates)).or(step::dropped(counts)));
        if let Some(notes) = self.world().notes.as_deref() {
            add_senders(notes, &mut run.blocked, &mut run.diagnosis);
        }
        if let Some(panicked) = panicked.filter(|_| !run.end.is_failure()) {
            run.end = panicked;
        }
        run
    }

    /// What is left behind, with what the program counts itself.
    fn leftovers(&mut self) -> Leftovers {
        if self.world_ref().cancels == Cancels::Nothing {
            return Leftovers::default();
        }
        let mut left = self.world_ref().leftovers();
        let mut counts = std::mem::take(&mut self.leftovers);
        self.entered(|_| {
            for (what, count) in &mut counts {
                left.add((*what).to_owned(), i64::try_from(count()).unwrap_or(i64::MAX));
            }
        });
        self.leftovers = counts;
        left
    }

    fn coverage(&mut self) -> BTreeMap<&'static str, u64> {
        let mut coverage = std::mem::take(&mut self.world().coverage);
        for predicate in &self.predicates {
            if let Some(reached) = predicate.reached() {
                *coverage.entry(predicate.name).or_insert(0) += u64::from(reached);
            }
        }
        coverage
    }

    /// The source back, after [`Sim::finish_with_source`] drove the run.
    pub(crate) fn finish_with_source<S: 'static>(mut self) -> (Run, S) {
        self.drive(super::drive::Limit::End);
        let source = self.world().take_source().into_any();
        let source = source.downcast().expect("the source is the one that the caller gave");
        (self.into_run(), *source)
    }
}
