//! What must hold in every run of a controller and of its queue, as a fold over their events. Separate from the
//! engine, of which it sees only what was recorded; it must not know how events reach it.
//!
//! | property | holds when |
//! |---|---|
//! | `exclusive` | a key is held by at most one worker at a time (Q1) |
//! | `at-least-once` | an add is queued, or coalesced with one that is; what is queued is taken while a worker idles, what is taken is reconciled (Q2) |
//! | `coalescing` | adds between two takes cause one take (Q3) |
//! | `rerun-after-done` | what is added while it is processed is queued again when that is done, and nothing else is (Q4) |
//! | `fifo` | items are taken in the order in which they were queued (Q5) |
//! | `deferral` | a deferral is delivered once, at the earliest requested time, then (Q6) |
//! | `backoff` | the limiter counts the failures since the last success, requeue-after or forget; delays grow (Q7) |
//! | `stop` | after a stop nothing is added, and nothing is taken after one that drops (Q8) |
//! | `joined` | when a run has returned, no reconcile runs and none starts (Q9) |
//! | `panic-isolation` | a panic is followed by one rate-limited retry of that request, and its worker goes on (Q10) |
//! | `trigger` | at most one is live per key; it adds once per registration, none after its removal (Q11) |
//! | `eventual-consistency` | when writes stop, every entry is reconciled at its latest version (Q12) |
//! | `quiescence` | after the last change from outside, the number of reconciles is bounded (Q13) |
//! | `pairing` | takes and dones, begins and ends of reconciles pair up (Q14) |
//! | `drain` | a drained run ends with nothing queued and nothing processed (Q15) |
//! | `subscription` | a subscription is open, or waits to be, or the run has ended with its error (Q16) |
//! | `requeue-first` | a request that is to come again is wanted again before it is given back |
//! | `primed` | if asked for, work begins when the first snapshots are complete |
//! | `requeue-storm` | no key is reconciled more often in a window than the changes from outside explain |
//! | `starved-key` | no key stays queued for long while others are taken |
//! | `lost-key` | no key stays behind that is neither queued, processed nor deferred, while controllers run |
//!
//! `eventual-consistency`, `quiescence` and `lost-key` need to know what the world asks for: workloads tell it with
//! [`Fact`]s, and without any they hold. Several queues in one simulation are told apart by their numbers.

mod fact;
mod settings;
mod queue_rules;
mod run_rules;
mod subscription_rules;
mod trigger_rules;
mod outside;
mod install;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::record::ControllerEvent;
use crate::time::Duration;

pub use fact::Fact;
pub use install::{Observed, install, install_with};
pub use settings::{Delays, Order, Overrides, Punctuality, Settings, Thresholds};

use outside::Outside;
use queue_rules::QueueRules;
use run_rules::RunRules;
use subscription_rules::SubscriptionRules;
use trigger_rules::TriggerRules;

/// The names of all properties.
pub const NAMES: [&str; 21] = [
    "exclusive",
    "at-least-once",
    "coalescing",
    "rerun-after-done",
    "fifo",
    "deferral",
    "backoff",
    "stop",
    "joined",
    "panic-isolation",
    "trigger",
    "eventual-consistency",
    "quiescence",
    "pairing",
    "drain",
    "subscription",
    "requeue-first",
    "primed",
    "requeue-storm",
    "starved-key",
    "lost-key",
];

/// A property that did not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{property}: {detail}")]
pub struct Violation {
    /// Its stable name.
    pub property: &'static str,
    /// What happened, in words.
    pub detail: String,
}

fn broken(property: &'static str, detail: impl Into<String>) -> Result<(), Violation> {
    Err(Violation { property, detail: detail.into() })
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The fold over all controllers and queues of one simulation.
#[derive(Clone, Debug, Default)]
pub struct ControllerProperties {
    settings: Settings,
    scopes: BTreeMap<u64, Scope>,
    outside: Outside,
    /// How many runs there were at a time, at most.
    runs_max: usize,
    /// Since when as many are on; none while fewer are.
    manned_since_ns: Option<u64>,
    now_ns: u64,
}

/// One queue, and the run that works on it if one does.
#[derive(Clone, Debug, Default)]
struct Scope {
    queue: QueueRules,
    run: RunRules,
    subscriptions: SubscriptionRules,
    triggers: TriggerRules,
    /// The host that it runs on, where that is known.
    host: Option<Arc<str>>,
}

impl ControllerProperties {
    /// The fold before any event.
    pub fn new(settings: Settings) -> ControllerProperties {
        ControllerProperties { settings, ..ControllerProperties::default() }
    }

    /// Takes in one event at its virtual time.
    ///
    /// # Errors
    /// The first property that the event shows broken.
    pub fn observe(&mut self, at_ns: u64, event: &ControllerEvent) -> Result<(), Violation> {
        self.advance(at_ns)?;
        if let ControllerEvent::RunStarted { .. } = event {
            // A host that was restarted may number its queues anew.
            self.scopes.insert(event.queue(), Scope::default());
        }
        let settings = &self.settings;
        let scope = self.scopes.entry(event.queue()).or_default();
        scope.queue.observe(at_ns, event, settings)?;
        scope.run.observe(at_ns, event, &mut scope.queue)?;
        scope.subscriptions.observe(at_ns, event, settings)?;
        scope.triggers.observe(event, scope.queue.adds())?;
        self.outside.observe(at_ns, event, settings)?;
        self.count_runs(at_ns);
        Ok(())
    }

    /// Says which host the queue of an event runs on, the first time.
    pub fn place(&mut self, event: &ControllerEvent, host: Option<Arc<str>>) {
        let scope = self.scopes.entry(event.queue()).or_default();
        if scope.host.is_none() {
            scope.host = host;
        }
    }

    /// A host crashed: its queues and runs are gone, and say no more how they ended.
    pub fn crashed(&mut self, host: &str) {
        self.scopes.retain(|_, scope| scope.host.as_deref() != Some(host));
        self.count_runs(self.now_ns);
    }

    /// Which run is to look after which key is not known. So it is only asked why nobody does while as many are on as
    /// there ever were.
    fn count_runs(&mut self, at_ns: u64) {
        let runs = self.scopes.values().filter(|scope| scope.run.is_on()).count();
        if runs < self.runs_max {
            self.manned_since_ns = None;
        } else if runs > self.runs_max || self.manned_since_ns.is_none() && runs > 0 {
            self.runs_max = runs;
            self.manned_since_ns = Some(at_ns);
        }
    }

    /// Takes in what a workload says about the world outside.
    ///
    /// # Errors
    /// The first property that time shows broken.
    pub fn hear(&mut self, at_ns: u64, fact: &Fact) -> Result<(), Violation> {
        self.advance(at_ns)?;
        self.outside.hear(at_ns, fact);
        Ok(())
    }

    /// Moves the clock: what stood still in between had no reason to change.
    ///
    /// # Errors
    /// A property that time shows broken.
    pub fn advance(&mut self, at_ns: u64) -> Result<(), Violation> {
        let stood_ns = std::mem::replace(&mut self.now_ns, at_ns);
        if at_ns <= stood_ns {
            return Ok(());
        }
        if self.settings.punctuality == Punctuality::Exact {
            for scope in self.scopes.values() {
                scope.queue.stood(stood_ns, at_ns)?;
                scope.run.stood(stood_ns, at_ns, &scope.queue)?;
                scope.subscriptions.stood(at_ns)?;
                scope.triggers.stood(at_ns, scope.queue.adds())?;
            }
        }
        self.lost_key(at_ns)
    }

    /// No more events will come, and time has had its time.
    ///
    /// # Errors
    /// A property that the end shows broken.
    pub fn finish(&self) -> Result<(), Violation> {
        match self.behind().first() {
            Some(behind) => broken("eventual-consistency", behind.clone()),
            None => Ok(()),
        }
    }

    /// The keys whose latest version no successful reconcile has read, in words.
    pub fn behind(&self) -> Vec<String> {
        self.outside.behind().map(|(_, behind)| behind.to_string()).collect()
    }

    /// Those of [`ControllerProperties::behind`] that are neither queued, processed nor deferred, in words.
    pub fn lost(&self) -> Vec<String> {
        let behind = self.outside.behind();
        behind.filter(|(key, _)| !self.is_held(key)).map(|(_, behind)| behind.to_string()).collect()
    }

    fn is_held(&self, key: &str) -> bool {
        self.scopes.values().any(|scope| scope.queue.holds(key))
    }

    fn lost_key(&self, at_ns: u64) -> Result<(), Violation> {
        let Some(manned_ns) = self.manned_since_ns else { return Ok(()) };
        let patience_ns = nanos(self.settings.thresholds.lost_after);
        let is_late = |since_ns: u64| at_ns.saturating_sub(since_ns.max(manned_ns)) > patience_ns;
        let mut late = self.outside.behind().filter(|(_, behind)| is_late(behind.since_ns));
        match late.find(|(key, _)| !self.is_held(key)) {
            Some((_, behind)) => broken("lost-key", behind.to_string()),
            None => Ok(()),
        }
    }
}
