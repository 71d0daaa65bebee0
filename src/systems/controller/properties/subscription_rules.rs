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
    topics: BTreeMap<Arc<str>, State>,
    /// One that ended before the stop: the run must end with its error.
    fallen: Option<Arc<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
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
            ControllerEvent::SubscriptionOpened { topic, .. } => {
                self.topics.insert(Arc::clone(topic), State::Open);
            }
            ControllerEvent::SubscriptionClosed { topic, .. } => {
                let by_ns = at_ns.saturating_add(opening_ns);
                self.topics.insert(Arc::clone(topic), State::Shut { by_ns });
            }
            ControllerEvent::SubscriptionWaits { topic, delay, .. } => {
                if self.topics.get(topic) == Some(&State::Open) {
                    return broken("subscription", format!("{topic} waits to be opened, and is open"));
                }
                let by_ns = at_ns.saturating_add(nanos(*delay)).saturating_add(opening_ns);
                self.topics.insert(Arc::clone(topic), State::Shut { by_ns });
            }
            ControllerEvent::SubscriptionSnapshot { topic, .. }
                if self.topics.get(topic) != Some(&State::Open) =>
            {
                return broken("subscription", format!("{topic} has a snapshot, and is not open"));
            }
            ControllerEvent::SubscriptionEnded { topic, .. } => {
                self.topics.remove(topic);
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
        for (topic, state) in &self.topics {
            match state {
                State::Shut { by_ns } if at_ns > *by_ns => {
                    let by = time(*by_ns);
                    return broken("subscription", format!("{topic} was closed, and is not open by {by}"));
                }
                State::Shut { .. } | State::Open => {}
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
            Some(_) | None => match self.topics.first_key_value() {
                Some((topic, _)) if !has_error => {
                    broken("subscription", format!("the run ended, and {topic} did not"))
                }
                Some(_) | None => Ok(()),
            },
        }
    }
}
