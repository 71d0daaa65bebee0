//! A store as a publisher: its watches are subscriptions. Separate because the controller knows publishers alone, and
//! the store knows no controller.

use super::publisher::{Change, Event, Payload, Publisher, Subscription, SubscriptionError, Topic};
use super::work_queue::BoxFuture;
use crate::store::{self, Client, StoreError, WatchError, WatchFrom};

/// Publishes what a client of a store can watch.
pub struct StorePublisher(Client);

impl StorePublisher {
    /// The publisher that watches as this client.
    pub fn new(client: Client) -> StorePublisher {
        StorePublisher(client)
    }
}

impl Publisher for StorePublisher {
    fn subscribe<'a>(
        &'a self,
        topic: &'a Topic,
    ) -> BoxFuture<'a, Result<Box<dyn Subscription>, SubscriptionError>> {
        Box::pin(async move {
            let watched = store::Topic { kind: topic.kind.clone(), name: topic.name.clone() };
            match self.0.watch(&watched, WatchFrom::Snapshot).await {
                Ok(watch) => Ok(Box::new(Watched(watch)) as Box<dyn Subscription>),
                Err(StoreError::UnknownTopic(_)) => Err(SubscriptionError::UnknownTopic(topic.clone())),
                Err(error) => Err(SubscriptionError::Other(std::sync::Arc::new(error))),
            }
        })
    }
}

struct Watched(store::Watch);

impl Subscription for Watched {
    fn next(&mut self) -> BoxFuture<'_, Result<Event, SubscriptionError>> {
        Box::pin(async move { self.0.next().await.map(event).map_err(error) })
    }
}

fn event(event: store::Event) -> Event {
    let payload = match event.payload {
        store::Payload::Batch(changes) => Payload::Batch(changes.into_iter().map(change).collect()),
        store::Payload::EndOfSnapshot => Payload::EndOfSnapshot,
        store::Payload::NewSnapshotToFollow => Payload::NewSnapshotToFollow,
    };
    Event { index: event.index, payload }
}

fn change(change: store::Change) -> Change {
    Change { key: change.key, value: change.value }
}

fn error(error: WatchError) -> SubscriptionError {
    match error {
        WatchError::ForceClosed => SubscriptionError::ForceClosed,
        WatchError::Unsubscribed => SubscriptionError::Cancelled,
        other => SubscriptionError::Other(std::sync::Arc::new(other)),
    }
}
