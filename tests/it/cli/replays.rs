//! The way of a failure: found, replayed, told, shrunk, kept, and met again after an edit.

use super::{Place, VIOLATED, scenario};
use std::fs;
use std::path::Path;

const VIOLATED_CODE: i32 = 10;
const DIVERGED_CODE: i32 = 18;

#[test]
fn replay_repeats_the_run_and_exits_with_the_code_of_its_kind() {
    let place = Place::new("replay");
    place.with_failure();
    for _ in 0..2 {
        let said = place.fatum("replay failure.toml");
        assert_eq!(said.code, VIOLATED_CODE, "{}{}", said.stdout, said.stderr);
        assert!(said.stdout.contains("reproduced, the same run to the last event"), "{}", said.stdout);
    }
}

#[test]
fn a_cancellation_replays_and_shrinks_though_no_flag_says_that_tasks_are_cancelled() {
    let place = Place::new("replay-cancelled");
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/controller/garbage.toml");
    place.write("garbage.toml", fs::read(scenario).unwrap());
    // Who cancels a task of the collector stops it, or a part of it.
    let said = place.fatum("check garbage.toml --points cancel --json report.json");
    assert_eq!(said.code, 1, "{}{}", said.stdout, said.stderr);
    assert!(said.stdout.contains("fault: cancelled at task.cancel, in collector/"), "{}", said.stdout);
    let report: serde_json::Value = serde_json::from_str(&place.read("report.json")).unwrap();
    let points = &report["scenarios"][0]["points"];
    assert_eq!((&points["kind"], &points["found"]), (&"cancel".into(), &points["covered"]), "{points}");
    for file in place.failure_files() {
        let said = place.fatum(&format!("replay {file}"));
        assert!(said.stdout.contains("reproduced, the same run to the last event"), "{}", said.stdout);
        let said = place.fatum(&format!("shrink {file}"));
        assert!(said.stdout.contains("the file says so already"), "{}", said.stdout);
    }
}

#[test]
fn every_failure_file_of_a_sweep_is_repeated_by_a_new_process_in_any_order() {
    let place = Place::new("replay-all");
    let bugs = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/bugs/graph");
    for entry in fs::read_dir(bugs).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        place.write(&format!("scenarios/{name}"), fs::read(&path).unwrap());
    }
    let said = place.fatum("check scenarios --runs 600");
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    let files = place.failure_files();
    assert!(files.len() >= 9, "{files:?}");
    for file in files.iter().chain(files.iter().rev()) {
        let said = place.fatum(&format!("replay {file}"));
        assert_eq!(said.code, VIOLATED_CODE, "{file}: {}{}", said.stdout, said.stderr);
        assert!(
            said.stdout.contains("reproduced, the same run to the last event"),
            "{file}: {}",
            said.stdout
        );
    }
}

#[test]
fn replay_passes_when_the_bug_is_gone() {
    let place = Place::new("replay-fixed");
    place.with_failure();
    place.write("bug.toml", scenario("correct", VIOLATED));
    let said = place.fatum("replay failure.toml");
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    assert!(said.stdout.contains("passes now"), "{}", said.stdout);
}

#[test]
fn replay_of_another_failure_is_a_divergence() {
    let place = Place::new("replay-diverged");
    place.with_failure();
    place.write("bug.toml", scenario("extra-worker", VIOLATED));
    let said = place.fatum("replay failure.toml");
    assert_eq!(said.code, DIVERGED_CODE, "{}{}", said.stdout, said.stderr);
    assert!(said.stdout.contains("fails in another way"), "{}", said.stdout);
}

#[test]
fn a_story_has_ten_lines_and_ends_with_what_broke() {
    let place = Place::new("story");
    place.with_failure();
    let said = place.fatum("story failure.toml");
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    let (story, beside) = said.stdout.split_once("\n\n").unwrap();
    assert!(story.lines().count() <= 10, "{}", said.stdout);
    assert!(story.lines().last().unwrap().contains("property `conservation` was broken"));
    let heads = [
        "a run that passes lacks only:  1s  main/worker/leaf-0: fault action.run",
        "  what came of it:",
        "  and where",
    ];
    assert!(beside.lines().zip(heads).all(|(line, head)| line.starts_with(head)), "{beside}");
    assert_eq!(beside.lines().count(), 3);
}

#[test]
fn a_failure_differs_from_its_nearest_passing_run_where_it_deviates() {
    let place = Place::new("diff");
    place.with_failure();
    let said = place.fatum("diff failure.toml");
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    let lines: Vec<&str> = said.stdout.lines().collect();
    let heads: Vec<&str> = lines.iter().copied().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(heads.len(), 3, "{}", said.stdout);
    assert!(
        heads[0].starts_with("equal for ") && heads[0].ends_with(" events, the last of them:"),
        "{heads:?}"
    );
    assert_eq!(heads[1..], ["failure.toml:", "the nearest passing run:"]);
    let next = |head: &str| lines[lines.iter().position(|line| *line == head).unwrap() + 1];
    assert_ne!(next(heads[1]), next(heads[2]), "{}", said.stdout);
    let same = place.fatum("diff failure.toml failure.toml");
    assert!(same.stdout.starts_with("no difference in "), "{}{}", same.stdout, same.stderr);
}

#[test]
fn a_trace_opens_in_perfetto() {
    let place = Place::new("perfetto");
    place.with_failure();
    let said = place.fatum("trace failure.toml --format perfetto");
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    let parsed: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    let events = parsed["traceEvents"].as_array().unwrap();
    let count = |key: &str, value: &str| events.iter().filter(|event| event[key] == value).count();
    assert!(count("name", "process_name") > 0 && count("name", "thread_name") > 0, "{}", said.stdout);
    assert_eq!(count("cat", "violation"), 1, "{}", said.stdout);
    assert!(count("cat", "deviation") + count("cat", "fault") > 0, "{}", said.stdout);
    assert!(count("ph", "X") > 0);
}

#[test]
fn a_trace_is_for_people_or_machines() {
    let place = Place::new("trace");
    place.with_failure();
    let text = place.fatum("trace failure.toml");
    assert_eq!(text.code, 0, "{}{}", text.stdout, text.stderr);
    assert!(text.stdout.contains("VIOLATED conservation"), "{}", text.stdout);
    let lines = place.fatum("trace failure.toml --format jsonl");
    assert_eq!(lines.stdout.lines().count(), text.stdout.lines().count());
    assert!(lines.stdout.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
}

#[test]
fn shrink_leaves_what_is_minimal() {
    let place = Place::new("shrink");
    place.with_failure();
    let said = place.fatum("shrink failure.toml");
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    assert!(said.stdout.contains("the file says so already"), "{}", said.stdout);
}

#[test]
fn shrink_drops_a_deviation_that_does_not_matter() {
    let place = Place::new("shrink-more");
    place.with_failure();
    let more =
        "\n[[tape.choice]]\nsite = \"task.spawn\"\nowner = \"main/worker\"\noccurrence = 1\noption = 1\n";
    place.write("more.toml", place.read("failure.toml") + more);
    let said = place.fatum("shrink more.toml");
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    let saved = said.stdout.lines().find_map(|line| line.strip_prefix("saved to ")).unwrap();
    let tape = |text: String| text.split_once("[tape").map(|(_, tape)| tape.to_owned()).unwrap();
    assert_eq!(tape(place.read(saved)), tape(place.read("failure.toml")));
}

#[test]
fn a_promoted_failure_is_replayed_first_by_every_check() {
    let place = Place::new("promote");
    place.with_failure();
    let said = place.fatum("promote failure.toml");
    assert_eq!((said.code, said.stdout.as_str()), (0, "kept as tests/regressions/failure.toml; commit it\n"));
    assert_eq!(place.fatum("promote failure.toml").code, 0, "twice is no mistake");
    place.write("other.saved", place.read("failure.toml"));
    let said = place.fatum("promote other.saved --to elsewhere");
    assert_eq!((said.code, said.stdout.as_str()), (0, "kept as elsewhere/other.toml; commit it\n"));
    place.write("bug.toml", scenario("queued-vanish", "\"passed\""));
    let said = place.fatum("check bug.toml --runs 1");
    assert_eq!(said.code, 1, "{}{}", said.stdout, said.stderr);
    assert!(said.stdout.contains("replay of tests/regressions/failure.toml: reproduced"), "{}", said.stdout);
    place.write("bug.toml", scenario("correct", "\"passed\""));
    let said = place.fatum("check bug.toml --runs 1");
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
}

#[test]
fn a_regression_is_met_however_the_path_of_its_scenario_is_written() {
    let place = Place::new("promote-paths");
    place.with_failure();
    assert_eq!(place.fatum("promote failure.toml").code, 0);
    place.write("bug.toml", scenario("queued-vanish", "\"passed\"")).write("below/nothing.txt", "");
    let absolute = place.path("bug.toml");
    for path in ["bug.toml", "./bug.toml", "below/../bug.toml", absolute.to_str().unwrap()] {
        let said = place.fatum(&format!("check {path} --runs 1"));
        assert!(
            said.stdout.contains("replay of tests/regressions/failure.toml: reproduced"),
            "{path}: {}",
            said.stdout
        );
    }
}

#[test]
fn a_regression_that_spends_its_budget_does_not_pass() {
    let place = Place::new("promote-budget");
    place.with_failure();
    assert_eq!(place.fatum("promote failure.toml").code, 0);
    let budget = "[budget]\nsteps = 5\n\n[properties]";
    place.write("bug.toml", scenario("queued-vanish", "\"passed\"").replace("[properties]", budget));
    let said = place.fatum("check bug.toml --runs 1");
    let part = "replay of tests/regressions/failure.toml: fails in another way, out-of-budget";
    assert!(said.stdout.contains(part), "{}", said.stdout);
}

#[test]
fn replay_prints_the_whole_trace_on_demand() {
    let place = Place::new("replay-trace");
    place.with_failure();
    let text = place.fatum("trace failure.toml").stdout;
    let said = place.fatum_with(&[("FATUM_TRACE", "text")], "replay failure.toml");
    assert_eq!(said.code, VIOLATED_CODE);
    assert!(said.stdout.ends_with(&text), "{}", said.stdout);
    assert!(!place.fatum("replay failure.toml").stdout.contains("graph.run-started"));
}

#[test]
fn a_replay_that_cannot_be_made_is_skipped_by_a_bisection() {
    let place = Place::new("replay-skip");
    place.with_failure();
    std::fs::rename(place.path("bug.toml"), place.path("moved.toml")).unwrap();
    assert_eq!(place.fatum("replay failure.toml").code, 125);
    place.write("bug.toml", "system = \"another\"");
    assert_eq!(place.fatum("replay failure.toml").code, 125);
    assert_eq!(place.fatum("replay missing.toml").code, 125);
    assert_eq!(place.fatum("story failure.toml").code, 2, "only replay is run by a bisection");
    assert_eq!(place.fatum("replay").code, 2);
}
