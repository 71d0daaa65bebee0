//! Guided search and bare tapes on the command line.

use super::{Place, VIOLATED, scenario};
use serde_json::Value;

const VIOLATED_CODE: i32 = 10;

const TAPE: &str = "[[choice]]\nsite = \"action.run\"\nowner = \"leaf-0@main\"\noccurrence = 1\noption = 1\n";

#[test]
fn a_guided_check_says_what_it_knows_and_finds_what_a_sweep_finds() {
    let place = Place::new("guided");
    place.write("bug.toml", scenario("queued-vanish", VIOLATED));
    let said = place.fatum("check bug.toml --guided --runs 300 --json report.json");
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    let line = said.stdout.lines().find(|line| line.starts_with("bug.toml: guided: ")).unwrap();
    assert!(line.contains(" pairs of sites, 1 properties met, "), "{line}");
    let report: Value = serde_json::from_str(&place.read("report.json")).unwrap();
    let entry = &report["scenarios"][0];
    assert_eq!(entry["runs"], 300);
    let guided: Vec<&str> = entry["guided"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(guided, ["entries", "pairs", "properties", "states"]);
    assert!(entry["guided"]["entries"].as_u64().unwrap() > 1, "{entry}");
    let again = place.fatum("check bug.toml --guided --runs 300 --json again.json --jobs 1");
    assert_eq!(again.code, 0);
    assert_eq!(place.read("report.json"), place.read("again.json"));
    for file in place.failure_files() {
        let said = place.fatum(&format!("replay {file}"));
        assert_eq!(said.code, VIOLATED_CODE, "{}{}", said.stdout, said.stderr);
        assert!(said.stdout.contains("reproduced, the same run to the last event"), "{}", said.stdout);
    }
}

#[test]
fn what_a_guided_check_cannot_be_is_refused() {
    let place = Place::new("guided-refused");
    place.write("s.toml", scenario("correct", "\"passed\""));
    for flags in ["--exhaustive 1", "--points crash", "--shard 0/2"] {
        let said = place.fatum(&format!("check s.toml --guided {flags}"));
        assert_eq!(said.code, 2, "{flags}: {}{}", said.stdout, said.stderr);
        assert!(said.stderr.contains("cannot be used with"), "{flags}: {}", said.stderr);
    }
    let said = place.fatum_with(&[("FATUM_SHARD", "0/2")], "check s.toml --guided");
    assert_eq!(said.code, 2);
    assert!(said.stderr.contains("a guided search cannot be split into shards"), "{}", said.stderr);
}

#[test]
fn a_bare_tape_is_replayed_with_its_scenario() {
    let place = Place::new("bare");
    place.write("bug.toml", scenario("queued-vanish", VIOLATED)).write("tape.toml", TAPE);
    place.write("good.toml", scenario("correct", "\"passed\"")).write("empty.toml", "");
    let said = place.fatum("replay tape.toml --scenario bug.toml");
    assert_eq!(said.code, VIOLATED_CODE, "{}{}", said.stdout, said.stderr);
    let head = "replay of tape.toml: property `conservation` was broken";
    assert!(said.stdout.starts_with(head), "{}", said.stdout);
    assert!(said.stdout.contains("(1 of 1 deviations met)"), "{}", said.stdout);
    for (tape, scenario) in [("tape.toml", "good.toml"), ("empty.toml", "bug.toml")] {
        let said = place.fatum(&format!("replay {tape} --scenario {scenario}"));
        assert_eq!(said.code, 0, "{tape}: {}{}", said.stdout, said.stderr);
    }
}

#[test]
fn a_bare_tape_without_a_scenario_is_told_to_name_one() {
    let place = Place::new("bare-alone");
    place.write("tape.toml", TAPE).write("bug.toml", scenario("queued-vanish", VIOLATED));
    for command in ["replay", "story", "trace", "shrink"] {
        let said = place.fatum(&format!("{command} tape.toml"));
        assert_eq!(said.code, if command == "replay" { 125 } else { 2 }, "{command}");
        let message = "tape.toml is a tape alone, and does not say which scenario it is of";
        assert!(said.stderr.contains(message), "{}", said.stderr);
        assert!(said.stderr.contains("replay tape.toml --scenario FILE"), "{}", said.stderr);
    }
    for (arguments, message) in [
        ("replay bug.toml --scenario bug.toml", ": this is no tape: unknown field"),
        ("replay tape.toml --scenario missing.toml", "missing.toml"),
        ("replay missing.toml --scenario bug.toml", "cannot read missing.toml"),
    ] {
        let said = place.fatum(arguments);
        assert_eq!(said.code, 125, "{}{}", said.stdout, said.stderr);
        assert!(said.stderr.contains(message), "{arguments}: {}", said.stderr);
    }
}
