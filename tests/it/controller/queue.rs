//! Table 2.2, its rows about the queue itself; and how a queue ends.

use super::{Work, ms, simulate, simulate_seeded, work};
use fatum::systems::controller::properties::Settings;
use fatum::systems::controller::{NotHeld, Queue, Requeue, Shutdown, WorkQueue};
use fatum::task::{JoinSet, spawn};
use fatum::time::{sleep, timeout};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex};

const SEEDS: u64 = 50;

/// Runs the script over a queue under many seeds, ends the queue, and compares what the script saw.
fn check<Fut, V>(script: impl Fn(Queue<Work>) -> Fut + Copy + 'static, expected: V)
where
    Fut: Future<Output = V> + 'static,
    V: PartialEq + std::fmt::Debug + 'static,
{
    for seed in 0..SEEDS {
        let seen = simulate_seeded(seed, move || async move {
            let queue = Queue::start();
            let value = script(queue.clone()).await;
            queue.stop(Shutdown::Drop);
            queue.ended().await;
            (value, queue.check())
        });
        seen.obeys(Settings::default());
        assert_eq!(seen.value.0, expected, "seed {seed}");
        assert_eq!(seen.value.1, Ok(()), "seed {seed}");
    }
}

#[test]
fn len_counts_what_is_queued_once() {
    check(
        |queue| async move {
            let mut lens = Vec::new();
            for name in ["foo", "bar", "foo"] {
                queue.add(work(name)).await;
                lens.push(queue.len());
            }
            lens
        },
        vec![1, 2, 2],
    );
}

#[test]
fn what_is_added_while_it_is_processed_comes_again() {
    check(
        |queue| async move {
            queue.add(work("foo")).await;
            let first = queue.get().await;
            queue.add(work("foo")).await;
            let while_held = queue.len();
            let done = queue.done(&"foo".to_owned());
            let second = queue.get().await;
            queue.done(&"foo".to_owned()).unwrap();
            (first, while_held, done, second, queue.len())
        },
        (Some(work("foo")), 0, Ok(()), Some(work("foo")), 0),
    );
}

#[test]
fn adds_of_one_key_become_one() {
    check(
        |queue| async move {
            queue.add(work("bar")).await;
            queue.add(work("bar")).await;
            let taken = queue.get().await;
            queue.done(&"bar".to_owned()).unwrap();
            (taken, queue.len())
        },
        (Some(work("bar")), 0),
    );
}

#[test]
fn a_key_that_is_not_held_cannot_be_done() {
    check(
        |queue| async move {
            let unknown = queue.done(&"foo".to_owned());
            queue.add(work("foo")).await;
            let queued = queue.done(&"foo".to_owned());
            let taken = queue.get().await;
            queue.done(&"foo".to_owned()).unwrap();
            let twice = queue.done(&"foo".to_owned());
            ([unknown, queued, twice], taken, queue.len())
        },
        ([(); 3].map(|()| Err(NotHeld { key: "foo".into() })), Some(work("foo")), 0),
    );
    let words = NotHeld::new(&"foo").to_string();
    assert_eq!(words, "`foo` is not being processed: it was not taken, or is done already");
}

#[test]
fn keys_come_in_the_order_in_which_they_were_queued() {
    check(
        |queue| async move {
            let mut order = Vec::new();
            for name in ["c", "a", "b"] {
                queue.add(work(name)).await;
            }
            let held = queue.lease().await.unwrap();
            queue.add(work("c")).await;
            queue.add(work("d")).await;
            held.done();
            while !queue.is_empty() {
                order.push(queue.lease().await.unwrap().item().0.clone());
            }
            order.join(" ")
        },
        "a b d c".to_owned(),
    );
}

/// Whoever produces, consumes and ends: what the consumers saw, and the length at the end.
async fn basic(how: Shutdown) -> (BTreeMap<String, u32>, usize) {
    let (queue, seen) = (Queue::start(), Arc::new(Mutex::new(BTreeMap::new())));
    let (mut producers, mut consumers) = (JoinSet::new(), JoinSet::new());
    for id in 0..50 {
        let queue = queue.clone();
        producers.spawn(async move {
            for _ in 0..50 {
                queue.add(work(id)).await;
                sleep(ms(1)).await;
            }
        });
    }
    for _ in 0..10 {
        let (queue, seen) = (queue.clone(), Arc::clone(&seen));
        consumers.spawn(async move {
            while let Some(lease) = queue.lease().await {
                *seen.lock().unwrap().entry(lease.item().0.clone()).or_default() += 1;
                sleep(ms(3)).await;
            }
        });
    }
    while producers.join_next().await.is_some() {}
    queue.stop(how);
    queue.add(work("added after shutdown!")).await;
    while consumers.join_next().await.is_some() {}
    queue.drained().await;
    queue.ended().await;
    assert_eq!(queue.get().await, None, "the late item is not handed out");
    let seen = seen.lock().unwrap().clone();
    (seen, queue.len())
}

#[test]
fn producers_and_consumers_end_well() {
    for how in [Shutdown::Drain, Shutdown::Drop] {
        for seed in 0..5 {
            let seen = simulate_seeded(seed, move || basic(how));
            seen.obeys(Settings::default());
            let (counts, len) = &seen.value;
            let ids: BTreeSet<String> = (0..50).map(|id: u32| id.to_string()).collect();
            assert_eq!(counts.keys().cloned().collect::<BTreeSet<_>>(), ids, "{how:?}, seed {seed}");
            assert!(counts.values().all(|takes| (1..=50).contains(takes)), "{counts:?}");
            assert_eq!(*len, 0);
        }
    }
}

#[test]
fn consumers_may_add_again_what_they_hold() {
    for seed in 0..10 {
        let seen = simulate_seeded(seed, || async {
            let (queue, takes) = (Queue::start(), Arc::new(Mutex::new(BTreeMap::new())));
            let mut tasks = JoinSet::new();
            for id in 0..50 {
                let queue = queue.clone();
                tasks.spawn(async move { queue.add(work(id)).await });
            }
            while tasks.join_next().await.is_some() {}
            for _ in 0..10 {
                let (queue, takes) = (queue.clone(), Arc::clone(&takes));
                tasks.spawn(async move {
                    while let Some(lease) = queue.lease().await {
                        let count = {
                            let mut takes = takes.lock().unwrap();
                            let count = takes.entry(lease.item().0.clone()).or_insert(0);
                            *count += 1;
                            *count
                        };
                        if count == 1 {
                            queue.add(lease.item().clone()).await;
                        }
                    }
                });
            }
            queue.drained().await;
            queue.stop(Shutdown::Drain);
            while tasks.join_next().await.is_some() {}
            queue.ended().await;
            let takes = takes.lock().unwrap().clone();
            (takes, queue.len())
        });
        seen.obeys(Settings::default());
        assert_eq!(seen.value.0.into_values().collect::<Vec<_>>(), [2; 50], "seed {seed}");
        assert_eq!(seen.value.1, 0);
    }
}

/// Two in hand, given back at 10 and 20 ms; when whoever drains from 5 ms on was released.
async fn draining(how: Shutdown, harder_stop: Option<Shutdown>) -> u128 {
    let queue = Queue::start();
    queue.add(work("foo")).await;
    queue.add(work("bar")).await;
    let (first, second) = (queue.lease().await.unwrap(), queue.lease().await.unwrap());
    let started = fatum::time::Instant::now();
    let drainer = spawn({
        let queue = queue.clone();
        async move {
            sleep(ms(5)).await;
            queue.stop(how);
            queue.drained().await;
            fatum::time::Instant::now()
        }
    });
    sleep(ms(10)).await;
    first.done();
    if let Some(how) = harder_stop {
        queue.stop(how);
        queue.stop(how);
    }
    sleep(ms(10)).await;
    second.done();
    queue.ended().await;
    drainer.await.unwrap().duration_since(started).as_millis()
}

#[test]
fn draining_waits_for_what_is_in_hand_and_a_harder_stop_releases_it() {
    let rows = [
        (Shutdown::Drain, None, 20),
        (Shutdown::Drop, None, 5),
        (Shutdown::Drain, Some(Shutdown::Drop), 10),
        (Shutdown::Drain, Some(Shutdown::Drain), 20),
        (Shutdown::Drop, Some(Shutdown::Drain), 5),
    ];
    for (how, second, released_ms) in rows {
        for seed in 0..SEEDS {
            let seen = simulate_seeded(seed, move || draining(how, second));
            assert_eq!(seen.value, released_ms, "{how:?}, then {second:?}, seed {seed}");
            seen.obeys(Settings::default());
        }
    }
}

#[test]
fn a_drain_hands_out_what_is_queued_and_what_was_added_while_it_was_held() {
    check(
        |queue| async move {
            queue.add(work("a")).await;
            let held = queue.lease().await.unwrap();
            queue.add(work("a")).await;
            queue.add(work("b")).await;
            queue.add_after(work("c"), ms(10), false).await;
            queue.stop(Shutdown::Drain);
            queue.add(work("d")).await;
            queue.add_after(work("e"), ms(1), false).await;
            queue.add_rate_limited(work("f")).await;
            held.done();
            let mut order = Vec::new();
            while let Some(lease) = queue.lease().await {
                order.push(lease.item().0.clone());
            }
            queue.drained().await;
            (order.join(" "), queue.num_requeues(&"f".to_owned()))
        },
        ("b a".to_owned(), 0),
    );
}

#[test]
fn a_drop_drops_what_is_queued() {
    check(
        |queue| async move {
            queue.add(work("a")).await;
            let held = queue.lease().await.unwrap();
            queue.add(work("a")).await;
            queue.add(work("b")).await;
            queue.stop(Shutdown::Drop);
            held.done();
            (queue.len(), queue.get().await)
        },
        (0, None),
    );
}

#[test]
fn a_queue_nobody_has_any_more_ends() {
    let seen = simulate(|| async {
        let queue = Queue::start();
        queue.add_after(work("a"), ms(60_000), false).await;
        drop(queue.clone());
        sleep(ms(5)).await;
        assert!(!queue.is_stopped());
    });
    assert_eq!(seen.took, ms(5), "and no task is left behind, nor a timer");
}

#[test]
fn a_lease_that_is_dropped_is_done() {
    check(
        |queue| async move {
            queue.add(work("a")).await;
            drop(queue.lease().await.unwrap());
            queue.drained().await;
            queue.done(&"a".to_owned()).is_err()
        },
        true,
    );
}

#[test]
fn a_lease_comes_again_as_it_asks() {
    check(
        |queue| async move {
            let started = fatum::time::Instant::now();
            queue.add(work("a")).await;
            let mut times = Vec::new();
            for when in [Requeue::Now, Requeue::After(ms(30)), Requeue::RateLimited, Requeue::RateLimited] {
                queue.lease().await.unwrap().requeue(when).await;
                let lease = queue.lease().await.unwrap();
                times.push(started.elapsed().as_millis());
                queue.add(lease.item().clone()).await;
            }
            (times, queue.num_requeues(&"a".to_owned()))
        },
        (vec![0, 30, 35, 45], 2),
    );
}

#[test]
fn a_getter_that_gives_up_hands_its_wake_up_on() {
    for seed in 0..200 {
        let seen = simulate_seeded(seed, || async {
            let queue = Queue::start();
            let impatient = spawn({
                let queue = queue.clone();
                async move { timeout(ms(10), queue.get()).await.ok().flatten() }
            });
            let patient = spawn({
                let queue = queue.clone();
                async move { queue.get().await }
            });
            sleep(ms(10)).await;
            queue.add(work("a")).await;
            if impatient.await.unwrap().is_none() {
                return patient.await.unwrap();
            }
            queue.stop(Shutdown::Drop);
            patient.await.unwrap().xor(Some(work("a")))
        });
        assert_eq!(seen.value, Some(work("a")), "seed {seed}");
    }
}

#[test]
fn what_was_taken_is_not_kept() {
    #[derive(Clone)]
    struct Big(Arc<Vec<u8>>);

    impl fatum::systems::controller::Item for Big {
        type Key = u32;

        fn key(&self) -> u32 {
            1
        }
    }

    let seen = simulate(|| async {
        let (queue, big) = (Queue::start(), Arc::new(vec![0; 1 << 20]));
        let alive = Arc::downgrade(&big);
        queue.add(Big(big)).await;
        let lease = queue.lease().await.unwrap();
        assert_eq!(lease.item().0.len(), 1 << 20);
        lease.done();
        alive.strong_count()
    });
    assert_eq!(seen.value, 0);
}

#[test]
fn invariants_hold_after_every_step() {
    for seed in 0..200 {
        let mut sim = fatum::Sim::new(seed);
        let queue: Arc<Mutex<Option<Queue<Work>>>> = Arc::default();
        let (checked, slot) = (Arc::clone(&queue), queue);
        sim.always("queue-invariants", move || match &*checked.lock().unwrap() {
            Some(queue) => queue.check(),
            None => Ok(()),
        });
        sim.run(async move {
            let queue = Queue::start();
            *slot.lock().unwrap() = Some(queue.clone());
            let mut tasks = JoinSet::new();
            for producer in 0..3 {
                let queue = queue.clone();
                tasks.spawn(async move {
                    for n in 0..6 {
                        let item = work((producer + n) % 4);
                        match n % 3 {
                            0 => queue.add(item).await,
                            1 => queue.add_after(item, ms(n), n == 4).await,
                            _ => queue.add_rate_limited(item).await,
                        }
                    }
                });
            }
            for worker in 0..3 {
                let queue = queue.clone();
                tasks.spawn(async move {
                    while let Some(lease) = queue.lease().await {
                        sleep(ms(worker)).await;
                        lease.forget();
                    }
                });
            }
            sleep(ms(50)).await;
            queue.stop(Shutdown::Drain);
            while tasks.join_next().await.is_some() {}
            slot.lock().unwrap().take();
        });
        assert_eq!(sim.finish().end, fatum::runtime::End::Passed, "seed {seed}");
    }
}
