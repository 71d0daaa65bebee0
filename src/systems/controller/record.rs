//! The one ordered event log: what a queue and its controller did, for people to read and for properties to fold.

use super::limiter::Curve;
use crate::time::Duration;
use crate::trace::{Record, Value};
use std::sync::Arc;

/// Something that a queue or a controller did. A queue emits from inside its critical section, so that the log has the
/// order in which its state changed: a fold must not call the queue, which is locked then.
#[derive(Clone, Debug, PartialEq)]
pub enum ControllerEvent {
    /// An item was added: it is queued now, or marked dirty while it is processed.
    Added {
        /// The number of the queue.
        queue: u64,
        /// The text of the key.
        key: Arc<str>,
        /// The key is being processed, and is queued when that is done.
        dirty: bool,
    },
    /// An item was added that was wanted already.
    Coalesced {
        /// The number of the queue.
        queue: u64,
        /// The text of the key.
        key: Arc<str>,
    },
    /// An item was added to a queue that takes no more.
    Rejected {
        /// The number of the queue.
        queue: u64,
        /// The text of the key.
        key: Arc<str>,
    },
    /// A worker took an item.
    Taken {
        /// The number of the queue.
        queue: u64,
        /// The text of the key.
        key: Arc<str>,
    },
    /// A worker is done with an item.
    Done {
        /// The number of the queue.
        queue: u64,
        /// The text of the key.
        key: Arc<str>,
        /// It was wanted meanwhile, and is queued again.
        requeued: bool,
    },
    /// An item is to be added later.
    Deferred {
        /// The number of the queue.
        queue: u64,
        /// The text of the key.
        key: Arc<str>,
        /// From now; above zero.
        delay: Duration,
        /// Another deferral of the key stands, and this one came to nothing.
        kept: bool,
    },
    /// The time of a deferral has come; its add follows at once.
    Fired {
        /// The number of the queue.
        queue: u64,
        /// The text of the key.
        key: Arc<str>,
    },
    /// A deferral was dropped, by an end or by what superseded it.
    DeferralDropped {
        /// The number of the queue.
        queue: u64,
        /// The text of the key.
        key: Arc<str>,
    },
    /// The failures of an item were forgotten.
    Forgot {
        /// The number of the queue.
        queue: u64,
        /// The text of the key.
        key: Arc<str>,
    },
    /// The limiter was asked.
    Backoff {
        /// The number of the queue.
        queue: u64,
        /// The text of the key.
        key: Arc<str>,
        /// The failures before this one.
        failures: u32,
        /// What the limiter says.
        delay: Duration,
        /// What it computes its delays from, if that is known.
        curve: Option<Curve>,
    },
    /// The queue takes no more.
    QueueStopped {
        /// The number of the queue.
        queue: u64,
        /// What is queued is still handed out.
        drain: bool,
    },
    /// The controller runs.
    RunStarted {
        /// The number of the controller's queue.
        queue: u64,
        /// How many workers there are.
        workers: u32,
        /// How many subscriptions.
        subscriptions: u32,
        /// Work begins when the first snapshots of all of them are in the queue.
        primed: bool,
    },
    /// The controller ended.
    RunEnded {
        /// The number of the controller's queue.
        queue: u64,
        /// The first fatal cause, if there is one.
        error: Option<Arc<str>>,
    },
    /// A reconcile began.
    Reconcile {
        /// The number of the controller's queue.
        queue: u64,
        /// The text of the key.
        key: Arc<str>,
        /// The number of the worker, from 0.
        worker: u32,
    },
    /// A reconcile ended.
    Reconciled {
        /// The number of the controller's queue.
        queue: u64,
        /// The text of the key.
        key: Arc<str>,
        /// The number of the worker, from 0.
        worker: u32,
        /// `done`, `requeue-after`, `failed` or `panicked`.
        outcome: &'static str,
    },
    /// A subscription was opened.
    SubscriptionOpened {
        /// The number of the controller's queue.
        queue: u64,
        /// Which subscription of the controller, from 0.
        subscription: u32,
        /// The text of the topic.
        topic: Arc<str>,
    },
    /// The snapshot of a subscription is complete.
    SubscriptionSnapshot {
        /// The number of the controller's queue.
        queue: u64,
        /// Which subscription of the controller, from 0.
        subscription: u32,
        /// The text of the topic.
        topic: Arc<str>,
        /// The index of the store that it shows.
        index: u64,
    },
    /// A subscription ended, and why.
    SubscriptionClosed {
        /// The number of the controller's queue.
        queue: u64,
        /// Which subscription of the controller, from 0.
        subscription: u32,
        /// The text of the topic.
        topic: Arc<str>,
        /// Why, in words.
        error: Arc<str>,
    },
    /// A subscription passed over an event of an unknown type, as its policy says.
    SubscriptionSkipped {
        /// The number of the controller's queue.
        queue: u64,
        /// Which subscription of the controller, from 0.
        subscription: u32,
        /// The text of the topic.
        topic: Arc<str>,
        /// What it was, in words.
        error: Arc<str>,
    },
    /// A subscription waits before it is opened again.
    SubscriptionWaits {
        /// The number of the controller's queue.
        queue: u64,
        /// Which subscription of the controller, from 0.
        subscription: u32,
        /// The text of the topic.
        topic: Arc<str>,
        /// How long.
        delay: Duration,
    },
    /// A subscription is not opened again.
    SubscriptionEnded {
        /// The number of the controller's queue.
        queue: u64,
        /// Which subscription of the controller, from 0.
        subscription: u32,
        /// The text of the topic.
        topic: Arc<str>,
    },
    /// A trigger was registered.
    TriggerSet {
        /// The number of the controller's queue.
        queue: u64,
        /// The text of the key.
        key: Arc<str>,
        /// Which registration of the key.
        generation: u64,
    },
    /// A trigger fired and its item is added.
    TriggerFired {
        /// The number of the controller's queue.
        queue: u64,
        /// The text of the key.
        key: Arc<str>,
        /// Which registration of the key.
        generation: u64,
        /// What its future failed with, if it did; the item is added anyway.
        error: Option<Arc<str>>,
    },
    /// A trigger was removed or replaced.
    TriggerDropped {
        /// The number of the controller's queue.
        queue: u64,
        /// The text of the key.
        key: Arc<str>,
        /// Which registration of the key.
        generation: u64,
    },
}

impl Record for ControllerEvent {
    fn name(&self) -> &'static str {
        match self {
            ControllerEvent::Added { .. } => "queue.added",
            ControllerEvent::Coalesced { .. } => "queue.coalesced",
            ControllerEvent::Rejected { .. } => "queue.rejected",
            ControllerEvent::Taken { .. } => "queue.taken",
            ControllerEvent::Done { .. } => "queue.done",
            ControllerEvent::Deferred { .. } => "queue.deferred",
            ControllerEvent::Fired { .. } => "queue.fired",
            ControllerEvent::DeferralDropped { .. } => "queue.deferral-dropped",
            ControllerEvent::Forgot { .. } => "queue.forgot",
            ControllerEvent::Backoff { .. } => "queue.backoff",
            ControllerEvent::QueueStopped { .. } => "queue.stopped",
            ControllerEvent::RunStarted { .. } => "controller.started",
            ControllerEvent::RunEnded { .. } => "controller.ended",
            ControllerEvent::Reconcile { .. } => "controller.reconcile",
            ControllerEvent::Reconciled { .. } => "controller.reconciled",
            ControllerEvent::SubscriptionOpened { .. } => "subscription.opened",
            ControllerEvent::SubscriptionSnapshot { .. } => "subscription.snapshot",
            ControllerEvent::SubscriptionClosed { .. } => "subscription.closed",
            ControllerEvent::SubscriptionSkipped { .. } => "subscription.skipped",
            ControllerEvent::SubscriptionWaits { .. } => "subscription.waits",
            ControllerEvent::SubscriptionEnded { .. } => "subscription.ended",
            ControllerEvent::TriggerSet { .. } => "trigger.set",
            ControllerEvent::TriggerFired { .. } => "trigger.fired",
            ControllerEvent::TriggerDropped { .. } => "trigger.dropped",
        }
    }

    fn fields(&self, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        if let Some((name, text)) = self.subject() {
            visit(name, Value::Str(text));
        }
        self.details(visit);
        visit("queue", Value::U64(self.queue()));
    }
}

impl ControllerEvent {
    /// The number of the queue that it is about.
    pub fn queue(&self) -> u64 {
        match self {
            ControllerEvent::Added { queue, .. }
            | ControllerEvent::Coalesced { queue, .. }
            | ControllerEvent::Rejected { queue, .. }
            | ControllerEvent::Taken { queue, .. }
            | ControllerEvent::Done { queue, .. }
            | ControllerEvent::Deferred { queue, .. }
            | ControllerEvent::Fired { queue, .. }
            | ControllerEvent::DeferralDropped { queue, .. }
            | ControllerEvent::Forgot { queue, .. }
            | ControllerEvent::Backoff { queue, .. }
            | ControllerEvent::QueueStopped { queue, .. }
            | ControllerEvent::RunStarted { queue, .. }
            | ControllerEvent::RunEnded { queue, .. }
            | ControllerEvent::Reconcile { queue, .. }
            | ControllerEvent::Reconciled { queue, .. }
            | ControllerEvent::SubscriptionOpened { queue, .. }
            | ControllerEvent::SubscriptionSnapshot { queue, .. }
            | ControllerEvent::SubscriptionClosed { queue, .. }
            | ControllerEvent::SubscriptionSkipped { queue, .. }
            | ControllerEvent::SubscriptionWaits { queue, .. }
            | ControllerEvent::SubscriptionEnded { queue, .. }
            | ControllerEvent::TriggerSet { queue, .. }
            | ControllerEvent::TriggerFired { queue, .. }
            | ControllerEvent::TriggerDropped { queue, .. } => *queue,
        }
    }

    /// What it is about beside its queue: a key or a topic.
    fn subject(&self) -> Option<(&'static str, &str)> {
        match self {
            ControllerEvent::Added { key, .. }
            | ControllerEvent::Coalesced { key, .. }
            | ControllerEvent::Rejected { key, .. }
            | ControllerEvent::Taken { key, .. }
            | ControllerEvent::Done { key, .. }
            | ControllerEvent::Deferred { key, .. }
            | ControllerEvent::Fired { key, .. }
            | ControllerEvent::DeferralDropped { key, .. }
            | ControllerEvent::Forgot { key, .. }
            | ControllerEvent::Backoff { key, .. }
            | ControllerEvent::Reconcile { key, .. }
            | ControllerEvent::Reconciled { key, .. }
            | ControllerEvent::TriggerSet { key, .. }
            | ControllerEvent::TriggerFired { key, .. }
            | ControllerEvent::TriggerDropped { key, .. } => Some(("key", key)),
            ControllerEvent::SubscriptionOpened { topic, .. }
            | ControllerEvent::SubscriptionSnapshot { topic, .. }
            | ControllerEvent::SubscriptionClosed { topic, .. }
            | ControllerEvent::SubscriptionSkipped { topic, .. }
            | ControllerEvent::SubscriptionWaits { topic, .. }
            | ControllerEvent::SubscriptionEnded { topic, .. } => Some(("topic", topic)),
            ControllerEvent::QueueStopped { .. }
            | ControllerEvent::RunStarted { .. }
            | ControllerEvent::RunEnded { .. } => None,
        }
    }

    fn details(&self, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        match self {
            ControllerEvent::Coalesced { .. }
            | ControllerEvent::Rejected { .. }
            | ControllerEvent::Taken { .. }
            | ControllerEvent::Fired { .. }
            | ControllerEvent::DeferralDropped { .. }
            | ControllerEvent::Forgot { .. } => {}
            ControllerEvent::SubscriptionOpened { subscription, .. }
            | ControllerEvent::SubscriptionEnded { subscription, .. } => {
                visit("subscription", Value::U64(u64::from(*subscription)));
            }
            ControllerEvent::Added { dirty, .. } => visit("dirty", Value::Bool(*dirty)),
            ControllerEvent::Done { requeued, .. } => visit("requeued", Value::Bool(*requeued)),
            ControllerEvent::Deferred { delay, kept, .. } => {
                visit("delay_ns", nanos(*delay));
                visit("kept", Value::Bool(*kept));
            }
            ControllerEvent::Backoff { failures, delay, .. } => {
                visit("failures", Value::U64(u64::from(*failures)));
                visit("delay_ns", nanos(*delay));
            }
            ControllerEvent::QueueStopped { drain, .. } => visit("drain", Value::Bool(*drain)),
            ControllerEvent::RunStarted { workers, subscriptions, primed, .. } => {
                visit("workers", Value::U64(u64::from(*workers)));
                visit("subscriptions", Value::U64(u64::from(*subscriptions)));
                visit("primed", Value::Bool(*primed));
            }
            ControllerEvent::RunEnded { error, .. } => visit("error", optional(error)),
            ControllerEvent::Reconcile { worker, .. } => visit("worker", Value::U64(u64::from(*worker))),
            ControllerEvent::Reconciled { worker, outcome, .. } => {
                visit("outcome", Value::Str(outcome));
                visit("worker", Value::U64(u64::from(*worker)));
            }
            ControllerEvent::SubscriptionSnapshot { subscription, index, .. } => {
                visit("index", Value::U64(*index));
                visit("subscription", Value::U64(u64::from(*subscription)));
            }
            ControllerEvent::SubscriptionClosed { subscription, error, .. }
            | ControllerEvent::SubscriptionSkipped { subscription, error, .. } => {
                visit("error", Value::Str(error));
                visit("subscription", Value::U64(u64::from(*subscription)));
            }
            ControllerEvent::SubscriptionWaits { subscription, delay, .. } => {
                visit("delay_ns", nanos(*delay));
                visit("subscription", Value::U64(u64::from(*subscription)));
            }
            ControllerEvent::TriggerSet { generation, .. }
            | ControllerEvent::TriggerDropped { generation, .. } => {
                visit("generation", Value::U64(*generation));
            }
            ControllerEvent::TriggerFired { generation, error, .. } => {
                visit("error", optional(error));
                visit("generation", Value::U64(*generation));
            }
        }
    }
}

/// A text that may be missing.
fn optional(text: &Option<Arc<str>>) -> Value<'_> {
    Value::Str(text.as_deref().unwrap_or(""))
}

fn nanos(duration: Duration) -> Value<'static> {
    Value::U64(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}
