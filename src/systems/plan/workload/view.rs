//! The store as the world around the controller sees it: without faults, each entry read once per write.

use std::sync::Arc;

use crate::store::{Entry, Key, Store};
use crate::systems::plan::instance::{INSTANCE, Instance};
use crate::systems::plan::object::{OBJECT, Object};
use crate::systems::plan::parsed::Parsed;

/// A store and what its entries say. Clones are one.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) store: Store,
    pub(super) instances: Arc<Parsed<Instance>>,
    objects: Arc<Parsed<Object>>,
}

impl View {
    pub(super) fn new(store: Store) -> View {
        View { store, instances: Arc::default(), objects: Arc::default() }
    }

    /// An instance, if it is there.
    pub(super) fn instance(&self, name: &str) -> Option<Arc<Instance>> {
        let entry = self.store.entry(Key::new(INSTANCE, name))?;
        let read = self.instances.of(&entry);
        Some(read.unwrap_or_else(|error| panic!("{} is {}: {error}", entry.key, entry.value)))
    }

    /// The object that an entry holds, if it is one.
    pub(super) fn object(&self, entry: &Entry) -> Option<Arc<Object>> {
        self.objects.of(entry).ok()
    }

    /// All objects.
    pub(super) fn objects(&self) -> impl Iterator<Item = (Entry, Option<Arc<Object>>)> {
        self.store.list(OBJECT).into_iter().map(|entry| {
            let object = self.object(&entry);
            (entry, object)
        })
    }
}
