//! Planted bugs of the queue: each is found by its property, hides where it should, and the correct queue is silent
//! on the same programs.

use super::{Work, ms, work};
use fatum::choice::tape::Tape;
use fatum::runtime::End;
use fatum::systems::controller::limiter::Exponential;
use fatum::systems::controller::properties::{Delays, NAMES, Settings, install_with};
use fatum::systems::controller::{Queue, Requeue, Shutdown, Variant, WorkQueue};
use fatum::task::{JoinSet, spawn_named, yield_point};
use fatum::time::{Duration, sleep};
use fatum::{Check, Sim, property};
use std::sync::{Arc, Mutex};

/// Runs of one hunt, and hunts over seeds that are apart.
const RUNS: u64 = 1_000;
const RANGES: u64 = 20;

/// A bug, how a run with it ends, whether the baseline shows it, and a program that meets it.
struct Row {
    variant: Variant,
    found: &'static str,
    is_in_baseline: bool,
    program: fn(&mut Sim, Variant),
}

fn rows() -> Vec<Row> {
    let row = |variant, found, is_in_baseline, program| Row { variant, found, is_in_baseline, program };
    vec![
        row(Variant::LostWakeUpAtStop, "deadlock", false, stopped_at_work as fn(&mut Sim, Variant)),
        row(Variant::WakeOneAtStop, "deadlock", false, stopped),
        row(Variant::SpuriousDone, "pairing", true, done_twice),
        row(Variant::GetKeepsDirty, "at-least-once", false, added_again),
        row(Variant::AddIgnoresProcessing, "exclusive", false, added_again),
        row(Variant::DoneBeforeRequeue, "requeue-first", false, requeued),
        row(Variant::DoneToHead, "fifo", false, added_again),
        row(Variant::LaterDeferralWins, "deferral", true, deferred),
        row(Variant::DeferralEarly, "deferral", true, deferred),
        row(Variant::NegativeBackoff, "backoff", true, failing),
        row(Variant::LimiterShared, "backoff", true, failing),
        row(Variant::ForgetMissing, "backoff", true, failing),
        row(Variant::DrainInPieces, "deadlock", false, forced),
    ]
}

const BASE: Duration = Duration::from_nanos(1024);
const MAX: Duration = Duration::from_millis(1);

/// Judges the queue by every property.
fn judged(sim: &mut Sim) {
    let delays = Delays::Exponential { base: BASE, max: MAX };
    install_with(sim, Settings { delays, ..Settings::default() });
}

fn queue(variant: Variant) -> Queue<Work> {
    Queue::builder().limiter(Exponential::planted(BASE, MAX, variant)).variant(variant).start()
}

/// Workers take items until there are no more; each item takes a turn.
fn workers(queue: &Queue<Work>, count: usize) -> Vec<fatum::task::JoinHandle<()>> {
    let worker = |_| {
        let queue = queue.clone();
        spawn_named("worker", async move {
            while let Some(lease) = queue.lease().await {
                yield_point("work").await;
                lease.done();
            }
        })
    };
    (0..count).map(worker).collect()
}

/// A worker that is done with its item in the instant of the stop.
fn stopped_at_work(sim: &mut Sim, variant: Variant) {
    judged(sim);
    sim.run(async move {
        let queue = queue(variant);
        queue.add(work("a")).await;
        let busy = queue.clone();
        let worker = spawn_named("worker", async move {
            while let Some(lease) = busy.lease().await {
                sleep(ms(10)).await;
                lease.done();
            }
        });
        sleep(ms(10)).await;
        queue.stop(Shutdown::Drain);
        worker.await.unwrap();
    });
}

/// Two items for three workers, and a stop.
fn stopped(sim: &mut Sim, variant: Variant) {
    judged(sim);
    sim.run(async move {
        let queue = queue(variant);
        let workers = workers(&queue, 3);
        queue.add(work("a")).await;
        queue.add(work("b")).await;
        queue.stop(Shutdown::Drain);
        for worker in workers {
            worker.await.unwrap();
        }
        queue.ended().await;
    });
}

/// A worker that says done twice of all that it takes.
fn done_twice(sim: &mut Sim, variant: Variant) {
    judged(sim);
    sim.run(async move {
        let queue = queue(variant);
        let careless = queue.clone();
        let worker = spawn_named("careless", async move {
            while let Some(item) = careless.get().await {
                careless.done(&item.0).unwrap();
                yield_point("work").await;
                let _ = careless.done(&item.0);
            }
        });
        for name in ["a", "b", "a"] {
            queue.add(work(name)).await;
        }
        queue.stop(Shutdown::Drain);
        worker.await.unwrap();
    });
}

/// The same keys again and again, while two workers are at them.
fn added_again(sim: &mut Sim, variant: Variant) {
    judged(sim);
    sim.run(async move {
        let queue = queue(variant);
        let workers = workers(&queue, 2);
        for name in ["a", "b", "a", "c", "b"] {
            queue.add(work(name)).await;
        }
        queue.stop(Shutdown::Drain);
        for worker in workers {
            worker.await.unwrap();
        }
    });
}

/// An item that wants to come again once, and somebody who waits for nothing to be left.
fn requeued(sim: &mut Sim, variant: Variant) {
    judged(sim);
    sim.run(async move {
        let queue = queue(variant);
        queue.add(work("a")).await;
        let (takes, counted) = (Arc::new(Mutex::new(0)), queue.clone());
        let count = Arc::clone(&takes);
        let worker = spawn_named("worker", async move {
            while let Some(lease) = counted.lease().await {
                *count.lock().unwrap() += 1;
                if *count.lock().unwrap() == 1 {
                    lease.requeue(Requeue::Now).await;
                }
            }
        });
        queue.drained().await;
        let seen = *takes.lock().unwrap();
        property::always("requeue-first", seen == 2, || format!("drained after {seen} of 2 takes"));
        queue.stop(Shutdown::Drain);
        worker.await.unwrap();
    });
}

/// Deferrals of two keys, one of them twice.
fn deferred(sim: &mut Sim, variant: Variant) {
    judged(sim);
    sim.run(async move {
        let queue = queue(variant);
        let workers = workers(&queue, 1);
        queue.add_after(work("a"), ms(10), false).await;
        queue.add_after(work("b"), ms(20), false).await;
        if variant != Variant::DeferralEarly {
            queue.add_after(work("b"), ms(30), false).await;
        }
        sleep(ms(100)).await;
        queue.stop(Shutdown::Drain);
        for worker in workers {
            worker.await.unwrap();
        }
    });
}

/// Two keys that fail: one sixty times, the other three times, well once, and again.
fn failing(sim: &mut Sim, variant: Variant) {
    judged(sim);
    sim.run(async move {
        let queue = queue(variant);
        let mut tasks = JoinSet::new();
        for (name, failures, forgets_at) in [("a", 60, 60), ("b", 5, 3)] {
            let queue = queue.clone();
            tasks.spawn(async move {
                for failure in 0..failures {
                    if failure == forgets_at {
                        queue.forget(&name.to_owned());
                    }
                    queue.add_rate_limited(work(name)).await;
                }
            });
        }
        while tasks.join_next().await.is_some() {}
    });
}

/// An item in hand, somebody who drains, and a stop that drops.
fn forced(sim: &mut Sim, variant: Variant) {
    judged(sim);
    sim.run(async move {
        let queue = queue(variant);
        queue.add(work("a")).await;
        let held = queue.lease().await;
        let drained = queue.clone();
        let drainer = spawn_named("drainer", async move {
            drained.stop(Shutdown::Drain);
            drained.drained().await;
        });
        let dropped = queue.clone();
        let dropper = spawn_named("dropper", async move {
            yield_point("dropper").await;
            dropped.stop(Shutdown::Drop);
        });
        dropper.await.unwrap();
        drainer.await.unwrap();
        drop(held);
    });
}

/// How a run ends: `passed`, the property that it broke, or the kind of its end.
fn found(end: &End) -> String {
    match end {
        End::Violated { property, .. } => property.clone(),
        end => end.kind().to_owned(),
    }
}

fn run(program: fn(&mut Sim, Variant), variant: Variant, seed: Option<u64>) -> String {
    let builder = Sim::builder();
    let builder = match seed {
        Some(seed) => builder.seed(seed),
        None => builder.tape(&Tape::default()),
    };
    let mut sim = builder.build();
    program(&mut sim, variant);
    found(&sim.finish().end)
}

#[test]
fn every_planted_bug_is_found_by_its_property_in_every_range_of_seeds() {
    for Row { variant, found, is_in_baseline, program } in rows() {
        let baseline = run(program, variant, None);
        assert_eq!(baseline, if is_in_baseline { found } else { "passed" }, "{variant} in the baseline");
        for range in 0..RANGES {
            let mut seeds = range * RUNS..(range + 1) * RUNS;
            let hit =
                seeds.find_map(|seed| Some(run(program, variant, Some(seed))).filter(|end| end != "passed"));
            assert_eq!(hit.as_deref(), Some(found), "{variant}, range {range}");
        }
    }
}

#[test]
fn the_correct_queue_is_silent_where_bugs_are_found() {
    let mut programs: Vec<fn(&mut Sim, Variant)> = Vec::new();
    for row in rows() {
        if !programs.iter().any(|known| std::ptr::fn_addr_eq(*known, row.program)) {
            programs.push(row.program);
        }
    }
    for (nth, program) in programs.into_iter().enumerate() {
        for seed in 0..2 * RUNS {
            assert_eq!(run(program, Variant::Correct, Some(seed)), "passed", "program {nth}, seed {seed}");
        }
    }
}

#[test]
fn every_variant_of_the_queue_is_planted_somewhere() {
    let planted: Vec<Variant> = rows().iter().map(|row| row.variant).collect();
    let queues = &Variant::ALL[1..];
    assert!(queues.starts_with(&planted), "{planted:?} of {queues:?}");
    assert!(rows().iter().all(|row| row.found == "deadlock" || NAMES.contains(&row.found)));
}

#[test]
fn variants_are_read_by_name() {
    for variant in Variant::ALL {
        assert_eq!(variant.name().parse(), Ok(variant));
        let json = serde_json::to_string(&variant).unwrap();
        assert_eq!(json, format!("{:?}", variant.name()));
    }
    let error = "lost-wakeup".parse::<Variant>().unwrap_err().to_string();
    assert!(
        error.starts_with("no variant is called `lost-wakeup`; allowed are correct, lost-wake-up-at-stop, ")
    );
}

#[test]
fn a_lost_wake_up_shrinks_to_the_two_turns_that_matter() {
    let check = Check { shrunk_max: 1, ..Check::new("lost wake-up").failures_dir(None).runs(RUNS) };
    let report =
        check.sweep(|sim: &mut Sim| stopped_at_work(sim, Variant::LostWakeUpAtStop), &|_| ()).unwrap();
    let failure = &report.failures[0];
    assert!(failure.found_at <= RUNS);
    assert_eq!(found(&failure.end), "deadlock");
    assert!(failure.tape.deviations() <= 2, "{:?}", failure.tape);
    let blocked = fatum::check::report::render_blocked(&failure.run).join("\n");
    assert!(blocked.contains("worker"), "{blocked}");
    assert!(blocked.contains("src/systems/controller/queue.rs"), "{blocked}");
    let story = failure.story.join("\n");
    assert!(story.contains("worker"), "{story}");
}

#[test]
fn every_run_of_few_deviations_is_right_and_the_lost_wake_up_is_among_them() {
    let check = Check { failures_dir: None, ..Check::new("stop").exhaustive(2) };
    let report = check.sweep(|sim: &mut Sim| stopped_at_work(sim, Variant::Correct), &|_| ()).unwrap();
    assert!(report.is_passed(), "{:?}", report.verdict);
    assert!(report.runs > 50, "{} runs", report.runs);
    let report =
        check.sweep(|sim: &mut Sim| stopped_at_work(sim, Variant::LostWakeUpAtStop), &|_| ()).unwrap();
    assert_eq!(report.failures[0].end.kind(), "deadlock");
}
