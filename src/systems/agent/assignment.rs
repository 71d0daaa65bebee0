//! What a manager tells an agent, and how the two speak: messages as data, and the boundary as traits. Separate because
//! agents and managers are written against it; it must not know either.

use super::controller::BoxFuture;
use super::dependencies::Dependency;
use super::error::BoxError;
use super::executor::{EncryptionKey, Node, NodeDescription};
use super::task::{Task, TaskId, TaskStatus};

/// Something that a node gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A task.
    Task(Box<Task>),
    /// A secret or a config.
    Dependency(Dependency),
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The node gets it, or another version of it.
    Update,
    /// The node does not have it any more.
    Remove,
}

/// A change of what a node has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignmentChange {
    /// What becomes of it.
    pub action: Action,
    /// What it is.
    pub item: Item,
}

impl AssignmentChange {
    /// The node gets this.
    pub fn update(item: Item) -> AssignmentChange {
        AssignmentChange { action: Action::Update, item }
    }

    /// The node loses this.
    pub fn remove(item: Item) -> AssignmentChange {
        AssignmentChange { action: Action::Remove, item }
    }
}

/// Whether a message says all that a node has, or what is other than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All.
    Complete,
    /// What is other.
    Incremental,
}

/// A message of the assignment stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignments {
    /// How much it says.
    pub extent: Extent,
    /// The number of the message that it follows.
    pub applies_to: u64,
    /// Its own number.
    pub results_in: u64,
    /// The changes, in the order in which they came about.
    pub changes: Vec<AssignmentChange>,
}

/// What a manager tells a node in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// What it has to run.
    Assignments(Assignments),
    /// What it is.
    Node(Node),
    /// The keys of the network.
    NetworkKeys(Vec<EncryptionKey>),
}

/// Why a manager did not do it.
#[derive(Debug, thiserror::Error)]
pub enum DispatchError {
    /// There is no such session any more.
    #[error("session invalid")]
    SessionInvalid,
    /// There is no such task.
    #[error("task {0} not found")]
    NotFound(TaskId),
    /// The task is another node's.
    #[error("permission denied: task {0} is assigned to another node")]
    PermissionDenied(TaskId),
    /// It could not be reached, or its answer was lost.
    #[error("the manager is unavailable: {0}")]
    Unavailable(BoxError),
}

/// A session of a node with its manager.
pub trait Session: Send {
    /// Its number.
    fn id(&self) -> u64;

    /// The next message. A call that is dropped has taken none.
    ///
    /// # Errors
    /// The session is over.
    fn next(&mut self) -> BoxFuture<'_, Result<Message, DispatchError>>;
}

/// The manager's side, as an agent calls it.
pub trait Dispatcher: Send + Sync {
    /// Registers a node and opens a session. Earlier sessions of the node end.
    fn open<'a>(
        &'a self,
        node: &'a str,
        description: &'a NodeDescription,
    ) -> BoxFuture<'a, Result<Box<dyn Session>, DispatchError>>;

    /// Records the status of a task of the node, unless it is older than what is recorded.
    fn update_status<'a>(
        &'a self,
        node: &'a str,
        session: u64,
        task: &'a TaskId,
        status: &'a TaskStatus,
    ) -> BoxFuture<'a, Result<(), DispatchError>>;
}
