//! What is held outside, and for whom. It must not know calls.

use super::{Violation, broken};
use crate::systems::plugin::record::Made;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What there is outside.
#[derive(Clone, Debug, Default)]
pub(super) struct Outside {
    live: BTreeMap<(Made, Arc<str>), Arc<str>>,
    /// What was ever made.
    made: BTreeSet<(Made, Arc<str>)>,
    /// What went, and nobody released it.
    vanished: BTreeSet<Arc<str>>,
}

impl Outside {
    pub(super) fn made(
        &mut self,
        what: Made,
        name: &Arc<str>,
        workflow: &Arc<str>,
        is_over: bool,
        is_excused: bool,
    ) -> Result<(), Violation> {
        let is_new = self.made.insert((what, Arc::clone(name)));
        // Nobody can know of what vanished before it was stored that it was started.
        let is_excused = self.vanished.remove(name) || is_excused;
        self.live.insert((what, Arc::clone(name)), Arc::clone(workflow));
        if is_over {
            let detail = format!("{} {name} was made for workflow {workflow}, which is over", what.name());
            return broken("no-resource-outlives", detail);
        }
        if !is_new && what.is_made_once() && !is_excused {
            return broken("one-resource-per-name", format!("{} {name} was made twice", what.name()));
        }
        Ok(())
    }

    pub(super) fn freed(&mut self, what: Made, name: &Arc<str>) {
        self.live.remove(&(what, Arc::clone(name)));
    }

    pub(super) fn vanished(&mut self, name: &Arc<str>) {
        self.vanished.insert(Arc::clone(name));
    }

    /// The names of what is held for a workflow.
    pub(super) fn held_by(&self, workflow: &str) -> Vec<Arc<str>> {
        let held = self.live.iter().filter(|(_, owner)| ***owner == *workflow);
        held.map(|((_, name), _)| Arc::clone(name)).collect()
    }

    /// Nothing may be held for a workflow that is over.
    pub(super) fn must_be_free(&self, workflow: &str, how: &str) -> Result<(), Violation> {
        match self.live.iter().find(|(_, owner)| ***owner == *workflow) {
            None => Ok(()),
            Some(((what, name), _)) => {
                let detail =
                    format!("workflow {workflow} is {how}, and {} {name} is still there", what.name());
                broken("no-resource-outlives", detail)
            }
        }
    }

    pub(super) fn all(&self) -> Vec<String> {
        let told = |((what, name), owner): (&(Made, Arc<str>), &Arc<str>)| {
            format!("{} {name} of workflow {owner}", what.name())
        };
        self.live.iter().map(told).collect()
    }
}
