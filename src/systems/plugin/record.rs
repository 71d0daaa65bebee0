//! The one ordered event log: what the engine, its executors and the world outside did, and what the store holds, for
//! people to read and for properties to fold. It judges nothing.

use super::error::ErrorKind;
use super::model::{CorePhase, EventPhase, NodePhase, PhaseVersion, WorkflowPhase};
use super::retry::Deadlines;
use super::state::CustomState;
use super::status::Workflow;
use crate::trace::{Record, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One attempt at a node's task.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attempt {
    /// The name of what is made outside for it.
    pub name: Arc<str>,
    /// The workflow.
    pub workflow: Arc<str>,
    /// The node.
    pub node: Arc<str>,
    /// From 0.
    pub number: u32,
}

/// A call of an executor or plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// Launch.
    Start,
    /// Look.
    Check,
    /// Release, as the workflow is aborted.
    Kill,
    /// Bring forward (successor).
    Handle,
    /// Stop (successor).
    Abort,
    /// Release (successor).
    Finalize,
}

impl Call {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Call::Start => "start",
            Call::Check => "check",
            Call::Kill => "kill",
            Call::Handle => "handle",
            Call::Abort => "abort",
            Call::Finalize => "finalize",
        }
    }
}

/// What a call came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Returned {
    /// A phase.
    Phase(CorePhase, PhaseVersion),
    /// The phase of a failure, and who is to blame.
    Failed(CorePhase, PhaseVersion, ErrorKind),
    /// It was done.
    Done,
    /// A system error.
    Error(Arc<str>),
}

/// What is made outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Made {
    /// An object in a cluster.
    Object,
    /// A command of a service.
    Command,
    /// A token of a pool.
    Token,
    /// A reservation in the catalog.
    Reservation,
    /// An execution that others wait for.
    Execution,
}

impl Made {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Made::Object => "object",
            Made::Command => "command",
            Made::Token => "token",
            Made::Reservation => "reservation",
            Made::Execution => "execution",
        }
    }

    /// Whether it is made for a name only once: tokens and reservations are held again after a release.
    pub fn is_made_once(self) -> bool {
        matches!(self, Made::Object | Made::Command)
    }
}

/// How a recorder answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// It took the event.
    Accepted,
    /// It had it.
    Duplicate,
    /// It contradicts.
    Conflict,
}

/// How a round ended.
#[derive(Clone, Debug, PartialEq)]
pub enum RoundOutcome {
    /// Nothing changed.
    Unchanged,
    /// Something is to be written.
    Changed,
    /// It is thrown away, and counted.
    Discarded(Arc<str>),
    /// The abort is not complete; nothing is written.
    AbortFailed(Arc<str>),
}

/// What the store holds of a workflow.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// Who wrote it: the engine, or the user.
    pub by_engine: bool,
    /// The version of the entry.
    pub version: u64,
    /// A number that tells states apart.
    pub digest: u64,
    /// Its phase.
    pub phase: WorkflowPhase,
    /// The rounds that were thrown away.
    pub failed_attempts: u32,
    /// Whether it has a finalizer.
    pub held: bool,
    /// Its deletion was asked for.
    pub deleting: bool,
    /// Its nodes.
    pub nodes: BTreeMap<Arc<str>, NodeView>,
}

/// What the store holds of a node, and what was asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeView {
    /// Its phase.
    pub phase: NodePhase,
    /// The attempts that failed; the number of the present one.
    pub attempts: u32,
    /// Those of them that the platform was to blame for.
    pub system_failures: u32,
    /// What was reported last for it.
    pub task: Option<(CorePhase, PhaseVersion)>,
    /// A number that tells the executor's states apart; 0 is none.
    pub state: u64,
    /// When the node was queued, since the Unix epoch.
    pub queued_ns: Option<u64>,
    /// When the attempt was accepted, since the Unix epoch.
    pub attempt_began_ns: Option<u64>,
    /// Attempts that it asks for in all.
    pub min_attempts: Option<u32>,
    /// How long it and its attempts may take, as it says itself.
    pub deadlines: Deadlines,
    /// Its parents.
    pub upstream: Vec<Arc<str>>,
    /// Whether it has outputs.
    pub has_outputs: bool,
    /// Whether the catalog may be asked.
    pub discoverable: bool,
}

impl View {
    /// What an entry holds, written by the engine or not.
    pub fn of(workflow: &Workflow, version: u64, by_engine: bool) -> View {
        View {
            by_engine,
            version,
            digest: digest(workflow),
            phase: workflow.status.phase,
            failed_attempts: workflow.status.failed_attempts,
            held: workflow.metadata.is_held(),
            deleting: workflow.metadata.deleting,
            nodes: workflow.spec.nodes.iter().map(|node| NodeView::of(workflow, node)).collect(),
        }
    }
}

impl NodeView {
    fn of(workflow: &Workflow, node: &super::workflow::NodeSpec) -> (Arc<str>, NodeView) {
        let status = workflow.status.node(&node.name);
        let task = workflow.spec.task_of(node);
        let view = NodeView {
            phase: status.phase,
            attempts: status.attempts,
            system_failures: status.system_failures,
            task: status.task.as_ref().map(|task| (task.phase, task.version)),
            state: CustomState::fingerprint(status.task.as_ref().and_then(|task| task.state.as_ref())),
            queued_ns: status.queued_ns,
            attempt_began_ns: status.attempt_began_ns,
            min_attempts: node.min_attempts,
            deadlines: node.deadlines(),
            upstream: node.upstream.iter().map(|name| Arc::from(name.as_str())).collect(),
            has_outputs: task.is_some_and(|task| !task.outputs.is_empty()),
            discoverable: task.is_some_and(|task| task.discoverable),
        };
        (Arc::from(node.name.as_str()), view)
    }
}

/// A number that tells the states of a workflow apart.
pub fn digest(workflow: &Workflow) -> u64 {
    let bytes = serde_json::to_vec(&(&workflow.metadata, &workflow.status));
    crate::choice::hash_bytes(&bytes.expect("a workflow is JSON"))
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum PluginEvent {
    /// The store holds this from now on.
    Stored {
        /// Which.
        workflow: Arc<str>,
        /// What.
        view: Arc<View>,
    },
    /// The workflow vanished from the store.
    Gone {
        /// Which.
        workflow: Arc<str>,
    },
    /// A round begins on a state.
    RoundStarted {
        /// Of which workflow.
        workflow: Arc<str>,
        /// The version that was read.
        version: u64,
        /// The state.
        digest: u64,
        /// When, since the Unix epoch.
        now_ns: u64,
    },
    /// A round is over, and nothing is written yet.
    RoundEnded {
        /// Of which workflow.
        workflow: Arc<str>,
        /// How.
        outcome: RoundOutcome,
    },
    /// An executor is called.
    Called {
        /// For which attempt.
        attempt: Attempt,
        /// How.
        call: Call,
        /// A number that tells the state that it is handed apart.
        state: u64,
        /// Its workflow may not vanish before the attempt is released.
        requires_finalizer: bool,
    },
    /// A call returned.
    Returned {
        /// For which attempt.
        attempt: Attempt,
        /// Which.
        call: Call,
        /// What it came to.
        result: Returned,
    },
    /// The control plane was told of an attempt.
    TaskRecorded {
        /// Which.
        attempt: Attempt,
        /// What.
        phase: EventPhase,
        /// The report within the phase.
        version: PhaseVersion,
        /// What it said.
        answer: Answered,
    },
    /// The control plane was told of a node.
    NodeRecorded {
        /// The workflow.
        workflow: Arc<str>,
        /// The node.
        node: Arc<str>,
        /// What.
        phase: EventPhase,
        /// What it said.
        answer: Answered,
    },
    /// The catalog was asked for an attempt.
    CatalogAsked {
        /// Which.
        attempt: Attempt,
        /// It had the outputs.
        hit: bool,
        /// Its executor disables that.
        disabled: bool,
    },
    /// The catalog was given the outputs of an attempt.
    CatalogPut {
        /// Which.
        attempt: Attempt,
        /// Its executor disables that.
        disabled: bool,
    },
    /// Outputs were written.
    OutputsWritten {
        /// The workflow.
        workflow: Arc<str>,
        /// The node.
        node: Arc<str>,
        /// The attempt in whose directory they are; none if the directory is no attempt's.
        number: Option<u32>,
    },
    /// Something was made outside.
    Made {
        /// What.
        what: Made,
        /// For which name.
        name: Arc<str>,
        /// Whose it is.
        workflow: Arc<str>,
    },
    /// Something outside was released.
    Freed {
        /// What.
        what: Made,
        /// For which name.
        name: Arc<str>,
        /// Whose it was.
        workflow: Arc<str>,
    },
    /// Something outside is gone, and nobody released it.
    Vanished {
        /// For which name.
        name: Arc<str>,
    },
    /// Something outside came to its end by itself, and waits to be looked at.
    Finished {
        /// For which name.
        name: Arc<str>,
        /// Whose it is.
        workflow: Arc<str>,
    },
}

impl Record for PluginEvent {
    fn name(&self) -> &'static str {
        match self {
            PluginEvent::Stored { .. } => "plugin.stored",
            PluginEvent::Gone { .. } => "plugin.gone",
            PluginEvent::RoundStarted { .. } => "plugin.round",
            PluginEvent::RoundEnded { outcome, .. } => match outcome {
                RoundOutcome::Unchanged => "plugin.round-unchanged",
                RoundOutcome::Changed => "plugin.round-done",
                RoundOutcome::Discarded(_) => "plugin.round-discarded",
                RoundOutcome::AbortFailed(_) => "plugin.abort-failed",
            },
            PluginEvent::Called { .. } => "plugin.called",
            PluginEvent::Returned { .. } => "plugin.returned",
            PluginEvent::TaskRecorded { .. } => "plugin.task-event",
            PluginEvent::NodeRecorded { .. } => "plugin.node-event",
            PluginEvent::CatalogAsked { .. } => "plugin.catalog-asked",
            PluginEvent::CatalogPut { .. } => "plugin.catalog-put",
            PluginEvent::OutputsWritten { .. } => "plugin.outputs-written",
            PluginEvent::Made { .. } => "plugin.made",
            PluginEvent::Freed { .. } => "plugin.freed",
            PluginEvent::Vanished { .. } => "plugin.vanished",
            PluginEvent::Finished { .. } => "plugin.finished",
        }
    }

    fn fields(&self, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        match self {
            PluginEvent::Stored { workflow, view } => {
                visit("workflow", Value::Str(workflow));
                visit("phase", Value::Str(view.phase.name()));
                visit("version", Value::U64(view.version));
            }
            PluginEvent::Gone { workflow } => visit("workflow", Value::Str(workflow)),
            PluginEvent::RoundStarted { workflow, version, digest, now_ns: _ } => {
                visit("workflow", Value::Str(workflow));
                visit("version", Value::U64(*version));
                visit("state", Value::U64(*digest));
            }
            PluginEvent::RoundEnded { workflow, outcome } => {
                visit("workflow", Value::Str(workflow));
                if let RoundOutcome::Discarded(error) | RoundOutcome::AbortFailed(error) = outcome {
                    visit("error", Value::Str(error));
                }
            }
            PluginEvent::Called { attempt, call, state: _, requires_finalizer: _ } => {
                visit("call", Value::Str(call.name()));
                attempt.fields(visit);
            }
            PluginEvent::Returned { attempt, call, result } => {
                visit("call", Value::Str(call.name()));
                attempt.fields(visit);
                result.fields(visit);
            }
            PluginEvent::TaskRecorded { attempt, phase, version, answer } => {
                attempt.fields(visit);
                visit("phase", Value::Str(phase.name()));
                visit("version", Value::U64(u64::from(version.0)));
                visit("answer", Value::Str(answer.name()));
            }
            PluginEvent::NodeRecorded { workflow, node, phase, answer } => {
                visit("node", Value::Str(&format!("{workflow}/{node}")));
                visit("phase", Value::Str(phase.name()));
                visit("answer", Value::Str(answer.name()));
            }
            PluginEvent::CatalogAsked { attempt, hit, disabled: _ } => {
                attempt.fields(visit);
                visit("hit", Value::Bool(*hit));
            }
            PluginEvent::CatalogPut { attempt, disabled: _ } => attempt.fields(visit),
            PluginEvent::OutputsWritten { workflow, node, number: _ } => {
                visit("node", Value::Str(&format!("{workflow}/{node}")));
            }
            PluginEvent::Made { what, name, workflow } | PluginEvent::Freed { what, name, workflow } => {
                visit("what", Value::Str(what.name()));
                visit("name", Value::Str(name));
                visit("workflow", Value::Str(workflow));
            }
            PluginEvent::Vanished { name } => visit("name", Value::Str(name)),
            PluginEvent::Finished { name, workflow } => {
                visit("name", Value::Str(name));
                visit("workflow", Value::Str(workflow));
            }
        }
    }
}

impl Attempt {
    fn fields(&self, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        visit("node", Value::Str(&format!("{}/{}", self.workflow, self.node)));
        visit("attempt", Value::U64(u64::from(self.number)));
        visit("name", Value::Str(&self.name));
    }
}

impl Returned {
    fn fields(&self, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        match self {
            Returned::Phase(phase, version) | Returned::Failed(phase, version, _) => {
                visit("phase", Value::Str(phase.name()));
                visit("version", Value::U64(u64::from(version.0)));
            }
            Returned::Done => visit("phase", Value::Str("done")),
            Returned::Error(error) => visit("error", Value::Str(error)),
        }
        if let Returned::Failed(_, _, blame) = self {
            visit("blame", Value::Str(blame.name()));
        }
    }
}

impl Answered {
    fn name(self) -> &'static str {
        match self {
            Answered::Accepted => "accepted",
            Answered::Duplicate => "duplicate",
            Answered::Conflict => "conflict",
        }
    }
}
