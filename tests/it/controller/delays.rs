//! Table 2.2, its rows about deferrals; what an add does to one; and the queue of deferrals by itself.

use super::{Work, ms, secs, simulate, simulate_seeded, work};
use fatum::sync::CancellationToken;
use fatum::systems::controller::properties::Settings;
use fatum::systems::controller::{AddPolicy, DeferQueue, Deferrals, Queue, Replace, Shutdown, WorkQueue};
use fatum::task::spawn;
use fatum::time::{Duration, Instant, sleep};
use std::sync::{Arc, Mutex};

/// A step of a script.
#[derive(Clone, Copy)]
enum Do {
    After(&'static str, u64),
    Override(&'static str, u64),
    Add(&'static str),
    Cancel(&'static str),
    Wait(u64),
}

/// Follows the steps over a queue whose worker is always idle: what came when, as `name@ms`.
async fn follow(policy: AddPolicy, steps: &'static [Do]) -> String {
    let queue: Queue<Work> = Queue::builder().policy(policy).start();
    let came = Arc::new(Mutex::new(Vec::new()));
    let worker = spawn({
        let (queue, came) = (queue.clone(), Arc::clone(&came));
        async move {
            while let Some(lease) = queue.lease().await {
                let at = Instant::now().since_start().as_millis();
                came.lock().unwrap().push(format!("{}@{at}", lease.item().0));
            }
        }
    });
    for step in steps {
        match *step {
            Do::After(name, delay) => queue.add_after(work(name), ms(delay), false).await,
            Do::Override(name, delay) => queue.add_after(work(name), ms(delay), true).await,
            Do::Add(name) => queue.add(work(name)).await,
            Do::Cancel(name) => drop(queue.cancel(&name.to_owned()).await),
            Do::Wait(time) => sleep(ms(time)).await,
        }
    }
    queue.stop(Shutdown::Drain);
    worker.await.unwrap();
    queue.ended().await;
    came.lock().unwrap().join(" ")
}

fn check(policy: AddPolicy, steps: &'static [Do], expected: &str) {
    for seed in 0..30 {
        let seen = simulate_seeded(seed, move || follow(policy, steps));
        assert_eq!(seen.value, expected, "{policy:?}, seed {seed}");
    }
}

fn check_both(steps: &'static [Do], expected: &str) {
    check(AddPolicy::SupersedeDeferral, steps, expected);
    check(AddPolicy::KeepDeferral, steps, expected);
}

use Do::{Add, After, Cancel, Override, Wait};

#[test]
fn a_deferral_comes_at_its_time_and_once() {
    check_both(&[After("foo", 50), Wait(60), Wait(10_000)], "foo@50");
}

#[test]
fn of_two_deferrals_the_earlier_stands() {
    check_both(&[After("foo", 50), After("foo", 70), Wait(60), Wait(20)], "foo@50");
    check_both(&[After("foo", 50), After("foo", 30), Wait(40), Wait(20)], "foo@30");
}

#[test]
fn two_keys_come_each_at_its_time() {
    let steps: &[Do] =
        &[After("foo", 1000), After("bar", 50), Wait(60), After("baz", 2000), Wait(1000), Wait(2000)];
    check_both(steps, "bar@50 foo@1000 baz@2060");
}

#[test]
fn equal_times_come_in_the_order_in_which_they_were_deferred() {
    check_both(&[After("c", 10), After("a", 10), After("b", 10), Wait(20)], "c@10 a@10 b@10");
    check_both(&[After("c", 20), After("a", 10), After("c", 10), Wait(20)], "a@10 c@10");
}

#[test]
fn an_override_moves_a_deferral_either_way() {
    check_both(&[After("foo", 50), Override("foo", 70), Wait(100)], "foo@70");
    check_both(&[After("foo", 50), Override("foo", 30), Wait(100)], "foo@30");
    check_both(&[Override("foo", 70), After("foo", 50), Wait(100)], "foo@50");
}

#[test]
fn no_delay_is_an_add() {
    check_both(&[After("foo", 0), Wait(10)], "foo@0");
}

#[test]
fn a_cancelled_deferral_does_not_come() {
    check_both(&[After("foo", 50), After("bar", 50), Cancel("foo"), Cancel("baz"), Wait(100)], "bar@50");
}

#[test]
fn an_add_supersedes_a_deferral_unless_it_is_to_be_kept() {
    let steps: &[Do] = &[After("foo", 50), Wait(10), Add("foo"), Wait(100)];
    check(AddPolicy::SupersedeDeferral, steps, "foo@10");
    check(AddPolicy::KeepDeferral, steps, "foo@10 foo@50");
    let steps: &[Do] = &[After("foo", 50), Wait(10), After("foo", 0), Wait(100)];
    check(AddPolicy::SupersedeDeferral, steps, "foo@10");
    check(AddPolicy::KeepDeferral, steps, "foo@10 foo@50");
}

#[test]
fn a_stop_drops_what_is_deferred() {
    check_both(&[After("foo", 50), Wait(49)], "");
}

#[test]
fn a_deferral_that_fires_while_its_key_is_held_comes_when_that_is_done() {
    for seed in 0..50 {
        let seen = simulate_seeded(seed, || async {
            let queue = Queue::start();
            queue.add(work("a")).await;
            let held = queue.lease().await.unwrap();
            queue.add_after(work("a"), ms(10), false).await;
            sleep(ms(30)).await;
            held.done();
            let again = queue.lease().await.unwrap();
            assert_eq!(again.item(), &work("a"));
        });
        assert_eq!(seen.took, ms(30), "seed {seed}");
        seen.obeys(Settings::default());
    }
}

/// What a queue of deferrals handed out: `name@ms`.
async fn processed(queue: DeferQueue<Work>) -> String {
    let (queue, token) = (Arc::new(queue), CancellationToken::new());
    let came = Arc::new(Mutex::new(Vec::new()));
    let task = spawn({
        let (queue, token, came) = (Arc::clone(&queue), token.clone(), Arc::clone(&came));
        async move {
            let sink = |item: Work| {
                came.lock().unwrap().push(format!("{}@{}", item.0, Instant::now().since_start().as_millis()));
            };
            queue.process(&token, sink).await;
        }
    });
    let at = |millis: u64| Instant::now() + ms(millis);
    assert!(queue.defer(work("late"), at(1700), false).await);
    assert!(queue.defer(work("soon"), at(30), false).await);
    assert!(!queue.defer(work("soon"), at(40), false).await, "the earlier stands");
    assert!(queue.defer(work("moved"), at(10), false).await);
    assert!(queue.defer(work("moved"), at(30), true).await);
    assert!(queue.defer(work("gone"), at(20), false).await);
    assert!(queue.cancel(&"gone".to_owned()).await);
    sleep(ms(100)).await;
    assert!(queue.defer(work("now"), Instant::now(), false).await);
    sleep(ms(1900)).await;
    assert!(queue.defer(work("left"), at(10), false).await);
    token.cancel();
    task.await.unwrap();
    assert_eq!(queue.len(), 1);
    came.lock().unwrap().join(" ")
}

#[test]
fn a_queue_of_deferrals_hands_each_to_its_sink_in_time() {
    for seed in 0..50 {
        for tick in [Duration::ZERO, ms(500)] {
            let seen = simulate_seeded(seed, move || processed(DeferQueue::with_tick(tick)));
            assert_eq!(seen.value, "soon@30 moved@30 now@100 late@1700", "seed {seed}, tick {tick:?}");
        }
    }
}

/// A generator for tables of random steps: its own, as nothing here runs in a simulation.
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// The slow way: a list, searched for everything.
#[derive(Default)]
struct Listed(Vec<(Instant, u64, Work)>, u64);

impl Listed {
    fn defer(&mut self, item: Work, until: Instant, replace: Replace) -> bool {
        self.1 += 1;
        match self.0.iter_mut().find(|(.., known)| *known == item) {
            Some((known, ..)) if replace == Replace::Earlier && until >= *known => return false,
            Some((known, order, _)) => (*known, *order) = (until, self.1),
            None => self.0.push((until, self.1, item)),
        }
        true
    }

    fn pop(&mut self, now: Instant) -> Option<Work> {
        self.0.sort_by_key(|(until, order, _)| (*until, *order));
        (self.0.first()?.0 <= now).then(|| self.0.remove(0).2)
    }

    fn cancel(&mut self, item: &Work) -> Option<Work> {
        let at = self.0.iter().position(|(.., known)| known == item)?;
        Some(self.0.remove(at).2)
    }
}

#[test]
fn the_heap_of_deferrals_does_what_a_list_would() {
    let seen = simulate(|| async {
        let start = Instant::now();
        for seed in 0..300 {
            let (mut draws, mut heap, mut list) = (Draws(seed), Deferrals::new(), Listed::default());
            for step in 0..400 {
                let (item, at) = (work(draws.below(12)), start + secs(draws.below(40)));
                match draws.below(5) {
                    0 | 1 => {
                        let replace = if draws.below(2) == 0 { Replace::Earlier } else { Replace::Always };
                        let set = heap.defer(item.clone(), at, replace);
                        assert_eq!(set, list.defer(item, at, replace), "seed {seed}, step {step}");
                    }
                    2 => assert_eq!(heap.cancel(&item.0), list.cancel(&item), "seed {seed}, step {step}"),
                    _ => assert_eq!(heap.pop(at), list.pop(at), "seed {seed}, step {step}"),
                }
                list.0.sort_by_key(|(until, order, _)| (*until, *order));
                assert_eq!((heap.len(), heap.next()), (list.0.len(), list.0.first().map(|first| first.0)));
            }
        }
    });
    assert!(seen.events.is_empty());
}
