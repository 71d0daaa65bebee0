//! What each command does when all is well.

use super::{Place, VIOLATED, scenario};

#[test]
fn check_passes_when_all_is_as_expected() {
    let place = Place::new("as-expected");
    place.write("scenarios/good.toml", scenario("correct", "\"passed\""));
    place.write("scenarios/bugs/bad.toml", scenario("queued-vanish", VIOLATED));
    let said = place.fatum("check");
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    assert!(said.stdout.contains("scenarios/bugs/bad.toml: violated conservation, as expected, in "));
    assert!(said.stdout.contains(" replay fatum-failures/"), "{}", said.stdout);
    assert!(said.stdout.ends_with("2 scenarios, 400 runs: all as expected\n"), "{}", said.stdout);
    assert_eq!(said.stderr.lines().count(), 2, "{}", said.stderr);
    assert!(said.stderr.starts_with("[1/2] scenarios/bugs/bad.toml: 200 runs, violated conservation"));
}

#[test]
fn check_fails_when_a_bug_is_not_expected() {
    let place = Place::new("unexpected");
    place.write("scenarios/bad.toml", scenario("queued-vanish", "\"passed\""));
    let said = place.fatum("check");
    assert_eq!(said.code, 1, "{}{}", said.stdout, said.stderr);
    for part in
        ["violated conservation, expected passed", "FAILED after", " replay fatum-failures/", "NO: passed"]
    {
        assert!(said.stdout.contains(part), "{part} in\n{}", said.stdout);
    }
}

#[test]
fn check_fails_when_an_expected_bug_is_not_found() {
    let place = Place::new("not-found");
    place.write("scenarios/good.toml", scenario("correct", VIOLATED));
    let said = place.fatum("check");
    assert_eq!(said.code, 1, "{}{}", said.stdout, said.stderr);
    assert!(said.stdout.contains("passed, expected violated conservation"), "{}", said.stdout);
}

#[test]
fn check_fails_when_a_bug_breaks_another_property() {
    let place = Place::new("other-property");
    let expect = r#"{ kind = "violated", property = "liveness" }"#;
    place.write("scenarios/bad.toml", scenario("queued-vanish", expect));
    let said = place.fatum("check");
    assert_eq!(said.code, 1, "{}{}", said.stdout, said.stderr);
    assert!(said.stdout.contains("violated conservation, expected violated liveness"), "{}", said.stdout);
}

#[test]
fn check_fails_when_a_place_is_never_reached() {
    let place = Place::new("uncovered");
    let text = scenario("correct", "\"passed\"").replace("run-complete", "action-abandoned");
    place.write("scenarios/good.toml", text);
    let said = place.fatum("check");
    assert_eq!(said.code, 1, "{}{}", said.stdout, said.stderr);
    assert!(said.stdout.contains("never met in 200 runs: action-abandoned"), "{}", said.stdout);
}

#[test]
fn check_tells_choice_points_on_demand() {
    let place = Place::new("verbose");
    let rule = "[[faults.rule]]\nkind = \"late-timer\"\nprobability = 0.5\nfrom = \"1h\"\n\n[properties]";
    place.write("s.toml", scenario("correct", "\"passed\"").replace("[properties]", rule));
    let said = place.fatum("check s.toml -v");
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    for part in ["s.toml: choice points", "schedule", "action.run", "timer.late"] {
        assert!(said.stdout.contains(part), "{part} in\n{}", said.stdout);
    }
}

#[test]
fn check_sweeps_for_a_time_in_shards_and_exhaustively() {
    let place = Place::new("bounds");
    place.write("s.toml", scenario("correct", "\"passed\""));
    for (flags, runs) in [
        ("--runs 40", "1 scenario, 40 runs"),
        ("--runs 128 --shard 1/2", "1 scenario, 64 runs"),
        ("--runs 10 --shard 1/2", "1 scenario, 5 runs"),
        ("--exhaustive 0", "1 scenario, 1 runs"),
        ("--for 200ms", "all as expected"),
        ("--strategy oldest-first --runs 120", "120 runs"),
    ] {
        let said = place.fatum(&format!("check s.toml {flags}"));
        assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
        assert!(said.stdout.contains(runs), "{flags}: {}", said.stdout);
    }
}

#[test]
fn a_random_seed_base_is_printed_and_can_be_repeated() {
    let place = Place::new("seed-base");
    place.write("s.toml", scenario("correct", "\"passed\""));
    let drawn = place.fatum("check s.toml --seed-base random");
    let seed = drawn.stderr.strip_prefix("seed base ").and_then(|rest| rest.split_once(':')).unwrap().0;
    let again = place.fatum(&format!("check s.toml --seed-base {seed}"));
    assert_eq!((drawn.code, again.code), (0, 0));
    assert_eq!(drawn.stdout, again.stdout);
}

#[test]
fn run_prints_the_trace_and_the_end_of_one_seed() {
    let place = Place::new("run");
    place.write("s.toml", scenario("correct", "\"passed\""));
    let said = place.fatum("run s.toml --seed 3");
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    for part in ["graph.run-started", "spawn main/worker", "\nseed 3: passed\n"] {
        assert!(said.stdout.contains(part), "{part} in\n{}", said.stdout);
    }
    assert_eq!(said.stdout, place.fatum("run s.toml --seed 3").stdout);
    let lines = place.fatum("run s.toml --seed 3 --format jsonl").stdout;
    assert!(lines.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{lines}");
}

#[test]
fn list_tells_what_there_is() {
    let place = Place::new("list");
    place.write("scenarios/bad.toml", scenario("queued-vanish", VIOLATED));
    let said = place.fatum("list");
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    for part in ["  graph: executors", "random-walk", "scenarios/bad.toml", "violated conservation"] {
        assert!(said.stdout.contains(part), "{part} in\n{}", said.stdout);
    }
}

#[test]
fn the_example_of_a_system_is_a_scenario_that_passes() {
    let place = Place::new("example");
    let example = place.fatum("list --example graph");
    place.write("scenarios/example.toml", example.stdout);
    let said = place.fatum("check");
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
}

#[test]
fn help_is_no_error() {
    let place = Place::new("help");
    for arguments in ["--help", "check --help", "replay --help", "--version"] {
        let said = place.fatum(arguments);
        assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{arguments}");
    }
}

#[test]
fn a_shard_without_runs_is_not_as_expected() {
    let place = Place::new("no-runs");
    place.write("s.toml", scenario("correct", "\"passed\""));
    let said = place.fatum("check s.toml --runs 1 --shard 1/2");
    assert_eq!(said.code, 1, "{}{}", said.stdout, said.stderr);
    for part in ["s.toml: no runs, expected passed", "warning: no run was made"] {
        assert!(said.stdout.contains(part), "{part} in\n{}", said.stdout);
    }
}

#[test]
fn a_sweep_out_of_budget_tells_who_waits_on_what() {
    let place = Place::new("out-of-budget");
    let budget = "[budget]\nsteps = 5\n\n[properties]";
    place.write("s.toml", scenario("correct", "\"passed\"").replace("[properties]", budget));
    let said = place.fatum("check s.toml");
    assert_eq!(said.code, 1, "{}{}", said.stdout, said.stderr);
    for part in [
        "s.toml: out-of-budget, expected passed",
        "INCONCLUSIVE after ",
        "out of budget, nothing proved",
        "who waits on what:\n  main",
        "first in run 1 (seed 0, ",
        " run s.toml --seed 0",
    ] {
        assert!(said.stdout.contains(part), "{part} in\n{}", said.stdout);
    }
    let expected = scenario("correct", "\"out-of-budget\"").replace("[properties]", budget);
    place.write("s.toml", expected);
    let said = place.fatum("check s.toml");
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    assert!(place.fatum("check s.toml -v").stdout.contains("INCONCLUSIVE after "));
    let said = place.fatum("check s.toml --runs 1 --shard 1/2");
    assert_eq!(said.code, 1, "no runs are not as expected either: {}", said.stdout);
}

#[test]
fn an_exhaustive_search_is_named_in_page_file_and_report() {
    let place = Place::new("exhaustive");
    place.write("s.toml", scenario("queued-vanish", VIOLATED));
    let said = place.fatum("check s.toml --exhaustive 1 -v --json report.json");
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    assert!(said.stdout.contains(" (exhaustive); "), "{}", said.stdout);
    assert!(!said.stdout.contains("random-walk"), "{}", said.stdout);
    let file = place.read(&place.failure_files()[0]);
    assert!(file.contains("found_by = \"exhaustive\"\n") && !file.contains("\nseed = "), "{file}");
    assert!(place.read("report.json").contains("\"seed\": null"));
    assert_eq!(place.fatum(&format!("replay {}", place.failure_files()[0])).code, 10);
}

#[test]
fn an_exhaustive_search_says_what_it_proves_and_goes_on_from_its_file() {
    let place = Place::new("resume");
    place.write("s.toml", scenario("correct", "\"passed\""));
    let search = "check s.toml --exhaustive 1 --resume at.json";
    let said = place.fatum(search);
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    let proof = said.stdout.lines().find(|line| line.starts_with("s.toml: no violation: all ")).unwrap();
    assert!(proof.ends_with(" runs with at most 1 deviation were made"), "{proof}");
    assert_eq!(place.fatum(search).stdout, said.stdout, "what is done is not done again");
    let other = place.fatum("check s.toml --exhaustive 2 --resume at.json");
    assert_eq!(other.code, 2);
    let clash =
        "cannot resume at.json: it is the search of s.toml, exhaustive 1, and this is s.toml, exhaustive 2";
    assert!(other.stderr.contains(clash), "{}", other.stderr);
    place.write("t.toml", scenario("correct", "\"passed\""));
    let two = place.fatum("check s.toml t.toml --exhaustive 1 --resume at.json");
    assert!(two.stderr.contains("--resume takes one scenario, and there are 2"), "{}", two.stderr);
}
