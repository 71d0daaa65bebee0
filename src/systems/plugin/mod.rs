//! Task plugins and the engine that calls them.
//!
//! A *workflow* is a graph of *nodes*; a node runs a *task*; an *executor* (the first generation's interface) or a
//! *plugin* (its successor's) launches what does the work somewhere outside, looks at it, and releases it. The engine
//! has *rounds* over workflows: it reads one, calls executors for its nodes, tells the control plane, and writes what
//! has become of it by one conditional write.
//!
//! ```text
//! node:  NotYetStarted -> Queued -> Running -> Succeeded      task: NotReady -> Queued -> Running -> Succeeded
//!             |             ^  |      |  \                                                  |-> PermanentFailure
//!             v             |  v      v   -> Failed                                         '-> RetryableFailure
//!          Skipped       RetryableFailure      (successor: by way of Succeeding, Failing; or TimedOut)
//! ```
//!
//! # Provenance
//!
//! The first generation is that of `flyteorg/flyteplugins` before c7dd2ebb (`go/tasks/v1`), its engine that of
//! `flyteorg/flytepropeller` at the time; the successor is `pluginmachinery/core` under the last propeller. The words
//! are theirs, and so are the messages.
//!
//! # Where this differs
//!
//! * An abort kills every attempt that may have been started, not only those of running nodes: also one whose start was
//!   not stored. It tries all, collects the errors, and the workflow keeps its finalizer until all succeeded. The
//!   reference logs the first error and lets go.
//! * A kill of what is gone is done.
//! * Workflows that fail release what runs on before they are over.
//! * Each attempt has a directory of its own, and what it left says nothing of another.
//! * An event says the time that its status says; [`events::OccurredAt::Now`] is what the reference does.
//! * An abort that is not complete holds its workflow, whether its executor asks for the finalizer or not;
//!   [`engine::Aborts`] has what the reference does.
//! * An attempt that is over its time is told to have failed, not to have been aborted: the round may be lost, and the
//!   next must not contradict it.
//! * That the quota is exceeded is no answer for a name that is taken: what an earlier start made is not refused.
//! * What the catalog has is stopped before it is finalized (successor): an earlier start may have been lost with its
//!   round. The first generation has no call for that, and kills only what is aborted.
//! * A node that starts or ends its workflow and names no task is done at once.
//! * A node is visited once in a round, though two paths lead to it.
//! * After a restart, or after a write whose answer was lost, the engine reads the present and not a view.
//! * A workflow whose deletion was asked for vanishes with the write that takes its last finalizer away.
//!
//! | file | what it is |
//! |---|---|
//! | `model.rs`, `retry.rs` | phases and transitions, attempts and deadlines: pure |
//! | `workflow.rs`, `workflow_file.rs`, `graphviz.rs` | what a workflow is, reading one from a file (the library's: no command does), drawing one |
//! | `status.rs`, `finalizer.rs`, `state.rs` | what is stored of it |
//! | `executor.rs`, `core.rs`, `registry.rs`, `context.rs` | the interfaces of both generations, the adapter, who executes what |
//! | `catalog.rs`, `events.rs`, `outputs.rs`, `enqueue.rs` | the services around them |
//! | `engine.rs` | the handlers, the node executor, the round, the loop |
//! | `executors.rs` | executors of the reference, and the worlds outside that they act on, simulated |
//! | `record.rs`, `properties.rs` | the event log, and what must hold |
//! | `workload.rs` | the engine in its world, for scenarios |

pub mod error;
pub mod state;
pub mod workflow;
pub mod retry;
pub mod model;
pub mod finalizer;
pub mod status;
pub mod context;
pub mod outputs;
pub mod events;
pub mod catalog;
pub mod enqueue;
pub mod executor;
pub mod core;
pub mod registry;
pub mod workflow_file;
pub mod graphviz;
pub mod record;
mod variant;
pub mod engine;
pub mod outside;
pub mod executors;
pub mod properties;
pub mod workload;

#[doc(hidden)]
pub use variant::{UnknownVariant, Variant};

pub use engine::{Aborts, Config, Effects, Generation, Propeller};
pub use properties::PluginProperties;
pub use record::PluginEvent;
pub use workload::Plugins;

pub use crate::systems::BoxFuture;
