//! The control plane: takes events, knows duplicates, and has its own opinion of what has ended. Separate because it
//! outlives the engine; it must not know why events are sent.

use super::{after, before};
use crate::emit;
use crate::systems::plugin::BoxFuture;
use crate::systems::plugin::error::EventError;
use crate::systems::plugin::events::{EventRecorder, NodeEvent, TaskEvent};
use crate::systems::plugin::model::{EventPhase, PhaseVersion};
use crate::systems::plugin::record::{Answered, Attempt, PluginEvent};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What was told. Clones are one.
#[derive(Clone, Debug, Default)]
pub struct ControlPlane(Arc<Mutex<Books>>);

#[derive(Debug, Default)]
struct Books {
    tasks: BTreeMap<String, Vec<(EventPhase, PhaseVersion)>>,
    nodes: BTreeMap<(String, String), Vec<EventPhase>>,
    /// Workflows that it has ended itself.
    ended: BTreeSet<String>,
    task_events: Vec<TaskEvent>,
    node_events: Vec<NodeEvent>,
}

impl ControlPlane {
    /// It was told nothing yet.
    pub fn new() -> ControlPlane {
        ControlPlane::default()
    }

    /// Ends a workflow: whatever is told of it from now on contradicts that.
    pub fn end(&self, workflow: &str) {
        self.books().ended.insert(workflow.to_owned());
    }

    /// The events of tasks that it took, in their order.
    pub fn task_events(&self) -> Vec<TaskEvent> {
        self.books().task_events.clone()
    }

    /// The events of nodes that it took, in their order.
    pub fn node_events(&self) -> Vec<NodeEvent> {
        self.books().node_events.clone()
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    fn take_task(&mut self, event: &TaskEvent) -> Answered {
        let told = self.tasks.entry(event.generated_name.to_string()).or_default();
        let entry = (event.phase, event.phase_version);
        if told.contains(&entry) {
            return Answered::Duplicate;
        }
        let has_ended = told.iter().any(|(phase, _)| phase.is_terminal());
        if has_ended || self.ended.contains(&event.workflow) {
            return Answered::Conflict;
        }
        told.push(entry);
        self.task_events.push(event.clone());
        Answered::Accepted
    }

    fn take_node(&mut self, event: &NodeEvent) -> Answered {
        let told = self.nodes.entry((event.workflow.clone(), event.node.clone())).or_default();
        if told.contains(&event.phase) {
            return Answered::Duplicate;
        }
        if told.iter().any(|phase| phase.is_terminal()) || self.ended.contains(&event.workflow) {
            return Answered::Conflict;
        }
        told.push(event.phase);
        self.node_events.push(event.clone());
        Answered::Accepted
    }
}

fn answer(answered: Answered) -> Result<(), EventError> {
    match answered {
        Answered::Accepted => Ok(()),
        Answered::Duplicate => Err(EventError::AlreadyExists),
        Answered::Conflict => Err(EventError::AlreadyInTerminalState),
    }
}

impl EventRecorder for ControlPlane {
    fn record_task<'a>(&'a self, event: &'a TaskEvent) -> BoxFuture<'a, Result<(), EventError>> {
        Box::pin(async move {
            before("record", &event.generated_name).await?;
            let answered = self.books().take_task(event);
            emit(PluginEvent::TaskRecorded {
                attempt: Attempt {
                    name: Arc::clone(&event.generated_name),
                    workflow: Arc::from(event.workflow.as_str()),
                    node: Arc::from(event.node.as_str()),
                    number: event.retry_attempt,
                },
                phase: event.phase,
                version: event.phase_version,
                answer: answered,
            });
            if answered == Answered::Accepted {
                after("record", &event.generated_name).await?;
            }
            answer(answered)
        })
    }

    fn record_node<'a>(&'a self, event: &'a NodeEvent) -> BoxFuture<'a, Result<(), EventError>> {
        Box::pin(async move {
            before("record", &event.node).await?;
            let answered = self.books().take_node(event);
            emit(PluginEvent::NodeRecorded {
                workflow: Arc::from(event.workflow.as_str()),
                node: Arc::from(event.node.as_str()),
                phase: event.phase,
                answer: answered,
            });
            if answered == Answered::Accepted {
                after("record", &event.node).await?;
            }
            answer(answered)
        })
    }
}
