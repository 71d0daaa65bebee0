//! Calls from hosts without faults: what each does, who wrote, how long it takes, and what is told of it.

use super::{MS, Script, plain, run, scripted};
use fatum::runtime::End;
use fatum::sim::Keep;
use fatum::store::{Latency, StoreError, Transaction, WatchFrom};
use fatum::time::{Duration, Instant};
use fatum::{Sim, task};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Route {
    port: u16,
    backends: Vec<String>,
}

fn now() -> Duration {
    Instant::now().since_start()
}

#[test]
fn each_call_does_what_it_says() {
    let store = plain(|client, store| async move {
        let route = Route { port: 80, backends: vec!["a".into()] };
        assert_eq!(client.get::<Route>(("route", "blue")).await, Ok(None));
        let version = client.create(("route", "blue"), &route).await.unwrap();
        assert!(client.create(("route", "blue"), &route).await.unwrap_err().is_already_exists());
        assert_eq!(client.get(("route", "blue")).await, Ok(Some(route.clone())));
        let route = Route { port: 81, ..route };
        let version = client.update(("route", "blue"), version, &route).await.unwrap();
        assert!(client.update(("route", "blue"), version - 1, &route).await.unwrap_err().is_conflict());
        client.put(("route", "red"), &route).await.unwrap();
        let listing = client.list("route").await.unwrap();
        assert_eq!((listing.index, listing.entries.len()), (3, 2));
        assert_eq!(listing.entries[0].parse::<Route>().unwrap(), route);
        assert!(client.delete_at(("route", "blue"), 1).await.unwrap_err().is_conflict());
        client.delete_at(("route", "blue"), version).await.unwrap();
        client.delete(("route", "red")).await.unwrap();
        assert!(client.delete(("route", "red")).await.unwrap_err().is_not_found());
        let both = Transaction::new().create("x", 1).create("y", 2);
        assert_eq!(client.transact(both).await, Ok(6));
        let entry = client.entry("x").await.unwrap().unwrap();
        assert_eq!((&*entry.writer, entry.version), ("a", 6));
        assert_eq!(client.transact(Transaction::new()).await, Ok(6));
        assert_eq!(store.since(5).unwrap().len(), 2);
    });
    assert_eq!((store.index(), store.entries().len()), (6, 2));
}

#[test]
fn a_value_of_another_type_is_an_error_and_no_panic() {
    plain(|client, _| async move {
        client.put("x", "text").await.unwrap();
        let error = client.get::<u32>("x").await.unwrap_err();
        assert!(matches!(error, StoreError::Value { .. }), "{error}");
        assert!(error.to_string().starts_with("the value of x does not fit its type: invalid type: string"));
    });
}

#[test]
fn a_call_takes_the_base_and_what_is_drawn_on_its_way_there_or_back() {
    // Options 3 and 4: four steps there, four steps back.
    let script = Script::default().at("store.latency", &[0, 3, 4, 0]);
    let (_, time) = run(scripted(&[], script), |client, store| async move {
        store.set_latency(Latency { base: 10 * MS, step: MS });
        let other = store.clone();
        task::spawn(async move {
            fatum::time::sleep(12 * MS).await;
            other.put("x", 1).unwrap();
            fatum::time::sleep(14 * MS).await;
            other.put("x", 2).unwrap();
        });
        assert_eq!((client.get::<u32>("x").await.unwrap(), now()), (None, 10 * MS));
        assert_eq!((client.get("x").await.unwrap(), now()), (Some(1), 24 * MS));
        fatum::time::sleep(MS).await;
        // Read at 35, so that what is written at 38 is not in the answer that arrives at 39.
        store.put("x", 3).unwrap();
        let writes = store.clone();
        task::spawn(async move {
            fatum::time::sleep(13 * MS).await;
            writes.put("x", 4).unwrap();
        });
        assert_eq!((client.get("x").await.unwrap(), now()), (Some(2), 39 * MS));
        assert_eq!(client.put("x", 5).await.unwrap(), 5);
        assert_eq!(now(), 49 * MS);
    });
    assert_eq!(time, 49 * MS);
}

#[test]
fn a_call_takes_no_time_at_baseline_unless_the_store_says_so() {
    let (_, time) = run(scripted(&[], Script::default()), |client, _| async move {
        client.put("x", 1).await.unwrap();
        client.get::<u32>("x").await.unwrap();
    });
    assert_eq!(time, Duration::ZERO);
}

#[test]
fn the_quiet_phase_has_the_base_latency_and_asks_nothing() {
    let plan = fatum::fault::FaultPlan { until: Some(MS), ..Default::default() };
    let script = Script::default().at("store.latency", &[5, 5, 5]);
    let (_, time) = run(super::planned(plan, script), |client, _| async move {
        fatum::time::sleep(2 * MS).await;
        client.put("x", 1).await.unwrap();
    });
    assert_eq!(time, 2 * MS);
}

#[test]
fn what_happens_is_told_in_the_trace() {
    let mut sim = Sim::builder().keep(Keep::Trace).tape(&Default::default()).build();
    let store = sim.store();
    sim.host("a").run(|host| async move {
        let client = host.store();
        let watch = client.watch("route", WatchFrom::Snapshot).await?;
        client.put(("route", "blue"), 1).await?;
        client.put(("route", "blue"), 2).await?;
        let snapshot = store.snapshot();
        client.delete(("route", "blue")).await?;
        store.compact(2)?;
        store.restore(&snapshot);
        drop(watch);
        drop(client.watch("route", WatchFrom::Snapshot).await?);
        Ok::<(), StoreError>(())
    });
    let run = sim.finish();
    assert_eq!(run.end, End::Passed);
    let text = run.trace().to_string();
    let told = [
        "watch.opened watch=1 topic=route index=0 client=a",
        "store.created key=route/blue index=1 writer=a",
        "store.updated key=route/blue index=2 writer=a",
        "store.deleted key=route/blue index=3 writer=a",
        "store.compacted index=2",
        "watch.closed watch=1 topic=route cause=",
        "store.restored from=3 index=2",
        "watch.opened watch=2",
        "watch.closed watch=2 topic=route cause=dropped",
    ];
    for line in told {
        assert!(text.contains(line), "`{line}` is not in\n{text}");
    }
    assert_eq!(text.matches("watch.closed").count(), 2, "{text}");
}

#[test]
fn each_call_is_a_scheduling_point_and_an_access() {
    let mut sim = Sim::builder().tape(&Default::default()).build();
    let store = sim.store();
    let looks = std::rc::Rc::new(std::cell::Cell::new(0));
    let counted = looks.clone();
    sim.always_reading("looked at after accesses", &["store"], move || {
        counted.set(counted.get() + 1);
        store.index() < 9
    });
    sim.host("a").run(|host| async move {
        host.store().put("x", 1).await?;
        fatum::time::sleep(MS).await;
        host.store().get::<u32>("x").await?;
        fatum::time::sleep(MS).await;
        host.store().watch("", WatchFrom::Snapshot).await?.next().await.expect("there is an entry");
        Ok::<(), StoreError>(())
    });
    let run = sim.finish();
    assert!(run.end.is_passed(), "{:?}", run.end);
    let asked = |site: &str| run.sites.iter().find(|stats| stats.site == site).map_or(0, |stats| stats.asked);
    for site in ["sync.store_read", "sync.store_write", "sync.store_watch", "sync.store_next"] {
        assert_eq!(asked(site), 1, "{site}");
    }
    assert_eq!(looks.get(), 2, "after the write, and at the end");
}

#[test]
fn a_property_that_reads_the_store_is_asked_when_a_slow_write_takes_effect() {
    let mut sim = scripted(&[], Script::default().at("store.latency", &[3]));
    let store = sim.store();
    sim.always_reading("x is not written", &["store"], move || store.entry("x").is_none());
    sim.host("a").run(|host| async move {
        host.store().put("x", 1).await?;
        fatum::time::sleep(MS).await;
        host.store().delete("x").await
    });
    let run = sim.finish();
    assert!(matches!(run.end, End::Violated { .. }), "{:?}", run.end);
    assert_eq!(run.time, 4 * MS);
}

#[test]
fn equal_seeds_give_equal_runs() {
    let program = |seed| {
        let mut sim = Sim::new(seed);
        sim.store().put("x", 0).unwrap();
        for name in ["a", "b", "c"] {
            sim.host(name).run(|host| async move {
                let client = host.store();
                let mut watch = client.watch("", WatchFrom::Snapshot).await?;
                for _ in 0..5 {
                    let n: u32 = client.get("x").await?.unwrap_or(0);
                    client.put("x", n + 1).await?;
                    watch.next().await.expect("nobody closes it");
                }
                Ok::<(), StoreError>(())
            });
        }
        sim.finish()
    };
    for seed in 0..20 {
        let (first, second) = (program(seed), program(seed));
        assert!(first.end.is_passed() && first.is_same(&second), "{:?}", first.end);
    }
}

#[test]
fn the_store_outlives_the_simulation() {
    let mut sim = Sim::new(1);
    let store = sim.store();
    sim.run(async {});
    sim.host("a").run(|host| async move { host.store().put("x", 1).await });
    assert!(sim.finish().end.is_passed());
    store.put("x", 2).unwrap();
    assert_eq!(store.peek("x"), Some(2));
}
