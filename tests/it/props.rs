//! proptest: inputs, graphs, faults and schedules are drawn together and shrunk together.

use fatum::check::Check;
use fatum::fault::{FaultKind, FaultPlan, FaultRule, failpoint};
use fatum::prop::{Schedule, fault_plans, schedules};
use fatum::runtime::LeakPolicy;
use fatum::systems::graph::workload::{GraphSource, Workload, run, workloads};
use fatum::systems::graph::{Punctuality, Variant, install};
use fatum::{Sim, task};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

fn runner() -> TestRunner {
    let config =
        Config { cases: 200, failure_persistence: None, rng_seed: RngSeed::Fixed(7), ..Config::default() };
    TestRunner::new(config)
}

fn quiet(plan: &FaultPlan) -> Check {
    Check { failures_dir: None, ..Check::new("props") }.faults(plan.clone())
}

/// `workers` increments; each read and write may be torn apart.
fn increments(workers: u64, atomic: bool) -> impl Fn(&mut Sim) + Send + Sync {
    move |sim| {
        let counter = Arc::new(AtomicU64::new(0));
        let shared = counter.clone();
        sim.run(async move {
            let mut set = task::JoinSet::new();
            for _ in 0..workers {
                let counter = shared.clone();
                set.spawn(async move {
                    if atomic {
                        counter.fetch_add(1, Ordering::Relaxed);
                    } else {
                        let seen = counter.load(Ordering::Relaxed);
                        task::yield_point("counter").await;
                        counter.store(seen + 1, Ordering::Relaxed);
                    }
                });
            }
            while set.join_next().await.is_some() {}
        });
        sim.eventually("no increment is lost", move || counter.load(Ordering::Relaxed) == workers);
    }
}

fn passes(run: &fatum::Run) -> Result<(), TestCaseError> {
    prop_assert!(run.end.is_passed(), "{}", run.end.sentence());
    Ok(())
}

#[test]
fn a_lost_increment_shrinks_to_few_workers_and_one_deviation() {
    let found = runner().run(&(1u64..10, schedules()), |(workers, schedule)| {
        passes(&schedule.run(&quiet(&FaultPlan::none()), increments(workers, false)))
    });
    let Err(TestError::Fail(_, (workers, schedule))) = found else { panic!("not found: {found:?}") };
    assert!((2..=3).contains(&workers), "{workers} workers");
    assert_eq!(schedule.tape().unwrap().deviations(), 1, "{schedule:?}");
}

#[test]
fn atomic_increments_hold_under_every_schedule() {
    runner()
        .run(&(1u64..10, schedules()), |(workers, schedule)| {
            passes(&schedule.run(&quiet(&FaultPlan::none()), increments(workers, true)))
        })
        .unwrap();
}

#[test]
fn plan_and_schedule_shrink_together() {
    let fragile = |sim: &mut Sim| sim.run(async { failpoint("disk.write").await });
    let found = runner()
        .run(&(fault_plans(&["disk.write", "disk.read"]), schedules()), |(plan, schedule)| {
            passes(&schedule.run(&quiet(&plan), fragile))
        });
    let Err(TestError::Fail(_, (plan, schedule))) = found else { panic!("not found: {found:?}") };
    assert_eq!(plan.rules.len(), 1, "{plan:?}");
    assert_eq!(schedule.tape().unwrap().deviations(), 1, "{schedule:?}");
}

/// A graph run, judged by every property of graphs.
fn judged(workload: &Workload) -> impl Fn(&mut Sim) + Send + Sync {
    let workload = workload.clone();
    move |sim| {
        install(sim, Punctuality::Late);
        let workload = workload.clone();
        sim.run(async move { drop(run(&workload).await) });
    }
}

type Drawn = (Workload, FaultPlan, Schedule);

/// Draws graphs, faults and schedules together.
fn graphs_hold(variant: Variant) -> Result<(), Box<TestError<Drawn>>> {
    let drawn = (workloads(8, variant), fault_plans(&["action.run"]), schedules());
    let found = runner().run(&drawn, |(workload, plan, schedule)| {
        // A hang without a timeout never ends: that is the graph's fault and not the executor's.
        let plan = FaultPlan { rules: plan.rules.into_iter().filter(|rule| !hangs(rule)).collect(), ..plan };
        let check = Check { leaks: LeakPolicy::Allow, ..quiet(&plan) };
        passes(&schedule.run(&check, judged(&workload)))
    });
    found.map_err(Box::new)
}

fn hangs(rule: &FaultRule) -> bool {
    rule.kind == FaultKind::Hang
}

#[test]
fn graphs_hold_under_every_plan_and_schedule() {
    graphs_hold(Variant::Correct).unwrap();
}

#[test]
fn a_signal_of_a_failure_shrinks_to_two_actions_errors_and_one_deviation() {
    let found = graphs_hold(Variant::SuccessBeforeErrorCheck);
    let TestError::Fail(reason, (workload, plan, schedule)) = *found.unwrap_err() else { panic!("aborted") };
    assert!(reason.message().contains("causality"), "{reason}");
    let GraphSource::Actions(actions) = &workload.graph else { panic!("{workload:?}") };
    assert_eq!(actions.len(), 2, "{actions:#?}");
    assert_eq!(actions[1].wants, ["a0"]);
    // The seed needs the sum of the probabilities; what is drawn first is shrunk first.
    assert!(plan.rules.iter().all(|rule| rule.kind == FaultKind::Error), "{plan:?}");
    assert_eq!(schedule.tape().unwrap().deviations(), 1, "{schedule:?}");
}
