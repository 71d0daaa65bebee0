//! What makes controllers on a node. Separate from controllers, of which it makes one for each task.

use super::controller::{BoxFuture, Controller};
use super::dependencies::Dependencies;
use super::error::TaskError;
use super::task::Task;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a node can do, as its executor says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeDescription {
    /// Its host name.
    pub hostname: String,
    /// The kinds of things that it can run. That there are none and that there is no list is the same.
    #[serde(default)]
    pub plugins: Option<BTreeSet<String>>,
}

impl NodeDescription {
    /// Whether both describe the same node.
    pub fn is_same(&self, other: &NodeDescription) -> bool {
        let plugins = |node: &NodeDescription| node.plugins.clone().unwrap_or_default();
        self.hostname == other.hostname && plugins(self) == plugins(other)
    }
}

/// A node, as its manager sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its id.
    pub id: String,
    /// What its owner says of it.
    #[serde(default)]
    pub labels: BTreeSet<String>,
}

/// A key for the network between nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncryptionKey {
    /// What it encrypts.
    pub subsystem: String,
    /// Which of the keys it is: the newest is the highest.
    pub tick: u64,
}

/// Makes controllers on a node.
pub trait Executor: Send + Sync {
    /// What the node can do.
    fn describe(&self) -> BoxFuture<'_, Result<NodeDescription, TaskError>>;

    /// Takes what the manager says of the node.
    fn configure<'a>(&'a self, node: &'a Node) -> BoxFuture<'a, Result<(), TaskError>>;

    /// What runs a task. A controller knows what there is of the task already.
    fn controller<'a>(&'a self, task: &'a Task) -> BoxFuture<'a, Result<Arc<dyn Controller>, TaskError>>;

    /// Takes the keys of the network.
    fn set_network_keys<'a>(&'a self, keys: &'a [EncryptionKey]) -> BoxFuture<'a, Result<(), TaskError>>;

    /// Where secrets and configs are kept for tasks; `None` where nobody wants them, and then updates are ignored.
    fn dependencies(&self) -> Option<&Dependencies> {
        None
    }
}
