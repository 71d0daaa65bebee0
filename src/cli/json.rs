//! The report of `fatum check` for machines. One object, written beside and renamed.
//!
//! The keys are a promise; it must not know how people read the same facts.

use crate::Error;
use crate::check::Guidance;
use crate::check::file::write_whole;
use crate::runtime::Diagnosis;
use crate::scenario::{Judgement, Scenario};
use serde_json::{Value, json};
use std::path::Path;

/// The version of the format.
pub(super) const VERSION: u32 = 1;

/// Writes the report of these sweeps to `path`.
pub(super) fn write(path: &Path, sweeps: &[(Scenario, Judgement)]) -> Result<(), Error> {
    let scenarios: Vec<Value> =
        sweeps.iter().map(|(scenario, judgement)| entry(scenario, judgement)).collect();
    write_entries(path, &scenarios)
}

/// Writes a report of these entries.
pub(super) fn write_entries(path: &Path, scenarios: &[Value]) -> Result<(), Error> {
    let report = json!({ "version": VERSION, "scenarios": scenarios });
    write_whole(path, format!("{report:#}\n").as_bytes())
}

/// Finds out early whether `path` can be written, before hours of runs.
pub(super) fn probe(path: &Path) -> Result<(), Error> {
    if path.is_dir() {
        return Err(Error::input(format!("cannot write {}: it is a directory", path.display())));
    }
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match std::fs::metadata(dir) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => {
            Err(Error::input(format!("cannot write {}: {} is no directory", path.display(), dir.display())))
        }
        Err(error) => Err(Error::io("write below", dir, error)),
    }
}

fn entry(scenario: &Scenario, judgement: &Judgement) -> Value {
    let report = &judgement.report;
    let coverage: Vec<Value> =
        report.coverage.iter().map(|(name, hits)| json!({ "name": name, "hits": hits })).collect();
    let mut entry = json!({
        "scenario": scenario.name,
        "system": scenario.system,
        "runs": report.runs,
        "steps": report.steps,
        "virtual_seconds": report.time.as_secs_f64(),
        "distinct_traces": report.distinct_traces,
        "faults_fired": report.faults_fired,
        "coverage": coverage,
        "failing_runs": report.failing_runs,
        "failure_rate_95": report.rate().interval(),
        "verdict": judgement.verdict(),
        "expected": judgement.expect.to_string(),
        "as_expected": judgement.is_as_expected(),
        "failure": failure(judgement),
    });
    let (shard, shards) = scenario.check.shard;
    if shards > 1 {
        entry["shard"] = json!(format!("{shard}/{shards}"));
    }
    if let Some(points) = report.points {
        entry["points"] =
            json!({ "kind": points.kind.name(), "found": points.found, "covered": points.covered });
    }
    if let Some(exhausted) = report.exhausted {
        entry["exhaustive"] = json!({
            "bound": exhausted.bound.to_string(),
            "assumes_declared_accesses": exhausted.assumes_declared,
            "is_whole": exhausted.is_whole,
            "runs": exhausted.runs,
            "repeated": exhausted.repeated,
        });
    }
    if report.states > 0 {
        entry["states"] = json!(report.states);
    }
    if let Some(Guidance { states, pairs, properties, entries }) = report.guidance {
        entry["guided"] =
            json!({ "states": states, "pairs": pairs, "properties": properties, "entries": entries });
    }
    entry
}

/// What one detector says.
fn diagnosis(said: &Diagnosis) -> Value {
    json!({ "detector": said.detector.name(), "tasks": said.tasks, "text": said.text })
}

/// The failure that tells most. One that only the sweep as a whole shows, or a regression, has no seed.
fn failure(judgement: &Judgement) -> Option<Value> {
    if let Some(failure) = judgement.failure() {
        let mut value = json!({
            "kind": failure.end.kind(),
            "property": failure.end.property(),
            "seed": failure.found_by.seed(),
            "deviations": failure.deviations,
            "shrunk_deviations": failure.tape.deviations(),
            "file": failure.file.as_ref().map(|path| path.display().to_string()),
        });
        if !failure.run.diagnosis.is_empty() {
            value["diagnosis"] = failure.run.diagnosis.iter().map(diagnosis).collect();
        }
        return Some(value);
    }
    if let Some(regression) = judgement.regressions.first() {
        return Some(json!({
            "kind": regression.run.end.kind(),
            "property": regression.run.end.property(),
            "seed": regression.file.seed.map(|seed| seed.0),
            "deviations": regression.file.deviations,
            "shrunk_deviations": regression.file.tape.deviations(),
            "file": regression.path.display().to_string(),
        }));
    }
    judgement.broken.as_ref().map(|broken| {
        json!({
            "kind": "violated",
            "property": broken.property,
            "seed": null,
            "deviations": null,
            "shrunk_deviations": null,
            "file": null,
        })
    })
}
