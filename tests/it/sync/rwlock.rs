//! RwLock.

use super::{expect, five, poll, ready, seen, simulate, stuck};
use fatum::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};
use fatum::time::{Duration, sleep};
use fatum::{Sim, task};
use std::sync::Arc;

pub(super) fn contention(sim: &mut Sim) {
    let total = Arc::new(RwLock::new(0));
    sim.run(async move {
        let shared = total.clone();
        five(move |who| {
            let total = shared.clone();
            async move {
                seen(who, *total.read().await);
                let mut guard = total.write().await;
                *guard += 1;
                task::yield_now().await;
                let guard = guard.downgrade();
                seen(who, 100 + *guard);
                drop(guard);
                if let Ok(guard) = total.try_read() {
                    seen(who, 200 + *guard);
                }
            }
        })
        .await;
        assert_eq!(*total.read().await, 5);
    });
}

#[test]
fn outside_it_is_tokios() {
    let mut lock = RwLock::new(1);
    let (first, second) = (ready(lock.read()), lock.try_read().unwrap());
    assert_eq!(*first + *second, 2);
    assert!(lock.try_write().is_err());
    let mut writer = Box::pin(lock.write());
    assert!(poll(writer.as_mut()).is_pending());
    assert!(poll(lock.read()).is_pending(), "a waiting writer holds back readers");
    drop((first, second));
    let mut guard = ready(writer);
    *guard += 1;
    let guard = guard.downgrade();
    assert_eq!((*guard, *lock.try_read().unwrap()), (2, 2));
    drop(guard);
    *lock.get_mut() += 1;
    assert_eq!(lock.into_inner(), 3);
}

#[test]
fn owned_guards_keep_the_lock_alive() {
    let lock = Arc::new(RwLock::with_max_readers(1, 1));
    let guard = ready(lock.clone().read_owned());
    assert!(Arc::ptr_eq(OwnedRwLockReadGuard::rwlock(&guard), &lock));
    assert!(lock.clone().try_read_owned().is_err());
    drop(guard);
    let guard = ready(lock.clone().write_owned());
    assert!(Arc::ptr_eq(OwnedRwLockWriteGuard::rwlock(&guard), &lock));
    assert!(lock.clone().try_write_owned().is_err());
    assert_eq!(*guard.downgrade(), 1);
    assert_eq!(Arc::into_inner(lock).unwrap().into_inner(), 1);
}

#[test]
fn an_aborted_writer_lets_readers_in() {
    simulate(|| async {
        let lock = Arc::new(RwLock::new(()));
        let guard = lock.clone().read_owned().await;
        let writer = task::spawn({
            let lock = lock.clone();
            async move { drop(lock.write().await) }
        });
        task::yield_now().await;
        writer.abort();
        let _ = writer.await;
        drop(lock.read().await);
        drop(guard);
        drop(lock.write().await);
    });
}

#[test]
fn a_waiting_writer_reports_every_reader() {
    let waits = stuck(|sim| {
        sim.run(async {
            let lock = Arc::new(RwLock::new(0));
            for name in ["one", "two"] {
                let lock = lock.clone();
                task::spawn_named(name, async move {
                    let _guard = lock.read().await;
                    std::future::pending::<()>().await;
                });
            }
            sleep(Duration::from_secs(1)).await;
            let waiter = task::spawn_named("waiter", async move { drop(lock.write().await) });
            waiter.await.unwrap();
        });
    });
    let holders = ["main/one", "main/two"];
    expect(&waits[0], "sync.write", "RwLock", "RwLock::new(0)", "lock.write().await", &holders);
}
