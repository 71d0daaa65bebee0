//! What the control plane is told: each thing once, in order, before it is stored. It must not know calls.

use super::attempts::words;
use super::{Facts, Violation, broken};
use crate::systems::plugin::model::{EventPhase, PhaseVersion};
use crate::systems::plugin::record::{Answered, Attempt};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Conflicts about one node until it counts as tried for ever.
const CONFLICTS_MAX: u32 = 10;

/// What was told of a workflow.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    /// What was taken of each attempt.
    accepted: BTreeMap<Arc<str>, Vec<(EventPhase, PhaseVersion)>>,
    /// What was said of each attempt, whatever the answer.
    tasks: BTreeMap<(Arc<str>, u32), Vec<EventPhase>>,
    nodes: BTreeMap<Arc<str>, Vec<EventPhase>>,
    accepted_nodes: BTreeMap<Arc<str>, Vec<EventPhase>>,
    conflicts: BTreeMap<Arc<str>, u32>,
}

impl Told {
    /// Whether the control plane has contradicted what was said of a node.
    pub(super) fn is_contested(&self, node: &str) -> bool {
        self.conflicts.contains_key(node)
    }

    /// Whether this was said of a node.
    pub(super) fn knows_node(&self, node: &str, phase: EventPhase) -> bool {
        self.nodes.get(node).is_some_and(|told| told.contains(&phase))
    }

    /// Whether this was said of an attempt.
    pub(super) fn knows_task(&self, node: &Arc<str>, number: u32, phase: EventPhase) -> bool {
        self.tasks.get(&(Arc::clone(node), number)).is_some_and(|told| told.contains(&phase))
    }
}

impl Facts {
    pub(super) fn task_recorded(
        &mut self,
        attempt: &Attempt,
        phase: EventPhase,
        version: PhaseVersion,
        answer: Answered,
    ) -> Result<(), Violation> {
        let key = (Arc::clone(&attempt.node), attempt.number);
        self.told.tasks.entry(key).or_default().push(phase);
        match answer {
            // Said again, as the round was lost: but what is said never goes back.
            Answered::Duplicate => match self.told.accepted.get(&attempt.name).and_then(|taken| taken.last())
            {
                Some((last, _)) if phase.rank() < last.rank() => {
                    let detail = format!(
                        "{} of {} was said again after {}",
                        phase.name(),
                        words(attempt),
                        last.name()
                    );
                    broken("event-once", detail)
                }
                Some(_) | None => Ok(()),
            },
            // What is aborted may well have ended.
            Answered::Conflict if phase == EventPhase::Aborted => Ok(()),
            Answered::Conflict => self.conflict(&attempt.node, &words(attempt)),
            Answered::Accepted => {
                let taken = self.told.accepted.entry(Arc::clone(&attempt.name)).or_default();
                if taken.contains(&(phase, version)) {
                    let detail =
                        format!("{} version {version} of {} was taken twice", phase.name(), words(attempt));
                    return broken("event-once", detail);
                }
                if let Some((last, _)) = taken.last().filter(|(last, _)| !follows(*last, phase)) {
                    let detail = format!("{} of {} came after {}", phase.name(), words(attempt), last.name());
                    return broken("event-once", detail);
                }
                taken.push((phase, version));
                Ok(())
            }
        }
    }

    pub(super) fn node_recorded(
        &mut self,
        node: &Arc<str>,
        phase: EventPhase,
        answer: Answered,
    ) -> Result<(), Violation> {
        self.told.nodes.entry(Arc::clone(node)).or_default().push(phase);
        match answer {
            Answered::Duplicate => Ok(()),
            Answered::Conflict => self.conflict(node, &format!("node {node}")),
            Answered::Accepted => {
                let taken = self.told.accepted_nodes.entry(Arc::clone(node)).or_default();
                if let Some(last) = taken.last().filter(|last| !follows(**last, phase)) {
                    let detail = format!("{} of node {node} came after {}", phase.name(), last.name());
                    return broken("event-once", detail);
                }
                taken.push(phase);
                Ok(())
            }
        }
    }

    fn conflict(&mut self, node: &Arc<str>, whose: &str) -> Result<(), Violation> {
        self.round.conflicts.insert(Arc::clone(node));
        let count = self.told.conflicts.entry(Arc::clone(node)).or_default();
        *count += 1;
        if *count > CONFLICTS_MAX {
            let detail = format!("the control plane said {count} times that {whose} has ended");
            return broken("conflict-fails", detail);
        }
        Ok(())
    }
}

/// Whether an event may come after another.
fn follows(last: EventPhase, next: EventPhase) -> bool {
    !last.is_terminal() && last.rank() <= next.rank()
}
