//! What rounds must hold to, and what they may write. It must not know the world outside.

use super::{Facts, Settings, Violation, broken};
use crate::systems::plugin::engine::Generation;
use crate::systems::plugin::error::ErrorKind;
use crate::systems::plugin::model::{CorePhase, NodePhase, WorkflowPhase};
use crate::systems::plugin::record::{NodeView, RoundOutcome, View};
use crate::systems::plugin::retry::Expired;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The round that is on, or was last.
#[derive(Clone, Debug, Default)]
pub(super) struct RoundFacts {
    now_ns: u64,
    outcome: Option<RoundOutcome>,
    /// The nodes that something was called for.
    pub(super) tried: BTreeSet<Arc<str>>,
    /// The nodes that were killed.
    pub(super) killed: BTreeSet<Arc<str>>,
    /// The nodes that were aborted, and those that were finalized (successor), whatever came of it.
    pub(super) aborted: BTreeSet<Arc<str>>,
    pub(super) finalized: BTreeSet<Arc<str>>,
    /// The nodes whose outputs the catalog has, and those whose outputs it was given.
    pub(super) hits: BTreeSet<Arc<str>>,
    pub(super) puts: BTreeSet<Arc<str>>,
    /// The nodes of which the control plane says that they have ended.
    pub(super) conflicts: BTreeSet<Arc<str>>,
}

impl Facts {
    pub(super) fn round_started(
        &mut self,
        workflow: &str,
        version: u64,
        digest: u64,
        now_ns: u64,
    ) -> Result<(), Violation> {
        self.round = RoundFacts { now_ns, ..RoundFacts::default() };
        if version < self.engine_version {
            let detail = format!(
                "a round over {workflow} at version {version}, and the engine has written version {}",
                self.engine_version
            );
            return broken("no-stale-round", detail);
        }
        match self.digests.get(&version) {
            Some(stored) if *stored != digest => {
                let detail =
                    format!("a round over a state of {workflow} that version {version} does not hold");
                broken("no-stale-round", detail)
            }
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn round_ended(
        &mut self,
        workflow: &str,
        outcome: &RoundOutcome,
        settings: Settings,
    ) -> Result<(), Violation> {
        self.round.outcome = Some(outcome.clone());
        let Some(view) = self.stored.clone() else { return Ok(()) };
        let is_failed_abort = match outcome {
            RoundOutcome::AbortFailed(_) => true,
            RoundOutcome::Discarded(_) => view.phase == WorkflowPhase::Failing,
            RoundOutcome::Unchanged | RoundOutcome::Changed => false,
        };
        if is_failed_abort {
            let holds = |node: &NodeView| node.phase.may_hold();
            let left =
                view.nodes.iter().find(|(name, node)| holds(node) && !self.round.tried.contains(*name));
            if let Some((name, _)) = left {
                let detail = format!("the abort of {workflow} failed, and nobody tried to kill {name}");
                return broken("abort-complete", detail);
            }
        }
        if let Some(node) = self.round.aborted.difference(&self.round.finalized).next() {
            let detail = format!("{workflow}/{node} was aborted, and not finalized");
            return broken("finalized", detail);
        }
        if *outcome == RoundOutcome::Unchanged {
            return self.late(workflow, &view, &view, settings);
        }
        Ok(())
    }

    pub(super) fn stored(
        &mut self,
        workflow: &Arc<str>,
        view: &Arc<View>,
        settings: Settings,
    ) -> Result<(), Violation> {
        let before = self.stored.replace(Arc::clone(view));
        self.is_gone = false;
        self.digests.insert(view.version, view.digest);
        let Some(before) = before.filter(|_| view.by_engine) else { return Ok(()) };
        self.engine_version = view.version;
        self.atomic(workflow, &before, view)?;
        if before.digest == view.digest {
            return broken("quiet-rounds", format!("a round over {workflow} wrote what was stored"));
        }
        for (name, node) in &view.nodes {
            let was = before.nodes.get(name).cloned().unwrap_or_default();
            self.node_stored(workflow, name, &was, node, &before)?;
            self.finalized(workflow, name, &was, node, settings)?;
            self.counted(&format!("node {workflow}/{name}"), name, &was, node, settings)?;
        }
        self.late(workflow, &before, view, settings)?;
        if before.held && !view.held {
            self.released(workflow, view.phase.is_terminal())?;
        }
        match view.phase.is_terminal() {
            true => self.all_finalized(workflow, settings),
            false => Ok(()),
        }
    }

    pub(super) fn gone(&mut self, workflow: &str, settings: Settings) -> Result<(), Violation> {
        self.is_gone = true;
        self.released(workflow, true)?;
        self.all_finalized(workflow, settings)
    }

    /// An attempt whose end is stored was finalized (successor).
    fn finalized(
        &self,
        workflow: &str,
        name: &Arc<str>,
        was: &NodeView,
        node: &NodeView,
        settings: Settings,
    ) -> Result<(), Violation> {
        let has_ended =
            node.attempts != was.attempts || (node.phase.is_terminal() && !was.phase.is_terminal());
        let facts = self.attempts.get(&(Arc::clone(name), was.attempts));
        let is_left = facts.is_some_and(|facts| facts.is_accepted && !facts.is_finalized);
        if settings.generation == Generation::First || !has_ended || !is_left {
            return Ok(());
        }
        let detail = format!("attempt {} of {workflow}/{name} is over, and was not finalized", was.attempts);
        broken("finalized", detail)
    }

    /// All attempts of a workflow that is over were finalized (successor).
    fn all_finalized(&self, workflow: &str, settings: Settings) -> Result<(), Violation> {
        if settings.generation == Generation::First {
            return Ok(());
        }
        match self.attempts.iter().find(|(_, facts)| facts.is_accepted && !facts.is_finalized) {
            None => Ok(()),
            Some(((node, number), _)) => {
                let detail = format!("{workflow} is over, and attempt {number} of {node} was not finalized");
                broken("finalized", detail)
            }
        }
    }

    /// The finalizer went.
    fn released(&self, workflow: &str, is_over: bool) -> Result<(), Violation> {
        if !is_over {
            return broken("finalizer-holds", format!("{workflow} lost its finalizer, and is not over"));
        }
        for ((node, number), facts) in &self.attempts {
            if facts.may_hold && facts.requires_finalizer && !self.has_ended(node, *number) {
                let detail = format!(
                    "{workflow} lost its finalizer, and attempt {number} of {node} was neither ended nor killed"
                );
                return broken("finalizer-holds", detail);
            }
        }
        Ok(())
    }

    /// What a round that failed may write.
    fn atomic(&self, workflow: &str, before: &View, view: &View) -> Result<(), Violation> {
        let is_same = before.nodes == view.nodes && before.phase == view.phase;
        match &self.round.outcome {
            Some(RoundOutcome::Discarded(error)) => {
                if is_same && view.failed_attempts == before.failed_attempts + 1 {
                    return Ok(());
                }
                let detail =
                    format!("a round over {workflow} failed ({error}), and more than that was stored");
                broken("round-atomic", detail)
            }
            Some(RoundOutcome::AbortFailed(error)) => {
                let detail = format!("an abort of {workflow} failed ({error}), and something was stored");
                broken("round-atomic", detail)
            }
            Some(RoundOutcome::Unchanged) => {
                broken("quiet-rounds", format!("a round over {workflow} changed nothing, and wrote"))
            }
            Some(RoundOutcome::Changed) | None => {
                if view.failed_attempts == before.failed_attempts {
                    return Ok(());
                }
                broken("round-atomic", format!("a round over {workflow} was done, and counted as failed"))
            }
        }
    }

    fn node_stored(
        &self,
        workflow: &str,
        name: &Arc<str>,
        was: &NodeView,
        node: &NodeView,
        before: &View,
    ) -> Result<(), Violation> {
        let whose = format!("node {workflow}/{name}");
        if was.phase.is_terminal() && was != node {
            return broken("terminal-is-final", format!("{whose} was {}, and changed", was.phase.name()));
        }
        if was.attempts == node.attempts {
            monotone(&whose, was, node)?;
        }
        if was.phase == NodePhase::NotYetStarted && node.phase == NodePhase::Queued {
            let phase = |name: &Arc<str>| before.nodes.get(name).map(|node| node.phase);
            let is_done =
                |name: &&Arc<str>| matches!(phase(name), Some(NodePhase::Succeeded | NodePhase::Skipped));
            if let Some(parent) = node.upstream.iter().find(|name| !is_done(name)) {
                let detail = format!("{whose} is queued in the round of its parent {parent}");
                return broken("parents-first", detail);
            }
        }
        self.event_first(&whose, name, was, node)?;
        let is_done = matches!(node.phase, NodePhase::Succeeded | NodePhase::Succeeding);
        if is_done && node.has_outputs && !self.has_outputs(name, node.attempts) {
            return broken(
                "outputs-readable",
                format!("{whose} succeeded, and its outputs were never written"),
            );
        }
        let has_failed = matches!(node.phase, NodePhase::Failed | NodePhase::Failing | NodePhase::TimedOut);
        let is_changed = self.round.outcome == Some(RoundOutcome::Changed);
        if is_changed && self.round.hits.contains(name) && !is_done && !has_failed {
            let detail = format!("the catalog has the outputs of {whose}, and it is {}", node.phase.name());
            return broken("cache", detail);
        }
        if is_changed && self.round.conflicts.contains(name) && !has_failed && !was.phase.is_terminal() {
            let detail =
                format!("the control plane says that {whose} has ended, and it is {}", node.phase.name());
            return broken("conflict-fails", detail);
        }
        Ok(())
    }

    fn counted(
        &self,
        whose: &str,
        name: &Arc<str>,
        was: &NodeView,
        node: &NodeView,
        settings: Settings,
    ) -> Result<(), Violation> {
        let facts = self.attempts.get(&(Arc::clone(name), was.attempts));
        let (last, blame) = facts.map_or((None, None), |facts| (facts.last, facts.blame));
        let is_late =
            last.is_none_or(|last| !last.is_terminal()) && settings.expired(was, self.round.now_ns).is_some();
        if node.attempts != was.attempts {
            let is_next = node.attempts == was.attempts + 1;
            let is_failure = matches!(last, Some(CorePhase::RetryableFailure | CorePhase::Success));
            if !is_next || !(is_failure || is_late) {
                let said = last.map_or("nothing", CorePhase::name);
                let detail = format!(
                    "{whose} counts {} failed attempts after {}, and its executor said {said}",
                    node.attempts, was.attempts
                );
                return broken("attempts-counted", detail);
            }
        }
        let by_platform = node.system_failures.saturating_sub(was.system_failures);
        let blamed = if by_platform > 0 { ErrorKind::System } else { ErrorKind::User };
        if node.phase == NodePhase::RetryableFailure && node.attempts != was.attempts {
            let is_other = settings.generation == Generation::Successor
                && last == Some(CorePhase::RetryableFailure)
                && blame.is_some_and(|blame| blame != blamed);
            if is_other || by_platform > 1 {
                let detail = format!("{whose} counts a failure as {blamed}, and its executor said otherwise");
                return broken("attempts-counted", detail);
            }
            if !settings.is_eligible(was, blamed) {
                let detail = format!("{whose} is tried again after {} attempts", node.attempts);
                return broken("attempts-counted", detail);
            }
        }
        let gave_up = matches!(node.phase, NodePhase::Failed | NodePhase::Failing) && was.phase != node.phase;
        if !gave_up || was.phase == NodePhase::Failing || self.round.conflicts.contains(name) {
            return Ok(());
        }
        let may_go_on = settings.is_eligible(was, blame.unwrap_or_default());
        if last == Some(CorePhase::RetryableFailure) && may_go_on {
            let detail = format!("{whose} failed after {} attempts, and may have more", was.attempts + 1);
            return broken("attempts-counted", detail);
        }
        if last == Some(CorePhase::NotReady) && !is_late {
            return broken("attempts-counted", format!("{whose} failed, and was only not accepted"));
        }
        Ok(())
    }

    /// What is stored was told before.
    fn event_first(
        &self,
        whose: &str,
        name: &Arc<str>,
        was: &NodeView,
        node: &NodeView,
    ) -> Result<(), Violation> {
        let event = node.phase.event_phase().filter(|_| node.phase != was.phase);
        if let Some(event) = event.filter(|event| !self.told.knows_node(name, *event)) {
            let is_refused = self.round.conflicts.contains(name);
            if !is_refused {
                return broken("event-first", format!("{whose} is {}, and nobody was told", event.name()));
            }
        }
        let Some((phase, _)) = node.task.filter(|(phase, _)| phase.rank() > 0) else { return Ok(()) };
        let is_new = was.task.is_none_or(|(was, _)| was != phase) || was.attempts != node.attempts;
        let is_cached =
            self.attempts.get(&(Arc::clone(name), node.attempts)).is_some_and(|facts| facts.is_cached);
        // The counter of a node that failed is past its last attempt.
        let is_told = [node.attempts, was.attempts]
            .into_iter()
            .any(|number| self.told.knows_task(name, number, phase.event_phase()));
        if is_new && !is_cached && !is_told {
            let detail = format!("the task of {whose} is {}, and nobody was told", phase.name());
            return broken("event-first", detail);
        }
        Ok(())
    }

    /// What is over its time must not be left as it is, once it was looked at.
    fn late(&self, workflow: &str, before: &View, view: &View, settings: Settings) -> Result<(), Violation> {
        let is_done = matches!(self.round.outcome, Some(RoundOutcome::Changed | RoundOutcome::Unchanged));
        for (name, node) in view.nodes.iter().filter(|_| is_done) {
            let Some(was) = before.nodes.get(name) else { continue };
            let is_left = matches!(node.phase, NodePhase::Queued | NodePhase::Running)
                && was.phase.may_hold()
                && was.attempts == node.attempts
                && self.round.tried.contains(name);
            let what = match settings.expired(was, self.round.now_ns).filter(|_| is_left) {
                None => continue,
                Some(Expired::Active(_)) => format!("{workflow}/{name}"),
                Some(Expired::Execution(_)) => format!("attempt {} of {workflow}/{name}", node.attempts),
            };
            return broken("deadline", format!("{what} is over its time, and was left as it is"));
        }
        Ok(())
    }
}

/// Phase and version of an attempt never go back.
fn monotone(whose: &str, was: &NodeView, node: &NodeView) -> Result<(), Violation> {
    let (Some((old, old_version)), Some((new, new_version))) = (was.task, node.task) else { return Ok(()) };
    let goes_back = new.rank() < old.rank() || (new == old && new_version < old_version);
    let is_other_end = old.is_terminal() && new != old;
    if goes_back || is_other_end {
        let property = if is_other_end { "terminal-is-final" } else { "phase-monotone" };
        let detail = format!("the task of {whose} went from {old} {old_version} to {new} {new_version}");
        return broken(property, detail);
    }
    Ok(())
}
