//! The one ordered event log: what a queue and its controller did, for people to read and for properties to fold.

use crate::time::Duration;
use crate::trace::{Record, Value};
use std::sync::Arc;

/// Something that a queue or a controller did. `key` is the text of an item's key.
#[derive(Clone, Debug, PartialEq)]
pub enum ControllerEvent {
    /// An item was added and is queued now, or marked dirty while it is processed.
    Added { key: Arc<str>, dirty: bool },
    /// An item was added that was wanted already.
    Coalesced { key: Arc<str> },
    /// An item was added to a queue that takes no more.
    Rejected { key: Arc<str> },
    /// A worker took an item.
    Taken { key: Arc<str> },
    /// A worker is done with an item; `requeued` when it was wanted again meanwhile.
    Done { key: Arc<str>, requeued: bool },
    /// An item is to be added later; `kept` when an earlier deferral stands.
    Deferred { key: Arc<str>, delay: Duration, kept: bool },
    /// The time of a deferral has come.
    Fired { key: Arc<str> },
    /// A deferral was dropped, by an end or by what superseded it.
    DeferralDropped { key: Arc<str> },
    /// The failures of an item were forgotten.
    Forgot { key: Arc<str> },
    /// The limiter answered: this many failures before, this delay.
    Backoff { key: Arc<str>, failures: u32, delay: Duration },
    /// The queue takes no more; `drain` when what is queued is still to be handed out.
    QueueStopped { drain: bool },
    /// The controller runs.
    RunStarted { workers: u32 },
    /// The controller ended; with the first fatal cause.
    RunEnded { error: Option<Arc<str>> },
    /// A reconcile began.
    Reconcile { key: Arc<str>, worker: u32 },
    /// A reconcile ended: `done`, `requeue-after`, `failed` or `panicked`.
    Reconciled { key: Arc<str>, worker: u32, outcome: &'static str },
    /// A subscription was opened.
    SubscriptionOpened { topic: Arc<str> },
    /// The snapshot of a subscription is complete.
    SubscriptionSnapshot { topic: Arc<str>, index: u64 },
    /// A subscription ended, and why.
    SubscriptionClosed { topic: Arc<str>, error: Arc<str> },
    /// A subscription waits before it is opened again.
    SubscriptionWaits { topic: Arc<str>, delay: Duration },
    /// A subscription is not opened again.
    SubscriptionEnded { topic: Arc<str> },
    /// A trigger was registered.
    TriggerSet { key: Arc<str>, generation: u64 },
    /// A trigger fired and its item is added.
    TriggerFired { key: Arc<str>, generation: u64, error: Option<Arc<str>> },
    /// A trigger was removed or replaced.
    TriggerDropped { key: Arc<str>, generation: u64 },
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
            ControllerEvent::Coalesced { key }
            | ControllerEvent::Rejected { key }
            | ControllerEvent::Taken { key }
            | ControllerEvent::Fired { key }
            | ControllerEvent::DeferralDropped { key }
            | ControllerEvent::Forgot { key } => text("key", key),
            ControllerEvent::Added { key, dirty } => {
                text("key", key);
                visit("dirty", Value::Bool(*dirty));
            }
            ControllerEvent::Done { key, requeued } => {
                text("key", key);
                visit("requeued", Value::Bool(*requeued));
            }
            ControllerEvent::Deferred { key, delay, kept } => {
                text("key", key);
                visit("delay_ns", nanos(*delay));
                visit("kept", Value::Bool(*kept));
            }
            ControllerEvent::Backoff { key, failures, delay } => {
                text("key", key);
                visit("failures", Value::U64(u64::from(*failures)));
                visit("delay_ns", nanos(*delay));
            }
            ControllerEvent::QueueStopped { drain } => visit("drain", Value::Bool(*drain)),
            ControllerEvent::RunStarted { workers } => visit("workers", Value::U64(u64::from(*workers))),
            ControllerEvent::RunEnded { error } => text("error", error.as_deref().unwrap_or("")),
            ControllerEvent::Reconcile { key, worker } => {
                text("key", key);
                visit("worker", Value::U64(u64::from(*worker)));
            }
            ControllerEvent::Reconciled { key, worker, outcome } => {
                text("key", key);
                text("outcome", outcome);
                visit("worker", Value::U64(u64::from(*worker)));
            }
            ControllerEvent::SubscriptionOpened { topic } | ControllerEvent::SubscriptionEnded { topic } => {
                text("topic", topic);
            }
            ControllerEvent::SubscriptionSnapshot { topic, index } => {
                text("topic", topic);
                visit("index", Value::U64(*index));
            }
            ControllerEvent::SubscriptionClosed { topic, error } => {
                text("topic", topic);
                text("error", error);
            }
            ControllerEvent::SubscriptionWaits { topic, delay } => {
                text("topic", topic);
                visit("delay_ns", nanos(*delay));
            }
            ControllerEvent::TriggerSet { key, generation }
            | ControllerEvent::TriggerDropped { key, generation } => {
                text("key", key);
                visit("generation", Value::U64(*generation));
            }
            ControllerEvent::TriggerFired { key, generation, error } => {
                text("key", key);
                text("error", error.as_deref().unwrap_or(""));
                visit("generation", Value::U64(*generation));
            }
        }
    }
}

fn nanos(duration: Duration) -> Value<'static> {
    Value::U64(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}
