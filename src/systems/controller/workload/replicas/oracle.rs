//! What there must be, computed from the sets alone. It must not look at what leaders did.

use super::kinds::{Held, POD, Pod, SET, STATUS, Set, Status, pod_name};
use crate::store::{Key, Store};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The pods and statuses that the sets in a store ask for.
pub(super) fn desired(store: &Store) -> BTreeMap<Key, Value> {
    let mut desired = BTreeMap::new();
    for entry in store.list(SET) {
        let set = Held::<Set>::of(&entry).value;
        let name = &*entry.key.name;
        let pods: Vec<String> = (0..set.count).map(|index| pod_name(name, index)).collect();
        for pod in &pods {
            let value = Pod { set: name.to_owned(), uid: set.uid, template: set.template, ready: true };
            desired.insert(Key::new(POD, pod.as_str()), json(&value));
        }
        let status = Status { uid: set.uid, template: set.template, ready: set.count, pods };
        desired.insert(Key::new(STATUS, name), json(&status));
    }
    desired
}

fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).expect("numbers, texts and lists are JSON")
}
