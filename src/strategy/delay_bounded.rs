//! Delay-bounded: the baseline schedule, in which a few random turns are put off to the end of the queue.
//!
//! Emmi, Qadeer, Rakamarić, "Delay-Bounded Scheduling" (POPL 2011): most bugs need few delays of a deterministic
//! schedule. A delay strikes a turn that is about to begin, or the running task at a scheduling point. Tapes are as short
//! as the number of delays.

use super::points::Points;
use super::{Strategy, Stream};
use crate::choice::Ready;
use std::collections::BTreeMap;

/// The strategy of `delays` delays.
#[derive(Debug)]
pub struct DelayBounded {
    /// The points at which a turn is put off.
    delays: Points,
    /// The tasks that were put off, and the age they have since.
    put_off: BTreeMap<u32, u64>,
}

impl DelayBounded {
    /// So many delays somewhere in `points` scheduling points.
    pub fn new(mut stream: Stream, delays: u32, points: u64) -> DelayBounded {
        let delays = (0..delays).map(|_| 1 + stream.below(points.max(1))).collect();
        DelayBounded { delays: Points::new(delays), put_off: BTreeMap::new() }
    }

    /// The oldest, where a task that was put off is as young as the youngest of then.
    fn oldest(&self, ready: &Ready) -> usize {
        if self.put_off.is_empty() {
            return ready.oldest();
        }
        let age = |serial: u32, seq: u64| (self.put_off.get(&serial).copied().unwrap_or(seq), seq);
        let entries = ready.entries().iter().enumerate();
        entries.min_by_key(|(_, entry)| age(entry.serial, entry.seq)).map_or(0, |(index, _)| index)
    }
}

impl Strategy for DelayBounded {
    fn pick(&mut self, ready: &Ready) -> usize {
        let mut index = self.oldest(ready);
        if self.delays.strikes() {
            let youngest = ready.entries().iter().map(|entry| entry.seq).max().unwrap_or(0);
            self.put_off.insert(ready.entries()[index].serial, youngest + 1);
            index = self.oldest(ready);
        }
        self.put_off.remove(&ready.entries()[index].serial);
        index
    }

    fn yields(&mut self, _task: u32, _ready: &Ready) -> Option<bool> {
        Some(self.delays.strikes())
    }

    fn listens(&self) -> bool {
        true
    }

    fn done(&mut self, task: u32) {
        self.put_off.remove(&task);
    }
}
