//! Semaphore.

use super::{expect, five, poll, ready, seen, simulate, stuck};
use fatum::sync::{Semaphore, TryAcquireError};
use fatum::time::{Duration, sleep, timeout};
use fatum::{Sim, task};
use std::pin::pin;
use std::sync::Arc;

pub(super) fn contention(sim: &mut Sim) {
    let semaphore = Arc::new(Semaphore::new(3));
    sim.run(async move {
        let shared = semaphore.clone();
        five(move |who| {
            let semaphore = shared.clone();
            async move {
                let permits = semaphore.acquire_many(1 + who as u32 % 3).await.unwrap();
                seen(who, semaphore.available_permits() as u64);
                task::yield_now().await;
                drop(permits);
                if let Ok(permit) = semaphore.try_acquire() {
                    seen(who, 100 + permit.num_permits() as u64);
                }
            }
        })
        .await;
        assert_eq!(semaphore.available_permits(), 3);
    });
}

#[test]
fn outside_it_is_tokios() {
    static ONE: Semaphore = Semaphore::const_new(1);
    let permit = ready(ONE.acquire()).unwrap();
    assert_eq!(ONE.try_acquire().unwrap_err(), TryAcquireError::NoPermits);
    let mut second = pin!(ONE.acquire());
    assert!(poll(second.as_mut()).is_pending());
    drop(permit);
    ready(second).unwrap().forget();
    assert_eq!(ONE.available_permits(), 0);
    ONE.add_permits(3);
    assert_eq!(ONE.forget_permits(2), 2);
    ONE.close();
    assert!(ONE.is_closed());
    assert_eq!(ONE.try_acquire().unwrap_err(), TryAcquireError::Closed);
    assert!(ready(ONE.acquire()).is_err());
}

#[test]
fn permits_merge_and_split() {
    let semaphore = Arc::new(Semaphore::new(10));
    let mut permits = ready(semaphore.acquire_many(4)).unwrap();
    let two = permits.split(2).unwrap();
    assert!(permits.split(3).is_none());
    assert_eq!((permits.num_permits(), two.num_permits()), (2, 2));
    permits.merge(two);
    assert_eq!(permits.num_permits(), 4);
    assert!(std::ptr::eq(permits.semaphore(), &*semaphore));

    let mut owned = ready(semaphore.clone().acquire_many_owned(3)).unwrap();
    let one = owned.split(1).unwrap();
    assert!(owned.split(3).is_none());
    owned.merge(one);
    assert_eq!((owned.num_permits(), semaphore.available_permits()), (3, 3));
    assert!(Arc::ptr_eq(owned.semaphore(), &semaphore));
    let single = semaphore.clone().try_acquire_owned().unwrap();
    drop((owned, permits));
    assert_eq!(semaphore.available_permits(), 9);
    single.forget();
    drop(ready(semaphore.clone().acquire_owned()).unwrap());
    assert_eq!(semaphore.available_permits(), 9);
    assert!(semaphore.clone().try_acquire_many_owned(10).is_err());
}

#[test]
#[should_panic(expected = "different semaphore instances")]
fn permits_of_different_semaphores_do_not_merge() {
    let [a, b] = [1, 1].map(|n| Arc::new(Semaphore::new(n)));
    let mut permit = a.try_acquire_owned().unwrap();
    permit.merge(b.try_acquire_owned().unwrap());
}

#[test]
fn a_cancelled_acquire_loses_no_permit() {
    simulate(|| async {
        let semaphore = Arc::new(Semaphore::new(2));
        let workers: Vec<_> = (0..6)
            .map(|who| {
                let semaphore = semaphore.clone();
                task::spawn(async move {
                    let acquired = timeout(Duration::from_millis(who), semaphore.acquire_many(2)).await;
                    if let Ok(permits) = acquired {
                        sleep(Duration::from_millis(2)).await;
                        drop(permits.unwrap());
                    }
                })
            })
            .collect();
        task::yield_now().await;
        workers[3].abort();
        for worker in workers {
            let _ = worker.await;
        }
        assert_eq!(semaphore.available_permits(), 2);
    });
}

#[test]
fn a_waiting_task_reports_who_holds_permits() {
    let waits = stuck(|sim| {
        let semaphore = Arc::new(Semaphore::new(2));
        sim.run(async move {
            let held = semaphore.clone();
            task::spawn_named("holder", async move {
                let mut permits = held.acquire_many_owned(2).await.unwrap();
                drop(permits.split(1));
                std::future::pending::<()>().await;
            });
            sleep(Duration::from_secs(1)).await;
            task::spawn_named("forgetful", {
                let semaphore = semaphore.clone();
                async move { semaphore.acquire().await.unwrap().forget() }
            });
            sleep(Duration::from_secs(1)).await;
            let waiter = task::spawn_named("waiter", async move {
                semaphore.acquire().await.unwrap().forget();
            });
            waiter.await.unwrap();
        });
    });
    let created = "Semaphore::new(2)";
    expect(&waits[0], "sync.acquire", "Semaphore", created, "semaphore.acquire().await", &["main/holder"]);
}
