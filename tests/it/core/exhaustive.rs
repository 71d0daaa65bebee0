//! Exhaustive search through all runs: each once, none left out, fewer where accesses that commute are declared; stopped
//! and resumed.

use fatum::check::{Bound, Check, Report, Verdict};
use fatum::strategy::StrategyKind;
use fatum::sync::{Mutex, Notify};
use fatum::{Sim, task};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex as Plain;
use std::time::Duration;

fn quiet() -> Check {
    super::sweeps::quiet("exhaustive").exhaustive_all()
}

fn sweep(check: &Check, program: impl Fn(&mut Sim) + Send + Sync) -> Report {
    check.sweep(program, &|_| {}).unwrap()
}

/// Runs of a search that passes.
fn runs(check: &Check, program: impl Fn(&mut Sim) + Send + Sync) -> u64 {
    let report = sweep(check, program);
    assert_eq!(report.verdict, Verdict::Passed, "{:?}", report.failures);
    assert!(report.exhausted.is_some_and(|exhausted| exhausted.is_whole));
    report.runs
}

/// Three tasks of three steps: 9! / (3! 3! 3!) schedules.
#[test]
fn three_tasks_of_three_steps_have_1680_schedules() {
    let by_yielding = |sim: &mut Sim| {
        for name in ["a", "b", "c"] {
            sim.host(name).run(|_| async {
                task::yield_now().await;
                task::yield_now().await;
            });
        }
    };
    let at_points = |sim: &mut Sim| {
        for name in ["a", "b", "c"] {
            sim.host(name).run(|_| async {
                task::yield_point("step").await;
                task::yield_point("step").await;
            });
        }
    };
    for program in [by_yielding as fn(&mut Sim), at_points as fn(&mut Sim)] {
        let report = sweep(&quiet(), program);
        assert_eq!(report.runs, 1_680);
        assert_eq!(report.exhaustive_verdict().unwrap(), "no violation: all 1,680 runs were made");
    }
}

/// Two tasks of four steps and a choice of three in the midst of one: 8! / (4! 4!) schedules of three values each.
#[test]
fn other_choices_multiply_the_schedules() {
    let program = |sim: &mut Sim| {
        for name in ["a", "b"] {
            sim.host(name).run(move |_| async move {
                task::yield_now().await;
                if name == "a" {
                    let _ = fatum::rand::rng().below(3);
                }
                task::yield_now().await;
                task::yield_now().await;
            });
        }
    };
    assert_eq!(runs(&quiet(), program), 70 * 3);
}

/// Two accesses each of three tasks.
fn accesses(object: fn(&'static str) -> &'static str, reads: bool) -> impl Fn(&mut Sim) + Send + Sync {
    move |sim| {
        for name in ["a", "b", "c"] {
            sim.host(name).run(move |_| async move {
                for _ in 0..2 {
                    match reads {
                        true => task::yield_read(object(name)).await,
                        false => task::yield_point(object(name)).await,
                    }
                }
            });
        }
    }
}

/// Of accesses that clash each order counts, 6! / (2! 2! 2!) of them; of those that commute one stands for all.
#[test]
fn only_orders_of_accesses_that_clash_are_run_where_all_are_declared() {
    let declared = quiet().assume_declared_accesses();
    assert_eq!(runs(&declared, accesses(|_| "shared", false)), 90);
    assert_eq!(runs(&declared, accesses(|_| "shared", true)), 1);
    assert_eq!(runs(&declared, accesses(|name| name, false)), 1);
    assert_eq!(runs(&quiet(), accesses(|name| name, false)), 1_680, "nothing is left out unasked");
    let said = sweep(&declared, accesses(|name| name, false)).exhaustive_verdict().unwrap();
    assert_eq!(
        said,
        "no violation: all 1 runs were made, one for each order of declared accesses that do not commute"
    );
}

/// What runs came to.
type Outcomes = Arc<Plain<BTreeSet<String>>>;

/// How many runs there are, and what they come to.
fn outcomes(check: &Check, program: fn(&mut Sim, Outcomes)) -> (u64, BTreeSet<String>) {
    let seen = Outcomes::default();
    let runs = runs(&Check { recheck_one_in: 0, ..check.clone() }, |sim| program(sim, seen.clone()));
    let seen = seen.lock().unwrap().clone();
    (runs, seen)
}

/// A register, a lock and a wake-up.
fn mixed(sim: &mut Sim, outcomes: Outcomes) {
    let (lock, news) = (Arc::new(Mutex::new(0)), Arc::new(Notify::new()));
    let x = Arc::new(Plain::new(0));
    let at = (lock.clone(), news.clone(), x.clone());
    sim.host("a").run(move |_| async move {
        let (lock, news, x) = at;
        task::yield_read("x").await;
        let seen = *x.lock().unwrap();
        *lock.lock().await += 1;
        news.notify_one();
        task::yield_point("x").await;
        *x.lock().unwrap() = seen + 1;
    });
    let at = (lock.clone(), x.clone());
    sim.host("b").run(move |_| async move {
        let (lock, x) = at;
        *lock.lock().await *= 10;
        task::yield_point("x").await;
        *x.lock().unwrap() += 10;
    });
    sim.host("c").run(move |_| async move {
        news.notified().await;
        let held = *lock.lock().await;
        task::yield_read("x").await;
        let outcome = format!("lock {held}, x {}", *x.lock().unwrap());
        outcomes.lock().unwrap().insert(outcome);
    });
}

/// The reduction leaves out no outcome.
#[test]
fn what_a_program_can_come_to_is_the_same_with_fewer_runs() {
    let (all, every) = outcomes(&quiet(), mixed);
    let (fewer, same) = outcomes(&quiet().assume_declared_accesses(), mixed);
    assert!(every.len() >= 5, "{every:?}");
    assert_eq!(every, same);
    assert!(fewer * 3 < all, "{fewer} of {all}");
}

/// An update that is lost where one task reads between the other's read and write.
fn lost_update(sim: &mut Sim) {
    let counter = Arc::new(Plain::new(0));
    for name in ["a", "b"] {
        let counter = counter.clone();
        sim.host(name).run(move |_| async move {
            task::yield_read("counter").await;
            let seen = *counter.lock().unwrap();
            task::yield_point("counter").await;
            *counter.lock().unwrap() = seen + 1;
            fatum::cover!("counter was", seen);
        });
    }
    let seen = counter.clone();
    sim.sometimes("counted to 2", move || *seen.lock().unwrap() == 2);
    sim.eventually("counter == 2", move || *counter.lock().unwrap() == 2);
}

#[test]
fn a_failure_is_found_shrunk_and_named_as_the_smallest() {
    for check in [quiet(), quiet().assume_declared_accesses()] {
        let report = sweep(&check, lost_update);
        assert_eq!(report.verdict, Verdict::Failed);
        assert_eq!(report.failures[0].tape.deviations(), 1);
        let said = report.exhaustive_verdict().unwrap();
        assert!(said.starts_with("the smallest counterexample has 1 deviation; all "), "{said}");
    }
}

/// Everything of a report but its failing runs' own pages.
fn facts(report: &Report) -> String {
    let Report {
        runs,
        steps,
        time,
        distinct_traces,
        states,
        picks,
        failing_runs,
        coverage,
        sites,
        exhausted,
        ..
    } = report;
    let failures: Vec<_> = report.failures.iter().map(|failure| (failure.found_at, &failure.tape)).collect();
    format!(
        "{runs} {steps} {time:?} {distinct_traces} {states} {picks} {failing_runs} {coverage:?} {sites:?} {exhausted:?} {failures:?}"
    )
}

fn place(name: &str) -> PathBuf {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.search"));
    let _ = std::fs::remove_file(&file);
    file
}

/// Stopped after each single run, and resumed until it ends.
#[test]
fn a_search_that_is_stopped_and_resumed_comes_to_the_same() {
    let declared = Check { assumes_declared_accesses: true, ..quiet() };
    let few = Check { exhaustive: Some(Bound::Deviations(2)), ..quiet() };
    for (name, check) in [("all", quiet()), ("declared", declared), ("few", few)] {
        let check = Check { recheck_one_in: 0, ..check };
        let whole = sweep(&check, lost_update);
        let mut stopped = check.clone().resume(place(name));
        stopped.wall_max = Some(Duration::ZERO);
        let mut times = 0;
        let resumed = loop {
            times += 1;
            let report = sweep(&stopped, lost_update);
            let exhausted = report.exhausted.unwrap();
            if exhausted.is_whole {
                break report;
            }
            assert!(report.warnings().iter().any(|said| said.contains("what was not run is not proved")));
            assert!(times < 1_000, "it goes on");
        };
        assert_eq!(facts(&resumed), facts(&whole), "{name}");
        assert!(times > 3, "{name} was stopped {times} times");
        assert_eq!(facts(&sweep(&stopped, lost_update)), facts(&whole), "{name}: one that is done stays so");
    }
}

#[test]
fn a_file_of_something_else_is_refused_and_kept() {
    let file = place("refused");
    let check = quiet().resume(file.clone());
    sweep(&check, lost_update);
    let written = std::fs::read(&file).unwrap();
    let other = |sim: &mut Sim| {
        lost_update(sim);
        sim.host("c").run(|_| task::yield_now());
    };
    let said = check.sweep(other, &|_| {}).unwrap_err().to_string();
    assert!(said.contains("the program has changed since: its baseline run is another"), "{said}");
    let less = Check { exhaustive: Some(Bound::Deviations(1)), ..check.clone() };
    let said = less.sweep(lost_update, &|_| {}).unwrap_err().to_string();
    assert!(
        said.contains("it is the search of exhaustive, exhaustive all, and this is exhaustive, exhaustive 1")
    );
    assert_eq!(std::fs::read(&file).unwrap(), written, "nothing was lost");
    std::fs::write(&file, &written[..written.len() / 2]).unwrap();
    let said = check.sweep(lost_update, &|_| {}).unwrap_err().to_string();
    assert!(said.contains("cannot resume") && said.contains("line 1"), "{said}");
    let seeds = Check { exhaustive: None, ..check };
    let said = seeds.sweep(lost_update, &|_| {}).unwrap_err().to_string();
    assert!(said.starts_with("only an exhaustive search can be resumed"), "{said}");
}

#[test]
fn a_search_through_all_runs_needs_no_strategy() {
    let of =
        |strategy| facts(&sweep(&Check { recheck_one_in: 1, ..quiet().strategy(strategy) }, lost_update));
    assert_eq!(of(StrategyKind::RandomWalk), of(StrategyKind::Pct));
}
