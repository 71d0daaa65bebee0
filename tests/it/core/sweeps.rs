//! Sweeps: found, shrunk, told, replayed.

use fatum::check::{Check, Verdict};
use fatum::fault::{FaultKind, FaultPlan, FaultRule, failpoint};
use fatum::sim::Keep;
use fatum::{Sim, task};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
