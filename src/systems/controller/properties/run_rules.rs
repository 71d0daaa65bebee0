//! The rules of a run: reconciles, what follows each, and the end. Separate from the queue's book, which it reads; it
//! must not know where requests come from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::queue_rules::{Phase, QueueRules};
use super::{Violation, broken};
use crate::systems::controller::controller::DROPPED;
use crate::systems::controller::record::ControllerEvent;
use crate::trace::text::time;

type Key = Arc<str>;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Absent,
    Running,
    Ended,
    Dropped,
}

/// One run.
#[derive(Clone, Debug, Default)]
pub(super) struct RunRules {
    stage: Stage,
    workers: u32,
    /// The subscriptions whose first snapshots are awaited before work begins.
    awaited: BTreeSet<u32>,
    /// Taken, and not reconciled yet.
    taken: BTreeSet<Key>,
    /// What each worker reconciles, or has not given back yet.
    held: BTreeMap<u32, Held>,
}

#[derive(Clone, Debug)]
struct Held {
    key: Key,
    /// How its reconcile ended, and what followed.
    outcome: Option<&'static str>,
    forgot: bool,
    backoffs: u32,
    /// It was added or deferred.
    wanted: bool,
}

impl RunRules {
    pub(super) fn observe(
        &mut self,
        at_ns: u64,
        event: &ControllerEvent,
        queue: &mut QueueRules,
    ) -> Result<(), Violation> {
        match event {
            ControllerEvent::RunStarted { workers, primed, subscriptions, .. } => {
                self.stage = Stage::Running;
                self.workers = *workers;
                self.awaited = if *primed { (0..*subscriptions).collect() } else { BTreeSet::new() };
                Ok(())
            }
            ControllerEvent::SubscriptionSnapshot { subscription, .. } => {
                self.awaited.remove(subscription);
                Ok(())
            }
            ControllerEvent::Taken { key, .. } => {
                if self.stage == Stage::Running {
                    self.taken.insert(Arc::clone(key));
                }
                Ok(())
            }
            ControllerEvent::Reconcile { key, worker, .. } => self.began(at_ns, key, *worker, queue),
            ControllerEvent::Reconciled { key, worker, outcome, .. } => {
                self.ended(key, *worker, outcome, queue)
            }
            ControllerEvent::Forgot { key, .. } => {
                self.follow(key, |held| held.forgot = true);
                Ok(())
            }
            ControllerEvent::Backoff { key, .. } => self.backoff(key),
            ControllerEvent::Added { key, .. }
            | ControllerEvent::Coalesced { key, .. }
            | ControllerEvent::Rejected { key, .. }
            | ControllerEvent::Deferred { key, .. } => {
                self.follow(key, |held| held.wanted = true);
                Ok(())
            }
            ControllerEvent::Done { key, .. } => self.given_back(key, queue.phase),
            ControllerEvent::RunEnded { error, .. } => self.run_ended(error.as_deref(), queue),
            _ => Ok(()),
        }
    }

    /// Nothing happened from `stood_ns` to `at_ns`.
    pub(super) fn stood(&self, stood_ns: u64, at_ns: u64, queue: &QueueRules) -> Result<(), Violation> {
        if self.stage != Stage::Running {
            return Ok(());
        }
        if let Some(key) = self.taken.first() {
            let at = time(stood_ns);
            return broken("at-least-once", format!("{key} was taken, and not reconciled from {at} on"));
        }
        if let Some(held) = self.held.values().find(|held| held.outcome.is_some() && queue.is_heard) {
            let (key, at) = (&held.key, time(stood_ns));
            return broken(
                held.blamed("pairing"),
                format!("{key} was reconciled at {at} and not given back"),
            );
        }
        let busy = queue.processing().len();
        match queue.next() {
            Some(key) if self.awaited.is_empty() && busy < self.workers as usize => {
                let (idle, from, to) = (self.workers as usize - busy, time(stood_ns), time(at_ns));
                broken(
                    "at-least-once",
                    format!("{key} was queued and {idle} workers idle from {from} to {to}"),
                )
            }
            Some(_) | None => Ok(()),
        }
    }

    /// A run is on.
    pub(super) fn is_on(&self) -> bool {
        self.stage == Stage::Running
    }

    fn began(&mut self, at_ns: u64, key: &Key, worker: u32, queue: &QueueRules) -> Result<(), Violation> {
        self.taken.remove(key);
        if self.stage != Stage::Running {
            return broken("joined", format!("{key} is reconciled at {} and no run is on", time(at_ns)));
        }
        if self.held.values().any(|held| held.key == *key && held.outcome.is_none()) {
            return broken("exclusive", format!("{key} is reconciled by two workers"));
        }
        if !self.awaited.is_empty() {
            return broken(
                "primed",
                format!("{key} is reconciled and {} snapshots are awaited", self.awaited.len()),
            );
        }
        if queue.is_heard && !queue.processing().contains(key) {
            return broken("pairing", format!("{key} is reconciled, and nobody took it"));
        }
        let held = Held { key: Arc::clone(key), outcome: None, forgot: false, backoffs: 0, wanted: false };
        match self.held.insert(worker, held) {
            Some(before) if queue.is_heard || before.outcome.is_none() => {
                let detail =
                    format!("worker {worker} goes on to {key}, and has not given {} back", before.key);
                broken(before.blamed("pairing"), detail)
            }
            Some(_) | None => Ok(()),
        }
    }

    fn ended(
        &mut self,
        key: &Key,
        worker: u32,
        outcome: &'static str,
        queue: &mut QueueRules,
    ) -> Result<(), Violation> {
        match self.held.get_mut(&worker) {
            Some(held) if held.key == *key && held.outcome.is_none() => held.outcome = Some(outcome),
            Some(_) | None if self.stage == Stage::Ended => {
                return broken("joined", format!("a reconcile of {key} ended after its run"));
            }
            Some(_) | None => {
                return broken("pairing", format!("a reconcile of {key} ended that had not begun"));
            }
        }
        if matches!(outcome, "done" | "requeue-after") {
            queue.forget(key);
        }
        if !queue.is_heard {
            self.held.remove(&worker);
        }
        Ok(())
    }

    /// What happens to a key whose reconcile ended, until it is given back.
    fn follow(&mut self, key: &Key, what: impl Fn(&mut Held)) {
        self.held.values_mut().filter(|held| held.key == *key && held.outcome.is_some()).for_each(what);
    }

    fn backoff(&mut self, key: &Key) -> Result<(), Violation> {
        self.follow(key, |held| held.backoffs += 1);
        let of_key = |held: &&Held| held.key == *key;
        match self.held.values().find(of_key).map(|held| (held.outcome, held.backoffs)) {
            Some((Some("requeue-after"), _)) => {
                broken("backoff", format!("a requeue of {key} that was asked for counts as its failure"))
            }
            Some((Some("done"), _)) => broken("backoff", format!("a success of {key} counts as its failure")),
            Some((Some("panicked"), 2..)) => {
                broken("panic-isolation", format!("a panic of {key} counts twice"))
            }
            Some((_, _)) | None => Ok(()),
        }
    }

    fn given_back(&mut self, key: &Key, phase: Phase) -> Result<(), Violation> {
        if self.taken.remove(key) && self.stage == Stage::Running {
            return broken("at-least-once", format!("{key} was taken and given back, and not reconciled"));
        }
        let found = self.held.iter().find(|(_, held)| held.key == *key).map(|(worker, _)| *worker);
        let Some(held) = found.and_then(|worker| self.held.remove(&worker)) else { return Ok(()) };
        let is_open = phase == Phase::Open;
        match held.outcome {
            None if self.stage == Stage::Running => {
                broken("exclusive", format!("{key} was given back while it was reconciled"))
            }
            Some("done" | "requeue-after") if !held.forgot => {
                broken("backoff", format!("{key} was reconciled, and its failures are not forgotten"))
            }
            Some("failed" | "requeue-after") if !held.wanted && is_open => {
                broken("requeue-first", format!("{key} was given back before it was wanted again"))
            }
            Some("panicked") if !held.wanted && is_open => {
                broken("panic-isolation", format!("{key} was given back after a panic, and is not retried"))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn run_ended(&mut self, error: Option<&str>, queue: &QueueRules) -> Result<(), Violation> {
        if error == Some(DROPPED) {
            self.stage = Stage::Dropped;
            self.held.clear();
            self.taken.clear();
            return Ok(());
        }
        self.stage = Stage::Ended;
        if let Some(held) = self.held.values().next() {
            let detail = format!("the run ended while {} was reconciled", held.key);
            return broken(held.blamed("joined"), detail);
        }
        if let Some(key) = queue.processing().first() {
            return broken("joined", format!("the run ended while {key} was processed"));
        }
        match (queue.phase, queue.next()) {
            (Phase::Draining, Some(key)) => {
                broken("drain", format!("the run was to drain, and ended while {key} was queued"))
            }
            (Phase::Open, _) if queue.is_heard => {
                broken("stop", "the run ended, and its queue was not stopped".to_owned())
            }
            (_, _) => Ok(()),
        }
    }
}

impl Held {
    /// What breaks when it is not given back.
    fn blamed(&self, otherwise: &'static str) -> &'static str {
        if self.outcome == Some("panicked") { "panic-isolation" } else { otherwise }
    }
}
