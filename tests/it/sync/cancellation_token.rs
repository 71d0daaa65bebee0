//! CancellationToken.

use super::{expect, five, poll, ready, seen, simulate, stuck};
use fatum::sync::{CancellationToken, Notify};
use fatum::{Sim, task};
use std::pin::pin;

pub(super) fn contention(sim: &mut Sim) {
    let token = CancellationToken::new();
    sim.run(async move {
        let parent = token.clone();
        let workers = task::spawn(async move {
            five(move |who| {
                let token = parent.child_token();
                async move {
                    let mut turns = 0;
                    let work = async {
                        loop {
                            task::yield_now().await;
                            turns += 1;
                        }
                    };
                    let done: Option<()> = token.run_until_cancelled(work).await;
                    assert_eq!(done, None);
                    token.cancelled().await;
                    seen(who, turns);
                }
            })
            .await;
        });
        for _ in 0..5 {
            task::yield_now().await;
        }
        token.cancel();
        workers.await.unwrap();
    });
}

#[test]
fn outside_it_is_tokios() {
    let token = CancellationToken::new();
    let child = token.child_token();
    let sibling = token.child_token();
    assert!(token == token.clone() && token != child);
    let (mut first, mut owned) = (pin!(child.cancelled()), pin!(child.clone().cancelled_owned()));
    assert!(poll(first.as_mut()).is_pending() && poll(owned.as_mut()).is_pending());
    child.cancel();
    ready(first);
    ready(owned);
    assert!(!token.is_cancelled() && child.is_cancelled());
    assert_eq!(ready(sibling.run_until_cancelled(async { 1 })), Some(1));
    token.cancel();
    assert!(sibling.is_cancelled());
    assert_eq!(ready(sibling.run_until_cancelled(async { 1 })), None);
    assert_eq!(ready(sibling.run_until_cancelled_owned(async { 1 })), None);
}

#[test]
fn drop_guards_cancel_unless_disarmed() {
    let token = CancellationToken::new();
    token.clone().drop_guard().disarm();
    token.drop_guard_ref().disarm();
    assert!(!token.is_cancelled());
    let guard = token.clone().drop_guard();
    assert!(*guard.token() == token);
    drop(guard);
    assert!(token.is_cancelled());
    let token = CancellationToken::new();
    drop(token.drop_guard_ref());
    assert!(token.is_cancelled());
}

#[test]
fn a_crash_cancels_what_a_guard_covers() {
    simulate(|| async {
        let token = CancellationToken::new();
        let guard = token.clone().drop_guard();
        let worker = task::spawn(async move {
            let _guard = guard;
            std::future::pending::<()>().await;
        });
        task::yield_now().await;
        worker.abort();
        token.cancelled().await;
    });
}

#[test]
fn a_waiting_task_reports_it() {
    let waits = stuck(|sim| {
        let token = CancellationToken::new();
        sim.run(async move {
            let child = token.child_token();
            let waiter = task::spawn_named("waiter", async move {
                child.cancelled().await;
            });
            waiter.await.unwrap();
        });
    });
    let created = "token.child_token()";
    expect(&waits[0], "sync.cancelled", "CancellationToken", created, "child.cancelled().await", &[]);
}

#[test]
fn work_until_a_cancel_reports_both_that_it_waits_for() {
    let waits = stuck(|sim| {
        let token = CancellationToken::new();
        sim.run(async move {
            let waiter = task::spawn_named("waiter", async move {
                let notify = Notify::new();
                token.run_until_cancelled(notify.notified()).await;
            });
            waiter.await.unwrap();
        });
    });
    let operations: Vec<_> = waits.iter().map(|wait| wait.operation.as_str()).collect();
    assert_eq!(operations, ["sync.notified", "sync.cancelled"]);
}
