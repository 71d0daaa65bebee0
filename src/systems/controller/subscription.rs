//! A subscription as a task: watch, transform, add; and open it again when it fails. Separate because it is one of
//! three ways into the queue; it must not know workers.

use std::sync::Arc;

use crate::emit;
use crate::sync::{CancellationToken, watch};
use crate::task::{yield_now, yield_point};
use crate::time::{Duration, Instant, sleep};

use super::error::RunError;
use super::publisher::{Change, Event, Payload, Publisher, SubscriptionError, Topic};
use super::record::ControllerEvent;
use super::request::Request;
use super::supervision::{Failures, Supervision, Unhandled, Verdict};
use super::variant::Variant;
use super::work_queue::WorkQueue;

/// Maps a change to what it asks to reconcile; none ignores it. A panic ends the run.
pub type Transformer = Arc<dyn Fn(&Change) -> Vec<Request> + Send + Sync>;

/// A topic and what its changes ask for.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) topic: Topic,
    /// All run, in order. None: one request for the entry itself.
    pub(super) transformers: Vec<Transformer>,
}

/// The task of one subscription.
pub(super) struct Supervised {
    /// What events call the run.
    pub(super) scope: u64,
    /// Which of the subscriptions of the run it is, from 0.
    pub(super) number: u32,
    pub(super) wanted: Wanted,
    pub(super) publisher: Arc<dyn Publisher>,
    pub(super) queue: Arc<dyn WorkQueue<Request>>,
    pub(super) policy: Supervision,
    pub(super) variant: Variant,
    pub(super) stop: CancellationToken,
    /// How many subscriptions have not seen the end of their first snapshot.
    pub(super) unprimed: watch::Sender<usize>,
}

/// Where one subscription is; made anew for each, as a store that was restored has lower indexes than before.
#[derive(Clone, Copy, Default)]
struct Position {
    index: u64,
}

impl Supervised {
    /// Keeps the subscription open until the stop.
    pub(super) async fn run(self) -> Result<(), RunError> {
        let stop = self.stop.clone();
        let kept = crate::select! {
            biased;
            () = stop.cancelled() => Ok(()),
            result = self.keep_open() => result,
        };
        emit(ControllerEvent::SubscriptionEnded {
            queue: self.scope,
            subscription: self.number,
            topic: self.topic(),
        });
        if self.variant == Variant::SubscriptionErrorEndsRun && !stop.is_cancelled() {
            stop.cancel();
            return Ok(());
        }
        kept
    }

    async fn keep_open(&self) -> Result<(), RunError> {
        let (mut failures, mut position, mut is_primed) = (Failures::default(), Position::default(), false);
        loop {
            if self.variant != Variant::IndexKept {
                position = Position::default();
            }
            let error = self.watch(&mut position, &mut is_primed).await;
            self.tell_closed(&error);
            match failures.judge(&self.policy, &error, Instant::now()) {
                _ if self.variant == Variant::SubscriptionErrorEndsRun => return Ok(()),
                Verdict::Fatal => {
                    return Err(RunError::Subscription { topic: self.wanted.topic.clone(), error });
                }
                Verdict::Reopen(delay) => self.wait(delay).await,
            }
        }
    }

    async fn wait(&self, delay: Duration) {
        if delay > Duration::ZERO {
            emit(ControllerEvent::SubscriptionWaits {
                queue: self.scope,
                subscription: self.number,
                topic: self.topic(),
                delay,
            });
            sleep(delay).await;
        } else {
            // A publisher that closes at once what it opens must not keep others from running.
            yield_now().await;
        }
        yield_point("subscription.state").await;
    }

    /// One subscription, from its opening to its error.
    async fn watch(&self, position: &mut Position, is_primed: &mut bool) -> SubscriptionError {
        let mut subscription = match self.publisher.subscribe(&self.wanted.topic).await {
            Ok(subscription) => subscription,
            Err(error) => return error,
        };
        emit(ControllerEvent::SubscriptionOpened {
            queue: self.scope,
            subscription: self.number,
            topic: self.topic(),
        });
        loop {
            let taken = match subscription.next().await {
                Ok(event) => self.take(event, position, is_primed).await,
                Err(error) => Err(error),
            };
            if let Err(error) = taken {
                return error;
            }
        }
    }

    async fn take(
        &self,
        event: Event,
        position: &mut Position,
        is_primed: &mut bool,
    ) -> Result<(), SubscriptionError> {
        if self.frames(&event, position, is_primed) || event.index <= position.index {
            return Ok(());
        }
        position.index = event.index;
        match event.payload {
            Payload::Change(change) => self.add(&change).await,
            Payload::Batch(changes) => {
                for change in &changes {
                    self.add(change).await;
                }
            }
            Payload::EndOfSnapshot | Payload::NewSnapshotToFollow => {}
            Payload::Unknown(name) => return self.unhandled(name),
        }
        Ok(())
    }

    /// Whether the event only frames others. Framing has no part in what was seen: its index is that of the store.
    fn frames(&self, event: &Event, position: &mut Position, is_primed: &mut bool) -> bool {
        match event.payload {
            Payload::EndOfSnapshot => {
                let (topic, index) = (self.topic(), event.index);
                emit(ControllerEvent::SubscriptionSnapshot {
                    queue: self.scope,
                    subscription: self.number,
                    topic,
                    index,
                });
                if !std::mem::replace(is_primed, true) {
                    self.unprimed.send_modify(|unprimed| *unprimed -= 1);
                }
            }
            Payload::NewSnapshotToFollow if self.variant == Variant::IndexKept => {}
            // What follows may have lower indexes.
            Payload::NewSnapshotToFollow => position.index = 0,
            Payload::Change(_) | Payload::Batch(_) | Payload::Unknown(_) => return false,
        }
        if self.variant == Variant::FramingAdvancesIndex {
            position.index = position.index.max(event.index);
        }
        true
    }

    async fn add(&self, change: &Change) {
        let mut requests: Vec<Request> = Vec::new();
        for transform in &self.wanted.transformers {
            requests.extend(transform(change));
        }
        if self.wanted.transformers.is_empty() {
            requests.push(Request::new(Arc::clone(&change.key.kind), Arc::clone(&change.key.name)));
        }
        for request in requests {
            yield_point("subscription.state").await;
            self.queue.add(request).await;
        }
    }

    fn unhandled(&self, name: String) -> Result<(), SubscriptionError> {
        let error = SubscriptionError::Unhandled(name);
        match self.policy.unhandled {
            Unhandled::Restart => Err(error),
            Unhandled::Skip => {
                tracing::warn!(topic = %self.wanted.topic, %error, "event skipped");
                emit(ControllerEvent::SubscriptionSkipped {
                    queue: self.scope,
                    subscription: self.number,
                    topic: self.topic(),
                    error: error.to_string().into(),
                });
                Ok(())
            }
        }
    }

    fn tell_closed(&self, error: &SubscriptionError) {
        if !matches!(error, SubscriptionError::ForceClosed) {
            tracing::warn!(topic = %self.wanted.topic, %error, "subscription failed");
        }
        let (topic, error) = (self.topic(), error.to_string().into());
        emit(ControllerEvent::SubscriptionClosed {
            queue: self.scope,
            subscription: self.number,
            topic,
            error,
        });
    }

    fn topic(&self) -> Arc<str> {
        self.wanted.topic.to_string().into()
    }
}
