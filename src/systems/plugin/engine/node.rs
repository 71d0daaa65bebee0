//! The node executor: from the start down, each node once per round; what its handler asks for becomes its phase, after
//! the control plane was told. Separate from the round, which knows workflows; it must not write to the store.

use super::Effects;
use super::call::{NodeCall, Outcome};
use super::first::TaskHandler;
use super::second::CoreHandler;
use super::{Config, Generation};
use crate::systems::plugin::BoxFuture;
use crate::systems::plugin::core::PhaseInfo;
use crate::systems::plugin::error::{ErrorKind, SystemError, TaskError, codes};
use crate::systems::plugin::events::{NodeEvent, Recorded, recorded};
use crate::systems::plugin::model::{
    Answer, Asked, CorePhase, EventPhase, NodePhase, Predicate, downstream, predicate, transition,
};
use crate::systems::plugin::retry::{
    Counts, Expired, Limits, Retry, eligible, exhausted, is_limited, max_parallelism_achieved, retry,
};
use crate::systems::plugin::status::{NodeStatus, TaskRecord, Workflow, WorkflowStatus};
use crate::systems::plugin::variant::Variant;
use crate::systems::plugin::workflow::NodeSpec;
use crate::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

/// A walk over the nodes of a workflow, in one round.
pub(super) struct Walk<'a> {
    effects: &'a Effects,
    /// As it is stored: parents count as done only if they were before this round.
    before: &'a Workflow,
    /// As it is to be.
    pub(super) status: WorkflowStatus,
    /// What the nodes that were visited answered.
    answers: BTreeMap<&'a str, Answer>,
    /// Why a node failed, the first that did.
    pub(super) failure: Option<TaskError>,
    running: u32,
    now_ns: u64,
}

/// An error that says whether the executor it came from must be waited for.
pub(super) struct Unreleased {
    pub(super) requires_finalizer: bool,
    pub(super) error: SystemError,
}

impl<'a> Walk<'a> {
    pub(super) fn new(effects: &'a Effects, before: &'a Workflow, now_ns: u64) -> Walk<'a> {
        let runs = |node: &&NodeSpec| {
            is_limited(node.kind) && before.status.node_phase(&node.name) == NodePhase::Running
        };
        let running = before.spec.nodes.iter().filter(runs).count();
        Walk {
            effects,
            before,
            status: before.status.clone(),
            answers: BTreeMap::new(),
            failure: None,
            running: u32::try_from(running).unwrap_or(u32::MAX),
            now_ns,
        }
    }

    /// Visits all nodes below a node, or below the start.
    pub(super) fn below<'s>(&'s mut self, of: Option<&'a str>) -> BoxFuture<'s, Result<Answer, SystemError>>
    where
        'a: 's,
    {
        Box::pin(async move {
            let before: &'a Workflow = self.before;
            let mut answers = Vec::new();
            for child in before.spec.children(of) {
                let answer = self.visit(child).await?;
                answers.push(answer);
                if answer == Answer::Failed {
                    break;
                }
            }
            Ok(downstream(answers))
        })
    }

    /// Visits a node and, once it is done, those below it.
    pub(super) async fn visit(&mut self, node: &'a NodeSpec) -> Result<Answer, SystemError> {
        if let Some(answer) = self.answers.get(node.name.as_str()) {
            return Ok(*answer);
        }
        let answer = match self.status.node_phase(&node.name) {
            NodePhase::Succeeded | NodePhase::Skipped => self.below(Some(&node.name)).await?,
            NodePhase::Failed | NodePhase::TimedOut => {
                let error = self.status.node(&node.name).error;
                self.fail(&node.name, error);
                Answer::Failed
            }
            NodePhase::NotYetStarted => self.begin(node).await?,
            NodePhase::Queued | NodePhase::RetryableFailure | NodePhase::Running => {
                self.advance(node).await?
            }
            NodePhase::Failing => self.failing(node).await?,
            NodePhase::Succeeding => self.succeeding(node).await?,
        };
        self.answers.insert(&node.name, answer);
        Ok(answer)
    }

    /// Queues a node whose parents are done.
    async fn begin(&mut self, node: &'a NodeSpec) -> Result<Answer, SystemError> {
        let parents = node.upstream.iter().map(|parent| self.before.status.node_phase(parent));
        match predicate(parents) {
            Predicate::NotReady => Ok(Answer::Pending),
            Predicate::Skip => self.become_(node, Outcome::of(Asked::Skipped)).await,
            Predicate::Ready => {
                let hit = self.cached(node).await?;
                self.become_(node, hit.unwrap_or(Outcome::of(Asked::Queued))).await
            }
        }
    }

    /// The successor asks the catalog before a node is queued.
    async fn cached(&self, node: &'a NodeSpec) -> Result<Option<Outcome>, SystemError> {
        if self.config().generation == Generation::First {
            return Ok(None);
        }
        let status = self.before.status.node(&node.name);
        let call = NodeCall { effects: self.effects, workflow: self.before, node, status: &status };
        CoreHandler(call).cached().await
    }

    /// Starts a node, or looks at it.
    async fn advance(&mut self, node: &'a NodeSpec) -> Result<Answer, SystemError> {
        if node.runs_nothing() {
            return self.become_(node, Outcome::of(Asked::Success)).await;
        }
        let status = self.before.status.node(&node.name);
        let is_running = status.phase == NodePhase::Running;
        let limit = self.before.spec.max_parallelism;
        if !is_running && max_parallelism_achieved(node.kind, limit, self.running) {
            return Ok(Answer::Pending);
        }
        let call = NodeCall { effects: self.effects, workflow: self.before, node, status: &status };
        let outcome = match (self.config().generation, is_running) {
            (Generation::First, false) => TaskHandler(call).start_node().await?,
            (Generation::First, true) => TaskHandler(call).check_node_status().await?,
            (Generation::Successor, _) => CoreHandler(call).handle().await?,
        };
        self.running += u32::from(!is_running && outcome.asked == Asked::Running && is_limited(node.kind));
        let (outcome, is_late) = self.overdue(node, &status, outcome);
        let is_refused = outcome.task.as_ref().is_some_and(|task| task.phase == CorePhase::NotReady);
        match outcome.asked {
            Asked::RetryableFailure => self.again(node, &status, outcome, is_late).await,
            Asked::Queued if is_refused && self.effects.has(Variant::NotReadyCounted) => {
                self.again(node, &status, outcome, is_late).await
            }
            Asked::TimedOut => {
                let outcome = self.expire(call, outcome).await?;
                self.become_(node, outcome).await
            }
            Asked::Success if self.config().generation == Generation::Successor => {
                self.become_(node, Outcome { asked: Asked::Succeeding, ..outcome }).await
            }
            Asked::Failed if self.config().generation == Generation::Successor => {
                self.become_(node, Outcome { asked: Asked::Failing, ..outcome }).await
            }
            _ => self.become_(node, outcome).await,
        }
    }

    /// Deadlines are looked at after the handler, and a result that has come counts.
    fn overdue(&self, node: &NodeSpec, status: &NodeStatus, outcome: Outcome) -> (Outcome, bool) {
        let is_open = matches!(outcome.asked, Asked::Running | Asked::Queued);
        let is_ignored = self.effects.has(Variant::TimeoutIgnored);
        if self.config().generation == Generation::First || !is_open || is_ignored {
            return (outcome, false);
        }
        let since =
            |then: Option<u64>| then.map(|then| Duration::from_nanos(self.now_ns.saturating_sub(then)));
        let deadlines = node.deadlines().or(self.config().deadlines);
        match deadlines.expired(since(status.queued_ns), since(status.attempt_began_ns)) {
            None => (outcome, false),
            Some(Expired::Active(limit)) => {
                let message = format!("task active timeout [{limit:?}] expired");
                let error = TaskError::user(codes::TIMEOUT_EXPIRED, message);
                (Outcome { asked: Asked::TimedOut, error: Some(error), ..outcome }, true)
            }
            Some(Expired::Execution(limit)) => {
                let message = format!("task execution timeout [{limit:?}] expired");
                let error = TaskError::user(codes::TIMEOUT_EXPIRED, message);
                (Outcome { asked: Asked::RetryableFailure, error: Some(error), ..outcome }, true)
            }
        }
    }

    /// Makes another attempt after one that failed, if there may be one.
    async fn again(
        &mut self,
        node: &'a NodeSpec,
        status: &NodeStatus,
        outcome: Outcome,
        is_late: bool,
    ) -> Result<Answer, SystemError> {
        let error = outcome.error.clone().unwrap_or_else(TaskError::unknown);
        if self.config().generation == Generation::First {
            let counted = status.attempts + u32::from(self.effects.has(Variant::AttemptTooFew));
            let Retry { attempts, decision } = retry(node.retries(), counted, &error);
            return match decision {
                Err(error) => {
                    let failed = Outcome { asked: Asked::Failed, error: Some(error), ..outcome };
                    let answer = self.become_(node, failed).await?;
                    if let Some(next) = self.status.nodes.get_mut(&node.name) {
                        next.attempts = attempts;
                    }
                    Ok(answer)
                }
                Ok(()) => Ok(self.next_attempt(node, status, error)),
            };
        }
        let counts = Counts { attempts: status.attempts, system_failures: status.system_failures };
        let limits = Limits::of(node.retries(), self.config().limits, self.config().honours_one);
        let (is_eligible, current, max) = eligible(counts, limits, error.kind);
        let is_eligible = is_eligible && !self.effects.has(Variant::AttemptTooFew);
        let call = NodeCall { effects: self.effects, workflow: self.before, node, status };
        let outcome = match is_late {
            true => self.expire(call, outcome).await?,
            false => outcome,
        };
        if outcome.asked == Asked::Failed {
            return self.become_(node, Outcome { asked: Asked::Failing, ..outcome }).await;
        }
        if !is_eligible {
            let error = exhausted(&error, current, max);
            let failed = Outcome { asked: Asked::Failing, error: Some(error), ..outcome };
            return self.become_(node, failed).await;
        }
        // The attempt is in the name of what it holds: it is released before the attempt changes.
        if !outcome.released {
            release(NodeCall { status: &as_reported(status, outcome.task.as_ref()), ..call }).await?;
        }
        Ok(self.next_attempt(node, status, error))
    }

    /// Stops and releases what is over its time, and tells that it failed. Not that it was aborted: if this round is
    /// lost, the next finds an attempt that has failed, and must not contradict itself.
    async fn expire(&self, call: NodeCall<'_>, outcome: Outcome) -> Result<Outcome, SystemError> {
        let status = as_reported(call.status, outcome.task.as_ref());
        let handler = CoreHandler(NodeCall { status: &status, ..call });
        finalize_after(handler, handler.stop().await).await?;
        let phase = match outcome.asked {
            Asked::TimedOut => CorePhase::PermanentFailure,
            _ => CorePhase::RetryableFailure,
        };
        let error = outcome.error.clone().unwrap_or_else(TaskError::unknown);
        match handler.tell(&PhaseInfo::failed(phase, error)).await? {
            Recorded::Yes => {
                let task = TaskRecord {
                    phase,
                    state: outcome.task.and_then(|task| task.state),
                    ..TaskRecord::default()
                };
                Ok(Outcome { task: Some(task), released: true, ..outcome })
            }
            Recorded::Conflict => {
                let failed = Outcome::failed(Asked::Failed, mismatch(NodePhase::Failed));
                Ok(Outcome { task: outcome.task, released: true, ..failed })
            }
        }
    }

    fn next_attempt(&mut self, node: &NodeSpec, status: &NodeStatus, error: TaskError) -> Answer {
        // The first generation does not ask who is to blame.
        let is_the_platforms =
            self.config().generation == Generation::Successor && error.kind == ErrorKind::System;
        let next = NodeStatus {
            phase: NodePhase::RetryableFailure,
            attempts: status.attempts + 1,
            system_failures: status.system_failures + u32::from(is_the_platforms),
            queued_ns: status.queued_ns,
            error: Some(error),
            ..NodeStatus::default()
        };
        self.status.nodes.insert(node.name.clone(), next);
        Answer::Running
    }

    /// A node that fails is cleaned up, and has failed.
    async fn failing(&mut self, node: &'a NodeSpec) -> Result<Answer, SystemError> {
        let status = self.before.status.node(&node.name);
        let call = NodeCall { effects: self.effects, workflow: self.before, node, status: &status };
        let released = self.config().generation == Generation::Successor && call.context().is_ok();
        if released {
            release(call).await?;
        }
        let outcome = TaskHandler(call).handle_failing_node();
        self.become_(node, Outcome { task: status.task.clone(), released, ..outcome }).await
    }

    async fn succeeding(&mut self, node: &'a NodeSpec) -> Result<Answer, SystemError> {
        let status = self.before.status.node(&node.name);
        let call = NodeCall { effects: self.effects, workflow: self.before, node, status: &status };
        let released = self.config().generation == Generation::Successor;
        if released {
            let handler = CoreHandler(call);
            // What the catalog has may have been started in a round that was lost.
            let stopped = if status.cached { handler.stop().await } else { Ok(()) };
            finalize_after(handler, stopped).await?;
        }
        let (task, cached) = (status.task.clone(), status.cached);
        self.become_(node, Outcome { task, cached, released, ..Outcome::of(Asked::Success) }).await
    }

    /// Gives a node the phase that is asked for, once the control plane was told of a change.
    async fn become_(&mut self, node: &'a NodeSpec, outcome: Outcome) -> Result<Answer, SystemError> {
        let unknown = |error| SystemError::caused_by("IllegalState", error);
        let before = self.before.status.node(&node.name);
        let (mut phase, mut answer) = transition(outcome.asked).map_err(unknown)?;
        let Outcome { mut error, task, cached, released, .. } = outcome;
        if matches!(phase, NodePhase::Failed | NodePhase::Failing) {
            error.get_or_insert_with(TaskError::unknown);
        }
        if let Some(event) = phase.event_phase().filter(|_| phase != before.phase)
            && let Recorded::Conflict = self.tell(node, event, error.as_ref()).await?
        {
            let call = NodeCall { effects: self.effects, workflow: self.before, node, status: &before };
            let has_ended = task.as_ref().is_some_and(|task| task.phase.is_terminal());
            if before.phase.may_hold() && !has_ended && !released && call.context().is_ok() {
                release(call).await?;
            }
            error = Some(mismatch(phase));
            (phase, answer) = (NodePhase::Failed, Answer::Failed);
        }
        let is_running = phase == NodePhase::Running;
        // An attempt that waits for resources has not begun.
        let is_accepted = task.as_ref().is_none_or(|task| task.phase.rank() > 0);
        let began = before.attempt_began_ns.or((is_running && is_accepted).then_some(self.now_ns));
        let next = NodeStatus {
            phase,
            attempts: before.attempts,
            system_failures: before.system_failures,
            queued_ns: before.queued_ns.or((phase == NodePhase::Queued).then_some(self.now_ns)),
            attempt_began_ns: began,
            task,
            // What an earlier attempt said is not said of this one.
            error,
            cached: cached || before.cached,
        };
        if answer == Answer::Failed {
            self.fail(&node.name, next.error.clone());
        }
        self.status.nodes.insert(node.name.clone(), next);
        Ok(answer)
    }

    async fn tell(
        &self,
        node: &NodeSpec,
        phase: EventPhase,
        error: Option<&TaskError>,
    ) -> Result<Recorded, SystemError> {
        let event = NodeEvent {
            workflow: self.before.spec.name.clone(),
            node: node.name.clone(),
            phase,
            occurred_at: Duration::from_nanos(self.now_ns),
            error: error.cloned(),
            child_workflow: node.workflow.clone(),
        };
        let answer = self.effects.recorder.record_node(&event).await;
        if let (Err(error), true) = (&answer, self.effects.has(Variant::DuplicateEventFails)) {
            return Err(SystemError::caused_by("failed to record event", error.clone()));
        }
        recorded(answer)
    }

    fn fail(&mut self, node: &str, error: Option<TaskError>) {
        let error = error.unwrap_or_else(TaskError::unknown);
        let error = TaskError { message: format!("node [{node}]: {}", error.message), ..error };
        self.failure.get_or_insert(error);
    }

    fn config(&self) -> &'a Config {
        &self.effects.config
    }
}

fn mismatch(phase: NodePhase) -> TaskError {
    let message =
        format!("phase mismatch between propeller and control plane; Propeller State: {}", phase.name());
    TaskError::user(codes::ILLEGAL_STATE, message)
}

/// A node whose attempt is as it was reported just now, and is handed what is stored.
fn as_reported(status: &NodeStatus, reported: Option<&TaskRecord>) -> NodeStatus {
    let stored = status.task.as_ref();
    let mut task = reported.or(stored).cloned();
    if let Some(task) = &mut task {
        task.state = stored.and_then(|stored| stored.state.clone());
    }
    NodeStatus { task, ..status.clone() }
}

/// Finalizes an attempt that was stopped, also if that failed.
async fn finalize_after(
    handler: CoreHandler<'_>,
    stopped: Result<(), SystemError>,
) -> Result<(), SystemError> {
    if stopped.is_err() && handler.0.effects.has(Variant::FinalizeSkipped) {
        return stopped;
    }
    let finalized = handler.finalize().await;
    let errors = [stopped, finalized].into_iter().filter_map(Result::err).collect();
    SystemError::joined(errors).map_or(Ok(()), Err)
}

/// Stops and releases an attempt; what is released is tried although the stop failed.
async fn release(call: NodeCall<'_>) -> Result<(), SystemError> {
    match call.effects.config.generation {
        Generation::First => TaskHandler(call).abort_node().await,
        Generation::Successor => {
            let handler = CoreHandler(call);
            finalize_after(handler, handler.abort().await).await
        }
    }
}

/// Kills all attempts that may hold something, each once, and goes on although one fails.
pub(super) async fn abort_all(effects: &Effects, workflow: &Workflow) -> Vec<Unreleased> {
    let (mut order, mut seen) = (Vec::new(), BTreeSet::new());
    depth_first(workflow, None, &mut order, &mut seen);
    let mut errors = Vec::new();
    for node in order {
        let status = workflow.status.node(&node.name);
        let only_running = effects.has(Variant::AbortRunningOnly) && status.phase != NodePhase::Running;
        if !status.phase.may_hold() || only_running {
            continue;
        }
        let call = NodeCall { effects, workflow, node, status: &status };
        // A node that nobody can be called for was never started.
        let Ok(ready) = call.ready() else { continue };
        if let Err(error) = release(call).await {
            errors.push(Unreleased { requires_finalizer: ready.registered.requires_finalizer(), error });
            if effects.has(Variant::AbortStopsAtFirstError) {
                break;
            }
        }
    }
    errors
}

fn depth_first<'a>(
    workflow: &'a Workflow,
    of: Option<&'a str>,
    order: &mut Vec<&'a NodeSpec>,
    seen: &mut BTreeSet<&'a str>,
) {
    for child in workflow.spec.children(of) {
        if seen.insert(&child.name) {
            order.push(child);
            depth_first(workflow, Some(&child.name), order, seen);
        }
    }
}
