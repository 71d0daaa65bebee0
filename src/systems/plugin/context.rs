//! What an executor is told of the task that it is called for: a read-only copy of what is stored, and names that are
//! made in this one place. It must not call anything.

use super::model::{CorePhase, PhaseVersion};
use super::outputs::OutputsResolver;
use super::state::CustomState;
use crate::choice::hash_bytes;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The longest generated name.
pub const GENERATED_NAME_MAX: usize = 50;
/// The shortest bound that a plugin may ask for.
pub const GENERATED_NAME_MIN: usize = 8;

/// Between the parts of a name.
const SEPARATOR: char = '-';

/// Who owns what is made for a task: the workflow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnerId {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for OwnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskExecutionId {
    /// The task.
    pub task: String,
    /// The node.
    pub node: String,
    /// The attempt, from 0.
    pub retry_attempt: u32,
}

/// The name of what is made for an attempt outside: workflow, node and attempt, hashed where that is too long or could
/// be another's. Stable within an attempt, and another for each.
pub fn generated_name(workflow: &str, node: &str, attempt: u32) -> Arc<str> {
    generated_name_within(workflow, node, attempt, GENERATED_NAME_MAX)
}

/// The same of at most `max` letters, or as many as are needed to tell names apart.
pub fn generated_name_within(workflow: &str, node: &str, attempt: u32, max: usize) -> Arc<str> {
    let name = format!("{workflow}{SEPARATOR}{node}{SEPARATOR}{attempt}");
    let is_plain = ![workflow, node].iter().any(|part| part.contains(SEPARATOR));
    if is_plain && name.len() <= max {
        return Arc::from(name);
    }
    // `a-b` and `c`, and `a` and `b-c`, have one name and two hashes.
    let parts = format!("{workflow}/{node}/{attempt}");
    hashed(&name, &parts, max.max(GENERATED_NAME_MIN))
}

/// A name of at most `max` letters: itself, or its beginning and a hash of all of it, the same in every run.
pub fn bounded(name: &str, max: usize) -> Arc<str> {
    let max = max.max(GENERATED_NAME_MIN);
    if name.len() <= max {
        return Arc::from(name);
    }
    hashed(name, name, max)
}

/// The beginning of a name, and a hash.
fn hashed(name: &str, of: &str, max: usize) -> Arc<str> {
    let hash = base32(hash_bytes(of.as_bytes()));
    if max <= hash.len() + 1 {
        return Arc::from(&hash[..max.min(hash.len())]);
    }
    let room = max - hash.len() - 1;
    let kept =
        name.char_indices().map(|(at, letter)| at + letter.len_utf8()).take_while(|end| *end <= room).last();
    Arc::from(format!("{}{SEPARATOR}{hash}", &name[..kept.unwrap_or(0)]))
}

/// Thirteen letters and digits.
fn base32(hash: u64) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    (0..13).map(|nth| char::from(LETTERS[usize::try_from(hash >> (nth * 5) & 31).unwrap_or(0)])).collect()
}

/// Where the files of an attempt are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The attempt's own directory.
    pub data_dir: String,
    /// What it reads.
    pub inputs: String,
    /// What it puts out.
    pub outputs: String,
    /// What it says when it fails.
    pub error: String,
}

impl Paths {
    /// The paths of an attempt. Each has a directory of its own, so that none reads what another left.
    pub fn of(namespace: &str, workflow: &str, node: &str, attempt: u32) -> Paths {
        Paths::in_dirs(&format!("{namespace}/{workflow}/{node}"), &attempt.to_string())
    }

    pub(super) fn in_dirs(node_dir: &str, attempt: &str) -> Paths {
        let data_dir = format!("{node_dir}/{attempt}");
        Paths {
            inputs: format!("{node_dir}/inputs.pb"),
            outputs: format!("{data_dir}/outputs.pb"),
            error: format!("{data_dir}/error.pb"),
            data_dir,
        }
    }
}

/// What a node asks for beside its task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Resources, by name.
    pub resources: BTreeMap<String, String>,
    /// Other settings.
    pub config: BTreeMap<String, String>,
}

/// What an executor is told.
#[derive(Clone, Debug)]
pub struct TaskContext {
    /// The workflow.
    pub owner: OwnerId,
    /// The name of what is made outside for this attempt.
    pub generated_name: Arc<str>,
    /// The attempt.
    pub id: TaskExecutionId,
    /// Where its files are.
    pub paths: Paths,
    /// Labels for what is made outside.
    pub labels: BTreeMap<String, String>,
    /// Annotations for what is made outside.
    pub annotations: BTreeMap<String, String>,
    /// What the node asks for beside its task.
    pub overrides: Overrides,
    /// Who it runs as.
    pub service_account: Option<String>,
    /// The executor's own state, as it was stored last.
    pub custom_state: Option<CustomState>,
    /// The phase, as it was stored last.
    pub phase: Option<CorePhase>,
    /// The version, as it was stored last.
    pub phase_version: PhaseVersion,
    /// Why it is in that phase, as it was stored last.
    pub reason: Option<String>,
    /// Reads outputs.
    pub outputs: OutputsResolver,
}

impl TaskContext {
    /// The namespace that things are made in.
    pub fn namespace(&self) -> &str {
        &self.owner.namespace
    }

    /// What things made outside say of their owner.
    pub fn owner_reference(&self) -> String {
        format!("{}/{}", super::status::WORKFLOW, self.owner.name)
    }
}
