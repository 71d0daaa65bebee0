//! What guided search finds, beside a sweep of as many runs.

use super::programs::{rounds, rungs, vault};
use fatum::check::{Check, Program, Report, Verdict};
use fatum::strategy::StrategyKind;

/// Seed bases of each comparison, far apart.
const BASES: [u64; 6] = [0, 1_000_000, 2_000_000, 3_000_000, 4_000_000, 5_000_000];

fn quiet(seed_base: u64) -> Check {
    let check = Check { failures_dir: None, shrunk_max: 1, recheck_one_in: 50, ..Check::new("guided") };
    check.seed_base(seed_base)
}

fn guided(seed_base: u64, runs: u64, program: impl Program) -> Report {
    quiet(seed_base).guided(runs).sweep(program, &|_| {}).unwrap()
}

fn unguided(seed_base: u64, runs: u64, program: impl Program) -> Report {
    let check = quiet(seed_base).runs(runs).strategy(StrategyKind::Portfolio);
    check.sweep(program, &|_| {}).unwrap()
}

/// In how many searches the failure was found, and by which run of each.
fn found(name: &str, runs: u64, program: impl Program + Copy) -> usize {
    let found: Vec<Option<u64>> = BASES
        .iter()
        .map(|base| guided(*base, runs, program).failures.first().map(|failure| failure.found_at))
        .collect();
    println!("{name}: found by runs {found:?} of {runs}");
    found.iter().flatten().count()
}

/// A run meets ten choices of one in fifty with probability 50^-10, which is 10^-17: 200,000 runs of a sweep, which
/// `cargo bench --bench guided` makes, find it once in 5 * 10^11 such sweeps, and these once in 10^13. A search that
/// climbs needs fifty good tries for a step: 500 in all, of which it loses three in four to other entries and places.
#[test]
fn ten_declared_states_deep_is_found_in_a_few_thousand_runs() {
    assert_eq!(found("ten states", 6_000, vault), BASES.len());
    let report = unguided(0, 10_000, vault);
    // 10,000 runs set one dial 200 times, two dials 4 times, and three with probability 0.08.
    assert!((1..=3).contains(&report.states), "{}", report.states);
    assert_ne!(report.verdict, Verdict::Failed);
}

/// Four choices of one in fifty: once in 6,250,000 runs of a sweep.
#[test]
fn properties_that_are_met_guide_alone() {
    assert_eq!(found("four properties", 2_500, rungs), BASES.len());
    for base in BASES {
        let report = unguided(base, 2_500, rungs);
        assert_eq!(report.failing_runs, 0);
        assert_eq!(report.states, 0, "nothing else guides");
    }
    let guidance = guided(0, 2_500, rungs).guidance.unwrap();
    assert_eq!((guidance.states, guidance.pairs, guidance.properties), (0, 0, 4));
}

/// Two of six tasks first, five times over: 1/30 each if all orders are alike, and once in 24,300,000 runs.
#[test]
fn pairs_of_sites_guide_alone() {
    assert_eq!(found("five rounds", 4_000, rounds), BASES.len());
    for base in &BASES[..2] {
        assert_eq!(unguided(*base, 4_000, rounds).failing_runs, 0);
    }
    let guidance = guided(0, 1_000, rounds).guidance.unwrap();
    assert_eq!((guidance.states, guidance.properties), (0, 0), "nothing else guides");
    assert!(guidance.pairs > 30, "six places of a round alone have thirty: {}", guidance.pairs);
}
