//! The control-plane tier: each bug is found soon and as what it is, its failure repeats, and its twin is silent.

use super::programs::Twin;
use super::programs::control::{CASES, Case};
use fatum::check::Check;
use fatum::runtime::End;
use fatum::sim::Keep;
use fatum::strategy::{Calibration, StrategyKind};
use fatum::{Run, Sim};

/// Seeds of the random walk in which each bug is met.
const SEEDS: u64 = 4_000;
/// Seeds for which each twin is silent.
const SILENT: u64 = 200;

fn run(case: &Case, twin: Twin, strategy: StrategyKind, seed: u64) -> Run {
    let builder = Sim::builder().seed(seed).strategy(strategy, Calibration::default());
    let mut sim = builder.faults((case.program.faults)()).build();
    (case.program.set_up)(&mut sim, twin);
    sim.finish()
}

/// The first seed whose run fails, and how.
fn first_failure(case: &Case) -> (u64, End) {
    let mut ends = (0..SEEDS).map(|seed| (seed, run(case, Twin::Buggy, StrategyKind::RandomWalk, seed).end));
    let failed = ends.find(|(_, end)| *end != End::Passed);
    failed.unwrap_or_else(|| panic!("{} is not found in {SEEDS} runs", case.program.name))
}

#[test]
fn every_bug_of_a_control_plane_is_found_as_what_it_is_and_repeats() {
    for case in CASES {
        let name = case.program.name;
        let (seed, end) = first_failure(case);
        assert_eq!(case.program.expects, [end.kind()], "{name}, seed {seed}: {}", end.sentence());
        assert_eq!(case.property, end.property(), "{name}, seed {seed}: {}", end.sentence());

        let check = Check::new(name).strategy(StrategyKind::RandomWalk).faults((case.program.faults)());
        let check = Check { failures_dir: None, regressions_dir: None, ..check };
        let buggy = |sim: &mut Sim| (case.program.set_up)(sim, Twin::Buggy);
        let found = check.run_seed(seed, buggy);
        let again = check.replay(&found.tape, Keep::Trace, buggy);
        assert_eq!(found.end.signature(), end.signature(), "{name}, seed {seed}");
        assert!(
            again.is_same(&found) && again.matched.unmatched == 0,
            "{name}, seed {seed}: {:?}",
            again.end
        );
    }
}

#[test]
fn every_mended_control_plane_is_silent() {
    for case in CASES {
        for seed in 0..SILENT {
            let strategy = StrategyKind::ALL[seed as usize % StrategyKind::ALL.len()];
            let end = run(case, Twin::Fixed, strategy, seed).end;
            assert_eq!(end, End::Passed, "{}, seed {seed} of {}", case.program.name, strategy.name());
        }
    }
}
