//! Ratios: what a piece of a simulation costs beside a bare loop, measured in turns in one process.
//!
//! Ratios carry over from machine to machine where nanoseconds do not, and both sides of one meet the same noise.
//! Time is the CPU time of the process.
//!
//! ```console
//! $ cargo bench --bench ratios                    # the table
//! $ cargo bench --bench ratios -- --enforce       # exits 1 when a goal is missed
//! $ cargo bench --bench ratios -- spawn timeout   # these lines only
//! ```
//!
//! Instructions repeat to half a percent on any machine. Start-up cancels in a difference:
//!
//! ```console
//! $ cargo bench --bench ratios --no-run           # prints the path of the binary
//! $ valgrind --tool=callgrind --callgrind-out-file=/dev/null <binary> --count poll-100 100000
//! $ valgrind --tool=callgrind --callgrind-out-file=/dev/null <binary> --count poll-100 200000
//! ```
//!
//! (Ir of the second - Ir of the first) / 100,000 is the number of instructions of one operation.

mod workload;

use rustix::time::{ClockId, clock_gettime};
use std::process::ExitCode;
use workload::{WORKLOADS, Workload};

/// Repetitions of each line; the median counts.
const REPETITIONS: usize = 15;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--count") {
        return count(&arguments[at + 1..]);
    }
    // A test run builds this binary and starts it without `--bench`: nothing is measured then.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let enforce = arguments.iter().any(|argument| argument == "--enforce");
    let chosen = chosen(&arguments);
    let missed = table(&chosen);
    for name in &missed {
        eprintln!("goal missed: {name}");
    }
    if enforce && !missed.is_empty() {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Runs one workload once, for a profiler.
fn count(arguments: &[String]) -> ExitCode {
    let named = arguments.first().and_then(|name| WORKLOADS.iter().find(|workload| workload.name == *name));
    let ops = arguments.get(1).and_then(|ops| ops.parse().ok());
    let (Some(workload), Some(ops)) = (named, ops) else {
        eprintln!("--count needs the name of a line and a number of operations");
        return ExitCode::FAILURE;
    };
    (workload.run)(ops);
    ExitCode::SUCCESS
}

fn chosen(arguments: &[String]) -> Vec<&'static Workload> {
    let all = || WORKLOADS.iter();
    let named: Vec<_> =
        all().filter(|workload| arguments.iter().any(|argument| argument == workload.name)).collect();
    if named.is_empty() { all().collect() } else { named }
}

/// Prints the table; the names of the lines whose goal is missed.
fn table(chosen: &[&'static Workload]) -> Vec<&'static str> {
    println!(
        "{:30} {:>8}  {:31} {:>7} {:>6} {:>5}  ok",
        "what", "ours ns", "loop", "loop ns", "ratio", "goal"
    );
    let mut missed = Vec::new();
    for (workload, measured) in chosen.iter().zip(measure(chosen)) {
        let goal = workload.goal.map_or_else(|| "-".to_owned(), |goal| format!("{goal:.1}"));
        let ok = match workload.goal {
            Some(goal) if measured.ratio > goal => "NO",
            Some(_) => "yes",
            None => "",
        };
        println!(
            "{:30} {:8.1}  {:31} {:7.1} {:6.2} {goal:>5}  {ok}",
            workload.what, measured.ours, workload.bare.what, measured.bare, measured.ratio
        );
        if ok == "NO" {
            missed.push(workload.name);
        }
    }
    missed
}

/// Medians over the repetitions; the ratio is the median of the ratios, not the ratio of the medians.
struct Measured {
    ours: f64,
    bare: f64,
    ratio: f64,
}

/// Every line runs once in each repetition, ours and its loop back to back, so that drift meets all alike.
fn measure(chosen: &[&'static Workload]) -> Vec<Measured> {
    let mut samples: Vec<Vec<(f64, f64)>> = vec![Vec::new(); chosen.len()];
    for repetition in 0..=REPETITIONS {
        for (workload, samples) in chosen.iter().zip(&mut samples) {
            let ours = nanos_per_op(workload.run, workload.ops);
            let bare = nanos_per_op(workload.bare.run, workload.bare.ops);
            // The first repetition warms up.
            if repetition > 0 {
                samples.push((ours, bare));
            }
        }
    }
    samples.iter().map(|samples| summary(samples)).collect()
}

fn summary(samples: &[(f64, f64)]) -> Measured {
    Measured {
        ours: median(samples.iter().map(|(ours, _)| *ours)),
        bare: median(samples.iter().map(|(_, bare)| *bare)),
        ratio: median(samples.iter().map(|(ours, bare)| ours / bare)),
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn nanos_per_op(run: fn(u64), ops: u64) -> f64 {
    let begin = cpu_nanos();
    run(ops);
    (cpu_nanos() - begin) as f64 / ops as f64
}

/// CPU time of this process: what other processes take is no part of it.
fn cpu_nanos() -> i64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}
