//! POS: each pending event has a random priority, the highest runs, and those that it raced with are drawn again.
//!
//! Yuan, Yang, Gu, "Partial Order Aware Concurrency Sampling" (CAV 2018). An event is what a task does from one scheduling
//! point to the next; two race when they touch one object and one of them writes, as the accesses are declared. Partial
//! orders are sampled far more evenly than by a walk, where most pairs of events do not race.

use super::{Strategy, Stream};
use crate::choice::{Access, Ready};

/// What a task does next, as far as it said.
#[derive(Clone, Copy, Debug, Default)]
struct Pending {
    priority: u64,
    access: Option<(u64, Access)>,
}

impl Pending {
    fn races_with(&self, object: u64, access: Access) -> bool {
        self.access
            .is_some_and(|(own, how)| own == object && (how == Access::Write || access == Access::Write))
    }
}

/// The strategy of random priorities for events.
#[derive(Debug)]
pub struct Pos {
    stream: Stream,
    /// By spawn serial.
    pending: Vec<Pending>,
}

impl Pos {
    /// Priorities from `stream`.
    pub fn new(stream: Stream) -> Pos {
        Pos { stream, pending: Vec::new() }
    }

    fn of(&mut self, task: u32) -> &mut Pending {
        let index = task as usize;
        if self.pending.len() <= index {
            self.pending.resize(index + 1, Pending::default());
        }
        &mut self.pending[index]
    }

    /// The event of a task happens: what races with it is drawn again.
    fn happens(&mut self, task: u32, ready: &Ready) {
        let Some((object, access)) = self.of(task).access.take() else { return };
        for entry in ready.entries().iter().filter(|entry| entry.serial != task) {
            if self.of(entry.serial).races_with(object, access) {
                self.of(entry.serial).priority = self.stream.word();
            }
        }
    }
}

impl Strategy for Pos {
    fn pick(&mut self, ready: &Ready) -> usize {
        let mut best = (0, 0);
        for (index, entry) in ready.entries().iter().enumerate() {
            let priority = self.of(entry.serial).priority;
            if index == 0 || priority > best.1 {
                best = (index, priority);
            }
        }
        self.happens(ready.entries()[best.0].serial, ready);
        best.0
    }

    fn yields(&mut self, task: u32, ready: &Ready) -> Option<bool> {
        let own = self.of(task).priority;
        let mut others = ready.entries().iter().filter(|entry| entry.serial != task);
        let yields = others.any(|entry| self.of(entry.serial).priority > own);
        if !yields {
            self.happens(task, ready);
        }
        Some(yields)
    }

    fn listens(&self) -> bool {
        true
    }

    fn spawned(&mut self, task: u32, _parent: Option<u32>) {
        let priority = self.stream.word();
        *self.of(task) = Pending { priority, access: None };
    }

    /// A task that waited goes on with something else; one that yields keeps what it is about to do.
    fn ready(&mut self, task: u32) {
        if self.of(task).access.is_none() {
            let priority = self.stream.word();
            self.of(task).priority = priority;
        }
    }

    fn access(&mut self, task: u32, object: u64, access: Access) {
        let priority = self.stream.word();
        *self.of(task) = Pending { priority, access: Some((object, access)) };
    }
}
