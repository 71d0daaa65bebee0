//! What a step may be, and when: over the begins and ends of steps and of the operations in them. It must not know what
//! operations a controller had before.

use super::{At, Violation, broken};
use crate::systems::agent::controller::Op;
use crate::systems::agent::model::Next;
use crate::systems::agent::record::{AgentEvent, OpEnd};
use crate::systems::agent::state::{DesiredState, TaskState};
use crate::systems::agent::task::TaskStatus;
use std::collections::BTreeMap;

/// How long after a retry there is no step.
const RETRY_NS: u64 = 1_000_000_000;

#[derive(Clone, Debug, Default)]
pub(super) struct Steps(BTreeMap<At, Stepping>);

#[derive(Clone, Debug, Default)]
struct Stepping {
    open: Option<Open>,
    rest: Option<Rest>,
    /// Whether the task has a manager, so that a definition is another one.
    managed: bool,
    /// The version that the controller has yet to hear of.
    undelivered: Option<u64>,
    /// It is hearing of one: a step that begins meanwhile overlaps with that, which is another mistake.
    updating: bool,
}

#[derive(Clone, Debug, Default)]
struct Open {
    ops: Vec<(Op, Option<OpEnd>)>,
    /// A definition was accepted meanwhile.
    updated: bool,
}

#[derive(Clone, Copy, Debug)]
enum Rest {
    UntilUpdate,
    Until(u64),
}

impl Steps {
    pub(super) fn crashed(&mut self, host: &str) {
        self.0.retain(|(node, _), _| **node != *host);
    }

    pub(super) fn observe(&mut self, now: u64, at: &At, event: &AgentEvent) -> Result<(), Violation> {
        let stepping = self.0.entry(at.clone()).or_default();
        match event {
            AgentEvent::Resolved { .. } => {
                *stepping = Stepping::default();
                Ok(())
            }
            AgentEvent::Accepted { version, .. } => {
                stepping.accepted(*version);
                Ok(())
            }
            AgentEvent::DoBegan { .. } => stepping.began(now, at),
            AgentEvent::OpBegan { op, .. } => stepping.op_began(at, *op),
            AgentEvent::OpEnded { op, end, .. } => {
                stepping.op_ended(*op, *end);
                Ok(())
            }
            AgentEvent::DoEnded { desired, from, to, next, .. } => {
                let open = stepping.open.take().unwrap_or_default();
                stepping.rest = match next {
                    Next::Advance => None,
                    Next::Noop => (!open.updated).then_some(Rest::UntilUpdate),
                    Next::Retry => Some(Rest::Until(now.saturating_add(RETRY_NS))),
                };
                Judged { at, desired: *desired, from, to, next: *next, op: open.last() }.judge()
            }
            _ => Ok(()),
        }
    }
}

impl Stepping {
    fn accepted(&mut self, version: u64) {
        if self.managed {
            self.undelivered = Some(version);
        }
        self.managed = true;
        self.rest = None;
        if let Some(open) = &mut self.open {
            open.updated = true;
        }
    }

    fn began(&mut self, now: u64, at: &At) -> Result<(), Violation> {
        self.open = Some(Open::default());
        if let Some(version) = self.undelivered.filter(|_| !self.updating) {
            let detail = format!("a step of {} began before its controller heard of version {version}", at.1);
            return broken("update-before-do", detail);
        }
        match self.rest {
            Some(Rest::UntilUpdate) => broken(
                "paced",
                format!("there was nothing to do for {}, and a step began without an update", at.1),
            ),
            Some(Rest::Until(until)) if now < until => broken(
                "paced",
                format!(
                    "a step of {} was tried again {} ms too soon",
                    at.1,
                    (until - now).div_ceil(1_000_000)
                ),
            ),
            Some(Rest::Until(_)) | None => Ok(()),
        }
    }

    fn op_began(&mut self, at: &At, op: Op) -> Result<(), Violation> {
        self.updating |= op == Op::Update;
        let is_of_step = matches!(op, Op::Prepare | Op::Start | Op::Wait | Op::Shutdown);
        let Some(open) = self.open.as_mut().filter(|_| is_of_step) else { return Ok(()) };
        open.ops.push((op, None));
        match &open.ops[..] {
            [(first, _), (second, _)] => {
                let detail = format!("one step of {} asked for {} and {}", at.1, first.name(), second.name());
                broken("one-op-per-step", detail)
            }
            _ => Ok(()),
        }
    }

    fn op_ended(&mut self, op: Op, end: OpEnd) {
        self.updating &= op != Op::Update;
        if op == Op::Update && matches!(end, OpEnd::Done | OpEnd::Already | OpEnd::Refused) {
            self.undelivered = None;
        }
        let ops = self.open.iter_mut().flat_map(|open| &mut open.ops);
        if let Some((_, ended)) = ops.into_iter().find(|(of, ended)| *of == op && ended.is_none()) {
            *ended = Some(end);
        }
    }
}

impl Open {
    fn last(&self) -> Option<(Op, Option<OpEnd>)> {
        self.ops.last().copied()
    }
}

/// A step that ended.
struct Judged<'a> {
    at: &'a At,
    desired: DesiredState,
    from: &'a TaskStatus,
    to: &'a TaskStatus,
    next: Next,
    op: Option<(Op, Option<OpEnd>)>,
}

impl Judged<'_> {
    fn judge(&self) -> Result<(), Violation> {
        self.judge_interruption()?;
        self.judge_result()?;
        self.judge_timestamp()?;
        self.judge_error()?;
        self.judge_exit_code()
    }

    fn judge_interruption(&self) -> Result<(), Violation> {
        let is_interrupted = self.op.is_some_and(|(_, end)| end == Some(OpEnd::Interrupted));
        match is_interrupted && (self.to.state != self.from.state || self.to.err != self.from.err) {
            true => broken("cancel-is-no-failure", format!("an interrupted operation took {}", self.words())),
            false => Ok(()),
        }
    }

    fn judge_result(&self) -> Result<(), Violation> {
        if self.next == Next::Noop && self.op.is_some() {
            let detail = format!("a step of {} with nothing to do had an operation", self.at.1);
            return broken("one-op-per-step", detail);
        }
        let is_allowed = match self.next {
            Next::Noop | Next::Retry => self.to.state == self.from.state,
            Next::Advance => self.may_advance(),
        };
        if !is_allowed {
            return broken("do-result", format!("{} with desire {}", self.words(), self.desired));
        }
        let had_been_done = self.op.is_some_and(|(_, end)| end == Some(OpEnd::Already));
        match had_been_done && self.has_failed() {
            true => broken("do-result", format!("what had been done already took {}", self.words())),
            false => Ok(()),
        }
    }

    fn may_advance(&self) -> bool {
        let (from, to) = (self.from.state, self.to.state);
        let is_to_stop = self.desired >= DesiredState::SHUTDOWN;
        match to {
            TaskState::New | TaskState::Pending | TaskState::Assigned => false,
            TaskState::Accepted => from < TaskState::Accepted && !is_to_stop,
            TaskState::Preparing => from == TaskState::Accepted,
            TaskState::Ready => from == TaskState::Preparing,
            TaskState::Starting => from == TaskState::Ready,
            TaskState::Running => from == TaskState::Starting,
            TaskState::Complete => from == TaskState::Running,
            TaskState::Shutdown => is_to_stop && from < TaskState::Complete,
            TaskState::Failed => (TaskState::Starting..=TaskState::Running).contains(&from),
            TaskState::Rejected => from < TaskState::Starting,
        }
    }

    fn judge_timestamp(&self) -> Result<(), Violation> {
        let (before, after) = (self.from.timestamp, self.to.timestamp);
        let is_right = match self.to.is_stable_equal(self.from) {
            true => after == before,
            false => after.is_some() && after >= before,
        };
        match is_right {
            true => Ok(()),
            false => broken("timestamps", format!("{}, and its time {before:?} to {after:?}", self.words())),
        }
    }

    fn judge_error(&self) -> Result<(), Violation> {
        let is_right = match (self.next, self.has_failed()) {
            (Next::Advance, false) => self.to.err.is_none(),
            (Next::Advance, true) => self.to.err.as_ref().is_some_and(|err| !err.is_empty()),
            (Next::Noop | Next::Retry, _) => true,
        };
        match is_right {
            true => Ok(()),
            false => broken("err-field", format!("{}, and its error is {:?}", self.words(), self.to.err)),
        }
    }

    fn judge_exit_code(&self) -> Result<(), Violation> {
        let Some((Op::Wait, Some(OpEnd::Failed(Some(code))))) = self.op else { return Ok(()) };
        match self.to.exit_code() {
            Some(known) if known != code && code != 0 => broken(
                "exit-code",
                format!("the process of {} exited with {code}, its status says {known}", self.at.1),
            ),
            Some(_) | None => Ok(()),
        }
    }

    fn has_failed(&self) -> bool {
        self.to.state >= TaskState::Failed
    }

    fn words(&self) -> String {
        format!("{} from {} to {}", self.at.1, self.from.state, self.to.state)
    }
}
