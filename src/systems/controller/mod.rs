//! Reconcile controllers: subscriptions feed a work queue of requests, workers hand each to a reconciler.
//!
//! ```text
//! subscription ─ transformers ─┐                       ┌─ nil ────────────▶ forget
//! trigger ─────────────────────┼─▶ queue ─▶ worker ────┼─ requeue after d ─▶ forget, defer d
//! handle.enqueue ──────────────┘     ▲                 └─ failed, panicked ▶ defer by the limiter
//!                                    └──── defer queue ◀────────────────────────┘
//! ```
//!
//! A key is idle, queued, processing, or processing and dirty (wanted again); a deferral is a state of its own beside
//! these, and ends in an add. Behaviour follows Consul's `agent/consul/controller` and, where that one is silent,
//! client-go's `util/workqueue`; what those get wrong is right here, and parity is an option.
//!
//! # The queue
//! * An item is handed out under a **lease**: nobody else holds its key until the lease is done or dropped.
//! * Adds of a key that is wanted already **coalesce**; an add of a key that is held brings it once more afterwards.
//! * A stop **drains** (what is queued is handed out, deferrals are dropped) or **drops**; it can be repeated, harder.
//! * An add **supersedes** a pending deferral of its key; Consul and client-go keep it ([`AddPolicy::KeepDeferral`]).
//! * `done` of a key that nobody holds is an error, and changes nothing.
//! * Delays are integers that stop at their longest; [`limiter::Exponential::float_parity`] turns negative, as theirs.

mod variant;
mod record;
mod request;
mod metrics;
mod work_queue;
mod lease;
pub mod limiter;
mod deferrals;
mod defer;
pub mod model;
mod queue;
mod parallelize;
mod publisher;
mod store_publisher;
mod supervision;
mod error;
mod guarded;
mod fatal;
mod trigger;
mod subscription;
mod context;
mod worker;
mod builder;
#[expect(clippy::module_inception, reason = "the folder is the system, the file its controller")]
mod controller;
mod checked;
pub mod properties;
pub mod workload;

pub use builder::{Begin, Builder, QueueFactory, QueueSettings, default_queue, transformer};
pub use checked::Checked;
pub use context::{Context, Reconciler};
pub use controller::{Controller, Handle};
pub use defer::DeferQueue;
pub use deferrals::{Deferrals, Replace};
pub use error::{
    AlreadyRunning, BoxError, ReconcileError, Recovered, RequeueAfterError, RunError, requeue_after,
    requeue_now,
};
#[doc(hidden)]
pub use lease::lease_planted;
pub use lease::{Lease, Requeue, lease};
pub use limiter::{Limiter, LimiterError};
pub use metrics::{Distribution, Metrics};
pub use model::AddPolicy;
pub use parallelize::{Parallel, parallelize};
pub use properties::{ControllerProperties, Fact, Violation, install};
pub use publisher::{Change, Event, Payload, Publisher, Subscription, SubscriptionError, Topic};
pub use queue::{Queue, QueueBuilder};
pub use record::ControllerEvent;
pub use request::{Item, Request, Tenancy};
pub use store_publisher::StorePublisher;
pub use subscription::Transformer;
pub use supervision::{Supervision, Unhandled};
pub use trigger::{Repeat, TriggerId};
#[doc(hidden)]
pub use variant::{UnknownVariant, Variant};
pub use work_queue::{BoxFuture, NotHeld, Shutdown, WorkQueue};
