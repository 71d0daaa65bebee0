//! A controller whose operations are told to the event log: what the agent hands its controllers around as. Separate so
//! that no caller can forget to tell.

use super::controller::{BoxFuture, Controller, Op, Outcome};
use super::error::{ErrorKind, TaskError};
use super::logs::{LogOptions, LogPublisher};
use super::record::{AgentEvent, OpEnd};
use super::task::{ContainerStatus, PortStatus, Task, TaskId};
use crate::emit;
use crate::sync::CancellationToken;
use crate::time::Elapsed;
use std::error::Error;
use std::sync::Arc;

/// A controller, and which one of which task on which node it is.
pub struct Watched {
    inner: Arc<dyn Controller>,
    node: Arc<str>,
    task: TaskId,
    number: u64,
}

/// An operation under way; dropped, it has ended.
struct Running<'a> {
    watched: &'a Watched,
    op: Op,
    end: OpEnd,
}

impl Watched {
    /// The controller of a task, with its number on its node.
    pub fn new(inner: Arc<dyn Controller>, node: Arc<str>, task: TaskId, number: u64) -> Watched {
        Watched { inner, node, task, number }
    }

    /// Which of the controllers of its node it is.
    pub fn number(&self) -> u64 {
        self.number
    }

    fn watch<'a>(
        &'a self,
        op: Op,
        cancel: Option<&'a CancellationToken>,
        about: Option<&Task>,
        work: BoxFuture<'a, Outcome>,
    ) -> BoxFuture<'a, Outcome> {
        let (about, version) = about.map_or((None, 0), |task| (Some(task.id.clone()), task.version));
        Box::pin(async move {
            let about = about.unwrap_or_else(|| self.task.clone());
            let (node, task, controller) = (self.node.clone(), self.task.clone(), self.number);
            emit(AgentEvent::OpBegan { node, task, controller, op, about, version });
            let mut running = Running { watched: self, op, end: OpEnd::Dropped };
            let outcome = work.await;
            running.end = end(&outcome, cancel.is_some_and(CancellationToken::is_cancelled));
            outcome
        })
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let Watched { node, task, number, .. } = self.watched;
        let (node, task, controller) = (node.clone(), task.clone(), *number);
        emit(AgentEvent::OpEnded { node, task, controller, op: self.op, end: self.end });
    }
}

/// What the error itself says, however the agent takes it.
fn end(outcome: &Outcome, is_cancelled: bool) -> OpEnd {
    match outcome {
        Ok(()) => OpEnd::Done,
        Err(error) if was_cut_short(error) && is_cancelled => OpEnd::Interrupted,
        Err(error) if was_cut_short(error) => OpEnd::Expired,
        Err(error) => match error.kind() {
            ErrorKind::TaskPrepared | ErrorKind::TaskStarted => OpEnd::Already,
            ErrorKind::TaskUpdateRejected => OpEnd::Refused,
            _ if error.is_temporary() => OpEnd::Temporary,
            _ => OpEnd::Failed(error.exit_code()),
        },
    }
}

/// Whether the last of the causes is a cancellation or a deadline.
fn was_cut_short(error: &TaskError) -> bool {
    let mut root: &(dyn Error + 'static) = error;
    while let Some(source) = root.source() {
        root = source;
    }
    let kind = root.downcast_ref::<TaskError>().map(TaskError::kind);
    root.is::<Elapsed>() || matches!(kind, Some(ErrorKind::Cancelled | ErrorKind::DeadlineExceeded))
}

impl Controller for Watched {
    fn update<'a>(&'a self, cancel: &'a CancellationToken, task: &'a Task) -> BoxFuture<'a, Outcome> {
        self.watch(Op::Update, Some(cancel), Some(task), self.inner.update(cancel, task))
    }

    fn prepare<'a>(&'a self, cancel: &'a CancellationToken) -> BoxFuture<'a, Outcome> {
        self.watch(Op::Prepare, Some(cancel), None, self.inner.prepare(cancel))
    }

    fn start<'a>(&'a self, cancel: &'a CancellationToken) -> BoxFuture<'a, Outcome> {
        self.watch(Op::Start, Some(cancel), None, self.inner.start(cancel))
    }

    fn wait<'a>(&'a self, cancel: &'a CancellationToken) -> BoxFuture<'a, Outcome> {
        self.watch(Op::Wait, Some(cancel), None, self.inner.wait(cancel))
    }

    fn shutdown<'a>(&'a self, cancel: &'a CancellationToken) -> BoxFuture<'a, Outcome> {
        self.watch(Op::Shutdown, Some(cancel), None, self.inner.shutdown(cancel))
    }

    fn terminate<'a>(&'a self, cancel: &'a CancellationToken) -> BoxFuture<'a, Outcome> {
        self.watch(Op::Terminate, Some(cancel), None, self.inner.terminate(cancel))
    }

    fn remove<'a>(&'a self, cancel: &'a CancellationToken) -> BoxFuture<'a, Outcome> {
        self.watch(Op::Remove, Some(cancel), None, self.inner.remove(cancel))
    }

    fn close(&self) -> BoxFuture<'_, Outcome> {
        self.watch(Op::Close, None, None, self.inner.close())
    }

    fn container_status<'a>(
        &'a self,
        cancel: &'a CancellationToken,
    ) -> Option<BoxFuture<'a, Result<Option<ContainerStatus>, TaskError>>> {
        self.inner.container_status(cancel)
    }

    fn port_status<'a>(
        &'a self,
        cancel: &'a CancellationToken,
    ) -> Option<BoxFuture<'a, Result<Option<PortStatus>, TaskError>>> {
        self.inner.port_status(cancel)
    }

    fn logs<'a>(
        &'a self,
        cancel: &'a CancellationToken,
        publisher: Arc<dyn LogPublisher>,
        options: LogOptions,
    ) -> Option<BoxFuture<'a, Outcome>> {
        self.inner.logs(cancel, publisher, options)
    }
}
