//! From an action list to what a run needs of it: the model, the ranks in the queue, and the events that declare it.
//! Separate because all of it happens before anything runs; it must not know workers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::emit;
use crate::time::Instant;

use super::action::{Action, ActionResult, SharedAction};
use super::config::{Config, ErrorStrategy, OnStop, Order, SignalOnError};
use super::event::Event;
use super::model::{ActionRef, Model};
use super::outcome::Outcome;
use super::record::{GraphEvent, RunSettings, nanos};
use super::stop::Stop;
use super::validate;

/// What must not change during a run.
pub(crate) fn inputs<E: ?Sized>(actions: &[SharedAction<E>]) -> Vec<(Arc<str>, BTreeSet<Event>)> {
    actions.iter().map(|action| (Arc::clone(&action.metadata().name), action.wants().clone())).collect()
}

/// The settings as the trace shows them.
pub(crate) fn settings(config: &Config, stop: &Stop, start: Instant) -> RunSettings {
    RunSettings {
        workers: u32::try_from(config.workers.get()).unwrap_or(u32::MAX),
        stop_on_error: config.error_strategy == ErrorStrategy::StopOnError,
        signal_on_error: config.signal_on_error == SignalOnError::Always,
        allow_blocked: config.allow_blocked,
        dry_run: config.dry_run,
        is_fifo: config.order == Order::Fifo,
        abort_on_stop: config.on_stop == OnStop::Abort,
        limit_ns: stop.deadline().map(|deadline| nanos(deadline.duration_since(start))),
        orphan_limit_ns: config.orphan_timeout.map(nanos),
    }
}

/// The model of the list, in which the completed actions of an earlier run are completed.
pub(crate) fn model<E: ?Sized>(actions: &[SharedAction<E>], from: &Outcome) -> Model {
    let restored = restored(actions, from);
    let mut model = Model::new();
    for (index, action) in (0..).zip(actions) {
        declare(&**action, index, restored.contains_key(&index));
        let metadata = action.metadata();
        model.add(Arc::clone(&metadata.name), action.wants(), action.gate().is_some());
    }
    for done in &from.completed {
        for event in &done.events {
            emit(GraphEvent::Emitted { action: done.action.index, event: event.to_string().into() });
        }
        match restored.contains_key(&done.action.index) {
            true => model.restore(done.action.index, &done.events),
            false => drop(model.signal(&done.events)),
        }
    }
    model
}

/// The results of the completed actions of an earlier run that are in this list at the same place.
pub(crate) fn restored<E: ?Sized>(
    actions: &[SharedAction<E>],
    from: &Outcome,
) -> BTreeMap<u32, ActionResult> {
    let is_same = |action: &ActionRef| {
        actions.get(action.index as usize).is_some_and(|mine| mine.metadata().name == action.name)
    };
    let done = from.completed.iter().filter(|done| is_same(&done.action));
    done.map(|done| (done.action.index, Ok(done.events.clone()))).collect()
}

/// Adds an action to a model whose run is under way.
pub(crate) fn add<E: ?Sized>(model: &mut Model, action: &dyn Action<E>) -> ActionRef {
    let name = Arc::clone(&action.metadata().name);
    let reference = model.add(name, action.wants(), action.gate().is_some());
    declare(action, reference.index, false);
    reference
}

fn declare<E: ?Sized>(action: &dyn Action<E>, index: u32, restored: bool) {
    let texts = |events: &mut dyn Iterator<Item = &Event>| {
        events.map(|event| Arc::from(event.to_string())).collect::<Arc<[Arc<str>]>>()
    };
    let (name, gated) = (Arc::clone(&action.metadata().name), action.gate().is_some());
    let wants = texts(&mut action.wants().iter());
    let emits = texts(&mut action.dry_run().iter());
    emit(GraphEvent::Declared { action: index, name, wants, emits, gated, restored });
}

/// The rank of each action in the queue; lower starts earlier.
pub(crate) fn ranks<E: ?Sized>(order: Order, actions: &[SharedAction<E>]) -> BTreeMap<u32, i64> {
    let mut paths = match order {
        Order::CriticalPath => validate::chains_below(actions),
        Order::Fifo | Order::List | Order::Priority | Order::Seeded => Vec::new(),
    }
    .into_iter();
    let rank = |(index, action): (u32, &SharedAction<E>)| {
        let rank = match order {
            Order::Fifo => 0,
            Order::List => i64::from(index),
            Order::Priority => -i64::from(action.priority()),
            Order::CriticalPath => -i64::from(paths.next().unwrap_or(0)),
            Order::Seeded => drawn_rank(),
        };
        (index, rank)
    };
    (0..).zip(actions).map(rank).collect()
}

/// The rank of an action added during the run; it has no known dependents.
pub(crate) fn added_rank<E: ?Sized>(order: Order, reference: &ActionRef, action: &dyn Action<E>) -> i64 {
    match order {
        Order::Fifo | Order::CriticalPath => 0,
        Order::List => i64::from(reference.index),
        Order::Priority => -i64::from(action.priority()),
        Order::Seeded => drawn_rank(),
    }
}

/// Ranks that a seeded order draws from; actions of one rank keep the order in which they became runnable.
const SEEDED_RANKS: u64 = 8;

fn drawn_rank() -> i64 {
    i64::try_from(crate::rand::rng().below(SEEDED_RANKS)).unwrap_or(0)
}
