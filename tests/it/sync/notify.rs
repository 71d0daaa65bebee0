//! Notify.

use super::{expect, five, poll, ready, seen, simulate, stuck};
use fatum::sync::Notify;
use fatum::{Sim, task};
use std::pin::pin;
use std::sync::Arc;

pub(super) fn contention(sim: &mut Sim) {
    let notify = Arc::new(Notify::new());
    sim.run(async move {
        let shared = notify.clone();
        let waiters = task::spawn(async move {
            five(move |who| {
                let notify = shared.clone();
                async move {
                    notify.notified().await;
                    seen(who, 1);
                    notify.notify_one();
                }
            })
            .await;
        });
        task::yield_now().await;
        notify.notify_last();
        notify.notify_waiters();
        notify.notify_one();
        waiters.await.unwrap();
    });
}

#[test]
fn outside_it_is_tokios() {
    static NOTIFY: Notify = Notify::const_new();
    NOTIFY.notify_one();
    NOTIFY.notify_one();
    ready(NOTIFY.notified());
    assert!(poll(NOTIFY.notified()).is_pending());

    let notify = Notify::new();
    let (mut first, mut second) = (pin!(notify.notified()), pin!(notify.notified()));
    assert!(!first.as_mut().enable() && !second.as_mut().enable());
    notify.notify_last();
    assert!(poll(first.as_mut()).is_pending());
    ready(second);
    notify.notify_waiters();
    ready(first);
    assert!(poll(notify.notified()).is_pending());
}

#[test]
fn a_wait_hears_of_notify_waiters_from_its_creation_on() {
    simulate(|| async {
        let notify = Notify::new();
        let notified = notify.notified();
        notify.notify_waiters();
        notified.await;
    });
}

#[test]
fn a_wait_that_is_enabled_hears_of_notify_one() {
    simulate(|| async {
        let notify = Notify::new();
        let mut notified = pin!(notify.notified());
        assert!(!notified.as_mut().enable());
        notify.notify_one();
        notified.await;
    });
}

#[test]
fn an_aborted_waiter_passes_the_permit_on() {
    simulate(|| async {
        let notify = Arc::new(Notify::new());
        let [first, second] = [1, 2].map(|_| {
            let notify = notify.clone();
            task::spawn(async move { notify.notified().await })
        });
        task::yield_now().await;
        notify.notify_one();
        first.abort();
        if first.await.is_ok() {
            notify.notify_one();
        }
        second.await.unwrap();
    });
}

#[test]
fn a_waiting_task_reports_it() {
    let waits = stuck(|sim| {
        sim.run(async {
            let notify = Notify::new();
            let waiter = task::spawn_named("waiter", async move { notify.notified().await });
            waiter.await.unwrap();
        });
    });
    expect(&waits[0], "sync.notified", "Notify", "Notify::new()", "notify.notified().await", &[]);
    assert_eq!(waits[0].since, Some(0));
}
