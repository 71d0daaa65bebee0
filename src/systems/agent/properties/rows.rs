//! The rows that a step is judged by, for each state and desire: written from the reference's description, and not from
//! the engine's decision, which must not be asked here.

use crate::systems::agent::controller::Op;
use crate::systems::agent::state::{DesiredState, TaskState};

/// What a step has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Row {
    /// Nothing is done, and nothing changes.
    Noop,
    /// The task comes to this state; the controller is not asked.
    Announce(TaskState),
    /// The controller is asked for this, and the task comes to this state if that goes well.
    Ask(Op, TaskState),
}

/// The row of a state and a desire.
pub(super) fn row(state: TaskState, desired: DesiredState) -> Row {
    use TaskState::{
        Accepted, Assigned, Complete, Failed, New, Pending, Preparing, Ready, Rejected, Running, Shutdown,
        Starting,
    };
    let wants = |least: TaskState| desired.value() >= least.value();
    let wants_more = desired.value() > state.value();
    match state {
        Complete | Shutdown | Failed | Rejected => Row::Noop,
        _ if wants(Shutdown) => Row::Ask(Op::Shutdown, Shutdown),
        Preparing if wants(Preparing) => Row::Ask(Op::Prepare, Ready),
        Starting if wants(Starting) => Row::Ask(Op::Start, Running),
        Running if wants(Running) => Row::Ask(Op::Wait, Complete),
        New | Pending | Assigned if wants_more => Row::Announce(Accepted),
        Accepted if wants_more => Row::Announce(Preparing),
        Ready if wants_more => Row::Announce(Starting),
        New | Pending | Assigned | Accepted | Preparing | Ready | Starting | Running => Row::Noop,
    }
}

/// What a failed operation brings a task to.
pub(super) fn failure(state: TaskState) -> TaskState {
    match state.value() {
        ..448 => TaskState::Rejected,
        448.. => TaskState::Failed,
    }
}
