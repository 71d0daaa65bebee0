//! Verdicts, the record of events, and what a run may cost.

use super::{Violation, World};
use crate::choice::{Source, hash_bytes};
use crate::runtime::end::{End, LeakPolicy};
use crate::runtime::notes::TaskNote;
use crate::runtime::waker::WakeId;
use crate::trace::text::time;
use crate::trace::{Event, Kind};
use std::sync::Arc;

impl World {
    /// Whether nothing happened for as long as the budget allows.
    pub(super) fn is_stale(&self) -> bool {
        u128::from(self.now - self.progress_at) > self.budget.stuck_after.as_nanos()
    }

    /// How the run ends for its cost, if it does.
    pub(crate) fn spent(&mut self) -> Option<End> {
        if self.steps >= self.budget.steps_max {
            return Some(End::OutOfBudget { detail: format!("{} steps", self.steps) });
        }
        if self.steps - self.steps_at_jump >= self.budget.zero_time_steps_max {
            return Some(End::ZeroTimeLoop { task: self.last_label() });
        }
        (self.required_left > 0 && self.is_stale()).then(|| self.stuck()).flatten()
    }

    /// Stuck, unless a timer was set that is longer than the patience.
    pub(super) fn stuck(&mut self) -> Option<End> {
        let patience = self.budget.stuck_after;
        self.progress_at = self.now;
        let patient = self.timers.spans().any(|span| u128::from(span) >= patience.as_nanos());
        (!patient)
            .then(|| End::Deadlock { detail: format!("timers go on, but nothing happened for {patience:?}") })
    }

    /// Sets the number of steps at which the driver looks at the budgets.
    pub(super) fn limit_steps(&mut self) {
        let here = self.steps_at_jump.saturating_add(self.budget.zero_time_steps_max);
        self.steps_limit = self.budget.steps_max.min(here);
    }

    /// Sets how the run ends; the first cause counts.
    pub(crate) fn end_with(&mut self, end: End) {
        if self.verdict.is_none() && !self.is_cut {
            self.verdict = Some(end);
            self.attention = true;
        }
    }

    pub(crate) fn violate(&mut self, violation: Violation) {
        if self.is_deaf() {
            return;
        }
        let Violation { property, detail } = violation;
        let said = hash_bytes(property.as_bytes()).rotate_left(17) ^ hash_bytes(detail.as_bytes());
        self.digests.event(said ^ self.now);
        self.record(Kind::Violated { property: property.clone(), detail: detail.clone() });
        self.end_with(End::Violated { property, detail });
    }

    /// Folds a record and stores it, if events are kept; the present.
    pub(crate) fn note_record(&mut self, word: u64, name: u64, kind: Option<Kind>) -> u64 {
        self.digests.event(word ^ self.now.rotate_left(17));
        self.progress_at = self.now;
        if self.watches && !self.touched.contains(&name) {
            self.touched.push(name);
        }
        if let Some(mut kind) = kind {
            if let (Kind::Record { fields, .. }, Some(notes)) = (&mut kind, &mut self.notes) {
                notes.labels.fill(fields);
            }
            self.record(kind);
        }
        self.now
    }

    /// Stores an event of the running task, if events are kept.
    pub(crate) fn record(&mut self, kind: Kind) {
        self.record_by(self.running, kind);
    }

    pub(super) fn record_by(&mut self, slot: Option<u32>, kind: Kind) {
        let (Some(events), Some(names)) = (&mut self.events, &self.names) else {
            return;
        };
        let task = slot.map(|slot| names.path(slot).clone());
        events.push(Event { at: self.now, task, kind });
    }

    pub(super) fn path(&self, slot: u32) -> Arc<str> {
        self.names.as_ref().map_or_else(Arc::default, |names| names.path(slot).clone())
    }

    /// A task's path, or what is known of it in a run without names.
    pub(crate) fn task_label(&mut self, slot: u32) -> String {
        match &self.names {
            Some(names) => names.path(slot).to_string(),
            None => self.tasks.at(slot).name.segment().to_owned(),
        }
    }

    /// The label of a live task, by spawn serial.
    pub(crate) fn label_of_serial(&mut self, serial: u32) -> String {
        let slot = self.tasks.live().find(|(_, task)| task.serial == serial).map(|(slot, _)| slot);
        let ended = self.notes.as_ref().and_then(|notes| notes.task(serial));
        match (slot, ended) {
            (Some(slot), _) => self.task_label(slot),
            (None, Some(TaskNote { path, ended: Some(ended) })) => {
                format!("{path} (which ended at {})", time(*ended))
            }
            (None, _) => format!("an ended task ({serial})"),
        }
    }

    /// The label of the task that ran last.
    pub(super) fn last_label(&mut self) -> String {
        if self.steps == 0 { "no task".to_owned() } else { self.task_label(self.last_polled) }
    }

    /// The label of the task that a waker belongs to.
    pub(crate) fn label_of(&mut self, id: WakeId) -> String {
        self.task_label(id.slot())
    }

    /// A panic that nobody joined by the end.
    pub(crate) fn unjoined_panic(&self) -> Option<End> {
        let (_, task, message) = self.unjoined_panics.first()?;
        Some(End::Panicked { task: task.clone(), message: message.clone() })
    }

    /// What is alive at the end and descends from no daemon.
    pub(crate) fn leak(&mut self) -> Option<End> {
        if self.leaks == LeakPolicy::Allow {
            return None;
        }
        if self.tasks.live_count() == 0
            && self.timers.is_empty()
            && self.held.is_empty()
            && self.objects.are_free()
        {
            return None;
        }
        let mut left: Vec<(u32, u32)> = self
            .tasks
            .live()
            .filter(|(_, task)| !task.daemon)
            .map(|(slot, task)| (task.serial, slot))
            .collect();
        left.sort_unstable();
        let labels: Vec<String> = left.iter().take(8).map(|&(_, slot)| self.task_label(slot)).collect();
        if !left.is_empty() {
            let tasks = if left.len() == 1 { "task is" } else { "tasks are" };
            let detail = format!("{} {tasks} alive at the end: {}", left.len(), labels.join(", "));
            return Some(End::Leaked { detail });
        }
        // What daemons have may go on; all others have ended.
        let owners = self.timers.owners().chain(self.late_timers().map(|due| due.owner()));
        let (timers, permits) = (owners.filter(|owner| !owner.daemon).count(), self.objects.held());
        (timers + permits > 0).then(|| {
            let timers = counted(timers, "timer");
            let permits = counted(permits, "lock or permit");
            let detail = format!("{timers} and {permits} outlive the tasks that they were for");
            End::Leaked { detail }
        })
    }

    pub(crate) fn matched(&self) -> crate::choice::Matched {
        self.source.matched()
    }

    /// Gives the source back to whoever made it.
    pub(crate) fn take_source(&mut self) -> Box<dyn Source> {
        std::mem::replace(&mut self.source, Box::new(crate::choice::bytes::BytesSource::new(&[])))
    }
}

/// A number of things: `1 timer`, `2 timers`.
fn counted(number: usize, what: &str) -> String {
    match (number, what) {
        (1, _) => format!("1 {what}"),
        (_, "lock or permit") => format!("{number} locks or permits"),
        _ => format!("{number} {what}s"),
    }
}
