//! What the controller has heard of resolvers, and watch sets over it: which of them a chain was made of, and how often
//! each had changed. Separate because triggers outlive the reconciles that register them; it knows no routes.

use super::super::super::{BoxError, Change};
use crate::sync::watch;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How often each resolver was heard of, by name.
type Heard = BTreeMap<Arc<str>, u64>;

/// The resolvers as the subscription tells of them.
pub(super) struct Chains(watch::Sender<Heard>);

/// The resolvers that some chains read, each as often heard of as before it was read. One that changes later, or changed
/// between the reading and the waiting, ends the wait.
#[derive(Clone)]
pub(super) struct WatchSet {
    heard: watch::Receiver<Heard>,
    seen: Heard,
}

impl Chains {
    pub(super) fn new() -> Chains {
        Chains(watch::Sender::new(Heard::new()))
    }

    /// A change of a resolver.
    pub(super) fn hear(&self, change: &Change) {
        self.0.send_modify(|heard| *heard.entry(change.key.name.clone()).or_default() += 1);
    }

    /// A set without resolvers.
    pub(super) fn watch(&self) -> WatchSet {
        WatchSet { heard: self.0.subscribe(), seen: Heard::new() }
    }
}

impl WatchSet {
    /// Adds a resolver that is about to be read.
    pub(super) fn add(&mut self, resolver: &Arc<str>) {
        let times = self.heard.borrow().get(resolver).copied().unwrap_or(0);
        self.seen.entry(resolver.clone()).or_insert(times);
    }

    /// Waits until one of them changes.
    pub(super) async fn changed(mut self) -> Result<(), BoxError> {
        let seen = self.seen;
        let is_news =
            |heard: &Heard| seen.iter().any(|(name, times)| heard.get(name).copied().unwrap_or(0) != *times);
        let waited = self.heard.wait_for(is_news).await.map(drop);
        waited.map_err(BoxError::from)
    }
}
