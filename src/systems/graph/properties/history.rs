//! What has happened in a run so far, and the properties that one event can break. Separate from the judgement at
//! the end, which reads it; it must not know the outcome.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Punctuality, Violation, broken};
use crate::systems::graph::record::{GraphEvent, RunSettings};
use crate::trace::text::time;

/// How an action ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Well,
    Badly,
    Dropped,
}

/// What one action did so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    pub(super) name: Arc<str>,
    pub(super) wants: BTreeSet<Arc<str>>,
    pub(super) emits: Arc<[Arc<str>]>,
    pub(super) missing: BTreeSet<Arc<str>>,
    pub(super) is_gated: bool,
    pub(super) is_restored: bool,
    pub(super) started_ns: Option<u64>,
    pub(super) ended: Option<Ended>,
    /// When that became known.
    ended_ns: u64,
    pub(super) is_recorded: bool,
    accepted: BTreeSet<Arc<str>>,
    receivers: Vec<u32>,
    attempts: Attempts,
}

#[derive(Clone, Debug, Default)]
struct Attempts {
    made: u32,
    failed: u32,
    asked: u32,
    not_before_ns: u64,
    gave_up: bool,
}

/// A run so far.
#[derive(Clone, Debug)]
pub(super) struct History {
    pub(super) settings: Arc<RunSettings>,
    pub(super) punctuality: Punctuality,
    pub(super) start_ns: u64,
    pub(super) now_ns: u64,
    pub(super) actions: BTreeMap<u32, Past>,
    pub(super) emitted: BTreeSet<Arc<str>>,
    /// What came from no action of this run.
    pub(super) given: BTreeSet<Arc<str>>,
    /// When the first action failed.
    pub(super) failed_ns: Option<u64>,
    /// When the last action ended, or the run began.
    pub(super) last_end_ns: u64,
    pub(super) stop: Option<(u64, &'static str)>,
    pub(super) given_up_cancelled: Option<bool>,
    pub(super) ends_traced: u32,
    said: BTreeSet<(u32, Arc<str>)>,
    waiters: BTreeMap<Arc<str>, Vec<u32>>,
    ready: BTreeSet<u32>,
    in_flight: u32,
}

impl History {
    pub(super) fn new(settings: Arc<RunSettings>, start_ns: u64, punctuality: Punctuality) -> Self {
        History {
            settings,
            punctuality,
            start_ns,
            now_ns: start_ns,
            actions: BTreeMap::new(),
            emitted: BTreeSet::new(),
            given: BTreeSet::new(),
            failed_ns: None,
            last_end_ns: start_ns,
            stop: None,
            given_up_cancelled: None,
            ends_traced: 0,
            said: BTreeSet::new(),
            waiters: BTreeMap::new(),
            ready: BTreeSet::new(),
            in_flight: 0,
        }
    }

    pub(super) fn deadline_ns(&self) -> u64 {
        self.settings.limit_ns.map_or(u64::MAX, |limit| self.start_ns.saturating_add(limit))
    }

    /// Who has started and not ended.
    pub(super) fn standing(&self) -> String {
        let in_flight =
            self.actions.values().filter(|past| past.started_ns.is_some() && past.ended.is_none());
        let names: Vec<&str> = in_flight.map(|past| &*past.name).collect();
        format!("in flight: [{}], runnable: {}", names.join(", "), self.ready.len())
    }

    /// Moves the clock; what stood still in between had no reason to change.
    pub(super) fn advance(&mut self, at_ns: u64) -> Result<(), Violation> {
        let stood_ns = std::mem::replace(&mut self.now_ns, at_ns);
        let is_judged = at_ns > stood_ns && self.punctuality == Punctuality::Exact;
        let has_stopped = self.stop.is_some() || (self.settings.stop_on_error && self.failed_ns.is_some());
        let is_open = !has_stopped && stood_ns < self.deadline_ns();
        if !is_judged || !is_open || self.in_flight >= self.settings.workers {
            return Ok(());
        }
        match self.ready.first() {
            None => Ok(()),
            Some(action) => {
                let (name, idle) = (self.name(*action), self.settings.workers - self.in_flight);
                broken(
                    "work-conserving",
                    format!(
                        "{name} was runnable and {idle} workers idle from {} to {}",
                        time(stood_ns),
                        time(at_ns)
                    ),
                )
            }
        }
    }

    /// Takes in one event.
    pub(super) fn observe(&mut self, at_ns: u64, event: &GraphEvent) -> Result<(), Violation> {
        match event {
            GraphEvent::Declared { action, name, wants, emits, gated, restored } => {
                let past = Past {
                    name: Arc::clone(name),
                    wants: wants.iter().cloned().collect(),
                    emits: Arc::clone(emits),
                    is_gated: *gated,
                    is_restored: *restored,
                    ..Past::default()
                };
                self.declared(*action, past);
                Ok(())
            }
            GraphEvent::Started { action } => self.started(at_ns, *action),
            GraphEvent::Finished { action, error } => {
                let how = if error.is_none() { Ended::Well } else { Ended::Badly };
                self.ended(at_ns, *action, how)?;
                self.policy_was_asked(*action, error.as_deref())
            }
            GraphEvent::Abandoned { action } => self.ended(at_ns, *action, Ended::Dropped),
            GraphEvent::Emitted { action, event } => {
                self.emitted(*action, event);
                Ok(())
            }
            GraphEvent::Signalled { from, event, to } => self.signalled(*from, event, *to),
            GraphEvent::Recorded { action, start_ns, end_ns, signalled } => {
                self.recorded(*action, *start_ns, *end_ns, signalled)
            }
            GraphEvent::Attempt { action, attempt, cancelled } => {
                self.attempt(at_ns, *action, *attempt, *cancelled)
            }
            GraphEvent::AttemptFailed { action, attempt } => {
                self.past(*action).attempts.failed = *attempt;
                Ok(())
            }
            GraphEvent::PolicyAsked { action, attempt, delay_ns } => {
                self.policy_asked(at_ns, *action, *attempt, *delay_ns)
            }
            GraphEvent::Effect { op, object } if self.settings.dry_run => {
                broken("dry-run", format!("a dry run did {op} {object}"))
            }
            GraphEvent::Stopped { cause } => {
                self.stop = Some((at_ns, cause));
                Ok(())
            }
            GraphEvent::OrphansGivenUp { cancelled } => {
                self.given_up_cancelled = Some(*cancelled);
                Ok(())
            }
            GraphEvent::TraceFinished => {
                self.ends_traced += 1;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn name(&self, action: u32) -> Arc<str> {
        self.actions.get(&action).map_or_else(|| "?".into(), |past| Arc::clone(&past.name))
    }

    fn past(&mut self, action: u32) -> &mut Past {
        self.actions.entry(action).or_default()
    }

    fn declared(&mut self, action: u32, mut past: Past) {
        past.missing = past.wants.difference(&self.emitted).cloned().collect();
        if past.missing.is_empty() && !past.is_gated && !past.is_restored {
            self.ready.insert(action);
        }
        for event in &past.missing {
            self.waiters.entry(Arc::clone(event)).or_default().push(action);
        }
        self.actions.insert(action, past);
    }

    fn started(&mut self, at_ns: u64, action: u32) -> Result<(), Violation> {
        let name = self.name(action);
        let (stop, deadline_ns) = (self.stop, self.deadline_ns());
        self.ready.remove(&action);
        self.in_flight += 1;
        let past = self.past(action);
        let is_first = past.started_ns.replace(at_ns).is_none() && !past.is_restored;
        let missing = past.missing.first().cloned().filter(|_| !past.is_gated);
        if !is_first {
            return broken("at-most-once", format!("{name} was started twice"));
        }
        if let Some((stopped_ns, cause)) = stop {
            return broken(
                "stop",
                format!("{name} was started after the stop at {} ({cause})", time(stopped_ns)),
            );
        }
        if self.stops_by_failure(at_ns) {
            return broken("stop", format!("{name} was started after a failure that stops the run"));
        }
        if at_ns >= deadline_ns {
            return broken("stop", format!("{name} was started at {}, past the deadline", time(at_ns)));
        }
        if let Some(event) = missing {
            return broken(
                "causality",
                format!("{name} was started and no successful action emitted {event}"),
            );
        }
        let (in_flight, workers) = (self.in_flight, self.settings.workers);
        if in_flight > workers {
            return broken(
                "concurrency-cap",
                format!("{in_flight} in flight with {workers} workers: {name}"),
            );
        }
        Ok(())
    }

    /// A failure has stopped the run although nobody has said so yet. With several workers another one may have been
    /// about to start when the failure became known, but not for longer than that instant.
    fn stops_by_failure(&self, at_ns: u64) -> bool {
        let Some(failed_ns) = self.failed_ns.filter(|_| self.settings.stop_on_error) else { return false };
        let is_later = at_ns > failed_ns && self.punctuality == Punctuality::Exact;
        is_later || self.settings.workers == 1
    }

    fn ended(&mut self, at_ns: u64, action: u32, how: Ended) -> Result<(), Violation> {
        let name = self.name(action);
        self.last_end_ns = at_ns;
        let past = self.past(action);
        let gave_up = past.attempts.gave_up;
        let was_in_flight = past.started_ns.is_some() && past.ended.replace(how).is_none();
        past.ended_ns = at_ns;
        if !was_in_flight {
            return broken("at-most-once", format!("{name} ended and was not in flight"));
        }
        self.in_flight = self.in_flight.saturating_sub(1);
        if how == Ended::Badly {
            self.failed_ns.get_or_insert(at_ns);
        }
        if gave_up && how == Ended::Well {
            return broken("retry", format!("{name} ended well although its policy gave up on an error"));
        }
        Ok(())
    }

    /// The policy was asked about every failure, unless the question itself ended in a panic.
    fn policy_was_asked(&self, action: u32, error: Option<&str>) -> Result<(), Violation> {
        let Some(past) = self.actions.get(&action) else { return Ok(()) };
        let is_asked = past.attempts.asked >= past.attempts.failed;
        if is_asked || error.is_some_and(|error| error.starts_with("panicked: ")) {
            return Ok(());
        }
        broken("retry", format!("{} ended and its policy was not asked about its failure", past.name))
    }

    /// Counts the event as come if it comes from a success, or failures may signal.
    fn emitted(&mut self, action: u32, event: &Arc<str>) {
        self.said.insert((action, Arc::clone(event)));
        let counts = match self.actions.get(&action) {
            None => true,
            Some(past) => {
                past.is_restored || past.ended == Some(Ended::Well) || self.settings.signal_on_error
            }
        };
        if self.actions.get(&action).is_none_or(|past| past.is_restored) {
            self.given.insert(Arc::clone(event));
        }
        if !counts || !self.emitted.insert(Arc::clone(event)) {
            return;
        }
        for waiter in self.waiters.remove(event).unwrap_or_default() {
            let past = self.past(waiter);
            past.missing.remove(event);
            if past.missing.is_empty() && past.started_ns.is_none() && !past.is_gated && !past.is_restored {
                self.ready.insert(waiter);
            }
        }
    }

    fn signalled(&mut self, from: u32, event: &Arc<str>, to: u32) -> Result<(), Violation> {
        let (sender, receiver) = (self.name(from), self.name(to));
        let was_said = self.said.contains(&(from, Arc::clone(event)));
        self.past(from).receivers.push(to);
        let past = self.past(to);
        let problem = if !was_said {
            Some("was not emitted by it")
        } else if !past.wants.contains(event) {
            Some("is not waited for")
        } else if !past.accepted.insert(Arc::clone(event)) {
            Some("had been accepted before")
        } else {
            None
        };
        match problem {
            None => Ok(()),
            Some(problem) => broken(
                "signal-multiplicity",
                format!("{sender} signalled {event} to {receiver}, but it {problem}"),
            ),
        }
    }

    fn recorded(
        &mut self,
        action: u32,
        start_ns: u64,
        end_ns: u64,
        signalled: &[u32],
    ) -> Result<(), Violation> {
        let (name, run_start_ns, is_exact) =
            (self.name(action), self.start_ns, self.punctuality == Punctuality::Exact);
        let past = self.past(action);
        let problem = if past.ended.is_none() {
            "it had not ended"
        } else if std::mem::replace(&mut past.is_recorded, true) {
            "it had been recorded before"
        } else if start_ns > end_ns
            || past.started_ns != Some(run_start_ns + start_ns)
            || run_start_ns + end_ns > past.ended_ns
            || (is_exact && run_start_ns + end_ns < past.ended_ns)
        {
            "its times are not true"
        } else if past.receivers != signalled {
            "its signals are not true"
        } else {
            return Ok(());
        };
        broken("trace", format!("{name} was recorded, but {problem}"))
    }

    fn attempt(&mut self, at_ns: u64, action: u32, attempt: u32, cancelled: bool) -> Result<(), Violation> {
        let name = self.name(action);
        let attempts = &mut self.past(action).attempts;
        let problem = if cancelled {
            "the cancel could be seen".to_owned()
        } else if attempt != attempts.made + 1 {
            format!("attempt {} was the last one", attempts.made)
        } else if attempts.asked != attempts.made || attempts.gave_up {
            "the policy did not say so".to_owned()
        } else if at_ns < attempts.not_before_ns {
            format!("the delay ends at {}", time(attempts.not_before_ns))
        } else {
            attempts.made = attempt;
            return Ok(());
        };
        broken("retry", format!("attempt {attempt} of {name} began at {}, but {problem}", time(at_ns)))
    }

    fn policy_asked(
        &mut self,
        at_ns: u64,
        action: u32,
        attempt: u32,
        delay_ns: Option<u64>,
    ) -> Result<(), Violation> {
        let name = self.name(action);
        let attempts = &mut self.past(action).attempts;
        if attempts.failed != attempt || attempts.asked + 1 != attempt {
            let detail = format!("the policy of {name} was asked about attempt {attempt} out of turn");
            return broken("retry", detail);
        }
        attempts.asked = attempt;
        attempts.gave_up = delay_ns.is_none();
        attempts.not_before_ns = at_ns.saturating_add(delay_ns.unwrap_or(0));
        Ok(())
    }
}
