//! The nearest passing run of a failure: its tape with one deviation left out. What differs first is the cause, or close
//! to it.

use super::Check;
use super::program::Program;
use super::watchdog::Subject;
use crate::choice::tape::Tape;
use crate::sim::{Keep, Run};
use crate::trace::diff;

/// Deviations that are left out in turn, at most.
const TRIED_MAX: u64 = 64;

/// A passing run that differs from a failing one by one deviation.
#[derive(Clone, Debug)]
pub struct Nearest {
    /// The tape without that deviation.
    pub tape: Tape,
    /// Its run, with its trace.
    pub run: Run,
}

impl Check {
    /// The passing run that is equal to the failing `run` for longest, of those whose tapes lack one deviation. `None`
    /// where all of these fail too; of the baseline run there is none.
    pub fn nearest_passing(&self, run: &Run, program: impl Program) -> Option<Nearest> {
        self.guarded(Subject::Tape, &program, |program, _| self.nearest(run, program))
    }

    /// As [`Check::nearest_passing`], within a sweep.
    pub(super) fn nearest(&self, run: &Run, program: &dyn Program) -> Option<Nearest> {
        let tried = run.tape.deviations().min(TRIED_MAX) as usize;
        let tapes = (0..tried).map(|left_out| run.tape.without(left_out, 1));
        let runs = tapes.map(|tape| {
            let run = self.replay_tape(&tape, Keep::Trace, program);
            Nearest { tape, run }
        });
        runs.filter(|nearest| nearest.run.end.is_passed()).max_by_key(|nearest| {
            diff::first(&run.trace, &nearest.run.trace).map_or(usize::MAX, |difference| difference.common)
        })
    }
}
