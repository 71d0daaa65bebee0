//! Barrier.

use super::{expect, five, poll, ready, seen, simulate, stuck};
use fatum::sync::Barrier;
use fatum::{Sim, task};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(super) fn contention(sim: &mut Sim) {
    let barrier = Arc::new(Barrier::new(5));
    sim.run(async move {
        five(move |who| {
            let barrier = barrier.clone();
            async move {
                for round in 0..3 {
                    let leads = barrier.wait().await.is_leader();
                    seen(who, 10 * round + u64::from(leads));
                }
            }
        })
        .await;
    });
}

#[test]
fn outside_the_last_to_come_leads_and_rounds_repeat() {
    let barrier = Barrier::new(3);
    for _ in 0..3 {
        let (mut first, mut second) = (pin!(barrier.wait()), pin!(barrier.wait()));
        assert!(poll(first.as_mut()).is_pending());
        assert!(poll(second.as_mut()).is_pending());
        assert!(ready(barrier.wait()).is_leader());
        assert!(!ready(first).is_leader());
        assert!(!ready(second).is_leader());
    }
}

#[test]
fn a_barrier_of_none_is_one_of_one() {
    assert!(ready(Barrier::new(0).wait()).is_leader());
}

#[test]
fn exactly_one_leads_and_nobody_runs_ahead() {
    simulate(|| async {
        let (barrier, leaders) = (Arc::new(Barrier::new(5)), Arc::new(AtomicU64::new(0)));
        let counted = leaders.clone();
        five(move |_| {
            let (barrier, leaders) = (barrier.clone(), counted.clone());
            async move {
                for round in 1..4 {
                    if barrier.wait().await.is_leader() {
                        leaders.fetch_add(1, Ordering::Relaxed);
                    }
                    barrier.wait().await;
                    assert_eq!(leaders.load(Ordering::Relaxed), round);
                    barrier.wait().await;
                }
            }
        })
        .await;
    });
}

#[test]
fn a_waiting_task_reports_it() {
    let waits = stuck(|sim| {
        sim.run(async {
            let barrier = Barrier::new(2);
            let waiter = task::spawn_named("waiter", async move { barrier.wait().await.is_leader() });
            waiter.await.unwrap();
        });
    });
    expect(&waits[0], "sync.wait", "Barrier", "Barrier::new(2)", "barrier.wait().await", &[]);
}
