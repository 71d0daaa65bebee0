//! What there must be: computed from the user's orders alone, and from nothing that the collector has done.

use super::model::{DATABASE, Fate, ORDER, Object, Order, Owner};
use crate::store::{Key, Store};
use serde_json::Value;
use std::collections::BTreeMap;

/// The objects that there must be: the databases that are kept, what depends on them, and what was left behind.
pub(super) fn desired(store: &Store) -> BTreeMap<Key, Value> {
    let mut objects: BTreeMap<Key, Object> = BTreeMap::new();
    for entry in store.list(ORDER) {
        let order: Order = entry.parse().expect("the user writes nothing but orders here");
        order.demand(&entry.key.name, &mut objects);
    }
    let value = |object| serde_json::to_value(object).expect("an object can be stored");
    objects.into_iter().map(|(key, object)| (key, value(object))).collect()
}

impl Order {
    /// Adds what this order asks for.
    fn demand(&self, uid: &str, objects: &mut BTreeMap<Key, Object>) {
        if self.fate == Fate::Keep {
            let object = Object { uid: uid.to_owned(), ..Object::default() };
            objects.insert(Key::new(DATABASE, self.database.as_str()), object);
        }
        if self.fate == Fate::Collect {
            return;
        }
        for part in &self.parts {
            let object = objects.entry(part.key()).or_insert_with(|| part.object());
            if self.fate == Fate::Keep {
                object.owners.push(Owner { name: self.database.clone(), uid: uid.to_owned() });
            }
        }
    }
}
