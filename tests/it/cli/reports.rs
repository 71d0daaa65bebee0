//! The report for machines: its keys are a promise.

use super::{Place, VIOLATED, scenario};
use serde_json::Value;

fn report(place: &Place, flags: &str) -> Value {
    let said = place.fatum(&format!("check --json report.json {flags}"));
    assert!(said.code < 2, "{}{}", said.stdout, said.stderr);
    serde_json::from_str(&place.read("report.json")).unwrap()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn sorted(names: &str) -> Vec<&str> {
    let mut names: Vec<&str> = names.split_whitespace().collect();
    names.sort_unstable();
    names
}

#[test]
fn the_report_has_these_keys_and_no_others() {
    let place = Place::new("report");
    place.write("scenarios/a.toml", scenario("queued-vanish", VIOLATED));
    place.write("scenarios/b.toml", scenario("correct", "\"passed\""));
    let report = report(&place, "");
    assert_eq!(keys(&report), ["scenarios", "version"]);
    assert_eq!(report["version"], 1);
    let [bad, good] = report["scenarios"].as_array().unwrap().as_slice() else { panic!("{report}") };
    for entry in [bad, good] {
        let expected = "scenario system runs steps virtual_seconds distinct_traces faults_fired coverage verdict \
                        expected as_expected failure failing_runs failure_rate_95";
        assert_eq!(keys(entry), sorted(expected));
        assert_eq!(keys(&entry["coverage"][0]), ["hits", "name"]);
        assert_eq!(entry["failure_rate_95"].as_array().map(Vec::len), Some(2));
        assert_eq!((&entry["as_expected"], &entry["runs"]), (&Value::from(true), &Value::from(200)));
    }
    assert_eq!(good["failure"], Value::Null);
    assert_eq!(
        (&good["failing_runs"], &good["failure_rate_95"][1]),
        (&Value::from(0), &Value::from(3.0 / 200.0))
    );
    assert_eq!((&bad["verdict"], &good["verdict"]), (&bad["expected"], &good["expected"]));
    let failure = &bad["failure"];
    assert_eq!(keys(failure), sorted("kind property seed deviations shrunk_deviations file"));
    assert_eq!((&failure["kind"], &failure["property"]), (&"violated".into(), &"conservation".into()));
    assert_eq!(failure["file"], place.failure_files()[0]);
}

#[test]
fn the_report_does_not_depend_on_the_number_of_jobs() {
    let place = Place::new("report-jobs");
    place.write("scenarios/a.toml", scenario("queued-vanish", VIOLATED));
    place.write("scenarios/b.toml", scenario("correct", "\"passed\""));
    assert_eq!(report(&place, "--jobs 1"), report(&place, "--jobs 2"));
}

#[test]
fn a_scenario_that_is_not_as_expected_says_so() {
    let place = Place::new("report-unexpected");
    place.write("scenarios/a.toml", scenario("correct", VIOLATED));
    let entry = &report(&place, "")["scenarios"][0];
    assert_eq!(entry["as_expected"], false);
    assert_eq!((&entry["verdict"], &entry["expected"]), (&"passed".into(), &"violated conservation".into()));
}

#[test]
fn shards_are_joined_and_judged_as_one() {
    let place = Place::new("merge");
    place.write("scenarios/a.toml", scenario("queued-vanish", VIOLATED));
    place.write("scenarios/b.toml", scenario("correct", "\"passed\""));
    let whole = report(&place, "");
    for shard in ["0", "1", "2"] {
        place.fatum(&format!("check --shard {shard}/3 --json {shard}.json"));
    }
    let said = place.fatum("merge 0.json 1.json 2.json --json all.json");
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    assert!(said.stdout.ends_with("400 runs: all as expected\n"), "{}", said.stdout);
    let joined: Value = serde_json::from_str(&place.read("all.json")).unwrap();
    for (all, one) in
        joined["scenarios"].as_array().unwrap().iter().zip(whole["scenarios"].as_array().unwrap())
    {
        for key in
            ["scenario", "runs", "steps", "faults_fired", "failing_runs", "coverage", "verdict", "expected"]
        {
            assert_eq!(all[key], one[key], "{key}");
        }
    }
    let twice = place.fatum("merge 0.json 1.json 0.json");
    assert_eq!(twice.code, 2);
    assert!(
        twice.stderr.contains("0.json: shard 0/3 of scenarios/a.toml was joined already"),
        "{}",
        twice.stderr
    );
    place.write("bad.json", "{\"version\": 1}");
    let bad = place.fatum("merge bad.json");
    assert!(
        bad.stderr.contains("bad.json is no report of `fatum check --json`: missing field"),
        "{}",
        bad.stderr
    );
    place.write("new.json", "{\"version\": 9, \"scenarios\": []}");
    let new = place.fatum("merge new.json");
    assert!(new.stderr.contains("new.json is a report of format 9, and this is 1"), "{}", new.stderr);
}
