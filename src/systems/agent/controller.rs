//! What runs one task, behind a trait: the executor's side of the boundary. Separate because everything that runs tasks
//! implements it and nothing here does; it must not know agents.

use super::error::TaskError;
use super::logs::{LogOptions, LogPublisher};
use super::task::{ContainerStatus, PortStatus, Task};
use crate::sync::CancellationToken;
use std::sync::Arc;

pub use crate::systems::controller::BoxFuture;

/// What an operation comes to.
pub type Outcome = Result<(), TaskError>;

/// Runs one task. At most one operation is asked for at a time.
///
/// Each takes a token: when it is cancelled the operation ends soon, with an error of kind
/// [`ErrorKind::Cancelled`](super::ErrorKind::Cancelled), and can be asked for again. After `close` every operation fails
/// with [`ErrorKind::ControllerClosed`](super::ErrorKind::ControllerClosed).
pub trait Controller: Send + Sync {
    /// Takes a new definition of the task. Ignored after the task's exit.
    fn update<'a>(&'a self, cancel: &'a CancellationToken, task: &'a Task) -> BoxFuture<'a, Outcome>;

    /// Acquires everything, so that the start is immediate. Repeated: it succeeds, or says that it had been done. After a
    /// cancellation it resumes.
    fn prepare<'a>(&'a self, cancel: &'a CancellationToken) -> BoxFuture<'a, Outcome>;

    /// Returns when the task is started. Repeated: it says so, and not whether the task still runs.
    fn start<'a>(&'a self, cancel: &'a CancellationToken) -> BoxFuture<'a, Outcome>;

    /// Waits until the task has ended. A bad end is an error, which may carry an exit code.
    fn wait<'a>(&'a self, cancel: &'a CancellationToken) -> BoxFuture<'a, Outcome>;

    /// Stops the task gracefully, in whatever state it is, and again.
    fn shutdown<'a>(&'a self, cancel: &'a CancellationToken) -> BoxFuture<'a, Outcome>;

    /// Kills the task.
    fn terminate<'a>(&'a self, cancel: &'a CancellationToken) -> BoxFuture<'a, Outcome>;

    /// Frees all resources of the task. The last operation but for `close`.
    fn remove<'a>(&'a self, cancel: &'a CancellationToken) -> BoxFuture<'a, Outcome>;

    /// Frees what it holds in this process.
    fn close(&self) -> BoxFuture<'_, Outcome>;

    /// The task's container as it is; `None` where there are no containers, and then nothing is collected.
    fn container_status<'a>(
        &'a self,
        cancel: &'a CancellationToken,
    ) -> Option<BoxFuture<'a, Result<Option<ContainerStatus>, TaskError>>> {
        let _ = cancel;
        None
    }

    /// The task's ports as they are; `None` where there are none.
    fn port_status<'a>(
        &'a self,
        cancel: &'a CancellationToken,
    ) -> Option<BoxFuture<'a, Result<Option<PortStatus>, TaskError>>> {
        let _ = cancel;
        None
    }

    /// Publishes the task's logs until cancelled; `None` where there are none.
    fn logs<'a>(
        &'a self,
        cancel: &'a CancellationToken,
        publisher: Arc<dyn LogPublisher>,
        options: LogOptions,
    ) -> Option<BoxFuture<'a, Outcome>> {
        let _ = (cancel, publisher, options);
        None
    }
}

/// The blocking operations, and the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    /// [`Controller::update`].
    Update,
    /// [`Controller::prepare`].
    Prepare,
    /// [`Controller::start`].
    Start,
    /// [`Controller::wait`].
    Wait,
    /// [`Controller::shutdown`].
    Shutdown,
    /// [`Controller::terminate`].
    Terminate,
    /// [`Controller::remove`].
    Remove,
    /// [`Controller::close`].
    Close,
}

impl Op {
    /// All of them.
    pub const ALL: [Op; 8] =
        [Op::Update, Op::Prepare, Op::Start, Op::Wait, Op::Shutdown, Op::Terminate, Op::Remove, Op::Close];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Op::Update => "update",
            Op::Prepare => "prepare",
            Op::Start => "start",
            Op::Wait => "wait",
            Op::Shutdown => "shutdown",
            Op::Terminate => "terminate",
            Op::Remove => "remove",
            Op::Close => "close",
        }
    }
}
