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
//! | `abort-complete` | of several kills all are tried, though one fails (17) |
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

use super::engine::Generation;
use super::record::{Attempt, PluginEvent, RoundOutcome, View};
use attempts::AttemptFacts;
use outside::Outside;
use rounds::RoundFacts;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use told::Told;

pub use install::{Observed, install};

/// The names of all properties.
pub const NAMES: [&str; 23] = [
    "terminal-is-final",
    "kill-only-aborting",
    "phase-monotone",
    "check-after-start",
    "one-resource-per-name",
    "attempts-counted",
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
    /// Failures of a node that the platform may use up (successor).
    pub system_failures_max: u32,
    /// How long something outside may have ended before it is looked at; none where the plan may make anything late.
    pub observe_within_ns: Option<u64>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            generation: Generation::First,
            workflow_retries_max: super::engine::WORKFLOW_RETRIES_MAX,
            system_failures_max: super::engine::Config::default().limits.system_failures_max,
            observe_within_ns: None,
        }
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
    /// The nodes whose outputs were written.
    outputs: BTreeSet<Arc<str>>,
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
        self.unobserved(at_ns)?;
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
            PluginEvent::OutputsWritten { workflow, node } => {
                self.facts(workflow).outputs.insert(Arc::clone(node));
                Ok(())
            }
            PluginEvent::Made { what, name, workflow } => {
                let facts = self.facts(workflow);
                // What the control plane refuses is released at once, and made again if that was not stored.
                let (is_over, is_contested) = (facts.is_over(), facts.told.has_conflicts());
                self.outside.made(*what, name, workflow, is_over, is_contested)
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

    fn stored(&mut self, workflow: &Arc<str>, view: &Arc<View>) -> Result<(), Violation> {
        if view.phase.is_terminal() {
            self.outside.must_be_free(workflow, view.phase.name())?;
        }
        let settings = self.settings;
        self.facts(workflow).stored(workflow, view, settings)
    }

    fn gone(&mut self, workflow: &Arc<str>) -> Result<(), Violation> {
        self.outside.must_be_free(workflow, "gone")?;
        self.facts(workflow).gone(workflow)
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

    fn unobserved(&self, at_ns: u64) -> Result<(), Violation> {
        let Some(within_ns) = self.settings.observe_within_ns else { return Ok(()) };
        for (workflow, facts) in self.workflows.iter().filter(|(_, facts)| !facts.is_over()) {
            for ((node, number), attempt) in &facts.attempts {
                let late = attempt.finished_ns.filter(|then| at_ns.saturating_sub(*then) > within_ns);
                if late.is_some() && !facts.has_ended(node, *number) {
                    let detail = format!(
                        "attempt {number} of {workflow}/{node} ended outside, and nobody has looked at it since"
                    );
                    return broken("observed", detail);
                }
            }
        }
        Ok(())
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

    /// Whether the end of an attempt is stored.
    fn has_ended(&self, node: &str, number: u32) -> bool {
        let Some(found) = self.stored.as_ref().and_then(|view| view.nodes.get(node)) else { return false };
        found.attempts > number || found.phase.is_terminal()
    }
}
