//! What the server does with single operations, transactions, compaction and restores.

use super::words;
use fatum::store::{Difference, Key, Store, StoreError, Transaction, WatchFrom};
use serde_json::json;
use std::collections::BTreeMap;

fn route(name: &str) -> Key {
    Key::new("route", name)
}

/// Names and values of the routes at an index.
fn at(store: &Store, index: u64) -> String {
    let listing = store.list_at("route", index).unwrap();
    let words = listing.into_iter().map(|entry| format!("{}={}", entry.key.name, entry.value));
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn each_write_moves_the_one_index() {
    let store = Store::new();
    assert_eq!(store.put(route("blue"), 1).unwrap(), 1);
    assert_eq!(store.put(("gate", "west"), "open").unwrap(), 2);
    assert_eq!(store.put(route("blue"), 2).unwrap(), 3);
    let entry = store.entry(route("blue")).unwrap();
    assert_eq!((entry.created, entry.version, &*entry.writer), (1, 3, "server"));
    assert_eq!(store.peek::<u32>(route("blue")), Some(2));
    assert_eq!(store.peek::<u32>(route("red")), None);
    assert_eq!(store.index(), 3);
}

#[test]
fn each_refusal_is_typed_and_says_what_to_do() {
    let store = Store::new();
    store.create(route("blue"), 1).unwrap();
    let cases = [
        (
            store.create(route("blue"), 2),
            "route/blue exists already, at version 1: read it and update it, or take another name",
        ),
        (
            store.update(route("blue"), 7, 2),
            "conflict on route/blue: version 7 was expected, and it is at 1: read it again and redo the change",
        ),
        (
            store.update(route("red"), 7, 2),
            "conflict on route/red: version 7 was expected, and it is gone: read it again and redo the change",
        ),
        (store.delete(route("red")), "there is no route/red"),
        (
            store.transact(Transaction::new().delete_at(route("blue"), 3)),
            "conflict on route/blue: version 3 was expected, and it is at 1: read it again and redo the change",
        ),
    ];
    for (result, expected) in cases {
        assert_eq!(result.unwrap_err().to_string(), expected);
    }
    assert_eq!((store.index(), at(&store, 1).as_str()), (1, "blue=1"));
    assert!(store.update(route("blue"), 7, 2).is_err_and(|error| error.is_conflict()));
    assert!(store.create(route("blue"), 2).is_err_and(|error| error.is_already_exists()));
    assert!(store.delete(route("red")).is_err_and(|error| error.is_not_found()));
}

#[test]
fn a_value_that_is_no_json_is_refused() {
    let store = Store::new();
    let odd: BTreeMap<Vec<u8>, u8> = BTreeMap::from([(vec![1], 1)]);
    let error = store.put(route("blue"), odd).unwrap_err();
    assert!(matches!(&error, StoreError::Value { key, .. } if *key == route("blue")), "{error}");
    assert_eq!(store.index(), 0);
}

#[test]
fn a_transaction_is_one_step_or_none() {
    let store = Store::new();
    let all = Transaction::new().create(route("blue"), 1).create(route("red"), 2).put(("gate", "west"), 3);
    assert_eq!(store.transact(all).unwrap(), 1);
    let versions = store.entries().into_iter().map(|entry| entry.version);
    assert_eq!(versions.collect::<Vec<_>>(), [1, 1, 1]);

    let stumbles = Transaction::new()
        .put(route("blue"), 9)
        .delete(route("red"))
        .put(route("green"), 9)
        .update(("gate", "west"), 7, 9);
    assert!(store.transact(stumbles).is_err_and(|error| error.is_conflict()));
    assert_eq!((store.index(), at(&store, 1).as_str()), (1, "blue=1 red=2"));
    assert_eq!(store.since(0).unwrap().len(), 3);
    assert_eq!((store.ledger().creates.len(), store.ledger().deletes.len()), (3, 0));
}

#[test]
fn later_operations_of_a_transaction_see_the_earlier() {
    let store = Store::new();
    let twice = Transaction::new().create(route("blue"), 1).put(route("blue"), 2).delete(route("blue"));
    assert_eq!(store.transact(twice).unwrap(), 1);
    assert_eq!((store.entry(route("blue")), at(&store, 0).as_str()), (None, ""));
    let again = Transaction::new().create(route("blue"), 1).create(route("blue"), 2);
    assert!(store.transact(again).is_err_and(|error| error.is_already_exists()));
    assert_eq!(store.entry(route("blue")), None);
}

#[test]
fn checks_fence_a_transaction_and_change_nothing() {
    let store = Store::new();
    let lease = store.create(("lease", "leader"), "a").unwrap();
    let fenced = || Transaction::new().check(("lease", "leader"), Some(lease)).put(route("blue"), 1);
    store.transact(fenced()).unwrap();
    store.update(("lease", "leader"), lease, "b").unwrap();
    assert!(store.transact(fenced()).is_err_and(|error| error.is_conflict()));
    assert_eq!(store.transact(Transaction::new().check(route("red"), None)).unwrap(), 3);
    let absent = Transaction::new().check(route("blue"), None).put(route("red"), 1);
    assert!(store.transact(absent).is_err_and(|error| error.is_already_exists()));
    assert_eq!(store.transact(Transaction::new()).unwrap(), 3);
}

#[test]
fn the_past_can_be_read_until_it_is_compacted() {
    let store = Store::new();
    store.put(route("blue"), 1).unwrap();
    store.put(route("red"), 2).unwrap();
    store.put(route("blue"), 3).unwrap();
    store.delete(route("red")).unwrap();
    let states = ["", "blue=1", "blue=1 red=2", "blue=3 red=2", "blue=3"];
    for (index, expected) in (0..).zip(states) {
        assert_eq!(at(&store, index), expected, "at {index}");
    }
    assert_eq!(store.entry_at(route("blue"), 2).unwrap().unwrap().version, 1);

    store.compact(2).unwrap();
    assert_eq!((store.oldest(), at(&store, 2), at(&store, 4)), (2, states[2].into(), states[4].into()));
    let gone = StoreError::Compacted { asked: 1, oldest: 2 };
    assert_eq!(store.list_at("route", 1), Err(gone.clone()));
    assert_eq!(store.entry_at(route("blue"), 1), Err(gone.clone()));
    assert_eq!(store.watch("route", WatchFrom::Index(1)).err(), Some(gone.clone()));
    assert_eq!(gone.to_string(), "index 1 was compacted, the oldest is 2: list again and watch from there");
    assert_eq!(store.compact(9), Err(StoreError::Ahead { asked: 9, index: 4 }));
    store.compact(1).unwrap();
    assert_eq!(store.oldest(), 2, "a compaction does not bring the past back");
}

#[test]
fn the_history_is_bounded_and_forgets_transactions_whole() {
    let store = Store::new();
    store.set_history(3);
    for number in 1..=3 {
        let pair = Transaction::new().put(route("blue"), number).put(route("red"), number);
        store.transact(pair).unwrap();
    }
    assert_eq!((store.oldest(), store.since(2).unwrap().len()), (2, 2));
    assert_eq!(at(&store, 2), "blue=2 red=2");
}

#[test]
fn a_restore_leads_back_and_the_index_goes_down() {
    let store = Store::new();
    store.put(route("blue"), 1).unwrap();
    let snapshot = store.snapshot();
    store.put(route("red"), 2).unwrap();
    store.put(route("blue"), 3).unwrap();
    store.restore(&snapshot);
    assert_eq!((store.index(), store.oldest(), at(&store, 1)), (1, 1, "blue=1".into()));
    assert!(store.list_at("route", 0).is_err_and(|error| error.is_compacted()));
    let ahead = store.watch("route", WatchFrom::Index(3)).err().unwrap();
    assert_eq!(
        ahead.to_string(),
        "index 3 is ahead of the store, which is at 1: it was restored; list again"
    );
    assert_eq!(store.put(route("blue"), 4).unwrap(), 2, "indexes are used again");
    let missing = store.differences(&BTreeMap::from([(route("red"), json!(2))]), &["route"]);
    let words: Vec<String> = missing.iter().map(Difference::to_string).collect();
    assert_eq!(words.len(), 2);
    assert!(words[1].starts_with("route/red is missing: deleted by a restore at "), "{words:?}");
}

#[test]
fn differences_name_the_entry_its_last_writer_and_the_time() {
    let store = fatum::Sim::new(0).store();
    store.put(route("blue"), 1).unwrap();
    store.put(route("red"), 2).unwrap();
    store.put(route("green"), 3).unwrap();
    store.put(("gate", "west"), 4).unwrap();
    store.delete(route("green")).unwrap();
    let expected = [("blue", 1), ("red", 7), ("green", 3), ("white", 5)];
    let mut expected: BTreeMap<Key, _> =
        expected.into_iter().map(|(name, value)| (route(name), json!(value))).collect();
    expected.insert(Key::new("lease", "leader"), json!("of a kind that was not asked for"));
    let words = |kinds: &[&str]| {
        store.differences(&expected, kinds).iter().map(Difference::to_string).collect::<Vec<_>>()
    };
    let routes = [
        "route/green is missing: deleted by server at 0ns, index 5",
        "route/red is 2 and should be 7: written by server at 0ns, index 2",
        "route/white is missing: it was never written",
    ];
    assert_eq!(words(&["route"]), routes);
    let gates = ["gate/west should not be there: written by server at 0ns, index 4"];
    assert_eq!(words(&["gate", "route"]), [&gates[..], &routes[..]].concat());
}

#[test]
fn the_ledger_counts_creates_and_deletes_in_any_order() {
    let (left, right) = (Store::new(), Store::new());
    for (store, names) in [(&left, ["blue", "red"]), (&right, ["red", "blue"])] {
        for name in names {
            store.create(route(name), 1).unwrap();
            store.put(route(name), 2).unwrap();
        }
        store.delete(route("blue")).unwrap();
    }
    assert_eq!(left.ledger(), right.ledger());
    right.compact(right.index()).unwrap();
    right.create(route("blue"), 1).unwrap();
    let differences = left.ledger().differences(&right.ledger());
    assert_eq!(differences, ["route/blue created 2x instead of 1x"]);
}

#[test]
fn a_watch_of_the_server_hears_everything() {
    let store = Store::new();
    store.put(route("blue"), 1).unwrap();
    let mut sim = fatum::Sim::new(0);
    let server = store.clone();
    sim.run(async move {
        let mut watch = server.watch("route", WatchFrom::Snapshot).unwrap();
        server.put(route("red"), 2).unwrap();
        let mut heard = Vec::new();
        for _ in 0..3 {
            heard.push(words(&watch.next().await.unwrap()));
        }
        assert_eq!(heard, ["1: blue=1", "1: end of snapshot", "2: red=2"]);
    });
    assert!(sim.finish().end.is_passed());
    assert_eq!(store.watches(), 0);
}
