//! The zoo: every bug passes at the baseline and is found by the strategy that is good at it; every twin is silent.

#[path = "../../zoo/mod.rs"]
mod programs;

mod control;

use fatum::check::Check;
use fatum::choice::tape::Tape;
use fatum::sim::Keep;
use programs::{Program, Twin};

fn check(program: &Program) -> Check {
    Check { failures_dir: None, regressions_dir: None, ..Check::new(program.name).faults((program.faults)()) }
}

#[test]
fn every_bug_passes_at_the_baseline() {
    for program in programs::all() {
        let run =
            check(program).replay(&Tape::default(), Keep::Tape, |sim| (program.set_up)(sim, Twin::Buggy));
        assert!(
            run.end.is_passed(),
            "{} ({:?}, {}): {:?}",
            program.name,
            program.tier,
            program.source,
            run.end
        );
    }
}
