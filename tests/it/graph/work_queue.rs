//! Table 2.11: the work queue by itself, and what the port adds to it.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use fatum::sync::CancellationToken;
use fatum::systems::graph::action::{ActionBase, FnAction, SharedAction};
use fatum::systems::graph::queue::{Closed, Phase, QueueError};
use fatum::systems::graph::stop::{Stop, StopCause};
use fatum::systems::graph::{ActionError, Config, GraphEvent, WorkQueue};
use fatum::time::{Duration, sleep};

use super::{actions, event, ms, run, simulate, simulate_seeded};

const TWO: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1);

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("failed")]
struct Failed;

/// What each item does: how long it takes, what it adds at the end.
type Script = BTreeMap<&'static str, (u64, Vec<&'static str>)>;

/// Runs a script on two workers and returns who ran, in the order they ended.
async fn follow(script: Script, first: &[&'static str]) -> Vec<&'static str> {
    let (queue, script, ended) = (WorkQueue::traced(TWO), Arc::new(script), Arc::new(Mutex::new(Vec::new())));
    for item in first {
        queue.add(*item).await.expect("it has not run yet");
    }
    let (adding, ends) = (queue.clone(), Arc::clone(&ended));
    let result = queue
        .run(&Stop::never(), move |item: &'static str| {
            let (adding, ends, script) = (adding.clone(), Arc::clone(&ends), Arc::clone(&script));
            async move {
                let (takes, adds) = script.get(item).cloned().unwrap_or_default();
                sleep(ms(takes)).await;
                for added in adds {
                    adding.add(added).await.expect("the queue is running");
                }
                ends.lock().expect("nobody panics").push(item);
                Ok::<(), Failed>(())
            }
        })
        .await;
    assert_eq!(result, Ok(()));
    assert_eq!(queue.drain(&Stop::never()).await, Ok(()));
    assert_eq!(queue.infos().len(), ended.lock().expect("nobody panics").len(), "all are traced");
    assert_eq!(queue.unstarted(), Vec::<&str>::new());
    ended.lock().expect("nobody panics").clone()
}

fn check(
    script: &[(&'static str, u64, &[&'static str])],
    first: &'static [&'static str],
    all: &[&'static str],
) {
    let script: Script = script.iter().map(|(name, takes, adds)| (*name, (*takes, adds.to_vec()))).collect();
    for seed in 0..50 {
        let script = script.clone();
        let seen = simulate_seeded(seed, move || async move { follow(script, first).await });
        assert_eq!(seen.value.iter().collect::<BTreeSet<_>>(), all.iter().collect(), "seed {seed}");
        assert_eq!(seen.value.len(), all.len(), "each ran once");
        seen.properties();
    }
}

#[test]
fn an_empty_queue_ends_at_once() {
    check(&[], &[], &[]);
}

#[test]
fn one_and_ten_items_run() {
    check(&[], &["a"], &["a"]);
    let ten = &["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    check(&[], ten, ten);
}

#[test]
fn an_item_adds_another() {
    check(&[("a", 0, &["b"])], &["a"], &["a", "b"]);
    check(&[("a", 100, &["b"])], &["a"], &["a", "b"]);
}

#[test]
fn items_add_items_that_add_items() {
    let script: &[(&str, u64, &[&str])] = &[
        ("a", 0, &["b0", "c0", "d0"]),
        ("b0", 0, &["b1", "b2", "b3"]),
        ("c0", 0, &["c1", "c2"]),
        ("d0", 0, &["d1", "d2", "d3"]),
    ];
    let all = ["a", "b0", "c0", "d0", "b1", "b2", "b3", "c1", "c2", "d1", "d2", "d3"];
    check(script, &["a"], &all);
}

#[test]
fn ten_sleeps_of_two_workers_take_five_times_one() {
    let seen = simulate(|| async {
        let queue = WorkQueue::traced(TWO);
        for item in 0..10 {
            queue.add(item).await.expect("it has not run yet");
        }
        let op = |_| async {
            sleep(ms(100)).await;
            Ok::<(), Failed>(())
        };
        queue.run(&Stop::never(), op).await.expect("nothing fails");
        queue.infos()
    });
    assert_eq!(seen.took, ms(500));
    let starts: Vec<u64> = seen.value.iter().map(|info| info.item).collect();
    assert_eq!(starts, (0..10).collect::<Vec<u64>>(), "first in, first out");
    seen.properties();
}

#[test]
fn a_cancel_from_inside_ends_the_run_and_the_item_is_not_traced() {
    let seen = simulate(|| async {
        let (queue, token) = (WorkQueue::traced(TWO), CancellationToken::new());
        queue.add("a").await.expect("it has not run yet");
        let cancel = token.clone();
        let op = move |_| {
            let cancel = cancel.clone();
            async move {
                cancel.cancel();
                std::future::pending::<Result<(), Failed>>().await
            }
        };
        let result = queue.run(&Stop::on(token), op).await;
        let drained = queue.drain(&Stop::never().after(Some(ms(10)))).await;
        (result, drained, queue.infos().len(), queue.active())
    });
    let stopped = Err(QueueError::Stopped(StopCause::Cancelled));
    let gave_up = Err(QueueError::Stopped(StopCause::DeadlinePassed));
    assert_eq!(seen.value, (stopped, gave_up, 0, 1));
}

#[test]
fn a_failing_item_ends_the_run_and_is_traced() {
    let seen = simulate(|| async {
        let queue = WorkQueue::traced(TWO);
        queue.add("a").await.expect("it has not run yet");
        let result = queue.run(&Stop::never(), |_| async { Err(Failed) }).await;
        let late = queue.add("b").await;
        (result, queue.drain(&Stop::never()).await, queue.infos()[0].failed, late, queue.phase())
    });
    assert_eq!(seen.value, (Err(QueueError::Failed(Failed)), Ok(()), true, Err(Closed("b")), Phase::Done));
    seen.properties();
}

#[test]
fn a_second_run_is_refused_and_freezes_nothing() {
    let seen = simulate(|| async {
        let queue = WorkQueue::<u32>::new(TWO);
        let op = |_| async { Ok::<(), Failed>(()) };
        let first = queue.run(&Stop::never(), op).await;
        let second = queue.run(&Stop::never(), op).await;
        (first, second, queue.drain(&Stop::never()).await)
    });
    assert_eq!(seen.value, (Ok(()), Err(QueueError::AlreadyRun(Phase::Done)), Ok(())));
    let refused =
        |(_, event): &(u64, GraphEvent)| matches!(event, GraphEvent::QueueRunAgain { refused: true, .. });
    assert!(seen.events.iter().any(refused));
}

#[test]
fn draining_before_the_end_is_refused_and_freezes_nothing() {
    let seen = simulate(|| async {
        let queue = WorkQueue::new(TWO);
        queue.add(1).await.expect("it has not run yet");
        let early = queue.drain(&Stop::never()).await;
        (early, queue.run(&Stop::never(), |_| async { Ok::<(), Failed>(()) }).await)
    });
    assert_eq!(seen.value, (Err(QueueError::NotDone(Phase::NotStarted)), Ok(())));
}

#[test]
fn a_queue_that_is_cancelled_before_it_runs_starts_nothing() {
    let seen = simulate(|| async {
        let (queue, token) = (WorkQueue::new(TWO), CancellationToken::new());
        for item in 0..4 {
            queue.add(item).await.expect("it has not run yet");
        }
        token.cancel();
        let result = queue.run(&Stop::on(token), |_| async { Ok::<(), Failed>(()) }).await;
        (result, queue.unstarted())
    });
    assert_eq!(seen.value, (Err(QueueError::Stopped(StopCause::Cancelled)), vec![0, 1, 2, 3]));
    seen.properties();
}

#[test]
fn an_empty_queue_ends_well_although_it_is_cancelled() {
    let seen = simulate(|| async {
        let token = CancellationToken::new();
        token.cancel();
        WorkQueue::<u32>::new(TWO).run(&Stop::on(token), |_| async { Ok::<(), Failed>(()) }).await
    });
    assert_eq!(seen.value, Ok(()));
}

#[test]
fn a_deadline_hands_back_what_did_not_start() {
    let seen = simulate(|| async {
        let queue = WorkQueue::new(TWO);
        for item in 0..5 {
            queue.add(item).await.expect("it has not run yet");
        }
        let op = |_| async {
            sleep(ms(200)).await;
            Ok::<(), Failed>(())
        };
        let result = queue.run(&Stop::never().after(Some(ms(50))), op).await;
        (result, queue.unstarted(), queue.active(), queue.drain(&Stop::never()).await)
    });
    let stopped = Err(QueueError::Stopped(StopCause::DeadlinePassed));
    assert_eq!(seen.value, (stopped, vec![2, 3, 4], 2, Ok(())));
    assert_eq!(seen.took, ms(200), "draining waits for the two in flight");
    seen.properties();
}

#[test]
fn ranks_come_before_age() {
    let seen = simulate(|| async {
        let (queue, order) = (WorkQueue::new(NonZeroUsize::MIN), Arc::new(Mutex::new(Vec::new())));
        for (item, rank) in [("low", 5), ("first", 0), ("second", 0), ("urgent", -1)] {
            queue.add_ranked(item, rank).await.expect("it has not run yet");
        }
        let ends = Arc::clone(&order);
        let op = move |item| {
            ends.lock().expect("nobody panics").push(item);
            async { Ok::<(), Failed>(()) }
        };
        queue.run(&Stop::never(), op).await.expect("nothing fails");
        order.lock().expect("nobody panics").clone()
    });
    assert_eq!(seen.value, ["urgent", "first", "second", "low"]);
}

#[test]
fn a_dropped_run_closes_the_queue() {
    let seen = simulate(|| async {
        let queue = WorkQueue::new(TWO);
        queue.add(1).await.expect("it has not run yet");
        let op = |_| async {
            sleep(Duration::from_secs(1)).await;
            Ok::<(), Failed>(())
        };
        let dropped = fatum::time::timeout(ms(10), queue.run(&Stop::never(), op)).await.is_err();
        let closed = queue.add(2).await;
        (dropped, closed, queue.drain(&Stop::never()).await)
    });
    assert_eq!(seen.value, (true, Err(Closed(2)), Ok(())));
    assert_eq!(seen.took, Duration::from_secs(1));
}

#[test]
fn nothing_starts_after_a_failure() {
    for seed in 0..50 {
        let seen = simulate_seeded(seed, || async {
            let queue = WorkQueue::new(NonZeroUsize::MIN);
            for item in 0..3 {
                queue.add(item).await.expect("it has not run yet");
            }
            let result = queue.run(&Stop::never(), |_| async { Err(Failed) }).await;
            (result, queue.unstarted())
        });
        assert_eq!(seen.value, (Err(QueueError::Failed(Failed)), vec![1, 2]), "seed {seed}");
        seen.properties();
    }
}

#[test]
fn what_ends_after_the_queue_is_not_traced() {
    let seen = simulate(|| async {
        let queue = WorkQueue::traced(TWO);
        for item in [10, 50] {
            queue.add(item).await.expect("it has not run yet");
        }
        let op = |takes| async move {
            sleep(ms(takes)).await;
            if takes == 10 { Err(Failed) } else { Ok(()) }
        };
        let result = queue.run(&Stop::never(), op).await;
        let drained = queue.drain(&Stop::never()).await;
        (result, drained, queue.infos().iter().map(|info| info.item).collect::<Vec<_>>())
    });
    assert_eq!(seen.value, (Err(QueueError::Failed(Failed)), Ok(()), vec![0]));
    assert_eq!(seen.took, ms(50));
    seen.properties();
}

#[test]
fn two_can_wait_for_the_same_orphans() {
    for seed in 0..50 {
        let seen = simulate_seeded(seed, || async {
            let (queue, patience) = (WorkQueue::new(TWO), Stop::never().after(Some(ms(500))));
            queue.add(()).await.expect("it has not run yet");
            let op = |()| async {
                sleep(ms(200)).await;
                Ok::<(), Failed>(())
            };
            let result = queue.run(&Stop::never().after(Some(ms(50))), op).await;
            assert_eq!(result, Err(QueueError::Stopped(StopCause::DeadlinePassed)));
            fatum::join!(queue.drain(&patience), queue.drain(&patience))
        });
        assert_eq!((seen.value, seen.took), ((Ok(()), Ok(())), ms(200)), "seed {seed}");
    }
}

#[test]
fn closing_a_queue_ends_its_run() {
    for seed in 0..50 {
        let seen = simulate_seeded(seed, || async {
            let queue = WorkQueue::new(NonZeroUsize::MIN);
            for item in 0..3 {
                queue.add(item).await.expect("it has not run yet");
            }
            let closing = queue.clone();
            drop(fatum::task::spawn(async move {
                sleep(ms(50)).await;
                closing.close();
            }));
            let op = |_| async {
                sleep(ms(200)).await;
                Ok::<(), Failed>(())
            };
            let result = queue.run(&Stop::never(), op).await;
            (result, queue.unstarted())
        });
        assert_eq!(seen.value, (Err(QueueError::Stopped(StopCause::Cancelled)), vec![1, 2]), "seed {seed}");
        assert_eq!(seen.took, ms(50));
        seen.properties();
    }
}

/// An action of a graph walks a queue of its own, as a closure over resources does.
#[test]
fn an_action_may_use_a_queue_of_its_own() {
    for seed in 0..50 {
        let seen = simulate_seeded(seed, || async {
            let walking = || async {
                let queue = WorkQueue::new(TWO);
                for item in 0..4 {
                    queue.add(item).await.expect("it has not run yet");
                }
                let op = |item: u64| async move {
                    sleep(ms(5 + item)).await;
                    Ok::<(), Failed>(())
                };
                queue.run(&Stop::never(), op).await.map_err(ActionError::new)
            };
            let base = |name: &str| ActionBase::new(name).emits([event(name)]);
            let walk = |name: &str| -> SharedAction<()> {
                Arc::new(FnAction::emitting(base(name), move |_| walking()))
            };
            let mut list = actions("A; B; A -> C; B -> D; C -> E; C -> F");
            list[0] = walk("A");
            list[1] = walk("B");
            run(Config::parallel(), list).await.is_ok()
        });
        assert!(seen.value, "seed {seed}");
        seen.properties();
    }
}
