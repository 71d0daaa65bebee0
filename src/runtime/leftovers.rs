//! What a run leaves behind, in numbers that two runs can be compared by: a sweep over cancellations sets each run
//! against the fault-free one. Kept in no other run.

use super::tasks::TaskId;
use super::world::World;
use std::collections::{BTreeMap, BTreeSet};

/// Which tasks a run may cancel at their awaits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cancels {
    /// None: the question is not asked.
    #[default]
    Nothing,
    /// Those that the program spawned.
    Children,
    /// The mains of hosts too; one that is cancelled counts as ended.
    Mains,
}

/// What there is at the end of a run, by name: tasks, timers and locks that outlive their tasks, permits that are
/// missing, and what the program counts itself (see [`crate::Sim::leftover`]).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leftovers {
    counts: BTreeMap<String, i64>,
}

impl Leftovers {
    /// One more of these, or `by` more.
    pub(crate) fn add(&mut self, what: String, by: i64) {
        *self.counts.entry(what).or_insert(0) += by;
    }

    /// How many there are of these.
    pub fn count(&self, what: &str) -> i64 {
        self.counts.get(what).copied().unwrap_or(0)
    }

    /// What there is more of than in the fault-free run, in words. Of permits that are missing, also what there is less
    /// of: they were given back twice.
    pub fn more_than(&self, reference: &Leftovers) -> Vec<String> {
        let names: BTreeSet<&String> = self.counts.keys().chain(reference.counts.keys()).collect();
        let differs = |name: &&&String| {
            let (here, there) = (self.count(name), reference.count(name));
            here > there || (here < there && name.starts_with(MISSING))
        };
        let differing = names.iter().filter(differs);
        differing
            .map(|name| {
                format!("{name}: {}, and {} in the fault-free run", self.count(name), reference.count(name))
            })
            .collect()
    }

    /// Whether there is nothing to count.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }
}

/// How the names of permits begin that were taken by hand and not given back.
const MISSING: &str = "permits missing from ";

impl World {
    /// What is left of the run that has ended; nothing where no task could be cancelled.
    pub(crate) fn leftovers(&self) -> Leftovers {
        let mut left = Leftovers::default();
        let Some(notes) = self.notes.as_deref().filter(|_| self.cancels != Cancels::Nothing) else {
            return left;
        };
        for (_, task) in self.tasks.live() {
            let host = &self.hosts[usize::from(task.host)].name;
            left.add(format!("tasks `{}` alive on host {host}", task.name.segment()), 1);
        }
        // What a live task has it may still give back.
        let is_live = |serial: u32| self.tasks.live().any(|(_, task)| task.serial == serial);
        for (object, task, _) in self.objects.all().filter(|(_, task, _)| !is_live(*task)) {
            let what = notes.words(object).unwrap_or_else(|| format!("object {object}"));
            left.add(format!("holders that ended, of {what}"), notes.taken(object, task).len() as i64);
        }
        for owner in self.timers.owners() {
            let lives = self.tasks.get(TaskId::of(owner.task)).is_some_and(|task| task.live);
            if !lives {
                left.add("timers of ended tasks".to_owned(), 1);
            }
        }
        for (object, permits) in notes.permits() {
            let what = notes.words(object).unwrap_or_else(|| format!("object {object}"));
            left.add(format!("{MISSING}{what}"), -permits);
        }
        left
    }
}
