//! A workflow as the store holds it: what was asked for, what protects it, how far it has come. Plain data, written
//! whole by one conditional write per round; it must not know who writes it.

use super::error::TaskError;
use super::finalizer::Metadata;
use super::model::{CorePhase, NodePhase, PhaseVersion, WorkflowPhase};
use super::state::CustomState;
use super::workflow::WorkflowSpec;
use crate::time::{Duration, SystemTime};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The kind of workflows in the store.
pub const WORKFLOW: &str = "workflow";

/// A workflow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Workflow {
    /// What is to be done.
    pub spec: WorkflowSpec,
    /// What protects it, and whether it is to go.
    #[serde(default)]
    pub metadata: Metadata,
    /// How far it has come.
    #[serde(default)]
    pub status: WorkflowStatus,
}

impl Workflow {
    /// One that was just submitted.
    pub fn new(spec: WorkflowSpec) -> Workflow {
        Workflow { spec, ..Workflow::default() }
    }
}

/// How far a workflow has come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkflowStatus {
    /// Its phase.
    pub phase: WorkflowPhase,
    /// The rounds that were thrown away.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed_attempts: u32,
    /// What is to be known of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Its nodes, but for those that are not yet started.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub nodes: BTreeMap<String, NodeStatus>,
}

/// How far a node has come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Its phase.
    pub phase: NodePhase,
    /// The attempts that failed; the number of the present one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempts: u32,
    /// Those of them that the platform was to blame for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub system_failures: u32,
    /// When it was queued, since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_ns: Option<u64>,
    /// When the present attempt was accepted, since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt_began_ns: Option<u64>,
    /// What its executor reported last for the present attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskRecord>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<TaskError>,
    /// Its outputs come from the catalog.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cached: bool,
}

/// What an executor reported.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskRecord {
    /// The phase.
    pub phase: CorePhase,
    /// The report within the phase.
    #[serde(default)]
    pub version: PhaseVersion,
    /// What the executor is to be handed next time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<CustomState>,
    /// Why it is in this phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What it holds must be aborted although it failed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cleanup_on_failure: bool,
}

fn is_zero(value: &u32) -> bool {
    *value == 0
}

fn is_false(value: &bool) -> bool {
    !*value
}

impl WorkflowStatus {
    /// How far a node has come.
    pub fn node(&self, name: &str) -> NodeStatus {
        self.nodes.get(name).cloned().unwrap_or_default()
    }

    /// The phase of a node.
    pub fn node_phase(&self, name: &str) -> NodePhase {
        self.nodes.get(name).map_or(NodePhase::NotYetStarted, |node| node.phase)
    }
}

/// The present, in nanoseconds since the Unix epoch, as the host's clock has it.
pub fn wall_ns() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
