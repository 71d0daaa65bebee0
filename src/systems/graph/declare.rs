//! From an action list to what a run needs of it: the model, the ranks in the queue, and the events that declare it.
//! Separate because all of it happens before anything runs; it must not know workers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::emit;
use crate::time::Instant;

use super::action::{Action, ActionResult, SharedAction, foretold};
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
        abort_on_stop: config.on_stop == OnStop::Abort,
        limit_ns: stop.deadline().map(|deadline| nanos(deadline.duration_since(start))),
        orphan_limit_ns: config.orphan_timeout.map(nanos),
    }
}

/// Where the completed actions of an earlier run stand in a new list.
pub(crate) struct Restored {
    /// One for each, in the order in which they ended; none for one that is not in the list.
    places: Vec<Option<u32>>,
}

impl Restored {
    /// Finds each by its name. Where several have its name, it is the one at its place.
    pub(crate) fn new<E: ?Sized>(actions: &[SharedAction<E>], from: &Outcome) -> Self {
        let mut before: BTreeMap<&str, u32> = BTreeMap::new();
        from.actions().for_each(|action| *before.entry(&action.name).or_default() += 1);
        let mut now: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for (index, action) in (0..).zip(actions) {
            now.entry(&action.metadata().name).or_default().push(index);
        }
        let place = |done: &ActionRef| {
            let named = now.get(&*done.name)?;
            match named.as_slice() {
                [only] if before.get(&*done.name) == Some(&1) => Some(*only),
                several => several.contains(&done.index).then_some(done.index),
            }
        };
        Restored { places: from.completed.iter().map(|done| place(&done.action)).collect() }
    }

    /// Their results, by their place in the list.
    pub(crate) fn results(&self, from: &Outcome) -> BTreeMap<u32, ActionResult> {
        let placed = self.places.iter().zip(&from.completed);
        placed.filter_map(|(place, done)| Some(((*place)?, Ok(done.events.clone())))).collect()
    }
}

/// Who emitted the events of an action that is not in the list.
const NOBODY: u32 = u32::MAX;

/// The model of the list, in which the completed actions of an earlier run are completed.
pub(crate) fn model<E: ?Sized>(actions: &[SharedAction<E>], from: &Outcome, restored: &Restored) -> Model {
    let mut model = Model::new();
    for (index, action) in (0..).zip(actions) {
        declare(&**action, index, restored.places.contains(&Some(index)));
        let metadata = action.metadata();
        model.add(Arc::clone(&metadata.name), action.wants(), action.gate().is_some());
    }
    for (place, done) in restored.places.iter().zip(&from.completed) {
        for event in &done.events {
            let (action, event) = (place.unwrap_or(NOBODY), event.to_string().into());
            emit(GraphEvent::Emitted { action, event });
        }
        match place {
            Some(index) => model.restore(*index, &done.events),
            None => drop(model.signal(&done.events)),
        }
    }
    model
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
    let emits = texts(&mut foretold(action).unwrap_or_default().iter());
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
