//! The rules of subscriptions: none dies in silence. Separate because they know neither queue nor workers.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Settings, Violation, broken, nanos};
use crate::systems::controller::record::ControllerEvent;
use crate::trace::text::time;

/// Where the subscriptions of one run are.
#[derive(Clone, Debug, Default)]
pub(super) struct SubscriptionRules {
    is_stopped: bool,
    /// By their numbers: two may have one topic.
    subscriptions: BTreeMap<u32, State>,
    /// One that ended before the stop: the run must end with its error.
    fallen: Option<Arc<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It was not opened yet, and is to be by then.
    Expected {
        by_ns: u64,
    },
    Open,
    /// It is to be open again by then.
    Shut {
        by_ns: u64,
    },
}

impl SubscriptionRules {
    pub(super) fn observe(
        &mut self,
        at_ns: u64,
        event: &ControllerEvent,
        settings: &Settings,
    ) -> Result<(), Violation> {
        let opening_ns = nanos(settings.thresholds.opening);
        match event {
            ControllerEvent::QueueStopped { .. } => self.is_stopped = true,
            ControllerEvent::RunStarted { subscriptions, .. } => {
                let by_ns = at_ns.saturating_add(opening_ns);
                self.subscriptions =
                    (0..*subscriptions).map(|number| (number, State::Expected { by_ns })).collect();
            }
            ControllerEvent::SubscriptionOpened { subscription, .. } => {
                self.subscriptions.insert(*subscription, State::Open);
            }
            ControllerEvent::SubscriptionClosed { subscription, .. } => {
                let by_ns = at_ns.saturating_add(opening_ns);
                self.subscriptions.insert(*subscription, State::Shut { by_ns });
            }
            ControllerEvent::SubscriptionWaits { subscription, topic, delay, .. } => {
                if self.subscriptions.get(subscription) == Some(&State::Open) {
                    return broken("subscription", format!("{topic} waits to be opened, and is open"));
                }
                let by_ns = at_ns.saturating_add(nanos(*delay)).saturating_add(opening_ns);
                self.subscriptions.insert(*subscription, State::Shut { by_ns });
            }
            ControllerEvent::SubscriptionSnapshot { subscription, topic, .. }
                if self.subscriptions.get(subscription) != Some(&State::Open) =>
            {
                return broken("subscription", format!("{topic} has a snapshot, and is not open"));
            }
            ControllerEvent::SubscriptionEnded { subscription, topic, .. } => {
                self.subscriptions.remove(subscription);
                if !self.is_stopped {
                    self.fallen = Some(Arc::clone(topic));
                }
            }
            ControllerEvent::RunEnded { error, .. } => return self.run_ended(error.is_some()),
            _ => {}
        }
        Ok(())
    }

    /// Nothing happened before `at_ns`.
    pub(super) fn stood(&self, at_ns: u64) -> Result<(), Violation> {
        if self.is_stopped {
            return Ok(());
        }
        if let Some(topic) = &self.fallen {
            return broken("subscription", format!("{topic} is not opened again, and the run goes on"));
        }
        for (number, state) in &self.subscriptions {
            match state {
                State::Expected { by_ns } | State::Shut { by_ns } if at_ns > *by_ns => {
                    let by = time(*by_ns);
                    return broken("subscription", format!("subscription {number} is not open by {by}"));
                }
                State::Expected { .. } | State::Shut { .. } | State::Open => {}
            }
        }
        Ok(())
    }

    fn run_ended(&mut self, has_error: bool) -> Result<(), Violation> {
        self.is_stopped = true;
        match &self.fallen {
            Some(topic) if !has_error => {
                broken("subscription", format!("{topic} ended by itself, and the run tells no error"))
            }
            Some(_) | None => {
                let mut begun =
                    self.subscriptions.iter().filter(|(_, state)| !matches!(state, State::Expected { .. }));
                match begun.next() {
                    Some((number, _)) if !has_error => {
                        broken("subscription", format!("the run ended, and subscription {number} did not"))
                    }
                    Some(_) | None => Ok(()),
                }
            }
        }
    }
}
