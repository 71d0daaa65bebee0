//! How programs of the zoo are measured: independent trials, each up to the first run that meets the bug or to a budget;
//! what they say together (Kaplan-Meier, as a trial that spent its budget is one that was cut off); and the page.
//!
//! It knows no program.

use super::{Program, Tier, Twin};
use fatum::check::Check;
use fatum::runtime::{End, PanicPolicy};
use fatum::strategy::StrategyKind;
use fatum::{Run, Sim};

/// Seeds of one trial lie this far from those of the next.
const RANGE: u64 = 1 << 32;
/// The range that the runs of fixed twins are from, apart from all trials.
const SILENT_RANGE: u64 = 1 << 20;
/// 95 % of a normal distribution lie within so many standard deviations.
const Z: f64 = 1.959_964;

/// One of a program's two twins under one strategy, ready to run.
pub struct Subject {
    program: &'static Program,
    twin: Twin,
    /// What `Check` would sweep it with; the calibration is measured.
    pub check: Check,
}

impl Subject {
    /// Calibrates, as a sweep does.
    pub fn new(program: &'static Program, twin: Twin, strategy: StrategyKind) -> Subject {
        let check = Check { failures_dir: None, regressions_dir: None, ..Check::new(program.name) };
        // A failed check of a task is the task's, and not of whoever joins it.
        let panics = match program.tier {
            Tier::Classic | Tier::Ownership => PanicPolicy::FailAlways,
            Tier::ControlPlane => check.panics,
        };
        let check = check.strategy(strategy).faults((program.faults)()).panics(panics).jobs(1);
        let set_up = program.set_up;
        let one = check.clone().runs(1).sweep(move |sim: &mut Sim| set_up(sim, twin), &|_| {});
        let calibration = one.expect("one run is a sweep").calibration;
        Subject { program, twin, check: Check { calibration, ..check } }
    }

    /// The program, as `Check` wants it.
    pub fn set_up(&self) -> impl Fn(&mut Sim) + Send + Sync + use<> {
        let (set_up, twin) = (self.program.set_up, self.twin);
        move |sim| set_up(sim, twin)
    }

    /// Whether each run is like the first: the baseline schedule, and nothing else that a seed decides.
    fn is_constant(&self) -> bool {
        self.check.strategy == StrategyKind::OldestFirst && self.check.faults.rules.is_empty()
    }

    /// The run of a seed.
    pub fn run(&self, seed: u64) -> Run {
        let check = &self.check;
        let mut sim = Sim::builder()
            .seed(seed)
            .strategy(check.strategy, check.calibration.clone())
            .faults(check.faults.clone())
            .budget(check.budget)
            .panics(check.panics)
            .leaks(check.leaks)
            .build();
        (self.program.set_up)(&mut sim, self.twin);
        sim.finish()
    }

    /// Runs until the bug shows, at most `budget` times.
    pub fn trial(&self, number: u64, budget: u64) -> Trial {
        let mut trial = Trial { runs: budget, found: None, strange: None };
        let made = if self.is_constant() { budget.min(1) } else { budget };
        for seed in (number * RANGE..).take(made as usize) {
            let end = self.run(seed).end;
            if self.program.expects.contains(&end.kind()) {
                return Trial { runs: seed - number * RANGE + 1, found: Some(seed), ..trial };
            }
            if end.is_failure() && trial.strange.is_none() {
                trial.strange = Some((seed, end));
            }
        }
        trial
    }

    /// How many of so many runs failed in any way.
    pub fn failures(&self, runs: u64) -> u64 {
        let made = if self.is_constant() { runs.min(1) } else { runs };
        let seeds = (SILENT_RANGE * RANGE..).take(made as usize);
        seeds.filter(|seed| !self.run(*seed).end.is_passed()).count() as u64
    }
}

/// What became of one trial.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// Runs up to the bug, or the budget.
    pub runs: u64,
    /// The seed that met the bug.
    pub found: Option<u64>,
    /// A failure that is not the bug: one of the port.
    pub strange: Option<(u64, End)>,
}

/// The median of the runs to the bug, and its 95 % interval; none where the trials do not reach so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Median {
    /// The median.
    pub at: Option<u64>,
    /// The lower end of the interval.
    pub from: Option<u64>,
    /// The upper end.
    pub to: Option<u64>,
}

/// A step of the survival curve: the runs, the share of trials that have not found the bug by then, and its variance
/// as a sum after Greenwood.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// How many runs.
    pub runs: u64,
    /// The share.
    pub survival: f64,
    /// The sum.
    pub greenwood: f64,
}

/// The curve of Kaplan and Meier: a trial that was cut off at so many runs counts as not found up to there.
pub fn kaplan_meier(trials: &[Trial]) -> Vec<Step> {
    let mut times: Vec<u64> =
        trials.iter().filter(|trial| trial.found.is_some()).map(|trial| trial.runs).collect();
    times.sort_unstable();
    times.dedup();
    let (mut survival, mut greenwood) = (1.0, 0.0);
    let step = |runs: u64| {
        let at_risk = trials.iter().filter(|trial| trial.runs >= runs).count() as f64;
        let found = trials.iter().filter(|trial| trial.runs == runs && trial.found.is_some()).count() as f64;
        survival *= 1.0 - found / at_risk;
        greenwood += found / (at_risk * (at_risk - found));
        Step { runs, survival, greenwood }
    };
    times.into_iter().map(step).collect()
}

impl Median {
    /// Of these trials: the interval is that of Brookmeyer and Crowley with the log-log transformation, which keeps it
    /// in the range of survival for few trials.
    pub fn of(trials: &[Trial]) -> Median {
        let curve = kaplan_meier(trials);
        let first =
            |below: &dyn Fn(&Step) -> bool| curve.iter().find(|step| below(step)).map(|step| step.runs);
        // S to the power of exp(z se): below it for the lower band, above it for the upper one.
        let band = |step: &Step, z: f64| {
            let error = step.greenwood.sqrt() / step.survival.ln().abs();
            step.survival.powf((z * error).exp())
        };
        Median {
            at: first(&|step| step.survival <= 0.5),
            from: first(&|step| step.survival == 0.0 || band(step, Z) <= 0.5),
            // Nothing is known of the variance where no trial is left.
            to: first(&|step| step.survival > 0.0 && band(step, -Z) <= 0.5),
        }
    }
}

impl Tier {
    /// The name of its part of the page, and of the command line.
    pub fn name(self) -> &'static str {
        match self {
            Tier::Classic => "classic",
            Tier::Ownership => "ownership",
            Tier::ControlPlane => "control-plane",
        }
    }
}

/// The page with one marked part replaced, or added at its end; the rest stays as it is.
pub fn with_part(page: &str, name: &str, part: &str) -> String {
    let (begin, end) = (format!("<!-- begin {name} -->\n"), format!("<!-- end {name} -->\n"));
    let part = format!("{begin}{part}{end}");
    let from = page.find(&begin);
    let to = from.and_then(|from| page[from..].find(&end).map(|to| from + to + end.len()));
    match from.zip(to) {
        Some((from, to)) => format!("{}{part}{}", &page[..from], &page[to..]),
        None if page.is_empty() => part,
        None => format!("{}\n\n{part}", page.trim_end()),
    }
}
