//! The state against a model that keeps every past state in full: whatever is done, both say the same.

use fatum::store::{Entry, Key, Op, Snapshot, Store, StoreError, Transaction};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Clone, Debug)]
enum Act {
    Commit(Vec<Part>),
    Compact(u64),
    Snapshot,
    Restore,
}

/// One operation; versions are given as what the entry has, plus something.
#[derive(Clone, Debug)]
enum Part {
    Create(u8, u8),
    Put(u8, u8),
    Update(u8, u64, u8),
    Delete(u8, Option<u64>),
    Check(u8, Option<u64>),
}

/// Value, version, creation.
type Held = BTreeMap<Key, (Value, u64, u64)>;

/// Every state since the oldest index.
#[derive(Clone)]
struct Model {
    states: BTreeMap<u64, Held>,
}

impl Model {
    fn index(&self) -> u64 {
        *self.states.keys().next_back().unwrap()
    }

    fn last(&self) -> &Held {
        self.states.values().next_back().unwrap()
    }

    /// Whether it takes effect.
    fn commit(&mut self, ops: &[Op]) -> bool {
        let index = self.index() + 1;
        let mut state = self.last().clone();
        let mut changed = false;
        for op in ops {
            let version = state.get(op.key()).map(|(_, version, _)| *version);
            let is_fine = match op {
                Op::Put { .. } => true,
                Op::Create { .. } => version.is_none(),
                Op::Update { version: expected, .. } => version == Some(*expected),
                Op::Delete { version: None, .. } => version.is_some(),
                Op::Delete { version: expected, .. } | Op::Check { version: expected, .. } => {
                    version == *expected
                }
            };
            if !is_fine {
                return false;
            }
            match op {
                Op::Put { key, value } | Op::Create { key, value } | Op::Update { key, value, .. } => {
                    let created = state.get(key).map_or(index, |(_, _, created)| *created);
                    state.insert(key.clone(), ((**value).clone(), index, created));
                    changed = true;
                }
                Op::Delete { key, .. } => {
                    state.remove(key);
                    changed = true;
                }
                Op::Check { .. } => {}
            }
        }
        if changed {
            self.states.insert(index, state);
        }
        true
    }
}

fn key(number: u8) -> Key {
    Key::new(if number < 3 { "even" } else { "odd" }, format!("e{number}"))
}

/// The operations, with versions as they are in the store.
fn ops(store: &Store, parts: &[Part]) -> Vec<Op> {
    let value = |value: &u8| Arc::new(json!(value));
    let version = |number: u8, off: u64| store.entry(key(number)).map_or(0, |entry| entry.version) + off;
    let op = |part: &Part| match part {
        Part::Create(number, new) => Op::Create { key: key(*number), value: value(new) },
        Part::Put(number, new) => Op::Put { key: key(*number), value: value(new) },
        Part::Update(number, off, new) => {
            Op::Update { key: key(*number), version: version(*number, *off), value: value(new) }
        }
        Part::Delete(number, off) => {
            Op::Delete { key: key(*number), version: off.map(|off| version(*number, off)) }
        }
        Part::Check(number, off) => {
            Op::Check { key: key(*number), version: off.map(|off| version(*number, off)) }
        }
    };
    parts.iter().map(op).collect()
}

fn held(entries: Vec<Entry>) -> Held {
    entries
        .into_iter()
        .map(|entry| (entry.key, ((*entry.value).clone(), entry.version, entry.created)))
        .collect()
}

/// The whole store at an index.
fn state_at(store: &Store, index: u64) -> Result<Held, StoreError> {
    let mut all = held(store.list_at("even", index)?.entries);
    all.extend(held(store.list_at("odd", index)?.entries));
    Ok(all)
}

fn agree(store: &Store, model: &Model) {
    assert_eq!(store.index(), model.index());
    assert_eq!(held(store.entries()), *model.last());
    for (index, state) in &model.states {
        assert_eq!(&state_at(store, *index).unwrap(), state, "at {index}");
        for number in 0..6 {
            let entry = store.entry_at(key(number), *index).unwrap().map(|entry| entry.version);
            assert_eq!(entry, state.get(&key(number)).map(|(_, version, _)| *version));
        }
    }
    let oldest = *model.states.keys().next().unwrap();
    assert_eq!(store.oldest(), oldest);
    if oldest > 0 {
        assert!(state_at(store, oldest - 1).is_err_and(|error| error.is_compacted()));
    }
}

fn parts() -> impl Strategy<Value = Part> {
    let off = || prop_oneof![4 => Just(0u64), 1 => Just(1u64)];
    let number = || 0..6u8;
    prop_oneof![
        (number(), any::<u8>()).prop_map(|(number, value)| Part::Create(number, value)),
        (number(), any::<u8>()).prop_map(|(number, value)| Part::Put(number, value)),
        (number(), off(), any::<u8>()).prop_map(|(number, off, value)| Part::Update(number, off, value)),
        (number(), proptest::option::of(off())).prop_map(|(number, off)| Part::Delete(number, off)),
        (number(), proptest::option::of(off())).prop_map(|(number, off)| Part::Check(number, off)),
    ]
}

fn acts() -> impl Strategy<Value = Act> {
    prop_oneof![
        12 => proptest::collection::vec(parts(), 1..4).prop_map(Act::Commit),
        1 => (0..20u64).prop_map(Act::Compact),
        1 => Just(Act::Snapshot),
        1 => Just(Act::Restore),
    ]
}

fn run(acts: Vec<Act>) {
    let store = Store::new();
    let mut model = Model { states: BTreeMap::from([(0, Held::new())]) };
    let mut saved: Option<(Snapshot, Held)> = None;
    for act in acts {
        match act {
            Act::Commit(parts) => {
                let ops = ops(&store, &parts);
                let transaction = ops.iter().cloned().fold(Transaction::new(), Transaction::with);
                assert_eq!(store.transact(transaction).is_ok(), model.commit(&ops), "{ops:?}");
            }
            Act::Compact(back) => {
                let to = model.index().saturating_sub(back);
                store.compact(to).unwrap();
                model.states.retain(|index, _| *index >= to);
            }
            Act::Snapshot => saved = Some((store.snapshot(), model.last().clone())),
            Act::Restore => {
                let Some((snapshot, state)) = &saved else { continue };
                store.restore(snapshot);
                model.states = BTreeMap::from([(snapshot.index(), state.clone())]);
            }
        }
        agree(&store, &model);
    }
}

proptest! {
    #![proptest_config(Config {
        cases: 200, failure_persistence: None, rng_seed: RngSeed::Fixed(7), ..Config::default()
    })]

    #[test]
    fn the_state_is_as_the_model_says(acts in proptest::collection::vec(acts(), 1..40)) {
        run(acts);
    }
}
