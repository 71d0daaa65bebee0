//! How soon each planted bug is found, and how silent its correct twin is: 20 disjoint ranges of 2,000 seeds per bug,
//! and 20,000 seeds of each correct scenario of a system.
//!
//! `cargo bench --bench hunt -- bugs [TEXT [STRATEGY]]` or `-- silent [TEXT [STRATEGY]]`: scenarios whose path contains
//! the text, under the strategy of each scenario or under the one that is named.

use fatum::Sim;
use fatum::runtime::End;
use fatum::scenario::{Expect, Registry, Scenario};
use fatum::strategy::StrategyKind;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const RANGES: u64 = 20;
const RANGE: u64 = 2_000;
const SILENT: u64 = 20_000;

fn files(dir: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(dir);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&dir)
        .expect("the scenarios are there")
        .map(|entry| entry.expect("it can be read").path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files
}

/// The systems that have scenarios.
fn families() -> Vec<String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/bugs");
    let entries = std::fs::read_dir(dir).expect("the scenarios are there");
    let names =
        entries.map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

fn run(scenario: &Scenario, seed: u64) -> fatum::Run {
    let check = &scenario.check;
    let mut sim = Sim::builder()
        .seed(seed)
        .strategy(check.strategy, check.calibration.clone())
        .faults(check.faults.clone())
        .budget(check.budget)
        .panics(check.panics)
        .leaks(check.leaks)
        .build();
    scenario.set_up(&mut sim);
    sim.finish()
}

/// The scenario under a strategy, with what strategies estimate from.
fn read(path: &Path, strategy: Option<StrategyKind>) -> Scenario {
    let mut scenario = Scenario::read(path, &Registry::shipped()).expect("the scenario is right");
    scenario.check.strategy = strategy.unwrap_or(scenario.check.strategy);
    let mut first = scenario.check.clone().runs(1).failures_dir(None);
    first.shrunk_max = 0;
    let report = first.sweep(|sim: &mut Sim| scenario.set_up(sim), &|_| {});
    scenario.check.calibration = report.expect("one run can be made").calibration;
    scenario
}

/// The runs until the bug showed in each range, and how often something else failed.
fn hunt(scenario: &Scenario) -> (Vec<u64>, BTreeMap<String, u64>) {
    let Expect::Ends { kind, property } = &scenario.expect else {
        panic!("{} expects no failure", scenario.name)
    };
    let (mut found, mut others) = (Vec::new(), BTreeMap::new());
    for range in 0..RANGES {
        for nth in 0..RANGE {
            let end = run(scenario, range * RANGE + nth).end;
            if end.signature() == (*kind, *property) {
                found.push(nth + 1);
                break;
            }
            if end != End::Passed {
                *others.entry(format!("{:?}", end.signature())).or_insert(0) += 1;
            }
        }
    }
    found.sort_unstable();
    (found, others)
}

fn silence(scenario: &Scenario) -> (u64, BTreeMap<&'static str, u64>, BTreeMap<&'static str, u64>) {
    let (mut failed, mut fired, mut reached) = (0, BTreeMap::new(), BTreeMap::new());
    for seed in 0..SILENT {
        let run = run(scenario, seed);
        if run.end != End::Passed {
            failed += 1;
            println!("    seed {seed}: {}", run.end.sentence());
        }
        for site in run.sites.iter().filter(|site| site.fault) {
            *fired.entry(site.site).or_insert(0) += site.fired;
        }
        for (name, hits) in run.coverage {
            *reached.entry(name).or_insert(0) += u64::from(hits > 0);
        }
    }
    (failed, fired, reached)
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let what = arguments.first().map_or("", String::as_str);
    let text = arguments.get(1).map_or("", String::as_str);
    let strategy = arguments.get(2).map(|name| name.parse().expect("a strategy"));
    let read = |path: &PathBuf| read(path, strategy);
    let chosen = |below: &str| {
        let files = families().into_iter().flat_map(|family| files(&format!("{below}/{family}")));
        files.filter(|path| path.to_string_lossy().contains(text)).collect::<Vec<_>>()
    };
    if what == "bugs" {
        for path in chosen("scenarios/bugs") {
            let (found, others) = hunt(&read(&path));
            let (median, last) = (found.get(found.len() / 2), found.last());
            println!(
                "{:50} found in {:2} of {RANGES} ranges, median run {median:?}, latest {last:?}, other failures {others:?}",
                path.file_name().expect("it has one").to_string_lossy(),
                found.len()
            );
        }
    }
    if what == "silent" {
        for path in chosen("scenarios") {
            let scenario = read(&path);
            let (failed, fired, reached) = silence(&scenario);
            println!(
                "{:50} {failed} of {SILENT} runs failed\n    fired {fired:?}\n    reached {reached:?}",
                path.file_name().expect("it has one").to_string_lossy()
            );
        }
    }
}
