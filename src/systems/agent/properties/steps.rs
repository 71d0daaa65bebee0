//! What a step may be, and when: over the begins and ends of steps and of the operations in them. It must not know what
//! operations a controller had before.

use super::rows::{Row, failure, row};
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
    /// The version that it is hearing of: a step that begins meanwhile overlaps with that, which is another mistake.
    updating: Option<u64>,
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

    /// `contained`: the task has a container.
    pub(super) fn observe(
        &mut self,
        now: u64,
        at: &At,
        event: &AgentEvent,
        contained: bool,
    ) -> Result<(), Violation> {
        let stepping = self.0.entry(at.clone()).or_default();
        match event {
            AgentEvent::Resolved { state, err, .. } => {
                *stepping = Stepping::default();
                match err.is_some() && !state.is_terminal() {
                    true => {
                        broken("do-result", format!("{} has no controller, and goes on to be {state}", at.1))
                    }
                    false => Ok(()),
                }
            }
            AgentEvent::Accepted { version, .. } => {
                stepping.accepted(*version);
                Ok(())
            }
            AgentEvent::DoBegan { .. } => stepping.began(now, at),
            AgentEvent::OpBegan { op, version, .. } => stepping.op_began(at, *op, *version),
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
                let op = open.last();
                Judged { at, desired: *desired, from, to, next: *next, op, contained }.judge()
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
        if let Some(version) = self.undelivered.filter(|_| self.updating.is_none()) {
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

    fn op_began(&mut self, at: &At, op: Op, version: u64) -> Result<(), Violation> {
        if op == Op::Update {
            self.updating = Some(version);
        }
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
        if op == Op::Update {
            // What the controller did not take for good it has heard of too.
            let heard = matches!(end, OpEnd::Done | OpEnd::Already | OpEnd::Refused | OpEnd::Failed(_));
            let version = self.updating.take().filter(|_| heard);
            self.undelivered =
                self.undelivered.filter(|undelivered| version.is_none_or(|v| v < *undelivered));
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
    contained: bool,
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
        let is_interrupted =
            self.op.is_some_and(|(_, end)| matches!(end, Some(OpEnd::Interrupted | OpEnd::Expired)));
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
        if !self.is_as_its_row() {
            return broken("do-result", format!("{} with desire {}", self.words(), self.desired));
        }
        let had_been_done = self.op.is_some_and(|(_, end)| end == Some(OpEnd::Already));
        match had_been_done && self.has_failed() {
            true => broken("do-result", format!("what had been done already took {}", self.words())),
            false => Ok(()),
        }
    }

    /// Whether the step is what the row of its state and desire says: nothing, what is announced, or the operation with
    /// its success, its failure, or a retry.
    fn is_as_its_row(&self) -> bool {
        let (from, to) = (self.from.state, self.to.state);
        let asked = |op: Op| self.op.is_none_or(|(asked, _)| asked == op);
        match (row(from, self.desired), self.next) {
            (Row::Noop, Next::Noop) => to == from,
            (Row::Announce(next), Next::Advance) => to == next && self.op.is_none(),
            (Row::Ask(op, next), Next::Advance) => asked(op) && (to == next || to == failure(from)),
            (Row::Ask(op, _), Next::Retry) => asked(op) && to == from,
            (Row::Noop, Next::Advance | Next::Retry)
            | (Row::Announce(_), Next::Noop | Next::Retry)
            | (Row::Ask(..), Next::Noop) => false,
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
        let has_container = self.contained || self.from.container.is_some() || self.to.container.is_some();
        match self.to.exit_code() {
            known if has_container && code != 0 && known != Some(code) => {
                let known = known.map_or("nothing".to_owned(), |known| known.to_string());
                let detail =
                    format!("the process of {} exited with {code}, its status says {known}", self.at.1);
                broken("exit-code", detail)
            }
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
