//! Stale states: an operator that is served an old view, mostly after a restart, and destroys by it what is alive.

use super::Shows::Violated;
use super::operator::{level_triggered, secs};
use super::{Case, Twin, case};
use fatum::Sim;
use fatum::fault::{FaultKind, FaultPlan, FaultRule};
use fatum::store::{Client, Payload, StoreError, StoreEvent, Transaction, WatchFrom};
use fatum::time::sleep;

/// The programs of this file.
pub const CASES: [Case; 6] = [
    case(
        "cassandra_operator_stale_1",
        "Sieve, cassandra-operator#402",
        Violated(VOLUME),
        cassandra_1,
        time_travel,
    ),
    case(
        "cassandra_operator_stale_2",
        "Sieve, cassandra-operator#407",
        Violated(POD),
        cassandra_2,
        lagging_cache,
    ),
    case(
        "zookeeper_operator_stale_1",
        "Sieve, zookeeper-operator#312",
        Violated(VOLUME),
        zookeeper_1,
        time_travel,
    ),
    case(
        "zookeeper_operator_stale_2",
        "Sieve, zookeeper-operator#314",
        Violated(ORDINAL),
        zookeeper_2,
        old_reads,
    ),
    case(
        "rabbitmq_operator_stale_2",
        "Sieve, cluster-operator#653",
        Violated(SHRUNK),
        rabbitmq_2,
        time_travel,
    ),
    case("mongodb_operator_stale_3", "Sieve, K8SPSMDB-438", Violated(ARBITER), mongodb_3, time_travel),
];

const VOLUME: &str = "a cluster that lives keeps its volumes";
const POD: &str = "a pod that runs keeps its volume";
const ORDINAL: &str = "a member that is wanted keeps its volume";
const SHRUNK: &str = "a volume never shrinks";
const ARBITER: &str = "an arbiter that is wanted is not taken away";

/// The operator crashes, and its new caches are of the past.
fn time_travel() -> FaultPlan {
    FaultPlan::none()
        .with(FaultRule::own(FaultKind::Crash(secs(8)), 0.1).at_host("operator"))
        .with(FaultRule::own(FaultKind::Stale, 0.3).at_host("operator"))
}

/// One of the caches lags.
fn lagging_cache() -> FaultPlan {
    FaultPlan::none().with(FaultRule::own(FaultKind::Stale, 0.2).at_host("operator"))
}

/// A read now and then is of the past.
fn old_reads() -> FaultPlan {
    FaultPlan::none().with(FaultRule::own(FaultKind::Stale, 0.05).at_host("operator"))
}

/// Deletes an entry; with the fix, only if what it is deleted for is still as it was seen.
async fn delete_for(
    store: &Client,
    twin: Twin,
    key: (&str, &str),
    cause: (&str, &str),
    seen: u64,
) -> Result<(), StoreError> {
    let delete = Transaction::new().delete(key);
    let delete = match twin {
        Twin::Buggy => delete,
        Twin::Fixed => delete.check(cause, Some(seen)),
    };
    store.transact(delete).await.map(drop)
}

/// No entry of `kind` is deleted while `is_wanted` says so.
fn never_deleted(
    sim: &mut Sim,
    property: &'static str,
    kind: &'static str,
    is_wanted: impl Fn(&fatum::store::Store, &str) -> bool + 'static,
) {
    let store = sim.store();
    sim.fold(property, (), move |(), _, event: &StoreEvent| match event {
        StoreEvent::Deleted { key, writer, .. } if *key.kind == *kind && is_wanted(&store, &key.name) => {
            Err(format!("{key} was deleted by {writer}"))
        }
        _ => Ok(()),
    });
}

/// A user who makes a cluster, deletes it, and makes one of the same name; an entry that says `true` is to be deleted.
fn recreated(sim: &mut Sim, cluster: (&'static str, &'static str)) {
    let store = sim.store();
    sim.run(async move {
        for _ in 0..2 {
            store.put(cluster, false)?;
            sleep(secs(10)).await;
            store.put(cluster, true)?;
            while store.entry(cluster).is_some() {
                sleep(secs(1)).await;
            }
        }
        store.put(cluster, false)?;
        sleep(secs(30)).await;
        Ok::<(), StoreError>(())
    });
}

/// A cluster that is to be deleted loses its volume first. The one that is seen may be an earlier one of its name.
fn cassandra_1(sim: &mut Sim, twin: Twin) {
    const CLUSTER: (&str, &str) = ("cluster", "cass");
    const DATA: (&str, &str) = ("volume", "cass-0");
    async fn pass(store: Client, twin: Twin) -> Result<(), StoreError> {
        let Some(cluster) = store.entry(CLUSTER).await? else { return Ok(()) };
        let is_deleted = cluster.parse().unwrap_or(false);
        match store.entry(DATA).await? {
            None if is_deleted => drop(store.delete_at(CLUSTER, cluster.version).await?),
            None => drop(store.create(DATA, "data").await?),
            Some(_) if is_deleted => {
                delete_for(&store, twin, DATA, CLUSTER, cluster.version).await?;
                store.delete_at(CLUSTER, cluster.version).await?;
            }
            Some(_) => {}
        }
        Ok(())
    }
    sim.host("operator").daemon().serve(move |host| {
        let store = host.store();
        level_triggered(store.clone(), "cluster", move || pass(store.clone(), twin))
    });
    never_deleted(sim, VOLUME, "volume", |store, _| store.peek(CLUSTER) == Some(false));
    recreated(sim, CLUSTER);
}

/// The operator hears of pods from one cache and lists them from another, which may lag behind.
fn cassandra_2(sim: &mut Sim, twin: Twin) {
    async fn pass(pods: Client, twin: Twin) -> Result<(), StoreError> {
        for pod in pods.list("pod").await? {
            let volume = ("volume", &*pod.key.name);
            if *pod.value == "terminating" && pods.consistent().entry(volume).await?.is_some() {
                delete_for(&pods, twin, volume, ("pod", &*pod.key.name), pod.version).await?;
            }
        }
        Ok(())
    }
    let store = sim.store();
    sim.host("operator").daemon().serve(move |host| {
        let pods = store.client("operator");
        level_triggered(host.store(), "pod", move || pass(pods.clone(), twin))
    });
    never_deleted(sim, POD, "volume", |store, name| {
        store.peek::<String>(("pod", name)).as_deref() == Some("running")
    });
    let store = sim.store();
    sim.run(async move {
        for _ in 0..3 {
            store.transact(
                Transaction::new().put(("pod", "cass-1"), "running").put(("volume", "cass-1"), "data"),
            )?;
            sleep(secs(5)).await;
            store.put(("pod", "cass-1"), "terminating")?;
            sleep(secs(5)).await;
            store.delete(("pod", "cass-1"))?;
            sleep(secs(5)).await;
        }
        Ok::<(), StoreError>(())
    });
}

/// As the first, by what the watch tells; volumes say whose they are, and the mended operator asks.
fn zookeeper_1(sim: &mut Sim, twin: Twin) {
    const CLUSTER: (&str, &str) = ("cluster", "zk");
    async fn pass(store: &Client, twin: Twin, cluster: fatum::store::Entry) -> Result<(), StoreError> {
        let is_deleted = cluster.parse().unwrap_or(false);
        if !is_deleted {
            for name in ["zk-0", "zk-1"] {
                if store.consistent().entry(("volume", name)).await?.is_none() {
                    let volume = Transaction::new().create(("volume", name), cluster.created);
                    store.transact(volume.check(CLUSTER, Some(cluster.version))).await?;
                }
            }
            return Ok(());
        }
        for volume in store.consistent().list("volume").await? {
            let is_its = volume.parse().unwrap_or(0) == cluster.created;
            if twin == Twin::Buggy || is_its {
                store.delete_at(volume.key, volume.version).await?;
            }
        }
        store.delete_at(CLUSTER, cluster.version).await.map(drop)
    }
    async fn operate(store: Client, twin: Twin) -> Option<()> {
        let mut watch = store.watch("cluster", WatchFrom::Snapshot).await.ok()?;
        while let Ok(event) = watch.next().await {
            let Payload::Batch(changes) = event.payload else { continue };
            for cluster in changes.into_iter().filter_map(|change| change.value) {
                // What has become of the cluster meanwhile, a later event tells.
                _ = pass(&store, twin, cluster).await;
            }
        }
        None
    }
    sim.host("operator").daemon().serve(move |host| async move {
        operate(host.store(), twin).await;
    });
    never_deleted(sim, VOLUME, "volume", |store, _| store.peek(CLUSTER) == Some(false));
    recreated(sim, CLUSTER);
}

/// Members that are ready are as many as wanted, so volumes beyond are orphans: unless the count is an old one.
fn zookeeper_2(sim: &mut Sim, twin: Twin) {
    const CLUSTER: (&str, &str) = ("cluster", "zk");
    async fn pass(store: &Client, twin: Twin) -> Result<(), StoreError> {
        let Some(cluster) = store.entry(CLUSTER).await? else { return Ok(()) };
        let (wanted, ready): (u64, u64) = cluster.parse().unwrap_or_default();
        let volumes = store.consistent().list("volume").await?.entries;
        if ready == wanted && volumes.len() as u64 > wanted {
            delete_for(store, twin, ("volume", "zk-1"), CLUSTER, cluster.version).await?;
        }
        Ok(())
    }
    sim.host("operator").daemon().serve(move |host| async move {
        loop {
            _ = pass(&host.store(), twin).await;
            sleep(secs(3)).await;
        }
    });
    never_deleted(sim, ORDINAL, "volume", |store, _| {
        store.peek::<(u64, u64)>(CLUSTER).is_some_and(|(wanted, _)| wanted == 2)
    });
    let store = sim.store();
    sim.run(async move {
        store.put(("volume", "zk-0"), "data")?;
        for _ in 0..2 {
            store.put(CLUSTER, (2, 1))?;
            sleep(secs(1)).await;
            store.transact(Transaction::new().put(("volume", "zk-1"), "data").put(CLUSTER, (2, 2)))?;
            sleep(secs(10)).await;
            store.put(CLUSTER, (1, 2))?;
            sleep(secs(1)).await;
            store.put(CLUSTER, (1, 1))?;
            sleep(secs(10)).await;
        }
        Ok::<(), StoreError>(())
    });
}

/// The volume is made as large as the cluster says; an old cluster says less.
fn rabbitmq_2(sim: &mut Sim, twin: Twin) {
    async fn pass(store: Client, twin: Twin) -> Result<(), StoreError> {
        let Some(size) = store.get::<u64>(("cluster", "mq")).await? else { return Ok(()) };
        let Some(volume) = store.consistent().entry(("volume", "mq")).await? else {
            return store.create(("volume", "mq"), size).await.map(drop);
        };
        let found: u64 = volume.parse().unwrap_or(0);
        let is_wrong = match twin {
            Twin::Buggy => found != size,
            Twin::Fixed => found < size,
        };
        if is_wrong {
            store.update(("volume", "mq"), volume.version, size).await?;
        }
        Ok(())
    }
    sim.host("operator").daemon().serve(move |host| {
        let store = host.store();
        level_triggered(store.clone(), "cluster", move || pass(store.clone(), twin))
    });
    let volumes = sim.store();
    sim.fold(SHRUNK, 0, move |largest, _, event: &StoreEvent| {
        let StoreEvent::Updated { key, .. } = event else { return Ok(()) };
        if *key.kind != *"volume" {
            return Ok(());
        }
        let size = volumes.peek::<u64>(key.clone()).unwrap_or(0);
        let before = std::mem::replace(largest, size);
        if size < before { Err(format!("{size} of {before}")) } else { Ok(()) }
    });
    let store = sim.store();
    sim.run(async move {
        for size in [10, 15, 20] {
            store.put(("cluster", "mq"), size)?;
            sleep(secs(10)).await;
        }
        Ok::<(), StoreError>(())
    });
}

/// The arbiter is wanted, then not, then wanted again; an operator that sees the middle takes it away.
fn mongodb_3(sim: &mut Sim, twin: Twin) {
    const CLUSTER: (&str, &str) = ("cluster", "mongo");
    const SET: (&str, &str) = ("set", "arbiter");
    async fn pass(store: Client, twin: Twin) -> Result<(), StoreError> {
        let Some(cluster) = store.entry(CLUSTER).await? else { return Ok(()) };
        let is_there = store.consistent().entry(SET).await?.is_some();
        match cluster.parse().unwrap_or(false) {
            true if !is_there => store.create(SET, "arbiter").await.map(drop),
            false if is_there => delete_for(&store, twin, SET, CLUSTER, cluster.version).await,
            true | false => Ok(()),
        }
    }
    sim.host("operator").daemon().serve(move |host| {
        let store = host.store();
        level_triggered(store.clone(), "cluster", move || pass(store.clone(), twin))
    });
    never_deleted(sim, ARBITER, "set", |store, _| store.peek(CLUSTER) == Some(true));
    let store = sim.store();
    sim.run(async move {
        for is_wanted in [true, false, true] {
            store.put(CLUSTER, is_wanted)?;
            sleep(secs(10)).await;
        }
        Ok::<(), StoreError>(())
    });
}
