//! Phases of nodes and workflows, and which follows which. Separate from the phases of tasks, which executors report; it
//! must not know executors.

use super::EventPhase;
use crate::systems::plugin::error::UnknownPhase;
use serde::{Deserialize, Serialize};

/// The phase of a node, as it is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NodePhase {
    /// Its parents are not done.
    #[default]
    NotYetStarted,
    /// It may start, or is to start again as it was not accepted.
    Queued,
    /// Its task was accepted.
    Running,
    /// It fails, and has yet to be cleaned up.
    Failing,
    /// It is done, and has yet to be cleaned up.
    Succeeding,
    /// It is done.
    Succeeded,
    /// It failed for good.
    Failed,
    /// An attempt failed, the next is to start.
    RetryableFailure,
    /// A parent was passed over.
    Skipped,
    /// It took too long.
    TimedOut,
}

impl NodePhase {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            NodePhase::NotYetStarted => "NotYetStarted",
            NodePhase::Queued => "Queued",
            NodePhase::Running => "Running",
            NodePhase::Failing => "Failing",
            NodePhase::Succeeding => "Succeeding",
            NodePhase::Succeeded => "Succeeded",
            NodePhase::Failed => "Failed",
            NodePhase::RetryableFailure => "RetryableFailure",
            NodePhase::Skipped => "Skipped",
            NodePhase::TimedOut => "TimedOut",
        }
    }

    /// Whether nothing happens to it any more.
    pub fn is_terminal(self) -> bool {
        matches!(self, NodePhase::Succeeded | NodePhase::Failed | NodePhase::Skipped | NodePhase::TimedOut)
    }

    /// Whether an attempt may have something outside that has to be released: it may have been started though nothing
    /// of that was stored.
    pub fn may_hold(self) -> bool {
        match self {
            NodePhase::Queued
            | NodePhase::Running
            | NodePhase::Failing
            | NodePhase::Succeeding
            | NodePhase::RetryableFailure => true,
            NodePhase::NotYetStarted
            | NodePhase::Succeeded
            | NodePhase::Failed
            | NodePhase::Skipped
            | NodePhase::TimedOut => false,
        }
    }

    /// What the event of a change to it says, if there is one.
    pub fn event_phase(self) -> Option<EventPhase> {
        match self {
            NodePhase::NotYetStarted
            | NodePhase::Failing
            | NodePhase::Succeeding
            | NodePhase::RetryableFailure => None,
            NodePhase::Queued => Some(EventPhase::Queued),
            NodePhase::Running => Some(EventPhase::Running),
            NodePhase::Succeeded => Some(EventPhase::Succeeded),
            NodePhase::Failed => Some(EventPhase::Failed),
            NodePhase::Skipped => Some(EventPhase::Skipped),
            NodePhase::TimedOut => Some(EventPhase::TimedOut),
        }
    }
}

/// What a handler asks of its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asked {
    /// To wait for its parents.
    NotStarted,
    /// To be started again later.
    Queued,
    /// To be looked at again.
    Running,
    /// To be cleaned up, then done.
    Succeeding,
    /// To be done.
    Success,
    /// To be cleaned up, then failed.
    Failing,
    /// To have failed.
    Failed,
    /// To be tried again, if it may.
    RetryableFailure,
    /// To be passed over.
    Skipped,
    /// To have taken too long.
    TimedOut,
    /// Nothing that makes sense.
    Undefined,
}

/// What the visit of a node tells the visit of its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    /// Nothing to do yet.
    Pending,
    /// It is queued.
    Queued,
    /// It runs.
    Running,
    /// It became done.
    Success,
    /// It and all below it are done.
    Complete,
    /// It or something below it failed.
    Failed,
}

/// What becomes of a node whose handler asks for something, and what its visit answers. Retries are decided by
/// `retry.rs`.
///
/// # Errors
/// The handler asks for nothing that makes sense.
pub fn transition(asked: Asked) -> Result<(NodePhase, Answer), UnknownPhase> {
    Ok(match asked {
        Asked::NotStarted => (NodePhase::NotYetStarted, Answer::Pending),
        Asked::Queued => (NodePhase::Queued, Answer::Queued),
        Asked::Running => (NodePhase::Running, Answer::Running),
        Asked::Succeeding => (NodePhase::Succeeding, Answer::Running),
        Asked::Success => (NodePhase::Succeeded, Answer::Success),
        Asked::Failing => (NodePhase::Failing, Answer::Running),
        Asked::Failed => (NodePhase::Failed, Answer::Failed),
        Asked::RetryableFailure => (NodePhase::RetryableFailure, Answer::Running),
        Asked::Skipped => (NodePhase::Skipped, Answer::Success),
        Asked::TimedOut => (NodePhase::TimedOut, Answer::Failed),
        Asked::Undefined => return Err(UnknownPhase { name: "Undefined" }),
    })
}

/// What the answers of the children of a node come to.
pub fn downstream(answers: impl IntoIterator<Item = Answer>) -> Answer {
    let (mut is_complete, mut is_partial) = (true, false);
    for answer in answers {
        match answer {
            Answer::Failed => return Answer::Failed,
            Answer::Complete => {}
            Answer::Success => (is_complete, is_partial) = (false, true),
            Answer::Pending | Answer::Queued | Answer::Running => is_complete = false,
        }
    }
    match (is_complete, is_partial) {
        (true, _) => Answer::Complete,
        (false, true) => Answer::Success,
        (false, false) => Answer::Pending,
    }
}

/// Whether a node may be queued, from the phases of its parents as they were before this round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Predicate {
    /// It may.
    Ready,
    /// Not yet.
    NotReady,
    /// A parent was passed over, so it is too.
    Skip,
}

/// See [`Predicate`].
pub fn predicate(parents: impl IntoIterator<Item = NodePhase>) -> Predicate {
    let mut found = Predicate::Ready;
    for phase in parents {
        match phase {
            NodePhase::Succeeded => {}
            NodePhase::Skipped => found = Predicate::Skip,
            _ => return Predicate::NotReady,
        }
    }
    found
}

/// The phase of a workflow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum WorkflowPhase {
    /// It was submitted.
    #[default]
    Ready,
    /// Its nodes run.
    Running,
    /// A node failed; the others are to be killed.
    Failing,
    /// It is done.
    Success,
    /// It failed.
    Failed,
    /// It was aborted.
    Aborted,
}

impl WorkflowPhase {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            WorkflowPhase::Ready => "Ready",
            WorkflowPhase::Running => "Running",
            WorkflowPhase::Failing => "Failing",
            WorkflowPhase::Success => "Success",
            WorkflowPhase::Failed => "Failed",
            WorkflowPhase::Aborted => "Aborted",
        }
    }

    /// Whether nothing happens in it any more.
    pub fn is_terminal(self) -> bool {
        matches!(self, WorkflowPhase::Success | WorkflowPhase::Failed | WorkflowPhase::Aborted)
    }

    /// What events say.
    pub fn event_phase(self) -> EventPhase {
        match self {
            WorkflowPhase::Ready => EventPhase::Queued,
            WorkflowPhase::Running | WorkflowPhase::Failing => EventPhase::Running,
            WorkflowPhase::Success => EventPhase::Succeeded,
            WorkflowPhase::Failed => EventPhase::Failed,
            WorkflowPhase::Aborted => EventPhase::Aborted,
        }
    }
}
