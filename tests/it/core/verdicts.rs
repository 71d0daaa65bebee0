//! What a run is judged by when things go wrong where nobody looks: panics that user code caught, folds that panic,
//! destructors at the end, and what daemons hide. And that the digest sees it.

use fatum::runtime::End;
use fatum::sim::Keep;
use fatum::sync::Semaphore;
use fatum::time::{Duration, sleep, timeout};
use fatum::{Run, Sim, event, property, task};
use std::cell::RefCell;
use std::future::{Future, pending};
use std::panic::{catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

fn run(setup: impl FnOnce(&mut Sim)) -> Run {
    let mut sim = Sim::builder().seed(1).keep(Keep::Trace).build();
    setup(&mut sim);
    sim.finish()
}

fn panicked(run: &Run) -> (&str, &str) {
    match &run.end {
        End::Panicked { task, message } => (task, message),
        end => panic!("it ended as {end:?}"),
    }
}

// Panics that user code caught.

fn swallow() {
    assert!(catch_unwind(|| panic!("boo")).is_err());
}

#[test]
fn a_message_does_not_depend_on_what_other_runs_of_the_thread_caught() {
    for said in ["boo", "another"] {
        let resumes = || run(|sim| sim.run(async move { resume_unwind(Box::new(said)) })).end;
        let alone = resumes();
        run(|sim| sim.run(async { swallow() }));
        assert_eq!(resumes(), alone);
        let mut closing = Sim::new(1);
        closing.run(async {
            let _swallows = OnDrop(swallow);
            pending::<()>().await;
        });
        closing.step();
        drop(closing);
        assert_eq!(resumes(), alone);
        assert_eq!(alone, End::Panicked { task: "main".into(), message: said.into() });
    }
}

#[test]
fn a_message_does_not_depend_on_what_the_run_caught_before() {
    let child = run(|sim| {
        sim.run(async {
            swallow();
            sleep(Duration::from_secs(1)).await;
            resume_unwind(Box::new("boo"));
        });
    });
    assert_eq!(panicked(&child), ("main", "boo"));
    let joined = run(|sim| {
        sim.run(async {
            let error = task::spawn(async { panic!("inner") }).await.unwrap_err();
            swallow();
            resume_unwind(error.into_panic());
        });
    });
    assert_eq!(panicked(&joined), ("main", "inner"));
}

#[test]
fn two_worlds_taken_in_turns_do_not_mix_their_panics() {
    let (mut first, mut second) = (Sim::new(1), Sim::new(1));
    first.run(async { swallow() });
    second.run(async { resume_unwind(Box::new("boo")) });
    first.step();
    second.step();
    assert_eq!(panicked(&second.finish()), ("main", "boo"));
    drop(first);
}

// Folds.

#[test]
fn a_fold_that_panics_is_broken_and_says_so() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let witness = seen.clone();
    let run = run(|sim| {
        sim.fold("witness", (), move |(), at, record: &Tick| {
            witness.borrow_mut().push((at.since_start().as_secs(), record.0));
            Ok(())
        });
        sim.fold("asserts", (), |(), _, record: &Tick| {
            assert!(record.0 < 2, "too many");
            Ok(())
        });
        sim.run(async {
            for number in 1..4 {
                // User code that goes on after a panic is still judged.
                let emitted = catch_unwind(|| fatum::emit(Tick(number)));
                assert!(emitted.is_ok(), "a fold is no code of the task's");
            }
        });
    });
    let End::Violated { property, detail } = &run.end else { panic!("{:?}", run.end) };
    assert!(property == "asserts" && detail.contains("too many at tests/it/core/verdicts.rs"), "{detail}");
    assert_eq!(*seen.borrow(), [(0, 1), (0, 2), (0, 3)]);
}

#[derive(Debug)]
struct Tick(u64);

impl fatum::trace::Record for Tick {
    fn name(&self) -> &'static str {
        "tick"
    }

    fn fields(&self, visit: &mut dyn FnMut(&'static str, fatum::trace::Value<'_>)) {
        assert_ne!(self.0, 77, "a record that cannot be read");
        visit("number", fatum::trace::Value::U64(self.0));
    }
}

#[test]
fn a_record_that_panics_leaves_the_folds_in_their_place() {
    let run = run(|sim| {
        sim.fold("few", (), |(), _, tick: &Tick| if tick.0 < 2 { Ok(()) } else { Err("many".into()) });
        sim.run(async {
            assert!(catch_unwind(|| fatum::emit(Tick(77))).is_err());
            fatum::emit(Tick(3));
        });
    });
    assert_eq!(run.end, End::Violated { property: "few".into(), detail: "many".into() });
}

// Destructors at the end.

/// Calls a function when dropped.
struct OnDrop(fn());

impl Drop for OnDrop {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn a_destructor_that_panics_when_the_world_ends_fails_the_run() {
    let daemon = |setup: fn(&mut Sim)| {
        run(|sim| {
            sim.host("server").daemon().run(|_| async {
                let _bomb = OnDrop(|| panic!("bomb"));
                pending::<()>().await;
            });
            sim.run(async { sleep(Duration::from_secs(1)).await });
            setup(sim);
        })
    };
    let passes = daemon(|_| {});
    let (task, message) = panicked(&passes);
    assert!(
        task == "server" && message.starts_with("bomb at tests/it/core/verdicts.rs"),
        "{task}: {message}"
    );
    let fails = daemon(|sim| sim.run(async { Err::<(), _>("first") }));
    assert_eq!(fails.end.kind(), "failed", "the first cause counts");
    let of_a_closure = run(|sim| {
        let bomb = OnDrop(|| panic!("bomb"));
        sim.always("true", move || {
            let _kept = &bomb;
            true
        });
        sim.run(async {});
    });
    assert_eq!(panicked(&of_a_closure).0, "a destructor");
}

#[test]
fn what_destructors_do_when_the_world_ends_is_in_no_trace() {
    let with = |noise: fn()| {
        run(|sim| {
            sim.host("server").daemon().run(move |_| async move {
                let _noise = OnDrop(noise);
                pending::<()>().await;
            });
            sim.run(async {});
        })
    };
    let (silent, loud) = (
        with(|| {}),
        with(|| {
            event!("dropped");
            property::always("no more", false, String::new);
        }),
    );
    assert!(loud.is_same(&silent) && loud.end == End::Passed);
    assert_eq!(loud.trace, silent.trace);
}

// What daemons hide.

fn with_a_daemon(main: impl Future<Output = ()> + 'static) -> End {
    let mut sim = Sim::new(1);
    sim.host("clock").daemon().run(|_| async {
        let lock = fatum::sync::Mutex::new(());
        let _guard = lock.lock().await;
        loop {
            let _ = timeout(Duration::from_secs(9), sleep(Duration::from_secs(1))).await;
        }
    });
    sim.run(main);
    sim.finish().end
}

#[test]
fn a_daemon_hides_no_leaked_permit_or_timer() {
    assert_eq!(with_a_daemon(async {}), End::Passed);
    let semaphore = Arc::new(Semaphore::new(3));
    let kept = Rc::new(RefCell::new(Vec::new()));
    let keeper = kept.clone();
    let end = with_a_daemon(async move {
        let permit = semaphore.acquire_owned().await.unwrap();
        keeper.borrow_mut().push(permit);
    });
    let detail = "0 timers and 1 lock or permit outlive the tasks that they were for";
    assert_eq!(end, End::Leaked { detail: detail.into() });
    let kept = Rc::new(RefCell::new(None));
    let keeper = kept.clone();
    let end = with_a_daemon(async move {
        let mut timer = Box::pin(sleep(Duration::from_secs(5)));
        polled(&mut timer).await;
        *keeper.borrow_mut() = Some(timer);
    });
    let detail = "1 timer and 0 locks or permits outlive the tasks that they were for";
    assert_eq!(end, End::Leaked { detail: detail.into() });
}

async fn polled<F: Future<Output = ()>>(future: &mut Pin<Box<F>>) {
    std::future::poll_fn(|context| {
        assert!(future.as_mut().poll(context).is_pending());
        Poll::Ready(())
    })
    .await;
}

#[test]
fn a_timer_that_a_daemon_took_over_is_no_leak() {
    let slot = Rc::new(RefCell::new(None));
    let (given, taken) = (slot.clone(), slot);
    let mut sim = Sim::new(1);
    sim.host("clock").daemon().run(|_| async move {
        sleep(Duration::from_secs(1)).await;
        let timer: Pin<Box<fatum::time::Sleep>> = taken.borrow_mut().take().unwrap();
        timer.await;
    });
    sim.run(async move {
        let mut timer = Box::pin(sleep(Duration::from_secs(5)));
        polled(&mut timer).await;
        *given.borrow_mut() = Some(timer);
        sleep(Duration::from_secs(2)).await;
    });
    assert_eq!(sim.finish().end, End::Passed);
}

// Who waits on what.

#[test]
fn tasks_that_are_not_examined_are_counted() {
    let run = run(|sim| {
        for _ in 0..40 {
            sim.run(pending::<()>());
        }
    });
    let page = fatum::check::report::render_blocked(&run);
    assert_eq!((run.blocked.len(), run.unexamined), (32, 8));
    assert!(page.contains(&"  and 8 more, not examined".to_owned()), "{page:#?}");
}

// The digest.

fn digest(setup: impl Fn(&mut Sim)) -> u64 {
    run(setup).digests.trace
}

#[test]
fn the_digest_sees_the_time_however_late_it_is() {
    // From about five hours on, a nanosecond count has more than 44 bits.
    let at = |nanos: u64| {
        digest(move |sim| {
            sim.run(async move {
                sleep(Duration::from_nanos(nanos)).await;
                task::yield_now().await;
            });
        })
    };
    for nanos in [1, 1 << 43, 1 << 44, 1 << 50] {
        let digests = [at(nanos), at(nanos + (1 << 44)), at(nanos + (1 << 50)), at(nanos + (1 << 54))];
        let mut distinct = digests.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), 4, "{nanos}");
    }
}

#[test]
fn the_digest_sees_how_a_task_ended() {
    let ends = |how: u32| {
        digest(move |sim| {
            sim.run(async move {
                let child = task::spawn(async move {
                    task::yield_now().await;
                    assert_ne!(how, 1);
                });
                task::yield_now().await;
                task::yield_now().await;
                if how == 2 {
                    child.abort();
                }
                task::yield_now().await;
                let _ = child.await;
            });
        })
    };
    assert_ne!(ends(0), ends(1), "finished or panicked");
}

#[test]
fn the_digest_sees_what_was_violated_and_where_a_main_runs() {
    let violates = |property, detail: &'static str| {
        digest(move |sim| sim.run(async move { property::always(property, false, || detail.into()) }))
    };
    assert_ne!(violates("one", "why"), violates("two", "why"));
    assert_ne!(violates("one", "why"), violates("one", "why not"));
    let on = |names: [&'static str; 2]| {
        digest(move |sim| {
            for name in names {
                sim.host(name).run(|_| async {});
            }
        })
    };
    assert_ne!(on(["a", "a"]), on(["a", "b"]));
}
