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

mod record;
mod request;

pub use record::ControllerEvent;
pub use request::{Item, Request, Tenancy};
