//! What calls must hold to: of which attempts, when, with which state. It must not know what is told to the control plane.

use super::{Facts, Settings, Violation, broken};
use crate::systems::plugin::engine::Generation;
use crate::systems::plugin::error::ErrorKind;
use crate::systems::plugin::model::{CorePhase, NodePhase, PhaseVersion, WorkflowPhase};
use crate::systems::plugin::record::{Attempt, Call, NodeView, Returned};
use std::sync::Arc;

/// What is known of one attempt.
#[derive(Clone, Debug, Default)]
pub(super) struct AttemptFacts {
    pub(super) name: Option<Arc<str>>,
    pub(super) requires_finalizer: bool,
    /// A call said that it was accepted.
    pub(super) is_accepted: bool,
    /// It was accepted, and not released since.
    pub(super) may_hold: bool,
    /// What the last call said of it.
    pub(super) last: Option<CorePhase>,
    /// Whom it blamed, if it said that the attempt failed.
    pub(super) blame: Option<ErrorKind>,
    /// It was finalized, and not called since.
    pub(super) is_finalized: bool,
    pub(super) is_cached: bool,
    /// When it ended outside, if nobody has looked since.
    pub(super) finished_ns: Option<u64>,
}

impl Facts {
    pub(super) fn called(
        &mut self,
        attempt: &Attempt,
        call: Call,
        state: u64,
        requires_finalizer: bool,
        live: &[Arc<str>],
        settings: Settings,
    ) -> Result<(), Violation> {
        let Some(view) = self.stored.clone() else { return Ok(()) };
        let Some(node) = view.nodes.get(&attempt.node) else { return Ok(()) };
        let is_forward = matches!(call, Call::Start | Call::Check | Call::Handle);
        if (is_forward || call == Call::Kill) && self.has_ended(&attempt.node, attempt.number) {
            let detail = format!("{} of {}, whose end is stored", call.name(), words(attempt));
            return broken("terminal-is-final", detail);
        }
        match call {
            Call::Start | Call::Handle => {
                self.begins(attempt, node, requires_finalizer && !view.held, live, settings)?;
            }
            Call::Check => {
                let is_accepted = self.attempts.get(&key(attempt)).is_some_and(|facts| facts.is_accepted);
                if !is_accepted {
                    return broken(
                        "check-after-start",
                        format!("check of {}, never accepted", words(attempt)),
                    );
                }
            }
            Call::Kill => {
                let is_ending = view.deleting
                    || view.phase == WorkflowPhase::Failing
                    || view.failed_attempts > settings.workflow_retries_max;
                if !is_ending && !self.round.conflicts.contains(&attempt.node) {
                    let detail = format!("kill of {}, and its workflow is not to end", words(attempt));
                    return broken("kill-only-aborting", detail);
                }
            }
            Call::Abort | Call::Finalize => {}
        }
        if matches!(call, Call::Kill | Call::Abort) {
            self.kills(attempt, node, call)?;
        }
        if node.attempts == attempt.number && node.state != state {
            let detail =
                format!("{} of {} is handed a state that is not stored", call.name(), words(attempt));
            return broken("custom-state-kept", detail);
        }
        self.round.tried.insert(Arc::clone(&attempt.node));
        let facts = self.attempts.entry(key(attempt)).or_default();
        facts.name = Some(Arc::clone(&attempt.name));
        facts.requires_finalizer = requires_finalizer;
        facts.finished_ns = None;
        facts.is_finalized &= !is_forward;
        let done = match call {
            Call::Abort => &mut self.round.aborted,
            Call::Finalize => &mut self.round.finalized,
            Call::Start | Call::Check | Call::Handle | Call::Kill => return Ok(()),
        };
        done.insert(Arc::clone(&attempt.node));
        Ok(())
    }

    /// A call that may make something outside.
    fn begins(
        &self,
        attempt: &Attempt,
        node: &NodeView,
        is_unheld: bool,
        live: &[Arc<str>],
        settings: Settings,
    ) -> Result<(), Violation> {
        if is_unheld {
            return broken(
                "finalizer-holds",
                format!("start of {}, and no finalizer is stored", words(attempt)),
            );
        }
        let stored = self.stored.as_ref();
        let phase = |name: &Arc<str>| stored.and_then(|view| view.nodes.get(name)).map(|node| node.phase);
        let is_done =
            |name: &&Arc<str>| matches!(phase(name), Some(NodePhase::Succeeded | NodePhase::Skipped));
        if let Some(parent) = node.upstream.iter().find(|name| !is_done(name)) {
            let detail = format!("{} begins, and it is not stored that {parent} is done", words(attempt));
            return broken("parents-first", detail);
        }
        let earlier = self
            .attempts
            .iter()
            .filter(|((node, number), _)| *node == attempt.node && *number < attempt.number);
        for ((_, number), facts) in earlier {
            let Some(name) = &facts.name else { continue };
            let is_its = |held: &&Arc<str>| ***held == **name || held.starts_with(&format!("{name}-q"));
            if let Some(held) = live.iter().find(is_its) {
                let detail =
                    format!("{} begins, and {held} of attempt {number} is still there", words(attempt));
                return broken("released-before-retry", detail);
            }
        }
        let facts = self.attempts.get(&key(attempt));
        if facts.is_some_and(|facts| facts.is_cached) {
            return broken("cache", format!("{} begins, and the catalog has its outputs", words(attempt)));
        }
        if attempt.number != node.attempts {
            let detail =
                format!("{} begins, and {} failed attempts are stored", words(attempt), node.attempts);
            return broken("attempts-counted", detail);
        }
        // The successor's limits are judged where a failure is stored, with whom it is blamed on.
        let allowed = node.min_attempts.unwrap_or(0).max(1);
        if settings.generation == Generation::First && attempt.number >= allowed {
            let detail = format!("{} begins, and {allowed} attempts are allowed", words(attempt));
            return broken("attempts-counted", detail);
        }
        Ok(())
    }

    fn kills(&self, attempt: &Attempt, node: &NodeView, call: Call) -> Result<(), Violation> {
        if node.phase == NodePhase::NotYetStarted {
            let detail = format!("{} of {}, which has not been queued", call.name(), words(attempt));
            return broken("kill-only-aborting", detail);
        }
        if self.round.killed.contains(&attempt.node) {
            let detail = format!("{} of {} twice in one round", call.name(), words(attempt));
            return broken("kill-only-aborting", detail);
        }
        Ok(())
    }

    pub(super) fn returned(
        &mut self,
        attempt: &Attempt,
        call: Call,
        result: &Returned,
    ) -> Result<(), Violation> {
        let facts = self.attempts.entry(key(attempt)).or_default();
        facts.blame = match result {
            Returned::Failed(_, _, blame) => Some(*blame),
            Returned::Phase(..) => None,
            Returned::Done | Returned::Error(_) => facts.blame,
        };
        match result {
            Returned::Phase(phase, version) | Returned::Failed(phase, version, _) => {
                facts.is_accepted |= phase.rank() > 0;
                facts.may_hold |= phase.rank() > 0;
                facts.last = Some(*phase);
                if *version > PhaseVersion::MAX && call != Call::Handle {
                    let detail = format!("{} is at version {version} of one phase", words(attempt));
                    return broken("phase-monotone", detail);
                }
            }
            Returned::Done => {
                facts.may_hold = false;
                facts.is_finalized |= call == Call::Finalize;
                if matches!(call, Call::Kill | Call::Abort) {
                    self.round.killed.insert(Arc::clone(&attempt.node));
                }
            }
            Returned::Error(_) => {}
        }
        Ok(())
    }

    pub(super) fn catalog_asked(
        &mut self,
        attempt: &Attempt,
        hit: bool,
        disabled: bool,
    ) -> Result<(), Violation> {
        if disabled {
            return broken(
                "cache",
                format!("the catalog is asked for {}, and it is disabled", words(attempt)),
            );
        }
        // The last answer counts: a catalog that fails after a round was lost leaves the engine to run the task.
        self.attempts.entry(key(attempt)).or_default().is_cached = hit;
        if hit {
            self.round.hits.insert(Arc::clone(&attempt.node));
        }
        Ok(())
    }

    pub(super) fn catalog_put(&mut self, attempt: &Attempt, disabled: bool) -> Result<(), Violation> {
        let is_done =
            self.attempts.get(&key(attempt)).is_some_and(|facts| facts.last == Some(CorePhase::Success));
        let is_again = !self.round.puts.insert(Arc::clone(&attempt.node));
        let why = match () {
            () if disabled => "it is disabled",
            () if !is_done => "it has not succeeded",
            () if !self.has_outputs(&attempt.node, attempt.number) => "its outputs are not there",
            () if is_again => "it has it of this round",
            () if self.has_ended(&attempt.node, attempt.number) => "its end is stored",
            () => return Ok(()),
        };
        broken("cache", format!("the catalog is given {}, and {why}", words(attempt)))
    }
}

fn key(attempt: &Attempt) -> (Arc<str>, u32) {
    (Arc::clone(&attempt.node), attempt.number)
}

pub(super) fn words(attempt: &Attempt) -> String {
    format!("attempt {} of {}/{}", attempt.number, attempt.workflow, attempt.node)
}
