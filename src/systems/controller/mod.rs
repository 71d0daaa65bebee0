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

pub use defer::DeferQueue;
pub use deferrals::{Deferrals, Replace};
#[doc(hidden)]
pub use lease::lease_planted;
pub use lease::{Lease, Requeue, lease};
pub use limiter::{Limiter, LimiterError};
pub use metrics::{Distribution, Metrics};
pub use model::AddPolicy;
pub use parallelize::{Parallel, parallelize};
pub use queue::{Queue, QueueBuilder};
pub use record::ControllerEvent;
pub use request::{Item, Request, Tenancy};
#[doc(hidden)]
pub use variant::{UnknownVariant, Variant};
pub use work_queue::{BoxFuture, NotHeld, Shutdown, WorkQueue};
