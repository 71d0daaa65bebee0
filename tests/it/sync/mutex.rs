//! Mutex.

use super::{expect, five, poll, ready, seen, simulate, stuck};
use fatum::sync::{Mutex, MutexGuard, OwnedMutexGuard};
use fatum::time::{Duration, sleep};
use fatum::{Sim, task};
use std::sync::Arc;
use std::task::{Context, Waker};

pub(super) fn contention(sim: &mut Sim) {
    let total = Arc::new(Mutex::new(0));
    sim.run(async move {
        let worker = {
            let total = total.clone();
            move |who| {
                let total = total.clone();
                async move {
                    for _ in 0..2 {
                        let mut guard = total.lock().await;
                        let before = *guard;
                        task::yield_now().await;
                        *guard = before + 1;
                        seen(who, *guard);
                    }
                    if let Ok(guard) = total.try_lock() {
                        seen(who, 100 + *guard);
                    }
                }
            }
        };
        five(worker).await;
        assert_eq!(*total.lock().await, 10);
    });
}

#[test]
fn outside_it_is_tokios() {
    let mut lock = Mutex::new(1);
    let guard = ready(lock.lock());
    assert!(lock.try_lock().is_err());
    assert!(std::ptr::eq(MutexGuard::mutex(&guard), &lock));
    let mut second = Box::pin(lock.lock());
    assert!(poll(second.as_mut()).is_pending());
    drop(guard);
    *ready(second) += 1;
    assert_eq!(*lock.get_mut(), 2);
    assert_eq!(format!("{lock:?}"), "Mutex { data: 2 }");
    assert_eq!(format!("{0} {0:?}", ready(lock.lock())), "2 2");
    assert_eq!(lock.into_inner(), 2);
}

#[test]
fn owned_guards_keep_the_mutex_alive() {
    let lock = Arc::new(Mutex::new(1));
    let guard = ready(lock.clone().lock_owned());
    assert!(lock.clone().try_lock_owned().is_err());
    let mut waiting = Box::pin(lock.clone().lock_owned());
    assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert!(Arc::ptr_eq(OwnedMutexGuard::mutex(&guard), &lock));
    drop(waiting);
    drop(guard);
    assert_eq!(Arc::into_inner(lock).unwrap().into_inner(), 1);
}

#[test]
fn an_aborted_waiter_passes_the_lock_on() {
    simulate(|| async {
        let lock = Arc::new(Mutex::new(()));
        let guard = lock.clone().lock_owned().await;
        let [first, second] = [1, 2].map(|_| {
            let lock = lock.clone();
            task::spawn(async move { drop(lock.lock().await) })
        });
        task::yield_now().await;
        drop(guard);
        first.abort();
        second.await.unwrap();
        assert!(first.await.is_ok_and(|()| true) || lock.try_lock().is_ok());
    });
}

#[test]
fn a_waiting_task_reports_lock_holder_and_time() {
    let waits = stuck(|sim| {
        let lock = Arc::new(Mutex::new(0));
        sim.run(async move {
            let held = lock.clone();
            task::spawn_named("holder", async move {
                let _guard = held.lock_owned().await;
                std::future::pending::<()>().await;
            });
            sleep(Duration::from_secs(5)).await;
            let waiter = task::spawn_named("waiter", async move {
                let _guard = lock.lock().await;
            });
            waiter.await.unwrap();
        });
    });
    expect(&waits[0], "sync.lock", "Mutex", "Mutex::new(0)", "lock.lock().await", &["main/holder"]);
    assert_eq!(waits[0].since, Some(5_000_000_000));
    assert_eq!(waits.len(), 1);
}

#[test]
fn a_guard_dropped_elsewhere_is_held_by_nobody() {
    let waits = stuck(|sim| {
        sim.run(async {
            let lock = Arc::new(Mutex::new(0));
            let guard = lock.clone().lock_owned().await;
            task::spawn(async move { drop(guard) }).await.unwrap();
            let _second = task::spawn_named("second", {
                let lock = lock.clone();
                async move {
                    let _guard = lock.lock().await;
                    std::future::pending::<()>().await;
                }
            });
            sleep(Duration::from_secs(1)).await;
            let waiter = task::spawn_named("waiter", async move { drop(lock.lock_owned().await) });
            waiter.await.unwrap();
        });
    });
    assert_eq!(waits[0].holders, ["main/second"]);
}

#[test]
fn guards_outlive_their_simulation_without_harm() {
    let kept = Arc::new(std::sync::Mutex::new(None));
    let lock = Arc::new(Mutex::new(7));
    let (keep, locked) = (kept.clone(), lock.clone());
    let mut sim = Sim::new(1);
    sim.run(async move {
        *keep.lock().unwrap() = Some(locked.lock_owned().await);
    });
    sim.finish();
    assert!(lock.try_lock().is_err());
    drop(kept.lock().unwrap().take());
    assert_eq!(*lock.try_lock().unwrap(), 7);
}
