//! In which order a controller is asked for what: over the begins and ends of operations. It must not know steps.

use super::{At, Violation, broken};
use crate::systems::agent::controller::Op;
use crate::systems::agent::record::{AgentEvent, OpEnd};
use crate::systems::agent::state::DesiredState;
use crate::systems::agent::task::TaskId;
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Clone, Debug, Default)]
pub(super) struct Operations {
    /// By node and number.
    controllers: BTreeMap<(Arc<str>, u64), Asked>,
    /// Which task a container belongs to.
    containers: BTreeMap<String, TaskId>,
    /// What was prepared and started, and whether the agent has begun anew since: then it may ask once more.
    done: BTreeMap<(At, Op), bool>,
}

#[derive(Clone, Debug)]
struct Asked {
    task: TaskId,
    open: Vec<Op>,
    remove_began: bool,
    removed: bool,
    closed: bool,
}

impl Operations {
    pub(super) fn crashed(&mut self, host: &str) {
        self.controllers.retain(|(node, _), _| **node != *host);
    }

    /// The agent of a node begins, with what is durable.
    pub(super) fn restarted(&mut self, host: &Arc<str>) {
        let here = self.done.iter_mut().filter(|(((node, _), _), _)| node == host);
        here.for_each(|(_, may_ask_again)| *may_ask_again = true);
    }

    pub(super) fn observe(
        &mut self,
        at: &At,
        event: &AgentEvent,
        desired: Option<DesiredState>,
    ) -> Result<(), Violation> {
        match event {
            AgentEvent::OpBegan { controller, op, about, .. } => {
                if about != &at.1 {
                    let detail = format!("the controller of {} heard of {about}", at.1);
                    return broken("desired-monotone", detail);
                }
                if matches!(op, Op::Prepare | Op::Start | Op::Wait)
                    && let Some(desired) = desired.filter(|desired| *desired >= DesiredState::SHUTDOWN)
                {
                    let detail = format!("{} of {} began though {desired} is desired", op.name(), at.1);
                    return broken("no-work-after-shutdown", detail);
                }
                if self.done.get(&(at.clone(), *op)) == Some(&false) {
                    let detail = format!("{} of {} began again after it was done", op.name(), at.1);
                    return broken("starts-once", detail);
                }
                self.asked(at, *controller)?.began(*op)
            }
            AgentEvent::OpEnded { controller, op, end, .. } => {
                self.asked(at, *controller)?.ended(*op, *end);
                if matches!(op, Op::Prepare | Op::Start) && matches!(end, OpEnd::Done | OpEnd::Already) {
                    self.done.insert((at.clone(), *op), false);
                }
                Ok(())
            }
            AgentEvent::RecordDeleted { .. } => {
                self.done.retain(|(of, _), _| of != at);
                Ok(())
            }
            AgentEvent::DoEnded { to, .. } => match &to.container {
                Some(container) if !container.id.is_empty() => self.contained(at, &container.id),
                Some(_) | None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn asked(&mut self, at: &At, number: u64) -> Result<&mut Asked, Violation> {
        let key = (at.0.clone(), number);
        let asked = self.controllers.entry(key).or_insert_with(|| Asked {
            task: at.1.clone(),
            open: Vec::new(),
            remove_began: false,
            removed: false,
            closed: false,
        });
        if asked.task != at.1 {
            let detail = format!("{} and {} have the same controller on {}", asked.task, at.1, at.0);
            broken("not-shared", detail)?;
        }
        Ok(asked)
    }

    fn contained(&mut self, at: &At, container: &str) -> Result<(), Violation> {
        let task = self.containers.entry(container.to_owned()).or_insert_with(|| at.1.clone());
        match *task == at.1 {
            true => Ok(()),
            false => broken("not-shared", format!("{task} and {} have the same container {container}", at.1)),
        }
    }
}

impl Asked {
    fn began(&mut self, op: Op) -> Result<(), Violation> {
        let (name, task) = (op.name(), self.task.clone());
        let is_last = matches!(op, Op::Remove | Op::Close);
        let judged = match self.open.last() {
            _ if self.closed => broken("remove-last", format!("{name} of {task} began after its close")),
            Some(other) if is_last => {
                broken("remove-last", format!("{name} of {task} began while {} was under way", other.name()))
            }
            Some(other) => {
                let detail = format!("{name} of {task} began while {} was under way", other.name());
                broken("exclusive-operation", detail)
            }
            None if self.removed && !is_last => {
                broken("remove-last", format!("{name} of {task} began after its remove"))
            }
            None if op == Op::Close && !self.remove_began => {
                broken("remove-last", format!("{task} was closed and never removed"))
            }
            None => Ok(()),
        };
        self.remove_began |= op == Op::Remove;
        self.open.push(op);
        judged
    }

    fn ended(&mut self, op: Op, end: OpEnd) {
        if let Some(place) = self.open.iter().position(|open| *open == op) {
            self.open.remove(place);
        }
        self.removed |= op == Op::Remove && end == OpEnd::Done;
        self.closed |= op == Op::Close && end == OpEnd::Done;
    }
}
