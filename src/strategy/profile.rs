//! What strategies estimate from: one calibration run, the baseline, and how many events each of its tasks had.
//!
//! A task is known by its parent and by which of its parent's children it is, so that a profile fits runs whose tasks
//! come in another order. It does not know the runtime.

use super::{Hazard, StrategyKind};
use crate::choice::{Access, Ask, Names, Notice, Ready, Source};
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::sync::Arc;

/// Tasks that a profile keeps, at most: the first ones.
pub const TASKS_MAX: usize = 256;
/// Shared objects that a profile counts, at most: the most used ones.
pub const OBJECTS_MAX: usize = 8;

/// What a strategy may estimate from: one calibration run before the sweep. Stands in the failure file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Polls of the calibration run.
    pub steps: u64,
    /// Tasks that it spawned.
    pub tasks: u64,
    /// Its scheduling points: turns of tasks, and declared accesses.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub points: u64,
    /// Its latencies and faults: how often one was asked for, where windows, budgets and swarms do not count.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hazards: u64,
    /// The events of its tasks, for strategies that use them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Arc<Profile>>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The events of the tasks of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Stable hashes of the objects that are counted, in hexadecimal.
    pub objects: Vec<String>,
    /// Per task, in spawn order: the number of its parent from 1, or 0; its events; its accesses to each object.
    pub tasks: Vec<Vec<u32>>,
}

/// Answers each choice with the baseline and counts.
#[derive(Debug, Default)]
pub struct Profiler {
    points: u64,
    hazards: u64,
    /// By spawn serial: the parent, and the events.
    tasks: Vec<(Option<u32>, u32)>,
    /// Accesses: by whom, to what.
    accesses: Vec<(u32, u64)>,
}

impl Profiler {
    /// What a run of so many polls and tasks tells a strategy.
    pub fn into_calibration(self, steps: u64, tasks: u64, kind: StrategyKind) -> Calibration {
        let (points, hazards) = (self.points + steps, self.hazards);
        let profile = match kind {
            StrategyKind::Surw | StrategyKind::Portfolio => Some(Arc::new(self.into_profile())),
            _ => None,
        };
        Calibration { steps, tasks, points, hazards, profile }
    }

    fn into_profile(self) -> Profile {
        let objects = self.objects();
        let known = self.tasks.len().min(TASKS_MAX);
        let mut tasks: Vec<Vec<u32>> = Vec::with_capacity(known);
        for (parent, events) in &self.tasks[..known] {
            let mut row = vec![parent.map_or(0, |parent| parent + 1), *events];
            row.resize(2 + objects.len(), 0);
            tasks.push(row);
        }
        for (task, object) in &self.accesses {
            let column = objects.iter().position(|known| known == object);
            if let (Some(row), Some(column)) = (tasks.get_mut(*task as usize), column) {
                row[2 + column] += 1;
            }
        }
        Profile { objects: objects.iter().map(|object| format!("{object:016x}")).collect(), tasks }
    }

    /// The objects that more than one task touches, the most used first.
    fn objects(&self) -> Vec<u64> {
        let mut sorted: Vec<(u64, u32)> =
            self.accesses.iter().map(|(task, object)| (*object, *task)).collect();
        sorted.sort_unstable();
        let mut used: Vec<(usize, u64)> = sorted
            .chunk_by(|a, b| a.0 == b.0)
            .filter(|group| group.first().map(|first| first.1) != group.last().map(|last| last.1))
            .map(|group| (group.len(), group[0].0))
            .collect();
        used.sort_unstable_by_key(|(count, object)| (usize::MAX - count, *object));
        used.into_iter().take(OBJECTS_MAX).map(|(_, object)| object).collect()
    }

    fn event(&mut self, task: u32) {
        if let Some((_, events)) = self.tasks.get_mut(task as usize) {
            *events += 1;
        }
    }
}

impl Source for Profiler {
    fn choose(&mut self, ask: &Ask<'_>) -> u64 {
        self.hazards += u64::from(Hazard::of(ask).is_some());
        0
    }

    fn pick(&mut self, ready: &Ready, _names: Option<&Names>) -> usize {
        ready.oldest()
    }

    fn listens(&self) -> bool {
        true
    }

    fn notice(&mut self, notice: Notice) {
        match notice {
            Notice::Spawned { task, parent } => {
                let index = task as usize;
                if self.tasks.len() <= index && index < TASKS_MAX {
                    self.tasks.resize(index + 1, (None, 0));
                    self.tasks[index].0 = parent;
                }
            }
            Notice::Access { task, object, access: Access::Read | Access::Write } => {
                self.points += 1;
                self.event(task);
                if (task as usize) < TASKS_MAX {
                    self.accesses.push((task, object));
                }
            }
            Notice::Ready { .. }
            | Notice::Alone { .. }
            | Notice::Idle
            | Notice::Quiet
            | Notice::Done { .. } => {}
        }
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
