//! OnceCell.

use super::{expect, five, poll, ready, seen, simulate, stuck};
use fatum::sync::{Notify, OnceCell, SetError};
use fatum::{Sim, task};
use std::pin::pin;
use std::sync::Arc;

pub(super) fn contention(sim: &mut Sim) {
    let cell = Arc::new(OnceCell::new());
    sim.run(async move {
        let shared = cell.clone();
        five(move |who| {
            let cell = shared.clone();
            async move {
                let made = cell.get_or_try_init(|| async move {
                    task::yield_now().await;
                    if who % 2 == 0 { Err(who) } else { Ok(who) }
                });
                match made.await {
                    Ok(value) => seen(who, 10 + *value),
                    Err(error) => seen(who, 20 + error),
                }
            }
        })
        .await;
        assert!(cell.initialized());
    });
}

#[test]
fn outside_it_is_tokios() {
    static CELL: OnceCell<u32> = OnceCell::const_new();
    assert!(!CELL.initialized() && CELL.get().is_none());
    let mut first = Box::pin(CELL.get_or_init(std::future::pending));
    assert!(poll(first.as_mut()).is_pending());
    assert!(matches!(CELL.set(1), Err(SetError::InitializingError(1))));
    let mut second = pin!(CELL.get_or_init(|| async { 2 }));
    assert!(poll(second.as_mut()).is_pending());
    drop(first);
    assert_eq!(*ready(second), 2);
    assert!(matches!(CELL.set(3), Err(SetError::AlreadyInitializedError(3))));
    assert_eq!(*ready(CELL.get_or_init(|| async { 4 })), 2);
}

#[test]
fn it_can_be_taken_compared_and_cloned() {
    let mut cell = OnceCell::from(1);
    assert_eq!(cell, cell.clone());
    assert_ne!(cell, OnceCell::new());
    *cell.get_mut().unwrap() += 1;
    assert!(cell.set(9).is_err());
    assert_eq!(cell.take(), Some(2));
    assert_eq!((cell.initialized(), cell.take()), (false, None));
    cell.set(3).unwrap();
    assert_eq!(format!("{cell:?}"), "OnceCell { value: Some(3) }");
    assert_eq!(cell.into_inner(), Some(3));
}

#[test]
fn the_next_in_line_initializes_when_the_first_fails() {
    simulate(|| async {
        let cell = OnceCell::new();
        assert_eq!(cell.get_or_try_init(|| async { Err("no") }).await, Err("no"));
        assert_eq!(cell.get_or_init(|| async { 1 }).await, &1);
    });
}

#[test]
fn a_waiting_task_reports_who_initializes() {
    let waits = stuck(|sim| {
        sim.run(async {
            let cell = Arc::new(OnceCell::new());
            let slow = cell.clone();
            task::spawn_named("maker", async move { *slow.get_or_init(std::future::pending).await });
            fatum::time::sleep(fatum::time::Duration::from_secs(1)).await;
            let waiter = task::spawn_named("waiter", async move {
                cell.get_or_init(|| async { 1 }).await;
            });
            waiter.await.unwrap();
        });
    });
    let awaited = "cell.get_or_init(|| async { 1 })";
    expect(&waits[0], "sync.init", "OnceCell", "OnceCell::new()", awaited, &["main/maker"]);
}

#[test]
fn the_initializing_task_reports_what_its_initializer_waits_for() {
    let waits = stuck(|sim| {
        sim.run(async {
            let (cell, notify) = (OnceCell::new(), Notify::new());
            let waiter = task::spawn_named("waiter", async move {
                cell.get_or_init(|| notify.notified()).await;
            });
            waiter.await.unwrap();
        });
    });
    assert_eq!(waits[0].operation, "sync.notified");
    assert_eq!(waits.len(), 1);
}
