//! Ratios of the work queue: what its moves cost beside the same moves on plain collections, and whether that stays so
//! with many keys.
//!
//! ```console
//! $ cargo bench --bench queue                     # the table
//! $ cargo bench --bench queue -- --enforce        # exits 1 when a goal is missed
//! ```
//!
//! Both sides of a ratio run in turns in one process; time is the CPU time of the process.

use fatum::Sim;
use fatum::choice::tape::Tape;
use fatum::systems::controller::model::{AddPolicy, Model};
use fatum::systems::controller::{Deferrals, Item, Queue, Replace, Variant, WorkQueue};
use fatum::time::{Duration, Instant};
use rustix::time::{ClockId, clock_gettime};
use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};
use std::hint::black_box;
use std::process::ExitCode;
use std::rc::Rc;

/// Repetitions of each line; the median counts.
const REPETITIONS: usize = 15;
/// Operations in one repetition.
const OPS: u64 = 200_000;
/// How many times what the plain collections cost.
const RATIO_MAX: f64 = 10.0;
/// How much more that may be with the most keys than with the fewest.
const GROWTH_MAX: f64 = 1.5;
const FEW: u64 = 1_000;
const MANY: u64 = 100_000;

/// One comparison.
struct Line {
    what: &'static str,
    plain: &'static str,
    /// Nanoseconds of one operation with that many keys.
    ours: fn(u64) -> f64,
    bare: fn(u64) -> f64,
}

const LINES: [Line; 3] = [
    Line { what: "model: take, done, add", plain: "deque and two sets", ours: model, bare: sets },
    Line { what: "queue in a simulation: same", plain: "deque and two sets", ours: queue, bare: sets },
    Line { what: "deferrals: pop, defer", plain: "heap", ours: deferrals, bare: heap },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // A test run builds this binary and starts it without `--bench`: nothing is measured then.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    println!("{:28} {:>7} {:>8}  {:18} {:>8} {:>6}", "what", "keys", "ours ns", "plain", "plain ns", "ratio");
    let missed = LINES.iter().filter(|line| !holds(line)).count();
    if missed > 0 && arguments.iter().any(|argument| argument == "--enforce") {
        eprintln!("goals missed: {missed}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Prints a comparison with few and with many keys; whether its goals hold.
fn holds(line: &Line) -> bool {
    let ratios = [FEW, MANY].map(|keys| {
        let samples: Vec<(f64, f64)> =
            (0..=REPETITIONS).map(|_| ((line.ours)(keys), (line.bare)(keys))).skip(1).collect();
        let ours = median(samples.iter().map(|(ours, _)| *ours));
        let bare = median(samples.iter().map(|(_, bare)| *bare));
        let ratio = median(samples.iter().map(|(ours, bare)| ours / bare));
        println!("{:28} {keys:7} {ours:8.1}  {:18} {bare:8.1} {ratio:6.2}", line.what, line.plain);
        ratio
    });
    let growth = ratios[1] / ratios[0];
    let ok = ratios.iter().all(|ratio| *ratio <= RATIO_MAX) && growth <= GROWTH_MAX;
    let word = if ok { "yes" } else { "NO" };
    println!("{:28} ratio at most {RATIO_MAX}, and grows {growth:.2} of {GROWTH_MAX}: {word}", "");
    ok
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// CPU time of this process: what other processes take is no part of it.
fn cpu_nanos() -> i64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

fn timed(run: impl FnOnce()) -> f64 {
    let begin = cpu_nanos();
    run();
    (cpu_nanos() - begin) as f64 / OPS as f64
}

#[derive(Clone)]
struct Number(u64);

impl Item for Number {
    type Key = u64;

    fn key(&self) -> u64 {
        self.0
    }
}

/// That many keys in no order that a tree likes.
fn keys(count: u64) -> impl Iterator<Item = u64> {
    (0..count).map(|nth| nth.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20)
}

/// Delays of 1 ms to 10 s.
fn delays() -> impl FnMut() -> u64 {
    let mut word = 7_u64;
    move || {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        1_000_000 + (word >> 33) % 10_000_000_000
    }
}

/// The moves of take, done and add, with as many keys queued.
fn sets(count: u64) -> f64 {
    let mut queue: VecDeque<u64> = keys(count).collect();
    let (mut dirty, mut processing): (BTreeSet<u64>, BTreeSet<u64>) =
        (keys(count).collect(), BTreeSet::new());
    timed(|| {
        for _ in 0..OPS {
            let Some(key) = queue.pop_front() else { return };
            dirty.remove(&key);
            processing.insert(key);
            processing.remove(&key);
            if dirty.contains(&key) {
                queue.push_back(key);
            }
            if dirty.insert(key) && !processing.contains(&key) {
                queue.push_back(key);
            }
        }
        black_box(queue.len());
    })
}

fn model(count: u64) -> f64 {
    let now = Instant::now();
    let mut model = Model::new(AddPolicy::default(), Variant::Correct);
    for key in keys(count) {
        model.add(Number(key), now);
    }
    timed(|| {
        for _ in 0..OPS {
            let Some(taken) = model.take(now) else { return };
            model.done(&taken.item.0, now);
            model.add(taken.item, now);
        }
        black_box(model.len());
    })
}

/// The queue itself: with its lock, its scheduling points, its limiter, its metrics and an event per move.
fn queue(count: u64) -> f64 {
    let mut sim = Sim::builder().tape(&Tape::default()).build();
    let nanos = Rc::new(Cell::new(0.0));
    let measured = Rc::clone(&nanos);
    sim.run(async move {
        let queue = Queue::start();
        for key in keys(count) {
            queue.add(Number(key)).await;
        }
        let begin = cpu_nanos();
        for _ in 0..OPS {
            let Some(item) = queue.get().await else { return };
            queue.done(&item.0).expect("it was just taken");
            queue.add(item).await;
        }
        measured.set((cpu_nanos() - begin) as f64 / OPS as f64);
    });
    let end = sim.finish().end;
    assert!(end.is_passed(), "{end:?}");
    nanos.get()
}

fn heap(count: u64) -> f64 {
    let mut delays = delays();
    let mut heap: BinaryHeap<Reverse<(u64, u64)>> = keys(count).map(|key| Reverse((delays(), key))).collect();
    timed(|| {
        for _ in 0..OPS {
            let Some(Reverse((at, key))) = heap.pop() else { return };
            heap.push(Reverse((at + delays(), key)));
        }
        black_box(heap.len());
    })
}

fn deferrals(count: u64) -> f64 {
    let (mut delays, start) = (delays(), Instant::now());
    let mut deferrals = Deferrals::new();
    for key in keys(count) {
        deferrals.defer(Number(key), start + Duration::from_nanos(delays()), Replace::Earlier);
    }
    timed(|| {
        for _ in 0..OPS {
            let Some(at) = deferrals.next() else { return };
            let Some(item) = deferrals.pop(at) else { return };
            deferrals.defer(item, at + Duration::from_nanos(delays()), Replace::Earlier);
        }
        black_box(deferrals.len());
    })
}
