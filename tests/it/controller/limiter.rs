//! The limiters: rows `RateLimiter_*` of table 2.1 and the limiters of table 2.2, each delay by hand.

use super::{ms, secs, simulate, simulate_seeded, work};
use fatum::systems::controller::limiter::{
    Bucket, Exponential, FastSlow, Jittered, Limiter, LimiterError, MaxOf, MaxWait,
};
use fatum::systems::controller::properties::{Delays, Settings};
use fatum::systems::controller::{Queue, WorkQueue};
use fatum::time::{Duration, sleep};

fn delays(limiter: &mut impl Limiter<&'static str>, key: &'static str, times: usize) -> Vec<Duration> {
    (0..times).map(|_| limiter.next_retry(&key)).collect()
}

fn last(limiter: &mut impl Limiter<&'static str>, times: usize) -> Duration {
    *delays(limiter, "overflow", times).last().unwrap()
}

fn millis<const N: usize>(list: [u64; N]) -> Vec<Duration> {
    list.map(ms).to_vec()
}

#[test]
fn delays_double_by_key_until_they_are_forgotten() {
    let mut limiter = Exponential::new(ms(1), secs(1)).unwrap();
    assert_eq!(delays(&mut limiter, "one", 5), millis([1, 2, 4, 8, 16]));
    assert_eq!(limiter.num_requeues(&"one"), 5);
    assert_eq!(delays(&mut limiter, "two", 2), millis([1, 2]));
    limiter.forget(&"one");
    assert_eq!(limiter.num_requeues(&"one"), 0);
    assert_eq!(delays(&mut limiter, "one", 1), millis([1]));
    limiter.forget(&"unknown");
    assert_eq!(limiter.num_requeues(&"two"), 2);
}

#[test]
fn delays_stop_at_the_longest() {
    let mut limiter = Exponential::new(ms(1), secs(1000)).unwrap();
    assert_eq!(last(&mut limiter, 6), ms(32), "after five");
    assert_eq!(last(&mut limiter, 1000), secs(1000));
    let mut limiter = Exponential::new(secs(60), secs(3_600_000)).unwrap();
    assert_eq!(last(&mut limiter, 3), secs(240), "after two");
    assert_eq!(last(&mut limiter, 1000), secs(3_600_000));
}

#[test]
fn the_defaults_are_those_of_the_reference() {
    let mut limiter = Exponential::consul_default();
    let first = delays(&mut limiter, "a", 9);
    assert_eq!(first, millis([5, 10, 20, 40, 80, 160, 320, 640, 1280]));
    let next = delays(&mut limiter, "a", 9);
    assert_eq!(next[8], ms(655_360));
    assert_eq!(first.iter().chain(&next).sum::<Duration>(), ms(1_310_715));
    assert_eq!(delays(&mut limiter, "a", 3), [secs(1000); 3]);
}

#[test]
fn no_number_of_failures_makes_a_delay_negative() {
    let max = Duration::from_nanos(u64::MAX / 2);
    for (base, turns) in [(1_u64, 63_usize), (1024, 53)] {
        let base = Duration::from_nanos(base);
        let mut right = Exponential::new(base, max).unwrap();
        assert_eq!(delays(&mut right, "a", 2_000)[turns..], [max].repeat(2_000 - turns));
        let mut parity = Exponential::float_parity(base, max);
        let delays = delays(&mut parity, "a", turns + 2);
        assert_eq!(delays[turns - 1].as_nanos(), 1 << 62);
        assert_eq!(delays[turns..], [Duration::ZERO, max], "2⁶³ ns is negative, what follows is not");
    }
}

#[test]
fn a_limiter_that_makes_no_sense_is_refused_unless_parity_is_wanted() {
    type Exp = Exponential<&'static str>;
    let zero = Exp::new(Duration::ZERO, secs(1)).map(drop);
    assert_eq!(zero, Err(LimiterError::ZeroBase));
    let above = Exp::new(secs(2), secs(1)).map(drop);
    assert_eq!(above, Err(LimiterError::BaseAboveMax { base: secs(2), max: secs(1) }));
    assert_eq!(delays(&mut Exp::unchecked(Duration::ZERO, secs(1)), "a", 1100), [Duration::ZERO; 1100]);
    assert_eq!(delays(&mut Exp::unchecked(secs(2), secs(1)), "a", 3), [secs(1); 3]);
    let slow = FastSlow::<&str>::new(secs(2), secs(1), 3).map(drop);
    assert_eq!(slow, Err(LimiterError::FastAboveSlow { fast: secs(2), slow: secs(1) }));
    for (rate, burst) in [(0, 1), (1, 0), (2_000_000_000, 1)] {
        assert_eq!(Bucket::new(rate, burst).map(drop), Err(LimiterError::EmptyBucket));
    }
    assert_eq!(MaxOf::<&str>::new(vec![]).map(drop), Err(LimiterError::NoLimiters));
    for percent in [0, 101] {
        let jittered = Jittered::new(Exp::consul_default(), percent).map(drop);
        assert_eq!(jittered, Err(LimiterError::Jitter { percent }));
    }
}

#[test]
fn first_fast_then_slow() {
    let mut limiter = FastSlow::new(ms(5), secs(10), 3).unwrap();
    assert_eq!(delays(&mut limiter, "a", 5), millis([5, 5, 5, 10_000, 10_000]));
    assert_eq!(limiter.num_requeues(&"a"), 5);
    limiter.forget(&"a");
    assert_eq!(delays(&mut limiter, "a", 1), millis([5]));
}

/// 5 ms for the first hundred retries, then 1000 s.
struct Step(u32);

impl Limiter<&'static str> for Step {
    fn next_retry(&mut self, _key: &&'static str) -> Duration {
        self.0 += 1;
        if self.0 > 100 { secs(1000) } else { ms(5) }
    }

    fn forget(&mut self, _key: &&'static str) {}

    fn num_requeues(&self, _key: &&'static str) -> u32 {
        self.0
    }
}

#[test]
fn no_wait_is_above_the_longest() {
    let mut limiter = MaxWait::new(Step(0), secs(500));
    assert_eq!(delays(&mut limiter, "a", 100), [ms(5); 100]);
    assert_eq!(delays(&mut limiter, "a", 100), [secs(500); 100]);
    assert_eq!(limiter.num_requeues(&"a"), 200);
}

#[test]
fn a_bucket_gives_its_burst_and_then_its_rate() {
    let seen = simulate(|| async {
        let mut bucket = Bucket::new(10, 3).unwrap();
        let first = delays(&mut bucket, "a", 5);
        sleep(ms(250)).await;
        let later = delays(&mut bucket, "b", 2);
        sleep(secs(60)).await;
        let full_again = delays(&mut bucket, "c", 4);
        (first, later, full_again, Limiter::<&str>::num_requeues(&bucket, &"a"))
    });
    let expected = (millis([0, 0, 0, 100, 200]), millis([50, 150]), millis([0, 0, 0, 100]), 0);
    assert_eq!(seen.value, expected);
}

#[test]
fn the_longest_of_several_counts() {
    let seen = simulate(|| async {
        let mut limiter = MaxOf::client_go_default();
        let one = delays(&mut limiter, "a", 3);
        let many: Vec<Duration> = (0..98).map(|_| limiter.next_retry(&"b")).collect();
        let then = limiter.next_retry(&"c");
        let requeues = limiter.num_requeues(&"b");
        limiter.forget(&"b");
        (one, many[96], many[97], then, requeues, limiter.num_requeues(&"b"))
    });
    let (one, within, beyond, then, requeues, forgotten) = seen.value;
    assert_eq!(one, millis([5, 10, 20]));
    assert_eq!((within, beyond, then), (secs(1000), secs(1000), ms(200)), "101 tokens were taken before");
    assert_eq!((requeues, forgotten), (98, 0));
}

#[test]
fn jitter_only_lengthens_and_is_a_choice() {
    let jittered = |seed| {
        simulate_seeded(seed, || async {
            let limiter = Exponential::new(ms(100), secs(1)).unwrap();
            delays(&mut Jittered::new(limiter, 20).unwrap(), "a", 3)
        })
        .value
    };
    assert_eq!(jittered(0), millis([100, 200, 400]), "the baseline");
    let mut distinct = std::collections::BTreeSet::new();
    for seed in 1..50 {
        let delays = jittered(seed);
        assert_eq!(delays, jittered(seed), "a seed is a run");
        for (delay, base) in delays.iter().zip([100, 200, 400]) {
            assert!((ms(base)..ms(base + base / 5)).contains(delay), "{delay:?}");
        }
        distinct.insert(delays);
    }
    assert!(distinct.len() > 40);
}

#[test]
fn a_queue_counts_failures_until_they_are_forgotten() {
    let seen = simulate(|| async {
        let limiter = Exponential::new(ms(1), secs(1)).unwrap();
        let queue = Queue::builder().limiter(limiter).start();
        let mut counts = Vec::new();
        for name in ["one", "one", "two", "two"] {
            queue.add_rate_limited(work(name)).await;
            counts.push(queue.num_requeues(&name.to_owned()));
        }
        queue.forget(&"one".to_owned());
        counts.push(queue.num_requeues(&"one".to_owned()));
        queue.add_rate_limited(work("one")).await;
        for _ in ["one", "two"] {
            queue.lease().await.unwrap().done();
        }
        counts
    });
    assert_eq!(seen.value, [1, 2, 1, 2, 0]);
    assert_eq!(seen.took, ms(1), "the first deferral of each stands");
    let waited: Vec<Duration> = seen
        .events
        .iter()
        .filter_map(|(_, event)| match event {
            fatum::systems::controller::ControllerEvent::Backoff { delay, .. } => Some(*delay),
            _ => None,
        })
        .collect();
    assert_eq!(waited, millis([1, 2, 1, 2, 1]));
    let delays = Delays::Exponential { base: ms(1), max: secs(1) };
    seen.obeys(Settings { delays, ..Settings::default() });
}
