//! The classic and the ownership programs of the zoo, from the same source, under shuttle, madsim and fatum.
//!
//! In this directory: `cargo run --release [-- --trials N --budget N --silent N --engine TEXT TEXT]`: programs whose name
//! or tier contains the text, engines whose name contains theirs. A run over all of both, with 10 trials of 5,000 runs or
//! more, writes `tests/zoo/PEERS.md`; any other only prints. All is one thread of one process, the engines in turn at
//! each trial of a program, so that what else the machine does harms all alike.

#[expect(dead_code, reason = "the zoo's own bench uses the rest")]
#[path = "../../../tests/zoo/mod.rs"]
mod zoo;

#[cfg(madsim)]
mod on_madsim;
mod on_shuttle;
mod outcome;
mod page;

use fatum::strategy::StrategyKind;
use outcome::{Outcome, Silence};
use rustix::time::{ClockId, clock_gettime};
use std::path::Path;
use zoo::protocol::{Subject, Trial};
use zoo::{Program, Tier, Twin};

/// Seeds of one trial lie this far from those of the next.
const RANGE: u64 = 1 << 32;
/// The trial whose seeds the mended twins run with.
const SILENT: u64 = 1 << 20;

pub(crate) struct Options {
    trials: u64,
    budget: u64,
    silent: u64,
    engine: String,
    text: String,
}

impl Options {
    fn read() -> Options {
        let (engine, text) = (String::new(), String::new());
        let mut options = Options { trials: 20, budget: 50_000, silent: 200, engine, text };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} has no value"));
            match argument.as_str() {
                "--trials" => options.trials = number(&value()),
                "--budget" => options.budget = number(&value()),
                "--silent" => options.silent = number(&value()),
                "--engine" => options.engine = value(),
                _ if argument.starts_with("--") => panic!("there is no option {argument}"),
                _ => options.text = argument,
            }
        }
        options
    }

    fn chooses(&self, program: &Program) -> bool {
        program.name.contains(&self.text) || program.tier.name().contains(&self.text)
    }

    /// Whether it is what the page is of: everything, and effort enough to say something.
    fn is_whole(&self) -> bool {
        let all = cfg!(madsim) && self.engine.is_empty() && self.text.is_empty();
        all && self.trials >= 10 && self.budget >= 5_000
    }
}

fn number(text: &str) -> u64 {
    text.replace('_', "").parse().unwrap_or_else(|_| panic!("`{text}` is no number"))
}

/// What runs the programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Fatum(StrategyKind),
    Shuttle(on_shuttle::Strategy),
    #[cfg(madsim)]
    Madsim,
}

impl Engine {
    /// fatum's first. Its baseline is one schedule, which every program passes.
    fn all() -> impl Iterator<Item = Engine> {
        use on_shuttle::Strategy::{Pct, Random, Urw};
        let explores = |kind: &StrategyKind| *kind != StrategyKind::OldestFirst;
        let fatum = StrategyKind::ALL.into_iter().filter(explores).map(Engine::Fatum);
        let engines = fatum.chain([Random, Pct, Urw].map(Engine::Shuttle));
        #[cfg(madsim)]
        let engines = engines.chain([Engine::Madsim]);
        engines
    }

    pub(crate) fn name(self) -> String {
        use on_shuttle::Strategy;
        match self {
            Engine::Fatum(kind) => format!("fatum {}", kind.name()),
            Engine::Shuttle(Strategy::Random) => "shuttle random".to_owned(),
            Engine::Shuttle(Strategy::Pct) => "shuttle PCT 3".to_owned(),
            Engine::Shuttle(Strategy::Urw) => "shuttle URW".to_owned(),
            #[cfg(madsim)]
            Engine::Madsim => "madsim".to_owned(),
        }
    }

    pub(crate) fn is_peer(self) -> bool {
        !matches!(self, Engine::Fatum(_))
    }
}

/// One program under one engine, and what was measured of it so far.
pub(crate) struct Cell {
    pub(crate) program: &'static Program,
    pub(crate) engine: Engine,
    /// fatum's, once calibrated.
    subject: Option<Subject>,
    pub(crate) trials: Vec<Trial>,
    /// Of the trials and the calibration, in CPU nanoseconds.
    pub(crate) spent: u64,
    /// Failures that are not the bug, and any of the mended twin.
    pub(crate) strange: Vec<String>,
}

impl Cell {
    fn new(program: &'static Program, engine: Engine) -> Cell {
        Cell { program, engine, subject: None, trials: Vec::new(), spent: 0, strange: Vec::new() }
    }

    /// One trial more.
    fn work(&mut self, number: u64, options: &Options) {
        // shuttle's panic hook speaks up at a panic of any.
        let _silence = Silence::new();
        let before = cpu();
        let trial = match self.engine {
            Engine::Fatum(kind) => {
                let new = || Subject::new(self.program, Twin::Buggy, kind);
                let trial = self.subject.get_or_insert_with(new).trial(number, options.budget);
                self.strange.extend(trial.strange.iter().map(|(_, end)| end.sentence()));
                trial
            }
            _ => {
                let outcome = self.peer(Twin::Buggy, number, options.budget);
                let (seed, runs) = (number * RANGE, outcome.runs);
                let is_bug = outcome.end.as_ref().is_some_and(|end| self.program.expects.contains(&end.kind));
                self.strange.extend(outcome.end.filter(|_| !is_bug).map(|end| end.text));
                Trial { runs, found: is_bug.then_some(seed), strange: None }
            }
        };
        self.spent += cpu() - before;
        self.trials.push(trial);
    }

    /// The mended twin under a peer: the shims are at fault where it fails. fatum's are the zoo's own bench's.
    fn run_mended(&mut self, runs: u64) {
        if self.engine.is_peer() {
            let _silence = Silence::new();
            let end = self.peer(Twin::Fixed, SILENT, runs).end;
            self.strange.extend(end.map(|end| format!("mended, and yet {}: {}", end.kind, end.text)));
        }
    }

    fn peer(&self, twin: Twin, number: u64, budget: u64) -> Outcome {
        let (name, seed) = (self.program.name, number * RANGE);
        match self.engine {
            Engine::Fatum(_) => unreachable!("fatum is no peer of its own"),
            Engine::Shuttle(strategy) => on_shuttle::explore(strategy, name, twin, seed, budget),
            #[cfg(madsim)]
            Engine::Madsim => on_madsim::explore(name, twin, seed, budget),
        }
    }

    pub(crate) fn found(&self) -> u64 {
        self.trials.iter().filter(|trial| trial.found.is_some()).count() as u64
    }

    fn tell(&self) {
        let (program, engine) = (self.program.name, self.engine.name());
        let seconds = self.spent as f64 / 1e9;
        eprintln!("{program}, {engine}: {} in {seconds:.3} s", page::text(self));
        for text in self.strange.iter().take(1) {
            eprintln!("    not the bug: {text}");
        }
    }
}

/// The CPU time of the process, in nanoseconds: a busy machine does not distort it.
fn cpu() -> u64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// All engines on one program, in turn.
fn measure(program: &'static Program, options: &Options) -> Vec<Cell> {
    let chosen = Engine::all().filter(|engine| engine.name().contains(&options.engine));
    let mut cells: Vec<Cell> = chosen.map(|engine| Cell::new(program, engine)).collect();
    for number in 0..options.trials {
        for cell in &mut cells {
            cell.work(number, options);
        }
    }
    for cell in &mut cells {
        cell.run_mended(options.silent);
        cell.tell();
        cell.subject = None;
    }
    cells
}

fn main() {
    outcome::keep_panics();
    let options = Options::read();
    let programs =
        zoo::all().filter(|program| program.tier != Tier::ControlPlane && options.chooses(program));
    let rows: Vec<Vec<Cell>> = programs.map(|program| measure(program, &options)).collect();
    let page = page::page(&rows, &options);
    println!("{page}");
    if options.is_whole() {
        page::write(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/zoo/PEERS.md"), &page);
    }
}
