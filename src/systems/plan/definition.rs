//! What is to be done: plans of phases of steps of tasks, as an operator's author writes them. Plain data, separate from
//! how far it has come; it must not know who carries it out.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The plan of a first installation.
pub const DEPLOY: &str = "deploy";
/// The plan of a change to another version of the operator.
pub const UPGRADE: &str = "upgrade";
/// The plan of a change of parameters.
pub const UPDATE: &str = "update";
/// The plan of a deletion.
pub const CLEANUP: &str = "cleanup";

/// Whether what comes next waits for what is unfinished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// One after the other.
    #[default]
    Serial,
    /// An unfinished one does not hold back those after it.
    Parallel,
}

/// A word that is no strategy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no strategy `{0}`; allowed are serial, parallel")]
pub struct UnknownStrategy(pub String);

impl Strategy {
    /// All of them.
    pub const ALL: [Strategy; 2] = [Strategy::Serial, Strategy::Parallel];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Strategy::Serial => "serial",
            Strategy::Parallel => "parallel",
        }
    }

    /// What the reference takes a word for: every one but `serial` is parallel, also a misspelt or empty one (parity).
    pub fn lenient(text: &str) -> Strategy {
        if text == "serial" { Strategy::Serial } else { Strategy::Parallel }
    }
}

impl FromStr for Strategy {
    type Err = UnknownStrategy;

    fn from_str(text: &str) -> Result<Strategy, UnknownStrategy> {
        let found = Strategy::ALL.into_iter().find(|strategy| strategy.name() == text);
        found.ok_or_else(|| UnknownStrategy(text.to_owned()))
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// How its phases follow each other.
    pub strategy: Strategy,
    /// Its phases, in order.
    pub phases: Vec<Phase>,
}

/// A phase of a plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// How its steps follow each other.
    pub strategy: Strategy,
    /// Its steps, in order.
    pub steps: Vec<Step>,
}

/// A step of a phase: tasks that are all run, in order, until all are done in one pass.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// The names of its tasks.
    pub tasks: Vec<String>,
}

/// A task: what is done, by kind, and the kind's own settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its name; steps name it so.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// The kind's settings.
    pub spec: BTreeMap<String, Value>,
}

/// Whose plan it is: for messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The namespace of the instance.
    pub namespace: String,
    /// The instance.
    pub instance: String,
}

/// A plan that is carried out for an instance: all that one pass needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ActivePlan {
    /// The plan's name.
    pub name: String,
    /// How far it has come.
    pub status: super::status::PlanStatus,
    /// The plan; none where only a finished status is known.
    pub spec: Option<Arc<Plan>>,
    /// The operator's tasks; the first of a name counts.
    pub tasks: Arc<Vec<Task>>,
    /// The templates that resources are rendered from.
    pub templates: Arc<BTreeMap<String, String>>,
    /// The parameters and their values.
    pub params: Arc<BTreeMap<String, Value>>,
    /// The names of what pipe tasks made, by key.
    pub pipes: Arc<BTreeMap<String, String>>,
}

impl Plan {
    /// The steps of all phases, with the phase of each.
    pub fn steps(&self) -> impl Iterator<Item = (&Phase, &Step)> {
        self.phases.iter().flat_map(|phase| phase.steps.iter().map(move |step| (phase, step)))
    }
}

impl ActivePlan {
    /// The task of that name: the first in the list.
    pub fn task(&self, name: &str) -> Option<&Task> {
        self.tasks.iter().find(|task| task.name == name)
    }
}

impl Task {
    /// A task of a kind with settings.
    pub fn new<const N: usize>(name: &str, kind: &str, spec: [(&str, Value); N]) -> Task {
        let spec = spec.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        Task { name: name.to_owned(), kind: kind.to_owned(), spec }
    }
}
