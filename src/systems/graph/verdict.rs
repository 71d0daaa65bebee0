//! How a run ends: why it stopped, where every action stands, and whether that is an error. Separate from the
//! engine's loop so that the rule of the verdict stands alone; it must not start or wait for anything but the
//! declared scheduling points around taking it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::emit;
use crate::task::{yield_point, yield_read};
use crate::time::Duration;

use super::action::ActionResult;
use super::config::Config;
use super::engine::{Halt, Running};
use super::error::{ActionError, Cause, Orphans, RunError};
use super::model::{ActionRef, Model, State};
use super::outcome::{Blocked, Completed, Failed, Outcome};
use super::queue::QueueError;
use super::record::GraphEvent;
use super::stop::StopCause;
use super::variant::Variant;

/// Why the run stopped, from why its queue ended.
pub(crate) fn cause(error: &QueueError<Halt>, limit: Duration) -> Cause {
    match error {
        QueueError::Failed(Halt::Failed { action, error: ActionError::Panicked { message } }) => {
            Cause::Panicked { action: action.clone(), message: message.clone() }
        }
        QueueError::Failed(Halt::Failed { action, error }) => {
            Cause::Stopped { action: action.clone(), source: error.clone() }
        }
        QueueError::Stopped(StopCause::DeadlinePassed)
        | QueueError::Failed(Halt::Due(StopCause::DeadlinePassed)) => Cause::TimedOut { after: limit },
        QueueError::Stopped(StopCause::Cancelled) | QueueError::Failed(Halt::Due(StopCause::Cancelled)) => {
            Cause::Cancelled
        }
        QueueError::WorkerLost | QueueError::AlreadyRun(_) | QueueError::NotDone(_) => Cause::WorkerLost,
    }
}

/// Sorts every action into its set. What is queued or in flight is in none: the engine takes it back or gives it
/// up before it asks.
pub(crate) fn outcome(
    model: &Model,
    results: &BTreeMap<u32, ActionResult>,
    counts_in_flight: bool,
) -> Outcome {
    let mut outcome = Outcome::default();
    for index in model.ended() {
        let action = model.node(*index).action.clone();
        match results.get(index) {
            Some(Ok(events)) => outcome.completed.push(Completed { action, events: events.clone() }),
            Some(Err(error)) => outcome.failed.push(Failed { action, error: error.clone() }),
            None => {}
        }
    }
    for node in model.nodes() {
        let action = node.action.clone();
        match node.state {
            State::Blocked => {
                outcome.blocked.push(Blocked { action, missing: node.wait.pending().clone() });
            }
            State::Runnable => outcome.not_started.push(action),
            State::Abandoned => outcome.abandoned.push(action),
            State::InFlight if counts_in_flight => outcome.abandoned.push(action),
            State::InFlight | State::Queued | State::Completed | State::Failed => {}
        }
    }
    outcome
}

/// Why the outcome is an error, if it is one.
fn judge(config: &Config, cause: Option<Cause>, orphans_in_time: bool, outcome: &Outcome) -> Option<Cause> {
    if outcome.is_complete() {
        return None;
    }
    let is_hollow = outcome.failed.is_empty() && outcome.blocked.is_empty();
    if config.variant == Variant::HollowVerdict && is_hollow {
        return None;
    }
    match cause {
        Some(cause) if orphans_in_time || outcome.abandoned.is_empty() => Some(cause),
        Some(cause) => {
            Some(Cause::OrphansTimedOut { cause: Box::new(cause), abandoned: outcome.abandoned.clone() })
        }
        None if config.allow_blocked && only_blocked(outcome) => None,
        None => Some(Cause::Incomplete {
            failed: outcome.failed.iter().map(|failed| failed.action.clone()).collect(),
            blocked: outcome.blocked.iter().map(|blocked| blocked.action.clone()).collect(),
        }),
    }
}

fn only_blocked(outcome: &Outcome) -> bool {
    outcome.failed.is_empty() && outcome.not_started.is_empty() && outcome.abandoned.is_empty()
}

/// Takes the outcome, tells the tracer, and returns; what orphans do afterwards is in no result.
pub(crate) async fn conclude<E: ?Sized + Send + Sync + 'static>(
    run: &Running<E>,
    cause: Option<Cause>,
    orphans_in_time: bool,
    inputs_kept: bool,
) -> Result<Outcome, RunError> {
    yield_point("graph.model").await;
    // What a lost worker had in hand ends with it.
    let is_whole = !matches!(cause, Some(Cause::WorkerLost));
    let (mut outcome, tasks) = run.freeze(!orphans_in_time || !is_whole);
    let error = judge(&run.config, cause, orphans_in_time, &outcome);
    for blocked in &outcome.blocked {
        let missing = blocked.missing.first().map(|event| Arc::from(event.to_string()));
        emit(GraphEvent::Blocked { action: blocked.action.index, missing });
    }
    emit(GraphEvent::TraceFinished);
    if let Some(tracer) = &run.config.tracer {
        tracer.finish(&outcome, run.elapsed());
    }
    let sets = Arc::new(outcome.indices());
    emit(GraphEvent::RunFinished { error: error.as_ref().map(Cause::kind), sets, inputs_kept });
    yield_read("graph.model").await;
    if run.config.variant == Variant::LiveResult {
        outcome = run.peek();
    }
    match error {
        None => Ok(outcome),
        Some(cause) => Err(RunError { cause, outcome: Box::new(outcome), orphans: Orphans::new(tasks) }),
    }
}

impl RunError {
    /// The actions that were given up in flight.
    pub fn abandoned(&self) -> &[ActionRef] {
        &self.outcome.abandoned
    }
}
