//! Every run with at most two deviations: the bugs of the smallest programs are found, and nothing in their twins.

use super::programs::{Program, Twin, all};
use fatum::check::{Check, Effort, Report, Verdict};

fn sweep(program: &Program, twin: Twin, check: Check) -> Report {
    let check =
        Check { failures_dir: None, regressions_dir: None, shrunk_max: 1, effort: Effort::Brief, ..check };
    let check = check.faults((program.faults)());
    check.sweep(|sim| (program.set_up)(sim, twin), &|_| {}).unwrap()
}

/// Scheduling points of the baseline run.
fn points(program: &Program) -> u64 {
    sweep(program, Twin::Buggy, Check::new(program.name).runs(1)).calibration.points
}

#[test]
fn two_deviations_find_the_bugs_of_the_twenty_smallest_and_nothing_in_their_twins() {
    let mut smallest: Vec<(u64, &Program)> = all().map(|program| (points(program), program)).collect();
    smallest.sort_by_key(|(points, program)| (*points, program.name));
    for (points, program) in &smallest[..20] {
        let name = program.name;
        let buggy = sweep(program, Twin::Buggy, Check::new(name).exhaustive(2));
        let kinds: Vec<&str> = buggy.failures.iter().map(|failure| failure.end.kind()).collect();
        assert!(!kinds.is_empty(), "{name}, of {points} points: {}", buggy.exhaustive_verdict().unwrap());
        assert!(kinds.iter().all(|kind| program.expects.contains(kind)), "{name}: {kinds:?}");
        let mended = sweep(program, Twin::Fixed, Check::new(name).exhaustive(2));
        assert_eq!(mended.verdict, Verdict::Passed, "{name}");
        assert!(mended.exhausted.is_some_and(|exhausted| exhausted.is_whole), "{name}");
    }
}
