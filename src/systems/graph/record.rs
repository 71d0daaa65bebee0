//! What happens in a run, as events for traces, digests and properties. Separate because the engine writes them
//! and the properties read them, and neither may know the other; plain data, cheap to build.

use std::sync::Arc;

use crate::time::Duration;
use crate::trace::{Record, Value};

use super::outcome::OutcomeIndices;

/// What a run was asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSettings {
    /// Actions in flight at most.
    pub workers: u32,
    /// The first failure stops the run.
    pub stop_on_error: bool,
    /// Failed actions signal too (parity).
    pub signal_on_error: bool,
    /// Blocked actions alone are no error.
    pub allow_blocked: bool,
    /// Nothing is really done.
    pub dry_run: bool,
    /// In-flight actions are dropped at the stop.
    pub abort_on_stop: bool,
    /// Virtual nanoseconds from start to deadline.
    pub limit_ns: Option<u64>,
    /// Virtual nanoseconds for orphans after the stop.
    pub orphan_limit_ns: Option<u64>,
}

/// One event of a graph's run. Actions are named by their place in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GraphEvent {
    /// A run begins; its actions are declared next.
    RunStarted(Arc<RunSettings>),
    /// An action takes part; also when it is added during the run.
    Declared {
        /// Which.
        action: u32,
        /// Its name.
        name: Arc<str>,
        /// The events it waits for.
        wants: Arc<[Arc<str>]>,
        /// The events it says it will emit.
        emits: Arc<[Arc<str>]>,
        /// A gate of its own decides when it can run.
        gated: bool,
        /// An earlier run completed it.
        restored: bool,
    },
    /// It was handed to the queue.
    Queued {
        /// Which.
        action: u32,
    },
    /// The queue was closed and refused it.
    Refused {
        /// Which.
        action: u32,
    },
    /// A worker started it.
    Started {
        /// Which.
        action: u32,
    },
    /// A retrying action runs its inner action.
    Attempt {
        /// Which.
        action: u32,
        /// From 1.
        attempt: u32,
        /// The cancellation could be seen at this moment.
        cancelled: bool,
    },
    /// An attempt failed.
    AttemptFailed {
        /// Which.
        action: u32,
        /// From 1.
        attempt: u32,
    },
    /// The retry policy was asked.
    PolicyAsked {
        /// Which.
        action: u32,
        /// From 1.
        attempt: u32,
        /// The delay it chose; none when it gave up.
        delay_ns: Option<u64>,
    },
    /// It ended.
    Finished {
        /// Which.
        action: u32,
        /// The error; none when it ended well.
        error: Option<Arc<str>>,
    },
    /// It emitted an event.
    Emitted {
        /// Which.
        action: u32,
        /// The event.
        event: Arc<str>,
    },
    /// An emission was accepted by an action that waited for it.
    Signalled {
        /// The emitter.
        from: u32,
        /// The event.
        event: Arc<str>,
        /// The receiver.
        to: u32,
    },
    /// The tracer was given the entry of an action.
    Recorded {
        /// Which.
        action: u32,
        /// Virtual nanoseconds since the start of the run.
        start_ns: u64,
        /// Virtual nanoseconds since the start of the run.
        end_ns: u64,
        /// Who accepted its signals.
        signalled: Arc<[u32]>,
    },
    /// The run stopped early: nothing may start from here on.
    Stopped {
        /// The kind of cause.
        cause: &'static str,
    },
    /// Actions in flight were not awaited to the end.
    OrphansGivenUp {
        /// Because the caller cancelled, and not because their time was over.
        cancelled: bool,
    },
    /// The future of the run was dropped.
    RunDropped,
    /// The executor stopped waiting for an action in flight.
    Abandoned {
        /// Which.
        action: u32,
    },
    /// It waits for an event that did not come.
    Blocked {
        /// Which.
        action: u32,
        /// One of the events missing; none when only its gate holds it.
        missing: Option<Arc<str>>,
    },
    /// The tracer was told the end.
    TraceFinished,
    /// The run is over.
    RunFinished {
        /// The kind of cause; none when the run returned no error.
        error: Option<&'static str>,
        /// The five sets.
        sets: Arc<OutcomeIndices>,
        /// The action list and its wants are what they were at the start.
        inputs_kept: bool,
    },
    /// A caller looked at the outcome that it was given.
    OutcomeRead {
        /// The five sets as it saw them.
        sets: Arc<OutcomeIndices>,
    },
    /// The caller gave up on a run that should have returned long ago.
    Overdue,
    /// Something in the environment changed.
    Effect {
        /// What was done.
        op: &'static str,
        /// To what.
        object: Arc<str>,
    },
    /// An item was offered to a queue.
    QueueAdded {
        /// The queue's number.
        queue: u64,
        /// The item's number in the order of offering.
        item: u64,
        /// Lower ranks start earlier.
        rank: i64,
        /// The queue took it.
        accepted: bool,
        /// The queue had ended.
        done: bool,
    },
    /// A worker took an item.
    QueueStarted {
        /// The queue's number.
        queue: u64,
        /// The item's number.
        item: u64,
    },
    /// The queue ended.
    QueueDone {
        /// The queue's number.
        queue: u64,
        /// Items never started.
        unstarted: u64,
        /// It ended before everything ran.
        early: bool,
    },
    /// A queue was asked to run a second time.
    QueueRunAgain {
        /// The queue's number.
        queue: u64,
        /// It refused.
        refused: bool,
    },
}

/// Virtual nanoseconds, for records.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

type Visit<'v> = &'v mut dyn FnMut(&'static str, Value<'_>);

impl Record for GraphEvent {
    fn name(&self) -> &'static str {
        match self {
            GraphEvent::RunStarted(_) => "graph.run-started",
            GraphEvent::Declared { .. } => "graph.declared",
            GraphEvent::Queued { .. } => "graph.queued",
            GraphEvent::Refused { .. } => "graph.refused",
            GraphEvent::Started { .. } => "graph.started",
            GraphEvent::Attempt { .. } => "graph.attempt",
            GraphEvent::AttemptFailed { .. } => "graph.attempt-failed",
            GraphEvent::PolicyAsked { .. } => "graph.policy-asked",
            GraphEvent::Finished { .. } => "graph.finished",
            GraphEvent::Emitted { .. } => "graph.emitted",
            GraphEvent::Signalled { .. } => "graph.signalled",
            GraphEvent::Recorded { .. } => "graph.recorded",
            GraphEvent::Stopped { .. } => "graph.stopped",
            GraphEvent::OrphansGivenUp { .. } => "graph.orphans-given-up",
            GraphEvent::RunDropped => "graph.run-dropped",
            GraphEvent::Abandoned { .. } => "graph.abandoned",
            GraphEvent::Blocked { .. } => "graph.blocked",
            GraphEvent::TraceFinished => "graph.trace-finished",
            GraphEvent::RunFinished { .. } => "graph.run-finished",
            GraphEvent::OutcomeRead { .. } => "graph.outcome-read",
            GraphEvent::Overdue => "graph.overdue",
            GraphEvent::Effect { .. } => "graph.effect",
            GraphEvent::QueueAdded { .. } => "queue.added",
            GraphEvent::QueueStarted { .. } => "queue.started",
            GraphEvent::QueueDone { .. } => "queue.done",
            GraphEvent::QueueRunAgain { .. } => "queue.run-again",
        }
    }

    fn fields(&self, visit: Visit<'_>) {
        match self {
            GraphEvent::RunStarted(settings) => settings.fields(visit),
            GraphEvent::Declared { action, name, wants, emits, gated, restored } => {
                visit("action", Value::Key(u64::from(*action)));
                declared_fields(name, wants, emits, visit);
                visit("gated", Value::Bool(*gated));
                visit("restored", Value::Bool(*restored));
            }
            GraphEvent::Queued { action }
            | GraphEvent::Refused { action }
            | GraphEvent::Started { action }
            | GraphEvent::Abandoned { action } => visit("action", Value::Key(u64::from(*action))),
            GraphEvent::Attempt { action, attempt, cancelled } => {
                attempt_fields(*action, *attempt, visit);
                visit("cancelled", Value::Bool(*cancelled));
            }
            GraphEvent::AttemptFailed { action, attempt } => attempt_fields(*action, *attempt, visit),
            GraphEvent::PolicyAsked { action, attempt, delay_ns } => {
                attempt_fields(*action, *attempt, visit);
                optional_u64("delay_ns", *delay_ns, visit);
            }
            GraphEvent::Finished { action, error } => {
                visit("action", Value::Key(u64::from(*action)));
                optional_str("error", error.as_deref(), visit);
            }
            GraphEvent::Blocked { action, missing } => {
                visit("action", Value::Key(u64::from(*action)));
                optional_str("missing", missing.as_deref(), visit);
            }
            GraphEvent::Emitted { action, event } => {
                visit("action", Value::Key(u64::from(*action)));
                visit("event", Value::Str(event));
            }
            GraphEvent::Signalled { from, event, to } => {
                visit("from", Value::Key(u64::from(*from)));
                visit("event", Value::Str(event));
                visit("to", Value::Key(u64::from(*to)));
            }
            GraphEvent::Recorded { action, start_ns, end_ns, signalled } => {
                visit("action", Value::Key(u64::from(*action)));
                visit("start_ns", Value::U64(*start_ns));
                visit("end_ns", Value::U64(*end_ns));
                indices("signalled", signalled, visit);
            }
            GraphEvent::Stopped { cause } => visit("cause", Value::Str(cause)),
            GraphEvent::OrphansGivenUp { cancelled } => visit("cancelled", Value::Bool(*cancelled)),
            GraphEvent::TraceFinished | GraphEvent::Overdue | GraphEvent::RunDropped => {}
            GraphEvent::RunFinished { error, sets, inputs_kept } => {
                optional_str("error", *error, visit);
                sets.fields(visit);
                visit("inputs_kept", Value::Bool(*inputs_kept));
            }
            GraphEvent::OutcomeRead { sets } => sets.fields(visit),
            GraphEvent::Effect { op, object } => {
                visit("op", Value::Str(op));
                visit("object", Value::Str(object));
            }
            GraphEvent::QueueAdded { .. }
            | GraphEvent::QueueStarted { .. }
            | GraphEvent::QueueDone { .. }
            | GraphEvent::QueueRunAgain { .. } => self.queue_fields(visit),
        }
    }
}

impl GraphEvent {
    fn queue_fields(&self, visit: Visit<'_>) {
        match self {
            GraphEvent::QueueAdded { queue, item, rank, accepted, done } => {
                visit("queue", Value::U64(*queue));
                visit("item", Value::U64(*item));
                visit("rank", Value::I64(*rank));
                visit("accepted", Value::Bool(*accepted));
                visit("done", Value::Bool(*done));
            }
            GraphEvent::QueueStarted { queue, item } => {
                visit("queue", Value::U64(*queue));
                visit("item", Value::U64(*item));
            }
            GraphEvent::QueueDone { queue, unstarted, early } => {
                visit("queue", Value::U64(*queue));
                visit("unstarted", Value::U64(*unstarted));
                visit("early", Value::Bool(*early));
            }
            GraphEvent::QueueRunAgain { queue, refused } => {
                visit("queue", Value::U64(*queue));
                visit("refused", Value::Bool(*refused));
            }
            _ => {}
        }
    }
}

fn declared_fields(name: &str, wants: &[Arc<str>], emits: &[Arc<str>], visit: Visit<'_>) {
    visit("name", Value::Str(name));
    wants.iter().for_each(|event| visit("wants", Value::Str(event)));
    emits.iter().for_each(|event| visit("emits", Value::Str(event)));
}

impl RunSettings {
    fn fields(&self, visit: Visit<'_>) {
        visit("workers", Value::U64(u64::from(self.workers)));
        visit("stop_on_error", Value::Bool(self.stop_on_error));
        visit("signal_on_error", Value::Bool(self.signal_on_error));
        visit("allow_blocked", Value::Bool(self.allow_blocked));
        visit("dry_run", Value::Bool(self.dry_run));
        visit("abort_on_stop", Value::Bool(self.abort_on_stop));
        optional_u64("limit_ns", self.limit_ns, visit);
        optional_u64("orphan_limit_ns", self.orphan_limit_ns, visit);
    }
}

impl OutcomeIndices {
    fn fields(&self, visit: Visit<'_>) {
        indices("completed", &self.completed, visit);
        indices("failed", &self.failed, visit);
        indices("blocked", &self.blocked, visit);
        indices("not_started", &self.not_started, visit);
        indices("abandoned", &self.abandoned, visit);
    }
}

fn attempt_fields(action: u32, attempt: u32, visit: Visit<'_>) {
    visit("action", Value::Key(u64::from(action)));
    visit("attempt", Value::U64(u64::from(attempt)));
}

fn optional_u64(name: &'static str, value: Option<u64>, visit: Visit<'_>) {
    if let Some(value) = value {
        visit(name, Value::U64(value));
    }
}

fn optional_str(name: &'static str, value: Option<&str>, visit: Visit<'_>) {
    if let Some(value) = value {
        visit(name, Value::Str(value));
    }
}

fn indices(name: &'static str, values: &[u32], visit: Visit<'_>) {
    values.iter().for_each(|value| visit(name, Value::Key(u64::from(*value))));
}
