//! What the collector holds of the store: a cache for each kind, as informers have. Each keeps to the order of its own
//! kind, and none knows how far another has come. Separate because the subscriptions fill the same caches that are read.

use super::model::OBJECTS;
use crate::store::{Client, Store};
use crate::systems::controller::work_queue::BoxFuture;
use crate::systems::controller::{Publisher, StorePublisher, Subscription, SubscriptionError, Topic};
use std::collections::BTreeMap;

/// The caches of one incarnation of the collector.
#[derive(Clone)]
pub(super) struct Caches(BTreeMap<&'static str, Client>);

impl Caches {
    /// Caches that have seen nothing yet.
    pub(super) fn new(store: &Store, name: &'static str) -> Caches {
        Caches(OBJECTS.into_iter().map(|kind| (kind, store.client(name))).collect())
    }

    /// The cache of a kind.
    ///
    /// # Panics
    /// When the collector does not look after that kind.
    pub(super) fn of(&self, kind: &str) -> &Client {
        self.0.get(kind).expect("the collector reads the kinds that it looks after")
    }
}

impl Publisher for Caches {
    fn subscribe<'a>(
        &'a self,
        topic: &'a Topic,
    ) -> BoxFuture<'a, Result<Box<dyn Subscription>, SubscriptionError>> {
        Box::pin(async move {
            let publisher = StorePublisher::new(self.of(&topic.kind).clone());
            publisher.subscribe(topic).await
        })
    }
}
