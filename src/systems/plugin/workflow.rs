//! What a workflow is: tasks, and nodes that run them after their parents. A graph without cycles of up to
//! [`NODES_MAX`] nodes. Plain data and its validation; it must not know how it is run, nor files.

use super::retry::{Deadlines, RetryStrategy};
use crate::span::Span;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The most nodes of a workflow.
pub const NODES_MAX: usize = 100;
/// The most letters of a name.
pub const NAME_MAX: usize = 63;

/// What a node is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeKind {
    /// It runs a task.
    #[default]
    Task,
    /// It begins the workflow.
    Start,
    /// It ends the workflow.
    End,
    /// It chooses.
    Branch,
    /// It holds a workflow.
    SubWorkflow,
    /// It launches a workflow of its own.
    LaunchPlan,
}

/// How an attempt of a task ends, in a simulated world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ends {
    /// With its outputs.
    #[default]
    Ok,
    /// With an error that another attempt may not meet.
    Recoverable,
    /// With an error that any attempt meets.
    NonRecoverable,
    /// Well, but without outputs.
    NoOutputs,
    /// Its object vanishes.
    Lost,
    /// Somebody deletes its object.
    Deleted,
    /// Never.
    Never,
}

/// What the attempts of a task do, in a simulated world.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Work {
    /// How long each takes.
    pub takes: Span,
    /// How each ends, the last one for all that follow; well if left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ends: Vec<Ends>,
    /// Of how many queries it consists, where that means something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queries: Option<u32>,
}

impl Work {
    /// How an attempt ends.
    pub fn end(&self, attempt: u32) -> Ends {
        let at = usize::try_from(attempt).unwrap_or(usize::MAX);
        self.ends.get(at).or(self.ends.last()).copied().unwrap_or_default()
    }
}

/// What a task is: shared by all nodes that run it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TaskTemplate {
    /// Its name in the workflow.
    pub name: String,
    /// Who executes it.
    #[serde(rename = "type")]
    pub task_type: String,
    /// The variables that it puts out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<String>,
    /// Equal inputs mean equal outputs: the catalog is asked.
    #[serde(default, skip_serializing_if = "is_false")]
    pub discoverable: bool,
    /// Only one execution at a time computes what the catalog lacks (successor).
    #[serde(default, skip_serializing_if = "is_false")]
    pub cache_serializable: bool,
    /// What its attempts do.
    #[serde(default)]
    pub work: Work,
}

/// A node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NodeSpec {
    /// Its name.
    pub name: String,
    /// What it is.
    #[serde(default, skip_serializing_if = "is_task")]
    pub kind: NodeKind,
    /// The task that it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The workflow that it launches or holds, which its events name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// Its parents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upstream: Vec<String>,
    /// Attempts in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_attempts: Option<u32>,
    /// How long it may take since it was queued; 0 is the default (successor).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub active_deadline: Span,
    /// How long each attempt may take; 0 is the default (successor).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub execution_deadline: Span,
    /// Resources that it asks for in place of its task's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub resources: BTreeMap<String, String>,
    /// Other settings in place of its task's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, String>,
}

fn is_false(value: &bool) -> bool {
    !*value
}

fn is_task(kind: &NodeKind) -> bool {
    *kind == NodeKind::Task
}

fn is_zero(span: &Span) -> bool {
    span.0.is_zero()
}

impl NodeSpec {
    /// Its retry strategy, if it has one.
    pub fn retries(&self) -> Option<RetryStrategy> {
        self.min_attempts.map(|attempts| RetryStrategy { min_attempts: Some(attempts) })
    }

    /// Whether it is done as soon as its parents are.
    pub fn runs_nothing(&self) -> bool {
        matches!(self.kind, NodeKind::Start | NodeKind::End) && self.task.is_none()
    }

    /// Its own deadlines.
    pub fn deadlines(&self) -> Deadlines {
        Deadlines { active: self.active_deadline.0, execution: self.execution_deadline.0 }
    }
}

/// A workflow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct WorkflowSpec {
    /// Its name.
    pub name: String,
    /// Where it lives.
    #[serde(default = "default_namespace")]
    pub namespace: String,
    /// Who its tasks run as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
    /// How many of its nodes run at a time; 0 is all.
    #[serde(default)]
    pub max_parallelism: u32,
    /// Labels of what is made for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations of what is made for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Its tasks.
    #[serde(default, rename = "task")]
    pub tasks: Vec<TaskTemplate>,
    /// Its nodes.
    #[serde(default, rename = "node")]
    pub nodes: Vec<NodeSpec>,
}

fn default_namespace() -> String {
    "default".to_owned()
}

/// The part of a workflow that a mistake is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The workflow.
    Whole,
    /// The task at this place of the list.
    Task(usize),
    /// The node at this place of the list.
    Node(usize),
    /// The parent at the second place of the list of the node at the first.
    Upstream(usize, usize),
}

/// What is wrong with a workflow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// A name that cannot be one.
    #[error("{name:?} is no name: 1 to {NAME_MAX} lower-case letters, digits and hyphens")]
    BadName {
        /// The name.
        name: String,
        /// Whose.
        part: Part,
    },
    /// Two of one name.
    #[error("there are two {what} of the name `{name}`")]
    Duplicate {
        /// Of what: "tasks" or "nodes".
        what: &'static str,
        /// The name.
        name: String,
        /// The second.
        part: Part,
    },
    /// Nothing to run.
    #[error("the workflow has no nodes")]
    NoNodes,
    /// Too much to run.
    #[error("the workflow has {found} nodes, at most {NODES_MAX} are allowed")]
    TooManyNodes {
        /// How many there are.
        found: usize,
        /// The first that is too many.
        part: Part,
    },
    /// A parent that is no node.
    #[error("node `{node}` waits for `{upstream}`, which is no node")]
    UnknownUpstream {
        /// The node.
        node: String,
        /// The parent.
        upstream: String,
        /// Where.
        part: Part,
    },
    /// A parent twice.
    #[error("node `{node}` waits for `{upstream}` twice")]
    RepeatedUpstream {
        /// The node.
        node: String,
        /// The parent.
        upstream: String,
        /// Where.
        part: Part,
    },
    /// A task that there is not.
    #[error("node `{node}` runs `{task}`, which is no task")]
    UnknownTask {
        /// The node.
        node: String,
        /// The task.
        task: String,
        /// Where.
        part: Part,
    },
    /// Nodes that wait for each other.
    #[error("nodes wait for each other: {}", path.join(" -> "))]
    Cycle {
        /// From a node back to it, each waiting for the next.
        path: Vec<String>,
        /// The first of them.
        part: Part,
    },
}

impl SpecError {
    /// The part that it is about.
    pub fn part(&self) -> Part {
        match self {
            SpecError::NoNodes => Part::Whole,
            SpecError::BadName { part, .. }
            | SpecError::Duplicate { part, .. }
            | SpecError::TooManyNodes { part, .. }
            | SpecError::UnknownUpstream { part, .. }
            | SpecError::RepeatedUpstream { part, .. }
            | SpecError::UnknownTask { part, .. }
            | SpecError::Cycle { part, .. } => *part,
        }
    }
}

impl WorkflowSpec {
    /// The node of a name.
    pub fn node(&self, name: &str) -> Option<&NodeSpec> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// The task of a name.
    pub fn task(&self, name: &str) -> Option<&TaskTemplate> {
        self.tasks.iter().find(|task| task.name == name)
    }

    /// The task that a node runs, if both are as they should be.
    pub fn task_of(&self, node: &NodeSpec) -> Option<&TaskTemplate> {
        self.task(node.task.as_deref()?)
    }

    /// The nodes that wait for a node, in the order of the list; of the start, if none is named: the nodes without
    /// parents.
    pub fn children<'a>(&'a self, of: Option<&'a str>) -> impl Iterator<Item = &'a NodeSpec> + 'a {
        self.nodes.iter().filter(move |node| match of {
            None => node.upstream.is_empty(),
            Some(parent) => node.upstream.iter().any(|upstream| upstream == parent),
        })
    }

    /// Checks what its shape alone cannot say.
    ///
    /// # Errors
    /// The first mistake, in the order of the file; cycles last.
    pub fn validate(&self) -> Result<(), SpecError> {
        for name in [&self.name, &self.namespace] {
            named(name, Part::Whole)?;
        }
        let mut known = BTreeSet::new();
        for (at, task) in self.tasks.iter().enumerate() {
            named(&task.name, Part::Task(at))?;
            if !known.insert(task.name.as_str()) {
                let name = task.name.clone();
                return Err(SpecError::Duplicate { what: "tasks", name, part: Part::Task(at) });
            }
        }
        if self.nodes.is_empty() {
            return Err(SpecError::NoNodes);
        }
        if self.nodes.len() > NODES_MAX {
            return Err(SpecError::TooManyNodes { found: self.nodes.len(), part: Part::Node(NODES_MAX) });
        }
        let places = self.places()?;
        for (at, node) in self.nodes.iter().enumerate() {
            self.validate_node(at, node, &places)?;
        }
        self.refuse_cycles(&places)
    }

    fn places(&self) -> Result<BTreeMap<&str, usize>, SpecError> {
        let mut places = BTreeMap::new();
        for (at, node) in self.nodes.iter().enumerate() {
            named(&node.name, Part::Node(at))?;
            if places.insert(node.name.as_str(), at).is_some() {
                let name = node.name.clone();
                return Err(SpecError::Duplicate { what: "nodes", name, part: Part::Node(at) });
            }
        }
        Ok(places)
    }

    fn validate_node(
        &self,
        at: usize,
        node: &NodeSpec,
        places: &BTreeMap<&str, usize>,
    ) -> Result<(), SpecError> {
        if let Some(task) = node.task.as_ref().filter(|task| self.task(task).is_none()) {
            let (node, task) = (node.name.clone(), task.clone());
            return Err(SpecError::UnknownTask { node, task, part: Part::Node(at) });
        }
        for (nth, upstream) in node.upstream.iter().enumerate() {
            let part = Part::Upstream(at, nth);
            let (node_name, upstream_name) = (node.name.clone(), upstream.clone());
            if !places.contains_key(upstream.as_str()) {
                return Err(SpecError::UnknownUpstream { node: node_name, upstream: upstream_name, part });
            }
            if node.upstream[..nth].contains(upstream) {
                return Err(SpecError::RepeatedUpstream { node: node_name, upstream: upstream_name, part });
            }
        }
        Ok(())
    }

    /// Takes away nodes without parents until none is left; if some are, each of them waits for another of them.
    fn refuse_cycles(&self, places: &BTreeMap<&str, usize>) -> Result<(), SpecError> {
        let mut left: BTreeSet<usize> = (0..self.nodes.len()).collect();
        let waits_for = |at: usize, left: &BTreeSet<usize>| {
            let parents = self.nodes[at].upstream.iter().map(|name| places[name.as_str()]);
            parents.into_iter().find(|parent| left.contains(parent))
        };
        loop {
            let free: Vec<usize> =
                left.iter().copied().filter(|at| waits_for(*at, &left).is_none()).collect();
            left.retain(|at| !free.contains(at));
            if free.is_empty() {
                break;
            }
        }
        let Some(&first) = left.first() else { return Ok(()) };
        let mut walked = vec![first];
        loop {
            let last = walked[walked.len() - 1];
            let next = waits_for(last, &left).expect("what is left waits for something that is left");
            if let Some(begin) = walked.iter().position(|at| *at == next) {
                let mut cycle = walked.split_off(begin);
                cycle.push(next);
                let part = Part::Node(cycle[0]);
                let path = cycle.iter().map(|at| self.nodes[*at].name.clone()).collect();
                return Err(SpecError::Cycle { path, part });
            }
            walked.push(next);
        }
    }
}

fn named(name: &str, part: Part) -> Result<(), SpecError> {
    let is_letter = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    let is_name = (1..=NAME_MAX).contains(&name.len()) && name.chars().all(is_letter);
    if is_name { Ok(()) } else { Err(SpecError::BadName { name: name.to_owned(), part }) }
}
