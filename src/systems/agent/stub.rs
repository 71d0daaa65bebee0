//! A controller that does what closures say, and remembers what it was asked, for tests. It must not know any caller.

use super::controller::{BoxFuture, Controller, Op, Outcome};
use super::error::TaskError;
use super::task::{ContainerStatus, PortStatus, Task};
use crate::sync::CancellationToken;
use crate::time::{Duration, Instant};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

type Behaviour = Arc<dyn Fn(Asked) -> BoxFuture<'static, Outcome> + Send + Sync>;
type Container = Arc<dyn Fn() -> Result<Option<ContainerStatus>, TaskError> + Send + Sync>;
type Ports = Arc<dyn Fn() -> Result<Option<PortStatus>, TaskError> + Send + Sync>;

/// What a behaviour is told.
#[derive(Clone, Debug)]
pub struct Asked {
    /// How often the operation was asked for before.
    pub before: u64,
    /// The token of this operation.
    pub cancel: CancellationToken,
    /// The definition, of an update.
    pub task: Option<Task>,
}

/// An operation that was asked for, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The operation.
    pub op: Op,
    /// Time since the start of the run.
    pub at: Duration,
}

/// A controller for tests: a closure for each operation, and a log of what was asked, with times.
#[derive(Clone, Default)]
pub struct StubController {
    behaviours: BTreeMap<Op, Behaviour>,
    container: Option<Container>,
    ports: Option<Ports>,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl StubController {
    /// One that nothing may be asked of.
    pub fn new() -> StubController {
        StubController::default()
    }

    /// Does this when asked for an operation.
    pub fn on<F, Fut>(mut self, op: Op, behaviour: F) -> StubController
    where
        F: Fn(Asked) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Outcome> + Send + 'static,
    {
        self.behaviours.insert(op, Arc::new(move |asked| Box::pin(behaviour(asked))));
        self
    }

    /// Answers an operation at once.
    pub fn answers(self, op: Op, answer: impl Fn(u64) -> Outcome + Send + Sync + 'static) -> StubController {
        self.on(op, move |asked| {
            let answer = answer(asked.before);
            async move { answer }
        })
    }

    /// Has a container.
    pub fn with_container(
        mut self,
        container: impl Fn() -> Result<Option<ContainerStatus>, TaskError> + Send + Sync + 'static,
    ) -> StubController {
        self.container = Some(Arc::new(container));
        self
    }

    /// Has ports.
    pub fn with_ports(
        mut self,
        ports: impl Fn() -> Result<Option<PortStatus>, TaskError> + Send + Sync + 'static,
    ) -> StubController {
        self.ports = Some(Arc::new(ports));
        self
    }

    /// What was asked so far, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.log().clone()
    }

    /// How often an operation was asked for.
    pub fn count(&self, op: Op) -> u64 {
        self.log().iter().filter(|call| call.op == op).count() as u64
    }

    fn log(&self) -> std::sync::MutexGuard<'_, Vec<Call>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call(&self, op: Op, cancel: &CancellationToken, task: Option<&Task>) -> BoxFuture<'static, Outcome> {
        let before = self.count(op);
        self.log().push(Call { op, at: Instant::now().since_start() });
        match self.behaviours.get(&op) {
            Some(behaviour) => behaviour(Asked { before, cancel: cancel.clone(), task: task.cloned() }),
            None => {
                panic!("the stub controller was asked to {}, and no test said what it does then", op.name())
            }
        }
    }
}

impl Controller for StubController {
    fn update<'a>(&'a self, cancel: &'a CancellationToken, task: &'a Task) -> BoxFuture<'a, Outcome> {
        Box::pin(async move { self.call(Op::Update, cancel, Some(task)).await })
    }

    fn prepare<'a>(&'a self, cancel: &'a CancellationToken) -> BoxFuture<'a, Outcome> {
        Box::pin(async move { self.call(Op::Prepare, cancel, None).await })
    }

    fn start<'a>(&'a self, cancel: &'a CancellationToken) -> BoxFuture<'a, Outcome> {
        Box::pin(async move { self.call(Op::Start, cancel, None).await })
    }

    fn wait<'a>(&'a self, cancel: &'a CancellationToken) -> BoxFuture<'a, Outcome> {
        Box::pin(async move { self.call(Op::Wait, cancel, None).await })
    }

    fn shutdown<'a>(&'a self, cancel: &'a CancellationToken) -> BoxFuture<'a, Outcome> {
        Box::pin(async move { self.call(Op::Shutdown, cancel, None).await })
    }

    fn terminate<'a>(&'a self, cancel: &'a CancellationToken) -> BoxFuture<'a, Outcome> {
        Box::pin(async move { self.call(Op::Terminate, cancel, None).await })
    }

    fn remove<'a>(&'a self, cancel: &'a CancellationToken) -> BoxFuture<'a, Outcome> {
        Box::pin(async move { self.call(Op::Remove, cancel, None).await })
    }

    fn close(&self) -> BoxFuture<'_, Outcome> {
        Box::pin(async move { self.call(Op::Close, &CancellationToken::new(), None).await })
    }

    fn container_status<'a>(
        &'a self,
        _cancel: &'a CancellationToken,
    ) -> Option<BoxFuture<'a, Result<Option<ContainerStatus>, TaskError>>> {
        let container = self.container.as_ref()?;
        Some(Box::pin(async move { container() }))
    }

    fn port_status<'a>(
        &'a self,
        _cancel: &'a CancellationToken,
    ) -> Option<BoxFuture<'a, Result<Option<PortStatus>, TaskError>>> {
        let ports = self.ports.as_ref()?;
        Some(Box::pin(async move { ports() }))
    }
}

impl fmt::Debug for StubController {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StubController").field("calls", &self.log()).finish_non_exhaustive()
    }
}
