//! The rules of one queue, as a fold over what it says: a second book beside its own. Separate because a queue is
//! judged without a controller too; it must not know runs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::trigger_rules::Adds;
use super::{Delays, Order, Overrides, Settings, Violation, broken, nanos};
use crate::systems::controller::limiter::Curve;
use crate::systems::controller::record::ControllerEvent;
use crate::systems::controller::supervision::doubled;
use crate::time::Duration;
use crate::trace::text::time;

type Key = Arc<str>;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    #[default]
    Open,
    Draining,
    Dropped,
}

/// The book.
#[derive(Clone, Debug, Default)]
pub(super) struct QueueRules {
    pub(super) phase: Phase,
    /// The queue has said something: a queue of a user's need not.
    pub(super) is_heard: bool,
    queue: VecDeque<Key>,
    /// What is queued, or to be when it is done; and since when.
    wanted: BTreeMap<Key, u64>,
    processing: BTreeSet<Key>,
    /// When each deferral is due.
    deferred: BTreeMap<Key, u64>,
    /// Delivered by their deferral, and not added yet.
    fired: BTreeSet<Key>,
    /// Failures since they were forgotten, and the delay after the last.
    failures: BTreeMap<Key, (u32, Duration)>,
}

impl QueueRules {
    pub(super) fn observe(
        &mut self,
        at_ns: u64,
        event: &ControllerEvent,
        settings: &Settings,
    ) -> Result<(), Violation> {
        let is_of_queue = match event {
            ControllerEvent::Added { key, dirty, .. } => self.added(at_ns, key, *dirty),
            ControllerEvent::Coalesced { key, .. } => self.coalesced(key),
            ControllerEvent::Rejected { key, .. } => self.rejected(key),
            ControllerEvent::Taken { key, .. } => self.taken(at_ns, key, settings),
            ControllerEvent::Done { key, requeued, .. } => self.done(at_ns, key, *requeued),
            ControllerEvent::Deferred { key, delay, kept, .. } => {
                let due_ns = at_ns.saturating_add(nanos(*delay));
                if *kept { self.kept(key, due_ns, settings) } else { self.deferred(key, due_ns, settings) }
            }
            ControllerEvent::Fired { key, .. } => self.fired(at_ns, key, settings),
            ControllerEvent::DeferralDropped { key, .. } => self.deferral_dropped(key),
            ControllerEvent::Forgot { key, .. } => {
                self.forget(key);
                Ok(())
            }
            ControllerEvent::Backoff { key, failures, delay, curve, .. } => {
                let delays = match (settings.delays, curve) {
                    (Delays::Growing, Some(Curve { base, max })) => {
                        Delays::Exponential { base: *base, max: *max }
                    }
                    (delays, _) => delays,
                };
                self.backoff(key, *failures, *delay, delays)
            }
            ControllerEvent::QueueStopped { drain, .. } => {
                self.stopped(*drain);
                Ok(())
            }
            _ => return Ok(()),
        };
        self.is_heard = true;
        is_of_queue
    }

    /// Nothing happened from `stood_ns` to `at_ns`.
    pub(super) fn stood(&self, stood_ns: u64, at_ns: u64) -> Result<(), Violation> {
        if self.phase != Phase::Open {
            return Ok(());
        }
        if let Some(key) = self.fired.first() {
            return broken("deferral", format!("{key} was delivered at {} and not added", time(stood_ns)));
        }
        match self.deferred.iter().find(|(_, due_ns)| **due_ns < at_ns) {
            Some((key, due_ns)) => broken(
                "deferral",
                format!("{key} was due at {} and is late at {}", time(*due_ns), time(at_ns)),
            ),
            None => Ok(()),
        }
    }

    /// What can be taken next.
    pub(super) fn next(&self) -> Option<&Key> {
        self.queue.front()
    }

    /// Whether an add would have been heard of.
    pub(super) fn adds(&self) -> Adds {
        if self.is_heard { Adds::Heard } else { Adds::Unheard }
    }

    pub(super) fn processing(&self) -> &BTreeSet<Key> {
        &self.processing
    }

    pub(super) fn holds(&self, key: &str) -> bool {
        self.wanted.contains_key(key) || self.processing.contains(key) || self.deferred.contains_key(key)
    }

    /// Failures count anew.
    pub(super) fn forget(&mut self, key: &Key) {
        self.failures.remove(key);
    }

    fn added(&mut self, at_ns: u64, key: &Key, dirty: bool) -> Result<(), Violation> {
        self.fired.remove(key);
        if self.phase != Phase::Open {
            return broken("stop", format!("{key} was added after the stop"));
        }
        if self.wanted.contains_key(key) {
            return broken("coalescing", format!("{key} was queued although it was wanted already"));
        }
        match (self.processing.contains(key), dirty) {
            (true, false) => return broken("exclusive", format!("{key} was queued while it was processed")),
            (false, true) => return broken("pairing", format!("{key} was marked, and nobody processed it")),
            (true, true) | (false, false) => {}
        }
        self.wanted.insert(Arc::clone(key), at_ns);
        if !dirty {
            self.queue.push_back(Arc::clone(key));
        }
        Ok(())
    }

    fn coalesced(&mut self, key: &Key) -> Result<(), Violation> {
        self.fired.remove(key);
        if self.wanted.contains_key(key) {
            return Ok(());
        }
        broken("at-least-once", format!("an add of {key} was lost: it was taken for wanted and was not"))
    }

    fn rejected(&mut self, key: &Key) -> Result<(), Violation> {
        self.fired.remove(key);
        match self.phase {
            Phase::Open => broken("at-least-once", format!("{key} was refused although nothing was stopped")),
            Phase::Draining | Phase::Dropped => Ok(()),
        }
    }

    fn taken(&mut self, at_ns: u64, key: &Key, settings: &Settings) -> Result<(), Violation> {
        if self.processing.contains(key) {
            return broken("exclusive", format!("{key} was taken while another worker held it"));
        }
        if self.phase == Phase::Dropped {
            return broken("stop", format!("{key} was taken after everything was dropped"));
        }
        let Some(place) = self.queue.iter().position(|queued| queued == key) else {
            return broken("coalescing", format!("{key} was taken and was not queued"));
        };
        if place > 0 && settings.order == Order::Fifo {
            let first = &self.queue[0];
            return broken("fifo", format!("{key} was taken before {first}, whose turn it was"));
        }
        self.queue.remove(place);
        self.wanted.remove(key);
        self.processing.insert(Arc::clone(key));
        self.starved(at_ns, key, settings)
    }

    fn starved(&self, at_ns: u64, taken: &Key, settings: &Settings) -> Result<(), Violation> {
        let patience_ns = nanos(settings.thresholds.starved_after);
        let waits = self.queue.iter().map(|key| (key, self.wanted.get(key).copied().unwrap_or(at_ns)));
        match waits.min_by_key(|(_, since_ns)| *since_ns) {
            Some((key, since_ns)) if at_ns - since_ns > patience_ns => broken(
                "starved-key",
                format!("{key} is queued since {}, and {taken} was taken", time(since_ns)),
            ),
            Some(_) | None => Ok(()),
        }
    }

    fn done(&mut self, at_ns: u64, key: &Key, requeued: bool) -> Result<(), Violation> {
        if !self.processing.remove(key) {
            return broken("pairing", format!("{key} was given back, and nobody held it"));
        }
        match (self.wanted.contains_key(key), requeued) {
            (true, false) => broken("rerun-after-done", format!("{key} was wanted again, and is not queued")),
            (false, true) => {
                broken("rerun-after-done", format!("{key} is queued again, and nobody wanted it"))
            }
            (false, false) => Ok(()),
            (true, true) => {
                self.wanted.insert(Arc::clone(key), at_ns);
                self.queue.push_back(Arc::clone(key));
                Ok(())
            }
        }
    }

    fn kept(&self, key: &Key, due_ns: u64, settings: &Settings) -> Result<(), Violation> {
        match self.deferred.get(key) {
            Some(stands_ns) if *stands_ns <= due_ns || settings.drifts() => Ok(()),
            Some(stands_ns) => {
                let (stands, asked) = (time(*stands_ns), time(due_ns));
                broken("deferral", format!("{key} stays deferred to {stands}, and was asked for at {asked}"))
            }
            None => broken("deferral", format!("a deferral of {key} gave way to one that is not there")),
        }
    }

    fn deferred(&mut self, key: &Key, due_ns: u64, settings: &Settings) -> Result<(), Violation> {
        if self.phase != Phase::Open {
            return broken("stop", format!("{key} was deferred after the stop"));
        }
        let before = self.deferred.insert(Arc::clone(key), due_ns);
        let is_put_off = |before: &u64| *before < due_ns && !settings.drifts();
        match before.filter(|before| is_put_off(before) && settings.overrides == Overrides::Absent) {
            None => Ok(()),
            Some(before_ns) => {
                let (before, later) = (time(before_ns), time(due_ns));
                broken("deferral", format!("{key} was due at {before} and is put off to {later}"))
            }
        }
    }

    fn fired(&mut self, at_ns: u64, key: &Key, settings: &Settings) -> Result<(), Violation> {
        match self.deferred.remove(key) {
            None => broken("deferral", format!("{key} was delivered, and not deferred")),
            Some(due_ns) if at_ns < due_ns && !settings.drifts() => {
                broken("deferral", format!("{key} was delivered at {}, due at {}", time(at_ns), time(due_ns)))
            }
            Some(_) => {
                self.fired.insert(Arc::clone(key));
                Ok(())
            }
        }
    }

    fn deferral_dropped(&mut self, key: &Key) -> Result<(), Violation> {
        if self.deferred.remove(key).is_some() || self.phase != Phase::Open {
            return Ok(());
        }
        broken("deferral", format!("a deferral of {key} was dropped that was not there"))
    }

    fn backoff(&mut self, key: &Key, said: u32, delay: Duration, delays: Delays) -> Result<(), Violation> {
        let (failures, last) = self.failures.get(key).copied().unwrap_or((0, Duration::ZERO));
        self.failures.insert(Arc::clone(key), (failures.saturating_add(1), delay));
        if said != failures {
            return broken(
                "backoff",
                format!("{key} failed {failures} times, and the limiter counts {said}"),
            );
        }
        let due = match delays {
            Delays::Any => return Ok(()),
            Delays::Growing if delay >= last && delay > Duration::ZERO => return Ok(()),
            Delays::Growing => format!("at least {last:?}"),
            Delays::Exponential { base, max } => {
                let due = doubled(base, failures).min(max);
                if due == delay {
                    return Ok(());
                }
                format!("{due:?}")
            }
        };
        broken("backoff", format!("{key} waits {delay:?} after {failures} failures, due is {due}"))
    }

    fn stopped(&mut self, drain: bool) {
        if drain && self.phase == Phase::Open {
            self.phase = Phase::Draining;
        } else if !drain {
            self.phase = Phase::Dropped;
            self.queue.clear();
            self.wanted.clear();
        }
        self.deferred.clear();
        self.fired.clear();
    }
}
