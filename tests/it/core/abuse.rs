//! Determinism under abuse: what user code does in destructors, to other tasks, with handles and wakers that outlive
//! their world.

use fatum::runtime::{End, LeakPolicy};
use fatum::sim::Keep;
use fatum::task::{AbortHandle, JoinHandle};
use fatum::time::{Duration, Sleep, sleep};
use fatum::{Run, Sim, event, rand, task};
use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

pub(super) const SEEDS: u64 = 120;

pub(super) type Facts = (End, u64, u64, u64);

pub(super) fn facts(run: &Run) -> Facts {
    (run.end.clone(), run.digests.choice, run.digests.trace, run.steps)
}

pub(super) fn run_one(seed: u64, keep: Keep, program: &dyn Fn(&mut Sim)) -> Run {
    let mut sim = Sim::builder().seed(seed).keep(keep).leaks(LeakPolicy::Allow).build();
    program(&mut sim);
    sim.finish()
}

/// Runs each seed twice, in both orders, and once recorded: always the same run. What it was, by seed.
pub(super) fn repeats(program: impl Fn(&mut Sim)) -> Vec<Facts> {
    let first: Vec<Facts> = (0..SEEDS).map(|seed| facts(&run_one(seed, Keep::Digests, &program))).collect();
    for seed in (0..SEEDS).rev() {
        let keep = if seed % 2 == 0 { Keep::Digests } else { Keep::Trace };
        assert_eq!(facts(&run_one(seed, keep, &program)).1, first[seed as usize].1, "seed {seed}");
        assert_eq!(facts(&run_one(seed, keep, &program)).2, first[seed as usize].2, "seed {seed}");
    }
    first
}

/// As [`repeats`], for a program that must pass and have runs that differ.
pub(super) fn repeats_and_passes(program: impl Fn(&mut Sim)) {
    let runs = repeats(program);
    let failed = runs.iter().find(|(end, ..)| !end.is_passed());
    assert_eq!(failed, None);
    let mut traces: Vec<u64> = runs.iter().map(|(_, _, trace, _)| *trace).collect();
    traces.sort_unstable();
    traces.dedup();
    assert!(traces.len() > 10, "the seeds explored {} runs", traces.len());
}

/// A bit of everything: a program whose runs tell whether anything leaked in from another world.
pub(super) fn mixture(sim: &mut Sim) {
    for name in ["a", "b"] {
        sim.host(name).run(|_| async {
            let mut set = task::JoinSet::new();
            for number in 0..4u64 {
                set.spawn(async move {
                    sleep(Duration::from_millis(rand::rng().below(5))).await;
                    task::yield_point("x").await;
                    number
                });
            }
            while let Some(number) = set.join_next().await {
                event!("left", number = number.unwrap());
            }
        });
    }
}

pub(super) fn mixed(seed: u64) -> Facts {
    facts(&run_one(seed, Keep::Digests, &mixture))
}

// Destructors.

/// Does in its destructor whatever user code can do there.
struct Chaos {
    depth: u64,
    sleep: Option<Pin<Box<Sleep>>>,
    handle: Option<JoinHandle<u64>>,
    victim: AbortHandle,
    waker: Arc<Mutex<Option<Waker>>>,
}

impl Drop for Chaos {
    fn drop(&mut self) {
        event!("dropped", depth = self.depth, over = self.victim.is_finished());
        self.sleep.take();
        self.handle.take();
        self.victim.abort();
        let waker = self.waker.lock().unwrap().take();
        if let Some(waker) = waker {
            waker.wake_by_ref();
            waker.wake();
        }
        if self.depth > 0 {
            drop(task::spawn(chaotic(self.depth - 1, self.waker.clone())));
        }
    }
}

pub(super) async fn chaotic(depth: u64, waker: Arc<Mutex<Option<Waker>>>) -> u64 {
    let handle = task::spawn(async move {
        sleep(Duration::from_millis(2)).await;
        depth
    });
    let mut timer = Box::pin(sleep(Duration::from_millis(depth + 1)));
    poll_fn(|context| {
        *waker.lock().unwrap() = Some(context.waker().clone());
        let _ = timer.as_mut().poll(context);
        Poll::Ready(())
    })
    .await;
    let victim = handle.abort_handle();
    let _chaos = Chaos { depth, sleep: Some(timer), handle: Some(handle), victim, waker };
    task::yield_now().await;
    sleep(Duration::from_millis(rand::rng().below(4))).await;
    depth
}

#[test]
fn destructors_may_spawn_wake_cancel_timers_abort_and_drop_handles() {
    repeats_and_passes(|sim| {
        sim.run(async {
            let waker = Arc::default();
            let tasks: Vec<_> = (0..4).map(|_| task::spawn(chaotic(3, Arc::clone(&waker)))).collect();
            sleep(Duration::from_millis(2)).await;
            for (index, task) in tasks.into_iter().enumerate() {
                if index % 2 == 0 {
                    task.abort();
                }
                let _ = task.await;
            }
            sleep(Duration::from_secs(1)).await;
        });
    });
}

#[test]
fn a_world_that_ends_with_chaos_alive_repeats() {
    repeats(|sim| {
        sim.run(async {
            for _ in 0..4 {
                task::spawn(chaotic(5, Arc::default()));
            }
            sleep(Duration::from_millis(1)).await;
        });
    });
}

// Aborts.

/// Aborts a task, its own, when dropped.
struct AbortsOnDrop(Rc<RefCell<Option<AbortHandle>>>, Rc<Cell<u64>>);

impl Drop for AbortsOnDrop {
    fn drop(&mut self) {
        let own = self.0.borrow();
        let own = own.as_ref().unwrap();
        own.abort();
        assert!(!own.is_finished(), "it is being dropped");
        self.1.set(self.1.get() + 1);
    }
}

#[test]
fn a_task_may_be_aborted_by_another_by_itself_during_its_drop_and_when_finished() {
    repeats_and_passes(|sim| {
        mixture(sim);
        sim.run(async {
            let own: Rc<RefCell<Option<AbortHandle>>> = Rc::default();
            let drops = Rc::new(Cell::new(0));
            let guard = AbortsOnDrop(own.clone(), drops.clone());
            let mine = own.clone();
            let itself = task::spawn_local(async move {
                let _guard = guard;
                task::yield_now().await;
                mine.borrow().as_ref().unwrap().abort();
                task::yield_now().await;
                panic!("it went on after it had aborted itself");
            });
            *own.borrow_mut() = Some(itself.abort_handle());
            assert!(itself.await.unwrap_err().is_cancelled());
            assert_eq!(drops.get(), 1, "dropped once");
            own.borrow().as_ref().unwrap().abort();

            let by_another = task::spawn(pending::<()>());
            let aborter = by_another.abort_handle();
            let other = task::spawn(async move {
                task::yield_point("abort").await;
                aborter.abort();
                aborter.abort();
                aborter
            });
            assert!(by_another.await.unwrap_err().is_cancelled());
            other.await.unwrap().abort();

            let finished = task::spawn(async { 7 });
            sleep(Duration::from_millis(1)).await;
            assert!(finished.is_finished());
            finished.abort();
            assert_eq!(finished.await.unwrap(), 7, "an abort does not take back an output");

            let never_ran = task::spawn(async { unreachable!("aborted before its first turn") });
            never_ran.abort();
            let joined: Result<(), _> = never_ran.await;
            assert!(joined.unwrap_err().is_cancelled());
        });
    });
}

#[test]
fn a_task_that_aborts_itself_and_ends_in_the_same_turn_has_finished() {
    let run = run_one(1, Keep::Tape, &|sim| {
        sim.run(async {
            let own: Rc<RefCell<Option<AbortHandle>>> = Rc::default();
            let mine = own.clone();
            let child = task::spawn_local(async move {
                mine.borrow().as_ref().unwrap().abort();
                7
            });
            *own.borrow_mut() = Some(child.abort_handle());
            assert_eq!(child.await.unwrap(), 7);
        });
    });
    assert_eq!(run.end, End::Passed);
}

// Worlds that are dropped.

/// Counts drops, and uses the facade while it is dropped.
struct Counted(Arc<AtomicUsize>, Option<Pin<Box<Sleep>>>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        event!("dropped");
        fatum::property::always("ignored while closing", false, String::new);
        drop(task::spawn(pending::<()>()));
        let _ = rand::rng().below(100);
        self.1.take();
        let _later = fatum::time::Instant::now();
    }
}

fn crowd(sim: &mut Sim, dropped: &Arc<AtomicUsize>) {
    let dropped = dropped.clone();
    sim.run(async move {
        let mut kept = Vec::new();
        for _ in 0..1_000 {
            let counted = Counted(dropped.clone(), None);
            kept.push(task::spawn(async move {
                let mut counted = counted;
                let mut timer = Box::pin(sleep(Duration::from_secs(9)));
                poll_fn(|context| {
                    let _ = timer.as_mut().poll(context);
                    Poll::Ready(())
                })
                .await;
                counted.1 = Some(timer);
                pending::<()>().await;
            }));
        }
        sleep(Duration::from_secs(5)).await;
        pending::<()>().await;
    });
}

#[test]
fn a_sim_may_be_dropped_with_a_thousand_live_tasks() {
    let alone: Vec<Facts> = (0..SEEDS).map(mixed).collect();
    for seed in 0..SEEDS {
        let dropped = Arc::new(AtomicUsize::new(0));
        let mut sim = Sim::new(seed);
        crowd(&mut sim, &dropped);
        match seed % 4 {
            0 => {}
            1 => assert!(sim.step()),
            2 => assert!((0..500).all(|_| sim.step())),
            _ => sim.run_for(Duration::from_secs(6)),
        }
        let mid_run = seed % 4 > 1;
        if seed % 8 > 3 {
            let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
                let _sim = sim;
                std::panic::resume_unwind(Box::new("while panicking"));
            }));
            assert!(payload.is_err());
        } else {
            drop(sim);
        }
        let dropped = dropped.load(Ordering::Relaxed);
        assert!(if mid_run { dropped == 1_000 } else { dropped <= 1_000 }, "{dropped}");
        assert!(!fatum::is_simulated());
        assert_eq!(mixed(seed), alone[seed as usize], "seed {seed} after a crowd was dropped");
    }
}

// Handles and wakers that outlive their world.

/// What one run of a world leaves behind.
struct Remains {
    handles: Vec<JoinHandle<u64>>,
    aborters: Vec<AbortHandle>,
    sleeps: Vec<Pin<Box<Sleep>>>,
    wakers: Vec<Waker>,
}

impl Remains {
    /// Leaves a world with each of these, some of ended tasks and some of live ones.
    fn of_a_world(seed: u64) -> Remains {
        let shared: Arc<Mutex<Option<Remains>>> = Arc::default();
        let keeper = shared.clone();
        let mut sim = Sim::new(seed);
        sim.run(async move {
            let mut remains = Remains { handles: vec![], aborters: vec![], sleeps: vec![], wakers: vec![] };
            for index in 0..8 {
                let handle = task::spawn(async move {
                    if index % 2 == 0 {
                        pending::<()>().await;
                    }
                    index
                });
                remains.aborters.push(handle.abort_handle());
                remains.handles.push(handle);
                let mut timer = Box::pin(sleep(Duration::from_secs(100)));
                poll_fn(|context| {
                    let _ = timer.as_mut().poll(context);
                    remains.wakers.push(context.waker().clone());
                    Poll::Ready(())
                })
                .await;
                remains.sleeps.push(timer);
            }
            *keeper.lock().unwrap() = Some(remains);
            sleep(Duration::from_secs(5)).await;
        });
        sim.run_for(Duration::from_secs(1));
        drop(sim);
        shared.lock().unwrap().take().unwrap()
    }

    /// Uses and drops everything.
    fn spend(self) {
        for aborter in &self.aborters {
            aborter.abort();
            assert!(aborter.is_finished());
        }
        for handle in &self.handles {
            handle.abort();
        }
        self.wakers.iter().for_each(Waker::wake_by_ref);
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "another thread is what this is about")]
fn handles_sleeps_and_wakers_may_outlive_their_world_and_disturb_no_other() {
    let alone: Vec<Facts> = (0..SEEDS).map(mixed).collect();
    for seed in 0..SEEDS {
        let remains = Remains::of_a_world(seed);
        match seed % 3 {
            0 => remains.spend(),
            1 => std::thread::spawn(|| remains.spend()).join().unwrap(),
            _ => {
                // Within another world, at each of its steps.
                let mut remains = Some(remains);
                let mut sim = Sim::builder().seed(seed).leaks(LeakPolicy::Allow).build();
                mixture(&mut sim);
                sim.always("undisturbed", move || {
                    if let Some(remains) = remains.take() {
                        remains.spend();
                    }
                    true
                });
                assert_eq!(facts(&sim.finish()), alone[seed as usize], "seed {seed}");
            }
        }
        assert_eq!(mixed(seed), alone[seed as usize], "seed {seed}");
    }
}

#[test]
fn a_handle_or_sleep_used_in_another_world_is_told_with_its_place() {
    fn used_elsewhere<F>(make: impl FnOnce() -> F + 'static) -> String
    where
        F: Future<Output = ()> + 'static,
    {
        let slot: Rc<RefCell<Option<F>>> = Rc::default();
        let keeper = slot.clone();
        let mut first = Sim::new(1);
        first.run(async move { *keeper.borrow_mut() = Some(make()) });
        assert_eq!(first.finish().end.kind(), "passed");
        let mut second = Sim::new(2);
        second.run(async move {
            let future = slot.borrow_mut().take().unwrap();
            future.await;
        });
        match second.finish().end {
            End::Panicked { message, .. } => message,
            end => panic!("{end:?}"),
        }
    }
    let place = |line: u32| format!("tests/it/core/abuse.rs:{line}:");
    let line = line!() + 2;
    let message = used_elsewhere(|| {
        let handle = task::spawn(async {});
        async { handle.await.unwrap() }
    });
    let (spawned, awaited) = (place(line), place(line + 1));
    let places = [format!("spawned at {spawned}"), format!("awaited at {awaited}")];
    assert!(places.iter().all(|place| message.contains(place)), "{message}");
    let line = line!() + 2;
    let message = used_elsewhere(|| {
        let sleep = sleep(Duration::from_secs(1));
        async {
            sleep.await;
        }
    });
    let (created, polled) = (place(line), place(line + 2));
    let places = [format!("created at {created}"), format!("polled at {polled}")];
    assert!(places.iter().all(|place| message.contains(place)), "{message}");
    let line = line!() + 2;
    let message = used_elsewhere(|| {
        let mut interval = fatum::time::interval(Duration::from_secs(1));
        async move { _ = interval.tick().await }
    });
    let (created, polled) = (place(line), place(line + 1));
    let places = [format!("created at {created}"), format!("polled at {polled}")];
    assert!(places.iter().all(|place| message.contains(place)), "{message}");
}

#[test]
fn a_world_that_outlives_many_others_still_hears_its_wakes() {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let mut old = Sim::new(1);
    old.run(async move { receiver.await.unwrap() });
    old.host("clock").daemon().run(|_| async {
        loop {
            sleep(Duration::from_secs(1)).await;
        }
    });
    old.run_for(Duration::from_secs(1));
    for _ in 0..40_000 {
        drop(Sim::new(0));
    }
    sender.send(()).unwrap();
    assert_eq!(old.finish().end, End::Passed);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "another thread is what this is about")]
fn a_late_wake_from_another_thread_is_not_taken_for_one_of_a_later_world() {
    let remains = Remains::of_a_world(1);
    std::thread::spawn(move || remains.spend()).join().unwrap();
    for seed in 0..40_000 {
        let mut sim = Sim::new(seed);
        sim.run(async {});
        assert_eq!(sim.finish().end, End::Passed, "world {seed}");
    }
}
