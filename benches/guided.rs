//! What guided search finds, beside sweeps: the vault of ten dials, each one of fifty, and how long a run of it takes.
//!
//! `cargo bench --bench guided`: 200,000 runs of the portfolio, which meet the ten with probability 50^-10 each; then
//! guided searches from 20 seed bases, each at most 20,000 runs.

use fatum::check::{Check, Report};
use fatum::strategy::StrategyKind;
use fatum::{Sim, rand};
use rustix::time::{ClockId, clock_gettime};

const RIGHT: [u64; 10] = [17, 34, 1, 18, 35, 2, 19, 36, 3, 20];
const SWEPT: u64 = 200_000;
const BASES: u64 = 20;
const GUIDED: u64 = 20_000;

fn vault(sim: &mut Sim) {
    sim.run(async {
        for (dial, right) in RIGHT.into_iter().enumerate() {
            if rand::rng().below(50) != right {
                return Ok(());
            }
            fatum::cover!("dials set", dial);
        }
        Err("the vault is open")
    });
}

/// A report, and the CPU time of a run in microseconds.
fn timed(check: &Check) -> (Report, f64) {
    let now = || {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
    };
    let begun = now();
    let report = check.sweep(vault, &|_| {}).expect("nothing is written");
    let each = (now() - begun) / report.runs as f64;
    (report, each)
}

fn main() {
    let check = Check { failures_dir: None, shrunk_max: 1, ..Check::new("guided") };
    for strategy in [StrategyKind::Portfolio, StrategyKind::RandomWalk] {
        let (report, each) = timed(&check.clone().runs(SWEPT).strategy(strategy));
        println!(
            "{:12} {} runs of {each:.2} us: {} dials of 10, {} runs failed",
            strategy.name(),
            report.runs,
            report.states,
            report.failing_runs
        );
    }
    let mut found = Vec::new();
    for base in 0..BASES {
        let (report, _) = timed(&check.clone().guided(GUIDED).seed_base(base * 1_000_000));
        found.extend(report.failures.first().map(|failure| failure.found_at));
    }
    found.sort_unstable();
    let (median, last) = (found.get(found.len() / 2), found.last());
    println!(
        "guided       opened in {} of {BASES} searches, median run {median:?}, latest {last:?}",
        found.len()
    );
    let (report, each) = timed(&check.guided(GUIDED).seed_base(7));
    println!("guided       {} runs of {each:.2} us, shrinking included: {:?}", report.runs, report.guidance);
}
