//! The outcome of a run: every action in exactly one of five sets. Separate because it outlives the engine and is
//! what callers, properties and a resumed run read; it is plain data and never changes once returned.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::error::ActionError;
use super::event::Event;
use super::model::{ActionRef, State};

/// An action that ended well.
#[derive(Clone, Debug)]
pub struct Completed {
    /// Which.
    pub action: ActionRef,
    /// The events it emitted.
    pub events: Vec<Event>,
}

/// An action that ended with an error.
#[derive(Clone, Debug)]
pub struct Failed {
    /// Which.
    pub action: ActionRef,
    /// Why.
    pub error: ActionError,
}

/// An action that waits for events that did not come.
#[derive(Clone, Debug)]
pub struct Blocked {
    /// Which.
    pub action: ActionRef,
    /// What it waits for.
    pub missing: BTreeSet<Event>,
}

/// Where every action stands at the end of a run.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Ended well, in the order they ended.
    pub completed: Vec<Completed>,
    /// Ended with an error, in the order they ended.
    pub failed: Vec<Failed>,
    /// Wait for events, in list order.
    pub blocked: Vec<Blocked>,
    /// Had nothing to wait for and were not started because the run stopped, in list order.
    pub not_started: Vec<ActionRef>,
    /// Were in flight when the executor gave up waiting for them, in list order.
    pub abandoned: Vec<ActionRef>,
}

impl Outcome {
    /// What the reference calls pending: blocked and not started, in list order.
    pub fn upstream_pending(&self) -> Vec<ActionRef> {
        let mut pending: Vec<ActionRef> = self.blocked.iter().map(|blocked| blocked.action.clone()).collect();
        pending.extend(self.not_started.iter().cloned());
        pending.sort();
        pending
    }

    /// The number of actions in the five sets.
    pub(crate) fn len(&self) -> usize {
        self.actions().count()
    }

    /// Every action completed.
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty()
            && self.blocked.is_empty()
            && self.not_started.is_empty()
            && self.abandoned.is_empty()
    }

    /// The set an action is in, by name, as the state that leads there.
    pub fn state_of(&self, name: &str) -> Option<State> {
        let is_it = |action: &ActionRef| &*action.name == name;
        if self.completed.iter().any(|done| is_it(&done.action)) {
            Some(State::Completed)
        } else if self.failed.iter().any(|failed| is_it(&failed.action)) {
            Some(State::Failed)
        } else if self.blocked.iter().any(|blocked| is_it(&blocked.action)) {
            Some(State::Blocked)
        } else if self.not_started.iter().any(is_it) {
            Some(State::Runnable)
        } else if self.abandoned.iter().any(is_it) {
            Some(State::Abandoned)
        } else {
            None
        }
    }

    /// Every action, set by set.
    pub(crate) fn actions(&self) -> impl Iterator<Item = &ActionRef> {
        let completed = self.completed.iter().map(|done| &done.action);
        let failed = self.failed.iter().map(|failed| &failed.action);
        let blocked = self.blocked.iter().map(|blocked| &blocked.action);
        completed.chain(failed).chain(blocked).chain(&self.not_started).chain(&self.abandoned)
    }

    /// The places in the list, set by set.
    pub fn indices(&self) -> OutcomeIndices {
        let of = |actions: &mut dyn Iterator<Item = &ActionRef>| actions.map(|action| action.index).collect();
        OutcomeIndices {
            completed: of(&mut self.completed.iter().map(|done| &done.action)),
            failed: of(&mut self.failed.iter().map(|failed| &failed.action)),
            blocked: of(&mut self.blocked.iter().map(|blocked| &blocked.action)),
            not_started: of(&mut self.not_started.iter()),
            abandoned: of(&mut self.abandoned.iter()),
        }
    }
}

/// The five sets as places in the action list, each in the order of the outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutcomeIndices {
    /// Ended well.
    pub completed: Arc<[u32]>,
    /// Ended with an error.
    pub failed: Arc<[u32]>,
    /// Wait for events.
    pub blocked: Arc<[u32]>,
    /// Runnable, not started.
    pub not_started: Arc<[u32]>,
    /// Given up in flight.
    pub abandoned: Arc<[u32]>,
}
