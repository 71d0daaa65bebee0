//! What a scenario file says about a graph: the actions or how to generate them, how they behave, and how they are
//! run. Plain data. Separate because the engine knows no files; it must not judge what happens.

mod bounds;
mod options;
mod cloud;
mod leaf;
mod workflow;
mod generate;
mod run;
#[cfg(feature = "proptest")]
mod strategies;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::action::ActionType;

pub use crate::span::{BadSpan, Span};
pub use cloud::{Cloud, CloudError};
pub use generate::{Step, Work};
pub use leaf::Leaf;
pub use options::{ExecutorOptions, Mode};
pub use run::{StepResult, WorkloadResult, run};
#[cfg(feature = "proptest")]
pub use strategies::workloads;
pub use workflow::{LoadBalancer, Workflow};

/// A graph and how to run it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Workload {
    /// How the graph is run.
    #[serde(default)]
    pub executor: ExecutorOptions,
    /// The actions.
    pub graph: GraphSource,
    /// How actions behave that do not say so themselves.
    #[serde(default)]
    pub behaviour: Behaviour,
    /// How single actions behave, by name.
    #[serde(default)]
    pub overrides: BTreeMap<String, Behaviour>,
    /// The caller cancels so long after the start of the first step.
    pub cancel_after: Option<Span>,
    /// Abandoned actions are left alone so long after a run before they are dropped.
    pub linger: Option<Span>,
    /// A run that has not returned twice so long after its start is overdue; by default one second more than its
    /// timeout and its orphan timeout, if it has both.
    pub overdue_after: Option<Span>,
}

/// Where the actions come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GraphSource {
    /// They are listed.
    Actions(Vec<ActionSpec>),
    /// `root` unblocks `leaf-0`, `leaf-1`, …
    Star(Star),
    /// `link-0` unblocks `link-1`, which unblocks `link-2`, …
    Chain(Chain),
    /// `node-0`, `node-1`, …, each waiting for some of those before it, by chance.
    Random(Random),
    /// The provisioning of a load balancer, step by step.
    LoadBalancer(LoadBalancer),
}

/// One action of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ActionSpec {
    /// Its name.
    pub name: String,
    /// Its kind.
    #[serde(rename = "type", default = "custom")]
    pub kind: ActionType,
    /// The events it waits for: `Exists(x)`, `NotExists(x)`, `DropRef(x => y)`, or any text.
    #[serde(default)]
    pub wants: Vec<String>,
    /// The events it emits; its name when left out.
    pub signals: Option<Vec<String>>,
    /// Higher starts earlier, where the run orders by priority.
    #[serde(default)]
    pub priority: i32,
    /// How it behaves.
    pub behaviour: Option<Behaviour>,
}

fn custom() -> ActionType {
    ActionType::Custom
}

/// How an action behaves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Behaviour {
    /// How long each attempt takes.
    pub duration: Span,
    /// How each attempt ends.
    pub ends: Ends,
    /// So many attempts fail before the others end as `ends` says.
    pub fails_first: u32,
    /// It sleeps on when it is cancelled.
    pub ignores_cancel: bool,
    /// How it is retried.
    pub retry: Option<RetrySpec>,
    /// How long it may take, retries included.
    pub timeout: Option<Span>,
}

/// How an attempt ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ends {
    /// Well.
    #[default]
    Ok,
    /// With an error.
    Error,
    /// Never, unless it is cancelled and does not ignore that.
    Hang,
    /// With a panic.
    Panic,
}

/// How an action is retried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RetrySpec {
    /// The delay before the second attempt.
    pub delay: Span,
    /// Whether later delays are longer.
    #[serde(default)]
    pub growth: Growth,
    /// No delay is longer than this.
    pub delay_max: Option<Span>,
    /// Attempts in all.
    pub attempts_max: Option<u32>,
    /// Up to so many percent are added to each delay, by chance.
    #[serde(default)]
    pub jitter_percent: u32,
}

/// How the delays of a retry grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Growth {
    /// They do not.
    #[default]
    Constant,
    /// Each is twice the one before.
    Exponential,
}

/// A root and its leaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Star {
    /// Number of leaves.
    #[serde(deserialize_with = "bounds::actions")]
    pub fan_out: u32,
}

/// Links, one after the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Chain {
    /// Number of links.
    #[serde(deserialize_with = "bounds::actions")]
    pub length: u32,
}

/// A graph without cycles, drawn at the start of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Random {
    /// Number of nodes.
    #[serde(deserialize_with = "bounds::nodes")]
    pub nodes: u32,
    /// How likely a node waits for any one before it, in percent.
    pub edge_percent: u32,
}
