//! Queues, timers and permits of controllers: a key that is lost, a storm, a deferral, a permit, a deadline.

use super::Shows::{Deadlock, NotConverged, Violated};
use super::operator::{millis, secs};
use super::{Case, Twin, case};
use fatum::Sim;
use fatum::fault::{FaultKind, FaultPlan, FaultRule};
use fatum::host::Disk;
use fatum::property::always;
use fatum::store::{Client, Key, Latency, Payload, StoreError, StoreEvent, WatchFrom};
use fatum::sync::{Mutex, Notify, mpsc};
use fatum::task::{spawn_local, yield_point, yield_read};
use fatum::time::{Duration, Instant, sleep};
use serde_json::json;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

/// The programs of this file.
pub const CASES: [Case; 5] = [
    case(
        "lost_key",
        "work queue: dirty and processing set",
        NotConverged(WORKED_OFF),
        lost_key,
        FaultPlan::none,
    ),
    case("requeue_storm", "requeue without backoff", Violated(CALM), requeue_storm, slow_quota),
    case("deferral_lost_at_restart", "defer queue on disk", NotConverged(FIRES), deferral, crashes),
    case(
        "select_loses_permit",
        "a branch of select! that is not safe to cancel",
        Deadlock,
        select_permit,
        FaultPlan::none,
    ),
    case(
        "timer_races_completion",
        "deadline and completion, each checked before",
        Violated(FINAL),
        deadline,
        late_timers,
    ),
];

const WORKED_OFF: &str = "what was written last was worked off";
const CALM: &str = "a key is tried at most 8 times in a second";
const FIRES: &str = "every deferral fires";
const FINAL: &str = "an end is final";

/// One write takes long.
fn slow_quota() -> FaultPlan {
    let slow = FaultKind::Slow(secs(2));
    FaultPlan::none().with(FaultRule::new("store.write", slow, 0.01).on("quota/*"))
}

/// The scheduler crashes.
fn crashes() -> FaultPlan {
    FaultPlan::none().with(FaultRule::own(FaultKind::Crash(secs(8)), 0.003).at_host("scheduler"))
}

/// Timers are late: up to, and just after, later deadlines.
fn late_timers() -> FaultPlan {
    FaultPlan::none().with(FaultRule::late_timer(0.05))
}

/// A work queue: each key is in it once, and is given to one worker at a time.
#[derive(Default)]
struct Queue {
    ready: RefCell<VecDeque<usize>>,
    dirty: RefCell<BTreeSet<usize>>,
    processing: RefCell<BTreeSet<usize>>,
    bell: Notify,
}

impl Queue {
    async fn add(&self, key: usize) {
        yield_point("queue").await;
        if self.dirty.borrow_mut().insert(key) && !self.processing.borrow().contains(&key) {
            self.push(key);
        }
    }

    async fn get(&self) -> usize {
        loop {
            yield_point("queue").await;
            let next = self.ready.borrow_mut().pop_front();
            if let Some(key) = next {
                self.processing.borrow_mut().insert(key);
                self.dirty.borrow_mut().remove(&key);
                return key;
            }
            self.bell.notified().await;
        }
    }

    /// What was added meanwhile is dirty and comes again; whether it is so is asked too early.
    async fn done(&self, key: usize, twin: Twin) {
        let early = self.dirty.borrow().contains(&key);
        yield_point("queue").await;
        self.processing.borrow_mut().remove(&key);
        let is_dirty = match twin {
            Twin::Buggy => early,
            Twin::Fixed => self.dirty.borrow().contains(&key),
        };
        if is_dirty {
            self.push(key);
        }
    }

    fn push(&self, key: usize) {
        self.ready.borrow_mut().push_back(key);
        self.bell.notify_one();
    }
}

fn lost_key(sim: &mut Sim, twin: Twin) {
    let queue = Rc::new(Queue::default());
    let (wanted, found) = (Rc::new(RefCell::new([0; 3])), Rc::new(RefCell::new([0; 3])));
    for name in ["worker-1", "worker-2"] {
        let (queue, wanted, found) = (queue.clone(), wanted.clone(), found.clone());
        sim.host(name).daemon().run(move |_| async move {
            loop {
                let key = queue.get().await;
                yield_read("value").await;
                let value = wanted.borrow()[key];
                found.borrow_mut()[key] = value;
                queue.done(key, twin).await;
            }
        });
    }
    let written = wanted.clone();
    sim.run(async move {
        for key in 0..3 {
            for value in 1..3 {
                yield_point("value").await;
                written.borrow_mut()[key] = value;
                queue.add(key).await;
            }
            sleep(millis(10)).await;
        }
    });
    sim.converges(WORKED_OFF, move || wanted == found);
}

/// What cannot be done yet is tried again: at once, or after longer and longer pauses.
fn requeue_storm(sim: &mut Sim, twin: Twin) {
    async fn reconcile(store: &Client, site: &Key) -> Result<(), StoreError> {
        let quota = Key::new("quota", site.name.clone());
        store.entry(quota.clone()).await?.ok_or(StoreError::NotFound { key: quota })?;
        store.put(("pod", site.name.clone()), "up").await.map(drop)
    }
    async fn operate(store: Client, twin: Twin) -> Option<()> {
        let mut watch = store.watch("site", WatchFrom::Snapshot).await.ok()?;
        let mut tries: VecDeque<Instant> = VecDeque::new();
        while let Ok(event) = watch.next().await {
            let Payload::Batch(sites) = event.payload else { continue };
            for site in sites {
                let mut pause = millis(100);
                while reconcile(&store, &site.key).await.is_err() {
                    tries.retain(|at| at.elapsed() < secs(1));
                    tries.push_back(Instant::now());
                    always(CALM, tries.len() <= 8, || format!("{} tries", tries.len()));
                    if twin == Twin::Fixed {
                        sleep(pause).await;
                        pause *= 2;
                    }
                }
            }
        }
        None
    }
    sim.store().set_latency(Latency { base: millis(1), step: Duration::ZERO });
    sim.host("operator").daemon().run(move |host| async move {
        operate(host.store(), twin).await;
    });
    sim.host("user").run(|host| async move {
        for site in ["shop", "blog"] {
            host.store().put(("site", site), "wanted").await?;
            host.store().put(("quota", site), 1).await?;
            sleep(secs(5)).await;
        }
        Ok::<(), StoreError>(())
    });
}

/// Deferrals are on disk. After a restart the timers are set again: of those whose time has come meanwhile, too?
fn deferral(sim: &mut Sim, twin: Twin) {
    async fn fire(store: Client, disk: Disk, name: String, due: u64) {
        let due = Duration::from_secs(due);
        sleep(due.saturating_sub(Instant::now().since_start())).await;
        _ = store.put(("fired", name.clone()), due.as_secs()).await;
        _ = disk.remove(&name).await;
    }
    async fn serve(store: Client, disk: Disk, twin: Twin) -> Option<()> {
        for name in disk.names("").await.ok()? {
            let due: u64 = disk.read(&name).await.ok()??;
            let is_over = Duration::from_secs(due) <= Instant::now().since_start();
            if twin == Twin::Fixed || !is_over {
                spawn_local(fire(store.clone(), disk.clone(), name, due));
            }
        }
        let mut watch = store.watch("request", WatchFrom::Snapshot).await.ok()?;
        while let Ok(event) = watch.next().await {
            let Payload::Batch(requests) = event.payload else { continue };
            for request in requests.into_iter().filter_map(|request| request.value) {
                let (name, due) = (request.key.name.to_string(), request.parse().unwrap_or(0));
                disk.write(&name, &due).await.ok()?;
                _ = store.delete(request.key).await;
                spawn_local(fire(store.clone(), disk.clone(), name, due));
            }
        }
        None
    }
    sim.host("scheduler").daemon().serve(move |host| async move {
        serve(host.store(), host.disk(), twin).await;
    });
    sim.converges_to(FIRES, &["fired"], |_| {
        [("a", 10), ("b", 15), ("c", 20)].map(|(name, due)| (("fired", name).into(), json!(due))).into()
    });
    let store = sim.store();
    sim.run(async move {
        for (name, due) in [("a", 10), ("b", 15), ("c", 20)] {
            store.put(("request", name), due)?;
            sleep(secs(4)).await;
        }
        sleep(secs(30)).await;
        Ok::<(), StoreError>(())
    });
}

/// A permit of a pool; the mended one goes back if it is not used.
struct Permit {
    number: u32,
    pool: Option<mpsc::UnboundedSender<u32>>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.take() {
            _ = pool.send(self.number);
        }
    }
}

/// A permit is taken and noted; who gives up in between has it, and nobody has it any more.
fn select_permit(sim: &mut Sim, twin: Twin) {
    let (free, taken) = mpsc::unbounded_channel();
    let (taken, audit) = (Rc::new(Mutex::new(taken)), Rc::new(Mutex::new(Vec::new())));
    let at_work = Rc::new(Cell::new(4));
    _ = (free.send(1), free.send(2));
    for name in ["a", "b", "c", "d"] {
        let (free, taken, audit, at_work) = (free.clone(), taken.clone(), audit.clone(), at_work.clone());
        sim.host(name).run(move |_| async move {
            let take = async {
                let number = taken.lock().await.recv().await.expect("a sender is here");
                let mut permit = Permit { number, pool: (twin == Twin::Fixed).then(|| free.clone()) };
                audit.lock().await.push(number);
                permit.pool = None;
                number
            };
            fatum::select! {
                number = take => {
                    sleep(millis(10)).await;
                    _ = free.send(number);
                }
                () = sleep(millis(10)) => {}
            }
            at_work.set(at_work.get() - 1);
        });
    }
    sim.run(async move {
        while at_work.get() > 0 {
            sleep(millis(50)).await;
        }
        for _ in 0..2 {
            taken.lock().await.recv().await;
        }
        drop(free);
    });
}

/// A job ends, or its deadline comes: each looks whether the other was first, and then writes.
fn deadline(sim: &mut Sim, twin: Twin) {
    async fn end(store: Client, job: Key, end: &str, twin: Twin) -> Result<(), StoreError> {
        let Some(found) = store.entry(job.clone()).await?.filter(|job| *job.value == "running") else {
            return Ok(());
        };
        let ended = match twin {
            Twin::Buggy => store.put(job, end).await,
            Twin::Fixed => store.update(job, found.version, end).await,
        };
        ended.map(drop)
    }
    let jobs = sim.store();
    jobs.set_latency(Latency { base: Duration::ZERO, step: Duration::ZERO });
    sim.fold(FINAL, BTreeSet::new(), move |ended, _, event: &StoreEvent| {
        let StoreEvent::Updated { key, .. } = event else { return Ok(()) };
        let is_first =
            jobs.peek::<String>(key.clone()).as_deref() == Some("running") || ended.insert(key.clone());
        if is_first { Ok(()) } else { Err(format!("{key} ended twice")) }
    });
    for (name, ending, after) in [("worker", "done", 9), ("watchdog", "failed", 10)] {
        sim.host(name).run(move |host| async move {
            for number in 0..4 {
                let job = Key::new("job", number.to_string());
                if name == "worker" {
                    host.store().put(job.clone(), "running").await?;
                }
                sleep(secs(after)).await;
                // Who comes second gets a conflict, and that is all there is to it.
                _ = end(host.store(), job, ending, twin).await;
                sleep(secs(20 - after)).await;
            }
            Ok::<(), StoreError>(())
        });
    }
}
