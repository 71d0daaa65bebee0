//! Actions and events: an executor runs a graph of actions, each waiting for events that others signal.
//!
//! # Vocabulary
//! An **event** is a fact. An **action** waits for events, does something, emits events. A **run** moves every
//! action through these states; its **outcome** is the set each ended in:
//!
//! ```text
//!            last event          handed over        a worker takes it        ends well
//!  blocked ------------> runnable ---------> queued ------------> in flight -----------> completed
//!                            ^                  |                     |----- error ----> failed
//!                            +--- run stopped --+                     +---- given up --> abandoned
//! ```
//!
//! An action that is runnable at the end was *not started*; one in flight after the stop is an *orphan*.
//!
//! # Provenance
//! The behaviour is that of the action graph executor of k8s-cloud-provider (`pkg/cloud/rgraph/exec`). Where that
//! is known to be wrong, the right thing is the default: nothing disappears from a result, the verdict names its
//! cause, a failed action signals nothing, a dry run does nothing. [`Parity`] and single options give the rest.

pub mod event;
pub mod model;
mod variant;
pub mod validate;
pub mod action;
pub mod context;
pub mod outcome;
pub mod error;
pub mod stop;
pub mod record;
pub mod properties;
mod token_gate;
pub mod queue;
pub mod tracer;
pub mod graphviz;
pub mod config;
mod declare;
mod verdict;
pub mod engine;
pub mod retry;
pub mod planner;
pub mod workload;

pub use action::{Action, ActionBase, ActionMetadata, ActionType, EventAction, FnAction, Gate, SharedAction};
pub use config::{Config, ErrorStrategy, OnStop, Order, Parity, SignalOnError};
pub use context::Context;
pub use engine::Executor;
pub use error::{ActionError, Cause, InvalidConfig, RunError};
pub use event::{Event, Id};
pub use graphviz::GraphvizTracer;
pub use model::ActionRef;
pub use outcome::Outcome;
pub use properties::{Facts, GraphProperties, Punctuality, RunFacts, Violation, install, judge_sweep};
pub use queue::WorkQueue;
pub use record::GraphEvent;
pub use retry::Retry;
pub use stop::Stop;
pub use tracer::{TextTracer, TraceEntry, Tracer};
#[doc(hidden)]
pub use variant::{UnknownVariant, Variant};
