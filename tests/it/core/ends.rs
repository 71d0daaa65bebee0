//! Each way in which a run can end, and which one counts when several could.

use super::places::{Waits, here, waits};
use fatum::runtime::{Budget, End, LeakPolicy, PanicPolicy};
use fatum::sim::{Keep, SimBuilder};
use fatum::time::{Duration, sleep, timeout};
use fatum::{Run, Sim, task};
use std::cell::RefCell;
use std::future::{Future, pending};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::oneshot;

fn run_with(build: impl FnOnce(SimBuilder) -> SimBuilder, setup: impl FnOnce(&mut Sim)) -> Run {
    let mut sim = build(Sim::builder().seed(1).keep(Keep::Trace)).build();
    setup(&mut sim);
    sim.finish()
}

fn run(setup: impl FnOnce(&mut Sim)) -> Run {
    run_with(|builder| builder, setup)
}

fn main_ends(main: impl Future<Output = ()> + 'static) -> End {
    run(|sim| sim.run(main)).end
}

fn panicked(end: &End) -> (&str, &str) {
    match end {
        End::Panicked { task, message } => (task, message),
        end => panic!("it ended as {end:?}"),
    }
}

#[test]
fn an_empty_simulation_passes() {
    assert_eq!(run(|_| {}).end, End::Passed);
}

#[test]
fn a_workload_that_ends_passes_at_its_time() {
    let run = run(|sim| {
        sim.run(async {
            let child = task::spawn(async {
                sleep(Duration::from_secs(3)).await;
                7
            });
            assert_eq!(child.await.unwrap(), 7);
        });
    });
    assert_eq!((run.end, run.time), (End::Passed, Duration::from_secs(3)));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "another thread is what this is about")]
fn a_future_woken_from_another_thread_escapes() {
    let end = main_ends(async {
        let (sender, receiver) = oneshot::channel();
        let waiting = task::spawn_named("waiting", receiver);
        sleep(Duration::from_secs(1)).await;
        std::thread::spawn(move || sender.send(())).join().unwrap().unwrap();
        waiting.await.unwrap().unwrap();
    });
    assert_eq!(end, End::Escaped { task: "main/waiting".into() });
}

#[test]
fn a_zero_time_loop_is_found() {
    let end = main_ends(async {
        task::spawn_named("spinner", async {
            loop {
                task::yield_now().await;
            }
        });
        pending::<()>().await;
    });
    assert_eq!(end, End::ZeroTimeLoop { task: "main/spinner".into() });
}

#[test]
fn tasks_that_let_time_move_are_no_zero_time_loop() {
    let budget = Budget { zero_time_steps_max: 10, ..Budget::default() };
    let run = run_with(
        |builder| builder.budget(budget),
        |sim| {
            sim.run(async {
                for _ in 0..1_000 {
                    sleep(Duration::from_nanos(1)).await;
                }
            });
        },
    );
    assert_eq!(run.end, End::Passed);
}

// Deadlocks, and who waits on what.

/// Runs a deadlock; who waits, on what.
fn deadlock(main: impl Future<Output = ()> + 'static) -> Waits {
    let run = run(|sim| sim.run(main));
    assert_eq!(run.end.kind(), "deadlock", "{:?}", run.end);
    waits(&run)
}

#[test]
fn a_deadlock_names_the_task_the_place_and_since_when() {
    let line = line!() + 7;
    let waits = deadlock(async {
        let lock = Arc::new(tokio::sync::Mutex::new(()));
        let guard = lock.clone().lock_owned().await;
        sleep(Duration::from_secs(1)).await;
        let second = task::spawn_named("second", async move {
            sleep(Duration::from_secs(1)).await;
            drop(lock.lock().await);
        });
        second.await.unwrap();
        drop(guard);
    });
    assert_eq!(waits.of("main/second"), [("await", here(line))]);
    assert_eq!(waits.of("main"), [("task.join", here(line + 2))]);
    assert_eq!(waits.since("main/second"), Duration::from_secs(2));
    assert_eq!(waits.since("main"), Duration::from_secs(1));
    assert_eq!(waits.resource("main"), "the end of main/second");
}

#[test]
fn channels_and_notifies_show_the_line_that_waits() {
    let line = line!() + 5;
    let waits = deadlock(async {
        let (sender, mut receiver) = tokio::sync::mpsc::channel::<u8>(1);
        let notify = tokio::sync::Notify::new();
        let notified = task::spawn_named("notified", async move {
            notify.notified().await;
        });
        let received = task::spawn_named("received", async move {
            receiver.recv().await;
        });
        received.await.unwrap();
        notified.await.unwrap();
        drop(sender);
    });
    assert_eq!(waits.of("main/notified"), [("await", here(line))]);
    assert_eq!(waits.of("main/received"), [("await", here(line + 3))]);
}

#[test]
fn a_wait_shows_through_timeouts_and_nested_functions() {
    async fn outer(receiver: oneshot::Receiver<()>) {
        inner(receiver).await;
    }
    async fn inner(receiver: oneshot::Receiver<()>) {
        receiver.await.unwrap();
    }
    let line = line!() - 2;
    let (sender, receiver) = oneshot::channel();
    let waits = deadlock(async move {
        let _ = timeout(Duration::MAX, outer(receiver)).await;
        drop(sender);
    });
    let of_main = waits.of("main");
    assert!(of_main.contains(&("await", here(line))), "{of_main:?}");
}

/// Polls all of its futures, as `join_all` of the futures crate does.
struct JoinAll(Vec<Pin<Box<dyn Future<Output = ()>>>>);

impl Future for JoinAll {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.0.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if self.0.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    }
}

#[test]
fn each_future_of_a_join_and_each_branch_of_a_select_has_its_place() {
    let line = line!() + 5;
    let waits = deadlock(async {
        let lock = Arc::new(tokio::sync::Mutex::new(()));
        let _guard = lock.lock().await;
        let (first, second) = (lock.clone(), lock.clone());
        let first = async move { drop(first.lock().await) };
        let second = async move { drop(second.lock().await) };
        JoinAll(vec![Box::pin(first), Box::pin(second)]).await;
    });
    assert_eq!(waits.of("main"), [("await", here(line)), ("await", here(line + 1))]);
    let line = line!() + 6;
    let waits = deadlock(async {
        let (lock, notify) = (tokio::sync::Mutex::new(()), tokio::sync::Notify::new());
        let _guard = lock.lock().await;
        tokio::select! {
            biased;
            () = async { drop(lock.lock().await) } => {}
            () = async { notify.notified().await } => {}
        }
    });
    assert_eq!(waits.of("main"), [("await", here(line)), ("await", here(line + 1))]);
}

#[test]
fn a_future_that_registered_no_waker_waits_on_nothing() {
    let run = run(|sim| sim.run(pending::<()>()));
    assert_eq!(run.end.kind(), "deadlock");
    assert_eq!(waits(&run).of("main"), []);
    let page = fatum::check::report::render_blocked(&run).join("\n");
    assert!(page.contains("main (required), since 0ns: on nothing that can wake it"), "{page}");
}

#[test]
fn a_required_task_among_ticking_daemons_is_stuck_in_time() {
    for (wait, stuck) in [(None, true), (Some(Duration::MAX), true), (Some(Duration::from_secs(100)), false)]
    {
        let budget = Budget { stuck_after: Duration::from_secs(60), ..Budget::default() };
        let run = run_with(
            |builder| builder.budget(budget),
            |sim| {
                sim.host("clock").daemon().run(|_| async {
                    loop {
                        sleep(Duration::from_secs(1)).await;
                    }
                });
                sim.run(async move {
                    match wait {
                        Some(duration) => sleep(duration).await,
                        None => pending().await,
                    }
                });
            },
        );
        assert_eq!(run.end.kind() == "deadlock", stuck, "{wait:?}: {:?}", run.end);
        let expected = if stuck { 61 } else { 100 };
        assert_eq!(run.time, Duration::from_secs(expected), "{wait:?}");
    }
}

// Leaks.

#[test]
fn a_task_that_outlives_the_workload_is_leaked() {
    let end = main_ends(async {
        task::spawn_named("server", pending::<()>());
    });
    assert_eq!(end, End::Leaked { detail: "1 task is alive at the end: main/server".into() });
}

#[test]
fn a_task_that_only_has_to_run_once_more_is_not_leaked() {
    let end = main_ends(async {
        task::spawn(async {
            task::yield_now().await;
            task::spawn(task::yield_now());
        });
    });
    assert_eq!(end, End::Passed);
}

#[test]
fn what_descends_from_a_daemon_is_no_leak() {
    let run = run(|sim| {
        sim.host("server").daemon().run(|_| async {
            task::spawn(async {
                task::spawn(pending::<()>());
                pending::<()>().await;
            });
        });
        sim.run(async {});
    });
    assert_eq!(run.end, End::Passed);
}

#[test]
fn leaks_can_be_allowed() {
    let run = run_with(
        |builder| builder.leaks(LeakPolicy::Allow),
        |sim| {
            sim.run(async {
                task::spawn(pending::<()>());
            });
        },
    );
    assert_eq!(run.end, End::Passed);
}

#[test]
fn a_timer_that_no_task_owns_any_more_is_leaked() {
    let kept = Rc::new(RefCell::new(None));
    let keeper = kept.clone();
    let end = main_ends(async move {
        let mut timer = Box::pin(sleep(Duration::from_secs(5)));
        std::future::poll_fn(|context| {
            assert!(timer.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        *keeper.borrow_mut() = Some(timer);
    });
    let detail = "1 timer and 0 locks or permits outlive the tasks that they were for";
    assert_eq!(end, End::Leaked { detail: detail.into() });
}

// Panics.

#[test]
fn a_panic_that_a_join_sees_fails_nothing() {
    let end = main_ends(async {
        let error = task::spawn(async { panic!("boo") }).await.unwrap_err();
        assert!(error.is_panic() && error.to_string().contains("boo"), "{error}");
        assert_eq!(*error.into_panic().downcast::<&str>().unwrap(), "boo");
    });
    assert_eq!(end, End::Passed);
}

#[test]
fn a_panic_that_no_join_sees_fails_the_run_with_its_place() {
    let line = line!() + 1;
    let detached = main_ends(async { drop(task::spawn_named("child", async { panic!("boo") })) });
    let here = here(line);
    assert_eq!(panicked(&detached), ("main/child", &*format!("boo at {here}")));
    let dropped_later = main_ends(async {
        let child = task::spawn_named("child", async { panic!("boo") });
        sleep(Duration::from_secs(1)).await;
        drop(child);
    });
    assert_eq!(panicked(&dropped_later).0, "main/child");
    let kept = Rc::new(RefCell::new(None));
    let keeper = kept.clone();
    let never_awaited = main_ends(async move {
        *keeper.borrow_mut() = Some(task::spawn_named("child", async { panic!("boo") }));
    });
    assert_eq!(panicked(&never_awaited).0, "main/child");
    let of_main = main_ends(async { panic!("boo") });
    assert_eq!(panicked(&of_main).0, "main");
}

#[test]
fn a_joined_panic_can_be_made_to_fail_always() {
    let run = run_with(
        |builder| builder.panics(PanicPolicy::FailAlways),
        |sim| {
            sim.run(async {
                let child = task::spawn_named("child", async { panic!("boo") });
                assert!(child.await.is_err());
            });
        },
    );
    assert_eq!(panicked(&run.end).0, "main/child");
}

/// Panics when dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("bomb");
    }
}

#[test]
fn a_destructor_that_panics_fails_the_run_wherever_it_is_run() {
    let in_a_turn = main_ends(async { drop(Bomb) });
    assert!(panicked(&in_a_turn).1.starts_with("bomb"));
    let of_an_output = main_ends(async {
        drop(task::spawn(async { Bomb }));
    });
    assert!(panicked(&of_an_output).1.starts_with("bomb"));
    let of_an_aborted_task = main_ends(async {
        let child = task::spawn_named("child", async {
            let _bomb = Bomb;
            pending::<()>().await;
        });
        sleep(Duration::from_secs(1)).await;
        child.abort();
    });
    assert_eq!(panicked(&of_an_aborted_task).0, "main/child");
    let after_a_panic = main_ends(async {
        let held = Box::pin(async {
            let _bomb = Bomb;
            pending::<()>().await;
        });
        let error = task::spawn_local(PanicsThenBomb(held)).await.unwrap_err();
        assert!(error.is_panic());
    });
    assert_eq!(panicked(&after_a_panic).0, "a destructor");
}

/// Panics in its first poll, and then in its destructor.
struct PanicsThenBomb(Pin<Box<dyn Future<Output = ()>>>);

impl Future for PanicsThenBomb {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let _ = self.0.as_mut().poll(context);
        panic!("first");
    }
}

#[test]
fn an_output_that_panics_when_dropped_outside_a_step_fails_the_run() {
    let kept = Rc::new(RefCell::new(None));
    let keeper = kept.clone();
    let mut sim = Sim::builder().keep(Keep::Tape).build();
    sim.run(async move {
        *keeper.borrow_mut() = Some(task::spawn(async { Bomb }));
        sleep(Duration::from_secs(2)).await;
    });
    sim.run_for(Duration::from_secs(1));
    kept.borrow_mut().take();
    let end = sim.finish().end;
    assert_eq!(panicked(&end).0, "a destructor");
    assert!(!fatum::is_simulated());
}

// Budgets, failures, properties.

#[test]
fn an_exhausted_budget_is_inconclusive() {
    let ticks = async || {
        loop {
            sleep(Duration::from_secs(1)).await;
        }
    };
    let steps = Budget { steps_max: 100, ..Budget::default() };
    let time = Budget { time_max: Duration::from_secs(10), ..Budget::default() };
    for (budget, detail) in [(steps, "100 steps"), (time, "10s of virtual time")] {
        let run = run_with(|builder| builder.budget(budget), |sim| sim.run(ticks()));
        assert_eq!(run.end, End::OutOfBudget { detail: detail.into() });
        assert!(!run.end.is_passed() && !run.end.is_failure());
    }
}

#[test]
fn an_error_from_a_main_fails_the_run_at_once() {
    let run = run(|sim| {
        sim.host("db").daemon().run(|_| async { Err::<(), _>("no disk") });
        sim.run(async { sleep(Duration::from_secs(5)).await });
    });
    assert_eq!(run.end, End::Failed { host: "db".into(), message: "no disk".into() });
    assert_eq!(run.time, Duration::ZERO);
}

#[test]
fn the_first_cause_counts() {
    let violated_then_failed = run(|sim| {
        sim.run(async {
            fatum::property::always("one", false, || "broken".into());
            fatum::property::always("two", false, || "broken".into());
            Err::<(), _>("failed")
        });
    });
    assert_eq!(violated_then_failed.end, End::Violated { property: "one".into(), detail: "broken".into() });
    let failed_then_panicked = run(|sim| {
        sim.host("a").run(|_| async { Err::<(), _>("failed") });
        sim.host("b").run(|_| async {
            sleep(Duration::from_secs(1)).await;
            panic!("late");
        });
    });
    assert_eq!(failed_then_panicked.end.kind(), "failed");
}

#[test]
fn a_panic_that_nobody_joined_explains_the_deadlock_after_it() {
    let end = main_ends(async {
        let (sender, receiver) = oneshot::channel::<()>();
        let kept: Rc<RefCell<Option<oneshot::Sender<()>>>> = Rc::new(RefCell::new(Some(sender)));
        let child = task::spawn_named("child", async { panic!("before it could send") });
        let _ = receiver.await;
        drop((child, kept));
    });
    assert_eq!(panicked(&end).0, "main/child");
}

#[test]
fn a_panic_comes_before_a_leak_and_a_liveness_that_it_explains() {
    let run = run(|sim| {
        sim.eventually("never", || false);
        sim.run(async {
            std::mem::forget(task::spawn_named("child", async { panic!("boo") }));
            task::spawn(pending::<()>());
        });
    });
    assert_eq!(panicked(&run.end).0, "main/child");
}

#[test]
fn a_property_that_panics_is_broken_and_says_so() {
    let run = run(|sim| {
        sim.always("asserts", || {
            assert!(fatum::time::Instant::now().since_start() < Duration::from_secs(1), "too late");
            true
        });
        sim.run(async { sleep(Duration::from_secs(1)).await });
    });
    let End::Violated { property, detail } = &run.end else { panic!("{:?}", run.end) };
    assert!(property == "asserts" && detail.contains("too late"), "{detail}");
}
