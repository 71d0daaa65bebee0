//! PCT: the ready task of the highest priority runs, and at a few random points the running one is made the lowest.
//!
//! Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs" (ASPLOS 2010): a bug of
//! depth d is found with a probability of at least 1/(n k^(d-1)), for n tasks and k points. Tasks get their priority when
//! they are spawned, wherever that is; k comes from the calibration. A task that lets others run by itself
//! (`yield_now`) is made the lowest too, so that a loop that waits by yielding starves nobody.

use super::{Strategy, Stream};
use crate::choice::{Access, Ready};

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
    /// The points at which a priority changes, the next one last.
    changes: Vec<u64>,
    point: u64,
    running: Option<u32>,
    /// Whether the running task is about to let others run because this strategy said so.
    told: bool,
}

impl Pct {
    /// Priorities that change `depth - 1` times in `points` scheduling points.
    pub fn new(mut stream: Stream, depth: u32, points: u64) -> Pct {
        let mut changes: Vec<u64> = (1..depth).map(|_| 1 + stream.below(points.max(1))).collect();
        changes.sort_unstable_by(|a, b| b.cmp(a));
        Pct { stream, priorities: Vec::new(), floor: HIGH - 1, changes, point: 0, running: None, told: false }
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

    /// Counts a point; whether a priority changes at it.
    fn changes_here(&mut self) -> bool {
        self.point += 1;
        let here = self.changes.last().is_some_and(|change| *change <= self.point);
        if here {
            self.changes.pop();
        }
        here
    }

    fn highest(&self, ready: &Ready) -> usize {
        let entries = ready.entries().iter().enumerate();
        entries.max_by_key(|(_, entry)| self.priority(entry.serial)).map_or(0, |(index, _)| index)
    }
}

impl Strategy for Pct {
    fn pick(&mut self, ready: &Ready) -> usize {
        let mut index = self.highest(ready);
        if self.changes_here() {
            self.lower(ready.entries()[index].serial);
            index = self.highest(ready);
        }
        (self.running, self.told) = (Some(ready.entries()[index].serial), false);
        index
    }

    fn yields(&mut self, task: u32, ready: &Ready) -> Option<bool> {
        if self.changes_here() {
            self.lower(task);
        }
        let own = self.priority(task);
        let yields =
            ready.entries().iter().any(|entry| entry.serial != task && self.priority(entry.serial) > own);
        (self.running, self.told) = (Some(task), self.told || yields);
        Some(yields)
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

    fn idle(&mut self) {
        self.running = None;
    }

    fn access(&mut self, _task: u32, _object: u64, _access: Access) {}
}
