//! The rules of a work queue, as a fold. Separate because a queue is judged without a graph too; it must not know
//! actions.

use std::collections::VecDeque;

use super::{Violation, broken};
use crate::systems::graph::record::GraphEvent;

#[derive(Clone, Debug)]
pub(super) struct QueueRules {
    is_fifo: bool,
    waiting: VecDeque<u64>,
}

impl Default for QueueRules {
    fn default() -> Self {
        QueueRules::new(true)
    }
}

impl QueueRules {
    pub(super) fn new(is_fifo: bool) -> Self {
        QueueRules { is_fifo, waiting: VecDeque::new() }
    }

    pub(super) fn observe(&mut self, event: &GraphEvent) -> Result<(), Violation> {
        match event {
            GraphEvent::QueueAdded { item, accepted, done } => self.added(*item, *accepted, *done),
            GraphEvent::QueueStarted { item } => self.started(*item),
            GraphEvent::QueueDone { unstarted, early } => self.done(*unstarted, *early),
            GraphEvent::QueueRunAgain { refused: false } => broken("queue", "the queue ran a second time"),
            _ => Ok(()),
        }
    }

    fn added(&mut self, item: u64, accepted: bool, done: bool) -> Result<(), Violation> {
        match (accepted, done) {
            (true, true) => broken("queue", format!("item {item} was accepted although the queue had ended")),
            (false, false) => broken("queue", format!("item {item} was refused although the queue was open")),
            (true, false) => {
                self.waiting.push_back(item);
                Ok(())
            }
            (false, true) => Ok(()),
        }
    }

    fn started(&mut self, item: u64) -> Result<(), Violation> {
        let Some(place) = self.waiting.iter().position(|waiting| *waiting == item) else {
            return broken("queue", format!("item {item} was started and was not waiting"));
        };
        let first = self.waiting[0];
        if self.is_fifo && place > 0 {
            return broken(
                "queue",
                format!("item {item} was started before item {first}, which was there first"),
            );
        }
        self.waiting.remove(place);
        Ok(())
    }

    fn done(&mut self, unstarted: u64, early: bool) -> Result<(), Violation> {
        let waiting = self.waiting.len() as u64;
        if waiting != unstarted || (waiting > 0 && !early) {
            return broken("queue", format!("{waiting} items never ran and the queue speaks of {unstarted}"));
        }
        Ok(())
    }
}
