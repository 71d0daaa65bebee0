//! Circles of waits, named task by task.

use super::{at, page, run, said, silent};
use fatum::sync::{Mutex, Notify, RwLock, Semaphore};
use fatum::time::{Duration, sleep};
use fatum::{Run, task};
use std::sync::Arc;

const SECOND: Duration = Duration::from_secs(1);

/// A line of this file, as reports write it.
fn here(line: u32) -> String {
    format!("tests/it/detect/cycles.rs:{line}")
}

/// Each of these tasks takes its first lock, and a second later its second one.
fn two_locks(orders: &'static [(&'static str, usize, usize)], locks: Vec<Arc<Mutex<()>>>) -> Run {
    run(async move {
        let take = |(name, first, second): &(&'static str, usize, usize)| {
            let (first, second) = (locks[*first].clone(), locks[*second].clone());
            task::spawn_named(*name, async move {
                let _first = first.lock().await;
                sleep(SECOND).await;
                let _second = second.lock().await; // the second lock
            })
        };
        for handle in orders.iter().map(take).collect::<Vec<_>>() {
            handle.await.unwrap();
        }
    })
}

#[test]
fn two_tasks_that_take_two_locks_in_opposite_orders() {
    let (a, b) = (Mutex::new(()), Mutex::new(()));
    let created = here(line!() - 1);
    let run = two_locks(&[("a", 0, 1), ("b", 1, 0)], vec![Arc::new(a), Arc::new(b)]);
    let waits =
        format!("Mutex created at {created} (sync.lock at {}, since 1s)", at("cycles", "the second lock"));
    let expected =
        format!("cycle: main/a waits for {waits}, held by main/b; main/b waits for {waits}, held by main/a");
    assert_eq!(said(&run), std::slice::from_ref(&expected));
    assert_eq!(run.diagnosis[0].tasks, ["main/a", "main/b"]);
    assert!(page(&run).contains(&format!("\ndiagnosis:\n  {expected}\n")), "{}", page(&run));
}

#[test]
fn one_order_of_locks_is_no_circle() {
    let locks = vec![Arc::new(Mutex::new(())), Arc::new(Mutex::new(()))];
    silent(&two_locks(&[("a", 0, 1), ("b", 0, 1)], locks));
}

#[test]
fn a_circle_of_three_begins_with_the_task_that_was_spawned_first() {
    let locks = (0..3).map(|_| Arc::new(Mutex::new(()))).collect();
    let run = two_locks(&[("a", 0, 1), ("c", 2, 0), ("b", 1, 2)], locks);
    let [circle] = run.diagnosis.as_slice() else { panic!("{}", page(&run)) };
    assert_eq!(circle.tasks, ["main/a", "main/b", "main/c"]);
}

#[test]
fn two_circles_are_told_apart_and_who_only_waits_for_one_is_in_none() {
    let locks = (0..4).map(|_| Arc::new(Mutex::new(()))).collect();
    let run = two_locks(&[("a", 0, 1), ("b", 1, 0), ("c", 2, 3), ("d", 3, 2), ("late", 0, 1)], locks);
    let tasks: Vec<_> = run.diagnosis.iter().map(|circle| circle.tasks.join(" ")).collect();
    assert_eq!(tasks, ["main/a main/b", "main/c main/d"], "{}", page(&run));
}

#[test]
fn a_task_that_waits_for_its_own_lock_is_a_circle_of_one() {
    let run = run(async {
        let lock = Mutex::new(());
        let _held = lock.lock().await;
        sleep(SECOND).await;
        drop(lock.lock().await);
    });
    let line = line!() - 2;
    let expected = format!(
        "cycle: main waits for Mutex created at {} (sync.lock at {}, since 1s), held by itself",
        here(line - 3),
        here(line)
    );
    assert_eq!(said(&run), [expected]);
}

#[test]
fn a_join_is_a_wait_for_a_task() {
    let run = run(async {
        let lock = Arc::new(Mutex::new(()));
        let held = lock.lock().await;
        let wanted = lock.clone();
        let child = task::spawn_named("child", async move { drop(wanted.lock().await) });
        child.await.unwrap();
        drop(held);
    });
    let line = line!() - 3;
    let expected = format!(
        "cycle: main waits for the end of main/child (task.join at {}, since 0ns); \
         main/child waits for Mutex created at {} (sync.lock at {}, since 0ns), held by main",
        here(line),
        here(line - 4),
        here(line - 1)
    );
    assert_eq!(said(&run), [expected]);
}

#[test]
fn readers_who_both_want_to_write_all_wait() {
    let run = run(async {
        let lock = Arc::new(RwLock::new(()));
        let upgrade = |name| {
            let lock = lock.clone();
            task::spawn_named(name, async move {
                let _read = lock.read().await;
                sleep(SECOND).await;
                drop(lock.write().await);
            })
        };
        for handle in [upgrade("a"), upgrade("b")] {
            handle.await.unwrap();
        }
    });
    let [circle] = run.diagnosis.as_slice() else { panic!("{}", page(&run)) };
    assert!(circle.text.ends_with("held by main/a and main/b, who all wait"), "{circle}");
}

/// Two tasks with a permit each of two, of which the second wants another only if `greedy`.
fn permits(greedy: bool) -> Run {
    run(async move {
        let permits = Arc::new(Semaphore::new(2));
        let second = permits.clone();
        let first = task::spawn_named("first", async move {
            let _held = permits.acquire().await;
            sleep(SECOND).await;
            drop(permits.acquire().await);
        });
        let second = task::spawn_named("second", async move {
            let _held = second.acquire().await;
            sleep(SECOND).await;
            if greedy {
                drop(second.acquire().await);
            }
        });
        first.await.unwrap();
        second.await.unwrap();
    })
}

#[test]
fn permits_are_a_circle_when_all_who_hold_one_wait() {
    let run = permits(true);
    let [circle] = run.diagnosis.as_slice() else { panic!("{}", page(&run)) };
    assert!(circle.text.ends_with("held by main/first and main/second, who all wait"), "{circle}");
    silent(&permits(false));
}

#[test]
fn a_holder_who_waits_for_something_else_makes_no_circle() {
    let run = run(async {
        let (lock, never) = (Arc::new(Mutex::new(())), Arc::new(Notify::new()));
        let held = lock.clone();
        let holder = task::spawn_named("holder", async move {
            let _held = held.lock().await;
            never.notified().await;
        });
        sleep(SECOND).await;
        drop(lock.lock().await);
        holder.await.unwrap();
    });
    assert_eq!(run.end.kind(), "deadlock");
    let detectors: Vec<_> = run.diagnosis.iter().map(|said| said.detector.name()).collect();
    assert_eq!(detectors, ["lost wake-up"], "{}", page(&run));
}

#[test]
fn a_select_that_another_branch_can_end_is_in_no_circle() {
    let run = run(async {
        let (lock, never) = (Mutex::new(()), Notify::new());
        let _held = lock.lock().await;
        fatum::select! {
            _again = lock.lock() => {}
            () = never.notified() => {}
        }
    });
    assert_eq!(run.end.kind(), "deadlock");
    assert!(said(&run).iter().all(|said| !said.starts_with("cycle")), "{}", page(&run));
}

#[test]
fn permits_are_no_circle_while_one_who_holds_some_waits_for_something_else() {
    let run = run(async {
        let (permits, never) = (Arc::new(Semaphore::new(2)), Notify::new());
        let held = permits.clone();
        let other = task::spawn_named("other", async move {
            let _held = held.acquire().await;
            never.notified().await;
        });
        sleep(SECOND).await;
        let _mine = permits.acquire().await;
        drop(permits.acquire().await);
        other.await.unwrap();
    });
    assert_eq!(run.end.kind(), "deadlock");
    assert!(said(&run).iter().all(|said| !said.starts_with("cycle")), "{}", page(&run));
}
