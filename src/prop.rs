//! Property-based testing with proptest (cargo feature `proptest`): strategies for schedules and fault plans.
//!
//! A [`Schedule`] begins as a seed. The run writes its tape back through it, so that shrinking removes deviations from
//! that tape: schedule, faults and the test's other inputs are drawn together and shrunk together. Draw the schedule
//! last: proptest shrinks inputs in their order, and other inputs shrink further while a seed still answers for all.

use crate::check::{Check, Program};
use crate::choice::fault::{FaultKind, FaultPlan, FaultRule};
use crate::choice::tape::Tape;
use crate::sim::{Keep, Run};
use proptest::prelude::{Just, Rng, prop_oneof};
use proptest::strategy::{NewTree, Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Answers of a run: a seed's at first, then ever fewer deviations of the tape that the seed's run wrote back.
#[derive(Clone)]
pub struct Schedule {
    answers: Answers,
    written: Arc<Mutex<Option<Tape>>>,
}

#[derive(Clone, Debug)]
enum Answers {
    Seed(u64),
    Tape(Tape),
}

impl Schedule {
    /// Runs a program of `check` and writes its tape back. The run has its trace.
    pub fn run(&self, check: &Check, program: impl Program) -> Run {
        let run = match &self.answers {
            Answers::Seed(seed) => check.run_seed(*seed, program),
            Answers::Tape(tape) => check.replay(tape, Keep::Trace, program),
        };
        *self.written.lock().unwrap_or_else(PoisonError::into_inner) = Some(run.tape.clone());
        run
    }

    /// The tape of the last run, or the one that it is to play.
    pub fn tape(&self) -> Option<Tape> {
        match &self.answers {
            Answers::Tape(tape) => Some(tape.clone()),
            Answers::Seed(_) => self.written.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

/// What proptest prints of a minimal input: the tape, as a failure file has it.
impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.answers, self.tape()) {
            (_, Some(tape)) if tape.is_empty() => f.write_str("the baseline schedule"),
            (_, Some(tape)) => {
                let text = toml::to_string(&tape).map_err(|_| fmt::Error)?;
                write!(f, "a schedule with {} deviations:\n{text}", tape.deviations())
            }
            (Answers::Seed(seed), None) => write!(f, "the schedule of seed {seed}"),
            (Answers::Tape(_), None) => unreachable!("a schedule that plays a tape has one"),
        }
    }
}

/// Schedules: any seed, shrunk by removing deviations.
pub fn schedules() -> Schedules {
    Schedules(())
}

/// See [`schedules`].
#[derive(Clone, Copy, Debug)]
pub struct Schedules(());

impl Strategy for Schedules {
    type Tree = ScheduleTree;
    type Value = Schedule;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Schedules> {
        let seed = runner.rng().next_u64();
        Ok(ScheduleTree { seed, written: Arc::default(), shrinking: None })
    }
}

/// The shrinking of one schedule.
#[derive(Debug)]
pub struct ScheduleTree {
    seed: u64,
    written: Arc<Mutex<Option<Tape>>>,
    shrinking: Option<Shrinking>,
}

/// Removes chunks of deviations, halving the chunk when none of a size can go.
#[derive(Debug)]
struct Shrinking {
    best: Tape,
    candidate: Tape,
    chunk: usize,
    start: usize,
}

impl Shrinking {
    fn new(tape: Tape) -> Shrinking {
        // The baseline first: a failure that needs no deviation needs no search.
        let chunk = tape.deviations() as usize;
        Shrinking { candidate: tape.clone(), best: tape, chunk, start: 0 }
    }

    fn next(&mut self) -> bool {
        let count = self.best.deviations() as usize;
        if self.start >= count {
            if self.chunk <= 1 || count == 0 {
                return false;
            }
            self.chunk = self.chunk.div_ceil(2).min(count);
            self.start = 0;
        }
        self.candidate = self.best.without(self.start, self.chunk);
        self.start += self.chunk;
        true
    }

    /// The candidate failed: it is the best from now on, and the next chunk has moved into its place.
    fn accept(&mut self) {
        if self.candidate.deviations() < self.best.deviations() {
            self.best = self.candidate.clone();
            self.start = self.start.saturating_sub(self.chunk);
        }
    }
}

impl ValueTree for ScheduleTree {
    type Value = Schedule;

    fn current(&self) -> Schedule {
        let answers = match &self.shrinking {
            Some(shrinking) => Answers::Tape(shrinking.candidate.clone()),
            None => Answers::Seed(self.seed),
        };
        Schedule { answers, written: self.written.clone() }
    }

    fn simplify(&mut self) -> bool {
        match &mut self.shrinking {
            Some(shrinking) => shrinking.accept(),
            None => {
                let written = self.written.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let Some(tape) = written else { return false };
                self.shrinking = Some(Shrinking::new(tape));
            }
        }
        self.shrinking.as_mut().is_some_and(Shrinking::next)
    }

    /// When nothing is left to try, the best comes once more: proptest goes on to the next input only after a failure.
    fn complicate(&mut self) -> bool {
        let Some(shrinking) = &mut self.shrinking else { return false };
        if shrinking.next() {
            return true;
        }
        let known = shrinking.candidate == shrinking.best;
        shrinking.candidate = shrinking.best.clone();
        !known
    }
}

/// Fault plans of up to four rules over these sites; shrinks towards no faults.
pub fn fault_plans(sites: &'static [&'static str]) -> impl Strategy<Value = FaultPlan> {
    let rule = (proptest::sample::select(sites), kinds(), 1u32..=50).prop_map(|(site, kind, percent)| {
        FaultRule::new(kind.own_site().unwrap_or(site), kind, f64::from(percent) / 100.0)
    });
    proptest::collection::vec(rule, 0..=4).prop_map(|rules| {
        // Which faults there are is drawn here already.
        let mut plan = FaultPlan::none().without_swarm();
        for rule in rules {
            plan.rules.push(rule);
            if plan.validate().is_err() {
                // Of two slow rules that meet, the first stays.
                plan.rules.pop();
            }
        }
        plan
    })
}

fn kinds() -> impl Strategy<Value = FaultKind> {
    prop_oneof![
        Just(FaultKind::Error),
        (1u64..=10_000).prop_map(|millis| FaultKind::Slow(Duration::from_millis(millis))),
        Just(FaultKind::Hang),
        Just(FaultKind::Cancel),
        Just(FaultKind::Stall),
        Just(FaultKind::LateTimer),
    ]
}
