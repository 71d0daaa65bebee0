//! What one step of a task is: a total function of its state, of what is desired, and of how the one operation that it
//! asks for ends. Pure: no time, no task, no controller. Separate so that the tables of the specification are read, and
//! tested, here.
//!
//! | desired | state | step |
//! |---|---|---|
//! | at least SHUTDOWN | terminal | nothing to do |
//! | at least SHUTDOWN | any other | `shutdown` |
//! | passed by the state | | nothing to do |
//! | | PREPARING, STARTING, RUNNING | `prepare`, `start`, `wait`: also where just that is desired |
//! | reached by the state | | nothing to do |
//! | | NEW, PENDING, ASSIGNED; ACCEPTED; READY | the next state is published, and the controller not asked |

use super::controller::Op;
use super::error::{ErrorKind, TaskError};
use super::options::AgentOptions;
use super::state::{DesiredState, TaskState};
use super::task::{ContainerStatus, PortStatus, TaskStatus};
use super::variant::Variant;
use std::fmt;

/// What the next step of a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing, until the task changes.
    Nothing,
    /// It has come to this state; the controller is not asked. What a state that ends in -ING announces is done by the
    /// step after it, so that a crash in between leaves a record of the intention.
    Publish(TaskState),
    /// The controller does this, and then the task has come to this state.
    Operate(Op, TaskState),
}

/// What whoever takes steps does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The next step.
    Advance,
    /// Nothing, until the task changes.
    Noop,
    /// The same step again, after a while.
    Retry,
}

/// The texts of the reference's sentinel errors.
impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Next::Advance => "exec: task advances",
            Next::Noop => "exec: task noop",
            Next::Retry => "exec: task retry",
        })
    }
}

/// A step: the status to be reported in any case, and what comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The status.
    pub status: TaskStatus,
    /// What comes next.
    pub next: Next,
}

/// What an error said of the container, to be merged into the status of the step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    /// The container as it was.
    pub container: Option<ContainerStatus>,
    /// How its process exited.
    pub exit_code: Option<i32>,
}

/// A transition that goes back: a mistake in the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid state transition: {from} to {to}")]
pub struct InvalidTransition {
    /// The state.
    pub from: TaskState,
    /// The one that is lower.
    pub to: TaskState,
}

/// What the next step of a task is.
pub fn decide(state: TaskState, desired: DesiredState) -> Decision {
    decide_with(state, desired, AgentOptions::default())
}

pub(super) fn decide_with(state: TaskState, desired: DesiredState, options: AgentOptions) -> Decision {
    let is_to_stop = match options.has(Variant::DesireExactly) {
        true => desired == DesiredState::SHUTDOWN,
        false => desired >= DesiredState::SHUTDOWN,
    };
    if is_to_stop {
        return match state.is_terminal() {
            true => Decision::Nothing,
            false => Decision::Operate(Op::Shutdown, TaskState::Shutdown),
        };
    }
    let rests = match options.has(Variant::ActiveRests) {
        true => desired.is_reached_by(state),
        false => desired.is_passed_by(state) && !options.has(Variant::ActivePastDesired),
    };
    if rests {
        return Decision::Nothing;
    }
    if let Some((op, next)) = active(state) {
        return Decision::Operate(op, next);
    }
    if desired.is_reached_by(state) {
        return Decision::Nothing;
    }
    published_next(state).map_or(Decision::Nothing, Decision::Publish)
}

/// What the controller does in an active state, and where that leads.
fn active(state: TaskState) -> Option<(Op, TaskState)> {
    match state {
        TaskState::Preparing => Some((Op::Prepare, TaskState::Ready)),
        TaskState::Starting => Some((Op::Start, TaskState::Running)),
        TaskState::Running => Some((Op::Wait, TaskState::Complete)),
        TaskState::New
        | TaskState::Pending
        | TaskState::Assigned
        | TaskState::Accepted
        | TaskState::Ready
        | TaskState::Complete
        | TaskState::Shutdown
        | TaskState::Failed
        | TaskState::Rejected => None,
    }
}

/// Where a pause leads.
fn published_next(state: TaskState) -> Option<TaskState> {
    match state {
        TaskState::New | TaskState::Pending | TaskState::Assigned => Some(TaskState::Accepted),
        TaskState::Accepted => Some(TaskState::Preparing),
        TaskState::Ready => Some(TaskState::Starting),
        TaskState::Preparing
        | TaskState::Starting
        | TaskState::Running
        | TaskState::Complete
        | TaskState::Shutdown
        | TaskState::Failed
        | TaskState::Rejected => None,
    }
}

/// What a status says of the transition that led to its state.
pub fn message(state: TaskState) -> &'static str {
    match state {
        TaskState::Accepted => "accepted",
        TaskState::Preparing => "preparing",
        TaskState::Ready => "prepared",
        TaskState::Starting => "starting",
        TaskState::Running => "started",
        TaskState::Complete => "finished",
        TaskState::Shutdown => "shutdown",
        TaskState::New
        | TaskState::Pending
        | TaskState::Assigned
        | TaskState::Failed
        | TaskState::Rejected => "",
    }
}

/// A transition that succeeded.
///
/// # Errors
/// It goes back.
pub fn succeed(status: &TaskStatus, to: TaskState) -> Result<Step, InvalidTransition> {
    if to < status.state {
        return Err(InvalidTransition { from: status.state, to });
    }
    let status = TaskStatus { state: to, message: message(to).to_owned(), err: None, ..status.clone() };
    Ok(Step { status, next: Next::Advance })
}

/// A step in which the controller failed: interrupted and temporary errors are tried again, all others are the end.
pub fn fail(status: &TaskStatus, error: &TaskError) -> (Step, Captured) {
    fail_with(status, error, AgentOptions::default())
}

fn fail_with(status: &TaskStatus, error: &TaskError, options: AgentOptions) -> (Step, Captured) {
    let captured = Captured { container: error.container().cloned(), exit_code: error.exit_code() };
    let mut status = status.clone();
    let is_deadline = error.root_kind() == Some(ErrorKind::DeadlineExceeded);
    if error.is_interruption() && !(is_deadline && options.has(Variant::DeadlineIsFatal)) {
        return (Step { status, next: Next::Retry }, captured);
    }
    status.err = Some(error.text());
    if error.is_temporary() {
        return (Step { status, next: Next::Retry }, captured);
    }
    let has_begun = match options.has(Variant::StartFailureRejected) {
        true => status.state > TaskState::Starting,
        false => status.state >= TaskState::Starting,
    };
    status.state = if has_begun { TaskState::Failed } else { TaskState::Rejected };
    (Step { status, next: Next::Advance }, captured)
}

/// The end of the operation that a step asked for.
///
/// # Errors
/// The transition goes back.
pub fn after(
    status: &TaskStatus,
    op: Op,
    to: TaskState,
    outcome: Result<(), TaskError>,
) -> Result<(Step, Captured), InvalidTransition> {
    after_with(status, (op, to), outcome, AgentOptions::default())
}

pub(super) fn after_with(
    status: &TaskStatus,
    (op, to): (Op, TaskState),
    outcome: Result<(), TaskError>,
    options: AgentOptions,
) -> Result<(Step, Captured), InvalidTransition> {
    match outcome {
        Err(error) if options.has(Variant::AlreadyIsFatal) || !is_done_already(op, error.kind()) => {
            Ok(fail_with(status, &error, options))
        }
        Ok(()) | Err(_) => Ok((succeed(status, to)?, Captured::default())),
    }
}

/// Whether the error says that the operation had been done: by identity, not by what it wraps.
fn is_done_already(op: Op, kind: ErrorKind) -> bool {
    matches!((op, kind), (Op::Prepare, ErrorKind::TaskPrepared) | (Op::Start, ErrorKind::TaskStarted))
}

/// Whether the controller is asked for container and ports after a step: by its result, before anything was started or
/// not.
pub fn collects(step: &Step) -> bool {
    step.status.state >= TaskState::Starting
}

/// Merges what is known of the container into a step. `answered` is what the controller says where no error had
/// captured it: `None` if it knows no containers, and then nothing is merged.
///
/// Whether the ports are to be collected too.
pub fn merge_container(
    step: &mut Step,
    previous: Option<&ContainerStatus>,
    captured: Captured,
    answered: Option<Option<ContainerStatus>>,
) -> bool {
    let known = match (captured.container, answered) {
        (Some(container), _) => Some(container),
        (None, Some(answer)) => Some(answer.or_else(|| previous.cloned()).unwrap_or_default()),
        (None, None) => None,
    };
    let Some(mut container) = known else { return false };
    if let Some(code) = captured.exit_code.filter(|code| *code != 0) {
        container.exit_code = code;
    }
    step.status.container = Some(container);
    true
}

/// Takes what the controller says of its ports, also where that is nothing.
pub fn merge_ports(step: &mut Step, answered: Option<PortStatus>) {
    step.status.ports = answered;
}

/// Stamps a status that says something new. It never goes back, whatever the wall clock does.
pub fn stamp(status: &mut TaskStatus, before: &TaskStatus, now: u64) {
    status.timestamp = match status.is_stable_equal(before) {
        true => before.timestamp,
        false => Some(now.max(before.timestamp.unwrap_or(0))),
    };
}

/// The status of a task whose controller was found, or was not.
pub fn resolved(status: &TaskStatus, failed: Option<&TaskError>) -> TaskStatus {
    resolved_with(status, failed, AgentOptions::default())
}

pub(super) fn resolved_with(
    status: &TaskStatus,
    failed: Option<&TaskError>,
    options: AgentOptions,
) -> TaskStatus {
    let mut status = status.clone();
    match failed {
        None if status.state < TaskState::Accepted => {
            status.state = TaskState::Accepted;
            status.message = message(TaskState::Accepted).to_owned();
            status.err = None;
        }
        None => {}
        Some(error) => {
            status.message = "resolving controller failed".to_owned();
            status.err = Some(error.text());
            status.state = match status.state {
                state if state < TaskState::Starting => TaskState::Rejected,
                state if options.has(Variant::ResolveNotMapped) => state,
                state if state <= TaskState::Running => TaskState::Failed,
                state => state,
            };
        }
    }
    status
}
