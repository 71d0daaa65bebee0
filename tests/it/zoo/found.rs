//! Bugs are found where the baseline passes, and only in the twin that has them.

use super::named;
use super::programs::protocol::Subject;
use super::programs::{self, Program, Tier, Twin};
use fatum::Run;
use fatum::check::{Canonical, Check, Effort, shrink};
use fatum::choice::tape::{Deviation, Tape};
use fatum::sim::Keep;
use fatum::strategy::StrategyKind;
use std::collections::BTreeSet;

const WALK: StrategyKind = StrategyKind::RandomWalk;
const PCT: StrategyKind = StrategyKind::Pct;
const POS: StrategyKind = StrategyKind::Pos;
const SURW: StrategyKind = StrategyKind::Surw;

/// The program that is hard by its structure.
const STALE_WRITES: &str = "CVE-2017-15265";
/// Runs that a bug may take under the strategy that is good at it.
const RUNS: u64 = 2_000;
/// Runs of each mended twin and strategy.
const SILENT: u64 = 200;

/// What finds each program of the first two tiers soon.
fn good_at(program: &Program) -> StrategyKind {
    match program.name {
        "uneven_25_1" | "bluetooth" | "wronglock" | "CVE-2016-1973" => POS,
        "twostage" | "WSQ" | "qsort_mt" | "CVE-2016-9806" => PCT,
        STALE_WRITES => SURW,
        name if name.starts_with("reorder") || name.starts_with("twostage") => SURW,
        name if name.starts_with("din_phil") => SURW,
        _ => WALK,
    }
}

#[test]
fn names_are_one_of_a_kind() {
    let names: BTreeSet<&str> = programs::all().map(|program| program.name).collect();
    assert_eq!(names.len(), programs::all().count());
    assert!(programs::all().all(|program| !program.source.is_empty() && !program.expects.is_empty()));
    let of = |tier: Tier| programs::all().filter(|program| program.tier == tier).count();
    assert_eq!((of(Tier::Classic), of(Tier::Ownership)), (28, 8), "{} more", of(Tier::ControlPlane));
}

#[test]
fn every_program_passes_at_the_baseline() {
    for program in programs::all() {
        for twin in [Twin::Buggy, Twin::Fixed] {
            let subject = Subject::new(program, twin, WALK);
            let run = subject.check.replay(&Tape::default(), Keep::Tape, subject.set_up());
            let (tier, name) = (program.tier.name(), program.name);
            assert!(run.end.is_passed(), "{tier} {name} {twin:?}: {:?}", run.end);
        }
    }
}

/// Programs of many tasks or of long stretches, whose failures take long to shrink; `benches/zoo` does.
const SLOW_TO_SHRINK: [&str; 7] =
    ["din_phil_5", "din_phil_7", "reorder_10", "reorder_20", "twostage_20", "twostage_50", STALE_WRITES];

/// Found soon, in the way that is expected; shrunk to little; and the little replays, event by event.
#[test]
fn every_bug_is_found_shrunk_and_replayed() {
    for program in programs::all().filter(|program| program.tier != Tier::ControlPlane) {
        let subject = Subject::new(program, Twin::Buggy, good_at(program));
        let (name, trial) = (program.name, subject.trial(0, RUNS));
        assert_eq!(trial.strange, None, "{name}");
        let seed = trial.found.unwrap_or_else(|| panic!("{name} was not found in {RUNS} runs"));
        let failing = subject.check.run_seed(seed, subject.set_up());
        assert!(program.expects.contains(&failing.end.kind()), "{name}: {:?}", failing.end);
        let mut least = failing.clone();
        if !SLOW_TO_SHRINK.contains(&name) {
            let check = Check { effort: Effort::Brief, ..subject.check.clone() };
            let shrunk = shrink(&check, &subject.set_up(), &failing, &mut Canonical::default());
            least = Run { tape: shrunk.tape, ..shrunk.run };
            assert!((1..=3).contains(&least.tape.deviations()), "{name}: {:?}", least.tape);
        }
        let again = subject.check.replay(&least.tape, Keep::Trace, subject.set_up());
        assert_eq!(again.end, least.end, "{name}");
        assert_eq!(again.digests.trace, least.digests.trace, "{name}");
        assert_eq!(again.matched.unmatched, 0, "{name}");
    }
}

#[test]
fn mended_twins_are_silent_under_every_strategy() {
    for program in programs::all().filter(|program| program.tier != Tier::ControlPlane) {
        for strategy in StrategyKind::ALL {
            let subject = Subject::new(program, Twin::Fixed, strategy);
            assert_eq!(subject.failures(SILENT), 0, "{} under {}", program.name, strategy.name());
        }
    }
}

/// The shape of the literature: a walk does not put a task off for long, priorities do.
#[test]
fn a_walk_misses_what_priorities_find() {
    for (name, runs) in [("uneven_25_1", 2_000), ("reorder_10", 5_000), ("twostage_20", 5_000)] {
        let found = |strategy| Subject::new(named(name), Twin::Buggy, strategy).trial(0, runs).found;
        assert_eq!(found(StrategyKind::UniformWalk), None, "{name}");
        assert!(found(PCT).is_some() || found(SURW).is_some(), "{name}");
    }
}

/// Four preemptions, all between the accesses to one object: a walk and priorities are far from them.
#[test]
fn what_takes_four_preemptions_is_found_by_sampling_the_accesses_to_an_object() {
    let found = |strategy| Subject::new(named(STALE_WRITES), Twin::Buggy, strategy).trial(0, 5_000).found;
    for strategy in [StrategyKind::UniformWalk, PCT, StrategyKind::DelayBounded] {
        assert_eq!(found(strategy), None, "{}", strategy.name());
    }
    for strategy in [SURW, StrategyKind::Portfolio] {
        assert!(found(strategy).is_some(), "{}", strategy.name());
    }
}

/// The order that its file tells of, of which nothing may be left out; mended, it harms nobody.
#[test]
fn the_four_preemptions_are_the_bug() {
    let at = |site: &str, owner: &str, occurrence: u32| Deviation {
        site: site.to_owned(),
        owner: owner.to_owned(),
        occurrence,
        option: 1,
    };
    let preemptions = [
        at("contents", "main/creates", 1),
        at("message", "main/queues", 17),
        at("contents", "main/creates", 2),
        at("message", "main/queues", 49),
    ];
    let passes = |twin: Twin, choice: Vec<Deviation>| {
        let subject = Subject::new(named(STALE_WRITES), twin, WALK);
        let tape = Tape { choice, ..Tape::default() };
        subject.check.replay(&tape, Keep::Tape, subject.set_up()).end.is_passed()
    };
    assert!(!passes(Twin::Buggy, preemptions.to_vec()));
    assert!(passes(Twin::Fixed, preemptions.to_vec()));
    for left_out in 0..preemptions.len() {
        let mut three = preemptions.to_vec();
        three.remove(left_out);
        assert!(passes(Twin::Buggy, three), "without {:?}", preemptions[left_out]);
    }
}
