//! Leaders, plans and plugins: two that act where one must, and an answer that comes when nobody waits any more.

use super::Shows::{NotConverged, Violated};
use super::operator::{millis, secs, until_done};
use super::{Case, Twin, case};
use fatum::Sim;
use fatum::fault::{FaultKind, FaultPlan, FaultRule, failpoint};
use fatum::property::always;
use fatum::store::{Client, Entry, Payload, StoreError, StoreEvent, Transaction, WatchFrom};
use fatum::task::spawn_local;
use fatum::time::{Duration, Instant, sleep, timeout};
use serde_json::json;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

/// The programs of this file.
pub const CASES: [Case; 5] = [
    case("lease_without_fencing", "leader election by lease", Violated(LEADER), lease, slow_writes),
    case(
        "plan_resumed_twice",
        "recovery and watch, both resume",
        Violated(ONE_RUNNER),
        resumed,
        executor_crashes,
    ),
    case("late_plugin_reply", "compensation after a timeout", NotConverged(UNDONE), late_reply, slow_plugin),
    case(
        "watch_gap_after_compaction",
        "410 gone, a new list without tombstones",
        NotConverged(MIRROR),
        watch_gap,
        lost_events,
    ),
    case("stale_duplicate_create", "kuberay#715, generated names", Violated(ONE_POD), duplicate, old_lists),
];

const LEADER: &str = "only the leader writes";
const ONE_RUNNER: &str = "a plan has one runner";
const UNDONE: &str = "what was undone is gone";
const MIRROR: &str = "the mirror is as the store";
const ONE_POD: &str = "a site has one pod";

/// A write of a leader takes long.
fn slow_writes() -> FaultPlan {
    FaultPlan::none().with(FaultRule::new("store.write", FaultKind::Slow(secs(6)), 0.01).on("ledger/*"))
}

/// The executor crashes.
fn executor_crashes() -> FaultPlan {
    FaultPlan::none().with(FaultRule::own(FaultKind::Crash(secs(4)), 0.01).at_host("executor"))
}

/// The plugin takes long.
fn slow_plugin() -> FaultPlan {
    FaultPlan::none().with(FaultRule::new("plugin.call", FaultKind::Slow(secs(6)), 0.01))
}

/// Events of a watch are lost, and the watch with them.
fn lost_events() -> FaultPlan {
    FaultPlan::none().with(FaultRule::own(FaultKind::Missed, 0.01).at_host("mirror"))
}

/// A list now and then is of the past.
fn old_lists() -> FaultPlan {
    FaultPlan::none().with(FaultRule::own(FaultKind::Stale, 0.01).at_host("operator").on("pod"))
}

/// Who has the lease writes; the write may take longer than the lease lasts.
fn lease(sim: &mut Sim, twin: Twin) {
    const LEASE: (&str, &str) = ("lease", "leader");
    async fn turn(store: &Client, twin: Twin) -> Result<(), StoreError> {
        let now = Instant::now().since_start().as_secs();
        let mine = (store.name().to_string(), now + 3);
        let version = match store.entry(LEASE).await? {
            None => store.create(LEASE, mine).await?,
            Some(lease) => {
                let (holder, until): (String, u64) = lease.parse().unwrap_or_default();
                if holder != mine.0 && until > now {
                    return Ok(());
                }
                store.update(LEASE, lease.version, mine).await?
            }
        };
        let write = Transaction::new().put(("ledger", "books"), now);
        let write = match twin {
            Twin::Buggy => write,
            Twin::Fixed => write.check(LEASE, Some(version)),
        };
        store.transact(write).await.map(drop)
    }
    for name in ["a", "b"] {
        sim.host(name).daemon().serve(move |host| async move {
            loop {
                // What failed is tried again at the next turn.
                _ = turn(&host.store(), twin).await;
                sleep(secs(1)).await;
            }
        });
    }
    let store = sim.store();
    sim.fold(LEADER, (), move |(), _, event: &StoreEvent| match event {
        StoreEvent::Created { key, writer, .. } | StoreEvent::Updated { key, writer, .. }
            if *key.kind == *"ledger" =>
        {
            let (leader, _) = store.peek::<(Arc<str>, u64)>(LEASE).unwrap_or_default();
            if leader == *writer { Ok(()) } else { Err(format!("{writer} wrote and {leader} leads")) }
        }
        _ => Ok(()),
    });
    sim.run(async { sleep(secs(15)).await });
}

/// A runner of a plan, while it runs.
struct Runner {
    runners: Rc<RefCell<BTreeMap<Arc<str>, u32>>>,
    plan: Arc<str>,
}

impl Runner {
    fn begin(runners: &Rc<RefCell<BTreeMap<Arc<str>, u32>>>, plan: &Arc<str>) -> Runner {
        *runners.borrow_mut().entry(plan.clone()).or_insert(0) += 1;
        let count = runners.borrow()[plan];
        always(ONE_RUNNER, count == 1, || format!("{plan} has {count}"));
        Runner { runners: runners.clone(), plan: plan.clone() }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.runners.borrow_mut().entry(self.plan.clone()).and_modify(|count| *count -= 1);
    }
}

/// After a restart, recovery resumes what was under way, and so does the watch when it tells of the plan.
fn resumed(sim: &mut Sim, twin: Twin) {
    type Runners = Rc<RefCell<BTreeMap<Arc<str>, u32>>>;
    type Known = Rc<RefCell<BTreeSet<Arc<str>>>>;
    async fn resume(
        store: Client,
        plan: Entry,
        known: Known,
        runners: Runners,
        twin: Twin,
    ) -> Result<(), StoreError> {
        let name = plan.key.name.clone();
        if known.borrow().contains(&name) || plan.parse().unwrap_or(0) == 3 {
            return Ok(());
        }
        if twin == Twin::Fixed {
            known.borrow_mut().insert(name.clone());
        }
        let step: u64 = store.get(plan.key.clone()).await?.unwrap_or(0);
        known.borrow_mut().insert(name.clone());
        let _runner = Runner::begin(&runners, &name);
        for step in step..3 {
            sleep(secs(1)).await;
            store.put(plan.key.clone(), step + 1).await?;
        }
        Ok(())
    }
    async fn execute(store: Client, twin: Twin) -> Result<(), StoreError> {
        let (known, runners) = (Known::default(), Runners::default());
        let begin = |plan| spawn_local(resume(store.clone(), plan, known.clone(), runners.clone(), twin));
        for plan in store.list("plan").await? {
            begin(plan);
        }
        let mut watch = store.watch("plan", WatchFrom::Snapshot).await?;
        while let Ok(event) = watch.next().await {
            let Payload::Batch(plans) = event.payload else { continue };
            for plan in plans.into_iter().filter_map(|plan| plan.value) {
                begin(plan);
            }
        }
        Ok(())
    }
    sim.host("executor").daemon().serve(move |host| async move {
        _ = execute(host.store(), twin).await;
    });
    let store = sim.store();
    sim.run(async move {
        for plan in ["one", "two"] {
            sleep(secs(1)).await;
            store.put(("plan", plan), 0)?;
            sleep(secs(15)).await;
        }
        Ok::<(), StoreError>(())
    });
}

/// A plan asks a plugin for a resource and waits five seconds; then it undoes what it did, and the plugin answers.
fn late_reply(sim: &mut Sim, twin: Twin) {
    const PLANS: [&str; 3] = ["one", "two", "three"];
    async fn serve(store: Client, twin: Twin) -> Result<(), StoreError> {
        let mut watch = store.watch("call", WatchFrom::Snapshot).await?;
        while let Ok(event) = watch.next().await {
            let Payload::Batch(calls) = event.payload else { continue };
            for call in calls.into_iter().filter_map(|call| call.value) {
                _ = failpoint("plugin.call").await;
                let create = Transaction::new().create(("resource", call.key.name.clone()), "made");
                let create = match twin {
                    Twin::Buggy => create,
                    Twin::Fixed => create.check(call.key, Some(call.version)),
                };
                // Nobody waits for what is refused.
                _ = store.transact(create).await;
            }
        }
        Ok(())
    }
    async fn made(store: &Client, plan: &'static str) -> Result<(), StoreError> {
        let mut watch = store.watch("resource", WatchFrom::Snapshot).await?;
        while store.entry(("resource", plan)).await?.is_none() {
            _ = watch.next().await;
        }
        Ok(())
    }
    sim.host("plugin").daemon().run(move |host| async move {
        _ = serve(host.store(), twin).await;
    });
    sim.converges_to(UNDONE, &["resource"], |store| {
        let done = PLANS.into_iter().filter(|plan| store.peek::<bool>(("plan", *plan)) == Some(true));
        done.map(|plan| (("resource", plan).into(), json!("made"))).collect()
    });
    sim.host("executor").run(|host| async move {
        let store = host.store();
        for plan in PLANS {
            store.put(("call", plan), "make").await?;
            let is_done = timeout(secs(5), made(&store, plan)).await.is_ok();
            store.delete(("call", plan)).await?;
            if !is_done && store.entry(("resource", plan)).await?.is_some() {
                store.delete(("resource", plan)).await?;
            }
            store.put(("plan", plan), is_done).await?;
        }
        sleep(secs(10)).await;
        Ok::<(), StoreError>(())
    });
}

/// A mirror goes on where its watch broke; where that is compacted it hears all entries anew, but not which are gone.
fn watch_gap(sim: &mut Sim, twin: Twin) {
    type Mirror = Rc<RefCell<BTreeMap<Arc<str>, u64>>>;
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
    let mirror = Mirror::default();
    let (store, mirrored) = (sim.store(), mirror.clone());
    sim.host("mirror").daemon().run(move |host| async move {
        let mut index = 0;
        loop {
            _ = follow(&host.store(), &mirror, &mut index, twin).await;
            sleep(millis(100)).await;
        }
    });
    let stored = store.clone();
    sim.converges(MIRROR, move || {
        let routes = stored.list("route").entries.into_iter();
        let routes: BTreeMap<Arc<str>, u64> =
            routes.map(|route| (route.key.name.clone(), route.parse().unwrap_or(0))).collect();
        routes == *mirrored.borrow()
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
