//! The scenario files of this repository: planted bugs and their silent twins.

use super::{files, registry};
use fatum::choice::tape::Tape;
use fatum::runtime::End;
use fatum::scenario::{Expect, Scenario};
use fatum::sim::Keep;
use std::fs;
use std::path::{Path, PathBuf};

/// The scenarios with a planted bug, of every system.
fn bugs() -> Vec<PathBuf> {
    families().iter().flat_map(|family| files(&format!("scenarios/bugs/{family}"))).collect()
}

/// The directories of scenarios with planted bugs, each of which has one of silent twins.
fn families() -> Vec<String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/bugs");
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn a_bug_differs_from_its_silent_twin_in_variant_and_expected_outcome_only() {
    assert!(bugs().len() >= 6, "{:?}", bugs());
    for bug in bugs() {
        let twin = bug.to_str().unwrap().replace("/bugs/", "/");
        let lines =
            |path: &str| fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect::<Vec<_>>();
        let (buggy, silent) = (lines(bug.to_str().unwrap()), lines(&twin));
        assert_eq!(buggy.len(), silent.len(), "{twin}");
        let differing = buggy.iter().zip(&silent).filter(|(buggy, silent)| buggy != silent);
        let keys: Vec<&str> = differing.map(|(line, _)| line.split(' ').next().unwrap()).collect();
        assert_eq!(keys, ["variant", "expect"], "{}", bug.display());
        assert!(silent.contains(&"variant = \"correct\"".to_owned()), "{twin}");
        assert!(silent.contains(&"expect = \"passed\"".to_owned()), "{twin}");
    }
}

#[test]
fn each_bug_is_another_one_and_fails_with_a_named_property() {
    let mut variants = Vec::new();
    for path in bugs() {
        let scenario = Scenario::read(&path, &registry()).unwrap();
        assert!(
            matches!(scenario.expect, Expect::Ends { kind: "violated" | "not-converged", property: Some(_) }),
            "{scenario:?}"
        );
        variants.push((scenario.system, scenario.variant));
    }
    let all = variants.len();
    variants.sort_unstable();
    variants.dedup();
    assert_eq!(variants.len(), all, "{variants:?}");
}

#[test]
fn every_scenario_passes_in_its_baseline_run() {
    let correct = families().into_iter().flat_map(|family| files(&format!("scenarios/{family}")));
    for path in correct.chain(bugs()) {
        let scenario = Scenario::read(&path, &registry()).unwrap();
        let run = scenario.check.replay(&Tape::default(), Keep::default(), scenario.program());
        assert_eq!(run.end, End::Passed, "{}", path.display());
    }
}
