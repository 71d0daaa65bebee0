//! What a client's reads see: the present, or as a fault has it an older state; within one instance never older than
//! before, and after a restart anything, unless it is monotonic.

use super::{Script, run, scripted, words};
use fatum::fault::{FaultKind, FaultRule};
use fatum::store::{Client, Store, WatchFrom};

/// Numbers 1 to 10 were written to `x`, one by one; a client's stale reads are answered by the script.
fn after_ten_writes<F>(stale: &[u64], main: impl FnOnce(Client, Store) -> F + 'static)
where
    F: Future<Output = ()> + 'static,
{
    let script = Script::default().at("store.stale", stale);
    let mut sim = scripted(&[FaultRule::own(FaultKind::Stale, 0.1)], script);
    let store = sim.store();
    for number in 1..=10u64 {
        store.put(("n", "x"), number).unwrap();
    }
    run(sim, main);
}

async fn read(client: &Client) -> u64 {
    client.get(("n", "x")).await.unwrap().unwrap_or(0)
}

#[test]
fn a_stale_read_is_1_2_or_4_changes_old_or_as_old_as_can_be() {
    for (option, expected) in [(0, 10), (1, 9), (2, 8), (3, 6), (4, 0)] {
        after_ten_writes(&[option], move |client, _| async move {
            assert_eq!(read(&client).await, expected, "option {option}");
        });
    }
    after_ten_writes(&[3, 4], |client, store| async move {
        let listing = client.list("n").await.unwrap();
        assert_eq!((listing.index, listing.entries[0].version), (6, 6));
        store.compact(8).unwrap();
        assert_eq!(read(&store.client("b")).await, 8, "the oldest there is");
    });
}

#[test]
fn a_view_does_not_go_back_within_an_instance() {
    after_ten_writes(&[2, 4, 1, 4, 0, 4], |client, _| async move {
        let clone = client.clone();
        for (number, expected) in [8, 8, 9, 9, 10, 10].into_iter().enumerate() {
            let client = if number % 2 == 0 { &client } else { &clone };
            assert_eq!(read(client).await, expected, "read {number}");
        }
    });
}

#[test]
fn a_new_instance_may_travel_back_in_time_unless_it_is_monotonic() {
    after_ten_writes(&[0, 4, 0, 4, 3], |client, store| async move {
        assert_eq!(read(&client).await, 10);
        assert_eq!(read(&store.client("a")).await, 0);
        assert_eq!(read(&client.monotonic()).await, 10);
        assert_eq!(read(&store.client("a").monotonic()).await, 10);
        assert_eq!(read(&store.client("b").monotonic()).await, 6, "another name has seen nothing");
    });
}

#[test]
fn consistent_reads_are_never_stale_and_not_asked() {
    after_ten_writes(&[4], |client, _| async move {
        assert_eq!(read(&client.consistent()).await, 10);
        assert_eq!(read(&client).await, 10, "and what they saw, the cache holds");
    });
}

#[test]
fn a_client_may_not_see_its_own_write() {
    after_ten_writes(&[1], |client, _| async move {
        client.put(("n", "x"), 11).await.unwrap();
        assert_eq!(read(&client).await, 10);
    });
}

#[test]
fn reads_see_at_least_what_a_watch_has_delivered() {
    after_ten_writes(&[1, 4], |client, _| async move {
        let mut watch = client.watch("n", WatchFrom::Snapshot).await.unwrap();
        for expected in ["9: x=9", "9: end of snapshot", "10: x=10"] {
            assert_eq!(words(&watch.next().await.unwrap()), expected);
        }
        assert_eq!(read(&client).await, 10);
    });
}

#[test]
fn a_restore_leads_every_view_back() {
    after_ten_writes(&[0, 0, 1], |client, store| async move {
        let snapshot = store.snapshot();
        store.put(("n", "x"), 11).unwrap();
        assert_eq!(read(&client).await, 11);
        store.restore(&snapshot);
        assert_eq!(read(&client).await, 10);
        store.put(("n", "x"), 12).unwrap();
        assert_eq!(read(&client).await, 10, "as old as it has seen since");
    });
}
