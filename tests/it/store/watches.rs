//! Watches: snapshot and frame, one batch a transaction, closing from either side, missed events, and no leftovers.

use super::{MS, Script, plain, run, scripted, words};
use fatum::fault::{FaultKind, FaultRule};
use fatum::runtime::{Budget, End};
use fatum::store::{Key, LAG_MAX, Latency, StoreError, Topic, Transaction, Watch, WatchFrom};
use fatum::time::{Duration, timeout};
use fatum::{Sim, task};

async fn heard(watch: &mut Watch, events: usize) -> Vec<String> {
    let mut heard = Vec::new();
    for _ in 0..events {
        heard.push(words(&watch.next().await.expect("it is open")));
    }
    heard
}

#[test]
fn a_snapshot_is_one_batch_and_framed_and_live_events_follow() {
    plain(|client, store| async move {
        store.put(("route", "red"), 1).unwrap();
        store.put(("route", "blue"), 2).unwrap();
        store.put(("gate", "west"), 3).unwrap();
        let mut watch = client.watch("route", WatchFrom::Snapshot).await.unwrap();
        store.put(("gate", "west"), 4).unwrap();
        store.put(("route", "red"), 5).unwrap();
        store.delete(("route", "blue")).unwrap();
        let expected = ["3: blue=2 red=1", "3: end of snapshot", "5: red=5", "6: blue-"];
        assert_eq!(heard(&mut watch, 4).await, expected);
        let mut empty = client.watch("lease", WatchFrom::Snapshot).await.unwrap();
        assert_eq!(heard(&mut empty, 1).await, ["6: end of snapshot"]);
    });
}

#[test]
fn a_watch_of_one_entry_hears_of_it_alone() {
    plain(|client, store| async move {
        store.put(("route", "red"), 1).unwrap();
        store.put(("route", "blue"), 2).unwrap();
        let key = Key::new("route", "blue");
        let mut watch = client.watch(key.clone(), WatchFrom::Snapshot).await.unwrap();
        assert_eq!(watch.topic().to_string(), "route/blue");
        store.put(("route", "red"), 3).unwrap();
        store.put(key, 4).unwrap();
        assert_eq!(heard(&mut watch, 3).await, ["2: blue=2", "2: end of snapshot", "4: blue=4"]);
    });
}

#[test]
fn a_transaction_is_one_batch_per_topic() {
    plain(|client, store| async move {
        let mut routes = client.watch("route", WatchFrom::Index(0)).await.unwrap();
        let mut gates = client.watch("gate", WatchFrom::Index(0)).await.unwrap();
        let mixed = Transaction::new()
            .put(("route", "red"), 1)
            .put(("gate", "west"), 2)
            .put(("route", "blue"), 3)
            .delete(("route", "red"));
        client.transact(mixed).await.unwrap();
        client.put(("route", "red"), 4).await.unwrap();
        assert_eq!(heard(&mut routes, 2).await, ["1: red=1 blue=3 red-", "2: red=4"]);
        assert_eq!(heard(&mut gates, 1).await, ["1: west=2"]);
        // The same from the log.
        let mut late = store.watch("route", WatchFrom::Index(0)).unwrap();
        assert_eq!(heard(&mut late, 2).await, ["1: red=1 blue=3 red-", "2: red=4"]);
    });
}

#[test]
fn a_watch_goes_on_from_an_index_or_from_a_new_snapshot() {
    plain(|client, store| async move {
        for number in 1..=4 {
            store.put(("route", "red"), number).unwrap();
        }
        let mut watch = client.watch("route", WatchFrom::Index(2)).await.unwrap();
        assert_eq!(heard(&mut watch, 2).await, ["3: red=3", "4: red=4"]);
        let mut resumed = client.watch("route", WatchFrom::Resume(3)).await.unwrap();
        assert_eq!(heard(&mut resumed, 1).await, ["4: red=4"]);
        store.compact(3).unwrap();
        let error = client.watch("route", WatchFrom::Index(2)).await.unwrap_err();
        assert_eq!(error, StoreError::Compacted { asked: 2, oldest: 3 });
        let mut resumed = client.watch("route", WatchFrom::Resume(2)).await.unwrap();
        let expected = ["4: new snapshot", "4: red=4", "4: end of snapshot"];
        assert_eq!(heard(&mut resumed, 3).await, expected);
        assert!(client.watch("route", WatchFrom::Index(9)).await.is_err());
    });
}

#[test]
fn an_unknown_topic_is_refused_when_the_kinds_are_known() {
    plain(|client, store| async move {
        client.watch("anything", WatchFrom::Snapshot).await.unwrap();
        store.set_kinds(["route", "gate"]);
        client.watch("route", WatchFrom::Snapshot).await.unwrap();
        let error = client.watch("rout", WatchFrom::Snapshot).await.unwrap_err();
        assert_eq!(error.to_string(), "unknown topic rout");
        let error = client.watch(Key::new("rout", "x"), WatchFrom::Snapshot).await.unwrap_err();
        assert_eq!(error, StoreError::UnknownTopic("rout/x".to_owned()));
    });
}

#[test]
fn a_forced_close_is_heard_at_once_and_for_ever() {
    plain(|client, store| async move {
        let mut routes = client.watch("route", WatchFrom::Snapshot).await.unwrap();
        let mut gates = client.watch("gate", WatchFrom::Snapshot).await.unwrap();
        store.put(("route", "red"), 1).unwrap();
        store.force_close(Some(&Topic::kind("route")));
        for _ in 0..2 {
            let error = routes.next().await.unwrap_err();
            assert!(error.is_force_closed());
            assert_eq!(
                error.to_string(),
                "subscription closed by server, client must reset state and resubscribe"
            );
        }
        assert_eq!(heard(&mut gates, 1).await, ["0: end of snapshot"]);
        let waiting = task::spawn(async move { gates.next().await });
        fatum::time::sleep(MS).await;
        store.force_close(None);
        assert!(waiting.await.unwrap().unwrap_err().is_force_closed());
        assert_eq!(store.watches(), 1);
    });
}

#[test]
fn a_restore_closes_every_watch_and_a_new_one_begins_at_the_lower_index() {
    plain(|client, store| async move {
        store.put(("route", "red"), 1).unwrap();
        let snapshot = store.snapshot();
        store.put(("route", "red"), 2).unwrap();
        let mut watch = client.watch("route", WatchFrom::Snapshot).await.unwrap();
        assert_eq!(heard(&mut watch, 2).await, ["2: red=2", "2: end of snapshot"]);
        store.restore(&snapshot);
        assert!(watch.next().await.unwrap_err().is_force_closed());
        let mut watch = client.watch("route", WatchFrom::Snapshot).await.unwrap();
        store.put(("route", "red"), 3).unwrap();
        assert_eq!(heard(&mut watch, 3).await, ["1: red=1", "1: end of snapshot", "2: red=3"]);
    });
}

#[test]
fn an_own_close_wakes_whoever_waits() {
    plain(|client, _| async move {
        let mut watch = client.watch("route", WatchFrom::Index(0)).await.unwrap();
        let closer = watch.closer();
        let waiting = task::spawn(async move { watch.next().await });
        fatum::time::sleep(MS).await;
        closer.unsubscribe();
        let error = waiting.await.unwrap().unwrap_err();
        assert_eq!(error.to_string(), "subscription was closed by unsubscribe");
        closer.unsubscribe();
    });
}

#[test]
fn a_watch_that_lags_behind_a_compaction_is_closed() {
    plain(|client, store| async move {
        let mut lagging = client.watch("route", WatchFrom::Index(0)).await.unwrap();
        let mut elsewhere = client.watch("gate", WatchFrom::Index(0)).await.unwrap();
        store.put(("route", "red"), 1).unwrap();
        store.compact(1).unwrap();
        let error = lagging.next().await.unwrap_err();
        assert!(error.is_missed(), "{error}");
        assert_eq!(
            error.to_string(),
            "the watch of route lags behind a compaction, the oldest index is 1: list again"
        );
        store.put(("gate", "west"), 1).unwrap();
        assert_eq!(heard(&mut elsewhere, 1).await, ["2: west=1"]);
    });
}

#[test]
fn a_watch_that_nobody_reads_does_not_grow_without_bound() {
    plain(|client, store| async move {
        let mut watch = client.watch("route", WatchFrom::Index(0)).await.unwrap();
        for number in 0..=LAG_MAX {
            store.put(("route", "red"), number).unwrap();
        }
        assert!(watch.next().await.unwrap_err().is_missed());
    });
}

#[test]
fn coalesced_events_leave_the_last_of_each_entry_in_the_order_of_these() {
    let script = Script::default().at("store.missed", &[1, 0]);
    let sim = scripted(&[FaultRule::own(FaultKind::Missed, 0.1)], script);
    let (_, time) = run(sim, |client, store| async move {
        let mut watch = client.watch("route", WatchFrom::Index(0)).await.unwrap();
        let writer = task::spawn(async move {
            for number in 0..5 {
                store.put(("route", "red"), number).unwrap();
                store.put(("route", format!("n{}", number % 2)), number).unwrap();
                fatum::time::sleep(MS).await;
            }
            store.delete(("route", "n0")).unwrap();
            fatum::time::sleep(Duration::from_secs(1)).await;
            store.put(("route", "red"), 9).unwrap();
        });
        let expected = ["11: n1=3 red=4 n0-", "12: red=9"];
        assert_eq!(heard(&mut watch, 2).await, expected);
        writer.await.unwrap();
    });
    assert_eq!(time, Duration::from_secs(1) + 5 * MS);
}

#[test]
fn lost_events_end_the_watch_and_ask_for_a_new_list() {
    let script = Script::default().at("store.missed", &[0, 2]);
    run(scripted(&[FaultRule::own(FaultKind::Missed, 0.1)], script), |client, store| async move {
        let mut watch = client.watch("route", WatchFrom::Snapshot).await.unwrap();
        for number in 0..4 {
            store.put(("route", "red"), number).unwrap();
        }
        assert_eq!(heard(&mut watch, 2).await, ["0: end of snapshot", "1: red=0"]);
        for _ in 0..2 {
            let error = watch.next().await.unwrap_err();
            assert!(error.is_missed());
            assert_eq!(error.to_string(), "events of route were lost: list again and watch from there");
        }
    });
}

#[test]
fn events_travel_for_a_while_and_a_wait_that_is_given_up_loses_none() {
    let script = Script::default().at("store.latency", &[0, 5, 5]);
    run(scripted(&[], script), |client, store| async move {
        store.set_latency(Latency { base: Duration::ZERO, step: MS });
        let mut watch = client.watch("route", WatchFrom::Index(0)).await.unwrap();
        store.put(("route", "red"), 1).unwrap();
        store.put(("route", "red"), 2).unwrap();
        for _ in 0..3 {
            assert!(timeout(5 * MS, watch.next()).await.is_err());
        }
        assert_eq!(heard(&mut watch, 1).await, ["1: red=1"]);
        assert_eq!(fatum::time::Instant::now().since_start(), 16 * MS, "asked once");
        // A close overtakes what is on its way.
        let waiting = task::spawn(async move { watch.next().await });
        fatum::time::sleep(5 * MS).await;
        store.force_close(None);
        assert!(waiting.await.unwrap().unwrap_err().is_force_closed());
    });
}

#[test]
fn dropped_watches_leave_nothing_behind() {
    let store = plain(|client, store| async move {
        let waits = client.clone();
        let task = task::spawn(async move {
            let mut watch = waits.watch("route", WatchFrom::Index(0)).await.unwrap();
            watch.next().await
        });
        let first = client.watch("route", WatchFrom::Snapshot).await.unwrap();
        let second = client.watch(Key::new("route", "red"), WatchFrom::Snapshot).await.unwrap();
        fatum::time::sleep(MS).await;
        assert_eq!(store.watches(), 3);
        drop(first);
        task.abort();
        assert!(task.await.is_err_and(|error| error.is_cancelled()));
        assert_eq!(store.watches(), 1);
        store.put(("route", "red"), 1).unwrap();
        drop(second);
        assert_eq!(store.watches(), 0);
        store.put(("route", "red"), 2).unwrap();
    });
    assert_eq!(store.watches(), 0);
}

#[test]
fn a_watch_that_hears_nothing_is_in_the_report_of_a_deadlock() {
    let mut sim = Sim::builder().keep(fatum::sim::Keep::Trace).budget(Budget::default()).build();
    sim.host("a").run(|host| async move {
        let mut watch = host.store().watch("route", WatchFrom::Index(0)).await.unwrap();
        watch.next().await.unwrap();
    });
    let run = sim.finish();
    assert!(matches!(run.end, End::Deadlock { .. }), "{:?}", run.end);
    let wait = &run.blocked[0].waits[0];
    assert_eq!(wait.operation, "the next event of a watch");
    assert!(wait.place.as_ref().is_some_and(|place| place.contains("src/store/watch.rs")), "{wait:?}");
}
