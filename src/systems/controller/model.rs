//! The states of one work queue: pure, total, without waiting and without a clock. Separate so that it can be tested
//! by itself and measured; it must not know tasks, locks, limiters or events.
//!
//! A key is in any of these, and the invariants of [`Model::check`] hold after every step:
//!
//! ```text
//!              add                 take                   done
//!   (idle) ──────────▶ queued ─────────────▶ processing ─────────▶ (idle)
//!                        ▲                       │ add
//!                        └──────── done ─── processing, dirty
//! ```
//!
//! A deferral stands beside these, and ends in an add.

use super::deferrals::{Deferrals, Replace};
use super::{Item, Shutdown, Variant};
use crate::time::{Duration, Instant};
use std::collections::{BTreeMap, VecDeque};

/// What an add does to a deferral of the same key that is pending when the add is made. A deferral that is made later
/// stands, and so does one that meets its key queued, dirty or processed when its time comes: its add is one like any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AddPolicy {
    /// It is dropped: what it was to bring about happens now.
    #[default]
    SupersedeDeferral,
    /// It stays, and adds the item once more at its time: as Consul and client-go do.
    KeepDeferral,
}

/// Where a queue stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Items can be added.
    Open,
    /// Nothing can be added; what is queued is handed out.
    Draining,
    /// Nothing can be added, nothing is handed out.
    Dropped,
}

/// What became of an add.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// The item is queued.
    Queued,
    /// Its key is being processed; it is queued when that is done.
    Dirty,
    /// Its key was wanted already.
    Coalesced,
    /// The queue takes no more.
    Rejected,
}

/// What became of a deferral.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deferred {
    /// It stands.
    Set,
    /// Another of the same key stands.
    Kept,
    /// The queue takes no more.
    Rejected,
}

/// An item that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken<T> {
    /// The item.
    pub item: T,
    /// How long it was wanted before.
    pub waited: Duration,
}

/// A key that was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished {
    /// It was wanted again, and is queued.
    pub requeued: bool,
    /// How long it was processed.
    pub took: Duration,
}

/// The state of one queue.
#[derive(Clone, Debug)]
pub struct Model<T: Item> {
    queue: VecDeque<T::Key>,
    /// What is wanted and not taken yet, in the queue or while it is processed.
    dirty: BTreeMap<T::Key, Wanted<T>>,
    /// What is in somebody's hands, and since when.
    processing: BTreeMap<T::Key, Instant>,
    deferred: Deferrals<T>,
    phase: Phase,
    takes: u64,
    dones: u64,
    policy: AddPolicy,
    variant: Variant,
}

#[derive(Clone, Debug)]
struct Wanted<T> {
    item: T,
    since: Instant,
}

impl<T: Item> Model<T> {
    /// An open, empty queue.
    pub fn new(policy: AddPolicy, variant: Variant) -> Self {
        Model {
            queue: VecDeque::new(),
            dirty: BTreeMap::new(),
            processing: BTreeMap::new(),
            deferred: Deferrals::new(),
            phase: Phase::Open,
            takes: 0,
            dones: 0,
            policy,
            variant,
        }
    }

    /// Adds an item; and whether that dropped a deferral of its key.
    pub fn add(&mut self, item: T, now: Instant) -> (Added, bool) {
        if self.phase != Phase::Open {
            return (Added::Rejected, false);
        }
        let key = item.key();
        let supersedes = match self.policy {
            AddPolicy::SupersedeDeferral => !self.deferred.is_empty() && self.deferred.cancel(&key).is_some(),
            AddPolicy::KeepDeferral => false,
        };
        (self.want(key, item, now), supersedes)
    }

    fn want(&mut self, key: T::Key, item: T, now: Instant) -> Added {
        if self.dirty.contains_key(&key) {
            return Added::Coalesced;
        }
        let is_held = self.processing.contains_key(&key) && self.variant != Variant::AddIgnoresProcessing;
        if !is_held {
            self.queue.push_back(key.clone());
        }
        self.dirty.insert(key, Wanted { item, since: now });
        if is_held { Added::Dirty } else { Added::Queued }
    }

    /// Takes the item that was queued first; none when nothing is.
    pub fn take(&mut self, now: Instant) -> Option<Taken<T>> {
        let key = self.queue.pop_front()?;
        let wanted = match self.variant {
            Variant::GetKeepsDirty => self.dirty.get(&key).cloned(),
            Variant::SpuriousDone if self.queue.contains(&key) => self.dirty.get(&key).cloned(),
            _ => self.dirty.remove(&key),
        }?;
        self.processing.insert(key, now);
        self.takes += 1;
        Some(Taken { item: wanted.item, waited: now.duration_since(wanted.since) })
    }

    /// Ends the processing of a key, and queues it again if it is wanted; `None` if nobody holds it.
    pub fn done(&mut self, key: &T::Key, now: Instant) -> Option<Finished> {
        let since = self.processing.remove(key);
        if since.is_none() && self.variant != Variant::SpuriousDone {
            return None;
        }
        self.dones += 1;
        if self.variant == Variant::GetKeepsDirty {
            self.dirty.remove(key);
        }
        let requeued = self.dirty.contains_key(key);
        if requeued && self.variant == Variant::DoneToHead {
            self.queue.push_front(key.clone());
        } else if requeued {
            self.queue.push_back(key.clone());
        }
        Some(Finished { requeued, took: since.map_or(Duration::ZERO, |since| now.duration_since(since)) })
    }

    /// Defers an item.
    pub fn defer(&mut self, item: T, until: Instant, overrides: bool) -> Deferred {
        if self.phase != Phase::Open {
            return Deferred::Rejected;
        }
        let replace = match (overrides, self.variant) {
            (true, _) => Replace::Always,
            (false, Variant::LaterDeferralWins) => Replace::Later,
            (false, _) => Replace::Earlier,
        };
        if self.deferred.defer(item, until, replace) { Deferred::Set } else { Deferred::Kept }
    }

    /// Adds the first deferred item whose time has come; its key, and what became of the add.
    pub fn fire(&mut self, now: Instant) -> Option<(T::Key, Added)> {
        let item = self.deferred.pop(now)?;
        let key = item.key();
        let added = self.want(key.clone(), item, now);
        Some((key, added))
    }

    /// Drops the deferral of a key; whether there was one.
    pub fn cancel(&mut self, key: &T::Key) -> bool {
        self.deferred.cancel(key).is_some()
    }

    /// Stops; the deferrals that it dropped, or `None` if the queue was stopped as hard before.
    pub fn stop(&mut self, how: Shutdown) -> Option<Vec<T::Key>> {
        let phase = match how {
            Shutdown::Drain => Phase::Draining,
            Shutdown::Drop => Phase::Dropped,
        };
        if self.phase == phase || self.phase == Phase::Dropped {
            return None;
        }
        self.phase = phase;
        if how == Shutdown::Drop {
            self.queue.clear();
            self.dirty.clear();
        }
        Some(self.deferred.clear().iter().map(Item::key).collect())
    }

    /// Where the queue stands.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// How many items are queued.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether nothing is queued.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether nothing is queued and nothing is processed.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.processing.is_empty()
    }

    /// How many keys are wanted, queued or while they are processed.
    pub fn wanted(&self) -> usize {
        self.dirty.len()
    }

    /// Since when each key in somebody's hands is, in the order of keys.
    pub fn processing(&self) -> impl Iterator<Item = (&T::Key, Instant)> {
        self.processing.iter().map(|(key, since)| (key, *since))
    }

    /// What is deferred.
    pub fn deferred(&self) -> &Deferrals<T> {
        &self.deferred
    }

    /// The invariants: takes and dones pair up, no key is queued twice, what is queued is wanted, and nothing that is
    /// queued is processed.
    ///
    /// # Errors
    /// The one that is broken, in words.
    pub fn check(&self) -> Result<(), String> {
        let held = self.processing.len() as u64;
        if self.takes.checked_sub(self.dones) != Some(held) {
            let (takes, dones) = (self.takes, self.dones);
            return Err(format!("{takes} takes and {dones} dones, but {held} keys are being processed"));
        }
        let mut seen = std::collections::BTreeSet::new();
        for key in &self.queue {
            if !seen.insert(key) {
                return Err(format!("`{key}` is queued twice"));
            }
            if !self.dirty.contains_key(key) {
                return Err(format!("`{key}` is queued and not wanted"));
            }
            if self.processing.contains_key(key) {
                return Err(format!("`{key}` is queued while it is processed"));
            }
        }
        match self.dirty.keys().find(|key| !seen.contains(key) && !self.processing.contains_key(key)) {
            Some(key) => Err(format!("`{key}` is wanted, but neither queued nor processed")),
            None => Ok(()),
        }
    }
}
