//! A guided search is as repeatable as a sweep: it depends on no number of jobs, its failures replay, and what gets in
//! from outside is found.

use super::programs::{rounds, vault};
use fatum::check::{Check, FoundBy, Perturbation, file};
use fatum::fault::{FaultKind, FaultPlan, FaultRule, failpoint};
use fatum::strategy::StrategyKind;
use fatum::time::{Duration, sleep};
use fatum::{Sim, rand, task};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

fn quiet() -> Check {
    Check { failures_dir: None, ..Check::new("guided") }
}

/// Three of everything that asks a source: schedule, yields, faults, draws.
fn mixed(sim: &mut Sim) {
    for name in ["a", "b", "c"] {
        sim.host(name).run(move |_| async move {
            let mut failed = 0u64;
            for round in 0..4u64 {
                sleep(Duration::from_millis(rand::rng().below(3))).await;
                task::yield_point("shared").await;
                failed += u64::from(failpoint("disk").await.is_err());
                fatum::cover!("failed", round, failed);
            }
            fatum::event!("over", failed = failed);
            if failed == 4 { Err("all failed") } else { Ok(()) }
        });
    }
}

fn mixed_plan() -> FaultPlan {
    FaultPlan::none()
        .with(FaultRule::new("disk", FaultKind::Error, 0.05))
        .with(FaultRule::stall(0.05))
        .with(FaultRule::late_timer(0.05))
}

#[test]
fn the_report_does_not_depend_on_the_number_of_jobs() {
    for strategy in [StrategyKind::RandomWalk, StrategyKind::Pct, StrategyKind::Pos, StrategyKind::Surw] {
        let reports = [1, 2, 3].map(|jobs| {
            let check = quiet().guided(700).jobs(jobs).faults(mixed_plan()).strategy(strategy).seed_base(11);
            format!("{:#?}", check.sweep(mixed, &|_| {}).unwrap())
        });
        assert!(reports[0].contains("runs: 700"), "{}", reports[0]);
        assert_eq!(reports[0], reports[1], "{strategy:?}");
        assert_eq!(reports[0], reports[2], "{strategy:?}");
    }
}

#[test]
fn every_run_is_the_same_when_it_is_made_again() {
    for strategy in StrategyKind::ALL {
        let check = Check { recheck_one_in: 1, ..quiet().faults(mixed_plan()).strategy(strategy) };
        let report = check.guided(400).sweep(mixed, &|_| {}).unwrap();
        let ends: Vec<String> = report.failures.iter().map(|failure| failure.end.sentence()).collect();
        assert!(ends.iter().all(|end| end.contains("all failed")), "{strategy:?}: {ends:?}");
    }
}

#[test]
fn a_failure_is_shrunk_told_saved_and_replayed() {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("guided-failure");
    let check = Check { shrunk_max: 1, ..Check::new("guided").failures_dir(Some(dir)) }.guided(6_000);
    let report = check.sweep(vault, &|_| {}).unwrap();
    let failure = &report.failures[0];
    assert_eq!(failure.found_by, FoundBy::Guided);
    assert_eq!(failure.tape.deviations(), 10, "{:#?}", failure.tape);
    let page = check.render(&report);
    let found = format!("found by guided search (run {}); ", failure.found_at);
    assert!(page.contains(&found), "{page}");
    let path = failure.file.clone().unwrap();
    let saved = file::read(&path).unwrap();
    assert_eq!((saved.seed, saved.found_by), (None, Some(file::Unseeded::Guided)));
    let again = check.replay_file(&path, &saved, vault);
    assert!(saved.has_digests_of(&again) && again.end == failure.end);
}

#[test]
fn what_gets_in_from_outside_is_found() {
    let runs = AtomicU64::new(0);
    let program = |sim: &mut Sim| {
        let drawn = runs.fetch_add(1, Ordering::Relaxed);
        sim.run(async move {
            rand::rng().below(8);
            fatum::event!("outside", drawn = drawn);
        });
    };
    let check = Check { recheck_one_in: 1, ..quiet().guided(100) };
    let report = check.sweep(program, &|_| {}).unwrap();
    let sentence = report.failures[0].end.sentence();
    assert!(sentence.contains("was run twice and differed after event"), "{sentence}");
}

#[test]
fn a_run_has_no_more_faults_than_its_plan_allows() {
    let most = Arc::new(Mutex::new(0));
    let seen = most.clone();
    let program = move |sim: &mut Sim| {
        let most = seen.clone();
        sim.run(async move {
            let mut failed = 0;
            for place in 0..12u8 {
                if failpoint("disk").await.is_err() {
                    failed += 1;
                    fatum::cover!("failed", place, failed);
                }
                sleep(Duration::from_secs(1)).await;
            }
            let mut most = most.lock().unwrap();
            *most = failed.max(*most);
        });
    };
    let rule = FaultRule { budget: Some(2), ..FaultRule::new("disk", FaultKind::Error, 0.2) };
    let check = quiet().guided(2_000).faults(FaultPlan::none().with(rule));
    assert!(check.sweep(program, &|_| {}).unwrap().is_passed());
    assert_eq!(*most.lock().unwrap(), 2);
}

#[test]
fn what_cannot_be_guided_is_refused() {
    let sharded = Check { shard: (0, 2), ..quiet().guided(10) };
    let refused = sharded.sweep(rounds, &|_| {}).unwrap_err().to_string();
    assert!(refused.starts_with("a guided search cannot be split into shards"), "{refused}");
    assert!(refused.contains("--seed-base"), "{refused}");
    let none = quiet().guided(0).sweep(rounds, &|_| {}).unwrap_err().to_string();
    assert!(none.starts_with("a sweep of 0 runs proves nothing"), "{none}");
}

#[test]
fn wall_time_ends_a_search_after_a_whole_batch() {
    let check = Check { wall_max: Some(Duration::ZERO), ..quiet().guided(u64::MAX) };
    let report = check.sweep(rounds, &|_| {}).unwrap();
    assert!(report.runs <= 64 && report.runs.is_multiple_of(64), "{}", report.runs);
    let limited = Check { wall_max: Some(Duration::from_millis(200)), ..quiet().guided(u64::MAX) };
    let report = limited.sweep(rounds, &|_| {}).unwrap();
    assert!(report.runs >= 64 && report.runs.is_multiple_of(64), "{}", report.runs);
}

#[test]
fn enumerations_go_before_guidance() {
    let check = quiet().guided(10).exhaustive(0);
    assert_eq!(check.sweep(rounds, &|_| {}).unwrap().runs, 1);
    assert!(quiet().guided(10).points(Perturbation::Crash).sweep(rounds, &|_| {}).is_err());
}
