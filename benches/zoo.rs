//! How soon each strategy meets each bug of the zoo, how short the failure gets, and how silent the mended twins are.
//!
//! `cargo bench --bench zoo [-- --trials N --budget N --silent N --strategy NAME --jobs N TEXT]`: programs whose name or
//! tier contains the text. A run over all programs of a tier and all strategies writes that tier's part of
//! `tests/zoo/ZOO.md`; any other only prints.

#[path = "../tests/zoo/mod.rs"]
mod zoo;

use fatum::check::{Canonical, shrink};
use fatum::strategy::StrategyKind;
use rustix::time::{ClockId, clock_gettime};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use zoo::protocol::{Median, Subject, Trial, with_part};
use zoo::{Program, Tier, Twin};

struct Options {
    trials: u64,
    budget: u64,
    silent: u64,
    strategies: Vec<StrategyKind>,
    jobs: usize,
    text: String,
}

impl Options {
    fn read() -> Options {
        let mut options = Options {
            trials: 20,
            budget: 50_000,
            silent: 2_000,
            strategies: StrategyKind::ALL.to_vec(),
            jobs: 2,
            text: String::new(),
        };
        let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} has no value"));
            match argument.as_str() {
                "--trials" => options.trials = number(&value()),
                "--budget" => options.budget = number(&value()),
                "--silent" => options.silent = number(&value()),
                "--jobs" => options.jobs = number(&value()) as usize,
                "--strategy" => options.strategies = vec![value().parse().expect("a strategy")],
                _ => options.text = argument,
            }
        }
        options
    }

    fn chooses(&self, program: &Program) -> bool {
        program.name.contains(&self.text) || program.tier.name().contains(&self.text)
    }

    /// Whether it is what the page says: all strategies, and the usual effort.
    fn is_whole(&self) -> bool {
        self.strategies == StrategyKind::ALL && self.trials >= 20 && self.budget >= 50_000
    }
}

fn number(text: &str) -> u64 {
    text.replace('_', "").parse().unwrap_or_else(|_| panic!("`{text}` is no number"))
}

/// One program under one strategy.
struct Cell {
    program: &'static Program,
    buggy: Subject,
    fixed: Subject,
    measured: Mutex<Measured>,
}

/// What was measured of it so far.
#[derive(Default)]
struct Measured {
    trials: BTreeMap<u64, Trial>,
    /// Of the trials, in CPU nanoseconds.
    spent: u64,
    failures: u64,
}

impl Cell {
    fn new(program: &'static Program, strategy: StrategyKind) -> Cell {
        let subject = |twin| Subject::new(program, twin, strategy);
        Cell { program, buggy: subject(Twin::Buggy), fixed: subject(Twin::Fixed), measured: Mutex::default() }
    }

    fn strategy(&self) -> StrategyKind {
        self.buggy.check.strategy
    }

    fn measured(&self) -> std::sync::MutexGuard<'_, Measured> {
        self.measured.lock().expect("no thread panicked")
    }

    fn trials(&self) -> Vec<Trial> {
        self.measured().trials.values().cloned().collect()
    }

    fn found(&self) -> usize {
        self.measured().trials.values().filter(|trial| trial.found.is_some()).count()
    }

    /// One trial, and with the first also the runs of the mended twin.
    fn work(&self, trial: u64, options: &Options) {
        let before = cpu();
        let done = self.buggy.trial(trial, options.budget);
        let spent = cpu() - before;
        let failures = if trial == 0 { self.fixed.failures(options.silent) } else { 0 };
        let mut measured = self.measured();
        measured.trials.insert(trial, done);
        measured.spent += spent;
        measured.failures += failures;
        let is_last = measured.trials.len() as u64 == options.trials;
        drop(measured);
        if is_last {
            self.tell();
        }
    }

    fn tell(&self) {
        eprintln!("{} {}: {}", self.program.name, self.strategy().name(), self.text());
        let strange = self.trials().into_iter().filter_map(|trial| trial.strange);
        for (seed, end) in strange.take(1) {
            eprintln!("    not the bug, seed {seed}: {}", end.sentence());
        }
    }

    /// Found in how many trials; the median and its interval.
    fn text(&self) -> String {
        let trials = self.trials();
        let Median { at, from, to } = Median::of(&trials);
        let number = |runs: Option<u64>| runs.map_or("…".to_owned(), |runs| runs.to_string());
        let found = format!("{}/{}", self.found(), trials.len());
        if self.found() == 0 {
            return found;
        }
        let at = at.map_or(format!(">{}", trials.iter().map(|trial| trial.runs).max().unwrap_or(0)), |at| {
            at.to_string()
        });
        format!("{found} {at} ({}–{})", number(from), number(to))
    }
}

/// The CPU time of this thread, in nanoseconds: a busy machine does not distort it.
fn cpu() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// All trials of all cells, on some threads: a trial is a function of its number.
#[expect(clippy::disallowed_methods, reason = "trials are spread over the cores")]
fn work(cells: &[Cell], options: &Options) {
    let next = AtomicUsize::new(0);
    let all = cells.len() * options.trials as usize;
    std::thread::scope(|scope| {
        for _ in 0..options.jobs {
            scope.spawn(|| {
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    if nth >= all {
                        return;
                    }
                    cells[nth / options.trials as usize].work(nth as u64 % options.trials, options);
                }
            });
        }
    });
}

/// The deviations of the first failing run of a program, and those that are left of them when it is shrunk.
fn shrunk(cells: &[&Cell]) -> Option<(u64, u64)> {
    let found = |cell: &&Cell| cell.trials().into_iter().find_map(|trial| trial.found);
    let (cell, seed) = cells.iter().find_map(|cell| found(cell).map(|seed| (cell, seed)))?;
    let (check, program) = (&cell.buggy.check, cell.buggy.set_up());
    let failing = check.run_seed(seed, &program);
    let shrunk = shrink(check, &program, &failing, &mut Canonical::default());
    assert_eq!(shrunk.run.end.signature(), failing.end.signature(), "{}", cell.program.name);
    Some((failing.tape.deviations(), shrunk.tape.deviations()))
}

/// Two digits that say something: timings differ from run to run.
fn two_digits(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 0.1 => format!("{seconds:.3}"),
        seconds if seconds < 1.0 => format!("{seconds:.2}"),
        seconds if seconds < 10.0 => format!("{seconds:.1}"),
        seconds => {
            let unit = 10f64.powf(seconds.log10().floor() - 1.0);
            format!("{}", ((seconds / unit).round() * unit).round())
        }
    }
}

fn row(cells: impl IntoIterator<Item = String>) -> String {
    let cells: Vec<String> = cells.into_iter().collect();
    format!("| {} |\n", cells.join(" | "))
}

fn head(columns: &[&str], options: &Options) -> String {
    let names = columns.iter().copied().chain(options.strategies.iter().map(|kind| kind.name()));
    let names: Vec<String> = names.map(str::to_owned).collect();
    let rule = vec!["---".to_owned(); names.len()];
    row(names) + &row(rule)
}

/// The tables of one tier.
fn part(tier: Tier, cells: &[Cell], options: &Options) -> String {
    let programs: Vec<&[Cell]> = cells
        .chunk_by(|a, b| std::ptr::eq(a.program, b.program))
        .filter(|cells| cells[0].program.tier == tier)
        .collect();
    let Options { trials, budget, silent, .. } = options;
    let mut page = format!(
        "## {}\n\nFound in so many of {trials} trials of up to {budget} runs each; the median of the runs to the bug \
         (Kaplan-Meier) and its 95 % interval; `…` where the trials do not reach so far.\n\n",
        tier.name()
    );
    page += &head(&["program"], options);
    for cells in &programs {
        page += &row([cells[0].program.name.to_owned()].into_iter().chain(cells.iter().map(Cell::text)));
    }
    page += &format!(
        "\nThe first failing run of each: its deviations from the baseline, and those that are left when it is shrunk. \
         Failures of the mended twin in {silent} runs of each strategy. CPU seconds of all trials.\n\n"
    );
    page += &head(&["program", "source", "ends", "shrunk", "twin"], options);
    for cells in &programs {
        let Program { name, source, expects, .. } = cells[0].program;
        let shrunk = shrunk(&cells.iter().collect::<Vec<_>>());
        let shrunk = shrunk.map_or("-".to_owned(), |(before, after)| format!("{before} → {after}"));
        let failures: u64 = cells.iter().map(|cell| cell.measured().failures).sum();
        let texts = [name.to_string(), source.to_string(), expects.join(", "), shrunk, failures.to_string()];
        let spent = cells.iter().map(|cell| two_digits(cell.measured().spent as f64 / 1e9));
        page += &row(texts.into_iter().chain(spent));
    }
    page
}

/// Beside, then renamed: nobody sees half a page.
fn write(path: &Path, page: &str) {
    let beside = path.with_extension("md.new");
    std::fs::write(&beside, page).expect("the page can be written");
    std::fs::rename(&beside, path).expect("the page can be renamed");
}

fn main() {
    let options = Options::read();
    let programs: Vec<&'static Program> = zoo::all().filter(|program| options.chooses(program)).collect();
    let cell = |program| options.strategies.iter().map(move |strategy| Cell::new(program, *strategy));
    let cells: Vec<Cell> = programs.iter().copied().flat_map(cell).collect();
    work(&cells, &options);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/zoo/ZOO.md");
    for tier in [Tier::Classic, Tier::Ownership, Tier::ControlPlane] {
        let of_tier = |program: &&&'static Program| program.tier == tier;
        let chosen = programs.iter().filter(of_tier).count();
        if chosen == 0 {
            continue;
        }
        let part = part(tier, &cells, &options);
        println!("{part}");
        if options.is_whole() && chosen == zoo::all().filter(|program| program.tier == tier).count() {
            let page = std::fs::read_to_string(&path).unwrap_or_default();
            write(&path, &with_part(&page, tier.name(), &part));
        }
    }
}
