//! Leaders, plans and plugins: two that act where one must, an answer that comes when nobody waits any more, and tries
//! that are repeated.

use super::Shows::{NotConverged, Violated};
use super::operator::{millis, secs};
use super::{Case, Twin, case};
use fatum::Sim;
use fatum::fault::{FaultKind, FaultPlan, FaultRule, failpoint};
use fatum::property::always;
use fatum::store::{Client, Entry, Latency, Payload, StoreError, StoreEvent, Transaction, WatchFrom};
use fatum::task::spawn_local;
use fatum::time::{Duration, Instant, SystemTime, sleep, timeout};
use serde_json::json;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

/// The programs of this file.
pub const CASES: [Case; 6] = [
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
        "lease_by_wall_clock",
        "leader election by the clock of the wall",
        Violated(ONE_LEADER),
        wall_clock,
        wrong_clocks,
    ),
    case("conflict_retried_with_old_value", "retry on conflict", NotConverged(SUM), conflict, late_timers),
    case(
        "write_repeated_after_lost_answer",
        "retry of a write that took effect",
        NotConverged(THREE),
        repeated,
        lost_answers,
    ),
];

const LEADER: &str = "only the leader writes";
const ONE_RUNNER: &str = "a plan has one runner";
const UNDONE: &str = "what was undone is gone";
const ONE_LEADER: &str = "nobody takes a lease that is in force";
const SUM: &str = "each has added its own";
const THREE: &str = "a member is added once";

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

/// Clocks of the wall jump.
fn wrong_clocks() -> FaultPlan {
    FaultPlan::none().with(FaultRule::own(FaultKind::ClockJump(secs(5)), 0.002))
}

/// Timers are late: what is done at different times meets.
fn late_timers() -> FaultPlan {
    FaultPlan::none().with(FaultRule::late_timer(0.02))
}

/// Writes take effect and say nothing.
fn lost_answers() -> FaultPlan {
    FaultPlan::none()
        .with(FaultRule::own(FaultKind::LostAnswer, 0.01).on("set/*"))
        .with(FaultRule::own(FaultKind::Conflict, 0.05).on("set/*"))
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

/// Who finds a lease that is over by the clock of its wall takes it; the mended one waits as long as the lease lasts by
/// a clock that nobody sets.
fn wall_clock(sim: &mut Sim, twin: Twin) {
    const LEASE: (&str, &str) = ("lease", "leader");
    const LASTS: Duration = secs(3);
    type Held = Rc<RefCell<(String, Duration)>>;
    /// What a candidate remembers: the version of the lease that it saw last, and since when.
    type Seen = (u64, Instant);
    async fn turn(store: &Client, seen: &mut Seen, held: &Held, twin: Twin) -> Result<(), StoreError> {
        let (now, me) = (SystemTime::now(), store.name().to_string());
        let until = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default() + LASTS;
        let mine = (me.clone(), until.as_secs());
        match store.entry(LEASE).await? {
            None => drop(store.create(LEASE, mine).await?),
            Some(lease) => {
                if seen.0 != lease.version {
                    *seen = (lease.version, Instant::now());
                }
                let (holder, over): (String, u64) = lease.parse().unwrap_or_default();
                let is_over = match twin {
                    Twin::Buggy => over + LASTS.as_secs() <= until.as_secs(),
                    Twin::Fixed => seen.1.elapsed() > LASTS,
                };
                if holder != me && !is_over {
                    return Ok(());
                }
                store.update(LEASE, lease.version, mine).await?;
            }
        }
        let now = Instant::now().since_start();
        let (leader, in_force) = held.replace((me.clone(), now + LASTS));
        always(ONE_LEADER, leader == me || in_force <= now, || format!("{me} takes it from {leader}"));
        Ok(())
    }
    sim.store().set_latency(Latency { base: Duration::ZERO, step: Duration::ZERO });
    let held = Held::default();
    for name in ["a", "b"] {
        let held = held.clone();
        sim.host(name).daemon().run(move |host| async move {
            let mut seen = (0, Instant::now());
            for _ in 0..15 {
                // What failed is tried again at the next turn.
                _ = turn(&host.store(), &mut seen, &held, twin).await;
                sleep(secs(1)).await;
            }
        });
    }
    sim.run(async { sleep(secs(15)).await });
}

/// Two add to a total, and again after a conflict; what is written then was computed before.
fn conflict(sim: &mut Sim, twin: Twin) {
    const TOTAL: (&str, &str) = ("quota", "total");
    async fn add(store: &Client, what: u64, twin: Twin) -> Result<(), StoreError> {
        let mut computed = None;
        loop {
            let found = store.entry(TOTAL).await?;
            let before: u64 = found.as_ref().and_then(|entry| entry.parse().ok()).unwrap_or(0);
            let sum = match twin {
                Twin::Buggy => *computed.get_or_insert(before + what),
                Twin::Fixed => before + what,
            };
            let version = found.map_or(0, |entry| entry.version);
            match store.update(TOTAL, version, sum).await {
                Err(error) if error.is_conflict() => {}
                written => return written.map(drop),
            }
        }
    }
    let store = sim.store();
    store.put(TOTAL, 0).expect("the store takes it");
    for (name, from, what) in [("a", 0, [1, 2, 4]), ("b", 500, [10, 20, 40])] {
        sim.host(name).run(move |host| async move {
            sleep(millis(from)).await;
            for what in what {
                add(&host.store(), what, twin).await?;
                sleep(secs(1)).await;
            }
            Ok::<(), StoreError>(())
        });
    }
    sim.converges(SUM, move || store.peek::<u64>(TOTAL) == Some(77));
}

/// One member more, and again if nobody answers; the mended one makes sure that the first try did nothing.
fn repeated(sim: &mut Sim, twin: Twin) {
    const SET: (&str, &str) = ("set", "members");
    async fn grow(store: &Client, twin: Twin) -> Result<(), StoreError> {
        let mut target = None;
        loop {
            let Some(set) = store.entry(SET).await? else { return Ok(()) };
            let found: u64 = set.parse().unwrap_or(0);
            let target = *target.get_or_insert(found + 1);
            if twin == Twin::Fixed && found == target {
                return Ok(());
            }
            if store.update(SET, set.version, found + 1).await.is_ok() {
                return Ok(());
            }
        }
    }
    let store = sim.store();
    store.put(SET, 0).expect("the store takes it");
    sim.host("operator").run(move |host| async move {
        for _ in 0..3 {
            grow(&host.store(), twin).await?;
            sleep(secs(1)).await;
        }
        Ok::<(), StoreError>(())
    });
    sim.converges(THREE, move || store.peek::<u64>(SET) == Some(3));
}
