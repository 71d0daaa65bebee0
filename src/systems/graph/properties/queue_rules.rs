//! The rules of a work queue, as a fold. Separate because a queue is judged without a graph too; it must not know
//! actions.

use std::collections::{BTreeMap, BTreeSet};

use super::{Violation, broken};
use crate::systems::graph::record::GraphEvent;

/// What waits in each queue, by its number: rank and number of each item, so that the first is to start next.
#[derive(Clone, Debug, Default)]
pub(super) struct QueueRules {
    waiting: BTreeMap<u64, BTreeSet<(i64, u64)>>,
}

impl QueueRules {
    pub(super) fn observe(&mut self, event: &GraphEvent) -> Result<(), Violation> {
        match event {
            GraphEvent::QueueAdded { queue, item, rank, accepted, done } => match (accepted, done) {
                (true, true) => {
                    broken("queue", format!("item {item} was accepted although the queue had ended"))
                }
                (false, false) => {
                    broken("queue", format!("item {item} was refused although the queue was open"))
                }
                (true, false) => {
                    self.waiting.entry(*queue).or_default().insert((*rank, *item));
                    Ok(())
                }
                (false, true) => Ok(()),
            },
            GraphEvent::QueueStarted { queue, item } => self.started(*queue, *item),
            GraphEvent::QueueDone { queue, unstarted, early } => self.done(*queue, *unstarted, *early),
            GraphEvent::QueueRunAgain { refused: false, .. } => {
                broken("queue", "the queue ran a second time")
            }
            _ => Ok(()),
        }
    }

    fn started(&mut self, queue: u64, item: u64) -> Result<(), Violation> {
        let waiting = self.waiting.entry(queue).or_default();
        let Some(place) = waiting.iter().find(|(_, waits)| *waits == item).copied() else {
            return broken("queue", format!("item {item} was started and was not waiting"));
        };
        let first = waiting.first().copied();
        waiting.remove(&place);
        match first {
            Some((_, first)) if first != item => {
                broken("queue", format!("item {item} was started before item {first}, whose turn it was"))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn done(&mut self, queue: u64, unstarted: u64, early: bool) -> Result<(), Violation> {
        let waiting = self.waiting.get(&queue).map_or(0, |waiting| waiting.len() as u64);
        if waiting != unstarted || (waiting > 0 && !early) {
            return broken("queue", format!("{waiting} items never ran and the queue speaks of {unstarted}"));
        }
        if waiting == 0 {
            self.waiting.remove(&queue);
        }
        Ok(())
    }
}
