//! Everything that a user can get wrong, with what is said about it, word for word.

use super::{Place, VIOLATED, scenario};

/// Runs a command that must fail with code 2, and compares what it says with the snapshot of that name.
fn check(name: &str, place: &Place, arguments: &str) {
    check_with(name, place, &[], arguments);
}

/// As [`check`], with these variables in the environment.
fn check_with(name: &str, place: &Place, variables: &[(&str, &str)], arguments: &str) {
    let said = place.fatum_with(variables, arguments);
    let mut snapshot = insta::Settings::clone_current();
    snapshot.set_omit_expression(true);
    snapshot.set_prepend_module_to_snapshot(false);
    snapshot.set_snapshot_path("snapshots/errors");
    let set: String = variables.iter().map(|(name, value)| format!("{name}={value} ")).collect();
    let page = format!("$ {set}fatum {arguments}\n{}{}", said.stdout, said.stderr);
    snapshot.bind(|| insta::assert_snapshot!(name, page));
    // A replay that cannot be made tells `git bisect` to skip the commit.
    let code = if arguments.starts_with("replay ") && variables.is_empty() { 125 } else { 2 };
    assert_eq!(said.code, code, "{page}");
    assert!(!page.contains("panicked at"), "{page}");
}

/// A scenario file with a mistake: a part of the good one is replaced.
fn mistake(name: &str, good: &str, bad: &str) {
    let whole = scenario("correct", "\"passed\"");
    assert!(whole.contains(good), "{good} in\n{whole}");
    let place = Place::new(&format!("mistake-{name}"));
    place.write("scenario.toml", whole.replace(good, bad));
    check(&format!("scenario-{name}"), &place, "check scenario.toml");
}

#[test]
fn mistakes_at_the_top_of_a_scenario_are_told() {
    for (name, good, bad) in [
        ("unknown-system", "\"graph\"", "\"grpah\""),
        ("unknown-key", "description =", "descripton ="),
        ("unknown-table", "[properties]", "[propertys]"),
        ("unknown-variant", "\"correct\"", "\"queued-vanishes\""),
        ("missing-expect", "expect = \"passed\"\n", ""),
        ("missing-workload", "workload", "faults.x"),
        ("wrong-type", "runs = 200", "runs = \"many\""),
        ("runs-negative", "runs = 200", "runs = -5"),
        ("runs-zero", "runs = 200", "runs = 0"),
        ("runs-huge", "runs = 200", "runs = 99999999999999999999"),
        ("unknown-strategy", "runs = 200", "strategy = \"random\""),
        ("twice", "runs = 200", "runs = 200\nruns = 300"),
        ("no-value", "runs = 200", "runs ="),
        ("open-quote", "system = \"graph\"", "system = \"graph"),
        ("unknown-place", "\"run-complete\"", "\"run-completed\""),
        ("budget-zero", "[properties]", "[budget]\nsteps = 0\n\n[properties]"),
        ("budget-key", "[properties]", "[budget]\ntimes = \"1s\"\n\n[properties]"),
        ("budget-time", "[properties]", "[budget]\ntime = 5\n\n[properties]"),
    ] {
        mistake(name, good, bad);
    }
}

#[test]
fn mistakes_in_what_is_expected_are_told() {
    for (name, bad) in [
        ("expect-kind", "\"passes\""),
        ("expect-number", "1"),
        ("expect-no-property", "\"violated\""),
        ("expect-unknown-property", "{ kind = \"violated\", property = \"conservative\" }"),
        ("expect-property-of-deadlock", "{ kind = \"deadlock\", property = \"liveness\" }"),
        ("expect-table-key", "{ kind = \"violated\", propety = \"liveness\" }"),
        ("expect-table-kind", "{ kind = \"violation\", property = \"liveness\" }"),
    ] {
        mistake(name, "\"passed\"", bad);
    }
}

#[test]
fn mistakes_in_fault_rules_are_told() {
    let rule = "kind = \"error\"\nsite = \"action.run\"\nobject = \"leaf-0\"\nprobability = 0.3\n";
    for (name, bad) in [
        ("fault-kind", "kind = \"erorr\"\nsite = \"action.run\"\nprobability = 0.3\n"),
        ("fault-key", "kind = \"error\"\nsites = \"action.run\"\nprobability = 0.3\n"),
        ("fault-no-site", "kind = \"error\"\nprobability = 0.3\n"),
        ("fault-site", "kind = \"error\"\nsite = \"action.rum\"\nprobability = 0.3\n"),
        ("fault-site-pattern", "kind = \"error\"\nsite = \"store.*\"\nprobability = 0.3\n"),
        ("fault-site-of-stall", "kind = \"stall\"\nsite = \"action.run\"\nprobability = 0.3\n"),
        ("fault-slow-without-by", "kind = \"slow\"\nsite = \"action.run\"\nprobability = 0.3\n"),
        ("fault-by", "kind = \"error\"\nsite = \"action.run\"\nby = \"1s\"\nprobability = 0.3\n"),
        ("fault-duration", "kind = \"slow\"\nsite = \"action.run\"\nby = \"5 parsecs\"\nprobability = 0.3\n"),
        ("fault-window", "kind = \"stall\"\nfrom = \"2s\"\nuntil = \"1s\"\nprobability = 0.3\n"),
        ("fault-no-probability", "kind = \"stall\"\n"),
        ("fault-probability-high", "kind = \"stall\"\nprobability = 1.5\n"),
        ("fault-probability-low", "kind = \"stall\"\nprobability = -0.1\n"),
        ("fault-probability-nan", "kind = \"stall\"\nprobability = nan\n"),
        ("fault-probability-text", "kind = \"stall\"\nprobability = \"0.1\"\n"),
        ("fault-budget", "kind = \"stall\"\nprobability = 0.1\nbudget = -1\n"),
    ] {
        mistake(name, rule, bad);
    }
}

#[test]
fn mistakes_in_the_workload_are_told() {
    for (name, good, bad) in [
        ("workload-key", "fan-out = 5", "fan-out = 5\nfan-in = 5"),
        ("workload-graph", "graph.star]\nfan-out = 5", "graph.stra]\nfan-out = 5"),
        ("workload-value", "\"stop-on-error\"", "\"stop-on-eror\""),
        ("workload-duration", "duration = \"1s\"", "duration = \"1.5s\""),
        ("workload-type", "fan-out = 5", "fan-out = \"five\""),
        ("workload-size", "fan-out = 5", "fan-out = 50000000"),
        ("workload-variant", "\"stop-on-error\"", "\"stop-on-error\"\nvariant = \"queued-vanish\""),
    ] {
        mistake(name, good, bad);
    }
}

#[test]
fn files_that_are_no_scenarios_are_told() {
    let place = Place::new("no-scenarios");
    let garbage: Vec<u8> = (0..=255).rev().collect();
    place.write("empty.toml", "").write("blank.toml", " \n\n").write("garbage.toml", garbage);
    place.write("zeros.toml", [0; 64]).write("large.toml", vec![b'#'; 10 << 20]);
    place.write("deep.toml", format!("x = {}", "[".repeat(100_000))).write("nothing/readme.md", "none");
    for (name, arguments) in [
        ("file-missing", "check missing.toml"),
        ("file-empty", "check empty.toml"),
        ("file-blank", "check blank.toml"),
        ("file-garbage", "check garbage.toml"),
        ("file-zeros", "check zeros.toml"),
        ("file-large", "check large.toml"),
        ("file-deep", "check deep.toml"),
        ("file-none-below", "check nothing"),
        ("file-default-missing", "check"),
        ("file-is-directory", "run nothing"),
        ("list-missing", "list missing"),
        ("list-unknown-example", "list --example grahp"),
        ("run-missing", "run missing.toml"),
    ] {
        check(name, &place, arguments);
    }
}

#[test]
fn every_bad_file_is_told_at_once() {
    let place = Place::new("many-bad");
    let good = scenario("correct", "\"passed\"");
    place.write("scenarios/good.toml", &good).write("scenarios/a.toml", good.replace("runs", "rnus"));
    place.write("scenarios/deeper/b.toml", good.replace("1s", "1y"));
    check("file-many", &place, "check");
}

#[test]
fn mistakes_in_flags_are_told() {
    let place = Place::new("flags");
    place.write("s.toml", scenario("correct", "\"passed\""));
    place.write("file", "");
    for (name, arguments) in [
        ("flag-none", ""),
        ("flag-command", "chekc s.toml"),
        ("flag-unknown", "check s.toml --run 5"),
        ("flag-runs-zero", "check s.toml --runs 0"),
        ("flag-runs", "check s.toml --runs many"),
        ("flag-for", "check s.toml --for 30"),
        ("flag-for-and-runs", "check s.toml --for 30s --runs 5"),
        ("flag-strategy", "check s.toml --strategy oldest"),
        ("flag-jobs", "check s.toml --jobs all"),
        ("flag-shard-too-high", "check s.toml --shard 3/2"),
        ("flag-shard-zero", "check s.toml --shard 0/0"),
        ("flag-shard", "check s.toml --shard first"),
        ("flag-exhaustive", "check s.toml --exhaustive few"),
        ("flag-exhaustive-and-runs", "check s.toml --exhaustive 1 --runs 5"),
        ("flag-seed-base", "check s.toml --seed-base any"),
        ("flag-json-directory-missing", "check s.toml --json missing/report.json"),
        ("flag-json-is-directory", "check s.toml --json ."),
        ("flag-json-below-file", "check s.toml --json file/report.json"),
        ("flag-run-seed", "run s.toml --seed first"),
        ("flag-run-strategy", "run s.toml --strategy bfs"),
        ("flag-run-format", "run s.toml --format yaml"),
        ("flag-run-nothing", "run"),
        ("flag-replay-nothing", "replay"),
        ("flag-trace-format", "trace s.toml --format protobuf"),
    ] {
        check(name, &place, arguments);
    }
}

#[test]
fn mistakes_in_the_environment_are_told() {
    let place = Place::new("environment");
    place.write("s.toml", scenario("correct", "\"passed\""));
    for (name, variable, value) in [
        ("environment-seed", "FATUM_SEED", "first"),
        ("environment-seed-huge", "FATUM_SEED", "18446744073709551616"),
        ("environment-runs-zero", "FATUM_RUNS", "0"),
        ("environment-runs-negative", "FATUM_RUNS", "-1"),
        ("environment-jobs", "FATUM_JOBS", "all"),
        ("environment-shard", "FATUM_SHARD", "2/2"),
        ("environment-trace", "FATUM_TRACE", "yaml"),
    ] {
        check_with(name, &place, &[(variable, value)], "check s.toml");
    }
    check_with("environment-replay", &place, &[("FATUM_TRACE", "protobuf")], "replay s.toml");
    check_with("environment-exhaustive", &place, &[("FATUM_SHARD", "0/2")], "check s.toml --exhaustive 1");
}

#[test]
#[cfg(target_os = "linux")]
fn a_scenario_whose_path_is_no_text_is_told() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new("path-no-text");
    let name = std::ffi::OsStr::from_bytes(b"bad-\xff.toml");
    std::fs::write(place.path("").join(name), scenario("queued-vanish", VIOLATED)).unwrap();
    check("file-path-no-text", &place, "check . --json report.json");
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_without_end_is_told() {
    check("failure-endless", &Place::new("endless"), "replay /dev/zero");
}

#[test]
fn files_that_are_no_failures_are_told() {
    let place = Place::new("no-failures");
    place.with_failure();
    let good = place.read("failure.toml");
    let change = |name: &str, from: &str, to: &str| {
        assert!(good.contains(from), "{from} in\n{good}");
        place.write(name, good.replacen(from, to, 1));
    };
    let garbage: Vec<u8> = (0..=255).rev().collect();
    place.write("empty.toml", "").write("garbage.toml", garbage).write("half.toml", &good[..good.len() / 2]);
    change("version.toml", "version = 1", "version = 99");
    change("key.toml", "version = 1", "version = 1\nvresion = 1");
    change("kind.toml", "kind = \"violated\"", "kind = \"vanished\"");
    change("strategy.toml", "strategy = \"portfolio\"", "strategy = \"random\"");
    change("tape.toml", "occurrence = 1", "occurrence = 0");
    change("scenario-gone.toml", "scenario = \"bug.toml\"", "scenario = \"gone.toml\"");
    change("scenario-bad.toml", "scenario = \"bug.toml\"", "scenario = \"bad.toml\"");
    place.write("bad.toml", scenario("correct", "\"pased\""));
    change("test.toml", "scenario = \"bug.toml\"\n", "");
    for (name, arguments) in [
        ("failure-missing", "replay missing.toml"),
        ("failure-is-directory", "replay fatum-failures"),
        ("failure-empty", "replay empty.toml"),
        ("failure-garbage", "replay garbage.toml"),
        ("failure-half", "replay half.toml"),
        ("failure-is-scenario", "replay bug.toml"),
        ("failure-version", "replay version.toml"),
        ("failure-key", "replay key.toml"),
        ("failure-kind", "replay kind.toml"),
        ("failure-strategy", "replay strategy.toml"),
        ("failure-tape", "replay tape.toml"),
        ("failure-scenario-gone", "replay scenario-gone.toml"),
        ("failure-scenario-bad", "replay scenario-bad.toml"),
        ("failure-of-a-test", "replay test.toml"),
        ("shrink-scenario-gone", "shrink scenario-gone.toml"),
        ("story-missing", "story missing.toml"),
        ("story-of-a-test", "story test.toml"),
        ("trace-empty", "trace empty.toml"),
        ("promote-missing", "promote missing.toml"),
        ("promote-half", "promote half.toml"),
        ("promote-below-file", "promote failure.toml --to empty.toml"),
    ] {
        check(name, &place, arguments);
    }
}

#[test]
fn what_cannot_be_done_with_a_good_failure_file_is_told() {
    let place = Place::new("refused");
    place.with_failure();
    place.write("bug.toml", scenario("correct", VIOLATED));
    check("shrink-passes", &place, "shrink failure.toml");
    let other = place.read("failure.toml").replace("deviations = ", "deviations = 1");
    place.write("tests/regressions/failure.toml", other);
    check("promote-other-there", &place, "promote failure.toml");
    place.write("tests/regressions/failure.toml", "broken");
    check("promote-broken-there", &place, "promote failure.toml");
    check("check-broken-regression", &place, "check bug.toml");
}

#[test]
fn mistakes_about_points_are_told() {
    let place = Place::new("mistake-points");
    place.write("scenario.toml", scenario("correct", "\"passed\""));
    check("points-unknown", &place, "check scenario.toml --points crsh");
    check("points-none", &place, "check scenario.toml --points crash");
    check("points-and-runs", &place, "check scenario.toml --points crash --runs 5");
}
