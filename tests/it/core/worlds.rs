//! Several worlds on one thread, wakers that are not the world's own, slots used again, worlds inside tokio.

use super::abuse::{Facts, SEEDS, chaotic, facts, mixed, mixture, repeats_and_passes, run_one};
use fatum::runtime::{End, LeakPolicy};
use fatum::sim::Keep;
use fatum::sync::{CancellationToken, Notify};
use fatum::time::{Duration, sleep};
use fatum::{Sim, event, rand, task};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

// Several worlds on one thread.

fn setup(seed: u64, program: impl Fn(&mut Sim)) -> Sim {
    let mut sim = Sim::builder().seed(seed).leaks(LeakPolicy::Allow).build();
    program(&mut sim);
    sim
}

fn busy(sim: &mut Sim) {
    mixture(sim);
    sim.run(async {
        task::spawn(chaotic(3, Arc::default()));
        sleep(Duration::from_millis(7)).await;
    });
}

#[test]
fn two_sims_interleaved_by_hand_are_the_two_alone() {
    for seed in 0..SEEDS {
        let alone = [(seed, mixture as fn(&mut Sim)), (seed + 1, busy)]
            .map(|(seed, program)| facts(&setup(seed, program).finish()));
        let (mut first, mut second) = (setup(seed, mixture), setup(seed + 1, busy));
        let mut going = [true, true];
        while going != [false, false] {
            going = [first.step(), second.step()];
        }
        assert_eq!([facts(&first.finish()), facts(&second.finish())], alone, "seed {seed}");
    }
}

#[test]
fn a_run_in_pieces_is_the_run_in_one() {
    for seed in 0..SEEDS {
        let whole = facts(&setup(seed, busy).finish());
        let mut by_time = setup(seed, busy);
        for _ in 0..20 {
            by_time.run_for(Duration::from_micros(700));
        }
        assert_eq!(facts(&by_time.finish()), whole, "seed {seed}");
        let mut by_condition = setup(seed, busy);
        by_condition.run_until(|| fatum::time::Instant::now().since_start() >= Duration::from_millis(3));
        assert_eq!(facts(&by_condition.finish()), whole, "seed {seed}");
    }
}

#[test]
fn a_run_that_failed_by_hand_is_the_run_that_fails_in_one() {
    fn program(sim: &mut Sim, kind: &str) {
        let done = Rc::new(Cell::new(false));
        let seen = done.clone();
        match kind {
            "panicked" => sim.run(async { panic!("at the end") }),
            "failed" => sim.run(async { Err::<(), _>("at the end") }),
            _ => {
                sim.always("never done", move || !seen.get());
                sim.run(async move { done.set(true) });
            }
        }
    }
    for kind in ["panicked", "failed", "violated"] {
        let setup = || {
            let mut sim = Sim::builder().keep(Keep::Trace).build();
            let mut looks = 0;
            sim.sometimes("looked at five times", move || {
                looks += 1;
                looks == 5
            });
            program(&mut sim, kind);
            sim
        };
        let whole = setup().finish();
        assert_eq!(whole.end.kind(), kind);
        let mut by_hand = setup();
        by_hand.run_for(Duration::from_secs(1));
        assert!(by_hand.end().is_some(), "{kind}");
        let by_hand = by_hand.finish();
        assert!(by_hand.is_same(&whole), "{kind}");
        assert_eq!((by_hand.trace, by_hand.coverage), (whole.trace, whole.coverage), "{kind}");
    }
}

/// Says something as it is dropped, as a panic.
struct Says(&'static str);

impl Drop for Says {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            std::panic::resume_unwind(Box::new(self.0));
        }
    }
}

#[test]
fn of_what_panics_at_the_end_the_first_is_told_and_nothing_escapes() {
    let mut sim = Sim::new(1);
    let kept = Says("the property");
    sim.always("holds", move || {
        let _ = &kept;
        true
    });
    sim.host("d").daemon().run(|_| async {
        let _guard = Says("the guard");
        pending::<()>().await;
    });
    sim.run(async {});
    let End::Panicked { message, .. } = sim.finish().end else { panic!("it did not end in a panic") };
    assert_eq!(message, "the guard");
}

#[test]
fn a_panic_at_the_end_is_not_taken_for_one_that_was_caught_in_the_last_turn() {
    let mut sim = Sim::new(1);
    sim.host("d").daemon().run(|_| async {
        let _guard = Says("boo");
        pending::<()>().await;
    });
    sim.run(async {
        // The daemon has had its turn then.
        sleep(Duration::from_millis(1)).await;
        let caught = std::panic::catch_unwind(|| panic!("boo"));
        assert!(caught.is_err());
    });
    let End::Panicked { message, .. } = sim.finish().end else { panic!("it did not end in a panic") };
    assert_eq!(message, "boo", "it began elsewhere than the one that was caught");
}

#[test]
fn steps_end_where_nothing_can_happen_any_more() {
    let mut empty = Sim::new(1);
    assert!(!empty.step());
    let mut daemon = Sim::new(1);
    daemon.host("d").daemon().run(|_| async { pending::<()>().await });
    let steps = (0..10).take_while(|_| daemon.step()).count();
    assert_eq!(steps, 1);
    assert_eq!(daemon.finish().end, End::Passed);
}

#[test]
fn a_sim_run_inside_a_task_of_another_disturbs_neither() {
    let inner: Vec<Facts> = (0..SEEDS).map(mixed).collect();
    let inner = Rc::new(inner);
    repeats_and_passes(|sim| {
        let inner = inner.clone();
        busy(sim);
        sim.run(async move {
            for seed in 0..3 {
                sleep(Duration::from_millis(1)).await;
                assert_eq!(mixed(seed), inner[seed as usize]);
                assert!(fatum::is_simulated());
                task::yield_point("between").await;
            }
        });
    });
    let nested = |nests: bool| {
        let run = run_one(3, Keep::Digests, &|sim| {
            busy(sim);
            sim.run(async move {
                sleep(Duration::from_millis(1)).await;
                if nests {
                    mixed(5);
                }
            });
        });
        facts(&run)
    };
    assert_eq!(nested(true), nested(false));
}

#[test]
fn an_inner_sim_may_wake_a_task_of_the_outer() {
    repeats_and_passes(|sim| {
        mixture(sim);
        sim.run(async {
            let (sender, receiver) = tokio::sync::oneshot::channel();
            let waiting = task::spawn(async { receiver.await.unwrap() });
            sleep(Duration::from_millis(1)).await;
            let mut inner = Sim::new(9);
            inner.run(async move {
                sleep(Duration::from_secs(1)).await;
                sender.send(7).unwrap();
            });
            assert_eq!(inner.finish().end, End::Passed);
            assert_eq!(waiting.await.unwrap(), 7);
        });
    });
}

/// The waker says whose task it wakes, whether that world is older or newer than the one that runs.
#[test]
fn a_sim_may_wake_a_task_of_one_that_stands_still() {
    for older_waits in [true, false] {
        let (mut older, mut newer) = (Sim::new(1), Sim::new(2));
        let (waits, sends) = if older_waits { (&mut older, &mut newer) } else { (&mut newer, &mut older) };
        let (sender, receiver) = tokio::sync::oneshot::channel();
        waits.run(async { assert_eq!(receiver.await, Ok(7)) });
        sends.run(async { sender.send(7).unwrap() });
        assert!(waits.step() && sends.step(), "both have a first turn");
        assert_eq!([older.finish().end, newer.finish().end], [End::Passed, End::Passed]);
    }
}

#[test]
fn a_b_a_in_one_process_gives_a() {
    for seed in 0..SEEDS {
        let a = facts(&run_one(seed, Keep::Digests, &mixture));
        facts(&run_one(seed, Keep::Digests, &busy));
        assert_eq!(facts(&run_one(seed, Keep::Digests, &mixture)), a, "seed {seed}");
    }
}

// Foreign wakers.

/// Children polled each with a waker of its own, and only when that was woken.
struct Unordered {
    children: Vec<Option<Pin<Box<dyn Future<Output = u64>>>>>,
    shared: Arc<Woken>,
}

#[derive(Default)]
struct Woken {
    queue: Mutex<VecDeque<usize>>,
    parent: Mutex<Option<Waker>>,
}

struct ChildWaker {
    index: usize,
    shared: Arc<Woken>,
}

impl Wake for ChildWaker {
    fn wake(self: Arc<Self>) {
        self.shared.queue.lock().unwrap().push_back(self.index);
        let parent = self.shared.parent.lock().unwrap().clone();
        if let Some(parent) = parent {
            parent.wake();
        }
    }
}

impl Unordered {
    fn new(children: Vec<Pin<Box<dyn Future<Output = u64>>>>) -> Unordered {
        let shared = Arc::new(Woken::default());
        shared.queue.lock().unwrap().extend(0..children.len());
        Unordered { children: children.into_iter().map(Some).collect(), shared }
    }

    fn poll_next(&mut self, context: &Context<'_>) -> Poll<Option<u64>> {
        *self.shared.parent.lock().unwrap() = Some(context.waker().clone());
        loop {
            let next = self.shared.queue.lock().unwrap().pop_front();
            let Some(index) = next else { break };
            let Some(child) = &mut self.children[index] else { continue };
            let waker = Waker::from(Arc::new(ChildWaker { index, shared: self.shared.clone() }));
            if let Poll::Ready(output) = child.as_mut().poll(&mut Context::from_waker(&waker)) {
                self.children[index] = None;
                return Poll::Ready(Some(output));
            }
        }
        if self.children.iter().all(Option::is_none) { Poll::Ready(None) } else { Poll::Pending }
    }
}

#[test]
fn futures_with_wakers_of_their_own_repeat() {
    repeats_and_passes(|sim| {
        mixture(sim);
        sim.run(async {
            let lock = Arc::new(tokio::sync::Mutex::new(0u64));
            let children = (0..6u64).map(|number| {
                let lock = lock.clone();
                let child = async move {
                    sleep(Duration::from_millis(number % 3)).await;
                    *lock.lock().await += 1;
                    let joined = task::spawn(async move {
                        task::yield_point("child").await;
                        sleep(Duration::from_millis(rand::rng().below(3))).await;
                        number
                    });
                    joined.await.unwrap()
                };
                Box::pin(child) as Pin<Box<dyn Future<Output = u64>>>
            });
            let mut unordered = Unordered::new(children.collect());
            let mut sum = 0;
            while let Some(number) = poll_fn(|context| unordered.poll_next(context)).await {
                event!("out", number = number);
                sum += number;
            }
            assert_eq!((sum, *lock.lock().await), (15, 6));
        });
    });
}

// Slots.

#[test]
fn a_slot_may_be_used_more_often_than_it_has_generations() {
    let spawns = 70_000u64;
    let run = run_one(1, Keep::Digests, &|sim| {
        sim.run(async move {
            let first: Rc<RefCell<Vec<Waker>>> = Rc::default();
            for number in 0..spawns {
                if number % 10_000 == 0 {
                    sleep(Duration::from_nanos(1)).await;
                }
                let keeper = first.clone();
                let child = task::spawn_local(async move {
                    if number < 2 {
                        poll_fn(|context| {
                            keeper.borrow_mut().push(context.waker().clone());
                            Poll::Ready(())
                        })
                        .await;
                    }
                    number
                });
                assert_eq!(child.await.unwrap(), number);
            }
            first.borrow().iter().for_each(Waker::wake_by_ref);
        });
    });
    assert_eq!((run.end, u64::from(run.tasks)), (End::Passed, spawns + 1), "every child joined");
}

#[test]
fn what_a_host_does_in_the_turn_of_its_crash_repeats() {
    repeats_and_passes(|sim| {
        mixture(sim);
        sim.host("agent").serve(|host| async move {
            if host.incarnation() > 1 {
                return sleep(Duration::from_secs(1)).await;
            }
            let _guard = CancellationToken::new().drop_guard();
            let notify = Notify::new();
            sleep(Duration::from_millis(1)).await;
            fatum::host::crash_for("agent", Duration::from_secs(1));
            // Nothing of this reaches the world, and nobody is asked about it.
            (0..20).for_each(|_| drop(task::spawn(async {})));
            (0..20).for_each(|_| notify.notify_one());
        });
    });
}

#[test]
fn a_destructor_that_joins_as_the_world_closes_is_told_that_the_task_was_cancelled() {
    let told = Rc::new(RefCell::new(Vec::new()));
    let run = run_one(1, Keep::Digests, &|sim| {
        let told = told.clone();
        sim.host("main").daemon().run(move |_| {
            let told = told.clone();
            async move {
                let finished = task::spawn(async { 7 });
                let panicked = task::spawn(async { panic!("nobody sees it") });
                task::yield_now().await;
                let _late = Late { finished, panicked, told };
                pending::<()>().await;
            }
        });
        sim.run(async { sleep(Duration::from_secs(1)).await });
    });
    let panics = matches!(&run.end, End::Panicked { message, .. } if message.starts_with("nobody sees it"));
    assert!(panics, "{:?}", run.end);
    assert_eq!(*told.borrow(), ["cancelled", "cancelled"]);
}

/// It joins when it is dropped.
struct Late {
    finished: task::JoinHandle<u64>,
    panicked: task::JoinHandle<u64>,
    told: Rc<RefCell<Vec<&'static str>>>,
}

impl Drop for Late {
    fn drop(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        for task in [&mut self.finished, &mut self.panicked] {
            let told = match Pin::new(task).poll(&mut context) {
                Poll::Ready(Err(error)) if error.is_cancelled() => "cancelled",
                Poll::Ready(_) => "ended",
                Poll::Pending => "pending",
            };
            self.told.borrow_mut().push(told);
        }
    }
}

/// What counts itself when it is dropped.
struct Counted(Rc<Cell<u64>>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn what_a_task_owns_is_dropped_once_and_at_its_end_whoever_had_its_box_before() {
    let run = run_one(1, Keep::Digests, &|sim| {
        sim.run(async {
            let dropped = Rc::new(Cell::new(0));
            let owned = || Counted(dropped.clone());
            for round in 1..=20u64 {
                let (first, second, third, fourth) = (owned(), owned(), owned(), owned());
                let finished = task::spawn_local(async move {
                    task::yield_now().await;
                    drop(first);
                    Counted(Rc::new(Cell::new(round)))
                });
                assert_eq!(finished.await.unwrap().0.get(), round);
                let panicked = task::spawn_local(async move {
                    let _second = second;
                    panic!("round {round}");
                });
                let error = panicked.await.err().unwrap();
                assert_eq!(error.into_panic().downcast_ref::<String>(), Some(&format!("round {round}")));
                let aborted = task::spawn_local(async move {
                    let _third = third;
                    pending::<()>().await;
                });
                aborted.abort();
                assert!(aborted.await.is_err_and(|error| error.is_cancelled()));
                // Nobody takes what this one leaves.
                drop(task::spawn_local(async move { fourth }));
                task::yield_now().await;
                sleep(Duration::from_nanos(1)).await;
                assert_eq!(dropped.get(), 4 * round);
            }
        });
    });
    assert_eq!(run.end, End::Passed);
}

/// A waker of the user's that counts.
#[derive(Default)]
pub(super) struct Bell(pub(super) AtomicU64);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_join_wakes_the_waker_that_it_was_last_polled_with() {
    let run = run_one(1, Keep::Digests, &|sim| {
        sim.run(async {
            let bells: [Arc<Bell>; 4] = Default::default();
            let mut tasks: Vec<_> = (1..=3u64)
                .map(|millis| {
                    task::spawn(async move {
                        sleep(Duration::from_millis(millis)).await;
                        millis
                    })
                })
                .collect();
            // The first is polled with two bells, the second by us in between, the third is let go.
            for (task, bell) in [(0, 0), (0, 1), (1, 2), (2, 3)] {
                let waker = Waker::from(bells[bell].clone());
                assert!(Pin::new(&mut tasks[task]).poll(&mut Context::from_waker(&waker)).is_pending());
            }
            assert!(Arc::strong_count(&bells[0]) == 1, "the bell that was replaced is dropped");
            tasks.truncate(2);
            assert!(Arc::strong_count(&bells[3]) == 1, "the bell of a handle that is gone is dropped");
            let second = tasks.pop().unwrap();
            assert_eq!(second.await.unwrap(), 2, "our own waker replaced the bell");
            sleep(Duration::from_millis(9)).await;
            let rung = bells.each_ref().map(|bell| bell.0.load(Ordering::Relaxed));
            assert_eq!(rung, [0, 1, 0, 0]);
            assert_eq!(tasks.pop().unwrap().await.unwrap(), 1);
        });
    });
    assert_eq!(run.end, End::Passed);
}

#[cfg(feature = "tokio")]
mod under_tokio {
    //! Simulations inside a tokio runtime, whose tasks have a budget of channel operations.

    use super::*;

    /// More operations in one poll than tokio's budget allows.
    fn channels(sim: &mut Sim) {
        mixture(sim);
        sim.run(async {
            let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
            for number in 0..1_000u64 {
                sender.send(number).unwrap();
            }
            for number in 0..1_000 {
                assert_eq!(receiver.recv().await, Some(number));
            }
        });
    }

    #[test]
    fn a_check_inside_a_tokio_test_is_the_check_outside() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let check = super::super::sweeps::quiet("channels").runs(200);
        let outside = check.sweep(channels, &|_| {}).unwrap();
        let in_the_main = runtime.block_on(async {
            fatum::check("channels", channels);
            check.sweep(channels, &|_| {}).unwrap()
        });
        let task_check = check.clone();
        let in_a_task = runtime.block_on(async {
            let spawned = tokio::spawn(async move {
                fatum::check("channels", channels);
                task_check.sweep(channels, &|_| {}).unwrap()
            });
            spawned.await.unwrap()
        });
        for report in [in_the_main, in_a_task] {
            assert_eq!(report.verdict, outside.verdict);
            assert_eq!((report.steps, report.distinct_traces), (outside.steps, outside.distinct_traces));
        }
    }

    #[test]
    fn what_was_created_on_tokio_is_told_with_both_places_when_a_simulation_polls_it() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _entered = runtime.enter();
        let line = line!() + 1;
        let (handle, timer) = (task::spawn(async {}), sleep(Duration::from_secs(1)));
        let ends = [
            run_one(1, Keep::Digests, &{
                let handle = RefCell::new(Some(handle));
                move |sim: &mut Sim| {
                    let handle = handle.take().unwrap();
                    sim.run(async { handle.await.unwrap() });
                }
            }),
            run_one(1, Keep::Digests, &{
                let timer = RefCell::new(Some(timer));
                move |sim: &mut Sim| {
                    let timer = timer.take().unwrap();
                    sim.run(async {
                        timer.await;
                    });
                }
            }),
        ];
        for (run, (created, polled, after)) in
            ends.iter().zip([("spawned", "awaited", 6), ("created", "polled", 14)])
        {
            let End::Panicked { message, .. } = &run.end else { panic!("{:?}", run.end) };
            let place = |line: u32| format!("at tests/it/core/worlds.rs:{line}:");
            let created = format!("{created} {}", place(line));
            let polled = format!("{polled} {}", place(line + after));
            assert!(message.contains(&created) && message.contains(&polled), "{message}");
        }
    }

    #[test]
    fn a_sim_driven_by_hand_inside_tokio_runs_as_outside() {
        let alone = facts(&setup(7, channels).finish());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let in_the_main = runtime.block_on(async { facts(&setup(7, channels).finish()) });
        assert_eq!(in_the_main, alone);
        let in_a_task = runtime
            .block_on(async { tokio::spawn(async { facts(&setup(7, channels).finish()) }).await.unwrap() });
        assert_eq!(in_a_task, alone);
    }
}
