//! Scenario files as a library: systems of one's own, and the files of this repository.

mod failures;
mod own_system;
mod planted;

use fatum::scenario::{Controller, Document, Graph, Registry, Scenario};
use fatum::systems::controller::workload::Replicas;
use std::fs;
use std::path::{Path, PathBuf};

/// The scenario files below a directory of the repository, sorted.
fn files(dir: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(dir);
    let entries = fs::read_dir(dir).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files
}

fn registry() -> Registry {
    Registry::new().with(Graph).with(Controller::<Replicas>::default())
}

fn parse(text: &str) -> Result<Scenario, fatum::Error> {
    Scenario::parse(&Document::new("s.toml", text), &registry())
}

#[test]
fn every_prefix_of_a_scenario_is_read_or_refused_with_its_place() {
    for path in files("scenarios/graph") {
        let text = fs::read_to_string(&path).unwrap();
        for end in (0..text.len()).filter(|&end| text.is_char_boundary(end)) {
            if let Err(error) = parse(&text[..end]) {
                assert!(error.line_column().is_some(), "{}: {error}", path.display());
            }
        }
    }
}

#[test]
fn two_slow_rules_that_can_meet_are_refused_at_the_second() {
    let path = files("scenarios/graph").into_iter().find(|path| path.ends_with("lb-create.toml")).unwrap();
    let text = fs::read_to_string(path).unwrap();
    let start = text.find("[[faults.rule]]\nkind = \"slow\"").unwrap();
    let rule = text[start..].split("\n\n").next().unwrap();
    let error = parse(&format!("{text}\n{rule}\n")).unwrap_err().to_string();
    assert!(error.contains("are both `slow` and can meet"), "{error}");
    let line = text.lines().count() + 2;
    assert!(error.starts_with(&format!("s.toml:{line}:")), "{line}: {error}");
}

#[test]
fn every_byte_of_a_scenario_can_be_wrong_without_a_panic() {
    let text = fs::read(&files("scenarios/graph")[0]).unwrap();
    for index in 0..text.len() {
        for byte in [b'"', b'[', b'=', b'\n', b'-', b'9', 0] {
            let mut changed = text.clone();
            changed[index] = byte;
            if let Ok(changed) = String::from_utf8(changed) {
                let _ = parse(&changed);
            }
        }
    }
}
