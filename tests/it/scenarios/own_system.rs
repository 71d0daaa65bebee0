//! A system of the user's own: a counter that two tasks add to, with a lost update as planted bug.

use fatum::check::Verdict;
use fatum::scenario::{Broken, Document, Judgement, Registry, Scenario, Section, Subject, System};
use fatum::{Error, Sim, task};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

struct Counter;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Workload {
    tasks: u32,
}

struct Counting {
    tasks: u32,
    is_blind: bool,
    places: Vec<&'static str>,
    runs: AtomicU64,
}

impl System for Counter {
    fn name(&self) -> &'static str {
        "counter"
    }

    fn about(&self) -> &'static str {
        "tasks that add to one number"
    }

    fn variants(&self) -> &'static [&'static str] {
        &["correct", "blind"]
    }

    fn properties(&self) -> &'static [&'static str] {
        &["no-update-is-lost", "few-runs"]
    }

    fn places(&self) -> &'static [&'static str] {
        &["counted"]
    }

    fn example(&self) -> &'static str {
        "system = \"counter\"\ndescription = \"\"\nexpect = \"passed\"\n\n[workload]\ntasks = 2\n"
    }

    fn load(&self, section: &Section<'_>) -> Result<Box<dyn Subject>, Error> {
        let Workload { tasks } = section.workload()?;
        if tasks == 0 {
            return Err(section.error(Error::input("nothing counts with 0 tasks")));
        }
        let is_blind = section.variant() == "blind";
        let places = section.places().to_vec();
        Ok(Box::new(Counting { tasks, is_blind, places, runs: AtomicU64::new(0) }))
    }
}

impl Subject for Counting {
    fn set_up(&self, sim: &mut Sim) {
        self.runs.fetch_add(1, Ordering::Relaxed);
        self.places.iter().for_each(|place| sim.reachable(place));
        let (count, tasks, is_blind) = (Rc::new(Cell::new(0)), self.tasks, self.is_blind);
        let wanted = self.places.contains(&"counted");
        sim.run(async move {
            let mut counters = Vec::new();
            for _ in 0..tasks {
                let count = Rc::clone(&count);
                counters.push(task::spawn_local(async move {
                    let seen = count.get();
                    task::yield_point("count").await;
                    count.set(if is_blind { seen } else { count.get() } + 1);
                }));
            }
            for counter in counters {
                counter.await.unwrap();
            }
            if wanted {
                fatum::property::reachable("counted");
            }
            let found = count.get();
            fatum::property::always("no-update-is-lost", found == tasks, || format!("{found} of {tasks}"));
        });
    }

    fn judge_sweep(&self) -> Result<(), Broken> {
        let runs = self.runs.load(Ordering::Relaxed);
        if runs < 1_000 {
            return Ok(());
        }
        Err(Broken { property: "few-runs".to_owned(), detail: format!("{runs}") })
    }
}

fn sweep(text: &str) -> Judgement {
    let registry = Registry::new().with(Counter);
    let mut scenario = Scenario::parse(&Document::new("counter.toml", text), &registry).unwrap();
    scenario.check.failures_dir = None;
    scenario.check.jobs = 1;
    scenario.sweep(&|_| {}).unwrap()
}

fn text(head: &str) -> String {
    format!("system = \"counter\"\ndescription = \"\"\n{head}\n\n[workload]\ntasks = 2\n")
}

#[test]
fn the_example_passes() {
    let judgement = sweep(Counter.example());
    assert_eq!((judgement.verdict().as_str(), judgement.is_as_expected()), ("violated few-runs", false));
    let judgement = sweep(&text("expect = \"passed\"\nruns = 200"));
    assert_eq!((judgement.verdict().as_str(), judgement.is_as_expected()), ("passed", true));
}

#[test]
fn a_planted_bug_is_found_where_it_is_expected() {
    let expect = "expect = { kind = \"violated\", property = \"no-update-is-lost\" }";
    let judgement = sweep(&text(&format!("variant = \"blind\"\n{expect}\nruns = 200")));
    assert!(judgement.is_as_expected(), "{}", judgement.verdict());
    let failure = judgement.failure().unwrap();
    assert_eq!(failure.tape.deviations(), 1, "{:?}", failure.tape);
    let judgement = sweep(&text("variant = \"blind\"\nexpect = \"passed\"\nruns = 200"));
    assert_eq!(judgement.verdict(), "violated no-update-is-lost");
    assert!(!judgement.is_as_expected());
}

#[test]
fn what_all_runs_together_break_is_told() {
    let judgement = sweep(&text("expect = \"passed\"\nruns = 1200"));
    assert!(judgement.report.is_passed());
    assert_eq!(judgement.broken.clone().unwrap().property, "few-runs");
    assert_eq!((judgement.verdict().as_str(), judgement.is_as_expected()), ("violated few-runs", false));
}

#[test]
fn what_all_runs_together_break_can_be_expected() {
    let few_runs = "expect = { kind = \"violated\", property = \"few-runs\" }";
    let judgement = sweep(&text(&format!("{few_runs}\nruns = 1200")));
    assert_eq!((judgement.verdict().as_str(), judgement.is_as_expected()), ("violated few-runs", true));
    let judgement = sweep(&text(&format!("{few_runs}\nruns = 200")));
    assert_eq!((judgement.verdict().as_str(), judgement.is_as_expected()), ("passed", false));
    let other = "expect = { kind = \"violated\", property = \"no-update-is-lost\" }";
    let judgement = sweep(&text(&format!("variant = \"blind\"\n{other}\nruns = 1200")));
    assert!(!judgement.report.is_passed() && !judgement.is_as_expected());
    assert_eq!(judgement.verdict(), "violated few-runs", "the failures of the runs are expected");
}

#[test]
fn places_are_required_by_the_file() {
    let judgement =
        sweep(&(text("expect = \"passed\"\nruns = 200") + "[properties]\nsometimes = [\"counted\"]\n"));
    assert!(judgement.is_as_expected(), "{}", judgement.verdict());
    assert_eq!(judgement.report.coverage["counted"], 200);
}

#[test]
fn a_spent_budget_can_be_expected() {
    let text = text("expect = \"out-of-budget\"\nruns = 200") + "[budget]\nsteps = 2\n";
    let judgement = sweep(&text);
    assert_eq!(judgement.report.verdict, Verdict::Inconclusive);
    assert!(judgement.is_as_expected(), "{}", judgement.verdict());
}

#[test]
fn a_mistake_that_only_the_system_can_see_is_placed() {
    let registry = Registry::new().with(Counter);
    let text = text("expect = \"passed\"").replace("tasks = 2", "tasks = 0");
    let error = Scenario::parse(&Document::new("counter.toml", text), &registry).unwrap_err();
    assert_eq!(
        error.to_string(),
        "counter.toml:5:1: nothing counts with 0 tasks\n  |\n5 | [workload]\n  | ^"
    );
}
