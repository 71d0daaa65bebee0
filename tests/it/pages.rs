//! What people read: a trace, as text and as JSON Lines, a failure report, and the story of each planted bug.

use fatum::Sim;
use fatum::check::{Check, Failure};
use fatum::fault::{FaultKind, FaultPlan, FaultRule};
use fatum::runtime::LeakPolicy;
use fatum::scenario::{Registry, Scenario};
use fatum::systems::graph::workload::{Workload, run};
use fatum::systems::graph::{Punctuality, Variant, install};
use fatum::trace;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// `b` waits for `a`, which fails under the one deviation; the planted bug signals all the same.
const PAIR: &str = r#"
behaviour = { duration = "1s" }
graph.actions = [{ name = "a" }, { name = "b", wants = ["a"] }]
"#;

fn pair(sim: &mut Sim) {
    let mut workload: Workload = toml::from_str(PAIR).unwrap();
    workload.executor.variant = Variant::SuccessBeforeErrorCheck;
    install(sim, Punctuality::Exact);
    sim.run(async move { drop(run(&workload).await) });
}

fn failing_check() -> Check {
    let plan = FaultPlan::none().with(FaultRule::new("action.run", FaultKind::Error, 0.2));
    Check { failures_dir: None, leaks: LeakPolicy::Allow, ..Check::new("a pair") }.faults(plan)
}

fn failure() -> (Check, fatum::check::Report) {
    let check = failing_check();
    let report = check.sweep(pair, &|_| {}).unwrap();
    (check, report)
}

#[test]
fn a_trace_is_read_line_by_line() {
    let (_, report) = failure();
    insta::assert_snapshot!("trace", trace::text::render(&report.failures[0].run.trace));
}

#[test]
fn a_trace_is_read_by_machines() {
    let (_, report) = failure();
    let lines = trace::jsonl::render(&report.failures[0].run.trace);
    for line in lines.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    insta::assert_snapshot!("trace-jsonl", lines);
}

#[test]
fn a_failure_report_says_what_broke_how_and_how_to_repeat_it() {
    let (check, report) = failure();
    insta::assert_snapshot!("failure", check.render(&report));
}

/// The failures of the planted bugs, in 300 runs each.
fn planted() -> Vec<(String, Failure)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/bugs/graph");
    let mut files: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut all = Vec::new();
    for file in files {
        let mut scenario = Scenario::read(&file, &Registry::shipped()).unwrap();
        (scenario.check.failures_dir, scenario.check.runs) = (None, 300);
        let report = scenario.check.sweep(scenario.program(), &|_| {}).unwrap();
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        all.extend(report.failures.into_iter().map(|failure| (name.clone(), failure)));
    }
    all
}

#[test]
fn each_story_names_every_deviation_with_its_task_site_and_time_in_ten_lines() {
    let mut bugs = BTreeSet::new();
    for (name, failure) in planted() {
        let story = &failure.story;
        let page = story.join("\n");
        assert!(story.len() <= 10, "{name}:\n{page}");
        for deviation in &failure.tape.choice {
            let task = deviation.owner.split('@').next().unwrap();
            let told = story.iter().any(|line| line.contains(&deviation.site) && line.contains(task));
            assert!(told, "{name}: {} of {task}\n{page}", deviation.site);
        }
        for entry in &failure.tape.schedule {
            for by in &entry.by {
                let told = story.iter().any(|line| line.contains(&entry.task) && line.contains(by));
                assert!(told, "{name}: {by} before {}\n{page}", entry.task);
            }
        }
        let timed = |line: &String| line.trim_start().starts_with(|first: char| first.is_ascii_digit());
        assert!(story.iter().all(timed), "{name}:\n{page}");
        bugs.insert(name.clone());
    }
    assert!(bugs.len() >= 8, "{bugs:?}");
}
