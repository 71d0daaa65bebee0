//! The rules of triggers. Separate because they know neither queue nor workers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Violation, broken};
use crate::systems::controller::controller::DROPPED;
use crate::systems::controller::record::ControllerEvent;
use crate::trace::text::time;

type Key = Arc<str>;

/// The triggers of one controller.
#[derive(Clone, Debug, Default)]
pub(super) struct TriggerRules {
    live: BTreeMap<Key, u64>,
    dropped: BTreeSet<u64>,
    /// Fired, and not added yet.
    fired: BTreeSet<Key>,
    has_ended: bool,
}

/// Whether a queue says what it does, under the number of its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Adds {
    Heard,
    /// A queue of a user's need not.
    Unheard,
}

impl TriggerRules {
    /// `adds` says whether the adds of the queue are heard under the number of the run.
    pub(super) fn observe(&mut self, event: &ControllerEvent, adds: Adds) -> Result<(), Violation> {
        match event {
            ControllerEvent::TriggerSet { key, generation, .. } => self.set(key, *generation),
            ControllerEvent::TriggerFired { key, generation, .. } => self.fired(key, *generation),
            ControllerEvent::TriggerDropped { key, generation, .. } => {
                self.dropped.insert(*generation);
                match self.live.remove(key) {
                    Some(live) if live == *generation => Ok(()),
                    Some(_) | None => {
                        broken("trigger", format!("trigger {generation} of {key} was dropped, and not live"))
                    }
                }
            }
            ControllerEvent::Added { key, .. }
            | ControllerEvent::Coalesced { key, .. }
            | ControllerEvent::Rejected { key, .. } => {
                self.fired.remove(key);
                Ok(())
            }
            ControllerEvent::RunEnded { error, .. } => self.run_ended(error.as_deref(), adds),
            _ => Ok(()),
        }
    }

    /// Nothing happened before `at_ns`.
    pub(super) fn stood(&self, at_ns: u64, adds: Adds) -> Result<(), Violation> {
        match self.fired.first() {
            Some(key) if !self.has_ended && adds == Adds::Heard => {
                broken("trigger", format!("the trigger of {key} fired, and added nothing by {}", time(at_ns)))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn set(&mut self, key: &Key, generation: u64) -> Result<(), Violation> {
        if self.has_ended || self.dropped.contains(&generation) {
            return broken("trigger", format!("trigger {generation} of {key} is set after its end"));
        }
        match self.live.insert(Arc::clone(key), generation) {
            None => Ok(()),
            Some(before) => broken("trigger", format!("{key} has two triggers, {before} and {generation}")),
        }
    }

    fn fired(&mut self, key: &Key, generation: u64) -> Result<(), Violation> {
        if self.live.get(key) != Some(&generation) || self.has_ended {
            return broken("trigger", format!("trigger {generation} of {key} fired, and is not live"));
        }
        self.live.remove(key);
        self.fired.insert(Arc::clone(key));
        Ok(())
    }

    fn run_ended(&mut self, error: Option<&str>, adds: Adds) -> Result<(), Violation> {
        self.has_ended = true;
        if error == Some(DROPPED) {
            return Ok(());
        }
        // What ended the run may be that the queue panicked at the add.
        if let Some(key) = self.fired.first().filter(|_| error.is_none() && adds == Adds::Heard) {
            return broken("trigger", format!("the trigger of {key} fired, and added nothing"));
        }
        match self.live.first_key_value() {
            Some((key, generation)) => {
                broken("trigger", format!("the run ended, and trigger {generation} of {key} is live"))
            }
            None => Ok(()),
        }
    }
}
