//! Crash is cut, then drop; restart runs the main again over what is durable.

use fatum::runtime::End;
use fatum::sync::Mutex;
use fatum::time::{Duration, sleep};
use fatum::{Sim, host, task};
use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;
use std::sync::Arc;

const SECOND: Duration = Duration::from_secs(1);

/// Says its name when it is dropped, and tries things that a dead host must not be able to do.
struct Guard {
    name: &'static str,
    log: Rc<RefCell<Vec<&'static str>>>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.log.borrow_mut().push(self.name);
        let spawned = task::spawn_local(async { unreachable!("a task of a dead host") });
        assert!(spawned.is_finished(), "a dead host spawns nothing");
        fatum::event!("dead.hand", name = self.name);
    }
}

#[test]
fn a_crash_drops_the_tasks_of_the_host_in_spawn_order_and_no_others() {
    let log = Rc::new(RefCell::new(Vec::new()));
    let mut sim = Sim::builder().keep(fatum::sim::Keep::Trace).build();
    let of = log.clone();
    sim.host("web").daemon().run(move |_| async move {
        for name in ["first", "second", "third"] {
            let guard = Guard { name, log: of.clone() };
            task::spawn_local(async move {
                let _guard = guard;
                pending::<()>().await;
            });
        }
        pending::<()>().await;
    });
    let alive = Rc::new(Cell::new(0));
    let count = alive.clone();
    sim.run(async move {
        for _ in 0..5 {
            sleep(SECOND).await;
            count.set(count.get() + 1);
        }
    });
    sim.run_for(2 * SECOND);
    assert_eq!(*log.borrow(), [""; 0]);
    sim.crash("web");
    assert_eq!(*log.borrow(), ["first", "second", "third"]);
    let run = sim.finish();
    assert_eq!((run.end.clone(), alive.get()), (End::Passed, 5));
    assert!(!run.trace().to_string().contains("dead.hand"), "{}", run.trace());
}

#[test]
fn a_main_that_serves_runs_again_over_its_disk_and_loses_the_rest() {
    let mut sim = Sim::new(1);
    let seen = Rc::new(RefCell::new(Vec::new()));
    let log = seen.clone();
    sim.host("agent").serve(move |host| {
        let log = log.clone();
        async move {
            let mut in_memory = 0;
            loop {
                let durable: u32 = host.disk().read("count").await?.unwrap_or(0);
                log.borrow_mut().push((host.incarnation(), durable, in_memory));
                if durable == 3 {
                    return Ok::<(), host::DiskError>(());
                }
                in_memory += 1;
                host.disk().write("count", &(durable + 1)).await?;
                sleep(SECOND).await;
            }
        }
    });
    sim.run(async {
        sleep(1500 * SECOND / 1000).await;
        host::crash_for("agent", SECOND);
    });
    let run = sim.finish();
    assert_eq!(run.end, End::Passed);
    assert_eq!(*seen.borrow(), [(1, 0, 0), (1, 1, 1), (2, 2, 0), (2, 3, 1)]);
    assert_eq!(run.time, 3500 * SECOND / 1000);
}

#[test]
fn a_host_that_crashes_itself_gets_no_further_than_its_next_await() {
    let mut sim = Sim::new(1);
    let steps = Rc::new(RefCell::new(Vec::new()));
    let log = steps.clone();
    sim.host("agent").serve(move |host| {
        let log = log.clone();
        async move {
            log.borrow_mut().push(format!("starts {}", host.incarnation()));
            if host.incarnation() == 1 {
                host::crash_for("agent", SECOND);
                fatum::event!("after.death");
                let refused = task::spawn(async {}).is_finished();
                log.borrow_mut().push(format!("a task is refused: {refused}"));
                sleep(Duration::ZERO).await;
                task::yield_now().await;
                log.borrow_mut().push("went on".to_owned());
            }
        }
    });
    let run = sim.finish();
    assert_eq!(run.end, End::Passed);
    assert_eq!(*steps.borrow(), ["starts 1", "a task is refused: true", "starts 2"]);
    assert_eq!(run.time, SECOND);
}

#[test]
fn a_lock_that_a_dead_host_held_is_handed_on() {
    let mut sim = Sim::new(1);
    let lock = Arc::new(Mutex::new(()));
    let held = lock.clone();
    sim.host("holder").daemon().run(move |_| async move {
        let _guard = held.lock().await;
        pending::<()>().await;
    });
    sim.run(async move {
        task::yield_now().await;
        let waiter = task::spawn(async move { drop(lock.lock().await) });
        sleep(SECOND).await;
        assert!(!waiter.is_finished());
        host::crash("holder");
        waiter.await.unwrap();
    });
    assert_eq!(sim.finish().end, End::Passed);
}

#[test]
fn a_destructor_that_panics_on_a_dead_host_harms_nobody() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("boom");
        }
    }
    let mut sim = Sim::new(1);
    sim.host("web").daemon().run(|_| async {
        let _bomb = Bomb;
        pending::<()>().await;
    });
    sim.run(async {
        sleep(SECOND).await;
        host::crash("web");
        sleep(SECOND).await;
    });
    assert_eq!(sim.finish().end, End::Passed);
}

#[test]
fn the_workload_waits_for_a_host_that_is_down_and_a_quiet_phase_brings_it_back() {
    let mut sim = Sim::new(1);
    let done = Rc::new(Cell::new(false));
    let finished = done.clone();
    sim.host("agent").serve(move |_| {
        let finished = finished.clone();
        async move {
            sleep(10 * SECOND).await;
            finished.set(true);
        }
    });
    sim.run_for(SECOND);
    sim.crash("agent");
    let run = sim.finish();
    assert_eq!((run.end, done.get()), (End::Passed, true));
    assert_eq!(run.time, 11 * SECOND, "down until nothing else could happen, then ten seconds of work");
}

#[test]
fn a_host_that_does_not_exist_is_named_with_those_that_do() {
    let mut sim = Sim::new(1);
    sim.host("web").daemon().run(|_| async {});
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| sim.crash("wbe"))).unwrap_err();
    let said = panic.downcast_ref::<String>().unwrap();
    assert_eq!(said, "there is no host \"wbe\" in this simulation, only web");
}
