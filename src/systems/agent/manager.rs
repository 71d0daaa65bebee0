//! The task manager: a loop for one task that takes one step after the other, and new definitions in between. Separate
//! from the worker, which has one for each task; it must not know where a status goes.
//!
//! ```text
//!              taken                  advance
//!  (primed) --> due <----------------------------- in flight
//!                |  \--------- step --------------->  |  |
//!             update \                                |  | noop: resting until an update
//!                |    \-- 1 s over, or an update --- backing off <-- retry
//! ```
//!
//! A step and the end of a back-off have numbers, so that neither can be taken for the other's.

use super::controller::Controller;
use super::engine::do_task_with;
use super::error::{AgentError, ErrorKind};
use super::model::Next;
use super::options::AgentOptions;
use super::record::AgentEvent;
use super::task::{Task, TaskId, TaskStatus};
use super::variant::Variant;
use super::watched::Watched;
use crate::emit;
use crate::select;
use crate::sync::{CancellationToken, DropGuard, mpsc};
use crate::systems::controller::BoxFuture;
use crate::task::{spawn_named, yield_point};
use crate::time::{Duration, Instant, sleep, sleep_until};
use std::fmt;
use std::future::pending;
use std::sync::Arc;

/// How long a manager waits before it tries a step again.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Takes the statuses of tasks.
pub trait StatusReporter: Send + Sync {
    /// Takes a status. It returns when the status is safe, or when nothing can be done for it.
    fn report<'a>(&'a self, task: &'a TaskId, status: &'a TaskStatus) -> BoxFuture<'a, ()>;
}

/// A handle of the loop of one task.
pub struct TaskManager {
    inbox: mpsc::UnboundedSender<Message>,
    closing: CancellationToken,
    closed: CancellationToken,
    /// Ends the loop where the handle is dropped.
    _guard: DropGuard,
}

enum Message {
    Update(Box<Task>),
    /// What a step came to; sent by the step itself while it is in flight.
    Status(TaskStatus),
    Finished {
        step: u64,
        how: Finished,
    },
}

/// How a step ended.
enum Finished {
    Stepped(Next),
    /// It was interrupted before the task's step. The definition that was to be delivered was not.
    Interrupted {
        undelivered: bool,
    },
    /// The definition could not be delivered yet.
    Undelivered,
    /// The back-off is over.
    BackedOff,
}

/// What the loop is about.
enum Phase {
    /// A step is to be taken.
    Due,
    /// Nothing is, until an update.
    Resting,
    InFlight {
        step: u64,
        cancel: CancellationToken,
    },
    BackingOff {
        step: u64,
        until: Instant,
    },
}

struct Loop {
    node: Arc<str>,
    task: Task,
    controller: Arc<Watched>,
    reporter: Arc<dyn StatusReporter>,
    options: AgentOptions,
    inbox: mpsc::UnboundedReceiver<Message>,
    outbox: mpsc::WeakUnboundedSender<Message>,
    closing: CancellationToken,
    phase: Phase,
    /// Whether the controller has yet to hear of the task's definition.
    updated: bool,
    steps: u64,
    /// Whether somebody woke the loop since it last took a step: all that matters to `Variant::RunChannelFull`.
    woken: bool,
}

impl TaskManager {
    /// Starts the loop of a task on a node.
    pub fn start(
        node: Arc<str>,
        task: Task,
        controller: Arc<Watched>,
        reporter: Arc<dyn StatusReporter>,
    ) -> TaskManager {
        TaskManager::start_with(node, task, controller, reporter, AgentOptions::default())
    }

    /// As [`TaskManager::start`], with these options.
    pub fn start_with(
        node: Arc<str>,
        task: Task,
        controller: Arc<Watched>,
        reporter: Arc<dyn StatusReporter>,
        options: AgentOptions,
    ) -> TaskManager {
        let (sender, receiver) = mpsc::unbounded_channel();
        let (closing, closed) = (CancellationToken::new(), CancellationToken::new());
        emit(AgentEvent::Accepted {
            node: node.clone(),
            task: task.id.clone(),
            desired: task.desired,
            version: task.version,
        });
        let manager = Loop {
            node,
            task,
            controller,
            reporter,
            options,
            inbox: receiver,
            outbox: sender.downgrade(),
            closing: closing.clone(),
            phase: Phase::Due,
            updated: false,
            steps: 0,
            woken: true,
        };
        let done = closed.clone().drop_guard();
        spawn_named("task-manager", async move {
            let _done = done;
            manager.run().await;
        });
        TaskManager { inbox: sender, closing: closing.clone(), closed, _guard: closing.drop_guard() }
    }

    /// Hands over a new definition of the task.
    ///
    /// # Errors
    /// The manager is closed.
    pub async fn update(&self, task: Task) -> Result<(), AgentError> {
        if self.closing.is_cancelled() {
            return Err(AgentError::Closed);
        }
        yield_point("task-manager").await;
        self.inbox.send(Message::Update(Box::new(task))).map_err(|_| AgentError::Closed)
    }

    /// Interrupts the step in flight, and begins no other: what [`TaskManager::close`] does first.
    pub fn interrupt(&self) {
        self.closing.cancel();
    }

    /// Ends the loop: the operation in flight is interrupted, and has ended when this returns. Again: as before.
    pub async fn close(&self) {
        self.closing.cancel();
        self.closed.cancelled().await;
    }
}

impl Loop {
    async fn run(mut self) {
        while self.turn().await {}
    }

    /// One turn; whether there is another.
    async fn turn(&mut self) -> bool {
        if self.closing.is_cancelled() {
            return self.wind_down().await;
        }
        let is_due = matches!(self.phase, Phase::Due);
        let over = match self.phase {
            Phase::BackingOff { until, .. } if !self.options.has(Variant::BareRetryTimer) => Some(until),
            Phase::BackingOff { .. } | Phase::Due | Phase::Resting | Phase::InFlight { .. } => None,
        };
        let closing = self.closing.clone();
        select! {
            () = async {}, if is_due => self.begin_step(),
            Some(message) = self.inbox.recv() => self.take(message).await,
            () = sleep_until(over.unwrap_or_else(Instant::now)), if over.is_some() => {
                let Phase::BackingOff { step, .. } = self.phase else { return true };
                self.finished(step, Finished::BackedOff).await;
            }
            () = closing.cancelled() => {}
        }
        true
    }

    /// Closing: what is in flight is interrupted and awaited.
    async fn wind_down(&mut self) -> bool {
        let Phase::InFlight { step, cancel } = &self.phase else { return false };
        cancel.cancel();
        if self.options.has(Variant::CloseWithoutWaiting) {
            return false;
        }
        let awaited = *step;
        while let Some(message) = self.inbox.recv().await {
            match message {
                Message::Finished { step, .. } if step == awaited => return false,
                Message::Status(status) => self.task.status = status,
                Message::Finished { .. } | Message::Update(_) => {}
            }
        }
        false
    }

    async fn take(&mut self, message: Message) {
        match message {
            Message::Update(task) => self.update(*task).await,
            Message::Status(status) => self.task.status = status,
            Message::Finished { step, how } => self.finished(step, how).await,
        }
    }

    // Definitions.

    async fn update(&mut self, task: Task) {
        if let Some(reason) = self.reason_to_ignore(&task) {
            let (node, about) = (self.node.clone(), task.id);
            emit(AgentEvent::Ignored { node, task: self.task.id.clone(), about, reason });
            return;
        }
        let status = std::mem::take(&mut self.task.status);
        self.task = Task { status, ..task };
        self.updated = true;
        emit(AgentEvent::Accepted {
            node: self.node.clone(),
            task: self.task.id.clone(),
            desired: self.task.desired,
            version: self.task.version,
        });
        match &self.phase {
            Phase::InFlight { cancel, .. } => cancel.cancel(),
            Phase::Due | Phase::Resting | Phase::BackingOff { .. } => self.wake().await,
        }
    }

    fn reason_to_ignore(&self, task: &Task) -> Option<&'static str> {
        if task.id != self.task.id {
            return Some("it is of another task");
        }
        if task.is_stable_equal(&self.task) {
            return Some("it is the same");
        }
        let is_lower = task.desired < self.task.desired && !self.options.has(Variant::LowerDesireTaken);
        is_lower.then_some("ignoring task update with invalid desired state")
    }

    /// A step is due.
    async fn wake(&mut self) {
        if self.options.has(Variant::RunChannelFull) && self.woken {
            pending::<()>().await;
        }
        self.woken = true;
        self.phase = Phase::Due;
    }

    // Steps.

    fn begin_step(&mut self) {
        self.steps += 1;
        self.woken = false;
        // A manager that is closed, or whose handle is dropped, interrupts its step at once.
        let cancel = self.closing.child_token();
        self.phase = Phase::InFlight { step: self.steps, cancel: cancel.clone() };
        let Some(outbox) = self.outbox.upgrade() else { return };
        let step = OneStep {
            node: self.node.clone(),
            task: self.task.clone(),
            step: self.steps,
            is_updated: std::mem::take(&mut self.updated),
            controller: self.controller.clone(),
            reporter: self.reporter.clone(),
            options: self.options,
            outbox,
        };
        spawn_named("task-step", async move { step.run(&cancel).await });
    }

    async fn finished(&mut self, of: u64, how: Finished) {
        let is_current = match self.phase {
            Phase::InFlight { step, .. } | Phase::BackingOff { step, .. } => step == of,
            Phase::Due | Phase::Resting => false,
        };
        let is_bare = self.options.has(Variant::BareRetryTimer)
            && matches!((&self.phase, &how), (Phase::InFlight { .. }, Finished::BackedOff));
        if !is_current && !is_bare {
            return;
        }
        // The step that is forgotten may not have told the controller yet.
        self.updated |= !is_current;
        match how {
            Finished::Stepped(Next::Advance) | Finished::BackedOff => self.wake().await,
            Finished::Stepped(Next::Noop) if self.updated => self.wake().await,
            Finished::Stepped(Next::Noop) => self.phase = Phase::Resting,
            Finished::Stepped(Next::Retry) if self.options.has(Variant::RetryAtOnce) => self.wake().await,
            Finished::Stepped(Next::Retry) => self.back_off(of),
            Finished::Interrupted { undelivered } => {
                self.updated |= undelivered;
                self.wake().await;
            }
            Finished::Undelivered if self.options.has(Variant::UpdateLost) => self.wake().await,
            Finished::Undelivered => {
                self.updated = true;
                self.back_off(of);
            }
        }
    }

    fn back_off(&mut self, step: u64) {
        self.phase = Phase::BackingOff { step, until: Instant::now() + RETRY_AFTER };
        if !self.options.has(Variant::BareRetryTimer) {
            return;
        }
        let outbox = self.outbox.clone();
        spawn_named("retry-timer", async move {
            sleep(RETRY_AFTER).await;
            if let Some(outbox) = outbox.upgrade() {
                outbox.send(Message::Finished { step, how: Finished::BackedOff }).ok();
            }
        });
    }
}

/// One step, which runs beside the loop.
struct OneStep {
    node: Arc<str>,
    task: Task,
    step: u64,
    is_updated: bool,
    controller: Arc<Watched>,
    reporter: Arc<dyn StatusReporter>,
    options: AgentOptions,
    outbox: mpsc::UnboundedSender<Message>,
}

impl OneStep {
    async fn run(self, cancel: &CancellationToken) {
        let how = self.finish(cancel).await;
        self.outbox.send(Message::Finished { step: self.step, how }).ok();
    }

    async fn finish(&self, cancel: &CancellationToken) -> Finished {
        if self.is_updated
            && let Err(finished) = self.deliver(cancel).await
        {
            return finished;
        }
        // Between this look and the operation's begin nothing else runs: what is not wanted any more never begins.
        if cancel.is_cancelled() {
            return Finished::Interrupted { undelivered: false };
        }
        self.tell_began();
        let step = do_task_with(cancel, &self.task, &*self.controller, self.options).await;
        let step = step.expect("a decision never goes back");
        self.tell_ended(&step.status, step.next);
        self.outbox.send(Message::Status(step.status.clone())).ok();
        self.reporter.report(&self.task.id, &step.status).await;
        Finished::Stepped(step.next)
    }

    /// Tells the controller of the new definition. One that it fails to take for good is not told again: the step is
    /// taken without, so that the task can be stopped all the same.
    async fn deliver(&self, cancel: &CancellationToken) -> Result<(), Finished> {
        match self.controller.update(cancel, &self.task).await {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::TaskUpdateRejected => {
                tracing::warn!("the controller refuses the update: {error}");
                Ok(())
            }
            Err(error) if error.is_interruption() && cancel.is_cancelled() => {
                Err(Finished::Interrupted { undelivered: !self.options.has(Variant::UpdateLost) })
            }
            Err(error) if error.is_interruption() || error.is_temporary() => {
                tracing::warn!("the controller is not updated yet: {error}");
                Err(Finished::Undelivered)
            }
            Err(error) => {
                tracing::error!("the controller was not updated: {error}");
                Ok(())
            }
        }
    }

    fn tell_began(&self) {
        emit(AgentEvent::DoBegan {
            node: self.node.clone(),
            task: self.task.id.clone(),
            step: self.step,
            state: self.task.status.state,
            desired: self.task.desired,
        });
    }

    fn tell_ended(&self, status: &TaskStatus, next: Next) {
        emit(AgentEvent::DoEnded {
            node: self.node.clone(),
            task: self.task.id.clone(),
            step: self.step,
            desired: self.task.desired,
            from: Arc::new(self.task.status.clone()),
            to: Arc::new(status.clone()),
            next,
        });
    }
}

impl fmt::Debug for TaskManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskManager").finish_non_exhaustive()
    }
}
