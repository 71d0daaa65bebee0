//! One step of a task with its controller: `resolve` and `do_task`. The decision is the model's; here the controller is
//! asked. Separate from the agent, which takes step after step; it must not know who it works for.

use super::controller::{Controller, Op};
use super::error::TaskError;
use super::executor::Executor;
use super::model::{
    Captured, Decision, InvalidTransition, Next, Step, after_with, collects, decide_with, merge_container,
    merge_ports, resolved_with, stamp, succeed,
};
use super::options::AgentOptions;
use super::task::{Task, TaskStatus};
use crate::sync::CancellationToken;
use crate::time::SystemTime;
use std::sync::Arc;

/// What an executor makes of a task.
pub struct Resolved {
    /// What runs it; there can be none where it failed.
    pub controller: Result<Arc<dyn Controller>, TaskError>,
    /// Its status: to be reported also where it failed.
    pub status: TaskStatus,
}

/// Finds what runs a task. A task that is new is accepted; where there is no controller it is rejected, or has failed if
/// it had begun to start. It sets no timestamp.
pub async fn resolve(task: &Task, executor: &dyn Executor) -> Resolved {
    resolve_with(task, executor, AgentOptions::default()).await
}

pub(super) async fn resolve_with(task: &Task, executor: &dyn Executor, options: AgentOptions) -> Resolved {
    let controller = executor.controller(task).await;
    let status = resolved_with(&task.status, controller.as_ref().err(), options);
    Resolved { controller, status }
}

/// Takes the next step of a task: at most one operation of its controller, one of `prepare`, `start`, `wait` and
/// `shutdown`. When `cancel` is cancelled the operation ends, and the step is to be tried again.
///
/// # Errors
/// The step would go back, which is a mistake in the program.
pub async fn do_task(
    cancel: &CancellationToken,
    task: &Task,
    controller: &dyn Controller,
) -> Result<Step, InvalidTransition> {
    do_task_with(cancel, task, controller, AgentOptions::default()).await
}

pub(super) async fn do_task_with(
    cancel: &CancellationToken,
    task: &Task,
    controller: &dyn Controller,
    options: AgentOptions,
) -> Result<Step, InvalidTransition> {
    let before = &task.status;
    let (mut step, captured) = match decide_with(before.state, task.desired, options) {
        Decision::Nothing => (Step { status: before.clone(), next: Next::Noop }, Captured::default()),
        Decision::Publish(state) => (succeed(before, state)?, Captured::default()),
        Decision::Operate(op, to) => {
            let outcome = operate(cancel, controller, op).await;
            after_with(before, (op, to), outcome, options)?
        }
    };
    if collects(&step) {
        collect(cancel, &mut step, before, captured, controller).await;
    }
    stamp(&mut step.status, before, now());
    Ok(step)
}

async fn operate(cancel: &CancellationToken, controller: &dyn Controller, op: Op) -> Result<(), TaskError> {
    match op {
        Op::Prepare => controller.prepare(cancel).await,
        Op::Start => controller.start(cancel).await,
        Op::Wait => controller.wait(cancel).await,
        Op::Shutdown => controller.shutdown(cancel).await,
        Op::Update | Op::Terminate | Op::Remove | Op::Close => unreachable!("no step asks for {op:?}"),
    }
}

/// Asks the controller what became of container and ports. What it cannot say is logged, and fails nothing.
async fn collect(
    cancel: &CancellationToken,
    step: &mut Step,
    before: &TaskStatus,
    captured: Captured,
    controller: &dyn Controller,
) {
    let answered = match (&captured.container, controller.container_status(cancel)) {
        (None, Some(asked)) => Some(answer("container status", asked.await)),
        (None, None) | (Some(_), _) => None,
    };
    if !merge_container(step, before.container.as_ref(), captured, answered) {
        return;
    }
    if let Some(asked) = controller.port_status(cancel) {
        merge_ports(step, answer("port status", asked.await));
    }
}

fn answer<T>(what: &str, answer: Result<Option<T>, TaskError>) -> Option<T> {
    answer.unwrap_or_else(|error| {
        if !error.is_interruption() {
            tracing::error!("{what} unavailable: {error}");
        }
        None
    })
}

/// Wall time in nanoseconds since 1970.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
