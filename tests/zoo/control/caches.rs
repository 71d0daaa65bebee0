//! Caches, lists and watches of controllers: what they do not hear, hear too late, or hear in between.

use super::Shows::{NotConverged, Violated};
use super::operator::{millis, secs, until_done};
use super::{Case, Twin, case};
use fatum::Sim;
use fatum::fault::{FaultKind, FaultPlan, FaultRule};
use fatum::property::always;
use fatum::store::{Client, Payload, StoreError, StoreEvent, Transaction, WatchFrom};
use fatum::time::{Duration, sleep};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// The programs of this file.
pub const CASES: [Case; 5] = [
    case(
        "watch_gap_after_compaction",
        "410 gone, a new list without tombstones",
        NotConverged(MIRROR),
        watch_gap,
        lost_events,
    ),
    case("stale_duplicate_create", "kuberay#715, generated names", Violated(ONE_POD), duplicate, old_lists),
    case(
        "list_then_watch_from_now",
        "informer without the index of its list",
        NotConverged(MIRROR),
        list_then_watch,
        breaking_watches,
    ),
    case(
        "kubernetes_59848",
        "kubernetes#59848, two nodes run one pod",
        Violated(ONE_NODE),
        two_nodes,
        travelling_nodes,
    ),
    case(
        "route_replaced_in_two_writes",
        "a gateway reads between delete and create",
        Violated(ROUTED),
        route,
        FaultPlan::none,
    ),
];

const MIRROR: &str = "the mirror is as the store";
const ONE_POD: &str = "a site has one pod";
const ONE_NODE: &str = "one node runs the pod";
const ROUTED: &str = "each host has its route";

/// Events of a watch are lost, and the watch with them.
fn lost_events() -> FaultPlan {
    FaultPlan::none().with(FaultRule::own(FaultKind::Missed, 0.01).at_host("mirror"))
}

/// A watch breaks more often.
fn breaking_watches() -> FaultPlan {
    FaultPlan::none().with(FaultRule::own(FaultKind::Missed, 0.02).at_host("mirror"))
}

/// A list now and then is of the past.
fn old_lists() -> FaultPlan {
    FaultPlan::none().with(FaultRule::own(FaultKind::Stale, 0.01).at_host("operator").on("pod"))
}

/// Nodes crash, and what they see when they are back may be of the past.
fn travelling_nodes() -> FaultPlan {
    FaultPlan::none()
        .with(FaultRule::own(FaultKind::Crash(secs(8)), 0.05).at_host("node-*"))
        .with(FaultRule::own(FaultKind::Stale, 0.1).at_host("node-*"))
}

type Mirror = Rc<RefCell<BTreeMap<Arc<str>, u64>>>;

/// The mirror comes to be as the routes of the store are.
fn mirrors(sim: &mut Sim, mirror: &Mirror) {
    let (store, mirror) = (sim.store(), mirror.clone());
    sim.converges(MIRROR, move || {
        let routes = store.list("route").into_iter();
        let routes = routes.map(|route| (route.key.name.clone(), route.parse().unwrap_or(0)));
        routes.collect::<BTreeMap<Arc<str>, u64>>() == *mirror.borrow()
    });
}

/// A mirror goes on where its watch broke; where that is compacted it hears all entries anew, but not which are gone.
fn watch_gap(sim: &mut Sim, twin: Twin) {
    async fn follow(store: &Client, mirror: &Mirror, index: &mut u64, twin: Twin) -> Result<(), StoreError> {
        let mut watch = store.watch("route", WatchFrom::Resume(*index)).await?;
        while let Ok(event) = watch.next().await {
            match event.payload {
                Payload::Batch(changes) => changes.into_iter().for_each(|change| {
                    let value = change.value.and_then(|entry| entry.parse().ok());
                    let name = change.key.name;
                    match value {
                        Some(value) => drop(mirror.borrow_mut().insert(name, value)),
                        None => drop(mirror.borrow_mut().remove(&name)),
                    }
                }),
                Payload::NewSnapshotToFollow if twin == Twin::Fixed => mirror.borrow_mut().clear(),
                Payload::NewSnapshotToFollow | Payload::EndOfSnapshot => continue,
            }
            *index = event.index;
        }
        Ok(())
    }
    let (store, mirror) = (sim.store(), Mirror::default());
    mirrors(sim, &mirror);
    sim.host("mirror").daemon().run(move |host| async move {
        let mut index = 0;
        loop {
            _ = follow(&host.store(), &mirror, &mut index, twin).await;
            sleep(millis(100)).await;
        }
    });
    sim.run(async move {
        for round in 0..6 {
            store.put(("route", "blue"), round)?;
            store.put(("route", "green"), round)?;
            sleep(millis(50)).await;
            store.delete(("route", "green"))?;
            sleep(millis(50)).await;
            if round % 2 == 1 {
                store.compact(store.index())?;
            }
            sleep(millis(200)).await;
        }
        Ok::<(), StoreError>(())
    });
}

/// A pod is made for a site that has none; the list that says so is of a cache, and the names are generated.
fn duplicate(sim: &mut Sim, twin: Twin) {
    async fn pass(store: Client, pods: Client, twin: Twin) -> Result<(), StoreError> {
        for site in store.list("site").await? {
            let pods_of = pods.list("pod").await?.into_iter().filter(|pod| *pod.value == *site.key.name);
            if pods_of.count() == 0 {
                let name = match twin {
                    Twin::Buggy => format!("{}-{:x}", site.key.name, fatum::rand::rng().below(1 << 32)),
                    Twin::Fixed => site.key.name.to_string(),
                };
                match store.create(("pod", name), &*site.key.name).await {
                    Err(error) if error.is_already_exists() => {}
                    created => drop(created?),
                }
            }
        }
        Ok(())
    }
    let store = sim.store();
    sim.host("operator").daemon().run(move |host| async move {
        let pods = store.client("operator");
        let store = host.store();
        let Ok(mut watch) = store.watch("site", WatchFrom::Snapshot).await else { return };
        while watch.next().await.is_ok() {
            until_done(&mut || pass(store.clone(), pods.clone(), twin)).await;
        }
    });
    let pods = sim.store();
    sim.fold(ONE_POD, (), move |(), _, event: &StoreEvent| {
        let StoreEvent::Created { .. } = event else { return Ok(()) };
        let mut sites: Vec<String> =
            pods.list("pod").into_iter().filter_map(|pod| pod.parse().ok()).collect();
        let (count, _) = (sites.len(), sites.sort());
        sites.dedup();
        if sites.len() == count { Ok(()) } else { Err("two pods".to_owned()) }
    });
    let store = sim.store();
    sim.run(async move {
        for status in ["new", "known", "ready"] {
            for site in ["shop", "blog"] {
                store.put(("site", site), status)?;
                sleep(Duration::from_millis(200)).await;
            }
        }
        Ok::<(), StoreError>(())
    });
}

/// The entries are listed, and then watched: from where the list was, or from where the store is by then.
fn list_then_watch(sim: &mut Sim, twin: Twin) {
    async fn follow(store: &Client, mirror: &Mirror, twin: Twin) -> Result<(), StoreError> {
        let listed = store.consistent().list("route").await?;
        let index = match twin {
            Twin::Buggy => store.consistent().list("gateway").await?.index,
            Twin::Fixed => listed.index,
        };
        let routes = listed.into_iter().map(|route| (route.key.name.clone(), route.parse().unwrap_or(0)));
        mirror.borrow_mut().extend(routes);
        let mut watch = store.watch("route", WatchFrom::Index(index)).await?;
        while let Ok(event) = watch.next().await {
            let Payload::Batch(changes) = event.payload else { continue };
            for route in changes.into_iter().filter_map(|change| change.value) {
                mirror.borrow_mut().insert(route.key.name.clone(), route.parse().unwrap_or(0));
            }
        }
        Ok(())
    }
    let mirror = Mirror::default();
    mirrors(sim, &mirror);
    sim.host("user").run(|host| async move {
        for round in 0..4 {
            sleep(millis(100)).await;
            for route in ["blue", "green", "red"] {
                host.store().put(("route", format!("{route}-{round}")), round).await?;
            }
        }
        Ok::<(), StoreError>(())
    });
    sim.host("mirror").daemon().run(move |host| async move {
        loop {
            _ = follow(&host.store(), &mirror, twin).await;
        }
    });
}

/// A node runs the pods that are bound to it. When it is back after a crash it may see one that was moved long ago.
fn two_nodes(sim: &mut Sim, twin: Twin) {
    const POD: (&str, &str) = ("pod", "db-0");
    type Running = Rc<RefCell<BTreeMap<String, String>>>;
    /// A container that runs, for as long as its node does.
    struct Container(Running, String);
    impl Drop for Container {
        fn drop(&mut self) {
            self.0.borrow_mut().remove(&self.1);
        }
    }
    async fn serve(store: Client, running: Running, twin: Twin) -> Result<(), StoreError> {
        let me = store.name().to_string();
        let mut container: Option<Container> = None;
        let store = match twin {
            Twin::Buggy => store,
            Twin::Fixed => store.consistent(),
        };
        let mut watch = store.watch("pod", WatchFrom::Snapshot).await?;
        let mut bound: Option<String> = None;
        loop {
            if bound.as_ref() != Some(&me) {
                container = None;
            } else if container.is_none() {
                running.borrow_mut().insert(me.clone(), POD.1.to_owned());
                let nodes: Vec<String> = running.borrow().keys().cloned().collect();
                always(ONE_NODE, nodes.len() == 1, || nodes.join(" and "));
                container = Some(Container(running.clone(), me.clone()));
            }
            let Ok(event) = watch.next().await else { return Ok(()) };
            if let Payload::Batch(changes) = event.payload {
                bound = changes.into_iter().next_back().and_then(|pod| pod.value?.parse().ok());
            }
        }
    }
    let running = Running::default();
    for node in ["node-a", "node-b"] {
        let running = running.clone();
        sim.host(node).daemon().serve(move |host| {
            let (store, running) = (host.store(), running.clone());
            async move {
                _ = serve(store, running, twin).await;
            }
        });
    }
    let store = sim.store();
    sim.run(async move {
        for node in ["node-a", "node-b", "node-a"] {
            store.put(POD, node)?;
            sleep(secs(10)).await;
            store.delete(POD)?;
            while !running.borrow().is_empty() {
                sleep(secs(1)).await;
            }
        }
        Ok::<(), StoreError>(())
    });
}

/// The routes are put one after the other; the last is replaced, in two writes or in one. A gateway reads them all, once.
fn route(sim: &mut Sim, twin: Twin) {
    const LAST: (&str, &str) = ("route", "11");
    let store = sim.store();
    for route in 0..12 {
        store.put(("route", route.to_string()), "old").expect("the store takes it");
    }
    sim.host("operator").run(move |host| async move {
        let store = host.store();
        for route in 0..11 {
            store.put(("route", route.to_string()), "new").await?;
        }
        if twin == Twin::Fixed {
            return store.transact(Transaction::new().delete(LAST).create(LAST, "new")).await;
        }
        store.delete(LAST).await?;
        store.create(LAST, "new").await
    });
    sim.host("gateway").run(|host| async move {
        let routes = host.store().list("route").await?.entries;
        always(ROUTED, routes.len() == 12, || format!("{} of 12", routes.len()));
        Ok::<(), StoreError>(())
    });
}
