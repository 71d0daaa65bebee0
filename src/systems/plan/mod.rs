//! Plans: phases of steps of tasks, carried out pass by pass until they are complete or have failed for good.
//!
//! # Vocabulary
//! A **plan** has **phases**, a phase has **steps**, a step names **tasks**. A **strategy** says whether what comes next
//! waits: the plan's orders its phases, the phase's its steps. A **pass** runs the tasks of each open step once, in order;
//! a step is complete when all of its tasks were done in one pass. An **execution** of a plan has a **uid**.
//!
//! ```text
//!                 a new uid               a pass                all of it is done
//!  NEVER_RUN  ------------->  PENDING  ---------->  IN_PROGRESS  ---------------->  COMPLETE
//!      ^                         ^                   ^       |
//!  known, not asked for          |      the next pass|       | a task failed, and is tried again
//!                                |                   +-- ERROR (steps only)
//!                                |                           |
//!                                +---- a new uid ---- FATAL_ERROR   a task failed for good, or something is missing
//! ```
//!
//! An **operator** is plans, tasks and parameters; an **instance** of a version of it has the statuses. The **controller**
//! repeats passes over the plan that is scheduled and stores what they came to. **Admission** says what may be asked for.
//!
//! # Provenance
//! The behaviour is that of KUDO (`pkg/engine`, `pkg/controller`, the webhook and `kubectl kudo plan status`) at v0.19.0.
//! What is different, as there it is known to be wrong:
//!
//! * A phase or step that is `FATAL_ERROR` or was never asked for is not run inside a running plan: the plan ends
//!   `FATAL_ERROR`. [`model::OnUnready::Run`] is parity. What an operator that changed brought is made pending before.
//! * A plan that cannot be prepared, or that the operator does not have, ends `FATAL_ERROR`, with its event; it is not
//!   retried for ever.
//! * A nested operator whose plan has failed for good is not done: its task has failed for good too.
//! * What an earlier version's clean-up would have done, and never began, does not hold an instance.
//! * The time of a status is that of its last change, so that the requeue does grow.
//! * Objects are applied, deleted and taken from pipes in the order in which they are listed.
//! * A pod of a pipe that has failed for good is a fatal error.
//! * The status of a plan that has ended goes along with the spec: a crash before it is written loses nothing. In the
//!   reference such a plan stays `IN_PROGRESS` for ever.
//! * A dummy of a package that says nothing is done; one that says `done: false` never is.
//! * A word that is no strategy is an error; [`definition::Strategy::lenient`] is parity.
//! * Templates are not Go's: they are JSON with `{{ .Params.NAME }}` in it.

pub mod definition;
pub mod status;
pub mod error;
mod variant;
pub mod model;
pub mod record;
pub mod parsed;
pub mod engine;
pub mod object;
pub mod task;
pub mod instance;
pub mod admission;
pub mod controller;
mod watch_loop;
pub mod tree;
pub mod package;
pub mod properties;
pub mod workload;

pub use controller::{ControllerOptions, PlanController, ReconcileError};
pub use definition::{ActivePlan, Metadata, Phase, Plan, Step, Strategy, Task};
pub use engine::{Runner, execute};
pub use error::{Answer, EventName, ExecutionError, PassError};
pub use instance::{Instance, OperatorVersion};
pub use model::{OnUnready, Options, Outcome, Pass};
pub use package::Package;
pub use record::PlanEvent;
pub use status::{ExecutionStatus, PhaseStatus, PlanStatus, StepStatus, Timestamp};
pub use task::{Kinds, TaskContext, TaskRun, Tasks};
pub use tree::status_tree;
#[doc(hidden)]
pub use variant::{UnknownVariant, Variant};
pub use watch_loop::is_heard;
