//! What is measured: each piece of work of a simulation beside the bare loop that it is compared with.
//!
//! Both run a given number of operations and nothing else, so that a clock, criterion or callgrind can stand around
//! them. This file measures nothing and prints nothing.

mod bare;
mod simulated;

/// One line of the comparison.
pub(crate) struct Workload {
    /// Its name on a command line.
    pub(crate) name: &'static str,
    /// What one operation is.
    pub(crate) what: &'static str,
    /// Operations in one repetition of ours.
    pub(crate) ops: u64,
    /// Runs that many operations.
    pub(crate) run: fn(u64),
    /// The loop that it is compared with.
    pub(crate) bare: Bare,
    /// The ratio that must hold; `None` for what is only watched.
    pub(crate) goal: Option<f64>,
}

/// A loop without a simulation.
#[derive(Clone, Copy)]
pub(crate) struct Bare {
    /// What one operation is.
    pub(crate) what: &'static str,
    /// Operations in one repetition.
    pub(crate) ops: u64,
    /// Runs that many operations.
    pub(crate) run: fn(u64),
}

const POLLS: Bare = Bare { what: "poll of a boxed future", ops: 400_000, run: bare::polls_100 };
const POLLS_10K: Bare = Bare { what: "same, of 10,000", ops: 400_000, run: bare::polls_10k };
const POLLS_16: Bare = Bare { what: "same, of 16 types", ops: 400_000, run: bare::polls_16 };
const HEAP: Bare = Bare { what: "pop and push, heap of 1,000", ops: 100_000, run: bare::heap_1k };
const HEAP_100K: Bare = Bare { what: "pop and push, heap of 100,000", ops: 200_000, run: bare::heap_100k };
const ALLOCATION: Bare =
    Bare { what: "64 bytes allocated and released", ops: 400_000, run: bare::allocations };
const SEEDING: Bare = Bare { what: "ChaCha8Rng seeded, first word", ops: 50_000, run: bare::seedings };

/// A line of the comparison.
const fn line(
    name: &'static str,
    what: &'static str,
    (ops, run): (u64, fn(u64)),
    bare: Bare,
    goal: Option<f64>,
) -> Workload {
    Workload { name, what, ops, run, bare, goal }
}

/// All lines: first those with a goal, then what is watched.
pub(crate) const WORKLOADS: [Workload; 16] = [
    line("poll-100", "poll, 100 ready", (400_000, simulated::polls_100), POLLS, Some(5.0)),
    line("idle", "idle virtual second", (80_000, simulated::idle_seconds), HEAP, Some(2.0)),
    line("timeout", "timeout that does not fire", (200_000, simulated::timeouts), HEAP, Some(1.5)),
    line("spawn", "spawn and join", (200_000, simulated::spawns), ALLOCATION, Some(6.0)),
    line("empty", "empty simulation", (20_000, simulated::empty), SEEDING, Some(12.0)),
    line("poll-1", "poll, 1 ready", (400_000, simulated::polls_1), POLLS, None),
    line("poll-10k", "poll, 10,000 ready", (400_000, simulated::polls_10k), POLLS_10K, None),
    line("poll-16", "poll, 16 future types", (400_000, simulated::polls_16), POLLS_16, None),
    line("poll-baseline", "poll, oldest first", (400_000, simulated::polls_oldest_first), POLLS, None),
    line("poll-property", "poll, one property after each", (400_000, simulated::polls_property), POLLS, None),
    line("poll-tape", "poll, names and tape kept", (200_000, simulated::polls_tape), POLLS, None),
    line("poll-trace", "poll, every event kept", (200_000, simulated::polls_trace), POLLS, None),
    line("timers-1k", "fired timer, 1,000 wait", (100_000, simulated::timers_1k), HEAP, None),
    line("timers-100k", "fired timer, 100,000 wait", (400_000, simulated::timers_100k), HEAP_100K, None),
    line("timeout-1k", "timeout, 1,000 timers wait", (200_000, simulated::timeouts_1k), HEAP, None),
    line(
        "spawn-batch",
        "spawn and join, 1,000 at once",
        (200_000, simulated::spawns_batch),
        ALLOCATION,
        None,
    ),
];
