//! The settings of a controller, until it runs. Separate so that a run sees them fixed; it must not start anything.

use std::sync::Arc;

use crate::time::Duration;

use super::context::Reconciler;
use super::controller::{Controller, Handle};
use super::limiter::{Exponential, LimiterError};
use super::model::AddPolicy;
use super::publisher::{Change, Publisher, Topic};
use super::queue::Queue;
use super::request::Request;
use super::subscription::{Transformer, Wanted};
use super::supervision::Supervision;
use super::variant::Variant;
use super::work_queue::WorkQueue;

/// What a queue factory is told.
#[derive(Clone, Debug)]
pub struct QueueSettings {
    /// The limiter of the backoffs that were asked for.
    pub limiter: Exponential<Request>,
    /// The delay after the first failure.
    pub backoff_base: Duration,
    /// The longest delay.
    pub backoff_max: Duration,
    /// What an add does to a pending deferral of its key.
    pub policy: AddPolicy,
    /// The planted bug.
    #[doc(hidden)]
    pub variant: Variant,
}

/// Makes the queue of a run, once, when it begins.
pub type QueueFactory = Box<dyn FnOnce(QueueSettings) -> Arc<dyn WorkQueue<Request>> + Send>;

/// When workers begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Begin {
    /// At once: the first reconciles may see a world that is half read.
    #[default]
    AtOnce,
    /// When the first snapshot of every subscription is in the queue.
    Primed,
}

/// A controller in the making.
pub struct Builder {
    pub(super) publisher: Arc<dyn Publisher>,
    pub(super) reconciler: Arc<dyn Reconciler>,
    pub(super) wanted: Vec<Wanted>,
    pub(super) workers: u32,
    pub(super) queue: QueueSettings,
    pub(super) factory: QueueFactory,
    pub(super) supervision: Supervision,
    pub(super) begin: Begin,
    pub(super) drain_max: Option<Duration>,
}

impl Builder {
    pub(super) fn new(publisher: Arc<dyn Publisher>, reconciler: impl Reconciler) -> Builder {
        let (backoff_base, backoff_max) = (Duration::from_millis(5), Duration::from_secs(1000));
        let limiter = Exponential::consul_default();
        Builder {
            publisher,
            reconciler: Arc::new(reconciler),
            wanted: Vec::new(),
            workers: 1,
            queue: QueueSettings {
                limiter,
                backoff_base,
                backoff_max,
                policy: AddPolicy::default(),
                variant: Variant::Correct,
            },
            factory: Box::new(default_queue),
            supervision: Supervision::default(),
            begin: Begin::AtOnce,
            drain_max: None,
        }
    }

    /// Reconciles what changes of a topic; one request for the entry itself.
    #[must_use]
    pub fn subscribe(self, topic: Topic) -> Builder {
        self.subscribe_with(topic, [])
    }

    /// Reconciles what the transformers make of the changes of a topic: all of them run, in order, and all that they
    /// say is added. Without any it is one request for the entry itself.
    #[must_use]
    pub fn subscribe_with(
        mut self,
        topic: Topic,
        transformers: impl IntoIterator<Item = Transformer>,
    ) -> Builder {
        self.wanted.push(Wanted { topic, transformers: transformers.into_iter().collect() });
        self
    }

    /// The delay after the first failure, and the longest; 5 ms and 1000 s without this.
    ///
    /// # Errors
    /// They are no backoff: zero, or the first is longer than the second.
    pub fn backoff(mut self, base: Duration, max: Duration) -> Result<Builder, LimiterError> {
        self.queue.limiter = Exponential::new(base, max)?;
        (self.queue.backoff_base, self.queue.backoff_max) = (base, max);
        Ok(self)
    }

    /// How many requests are reconciled at a time; at least one, which is also the default.
    #[must_use]
    pub fn workers(mut self, workers: u32) -> Builder {
        self.workers = workers.max(1);
        self
    }

    /// What an add does to a pending deferral of its request; it drops it unless told otherwise.
    #[must_use]
    pub fn add_policy(mut self, policy: AddPolicy) -> Builder {
        self.queue.policy = policy;
        self
    }

    /// Uses another queue than the shipped one.
    #[must_use]
    pub fn queue_factory(
        mut self,
        factory: impl FnOnce(QueueSettings) -> Arc<dyn WorkQueue<Request>> + Send + 'static,
    ) -> Builder {
        self.factory = Box::new(factory);
        self
    }

    /// When subscriptions that failed are opened again.
    #[must_use]
    pub fn supervision(mut self, supervision: Supervision) -> Builder {
        self.supervision = supervision;
        self
    }

    /// When workers begin.
    #[must_use]
    pub fn begin(mut self, begin: Begin) -> Builder {
        self.begin = begin;
        self
    }

    /// How long a stop that drains may take; then it drops. Without this, as long as it takes.
    #[must_use]
    pub fn drain_max(mut self, drain_max: Duration) -> Builder {
        self.drain_max = Some(drain_max);
        self
    }

    /// Plants a bug.
    #[doc(hidden)]
    #[must_use]
    pub fn variant(mut self, variant: Variant) -> Builder {
        self.queue.variant = variant;
        self
    }

    /// The controller, which waits to be run, and its handle, which can be used at once.
    pub fn build(self) -> (Controller, Handle) {
        Controller::new(self)
    }
}

/// A transformer from a function.
pub fn transformer(map: impl Fn(&Change) -> Vec<Request> + Send + Sync + 'static) -> Transformer {
    Arc::new(map)
}

/// The shipped queue.
pub fn default_queue(settings: QueueSettings) -> Arc<dyn WorkQueue<Request>> {
    let QueueSettings { limiter, backoff_base, backoff_max, policy, variant } = settings;
    let limiter = match variant {
        Variant::NegativeBackoff => Exponential::planted(backoff_base, backoff_max, variant),
        _ => limiter,
    };
    Arc::new(Queue::builder().limiter(limiter).policy(policy).variant(variant).start())
}
