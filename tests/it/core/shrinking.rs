//! Shrinking: nearly all failing seeds of one bug end in the same few deviations, of which none can go.

use super::programs::{self, Edit, Planted};
use fatum::check::{Bound, Canonical, Check, Program, shrink};
use fatum::choice::tape::Tape;
use fatum::fault::{FaultKind, FaultPlan, FaultRule, failpoint};
use fatum::rand::rng_at;
use fatum::sim::Keep;
use fatum::strategy::StrategyKind;
use fatum::time::Duration;
use fatum::{Run, Sim};
use std::collections::BTreeMap;

/// How a bug fails: kind and property.
pub(crate) type Fails<'a> = (&'a str, Option<&'a str>);

/// The first runs that fail so, recorded.
pub(crate) fn failing(check: &Check, program: &impl Program, fails: Fails<'_>, count: usize) -> Vec<Run> {
    let runs = (0..50_000).map(|seed| check.run_seed(seed, program));
    runs.filter(|run| (run.end.kind(), run.end.property()) == fails).take(count).collect()
}

/// The tape with the tasks of each spawn site numbered in the order in which the tape names them.
fn renamed(tape: &Tape) -> Tape {
    fn rename(path: &mut String, numbers: &mut BTreeMap<String, Vec<String>>) {
        let mut renamed = String::new();
        for segment in path.split('/') {
            let name = segment.split('#').next().unwrap();
            let site = numbers.entry(format!("{renamed}/{name}")).or_default();
            let number = site.iter().position(|known| known == segment).unwrap_or_else(|| {
                site.push(segment.to_owned());
                site.len() - 1
            });
            renamed = format!("{renamed}/{name}#{number}");
        }
        *path = renamed;
    }
    let mut tape = tape.clone();
    let mut numbers = BTreeMap::new();
    for entry in &mut tape.schedule {
        rename(&mut entry.task, &mut numbers);
        entry.by.iter_mut().for_each(|by| rename(by, &mut numbers));
    }
    for deviation in &mut tape.choice {
        rename(&mut deviation.owner, &mut numbers);
    }
    tape
}

/// All tapes with one deviation less, or with one value lower by one.
fn weaker(tape: &Tape) -> Vec<Tape> {
    let mut all = Vec::new();
    for (index, entry) in tape.schedule.iter().enumerate() {
        for by in 0..entry.by.len() {
            let mut less = tape.clone();
            less.schedule[index].by.remove(by);
            less.schedule.retain(|entry| !entry.by.is_empty());
            all.push(less);
        }
    }
    for (index, deviation) in tape.choice.iter().enumerate() {
        let mut less = tape.clone();
        if deviation.option > 1 {
            let mut lower = tape.clone();
            lower.choice[index].option -= 1;
            all.push(lower);
        }
        less.choice.remove(index);
        all.push(less);
    }
    all
}

/// What the failing seeds of one bug shrunk to.
pub(crate) struct Shrunk {
    /// The tape that most ended in.
    pub(crate) commonest: Tape,
    /// What a person may want to know.
    pub(crate) line: String,
}

/// Shrinks the first failing seeds, as many as told: 95 % end in one tape, and nothing less than theirs fails.
pub(crate) fn shrinks_well(check: &Check, program: &impl Program, fails: Fails<'_>, seeds: usize) -> Shrunk {
    let name = &check.name;
    let mut canonical = Canonical::default();
    let (mut before, mut runs) = (0, 0);
    let mut ends: BTreeMap<Tape, usize> = BTreeMap::new();
    for run in failing(check, program, fails, seeds) {
        let shrunk = shrink(check, program, &run, &mut canonical);
        before += run.tape.deviations();
        runs += shrunk.runs;
        assert_eq!((shrunk.run.end.kind(), shrunk.run.end.property()), fails);
        assert_eq!(shrunk.run.tape, shrunk.tape, "{name}: its run has the tape that is shown");
        assert_eq!(shrunk.run.matched.unmatched, 0, "{name}");
        *ends.entry(shrunk.tape).or_insert(0) += 1;
    }
    for tape in ends.keys() {
        for less in weaker(tape) {
            let run = check.replay(&less, Keep::Tape, program);
            let same = (run.end.kind(), run.end.property()) == fails;
            assert!(!same, "{name}: {less:#?} fails as well as {tape:#?}");
        }
    }
    let mut sites: BTreeMap<Tape, usize> = BTreeMap::new();
    for (tape, count) in ends {
        *sites.entry(renamed(&tape)).or_insert(0) += count;
    }
    let (commonest, count) = sites.iter().max_by_key(|(_, count)| **count).unwrap();
    let total: usize = sites.values().sum();
    let line = format!(
        "{name}: {:.1} deviations before, {} after in {count} of {total} seeds, {:.0} runs a seed",
        before as f64 / total as f64,
        commonest.deviations(),
        runs as f64 / total as f64,
    );
    assert_eq!(total, seeds, "{name} fails often enough");
    assert!(count * 100 >= total * 95, "{line}: {sites:#?}");
    Shrunk { commonest: commonest.clone(), line }
}

/// Shrinks the failing seeds of a small program, whose least deviations are known.
fn ends_in_the_least(planted: &Planted, edit: Edit, seeds: usize) {
    let (check, program) = (planted.check(), planted.edited(edit));
    let shrunk = shrinks_well(&check, &program, planted.fails, seeds);
    println!("{}", shrunk.line);
    assert_eq!(shrunk.commonest.deviations(), planted.deviations, "{}", shrunk.line);
    // In a crowd, pairs and triples are too many to try all.
    if edit != Edit::Crowd || planted.deviations < 3 {
        nothing_less_fails(&check, &program, planted.fails, planted.deviations);
    }
}

/// The enumerator, up to one deviation less than the shrunk tape has, finds no such failure.
pub(crate) fn nothing_less_fails(check: &Check, program: &impl Program, fails: Fails<'_>, deviations: u64) {
    let check = Check { exhaustive: Some(Bound::Deviations(deviations as usize - 1)), ..check.clone() };
    let report = check.sweep(|sim: &mut Sim| program(sim), &|_| {}).unwrap();
    let same = |failure: &fatum::check::Failure| (failure.end.kind(), failure.end.property()) == fails;
    assert!(report.runs > 0 && !report.failures.iter().any(same), "{}", check.name);
}

#[test]
fn two_hundred_failing_seeds_of_each_bug_end_in_the_same_tape() {
    programs::ALL.iter().for_each(|planted| ends_in_the_least(planted, Edit::None, 200));
}

#[test]
fn they_do_among_a_crowd_of_other_tasks() {
    programs::ALL.iter().for_each(|planted| ends_in_the_least(planted, Edit::Crowd, 40));
}

#[test]
fn a_value_is_lowered_to_the_least_that_fails() {
    let planted = programs::planted("large_draw");
    let (check, program) = (planted.check(), planted.as_is());
    for run in failing(&check, &program, planted.fails, 20) {
        let shrunk = shrink(&check, &program, &run, &mut Canonical::default());
        assert_eq!(shrunk.tape.choice.len(), 1);
        assert_eq!(shrunk.tape.choice[0].option, 300);
    }
}

#[test]
fn a_program_that_always_fails_shrinks_to_the_baseline() {
    let check = super::sweeps::quiet("always");
    let program = |sim: &mut Sim| sim.run(async { Err::<(), _>("always") });
    let run = check.run_seed(7, program);
    let shrunk = shrink(&check, &program, &run, &mut Canonical::default());
    assert!(shrunk.tape.is_empty());
}

/// A thousand ticks of a millisecond. Each draws whether the disk is asked once more, so that which of its questions is
/// the one of tick 900, whose failure is the bug, depends on the draws before.
fn counted_by_draws(sim: &mut Sim) {
    sim.run(async {
        for tick in 0..1_000 {
            if fatum::rand::rng().below(2) == 1 {
                _ = failpoint("disk").await;
            }
            let failed = failpoint("disk").await.is_err();
            assert!(!failed || tick != 900, "tick 900 failed");
            fatum::time::sleep(Duration::from_millis(1)).await;
        }
    });
}

#[test]
fn draws_that_only_move_the_count_of_a_fault_go() {
    let at = Duration::from_millis(900)..Duration::from_millis(901);
    let rule =
        FaultRule { from: at.start, until: Some(at.end), ..FaultRule::new("disk", FaultKind::Error, 1.0) };
    let plan = FaultPlan::none().with(rule).without_swarm();
    let check = super::sweeps::quiet("counted").strategy(StrategyKind::RandomWalk).faults(plan);
    for seed in 0..3 {
        let failing = check.run_seed(seed, counted_by_draws);
        assert!(failing.tape.deviations() > 400, "{}", failing.tape.deviations());
        let shrunk = shrink(&check, &counted_by_draws, &failing, &mut Canonical::default());
        let [fault] = shrunk.tape.choice.as_slice() else { panic!("{:?}", shrunk.tape) };
        assert_eq!((fault.site.as_str(), fault.occurrence), ("disk", 901));
    }
}

/// Sixty steps at one moment, behind three draws that all have to be 1. Each step draws whether the disk is asked once
/// more; the bug is a failure of the disk at step 40. No clock tells which of its questions that is.
fn counted_at_one_moment(sim: &mut Sim) {
    sim.run(async {
        let mut doors = rng_at("door");
        let open = (0..3).filter(|_| doors.below(2) == 1).count() == 3;
        for step in 0..60 {
            if fatum::rand::rng().below(2) == 1 {
                _ = failpoint("disk").await;
            }
            let failed = failpoint("disk").await.is_err();
            assert!(!(failed && open && step == 40), "step 40 failed");
        }
    });
}

#[test]
fn draws_that_only_carry_a_fault_to_its_place_go_with_it() {
    let plan = FaultPlan::none().with(FaultRule::new("disk", FaultKind::Error, 0.3)).without_swarm();
    let check = super::sweeps::quiet("carried").strategy(StrategyKind::RandomWalk).faults(plan);
    for run in failing(&check, &counted_at_one_moment, ("panicked", None), 3) {
        assert!(run.tape.deviations() > 30, "{}", run.tape.deviations());
        let shrunk = shrink(&check, &counted_at_one_moment, &run, &mut Canonical::default());
        let left: Vec<_> = shrunk.tape.choice.iter().map(|left| (&*left.site, left.occurrence)).collect();
        assert_eq!(left, [("door", 1), ("door", 2), ("door", 3), ("disk", 41)]);
    }
}
