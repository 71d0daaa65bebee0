//! The round over a workflow: from a stored state and the effects that it may have to the state that is to be stored, or
//! an error and nothing. Separate from the store, which it must not know.

use super::guarded::guarded;
use super::node::{Unreleased, Walk, abort_all};
use super::{Aborts, Effects};
use crate::systems::plugin::error::SystemError;
use crate::systems::plugin::finalizer::{FINALIZER, Metadata, Proof};
use crate::systems::plugin::model::{Answer, WorkflowPhase};
use crate::systems::plugin::status::{Workflow, WorkflowStatus};
use crate::systems::plugin::variant::Variant;
use crate::time::Duration;

/// What a workflow is to be after a round.
#[derive(Clone, Debug, PartialEq)]
pub struct Next {
    /// What protects it.
    pub metadata: Metadata,
    /// How far it has come.
    pub status: WorkflowStatus,
}

impl Next {
    /// The workflow as it is.
    pub fn unchanged(workflow: &Workflow) -> Next {
        Next { metadata: workflow.metadata.clone(), status: workflow.status.clone() }
    }

    /// Whether a workflow would be changed.
    pub fn changes(&self, workflow: &Workflow) -> bool {
        self.metadata != workflow.metadata || self.status != workflow.status
    }
}

/// Why a round came to nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RoundError {
    /// It is thrown away; that is counted, and this is to be stored.
    #[error("{error}")]
    Discarded {
        /// Why.
        error: SystemError,
        /// The workflow as it was, but for the count and the message.
        next: Box<Next>,
    },
    /// An abort is not complete: nothing is stored, and it is tried again.
    #[error("the abort is not complete: {error}")]
    Abort {
        /// Why.
        error: SystemError,
    },
}

impl Effects {
    /// One round over a workflow, at this time since the Unix epoch. A panic is an error of the round.
    ///
    /// # Errors
    /// A system error; nothing that the round changed is kept.
    pub async fn round(&self, workflow: &Workflow, now_ns: u64) -> Result<Next, RoundError> {
        let is_given_up = workflow.status.failed_attempts > self.config.workflow_retries_max;
        if workflow.metadata.deleting || is_given_up {
            let aborted = guarded(self.aborted(workflow, now_ns)).await;
            let aborted = aborted
                .unwrap_or_else(|payload| Err(SystemError::of_panic("aborting the workflow", &*payload)));
            return aborted.map_err(|error| self.abort_failed(workflow, error));
        }
        let mut kept = None;
        let mutated = guarded(self.mutated(workflow, now_ns, &mut kept)).await;
        let mutated =
            mutated.unwrap_or_else(|payload| Err(SystemError::of_panic("handling the workflow", &*payload)));
        mutated.map_err(|error| {
            let mut next = Next::unchanged(workflow);
            if let Some(kept) = kept.filter(|_| self.has(Variant::RoundErrorKeepsMutations)) {
                next.status = kept;
            }
            next.status.failed_attempts = workflow.status.failed_attempts + 1;
            next.status.message = Some(error.to_string());
            RoundError::Discarded { error, next: Box::new(next) }
        })
    }

    /// An abort that is not complete leaves nothing, but where it is to be given up after so many.
    fn abort_failed(&self, workflow: &Workflow, error: SystemError) -> RoundError {
        match self.config.aborts {
            Aborts::GivenUp { .. } if !error.is_panic() => {
                let mut next = Next::unchanged(workflow);
                next.status.failed_attempts = workflow.status.failed_attempts + 1;
                next.status.message = Some(error.to_string());
                RoundError::Discarded { error, next: Box::new(next) }
            }
            Aborts::Held | Aborts::GivenUp { .. } | Aborts::Logged => RoundError::Abort { error },
        }
    }

    /// A round over a workflow that nobody wants to end; `kept` is what was changed when it failed.
    async fn mutated(
        &self,
        workflow: &Workflow,
        now_ns: u64,
        kept: &mut Option<WorkflowStatus>,
    ) -> Result<Next, SystemError> {
        let mut next = Next::unchanged(workflow);
        match workflow.status.phase {
            WorkflowPhase::Success | WorkflowPhase::Failed | WorkflowPhase::Aborted => {
                close(&mut next.metadata, now_ns, &Proof::nothing_left());
                return Ok(next);
            }
            WorkflowPhase::Ready => next.status.phase = WorkflowPhase::Running,
            WorkflowPhase::Running => {
                let mut walk = Walk::new(self, workflow, now_ns);
                let answer = walk.below(None).await;
                let Walk { status, failure, .. } = walk;
                *kept = Some(status.clone());
                next.status = status;
                match answer? {
                    Answer::Complete => next.status.phase = WorkflowPhase::Success,
                    Answer::Failed => {
                        next.status.phase = WorkflowPhase::Failing;
                        next.status.message = failure.map(|error| error.to_string());
                    }
                    Answer::Pending | Answer::Queued | Answer::Running | Answer::Success => {}
                }
            }
            WorkflowPhase::Failing => {
                self.release(workflow, Aborts::Held).await?;
                next.status.phase = WorkflowPhase::Failed;
            }
        }
        next.metadata.set_if_empty(FINALIZER);
        if next.status.phase.is_terminal() {
            // Either all nodes are done, or what they held was released just now.
            close(&mut next.metadata, now_ns, &Proof::nothing_left());
        }
        Ok(next)
    }

    /// A round over a workflow that is to end.
    async fn aborted(&self, workflow: &Workflow, now_ns: u64) -> Result<Next, SystemError> {
        let mut next = Next::unchanged(workflow);
        if !workflow.status.phase.is_terminal() {
            let proof = self.release(workflow, self.config.aborts).await?;
            let (phase, message) = match workflow.metadata.deleting {
                true => (WorkflowPhase::Aborted, "Workflow aborted.".to_owned()),
                false => (WorkflowPhase::Failed, self.given_up(&workflow.status)),
            };
            (next.status.phase, next.status.message) = (phase, Some(message));
            close(&mut next.metadata, now_ns, &proof);
        } else {
            close(&mut next.metadata, now_ns, &Proof::nothing_left());
        }
        Ok(next)
    }

    fn given_up(&self, status: &WorkflowStatus) -> String {
        let (attempts, max) = (status.failed_attempts, self.config.workflow_retries_max);
        let last = status.message.as_deref().unwrap_or_default();
        format!(
            "max number of system retry attempts [{attempts}/{max}] exhausted. Last known status message: {last}"
        )
    }

    /// Releases all that a workflow holds. What cannot be released is waited for as `aborts` says; a panic says nothing,
    /// and is always waited for.
    async fn release(&self, workflow: &Workflow, aborts: Aborts) -> Result<Proof, SystemError> {
        let errors = abort_all(self, workflow).await;
        let is_waited_for = |error: &Unreleased| match aborts {
            _ if self.has(Variant::AbortErrorLogged) => false,
            _ if error.error.is_panic() => true,
            Aborts::Held => true,
            Aborts::GivenUp { after } => error.requires_finalizer || workflow.status.failed_attempts <= after,
            Aborts::Logged => false,
        };
        let (waited, passed): (Vec<_>, Vec<_>) = errors.into_iter().partition(is_waited_for);
        for error in passed {
            tracing::warn!(error = %error.error, "a task was not killed, and is not waited for");
        }
        match SystemError::joined(waited.into_iter().map(|error| error.error).collect()) {
            Some(error) => Err(error),
            None => Ok(Proof::nothing_left()),
        }
    }
}

/// Labels a workflow as over, and lets go of it.
fn close(metadata: &mut Metadata, now_ns: u64, proof: &Proof) {
    metadata.set_completed(Duration::from_nanos(now_ns));
    metadata.release(proof);
}
