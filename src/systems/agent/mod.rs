//! Task agents: a manager assigns tasks to nodes, and the agent of each node runs them through controllers.
//!
//! # Vocabulary
//! A **task** is run once and has an **observed state**, which only grows, and a **desired state**, which only grows too.
//! A **controller** runs one task; an **executor** makes controllers on a **node**. One **step** ([`do_task`]) is at most
//! one operation of a controller. A **task manager** takes the steps of one task; the **worker** has one for each task
//! that its node was **assigned**; a **reporter** sends what became of them to the **manager**, in a **session**.
//!
//! ```text
//!  NEW, PENDING,              prepare                  start                 wait
//!  ASSIGNED -> ACCEPTED -> PREPARING -> READY -> STARTING -----> RUNNING ----------> COMPLETE
//!      |           |           |          |         |               |
//!      +-----------+-----------+          |         +---------------+---- error ---> FAILED
//!                  |                      |                         |
//!                error                    +----- shutdown ----------+--------------> SHUTDOWN (from any state)
//!                  v
//!              REJECTED
//! ```
//!
//! # Provenance
//! The behaviour is that of swarmkit's `agent/exec` and of the agent that drives it. Where that is known to be wrong, the
//! right thing is the default, and the reference's mistake an option ([`Parity`]):
//!
//! * The end of a back-off belongs to its step: two operations of one controller never overlap. An update ends a
//!   back-off.
//! * A task goes in order: its manager is closed, then its controller removes, then it closes, then its record is
//!   deleted. The record says so until then, so that a restart goes on with it; what cannot be freed is tried again.
//! * A definition that did not reach the controller is delivered before the next step; one that the controller fails
//!   to take for good is logged, and does not hold up the task.
//! * A task that is assigned again while it is being removed begins when that is done.
//! * What may have been prepared is freed, however long no controller can be had for it.
//! * A full assignment removes every task that is recorded and not listed, whether or not it has a manager.
//! * A lookup of a secret changes nothing that others see.
//! * A task whose secrets are not there yet after a restart waits for them.
//! * A step that goes back is an error, not a panic; no observed state can be REMOVE or ORPHANED.
//! * The timestamp of a status never goes back, whatever the wall clock does.

pub mod state;
pub mod task;
pub mod error;
pub mod logs;
pub mod controller;
mod variant;
pub mod options;
pub mod model;
pub mod record;
pub mod dependencies;
pub mod executor;
pub mod engine;
pub mod stub;
mod watched;
pub mod manager;
pub mod storage;
pub mod reporter;
pub mod assignment;
pub mod worker;
mod subscribe;
pub mod service;
pub mod container;
mod container_controller;
pub mod dispatcher;
pub mod properties;
mod timeline;
pub mod workload;

pub use assignment::{Assignments, Dispatcher, Message, Session};
pub use container::{Image, Runtime};
pub use container_controller::{ContainerExecutor, Told};
pub use controller::{BoxFuture, Controller, Op};
pub use dependencies::{Dependencies, Dependency, DependencyError, DependencyKind, TaskDependencies};
pub use engine::{Resolved, do_task, resolve};
pub use error::{AgentError, ErrorKind, TaskError, Temporary, is_temporary, make_temporary};
pub use executor::{Executor, Node, NodeDescription};
pub use manager::{StatusReporter, TaskManager};
pub use model::{Next, Step};
pub use options::{AgentOptions, Parity};
pub use properties::{AgentProperties, Violation, install};
pub use record::AgentEvent;
pub use reporter::{Reporter, StatusSender};
pub use service::{Agent, AgentConfig, SessionTracker};
pub use state::{DesiredState, TaskState};
pub use storage::{MemoryStorage, Records, Storage};
pub use stub::StubController;
pub use task::{Task, TaskId, TaskSpec, TaskStatus};
pub use timeline::timeline;
#[doc(hidden)]
pub use variant::{UnknownVariant, Variant};
pub use watched::Watched;
pub use worker::{Listening, Worker};
pub use workload::Swarm;
