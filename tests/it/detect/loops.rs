//! Loops that get nowhere: in no time, and through time.

use super::{at, page, run_with, said, silent};
use fatum::runtime::Budget;
use fatum::sync::{Mutex, Notify};
use fatum::time::{Duration, sleep};
use fatum::{Run, task};
use std::sync::Arc;

const SECOND: Duration = Duration::from_secs(1);

/// Two tasks ask again and again for a lock that is kept until they have it, or until they wait.
fn impatient(patient: bool) -> Run {
    let budget = Budget { zero_time_steps_max: 100, ..Budget::default() };
    let main = async move {
        sleep(3 * SECOND).await;
        let lock = Arc::new(Mutex::new(())); // the lock
        let held = lock.lock().await; // held
        let ask = |name| {
            let lock = lock.clone();
            task::spawn_named(name, async move {
                loop {
                    let got = lock.try_lock().is_ok(); // asked
                    if got {
                        return;
                    }
                    if patient {
                        sleep(SECOND).await;
                    }
                    task::yield_now().await;
                }
            })
        };
        let tasks = [ask("a"), ask("b")];
        if patient {
            drop(held);
        }
        for task in tasks {
            task.await.unwrap();
        }
    };
    run_with(|builder| builder.budget(budget), |sim| sim.run(main))
}

#[test]
fn tasks_that_ask_again_and_again_in_no_time_are_named_with_what_they_ask() {
    let run = impatient(false);
    assert_eq!(run.end.kind(), "zero-time-loop");
    let lock = format!("on Mutex created at {}", at("loops", "the lock"));
    let (asked, held) = (at("loops", "asked"), at("loops", "held"));
    let expected = format!(
        "livelock: time has stood still at 3s for 100 turns: main/a took 50 (50 of sync.try_lock at {asked} {lock}), \
         main/b took 49 (49 of sync.try_lock at {asked} {lock}), main took 1 (1 of sync.lock at {held} {lock})"
    );
    assert_eq!(said(&run), [expected], "{}", page(&run));
    silent(&impatient(true));
}

/// A clock ticks while the workload waits, and so often as `reports` says the clock gets somewhere.
fn ticking(reports: bool) -> Run {
    let budget = Budget { stuck_after: 60 * SECOND, ..Budget::default() };
    run_with(
        |builder| builder.budget(budget),
        |sim| {
            let done = Arc::new(Notify::new()); // done
            let told = done.clone();
            sim.host("clock").daemon().run(move |_| async move {
                for tick in 0u64.. {
                    sleep(SECOND).await; // tick
                    if reports {
                        fatum::progress!("tick", tick = tick);
                    }
                    if reports && tick == 100 {
                        told.notify_one();
                    }
                }
            });
            sim.run(async move {
                done.notified().await; // waits
            });
        },
    )
}

#[test]
fn who_took_turns_while_nothing_happened_is_named() {
    let run = ticking(false);
    assert_eq!((run.end.kind(), run.time), ("deadlock", 61 * SECOND));
    let [lost, idle] = run.diagnosis.as_slice() else { panic!("{}", page(&run)) };
    assert_eq!(lost.detector.name(), "lost wake-up");
    let expected = format!(
        "no progress: since 0ns, in 61s and 62 turns, nothing happened: clock took 61 (61 of time.sleep at {}), \
         main took 1 (1 of sync.notified at {} on Notify created at {})",
        at("loops", "tick"),
        at("loops", "waits"),
        at("loops", "done")
    );
    assert_eq!(idle.to_string(), expected);
    // The clock says where it is, and tells the workload in the end.
    silent(&ticking(true));
}

#[test]
fn progress_is_no_standstill_and_begins_the_count_anew() {
    // The clock reports to the hundredth second and on; that the workload waits for another object is not its doing.
    let budget = Budget { time_max: 200 * SECOND, stuck_after: 60 * SECOND, ..Budget::default() };
    let run = run_with(
        |builder| builder.budget(budget),
        |sim| {
            sim.host("clock").daemon().run(|_| async {
                for tick in 0u64.. {
                    sleep(SECOND).await;
                    if tick < 30 {
                        fatum::progress!("tick", tick = tick);
                    }
                }
            });
            sim.run(async { Notify::new().notified().await });
        },
    );
    let said = said(&run);
    let head =
        "no progress: since 30s, in 61s and 60 turns, nothing happened: clock took 60 (60 of time.sleep at ";
    assert!(said.iter().any(|said| said.starts_with(head)), "{said:#?}");
}
