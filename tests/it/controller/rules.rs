//! The rules of one queue, folded from its events: who holds what, in which order, and when deferrals come.

use fatum::systems::controller::ControllerEvent;
use fatum::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

type Key = Arc<str>;

/// What one queue should be, as its events say; and the delays that its limiter should give, if the test knows them.
#[derive(Default)]
pub(crate) struct QueueRules {
    queued: VecDeque<Key>,
    dirty: BTreeSet<Key>,
    held: BTreeSet<Key>,
    deferred: BTreeMap<Key, Duration>,
    failures: BTreeMap<Key, u32>,
    is_stopped: bool,
    is_dropped: bool,
    timers_are_late: bool,
    backoff: Option<(Duration, Duration)>,
}

/// The name of a rule that is broken, and how.
pub(crate) type Broken = (&'static str, String);

fn broken<T>(property: &'static str, words: String) -> Result<T, Broken> {
    Err((property, words))
}

impl QueueRules {
    /// As the default, and the delays double from the first to the second.
    pub(crate) fn with_backoff(base: Duration, max: Duration) -> QueueRules {
        QueueRules { backoff: Some((base, max)), ..QueueRules::default() }
    }

    /// As the default, for runs whose timers may be late.
    pub(crate) fn with_late_timers() -> QueueRules {
        QueueRules { timers_are_late: true, ..QueueRules::default() }
    }

    /// Sees an event at a time since the start.
    pub(crate) fn observe(&mut self, at: Duration, event: &ControllerEvent) -> Result<(), Broken> {
        match event {
            ControllerEvent::Added { key, dirty, .. } => self.added(key, *dirty),
            ControllerEvent::Coalesced { key, .. } => match self.is_wanted(key) {
                true => Ok(()),
                false => broken("at-least-once", format!("the add of {key} came to nothing")),
            },
            ControllerEvent::Rejected { key, .. } if !self.is_stopped => {
                broken("stop", format!("{key} was rejected before the stop"))
            }
            ControllerEvent::Taken { key, .. } => self.taken(key),
            ControllerEvent::Done { key, requeued, .. } => self.done(key, *requeued),
            ControllerEvent::Deferred { key, delay, kept, .. } => self.defer(key, at + *delay, *kept),
            ControllerEvent::Fired { key, .. } => self.fired(key, at),
            ControllerEvent::DeferralDropped { key, .. } => match self.deferred.remove(key) {
                Some(_) => Ok(()),
                None => broken("deferral", format!("{key} was dropped and not deferred")),
            },
            ControllerEvent::Forgot { key, .. } => {
                self.failures.remove(key);
                Ok(())
            }
            ControllerEvent::Backoff { key, failures, delay, .. } => self.backed_off(key, *failures, *delay),
            ControllerEvent::QueueStopped { drain, .. } => {
                self.is_stopped = true;
                if !drain {
                    self.is_dropped = true;
                    self.queued.clear();
                    self.dirty.clear();
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// What must hold when all that was added was worked on.
    pub(crate) fn finish(&self) -> Result<(), Broken> {
        if self.is_dropped {
            return Ok(());
        }
        match (self.queued.front(), self.held.first(), self.deferred.first_key_value()) {
            (Some(key), ..) => broken("at-least-once", format!("{key} was not taken")),
            (_, Some(key), _) => broken("pairing", format!("{key} was not done")),
            (.., Some((key, _))) => broken("deferral", format!("{key} was not delivered")),
            (None, None, None) => Ok(()),
        }
    }

    fn is_wanted(&self, key: &Key) -> bool {
        self.queued.contains(key) || self.dirty.contains(key)
    }

    fn added(&mut self, key: &Key, dirty: bool) -> Result<(), Broken> {
        if self.is_stopped {
            return broken("stop", format!("{key} was added after the stop"));
        }
        if self.is_wanted(key) {
            return broken("coalesce", format!("{key} was wanted already"));
        }
        if dirty != self.held.contains(key) {
            return broken("exclusive", format!("{key} is held: {}, marked dirty: {dirty}", !dirty));
        }
        if dirty {
            self.dirty.insert(Arc::clone(key));
        } else {
            self.queued.push_back(Arc::clone(key));
        }
        Ok(())
    }

    fn taken(&mut self, key: &Key) -> Result<(), Broken> {
        if !self.held.insert(Arc::clone(key)) {
            return broken("exclusive", format!("{key} is held twice"));
        }
        match self.queued.pop_front() {
            Some(head) if head == *key => Ok(()),
            head => broken("fifo", format!("{key} was taken, but {head:?} was first")),
        }
    }

    fn done(&mut self, key: &Key, requeued: bool) -> Result<(), Broken> {
        if !self.held.remove(key) {
            return broken("pairing", format!("{key} was done and not held"));
        }
        let wanted = self.dirty.remove(key);
        if wanted != requeued {
            return broken("at-least-once", format!("{key} was wanted: {wanted}, requeued: {requeued}"));
        }
        if requeued {
            self.queued.push_back(Arc::clone(key));
        }
        Ok(())
    }

    fn defer(&mut self, key: &Key, until: Duration, kept: bool) -> Result<(), Broken> {
        let stands = self.deferred.get(key).is_some_and(|earlier| *earlier <= until);
        if stands != kept {
            return broken("deferral", format!("an earlier one of {key} stands: {stands}, kept: {kept}"));
        }
        if !kept {
            self.deferred.insert(Arc::clone(key), until);
        }
        Ok(())
    }

    fn fired(&mut self, key: &Key, at: Duration) -> Result<(), Broken> {
        match self.deferred.remove(key) {
            Some(until) if until == at || until < at && self.timers_are_late => Ok(()),
            until => broken("deferral", format!("{key} was delivered at {at:?}, deferred to {until:?}")),
        }
    }

    fn backed_off(&mut self, key: &Key, before: u32, delay: Duration) -> Result<(), Broken> {
        let failures = self.failures.entry(Arc::clone(key)).or_default();
        let Some((base, max)) = self.backoff else { return Ok(()) };
        let factor = 1_u32.checked_shl(*failures).unwrap_or(u32::MAX);
        let expected = base.checked_mul(factor).map_or(max, |delay| delay.min(max));
        if (before, delay) != (*failures, expected) {
            return broken(
                "backoff",
                format!("{key} failed {failures} times and waits {expected:?}, not {before} and {delay:?}"),
            );
        }
        *failures += 1;
        Ok(())
    }
}
