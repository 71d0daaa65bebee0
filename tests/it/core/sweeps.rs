//! Sweeps: found, shrunk, told, replayed.

use fatum::check::{Bound, Check, FoundBy, Verdict, file};
use fatum::fault::{FaultKind, FaultPlan, FaultRule, failpoint};
use fatum::runtime::Budget;
use fatum::sim::Keep;
use fatum::strategy::Calibration;
use fatum::time::{Duration, sleep};
use fatum::{Sim, rand, task};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

fn lost_update(sim: &mut Sim) {
    let counter = Arc::new(AtomicU64::new(0));
    for name in ["a", "b"] {
        let counter = counter.clone();
        sim.host(name).run(|_host| async move {
            let seen = counter.load(Ordering::Relaxed);
            task::yield_point("counter").await;
            counter.store(seen + 1, Ordering::Relaxed);
        });
    }
    sim.eventually("counter == 2", move || counter.load(Ordering::Relaxed) == 2);
}

pub(super) fn quiet(name: &str) -> Check {
    Check { failures_dir: None, ..Check::new(name) }
}

#[test]
fn a_lost_update_is_found_shrunk_and_told() {
    let check = quiet("lost update");
    let report = check.sweep(lost_update, &|_| {}).unwrap();
    assert_eq!(report.verdict, Verdict::Failed);
    println!("{}", check.render(&report));
    let failure = &report.failures[0];
    assert_eq!(failure.tape.deviations(), 1, "{:#?}", failure.tape);
    let again = check.replay(&failure.tape, Keep::Trace, lost_update);
    assert!(again.is_same(&failure.run));
    assert_eq!(again.matched.unmatched, 0);
}

fn fault_handled_badly(sim: &mut Sim) {
    sim.run(async {
        let worker = task::spawn_named("worker", async { failpoint("disk.write").await });
        match worker.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(error.to_string()),
        }
    });
}

#[test]
fn an_injected_fault_is_shrunk_to_itself() {
    let plan = FaultPlan::none().with(FaultRule::new("disk.write", FaultKind::Error, 0.1));
    let check = quiet("fault").faults(plan);
    let report = check.sweep(fault_handled_badly, &|_| {}).unwrap();
    println!("{}", check.render(&report));
    assert_eq!(report.failures.len(), 1);
    assert_eq!(report.failures[0].tape.deviations(), 1);
}

#[test]
fn no_runs_prove_nothing() {
    let swept = quiet("nothing").runs(0).sweep(lost_update, &|_| {});
    assert!(swept.unwrap_err().to_string().starts_with("a sweep of 0 runs proves nothing"));
    let check = Check { shard: (1, 2), ..quiet("nothing").runs(1) };
    let report = check.sweep(lost_update, &|_| {}).unwrap();
    assert_eq!((report.runs, &report.verdict), (0, &Verdict::Inconclusive));
    assert!(check.render(&report).contains("no run was made"), "{}", check.render(&report));
}

#[test]
fn shards_have_all_seeds_between_them_however_few() {
    for (runs, shards) in [(10, 2), (10, 6), (7, 7), (100, 3), (1_000, 8)] {
        let seeds = Mutex::new(Vec::new());
        for shard in 0..shards {
            let check = Check { shard: (shard, shards), recheck_one_in: 0, ..quiet("shards") };
            let check = Check {
                calibration: Calibration { steps: 1, tasks: 1, ..Calibration::default() },
                ..check.runs(runs)
            };
            let program = |sim: &mut Sim| seeds.lock().unwrap().push(sim.seed());
            assert!(check.sweep(program, &|_| {}).unwrap().runs > 0, "shard {shard} of {shards} of {runs}");
        }
        let mut seeds = seeds.into_inner().unwrap();
        seeds.sort_unstable();
        assert_eq!(seeds, (0..runs).collect::<Vec<u64>>());
    }
}

/// Under half of the seeds a main serves for ever.
fn endless(sim: &mut Sim) {
    sim.host("server").run(|_| async {
        if rand::rng().below(2) == 0 {
            loop {
                sleep(Duration::from_secs(1)).await;
            }
        }
    });
}

#[test]
fn a_sweep_out_of_budget_tells_which_run_and_who_waits() {
    let check = quiet("endless").budget(Budget { steps_max: 50, ..Budget::default() });
    let report = check.sweep(endless, &|_| {}).unwrap();
    assert_eq!(report.verdict, Verdict::Inconclusive);
    let page = check.render(&report);
    for part in [
        "INCONCLUSIVE after ",
        "out of budget, nothing proved",
        "who waits on what:\n  server",
        "runs spent their budget",
        "repeat it: FATUM_SEED=",
    ] {
        assert!(page.contains(part), "{part} in\n{page}");
    }
    let first = report.inconclusive.unwrap();
    let seed = first.found_by.seed().unwrap();
    assert_eq!(first.found_at, seed + 1);
    assert!((0..seed).all(|seed| check.run_seed(seed, endless).end.is_passed()));
    assert_eq!(check.run_seed(seed, endless).end, first.run.end);
}

#[test]
fn an_exhaustive_search_says_what_found_a_failure() {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("exhaustive");
    let check = Check::new("exhaustive").failures_dir(Some(dir)).exhaustive(1);
    let report = check.sweep(lost_update, &|_| {}).unwrap();
    let failure = &report.failures[0];
    assert_eq!(failure.found_by, FoundBy::Exhaustive);
    let page = check.render(&report);
    assert!(page.contains(&format!("found by run {} (exhaustive)", failure.found_at)), "{page}");
    let file = file::read(failure.file.as_ref().unwrap()).unwrap();
    assert_eq!((file.seed, file.found_by), (None, Some(file::Unseeded::Exhaustive)));
    let sharded = Check { shard: (1, 2), ..check };
    let refused = sharded.sweep(lost_update, &|_| {}).unwrap_err().to_string();
    assert!(refused.starts_with("an exhaustive search cannot be split into shards"), "{refused}");
}

#[test]
fn what_gets_in_from_outside_is_found_by_seeds_and_exhaustively() {
    let runs = AtomicU64::new(0);
    let program = |sim: &mut Sim| {
        let drawn = runs.fetch_add(1, Ordering::Relaxed);
        sim.run(async move {
            rand::rng().below(8);
            fatum::event!("outside", drawn = drawn);
        });
    };
    for exhaustive in [None, Some(Bound::Deviations(1))] {
        let check = Check { recheck_one_in: 1, exhaustive, ..quiet("outside").jobs(1) };
        let report = check.sweep(program, &|_| {}).unwrap();
        let sentence = report.failures[0].end.sentence();
        assert!(sentence.contains("was run twice and differed after event"), "{exhaustive:?}: {sentence}");
    }
}

#[test]
fn a_second_run_is_on_another_thread_after_other_seeds_with_one_job_too() {
    for jobs in [1, 2] {
        let runs = Mutex::new(Vec::new());
        let program = |sim: &mut Sim| {
            runs.lock().unwrap().push((sim.seed(), std::thread::current().id()));
            sim.run(async {});
        };
        let check = Check { recheck_one_in: 4, ..quiet("twice").jobs(jobs).seed_base(1).runs(200) };
        check.sweep(program, &|_| {}).unwrap();
        let runs = runs.into_inner().unwrap();
        let (mut twice, mut at_once) = (0, 0);
        for (index, (seed, thread)) in runs.iter().enumerate().filter(|(_, (seed, _))| *seed != 0) {
            let Some(first) = runs[..index].iter().position(|(earlier, _)| earlier == seed) else { continue };
            twice += 1;
            assert_ne!(runs[first].1, *thread, "seed {seed} with {jobs} jobs");
            at_once += usize::from(index - first == 1);
        }
        assert!(twice > 20, "{twice} seeds were run twice");
        assert!(jobs > 1 || at_once < 2, "{at_once} seeds were run twice in a row");
    }
}

#[test]
fn the_run_of_a_seed_is_calibrated_as_a_sweep_is() {
    let runs = AtomicU64::new(0);
    let program = |sim: &mut Sim| {
        runs.fetch_add(1, Ordering::Relaxed);
        lost_update(sim);
    };
    let check = quiet("calibrated");
    let report = check.sweep(lost_update, &|_| {}).unwrap();
    let run = check.run_seed(3, program);
    assert_eq!(runs.swap(0, Ordering::Relaxed), 2, "the baseline first");
    let given = Check { calibration: report.calibration, ..check };
    assert!(given.run_seed(3, program).is_same(&run));
    assert_eq!(runs.into_inner(), 1);
}
