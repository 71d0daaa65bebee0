//! Memory: the resident size at the end of many operations is that at a tenth of them.
//!
//! ```console
//! $ cargo bench --bench memory      # exits 1 when something grew by more than 1 MiB
//! ```

use fatum::Sim;
use fatum::runtime::Budget;
use fatum::task::{spawn, yield_now};
use fatum::time::{Duration, timeout};
use std::process::ExitCode;

/// Growth that counts as none.
const GROWTH_MAX_KIB: u64 = 1024;

type Line = (&'static str, u64, fn(u64) -> u64);

/// What is repeated, how often, and how.
const LINES: [Line; 4] = [
    ("runs", 1_000_000, runs),
    ("runs cut short", 1_000_000, unfinished_runs),
    ("spawns, handles dropped", 1_000_000, spawns),
    ("timeouts that do not fire", 10_000_000, timeouts),
];

fn main() -> ExitCode {
    // A test run builds this binary and starts it without `--bench`: nothing is measured then.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    println!("{:28} {:>10} {:>13} {:>10}  ok", "what", "count", "KiB at 1/10", "KiB at end");
    let mut flat = true;
    for (what, count, run) in LINES {
        let early = run(count);
        let late = resident_kib();
        let ok = late.saturating_sub(early) <= GROWTH_MAX_KIB;
        println!("{what:28} {count:10} {early:13} {late:10}  {}", if ok { "yes" } else { "NO" });
        flat &= ok;
    }
    if flat { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Resident size of this process. The second field of statm counts pages of 4 KiB.
fn resident_kib() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux has /proc/self/statm");
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("the second field of statm is a number") * 4
}

/// Repeats `run` on seeds; the resident size after a tenth.
fn repeat(count: u64, run: impl Fn(u64)) -> u64 {
    (0..count / 10).for_each(&run);
    let early = resident_kib();
    (count / 10..count).for_each(&run);
    early
}

/// Small runs that end by themselves.
fn runs(count: u64) -> u64 {
    repeat(count, |seed| {
        let mut sim = Sim::new(seed);
        sim.run(async {
            let joined = spawn(async { yield_now().await }).await;
            assert!(joined.is_ok());
        });
        assert!(sim.finish().end.is_passed());
    })
}

/// Runs that are dropped while tasks, timers and outputs are alive.
fn unfinished_runs(count: u64) -> u64 {
    repeat(count, |seed| {
        let mut sim = Sim::new(seed);
        sim.run(async {
            let kept = spawn(async { vec![1u8; 64] });
            let late = timeout(Duration::from_secs(2), std::future::pending::<()>());
            assert!(late.await.is_err());
            drop(kept);
        });
        sim.run_for(Duration::from_secs(1));
        assert_eq!(sim.end(), None);
    })
}

/// One run that spawns and never joins; the resident size after a tenth.
fn spawns(count: u64) -> u64 {
    watched(count, async |_| {
        drop(spawn(async { yield_now().await }));
        yield_now().await;
    })
}

/// One run whose timeouts never fire; the resident size after a tenth.
fn timeouts(count: u64) -> u64 {
    watched(count, async |_| {
        let met = timeout(Duration::from_secs(30), yield_now()).await;
        assert!(met.is_ok());
    })
}

fn watched<F: AsyncFn(u64) + 'static>(count: u64, operation: F) -> u64 {
    let early = std::rc::Rc::new(std::cell::Cell::new(0));
    let seen = early.clone();
    let budget = Budget { steps_max: u64::MAX, zero_time_steps_max: u64::MAX, ..Budget::default() };
    let mut sim = Sim::builder().budget(budget).build();
    sim.run(async move {
        for nth in 0..count {
            if nth == count / 10 {
                seen.set(resident_kib());
            }
            operation(nth).await;
        }
    });
    let run = sim.finish();
    assert!(run.end.is_passed(), "{}", run.end.sentence());
    early.get()
}
