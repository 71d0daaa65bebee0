//! Cancellation at each await in turn: what the cancelled task leaves behind, against the fault-free run.

use super::at;
use fatum::check::{Check, Perturbation, Points, Report, Verdict};
use fatum::choice::tape::Tape;
use fatum::runtime::End;
use fatum::sim::Keep;
use fatum::sync::{Mutex, Semaphore};
use fatum::time::{Duration, sleep};
use fatum::{Sim, task};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

const SECOND: Duration = Duration::from_secs(1);

/// How the worker gives back what it took.
#[derive(Clone, Copy)]
enum Back {
    ByHand,
    ByGuard,
    Twice,
}

/// A worker takes a permit for each of two items, and pauses after each: four awaits that wait. Its main waits once.
fn permits(back: Back) -> impl Fn(&mut Sim) + Send + Sync {
    move |sim| {
        sim.run(async move {
            let permits = Arc::new(Semaphore::new(1)); // the permits
            let worker = task::spawn_named("worker", async move {
                for _ in 0..2 {
                    let permit = permits.acquire().await.unwrap();
                    let _again = matches!(back, Back::Twice).then(|| Returned(permits.clone()));
                    match back {
                        Back::ByHand => permit.forget(),
                        Back::ByGuard | Back::Twice => drop(permit),
                    }
                    sleep(SECOND).await; // with the permit
                    if matches!(back, Back::ByHand) {
                        permits.add_permits(1);
                    }
                    if matches!(back, Back::Twice) {
                        permits.forget_permits(1);
                    }
                    sleep(SECOND).await;
                }
            });
            if let Err(error) = worker.await {
                assert!(error.is_cancelled());
            }
        });
    }
}

/// Gives a permit back that nobody has.
struct Returned(Arc<Semaphore>);

impl Drop for Returned {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

fn check(name: &str) -> Check {
    Check::new(name).failures_dir(None)
}

fn sweep(name: &str, program: impl Fn(&mut Sim) + Send + Sync) -> Report {
    check(name).cancellations().sweep(program, &|_| {}).unwrap()
}

fn points(kind: Perturbation, found: u64) -> Option<Points> {
    Some(Points { kind, found, covered: found })
}

#[test]
fn a_permit_that_is_given_back_by_hand_is_lost_at_two_of_four_awaits() {
    let report = sweep("by hand", permits(Back::ByHand));
    assert_eq!((report.verdict, report.runs, report.failing_runs), (Verdict::Failed, 5, 2));
    assert_eq!(report.points, points(Perturbation::Cancel, 4));
    assert_eq!(
        report.points.unwrap().to_string(),
        "cancel points: 4 awaits in the fault-free run, 4 covered"
    );
    let failure = &report.failures[0];
    let detail = format!(
        "a cancelled task left something behind: permits missing from Semaphore created at {}: 1, and 0 in the \
         fault-free run",
        at("cancel", "the permits")
    );
    assert_eq!(failure.end, End::Leaked { detail });
    assert_eq!(failure.tape.deviations(), 1);
    let cancelled = format!(
        "0ns  fault: cancelled at task.cancel, in main/worker, 1st time, {}",
        at("cancel", "with the permit")
    );
    assert!(failure.story.contains(&cancelled), "{:#?}", failure.story);
    // The tape says that tasks were cancelled, so that it replays where nobody says so.
    let again = check("by hand").replay(&failure.tape, Keep::Trace, permits(Back::ByHand));
    assert!(again.is_same(&failure.run), "{:?}", again.end);
    assert_eq!(again.matched.unmatched, 0);
}

#[test]
fn a_permit_in_a_guard_is_not_lost() {
    let report = sweep("by guard", permits(Back::ByGuard));
    assert_eq!((report.verdict, report.runs), (Verdict::Passed, 5));
    assert_eq!(report.points, points(Perturbation::Cancel, 4));
}

#[test]
fn a_permit_that_is_given_back_twice_is_told_of_too() {
    let report = sweep("twice", permits(Back::Twice));
    // The fault-free run adds one for each that it takes away; a cancelled one does not take the last one away.
    let End::Leaked { detail } = &report.failures[0].end else { panic!("{:?}", report.failures[0].end) };
    assert!(detail.ends_with(": -1, and 0 in the fault-free run"), "{detail}");
}

#[test]
fn mains_are_cancelled_only_where_that_is_asked_for() {
    let report = check("mains").points(Perturbation::CancelMains).sweep(permits(Back::ByGuard), &|_| {});
    let report = report.unwrap();
    assert_eq!(report.points, points(Perturbation::CancelMains, 5));
    // A main that is gone leaves its worker alone in the world.
    assert_eq!((report.verdict, report.failing_runs), (Verdict::Failed, 1));
    let failure = &report.failures[0];
    assert_eq!(failure.end, End::Leaked { detail: "1 task is alive at the end: main/worker".into() });
    let again = check("mains").replay(&failure.tape, Keep::Trace, permits(Back::ByGuard));
    assert!(again.is_same(&failure.run), "{:?}", again.end);
}

/// A worker marks a key as being worked on while it works.
fn keys(guarded: bool) -> impl Fn(&mut Sim) + Send + Sync {
    move |sim| {
        let keys = Rc::new(RefCell::new(BTreeSet::new()));
        let counted = keys.clone();
        sim.leftover("keys being worked on", move || counted.borrow().len() as u64);
        sim.run(async move {
            let worker = task::spawn_local(async move {
                for key in 0..3 {
                    keys.borrow_mut().insert(key);
                    let guard = guarded.then(|| Working(keys.clone(), key));
                    sleep(SECOND).await;
                    match guard {
                        Some(guard) => drop(guard),
                        None => drop(keys.borrow_mut().remove(&key)),
                    }
                }
            });
            drop(worker.await);
        });
    }
}

/// A key that is being worked on.
struct Working(Rc<RefCell<BTreeSet<u32>>>, u32);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.borrow_mut().remove(&self.1);
    }
}

#[test]
fn what_the_program_counts_is_compared_too() {
    let report = sweep("keys", keys(false));
    assert_eq!((report.runs, report.failing_runs), (4, 3));
    assert_eq!(report.points, points(Perturbation::Cancel, 3));
    let detail =
        "a cancelled task left something behind: keys being worked on: 1, and 0 in the fault-free run";
    assert_eq!(report.failures[0].end, End::Leaked { detail: detail.into() });
    let report = sweep("guarded keys", keys(true));
    assert_eq!((report.verdict, report.runs), (Verdict::Passed, 4));
}

#[test]
fn what_others_wait_for_shows_as_the_end_that_it_comes_to() {
    // The worker holds its lock in a guard; its main waits for a word that only the worker says.
    let report = sweep("deadlock", |sim: &mut Sim| {
        sim.run(async {
            let (lock, said) = (Arc::new(Mutex::new(())), Arc::new(fatum::sync::Notify::new()));
            let says = said.clone();
            let _worker = task::spawn_named("worker", async move {
                let _held = lock.lock().await;
                sleep(SECOND).await;
                says.notify_one();
            });
            said.notified().await;
        });
    });
    assert_eq!((report.runs, report.failing_runs, report.failures[0].end.kind()), (2, 1, "deadlock"));
}

#[test]
fn no_other_run_asks_whether_a_task_is_cancelled() {
    let asks = |check: Check| {
        let run = check.replay(&Tape::default(), Keep::Trace, permits(Back::ByGuard));
        run.sites.iter().any(|site| site.site == "task.cancel")
    };
    assert!(!asks(check("plain")));
    assert!(asks(check("cancelling").cancellations()));
}
