//! Time in a simulation: tokio's intervals, and whom a timer wakes.

use super::abuse::run_one;
use super::worlds::Bell;
use fatum::choice::fault::{FaultPlan, FaultRule};
use fatum::runtime::End;
use fatum::sim::Keep;
use fatum::time::{Duration, Instant, MissedTickBehavior, Sleep, interval, sleep, timeout};
use fatum::{Sim, host, rand, task};
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

const MS: Duration = Duration::from_millis(1);

/// When the tick after a late one is due: the period is 100 ms, and the first regular tick is taken so much too late.
fn next_after(late: u32, behavior: MissedTickBehavior) -> u128 {
    let (sender, receiver) = std::sync::mpsc::channel();
    let mut sim = Sim::new(1);
    sim.run(async move {
        let mut interval = interval(100 * MS);
        interval.set_missed_tick_behavior(behavior);
        interval.tick().await;
        sleep((100 + late) * MS).await;
        assert_eq!(interval.tick().await.since_start(), 100 * MS);
        interval.tick().await;
        sender.send(Instant::now().since_start().as_millis()).unwrap();
    });
    assert!(sim.finish().end.is_passed());
    receiver.recv().unwrap()
}

#[test]
fn a_tick_more_than_five_milliseconds_late_is_a_missed_one_as_in_tokio() {
    for (late, burst, delay, skip) in [
        (0, 200, 200, 200),
        (5, 200, 200, 200),
        (6, 200, 206, 200),
        (99, 200, 299, 200),
        (150, 250, 350, 300),
    ] {
        assert_eq!(next_after(late, MissedTickBehavior::Burst), burst, "{late}");
        assert_eq!(next_after(late, MissedTickBehavior::Delay), delay, "{late}");
        assert_eq!(next_after(late, MissedTickBehavior::Skip), skip, "{late}");
    }
}

/// 2^64 ns and a second: cut off at 64 bits it would be a second.
#[test]
fn an_interval_beyond_all_instants_ticks_once() {
    let period = Duration::new(18_446_744_074, 709_551_616);
    for behavior in [MissedTickBehavior::Burst, MissedTickBehavior::Delay, MissedTickBehavior::Skip] {
        let mut sim = Sim::new(1);
        sim.run(async move {
            let mut interval = interval(period);
            interval.set_missed_tick_behavior(behavior);
            sleep(100 * MS).await;
            assert_eq!(interval.tick().await.since_start(), Duration::ZERO);
            assert!(timeout(Duration::from_secs(9), interval.tick()).await.is_err());
            assert_eq!(interval.period(), period);
        });
        assert_eq!(sim.finish().end, End::Passed, "{behavior:?}");
    }
}

fn poll(sleep: &mut Sleep, waker: &Waker) -> Poll<()> {
    Pin::new(sleep).poll(&mut Context::from_waker(waker))
}

/// With and without notes: a sleep has a way of its own where nobody wants to hear of it.
fn in_all_keeps(program: &dyn Fn(&mut Sim)) {
    for keep in [Keep::Digests, Keep::Tape, Keep::Trace] {
        assert_eq!(run_one(1, keep, program).end, End::Passed, "{keep:?}");
    }
}

#[test]
fn a_timer_wakes_the_waker_that_it_was_last_polled_with() {
    in_all_keeps(&|sim| {
        sim.run(async {
            let bells: [Arc<Bell>; 6] = Default::default();
            let holders = || bells.each_ref().map(|bell| Arc::strong_count(bell) - 1);
            let wakers = bells.each_ref().map(|bell| Waker::from(bell.clone()));
            let own = poll_fn(|context| Poll::Ready(context.waker().clone())).await;
            let mut sleeps: Vec<Sleep> = (1..=5).map(|millis| sleep(millis * MS)).collect();
            // The first is polled with two bells; the second by us after a bell, the third by a bell after us; the fourth is
            // set anew, the fifth is dropped.
            let polls = [(0, 0), (0, 1), (1, 2), (3, 4), (4, 5)];
            assert!(poll(&mut sleeps[2], &own).is_pending());
            for (nth, bell) in polls.into_iter().chain([(2, 3)]) {
                assert!(poll(&mut sleeps[nth], &wakers[bell]).is_pending());
            }
            assert!(poll(&mut sleeps[1], &own).is_pending());
            Pin::new(&mut sleeps[3]).reset(Instant::now() + 4 * MS);
            sleeps.truncate(4);
            drop(wakers);
            assert_eq!(holders(), [0, 1, 0, 1, 0, 0], "who is not to be woken is dropped");
            sleep(9 * MS).await;
            let rung = bells.each_ref().map(|bell| bell.0.load(Ordering::Relaxed));
            assert_eq!((rung, holders()), ([0, 1, 0, 1, 0, 0], [0; 6]));
            for mut sleep in sleeps {
                assert!(poll(&mut sleep, &own).is_ready());
            }
        });
    });
}

#[test]
fn a_timer_may_wake_another_task_than_the_one_that_set_it() {
    in_all_keeps(&|sim| {
        sim.run(async {
            let (polled, other) = (Rc::new(Cell::new(0)), Rc::new(RefCell::new(None)));
            let (polls, told) = (polled.clone(), other.clone());
            let sleeper = task::spawn_local(poll_fn(move |context| {
                *told.borrow_mut() = Some(context.waker().clone());
                polls.set(polls.get() + 1);
                if polls.get() < 3 { Poll::Pending } else { Poll::Ready(Instant::now().since_start()) }
            }));
            sleep(MS).await;
            let waker: Waker = other.take().unwrap();
            let mut timers = [sleep(2 * MS), sleep(5 * MS)];
            for timer in &mut timers {
                assert!(poll(timer, &waker).is_pending());
            }
            assert_eq!(sleeper.await.unwrap(), 6 * MS);
        });
    });
}

/// Eight sleeps are polled with eight bells and with our own waker, set anew and dropped, in any order, while timers are late
/// and the clock changes its rate.
#[test]
fn wakers_are_let_go_where_timers_are_late_and_clocks_drift() {
    for seed in 0..60 {
        let plan = FaultPlan::none().with(FaultRule::late_timer(0.5));
        let mut sim = Sim::builder().seed(seed).faults(plan).build();
        sim.host("a").run(|_| async {
            let bells: [Arc<Bell>; 8] = Default::default();
            let mut sleeps: Vec<Sleep> = (1..=8).map(|millis| sleep(millis * MS)).collect();
            for round in 0..12 {
                for nth in (0..sleeps.len()).rev() {
                    let waker = match rand::rng().below(10) {
                        bell @ 0..8 => Waker::from(bells[bell as usize].clone()),
                        8 => poll_fn(|context| Poll::Ready(context.waker().clone())).await,
                        _ => {
                            Pin::new(&mut sleeps[nth]).reset(Instant::now() + 2 * MS);
                            continue;
                        }
                    };
                    let is_over = poll(&mut sleeps[nth], &waker).is_ready();
                    if is_over || rand::rng().below(12) == 0 {
                        drop(sleeps.remove(nth));
                    }
                }
                match round {
                    4 => host::drift_clock("a", 300_000),
                    8 => host::drift_clock("a", -200_000),
                    _ => {}
                }
                sleep(MS).await;
            }
            drop(sleeps);
            assert!(bells.iter().all(|bell| Arc::strong_count(bell) == 1), "a waker was kept");
        });
        assert_eq!(sim.finish().end, End::Passed, "seed {seed}");
    }
}
