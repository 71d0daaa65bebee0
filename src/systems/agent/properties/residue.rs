//! What is there, and what should be: containers, records, secrets and configs against what the manager wants. It must
//! not know operations but that a `prepare` needs things.

use super::{At, Violation, broken};
use crate::systems::agent::controller::Op;
use crate::systems::agent::record::{AgentEvent, ContainerChange};
use crate::systems::agent::state::{DesiredState, TaskState};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[derive(Clone, Debug, Default)]
pub(super) struct Residue {
    wanted: BTreeMap<At, DesiredState>,
    recorded: BTreeMap<At, TaskState>,
    stored: BTreeMap<At, TaskState>,
    records: BTreeSet<At>,
    containers: BTreeSet<At>,
    started: BTreeSet<At>,
    /// What was freed.
    gone: BTreeSet<At>,
    removing: BTreeSet<At>,
    needs: BTreeMap<At, Arc<BTreeSet<String>>>,
    holds: BTreeMap<Arc<str>, Arc<BTreeSet<String>>>,
    closing: BTreeMap<(Arc<str>, Arc<str>), u64>,
}

impl Residue {
    pub(super) fn crashed(&mut self, host: &str) {
        self.holds.retain(|node, _| **node != *host);
        self.closing.retain(|(node, _), _| **node != *host);
    }

    pub(super) fn observe(&mut self, event: &AgentEvent) -> Result<(), Violation> {
        match event.task() {
            Some(task) => self.observe_task(&(event.node().clone(), task.clone()), event),
            None => {
                self.observe_node(event);
                Ok(())
            }
        }
    }

    fn observe_node(&mut self, event: &AgentEvent) {
        match event {
            AgentEvent::Restored { node } => {
                self.records.retain(|(of, _)| of != node);
                self.removing.retain(|(of, _)| of != node);
                self.stored.retain(|(of, _), _| of != node);
            }
            AgentEvent::Holds { node, dependencies } => {
                self.holds.insert(node.clone(), dependencies.clone());
            }
            AgentEvent::Closing { node, what } => {
                *self.closing.entry((node.clone(), what.clone())).or_default() += 1;
            }
            AgentEvent::Closed { node, what } => {
                if let Entry::Occupied(mut open) = self.closing.entry((node.clone(), what.clone())) {
                    *open.get_mut() -= 1;
                    if *open.get() == 0 {
                        open.remove();
                    }
                }
            }
            _ => {}
        }
    }

    fn observe_task(&mut self, at: &At, event: &AgentEvent) -> Result<(), Violation> {
        match event {
            AgentEvent::Wanted { desired, .. } => {
                self.wanted.insert(at.clone(), *desired);
            }
            AgentEvent::Unwanted { .. } => {
                self.wanted.remove(at);
            }
            AgentEvent::Recorded { state, .. } => {
                self.recorded.insert(at.clone(), *state);
            }
            AgentEvent::Assigned { needs, .. } => {
                self.records.insert(at.clone());
                self.needs.insert(at.clone(), needs.clone());
                // A task that comes again after it was freed begins anew.
                if self.gone.remove(at) {
                    self.started.remove(at);
                }
            }
            AgentEvent::Stored { state, .. } => {
                self.records.insert(at.clone());
                self.stored.insert(at.clone(), *state);
            }
            AgentEvent::Unassigned { .. } => {
                self.removing.insert(at.clone());
            }
            AgentEvent::Removed { .. } => {
                self.removing.remove(at);
                self.gone.insert(at.clone());
            }
            AgentEvent::RecordDeleted { .. } => {
                self.records.remove(at);
            }
            AgentEvent::Looked { asked, key, held, .. } => return self.looked(at, asked, key, held),
            AgentEvent::OpBegan { op: Op::Prepare, .. } => return self.prepares(at),
            AgentEvent::Container { change, .. } => return self.contained(at, *change),
            _ => {}
        }
        Ok(())
    }

    // Secrets and configs.

    fn prepares(&self, at: &At) -> Result<(), Violation> {
        let Some(needs) = self.needs.get(at) else { return Ok(()) };
        let holds = self.holds.get(&at.0);
        let has = |id: &String| {
            holds.is_some_and(|holds| holds.contains(id) || holds.contains(&format!("{id}.{}", at.1)))
        };
        match needs.iter().find(|id| !has(id)) {
            None => Ok(()),
            Some(id) => broken("dependencies", format!("{} prepares, and its node does not hold {id}", at.1)),
        }
    }

    fn looked(&self, at: &At, asked: &str, key: &str, held: &str) -> Result<(), Violation> {
        if self.needs.get(at).is_some_and(|needs| !needs.contains(asked)) {
            return broken("dependencies", format!("{} saw {asked}, which it does not refer to", at.1));
        }
        match key == held {
            true => Ok(()),
            false => {
                broken("dependencies", format!("{} looked at {key}, which calls itself {held} now", at.1))
            }
        }
    }

    // Containers.

    pub(super) fn has_container(&self, at: &At) -> bool {
        self.containers.contains(at)
    }

    fn contained(&mut self, at: &At, change: ContainerChange) -> Result<(), Violation> {
        match change {
            ContainerChange::Created => {
                if self.gone.contains(at) {
                    self.containers.insert(at.clone());
                    return broken("no-orphan", format!("{} was removed, and its container made", at.1));
                }
                match self.containers.insert(at.clone()) {
                    true => Ok(()),
                    false => broken("starts-once", format!("the container of {} was made twice", at.1)),
                }
            }
            ContainerChange::Started => match self.started.insert(at.clone()) {
                true => Ok(()),
                false => broken("starts-once", format!("{} was started twice", at.1)),
            },
            ContainerChange::Removed => {
                self.containers.remove(at);
                Ok(())
            }
            ContainerChange::Pulled | ContainerChange::Stopped => Ok(()),
        }
    }

    // At last.

    /// Why a property that must come to hold does not.
    pub(super) fn missing(&self, property: &str) -> Option<String> {
        match property {
            "closes" => {
                let (node, what) = self.closing.keys().next()?;
                Some(format!("{what} on {node} is to end and does not"))
            }
            "settles" => self.wanted.iter().find_map(|(at, desired)| self.unsettled(at, *desired)),
            "final-status" => self.wanted.keys().find_map(|at| self.unknown(at)),
            "no-orphan" => {
                let orphan = self.containers.iter().find(|at| !self.wanted.contains_key(*at))?;
                Some(format!("the container of {} is on {}, and nobody wants that task", orphan.1, orphan.0))
            }
            "no-residue" => self.residue(),
            _ => None,
        }
    }

    fn unsettled(&self, at: &At, desired: DesiredState) -> Option<String> {
        let state = self.recorded.get(at).copied();
        let is_settled = state.is_some_and(|state| {
            state.is_terminal() || (desired < DesiredState::SHUTDOWN && desired.is_reached_by(state))
        });
        (!is_settled).then(|| {
            let state = state.map_or("nothing", TaskState::name);
            format!("{} on {} is desired {desired}, and the manager knows of {state}", at.1, at.0)
        })
    }

    fn unknown(&self, at: &At) -> Option<String> {
        let (stored, recorded) = (self.stored.get(at)?, self.recorded.get(at));
        (recorded != Some(stored)).then(|| {
            let recorded = recorded.map_or("nothing", |state| state.name());
            format!("{} is {stored} on {}, and the manager knows of {recorded}", at.1, at.0)
        })
    }

    fn residue(&self) -> Option<String> {
        if let Some((node, task)) = self.records.iter().find(|at| !self.wanted.contains_key(*at)) {
            return Some(format!("{node} has a record of {task}, which nobody wants"));
        }
        let (node, task) = self.removing.iter().find(|at| !self.wanted.contains_key(*at))?;
        Some(format!("{task} is being removed on {node} and never is"))
    }
}
