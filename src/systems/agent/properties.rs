//! What must hold in every run of agents, as a fold over their events. Separate from the engine, of which it sees only
//! what was recorded; it must not know how events reach it.
//!
//! | property | holds when |
//! |---|---|
//! | `state-monotone` | an observed state never goes back: in steps, in the store, at listeners, at the manager (1) |
//! | `terminal-final` | a terminal state never becomes another one (2) |
//! | `do-result` | a step is what its row says, or fails as that says; so does a task without a controller (3) |
//! | `one-op-per-step` | a step is at most one operation, and none where there is nothing to do (4) |
//! | `exclusive-operation` | at most one operation of a controller is under way (5) |
//! | `no-work-after-shutdown` | no prepare, start or wait begins after a desire to stop was accepted (6) |
//! | `update-before-do` | the controller has an accepted definition before the next step (7) |
//! | `desired-monotone` | desires only grow, and a controller hears of its own task only (8) |
//! | `remove-last` | remove begins after the last operation, close after remove, and nothing after close (9) |
//! | `paced` | after nothing to do no step until an update, after a retry none for a second (10) |
//! | `timestamps` | they do not go back, and change with the rest of the status only (11) |
//! | `err-field` | it is empty after a success, and says something after a failure (12) |
//! | `exit-code` | a failed wait's code is in the status of the container (13) |
//! | `not-shared` | no two tasks share a controller, a container or a definition (14) |
//! | `dependencies` | what a task needs is there before it prepares, it sees no more, and looking changes nothing (15) |
//! | `cancel-is-no-failure` | an interrupted operation fails nothing and leaves the error as it was (16) |
//! | `settles` | tasks come to what is desired (17) |
//! | `final-status` | the manager comes to have the status that the node has (18) |
//! | `closes` | whatever is to end ends (19) |
//! | `starts-once` | no task's container is made or started twice, and nothing is asked for more than once more (20) |
//! | `no-orphan` | no container outlives its task (21) |
//! | `no-residue` | no record outlives its task, and every removal ends (17, 21) |

mod rows;
mod steps;
mod operations;
mod residue;
mod install;

use super::record::AgentEvent;
use super::state::{DesiredState, TaskState};
use super::task::TaskId;
use operations::Operations;
use residue::Residue;
use std::collections::BTreeMap;
use std::sync::Arc;
use steps::Steps;

pub use install::{Observed, install};

/// The names of all properties.
pub const NAMES: [&str; 22] = [
    "state-monotone",
    "terminal-final",
    "do-result",
    "one-op-per-step",
    "exclusive-operation",
    "no-work-after-shutdown",
    "update-before-do",
    "desired-monotone",
    "remove-last",
    "paced",
    "timestamps",
    "err-field",
    "exit-code",
    "not-shared",
    "dependencies",
    "cancel-is-no-failure",
    "closes",
    "settles",
    "final-status",
    "starts-once",
    "no-orphan",
    "no-residue",
];

/// The properties that must come to hold; in this order the first that does not is told.
pub const AT_LAST: [&str; 5] = ["closes", "final-status", "settles", "no-orphan", "no-residue"];

/// A property that did not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{property}: {detail}")]
pub struct Violation {
    /// Its stable name.
    pub property: &'static str,
    /// What happened, in words.
    pub detail: String,
}

fn broken(property: &'static str, detail: impl Into<String>) -> Result<(), Violation> {
    Err(Violation { property, detail: detail.into() })
}

/// A task on a node.
type At = (Arc<str>, TaskId);

/// Where an observed state is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Step,
    Store,
    Listener,
    Manager,
}

/// The fold.
#[derive(Clone, Debug, Default)]
pub struct AgentProperties {
    states: BTreeMap<(Place, At), TaskState>,
    steps: Steps,
    operations: Operations,
    residue: Residue,
    desired: BTreeMap<At, DesiredState>,
}

impl AgentProperties {
    /// The fold before any event.
    pub fn new() -> AgentProperties {
        AgentProperties::default()
    }

    /// Takes in one event at its virtual time.
    ///
    /// # Errors
    /// The first property that the event shows broken.
    pub fn observe(&mut self, at_ns: u64, event: &AgentEvent) -> Result<(), Violation> {
        if let Some(task) = event.task() {
            let at = (event.node().clone(), task.clone());
            self.observe_states(&at, event)?;
            self.observe_desires(&at, event)?;
            self.operations.observe(&at, event, self.desired.get(&at).copied())?;
            self.steps.observe(at_ns, &at, event, self.residue.has_container(&at))?;
        }
        if let AgentEvent::Restored { node } = event {
            self.operations.restarted(node);
        }
        self.residue.observe(event)
    }

    /// A host crashed: what its agent had in memory is gone.
    pub fn crashed(&mut self, host: &str) {
        self.steps.crashed(host);
        self.operations.crashed(host);
        self.residue.crashed(host);
        let here = |(place, (node, _)): &(Place, At)| *place == Place::Step && **node == *host;
        let lost: Vec<At> = self.states.keys().filter(|key| here(key)).map(|(_, at)| at.clone()).collect();
        for at in lost {
            match self.states.get(&(Place::Store, at.clone())) {
                Some(stored) => self.states.insert((Place::Step, at), *stored),
                None => self.states.remove(&(Place::Step, at)),
            };
        }
    }

    /// Why one of [`AT_LAST`] does not hold as things stand.
    ///
    /// # Errors
    /// Why.
    pub fn at_last(&self, property: &'static str) -> Result<(), Violation> {
        match self.residue.missing(property) {
            None => Ok(()),
            Some(detail) => broken(property, detail),
        }
    }

    /// No more events will come.
    ///
    /// # Errors
    /// The first property that should have come to hold.
    pub fn finish(&self) -> Result<(), Violation> {
        AT_LAST.into_iter().try_for_each(|property| self.at_last(property))
    }

    fn observe_states(&mut self, at: &At, event: &AgentEvent) -> Result<(), Violation> {
        let (place, state) = match event {
            AgentEvent::DoEnded { to, .. } => (Place::Step, to.state),
            AgentEvent::Stored { state, .. } => (Place::Store, *state),
            AgentEvent::Heard { state, .. } => (Place::Listener, *state),
            AgentEvent::Recorded { state, .. } => (Place::Manager, *state),
            AgentEvent::RecordDeleted { .. } => {
                // What comes after it is another life.
                for place in [Place::Step, Place::Store, Place::Listener] {
                    self.states.remove(&(place, at.clone()));
                }
                return Ok(());
            }
            _ => return Ok(()),
        };
        match self.states.insert((place, at.clone()), state) {
            Some(before) if state < before => {
                broken("state-monotone", format!("{} went from {before} to {state} {}", at.1, place.words()))
            }
            Some(before) if before.is_terminal() && before != state => broken(
                "terminal-final",
                format!("{} was {before} and became {state} {}", at.1, place.words()),
            ),
            Some(_) | None => Ok(()),
        }
    }

    fn observe_desires(&mut self, at: &At, event: &AgentEvent) -> Result<(), Violation> {
        let desired = match event {
            AgentEvent::Accepted { desired, .. } => desired,
            AgentEvent::RecordDeleted { .. } => {
                self.desired.remove(at);
                return Ok(());
            }
            AgentEvent::Ignored { about, .. } if *about != at.1 => {
                return broken("not-shared", format!("{} was given the definition of {about}", at.1));
            }
            _ => return Ok(()),
        };
        match self.desired.insert(at.clone(), *desired) {
            Some(before) if *desired < before => {
                broken("desired-monotone", format!("{} was desired {before} and then {desired}", at.1))
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Place {
    fn words(self) -> &'static str {
        match self {
            Place::Step => "in its steps",
            Place::Store => "in the store of its node",
            Place::Listener => "for those who listen to its node",
            Place::Manager => "at its manager",
        }
    }
}
