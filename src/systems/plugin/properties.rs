//! What must hold in every run of the engine, as a fold over its events, those of the world outside, and what the store
//! holds. Separate from the engine, of which it sees only what was recorded; it must not know how events reach it.
//!
//! | property | holds when |
//! |---|---|
//! | `terminal-is-final` | once the end of an attempt is stored, it is not called again and its phase stays (1) |
//! | `kill-only-aborting` | kills are for attempts that may have begun, of workflows that end, once per round (2) |
//! | `phase-monotone` | phase and version of an attempt never go back; versions are bounded (3) |
//! | `check-after-start` | nothing is looked at that was not accepted (4) |
//! | `one-resource-per-name` | a name is one attempt's, and one thing is made for it (5) |
//! | `attempts-counted` | the counter is raised by one per retryable failure and by nothing else, and all attempts are used (6) |
//! | `finalized` | an abort is followed by its finalization though it failed, and nothing ends without one (7, successor) |
//! | `released-before-retry` | an attempt begins when what the one before it held is released (7) |
//! | `custom-state-kept` | a call is handed the state that was stored last (8) |
//! | `cache` | what the catalog has is not run; it gets what succeeded; who disables it is left alone (9) |
//! | `outputs-readable` | a node that succeeded has its outputs (10) |
//! | `event-once` | an event is taken once, in order, nothing after the last (11) |
//! | `event-first` | the control plane is told before the store (11) |
//! | `conflict-fails` | what the control plane says has ended fails, and is not tried for ever (12) |
//! | `round-atomic` | a round that failed leaves a count and a message (13) |
//! | `parents-first` | a node begins in a round after the one in which its last parent was done (14) |
//! | `finalizer-holds` | the finalizer stays until all that may have begun has ended or was released (15) |
//! | `no-resource-outlives` | what is made outside is gone when its workflow is over (16) |
//! | `abort-complete` | all attempts that may hold something are killed, though the kill of one fails (17) |
//! | `no-stale-round` | a round is over a state that is stored, and none older than the engine has written (18) |
//! | `quiet-rounds` | a round that changes nothing writes nothing (19) |
//! | `observed` | what ends outside is looked at in time, where nothing may be late (19) |
//! | `terminates` | when the faults are over every workflow comes to its end (20) |
//! | `deadline` | an attempt over its time is not left alone (21) |

mod attempts;
mod install;
mod outside;
mod rounds;
mod told;

use super::engine::{Config, Generation};
use super::error::ErrorKind;
use super::record::{Attempt, NodeView, PluginEvent, RoundOutcome, View};
use super::retry::{Counts, Deadlines, Expired, Limits, RetryStrategy, eligible};
use crate::time::Duration;
use attempts::AttemptFacts;
use outside::Outside;
use rounds::RoundFacts;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use told::Told;

pub use install::{Observed, install};

/// Room for one round more than the resync says.
const OBSERVE_SLACK: Duration = Duration::from_secs(1);

/// The names of all properties.
pub const NAMES: [&str; 24] = [
    "terminal-is-final",
    "kill-only-aborting",
    "phase-monotone",
    "check-after-start",
    "one-resource-per-name",
    "attempts-counted",
    "finalized",
    "released-before-retry",
    "custom-state-kept",
    "cache",
    "outputs-readable",
    "event-once",
    "event-first",
    "conflict-fails",
    "round-atomic",
    "parents-first",
    "finalizer-holds",
    "no-resource-outlives",
    "abort-complete",
    "no-stale-round",
    "quiet-rounds",
    "observed",
    "terminates",
    "deadline",
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

/// What may be taken for granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whose rules the engine follows.
    pub generation: Generation,
    /// System errors of a workflow until it is given up.
    pub workflow_retries_max: u32,
    /// How many attempts a node has that does not say so (successor).
    pub limits: Limits,
    /// One attempt, asked for explicitly, is one attempt (successor).
    pub honours_one: bool,
    /// How long nodes and attempts may take that do not say so (successor).
    pub deadlines: Deadlines,
    /// How long something outside may have ended before it is looked at.
    pub observe_within_ns: u64,
    /// Nothing makes anything late: what is looked at is so in time from the first moment on, and not only when the
    /// faults are over.
    pub is_exact: bool,
}

impl Settings {
    /// What may be taken for granted of an engine that was told this.
    pub fn of(config: &Config) -> Settings {
        let within = config.resync + OBSERVE_SLACK;
        Settings {
            generation: config.generation,
            workflow_retries_max: config.workflow_retries_max,
            limits: config.limits,
            honours_one: config.honours_one,
            deadlines: config.deadlines,
            observe_within_ns: u64::try_from(within.as_nanos()).unwrap_or(u64::MAX),
            is_exact: false,
        }
    }

    /// Whether another attempt may follow one that failed.
    fn is_eligible(&self, was: &NodeView, blame: ErrorKind) -> bool {
        let strategy = was.min_attempts.map(|attempts| RetryStrategy { min_attempts: Some(attempts) });
        match self.generation {
            Generation::First => was.attempts + 1 < was.min_attempts.unwrap_or(0),
            Generation::Successor => {
                let counts = Counts { attempts: was.attempts, system_failures: was.system_failures };
                eligible(counts, Limits::of(strategy, self.limits, self.honours_one), blame).0
            }
        }
    }

    /// What of a node is over its time; the first generation has no deadlines.
    fn expired(&self, was: &NodeView, now_ns: u64) -> Option<Expired> {
        if self.generation == Generation::First {
            return None;
        }
        let since = |then: Option<u64>| then.map(|then| Duration::from_nanos(now_ns.saturating_sub(then)));
        was.deadlines.or(self.deadlines).expired(since(was.queued_ns), since(was.attempt_began_ns))
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings::of(&Config::default())
    }
}

/// The fold over all workflows of one simulation.
#[derive(Clone, Debug, Default)]
pub struct PluginProperties {
    settings: Settings,
    workflows: BTreeMap<Arc<str>, Facts>,
    /// Whose each name is.
    names: BTreeMap<Arc<str>, Attempt>,
    outside: Outside,
    /// When the last event was.
    now_ns: u64,
}

/// What is known of one workflow.
#[derive(Clone, Debug, Default)]
struct Facts {
    stored: Option<Arc<View>>,
    is_gone: bool,
    /// The version that the engine wrote last.
    engine_version: u64,
    /// The states that were stored, by version.
    digests: BTreeMap<u64, u64>,
    round: RoundFacts,
    attempts: BTreeMap<(Arc<str>, u32), AttemptFacts>,
    /// The attempts whose outputs were written.
    outputs: BTreeSet<(Arc<str>, Option<u32>)>,
    told: Told,
}

impl PluginProperties {
    /// The fold before any event.
    pub fn new(settings: Settings) -> PluginProperties {
        PluginProperties { settings, ..PluginProperties::default() }
    }

    /// Takes in one event at its virtual time.
    ///
    /// # Errors
    /// The first property that the event shows broken.
    pub fn observe(&mut self, at_ns: u64, event: &PluginEvent) -> Result<(), Violation> {
        self.now_ns = at_ns;
        if self.settings.is_exact {
            self.observed()?;
        }
        match event {
            PluginEvent::Stored { workflow, view } => self.stored(workflow, view),
            PluginEvent::Gone { workflow } => self.gone(workflow),
            PluginEvent::RoundStarted { workflow, version, digest, now_ns } => {
                self.facts(workflow).round_started(workflow, *version, *digest, *now_ns)
            }
            PluginEvent::RoundEnded { workflow, outcome } => self.round_ended(workflow, outcome),
            PluginEvent::Called { attempt, call, state, requires_finalizer } => {
                self.named(attempt)?;
                let live = self.outside.held_by(&attempt.workflow);
                let settings = self.settings;
                let facts = self.facts(&attempt.workflow);
                facts.called(attempt, *call, *state, *requires_finalizer, &live, settings)
            }
            PluginEvent::Returned { attempt, call, result } => {
                self.facts(&attempt.workflow).returned(attempt, *call, result)
            }
            PluginEvent::TaskRecorded { attempt, phase, version, answer } => {
                self.facts(&attempt.workflow).task_recorded(attempt, *phase, *version, *answer)
            }
            PluginEvent::NodeRecorded { workflow, node, phase, answer } => {
                self.facts(workflow).node_recorded(node, *phase, *answer)
            }
            PluginEvent::CatalogAsked { attempt, hit, disabled } => {
                self.facts(&attempt.workflow).catalog_asked(attempt, *hit, *disabled)
            }
            PluginEvent::CatalogPut { attempt, disabled } => {
                self.facts(&attempt.workflow).catalog_put(attempt, *disabled)
            }
            PluginEvent::OutputsWritten { workflow, node, number } => {
                self.facts(workflow).outputs.insert((Arc::clone(node), *number));
                Ok(())
            }
            PluginEvent::Made { what, name, workflow } => {
                let node = self.whose(name).map(|attempt| Arc::clone(&attempt.node));
                let facts = self.facts(workflow);
                // What the control plane refuses is released at once, and made again if that was not stored.
                let is_contested = node.is_some_and(|node| facts.told.is_contested(&node));
                let is_over = facts.is_over();
                self.outside.made(*what, name, workflow, is_over, is_contested)
            }
            PluginEvent::Vanished { name } => {
                self.outside.vanished(name);
                Ok(())
            }
            PluginEvent::Freed { what, name, .. } => {
                self.outside.freed(*what, name);
                Ok(())
            }
            PluginEvent::Finished { name, .. } => {
                self.finished(at_ns, name);
                Ok(())
            }
        }
    }

    /// The workflows that have not come to their end, in words.
    pub fn unfinished(&self) -> Vec<String> {
        let open = self.workflows.iter().filter(|(_, facts)| facts.stored.is_some() && !facts.is_finished());
        open.map(|(name, facts)| format!("workflow {name} is not over: {}", facts.stands())).collect()
    }

    /// What is held outside, in words.
    pub fn held(&self) -> Vec<String> {
        self.outside.all()
    }

    fn facts(&mut self, workflow: &Arc<str>) -> &mut Facts {
        self.workflows.entry(Arc::clone(workflow)).or_default()
    }

    /// The attempt that something outside is of: its name begins with the attempt's.
    fn whose(&self, name: &str) -> Option<&Attempt> {
        let of_query = || name.rsplit_once("-q").map(|(attempt, _)| attempt);
        self.names.get(name).or_else(|| self.names.get(of_query()?))
    }

    /// A name is one attempt's.
    fn named(&mut self, attempt: &Attempt) -> Result<(), Violation> {
        let known = self.names.entry(Arc::clone(&attempt.name)).or_insert_with(|| attempt.clone());
        if known == attempt {
            return Ok(());
        }
        let detail = format!(
            "the name {} is that of attempt {} of {} and of attempt {} of {}",
            attempt.name, known.number, known.node, attempt.number, attempt.node
        );
        broken("one-resource-per-name", detail)
    }

    /// That what ended outside was looked at in time.
    ///
    /// # Errors
    /// It was not.
    pub fn observed(&self) -> Result<(), Violation> {
        let at_ns = self.now_ns;
        for (workflow, facts) in self.workflows.iter().filter(|(_, facts)| !facts.is_over()) {
            for ((node, number), attempt) in &facts.attempts {
                let is_late = |then: &u64| at_ns.saturating_sub(*then) > self.settings.observe_within_ns;
                if attempt.finished_ns.filter(is_late).is_some() && !facts.has_ended(node, *number) {
                    let detail = format!(
                        "attempt {number} of {workflow}/{node} ended outside, and nobody has looked at it since"
                    );
                    return broken("observed", detail);
                }
            }
        }
        Ok(())
    }

    fn stored(&mut self, workflow: &Arc<str>, view: &Arc<View>) -> Result<(), Violation> {
        if view.phase.is_terminal() {
            self.outside.must_be_free(workflow, view.phase.name())?;
        }
        let settings = self.settings;
        self.facts(workflow).stored(workflow, view, settings)
    }

    fn gone(&mut self, workflow: &Arc<str>) -> Result<(), Violation> {
        self.outside.must_be_free(workflow, "gone")?;
        let settings = self.settings;
        self.facts(workflow).gone(workflow, settings)
    }

    fn round_ended(&mut self, workflow: &Arc<str>, outcome: &RoundOutcome) -> Result<(), Violation> {
        let settings = self.settings;
        self.facts(workflow).round_ended(workflow, outcome, settings)
    }

    /// Something ended outside, and the engine has yet to look.
    fn finished(&mut self, at_ns: u64, name: &Arc<str>) {
        let Some(attempt) = self.names.get(name).cloned() else { return };
        let key = (Arc::clone(&attempt.node), attempt.number);
        self.facts(&attempt.workflow).attempts.entry(key).or_default().finished_ns = Some(at_ns);
    }
}

impl Facts {
    /// Nothing may be held for it any more.
    fn is_over(&self) -> bool {
        self.is_gone || self.stored.as_ref().is_some_and(|view| view.phase.is_terminal())
    }

    /// Nothing happens to it any more.
    fn is_finished(&self) -> bool {
        self.is_gone
            || self
                .stored
                .as_ref()
                .is_some_and(|view| view.phase.is_terminal() && !view.deleting && !view.held)
    }

    fn stands(&self) -> String {
        let Some(view) = &self.stored else { return "it was not stored".to_owned() };
        let nodes: Vec<String> =
            view.nodes.iter().map(|(name, node)| format!("{name} {}", node.phase.name())).collect();
        let deleting = if view.deleting { ", to be deleted" } else { "" };
        format!("{}{deleting}; {}", view.phase.name(), nodes.join(", "))
    }

    /// Whether the outputs of an attempt were written.
    fn has_outputs(&self, node: &Arc<str>, number: u32) -> bool {
        [Some(number), None].into_iter().any(|number| self.outputs.contains(&(Arc::clone(node), number)))
    }

    /// Whether the end of an attempt is stored.
    fn has_ended(&self, node: &str, number: u32) -> bool {
        let Some(found) = self.stored.as_ref().and_then(|view| view.nodes.get(node)) else { return false };
        found.attempts > number || found.phase.is_terminal()
    }
}
