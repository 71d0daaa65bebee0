//! A publisher that also tells what was deleted while nobody listened: a store's snapshot names what is there, and a
//! deletion that was missed is in none. Separate because it stands between any publisher and any controller.

use super::super::super::{BoxFuture, Change, Event, Payload, Publisher, Subscription};
use super::super::super::{SubscriptionError, Topic};
use crate::store::Key;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// The entries that the subscriptions to each topic told of, as far as each has heard.
#[derive(Clone, Default)]
pub(super) struct Known(Arc<Mutex<BTreeMap<Topic, BTreeSet<Key>>>>);

/// The publisher.
pub(super) struct Reflector<P> {
    publisher: P,
    known: Known,
}

struct Reflected {
    subscription: Box<dyn Subscription>,
    topic: Topic,
    known: Known,
    /// The snapshot is under way.
    is_opening: bool,
    /// What comes next already.
    held: Option<Event>,
}

impl Known {
    /// Whether an entry is there, as far as was heard.
    pub(super) fn holds(&self, key: &Key) -> bool {
        self.with(|known| known.iter().any(|(topic, keys)| topic.covers(key) && keys.contains(key)))
    }

    /// The snapshot of a topic: what it lacks is deleted.
    fn replace(&self, topic: &Topic, present: BTreeSet<Key>) -> Vec<Change> {
        let before = self.with(|known| known.insert(topic.clone(), present.clone()).unwrap_or_default());
        let missing = before.into_iter().filter(|key| !present.contains(key));
        missing.map(|key| Change { key, value: None }).collect()
    }

    fn hear(&self, topic: &Topic, change: &Change) {
        self.with(|known| {
            let keys = known.entry(topic.clone()).or_default();
            match change.value {
                Some(_) => keys.insert(change.key.clone()),
                None => keys.remove(&change.key),
            }
        });
    }

    fn with<R>(&self, act: impl FnOnce(&mut BTreeMap<Topic, BTreeSet<Key>>) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<P: Publisher> Reflector<P> {
    pub(super) fn new(publisher: P, known: Known) -> Reflector<P> {
        Reflector { publisher, known }
    }
}

impl<P: Publisher> Publisher for Reflector<P> {
    fn subscribe<'a>(
        &'a self,
        topic: &'a Topic,
    ) -> BoxFuture<'a, Result<Box<dyn Subscription>, SubscriptionError>> {
        Box::pin(async move {
            let subscription = self.publisher.subscribe(topic).await?;
            let (topic, known) = (topic.clone(), self.known.clone());
            let reflected = Reflected { subscription, topic, known, is_opening: true, held: None };
            Ok(Box::new(reflected) as Box<dyn Subscription>)
        })
    }
}

impl Subscription for Reflected {
    fn next(&mut self) -> BoxFuture<'_, Result<Event, SubscriptionError>> {
        Box::pin(async move {
            if let Some(event) = self.held.take() {
                return Ok(event);
            }
            let event = self.subscription.next().await?;
            Ok(if self.is_opening { self.open(event) } else { self.pass(event) })
        })
    }
}

impl Reflected {
    /// The first event of a snapshot: all that is there, or its end when nothing is.
    fn open(&mut self, event: Event) -> Event {
        self.is_opening = false;
        let index = event.index;
        let mut changes = match event.payload {
            Payload::Batch(changes) => changes,
            other => {
                self.held = Some(Event { index, payload: other });
                Vec::new()
            }
        };
        let present = changes.iter().map(|change| change.key.clone()).collect();
        changes.extend(self.known.replace(&self.topic, present));
        match self.held.take() {
            Some(end) if changes.is_empty() => end,
            end => {
                self.held = end;
                Event { index, payload: Payload::Batch(changes) }
            }
        }
    }

    fn pass(&mut self, event: Event) -> Event {
        match &event.payload {
            Payload::Change(change) => self.known.hear(&self.topic, change),
            Payload::Batch(changes) => {
                changes.iter().for_each(|change| self.known.hear(&self.topic, change));
            }
            Payload::NewSnapshotToFollow => self.is_opening = true,
            Payload::EndOfSnapshot | Payload::Unknown(_) => {}
        }
        event
    }
}
