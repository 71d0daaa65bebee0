//! PCT: the ready task of the highest priority runs, and at a few random points the running one is made the lowest.
//!
//! Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs" (ASPLOS 2010): a bug of
//! depth d is found with a probability of at least 1/(n k^(d-1)), for n tasks and k points. Tasks get their priority when
//! they are spawned, wherever that is; k comes from the calibration. A task that lets others run by itself
//! (`yield_now`) is made the lowest too, so that a loop that waits by yielding starves nobody.
//!
//! Latencies and faults decide what comes first as schedules do, so priorities reach them: calls of the lowest tasks take
//! long, those of the others do not, and each change strikes the schedule or, as often, one of the latencies and faults,
//! which then is a harm. Where a program has any, a bug of the schedule alone is met 2^(d-1) times as seldom for that.
//! What is asked between turns (a stall, a late timer) counts for the task of the last one.

use super::points::Points;
use super::{Bias, Hazard, Strategy, Stream};
use crate::choice::Ready;

/// Priorities from here on are those of tasks that were never lowered.
const HIGH: u64 = 1 << 63;

/// The strategy of priorities with `depth - 1` change points.
#[derive(Debug)]
pub struct Pct {
    stream: Stream,
    /// By spawn serial.
    priorities: Vec<u64>,
    /// The next lowest priority.
    floor: u64,
    /// Where a priority changes in the schedule.
    turns: Points,
    /// Where one changes among latencies and faults.
    hazards: Points,
    running: Option<u32>,
    /// Whether the running task is about to let others run because this strategy said so.
    told: bool,
}

impl Pct {
    /// Priorities that change `depth - 1` times in `points` scheduling points and `hazards` latencies and faults.
    pub fn new(mut stream: Stream, depth: u32, points: u64, hazards: u64) -> Pct {
        let mut changes = [Vec::new(), Vec::new()];
        for _ in 1..depth {
            let kind = if hazards == 0 { 0 } else { stream.below(2) as usize };
            changes[kind].push(1 + stream.below([points, hazards][kind].max(1)));
        }
        let [turns, hazards] = changes.map(Points::new);
        Pct { stream, priorities: Vec::new(), floor: HIGH - 1, turns, hazards, running: None, told: false }
    }

    fn priority(&self, task: u32) -> u64 {
        self.priorities.get(task as usize).copied().unwrap_or(0)
    }

    fn lower(&mut self, task: u32) {
        if let Some(priority) = self.priorities.get_mut(task as usize) {
            *priority = self.floor;
            self.floor -= 1;
        }
    }

    /// Whether a task is among the lowest, of whom there are so many: one that was made lower always is.
    fn is_low(&self, task: u32, one_in: u32, of: u32) -> bool {
        let priority = self.priority(task);
        let place = (u128::from(priority - HIGH.min(priority)) * u128::from(of)) >> 63;
        priority < HIGH || place < u128::from(one_in)
    }

    fn highest(&self, ready: &Ready) -> usize {
        let entries = ready.entries().iter().enumerate();
        entries.max_by_key(|(_, entry)| self.priority(entry.serial)).map_or(0, |(index, _)| index)
    }
}

impl Strategy for Pct {
    fn pick(&mut self, ready: &Ready) -> usize {
        let mut index = self.highest(ready);
        if self.turns.strikes() {
            self.lower(ready.entries()[index].serial);
            index = self.highest(ready);
        }
        (self.running, self.told) = (Some(ready.entries()[index].serial), false);
        index
    }

    fn yields(&mut self, task: u32, ready: &Ready) -> Option<bool> {
        if self.turns.strikes() {
            self.lower(task);
        }
        let own = self.priority(task);
        let yields =
            ready.entries().iter().any(|entry| entry.serial != task && self.priority(entry.serial) > own);
        (self.running, self.told) = (Some(task), self.told || yields);
        Some(yields)
    }

    fn hazard(&mut self, hazard: Hazard) -> Bias {
        let changes = self.hazards.strikes();
        let Some(task) = self.running else { return if changes { Bias::Harm } else { Bias::AsDrawn } };
        if changes {
            self.lower(task);
            return Bias::Harm;
        }
        match hazard {
            Hazard::Latency { one_in, of } if self.is_low(task, one_in, of) => Bias::Harm,
            Hazard::Latency { .. } => Bias::Baseline,
            Hazard::Fault => Bias::AsDrawn,
        }
    }

    fn listens(&self) -> bool {
        true
    }

    fn spawned(&mut self, task: u32, _parent: Option<u32>) {
        let index = task as usize;
        if self.priorities.len() <= index {
            self.priorities.resize(index + 1, 0);
        }
        self.priorities[index] = self.stream.word() | HIGH;
    }

    fn ready(&mut self, task: u32) {
        if self.running == Some(task) && !self.told {
            self.lower(task);
        }
    }

    fn alone(&mut self, task: u32) {
        (self.running, self.told) = (Some(task), false);
    }

    fn idle(&mut self) {
        self.running = None;
    }
}
