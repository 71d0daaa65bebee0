//! The work of simulations, through the public interface only and with digests on.

use super::bare::durations;
use fatum::Sim;
use fatum::choice::fault::FaultPlan;
use fatum::sim::{Keep, SimBuilder};
use fatum::strategy::{Calibration, StrategyKind};
use fatum::task::{spawn, yield_now};
use fatum::time::{Duration, interval, sleep, timeout};
use std::hint::black_box;

// Polls.

pub(super) fn polls_1(ops: u64) {
    polls(Sim::builder(), 1, ops, |_| {});
}

pub(super) fn polls_100(ops: u64) {
    polls(Sim::builder(), 100, ops, |_| {});
}

pub(super) fn polls_10k(ops: u64) {
    polls(Sim::builder(), 10_000, ops, |_| {});
}

pub(super) fn polls_oldest_first(ops: u64) {
    let builder = Sim::builder().strategy(StrategyKind::OldestFirst, Calibration::default());
    polls(builder, 100, ops, |_| {});
}

pub(super) fn polls_property(ops: u64) {
    let mut calls = 0u64;
    polls(Sim::builder(), 100, ops, move |sim| {
        sim.always("counted", move || {
            calls += 1;
            black_box(calls) > 0
        });
    });
}

pub(super) fn polls_tape(ops: u64) {
    polls(Sim::builder().keep(Keep::Tape), 100, ops, |_| {});
}

pub(super) fn polls_trace(ops: u64) {
    polls(Sim::builder().keep(Keep::Trace), 100, ops, |_| {});
}

pub(super) fn polls_16(ops: u64) {
    let mut sim = roomy(Sim::builder());
    for nth in 0..96 {
        sim.run(kinds::boxed(nth, ops / 96));
    }
    finish(sim);
}

/// Each of `tasks` yields until `ops` polls were made.
fn polls(builder: SimBuilder, tasks: u64, ops: u64, prepare: impl FnOnce(&mut Sim)) {
    let mut sim = roomy(builder);
    prepare(&mut sim);
    for _ in 0..tasks {
        sim.run(yields(ops / tasks));
    }
    finish(sim);
}

pub(super) async fn yields(turns: u64) {
    for _ in 0..turns {
        yield_now().await;
    }
}

/// A world whose clock may stand still for as long as a measurement takes.
fn roomy(builder: SimBuilder) -> Sim {
    let budget = fatum::runtime::Budget {
        steps_max: u64::MAX,
        zero_time_steps_max: u64::MAX,
        ..fatum::runtime::Budget::default()
    };
    builder.faults(FaultPlan::none()).budget(budget).build()
}

fn finish(sim: Sim) {
    let run = sim.finish();
    assert!(run.end.is_passed(), "{}", run.end.sentence());
    black_box(run.digests);
}

// Time.

pub(super) fn idle_seconds(ops: u64) {
    let mut sim = roomy(Sim::builder());
    sim.host("main").daemon().run(|_host| async {
        let mut ticks = interval(Duration::from_secs(1));
        loop {
            ticks.tick().await;
        }
    });
    sim.run_for(Duration::from_secs(ops));
    assert_eq!(sim.end(), None);
}

pub(super) fn timeouts(ops: u64) {
    let mut sim = roomy(Sim::builder());
    sim.run(unfired(ops));
    finish(sim);
}

pub(super) fn timeouts_1k(ops: u64) {
    let mut sim = roomy(Sim::builder());
    let mut durations = durations(3);
    for _ in 0..1_000 {
        let duration = Duration::from_nanos(durations());
        sim.host("sleepers").daemon().run(|_host| async move { sleep(duration).await });
    }
    sim.run(unfired(ops));
    finish(sim);
}

async fn unfired(ops: u64) {
    for _ in 0..ops {
        let met = timeout(Duration::from_secs(30), yield_now()).await;
        assert!(met.is_ok());
    }
}

pub(super) fn timers_1k(ops: u64) {
    timers(1_000, ops);
}

pub(super) fn timers_100k(ops: u64) {
    timers(100_000, ops);
}

fn timers(tasks: u64, ops: u64) {
    let mut sim = roomy(Sim::builder());
    for nth in 0..tasks {
        sim.run(async move {
            let mut durations = durations(nth);
            for _ in 0..ops / tasks {
                sleep(Duration::from_nanos(durations())).await;
            }
        });
    }
    finish(sim);
}

// Tasks and whole runs.

pub(super) fn spawns(ops: u64) {
    let mut sim = roomy(Sim::builder());
    sim.run(async move {
        for nth in 0..ops {
            let joined = spawn(async move { black_box(nth) }).await;
            assert!(joined.is_ok());
        }
    });
    finish(sim);
}

pub(super) fn spawns_batch(ops: u64) {
    let mut sim = roomy(Sim::builder());
    sim.run(async move {
        for _ in 0..ops / 1_000 {
            let tasks: Vec<_> = (0..1_000).map(|nth| spawn(async move { black_box(nth) })).collect();
            for task in tasks {
                assert!(task.await.is_ok());
            }
        }
    });
    finish(sim);
}

pub(super) fn empty(ops: u64) {
    for seed in 0..ops {
        let mut sim = Sim::new(seed);
        sim.run(async {});
        finish(sim);
    }
}

/// Sixteen types of future that do the same.
pub(super) mod kinds {
    use super::yields;
    use std::future::Future;
    use std::pin::Pin;

    /// A future of the type number `nth`, modulo sixteen, that yields `turns` times.
    pub(in crate::workload) fn boxed(nth: u64, turns: u64) -> Pin<Box<dyn Future<Output = ()>>> {
        macro_rules! one_of {
            ($($kind:literal)*) => {
                match nth % 16 {
                    $($kind => Box::pin(of_kind::<$kind>(turns)),)*
                    _ => unreachable!("a remainder of sixteen"),
                }
            };
        }
        one_of!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
    }

    /// The constant in the branch keeps the compiler from making one function of all.
    async fn of_kind<const KIND: u64>(turns: u64) {
        for _ in 0..turns {
            std::hint::black_box(KIND);
            yields(1).await;
        }
    }
}
