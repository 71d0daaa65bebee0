//! The one ordered event log: what a queue and its controller did, for people to read and for properties to fold.

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
        /// The text of the topic.
        topic: Arc<str>,
    },
    /// The snapshot of a subscription is complete.
    SubscriptionSnapshot {
        /// The number of the controller's queue.
        queue: u64,
        /// The text of the topic.
        topic: Arc<str>,
        /// The index of the store that it shows.
        index: u64,
    },
    /// A subscription ended, and why.
    SubscriptionClosed {
        /// The number of the controller's queue.
        queue: u64,
        /// The text of the topic.
        topic: Arc<str>,
        /// Why, in words.
        error: Arc<str>,
    },
    /// A subscription waits before it is opened again.
    SubscriptionWaits {
        /// The number of the controller's queue.
        queue: u64,
        /// The text of the topic.
        topic: Arc<str>,
        /// How long.
        delay: Duration,
    },
    /// A subscription is not opened again.
    SubscriptionEnded {
        /// The number of the controller's queue.
        queue: u64,
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
            ControllerEvent::SubscriptionWaits { .. } => "subscription.waits",
            ControllerEvent::SubscriptionEnded { .. } => "subscription.ended",
            ControllerEvent::TriggerSet { .. } => "trigger.set",
            ControllerEvent::TriggerFired { .. } => "trigger.fired",
            ControllerEvent::TriggerDropped { .. } => "trigger.dropped",
        }
    }

    fn fields(&self, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        let mut text = |name, text: &str| visit(name, Value::Str(text));
        match self {
            ControllerEvent::Coalesced { queue, key }
            | ControllerEvent::Rejected { queue, key }
            | ControllerEvent::Taken { queue, key }
            | ControllerEvent::Fired { queue, key }
            | ControllerEvent::DeferralDropped { queue, key }
            | ControllerEvent::Forgot { queue, key } => {
                text("key", key);
                visit("queue", Value::U64(*queue));
            }
            ControllerEvent::Added { queue, key, dirty } => {
                text("key", key);
                visit("queue", Value::U64(*queue));
                visit("dirty", Value::Bool(*dirty));
            }
            ControllerEvent::Done { queue, key, requeued } => {
                text("key", key);
                visit("queue", Value::U64(*queue));
                visit("requeued", Value::Bool(*requeued));
            }
            ControllerEvent::Deferred { queue, key, delay, kept } => {
                text("key", key);
                visit("queue", Value::U64(*queue));
                visit("delay_ns", nanos(*delay));
                visit("kept", Value::Bool(*kept));
            }
            ControllerEvent::Backoff { queue, key, failures, delay } => {
                text("key", key);
                visit("queue", Value::U64(*queue));
                visit("failures", Value::U64(u64::from(*failures)));
                visit("delay_ns", nanos(*delay));
            }
            ControllerEvent::QueueStopped { queue, drain } => {
                visit("queue", Value::U64(*queue));
                visit("drain", Value::Bool(*drain));
            }
            _ => self.fields_of_run(visit),
        }
    }
}

impl ControllerEvent {
    /// The number of the queue that it is about.
    pub fn queue(&self) -> u64 {
        let mut number = 0;
        self.fields(&mut |name, value| {
            if let ("queue", Value::U64(queue)) = (name, value) {
                number = queue;
            }
        });
        number
    }

    /// The fields of what a controller did; those of its queue are not here.
    fn fields_of_run(&self, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        let mut text = |name, text: &str| visit(name, Value::Str(text));
        match self {
            ControllerEvent::RunStarted { queue, workers, subscriptions, primed } => {
                visit("workers", Value::U64(u64::from(*workers)));
                visit("subscriptions", Value::U64(u64::from(*subscriptions)));
                visit("primed", Value::Bool(*primed));
                visit("queue", Value::U64(*queue));
            }
            ControllerEvent::RunEnded { queue, error } => {
                text("error", error.as_deref().unwrap_or(""));
                visit("queue", Value::U64(*queue));
            }
            ControllerEvent::Reconcile { queue, key, worker } => {
                text("key", key);
                visit("worker", Value::U64(u64::from(*worker)));
                visit("queue", Value::U64(*queue));
            }
            ControllerEvent::Reconciled { queue, key, worker, outcome } => {
                text("key", key);
                text("outcome", outcome);
                visit("worker", Value::U64(u64::from(*worker)));
                visit("queue", Value::U64(*queue));
            }
            ControllerEvent::SubscriptionOpened { queue, topic }
            | ControllerEvent::SubscriptionEnded { queue, topic } => {
                text("topic", topic);
                visit("queue", Value::U64(*queue));
            }
            ControllerEvent::SubscriptionSnapshot { queue, topic, index } => {
                text("topic", topic);
                visit("index", Value::U64(*index));
                visit("queue", Value::U64(*queue));
            }
            ControllerEvent::SubscriptionClosed { queue, topic, error } => {
                text("topic", topic);
                text("error", error);
                visit("queue", Value::U64(*queue));
            }
            ControllerEvent::SubscriptionWaits { queue, topic, delay } => {
                text("topic", topic);
                visit("delay_ns", nanos(*delay));
                visit("queue", Value::U64(*queue));
            }
            ControllerEvent::TriggerSet { queue, key, generation }
            | ControllerEvent::TriggerDropped { queue, key, generation } => {
                text("key", key);
                visit("generation", Value::U64(*generation));
                visit("queue", Value::U64(*queue));
            }
            ControllerEvent::TriggerFired { queue, key, generation, error } => {
                text("key", key);
                text("error", error.as_deref().unwrap_or(""));
                visit("generation", Value::U64(*generation));
                visit("queue", Value::U64(*queue));
            }
            _ => {}
        }
    }
}

fn nanos(duration: Duration) -> Value<'static> {
    Value::U64(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}
