//! The queueing pass: what can run is handed to the queue. Separate because it is cut short when whoever makes it is
//! dropped, and must leave nothing behind; it must not know how actions run.

use super::{Ledger, Running};
use crate::emit;
use crate::systems::graph::model::Step;
use crate::systems::graph::record::GraphEvent;
use crate::systems::graph::variant::Variant;
use crate::task::{yield_point, yield_read};

/// A queueing pass under way; finishes it when its future is dropped.
struct Pass<'r, E: ?Sized + Send + Sync + 'static> {
    run: &'r Running<E>,
    /// Marked as queued, and the queue has not answered yet.
    at_hand: Option<u32>,
    is_over: bool,
}

impl<E: ?Sized + Send + Sync + 'static> Drop for Pass<'_, E> {
    fn drop(&mut self) {
        if !self.is_over && !std::thread::panicking() {
            self.run.finish_pass(self.at_hand);
        }
    }
}

impl<E: ?Sized + Send + Sync + 'static> Running<E> {
    /// Hands every runnable action to the queue; those that it refuses stay runnable. Whoever lets go of the future
    /// half way (an action that adds others has a timeout) leaves nothing behind that nobody will queue.
    pub(super) async fn queue_runnable(&self) {
        if self.has(Variant::PassSkippedWhenBusy) && std::mem::replace(&mut self.ledger().is_in_pass, true) {
            return;
        }
        let mut pass = Pass { run: self, at_hand: None, is_over: false };
        loop {
            yield_read("graph.model").await;
            let batch = self.ledger().runnable();
            for (position, index) in batch.iter().enumerate() {
                yield_point("graph.model").await;
                if !self.enqueue(*index, &mut pass).await {
                    if self.has(Variant::UnvisitedDropped) {
                        self.ledger().forget(&batch[position..]);
                    }
                    pass.is_over = true;
                    return;
                }
            }
            if batch.is_empty() || self.has(Variant::PassSkippedWhenBusy) {
                break;
            }
        }
        pass.is_over = true;
        self.ledger().is_in_pass = false;
    }

    /// Hands one action to the queue; false when the queue has ended. Marking comes first, so that no other pass can
    /// hand it over too.
    async fn enqueue(&self, index: u32, pass: &mut Pass<'_, E>) -> bool {
        let marks_late = self.has(Variant::QueueBeforeRemoving);
        if !marks_late && !self.ledger().model.apply(index, Step::Enqueue) {
            return true;
        }
        pass.at_hand = Some(index);
        emit(GraphEvent::Queued { action: index });
        let accepted = self.queue.add_ranked(index, self.rank(index)).await.is_ok();
        if marks_late {
            self.ledger().model.apply(index, Step::Enqueue);
        }
        if !accepted {
            emit(GraphEvent::Refused { action: index });
            yield_point("graph.model").await;
            self.ledger().model.apply(index, Step::HandBack);
        }
        pass.at_hand = None;
        accepted
    }

    fn rank(&self, index: u32) -> i64 {
        self.ledger().ranks.get(&index).copied().unwrap_or(0)
    }

    /// The rest of a queueing pass whose future was dropped, without any await.
    fn finish_pass(&self, at_hand: Option<u32>) {
        let batch = {
            let mut ledger = self.ledger();
            if let Some(index) = at_hand {
                ledger.model.apply(index, Step::HandBack);
            }
            if ledger.is_frozen { Vec::new() } else { ledger.runnable() }
        };
        for index in batch {
            if !self.ledger().model.apply(index, Step::Enqueue) {
                continue;
            }
            emit(GraphEvent::Queued { action: index });
            if self.queue.add_at_once(index, self.rank(index)).is_err() {
                emit(GraphEvent::Refused { action: index });
                self.ledger().model.apply(index, Step::HandBack);
            }
        }
    }
}

impl<E: ?Sized> Ledger<E> {
    /// The planted loss: marked as queued, handed to nobody.
    fn forget(&mut self, indices: &[u32]) {
        for index in indices {
            self.model.apply(*index, Step::Enqueue);
        }
    }
}
