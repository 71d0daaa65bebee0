//! Shrinking: from the tape of a failing run to the few deviations that matter.
//!
//! The answers of the failing run by the clock come first, or else rules taken from it, single and in pairs, or else its
//! answers by the clock and its picks; each runs from the baseline and is recorded as an ordinary tape. Then delta
//! debugging, also of deviations that only carry another to its place, the first run of an enumeration that has the same
//! shape (or else each deviation as early as it matters), and the lowering of values. All but the cutting is bounded in
//! polls. What counts as failing is the same kind and property. The result is 1-minimal.

mod aim;
mod canonical;
mod earlier;
mod elements;
mod replaying;
mod rules;
mod timed;

pub use canonical::Canonical;

use super::Check;
use super::program::Program;
use super::watchdog::Subject;
use crate::choice::Source;
use crate::choice::tape::Tape;
use crate::runtime::End;
use crate::sim::{Keep, Run};

/// The part of a tape that is cut out at once before anything finer is tried.
const COARSE: usize = 32;
/// Deviations of which each is cut out in less time than an enumeration takes.
const FEW: u64 = 16;
/// Polls that the attempt to meet a tape, instead of cutting it out, may take.
const MEETING_STEPS_MAX: u64 = 300_000;

/// A shrunk tape.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The tape.
    pub tape: Tape,
    /// Its run, with the trace.
    pub run: Run,
    /// Runs that it took.
    pub runs: u64,
}

/// Shrinks the failing run `failing`, which was recorded with its trace. A poll that never returns ends the process
/// after [`Check::hang_after`].
pub fn shrink(check: &Check, program: &dyn Program, failing: &Run, canonical: &mut Canonical) -> Shrunk {
    check.guarded(Subject::Tape, program, |program, _| shrink_watched(check, program, failing, canonical))
}

/// As [`shrink`], for a caller whose runs are watched.
pub(super) fn shrink_watched(
    check: &Check,
    program: &dyn Program,
    failing: &Run,
    canonical: &mut Canonical,
) -> Shrunk {
    let mut shrinker = Shrinker { check, program, end: failing.end.clone(), runs: 0, steps: 0 };
    let tape = shrinker.shrink(failing, canonical);
    let run = check.replay_tape(&tape, Keep::Trace, program);
    Shrunk { tape, run, runs: shrinker.runs + 1 }
}

/// Runs candidates and counts them.
pub(super) struct Shrinker<'a> {
    check: &'a Check,
    program: &'a dyn Program,
    end: End,
    runs: u64,
    /// Polls of the runs that enumerate or move, which are bounded.
    steps: u64,
}

impl Shrinker<'_> {
    fn shrink(&mut self, failing: &Run, canonical: &mut Canonical) -> Tape {
        if let Some(baseline) = self.attempt(&Tape::default()) {
            return baseline;
        }
        let lesser = timed::shrink(self, failing)
            .or_else(|| rules::shrink(self, failing))
            .or_else(|| timed::shrink_with_picks(self, failing))
            .unwrap_or_else(|| failing.tape.clone());
        let coarse = elements::reduce(self, lesser, failing.tape.deviations() as usize / COARSE);
        let met = self.met(&coarse, canonical);
        let reduced = elements::reduce(self, met.unwrap_or(coarse), 1);
        let reduced = aim::aim(self, reduced);
        let first = canonical::first_of_shape(self, &reduced, canonical, canonical::STEPS_MAX);
        let first = first.unwrap_or_else(|| earlier::earlier(self, reduced));
        self.least(first)
    }

    /// A tape of few deviations of the same sorts: of many, it is met sooner than they are cut out.
    fn met(&mut self, coarse: &Tape, canonical: &mut Canonical) -> Option<Tape> {
        if coarse.deviations() <= FEW {
            return None;
        }
        canonical::first_of_shape(self, coarse, canonical, MEETING_STEPS_MAX)
    }

    /// Removes what can go and lowers what can be lower, until neither changes anything.
    fn least(&mut self, mut best: Tape) -> Tape {
        loop {
            let lowered = elements::lower(self, best.clone());
            let least = elements::reduce(self, lowered, 1);
            if least == best {
                return best;
            }
            best = least;
        }
    }

    /// The part of a budget that may be used.
    fn part(&self, budget: u64) -> u64 {
        self.check.effort.of(budget)
    }

    /// The recorded tape of a candidate, if it fails in the same way.
    fn attempt(&mut self, tape: &Tape) -> Option<Tape> {
        self.runs += 1;
        let run = self.check.replay_tape(tape, Keep::Tape, self.program);
        self.fails(&run).then_some(run.tape)
    }

    /// As [`Shrinker::attempt`], with any source.
    fn attempt_source(&mut self, source: Box<dyn Source>) -> Option<Tape> {
        self.runs += 1;
        let run = self.check.record_source(source, Keep::Tape, self.program);
        self.steps += run.steps;
        self.fails(&run).then_some(run.tape)
    }

    fn fails(&self, run: &Run) -> bool {
        run.end.signature() == self.end.signature()
    }
}
