//! What a queue measures: rows `Metrics` and `MetricShutdown` of table 2.2.

use super::{ms, secs, simulate, work};
use fatum::systems::controller::{Metrics, Queue, Shutdown, WorkQueue};
use fatum::time::{Duration, sleep};

fn micros(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

#[test]
fn every_measure_is_taken_where_client_go_takes_it() {
    let seen = simulate(|| async {
        let queue = Queue::start();
        let measure = || queue.metrics().unwrap();
        let foo = "foo".to_owned();
        queue.add(work("foo")).await;
        let added = measure();
        assert_eq!((added.adds, added.depth, added.latency.count), (1, 1, 0));

        sleep(micros(50)).await;
        queue.get().await.unwrap();
        let taken = measure();
        assert_eq!((taken.depth, taken.latency.count, taken.latency.last), (0, 1, micros(50)));

        for _ in 0..5 {
            queue.add(work("foo")).await;
        }
        let again = measure();
        assert_eq!((again.adds, again.depth, queue.len()), (2, 1, 0), "five adds are one, and it is dirty");

        sleep(micros(25)).await;
        queue.done(&foo).unwrap();
        let done = measure();
        assert_eq!((done.work.count, done.work.last, done.depth), (1, micros(25), 1));

        queue.get().await.unwrap();
        assert_eq!(measure().latency.last, micros(25));
        sleep(ms(1)).await;
        let running = measure();
        assert_eq!((running.unfinished, running.longest_running), (ms(1), ms(1)));

        queue.done(&foo).unwrap();
        let ended = measure();
        assert_eq!((ended.unfinished, ended.longest_running), (Duration::ZERO, Duration::ZERO));
        ended
    });
    let Metrics { adds, depth, retries, latency, work, .. } = seen.value;
    assert_eq!((adds, depth, retries), (2, 0, 0));
    assert_eq!((latency.count, latency.sum, latency.max), (2, micros(75), micros(50)));
    assert_eq!((work.count, work.sum, work.max), (2, micros(1025), ms(1)));
    assert_eq!(latency.buckets, [0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0], "50 and 25 µs are at most 100 µs");
    assert_eq!(work.buckets, [0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0], "1 ms is at most 1 ms");
}

#[test]
fn adds_that_come_later_are_retries() {
    let seen = simulate(|| async {
        let queue = Queue::start();
        queue.add_after(work("a"), secs(1), false).await;
        queue.add_after(work("a"), Duration::ZERO, false).await;
        queue.add_rate_limited(work("b")).await;
        let before = queue.metrics().unwrap().retries;
        queue.stop(Shutdown::Drain);
        queue.add_after(work("a"), secs(1), false).await;
        queue.add_rate_limited(work("a")).await;
        (before, queue.metrics().unwrap().retries)
    });
    assert_eq!(seen.value, (3, 3));
}

#[test]
fn several_in_hand_age_together_and_stand_still_after_the_stop() {
    let seen = simulate(|| async {
        let queue = Queue::start();
        queue.add(work("a")).await;
        queue.add(work("b")).await;
        let first = queue.lease().await.unwrap();
        sleep(ms(10)).await;
        let second = queue.lease().await.unwrap();
        sleep(ms(5)).await;
        let measured = queue.metrics().unwrap();
        assert_eq!((measured.unfinished, measured.longest_running), (ms(20), ms(15)));
        queue.stop(Shutdown::Drain);
        sleep(secs(3600)).await;
        let after = queue.metrics().unwrap();
        drop((first, second));
        (measured, after)
    });
    assert_eq!(seen.value.0, seen.value.1, "nothing is measured after the stop");
    assert_eq!(seen.took, secs(3600) + ms(15), "nor does anything tick");
}
