//! Each way in which a run can end.

use fatum::runtime::{Budget, End};
use fatum::sim::Keep;
use fatum::time::{Duration, sleep};
use fatum::{Run, Sim, task};

fn run(setup: impl Fn(&mut Sim)) -> Run {
    let mut sim = Sim::builder().seed(1).keep(Keep::Trace).build();
    setup(&mut sim);
    sim.finish()
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
    assert_eq!((run.end.clone(), run.time), (End::Passed, Duration::from_secs(3)));
    println!("{}", run.trace());
}

#[test]
fn a_task_that_nothing_wakes_is_a_deadlock_with_its_place() {
    let run = run(|sim| {
        sim.run(async {
            let lock = std::sync::Arc::new(tokio::sync::Mutex::new(()));
            let guard = lock.clone().lock_owned().await;
            let second = task::spawn(async move {
                drop(lock.lock().await);
            });
            second.await.unwrap();
            drop(guard);
        });
    });
    assert!(matches!(run.end, End::Deadlock { .. }), "{:?}", run.end);
    println!("{:#?}", run.blocked);
}

#[test]
fn a_zero_time_loop_is_found() {
    let run = run(|sim| {
        sim.run(async {
            loop {
                task::yield_now().await;
            }
        });
    });
    assert!(matches!(run.end, End::ZeroTimeLoop { .. }), "{:?}", run.end);
}

#[test]
fn an_exhausted_budget_is_inconclusive() {
    let mut sim = Sim::builder().budget(Budget { steps_max: 100, ..Budget::default() }).build();
    sim.run(async {
        loop {
            sleep(Duration::from_secs(1)).await;
        }
    });
    let run = sim.finish();
    assert!(matches!(run.end, End::OutOfBudget { .. }), "{:?}", run.end);
    assert!(!run.end.is_passed() && !run.end.is_failure());
}
