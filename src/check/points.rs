//! Sweeps over points: one run for each place at which the fault-free run could have been harmed in one way.
//!
//! Three ways are those that controllers fail under in practice: a crash between any two writes, a stale view, and
//! events that were missed. The others cancel a task at an await. It knows no store: a point is a question at the way's
//! site.

use crate::Error;
use crate::choice::enumerate::Shape;
use crate::choice::fault::{FaultPlan, SITE_CANCEL, SITE_CRASH_AFTER, SITE_MISSED, SITE_STALE};
use crate::choice::hash_bytes;
use crate::choice::tape::{Deviation, Tape};
use crate::runtime::Cancels;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A way to harm a controller, for a sweep over every place where it can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Perturbation {
    /// A crash right after a write or another effect, before its answer: between any two writes.
    Crash,
    /// A view that is older than the store.
    Stale,
    /// A watch that misses events.
    Missed,
    /// A task that the program spawned is cancelled at an await: dropped, as by an abort.
    Cancel,
    /// As `Cancel`, and the mains of hosts too; one that is cancelled counts as ended.
    CancelMains,
}

impl Perturbation {
    /// All of them.
    pub const ALL: [Perturbation; 5] = [
        Perturbation::Crash,
        Perturbation::Stale,
        Perturbation::Missed,
        Perturbation::Cancel,
        Perturbation::CancelMains,
    ];

    /// The name used on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Perturbation::Crash => "crash",
            Perturbation::Stale => "stale",
            Perturbation::Missed => "missed",
            Perturbation::Cancel => "cancel",
            Perturbation::CancelMains => "cancel-mains",
        }
    }

    /// The site whose questions are the points.
    pub fn site(self) -> &'static str {
        match self {
            Perturbation::Crash => SITE_CRASH_AFTER,
            Perturbation::Stale => SITE_STALE,
            Perturbation::Missed => SITE_MISSED,
            Perturbation::Cancel | Perturbation::CancelMains => SITE_CANCEL,
        }
    }

    /// What one point is, and many are.
    fn nouns(self) -> (&'static str, &'static str) {
        match self {
            Perturbation::Crash => ("write", "writes"),
            Perturbation::Stale => ("read of a view", "reads of a view"),
            Perturbation::Missed => ("event", "events"),
            Perturbation::Cancel | Perturbation::CancelMains => ("await", "awaits"),
        }
    }

    /// Which tasks it cancels.
    pub(super) fn cancels(self) -> Cancels {
        match self {
            Perturbation::Crash | Perturbation::Stale | Perturbation::Missed => Cancels::Nothing,
            Perturbation::Cancel => Cancels::Children,
            Perturbation::CancelMains => Cancels::Mains,
        }
    }

    /// The cancellations that a tape is of: its site is asked in no other run. The path of a main is its host's name.
    pub(crate) fn of_tape(tape: &Tape) -> Option<Perturbation> {
        let mut owners = tape.choice.iter().filter(|deviation| deviation.site == SITE_CANCEL).peekable();
        owners.peek()?;
        let is_main = |deviation: &Deviation| !deviation.owner.contains('/');
        Some(if owners.any(is_main) { Perturbation::CancelMains } else { Perturbation::Cancel })
    }

    /// One deviation at the site, and none elsewhere.
    pub(super) fn shape(self) -> Shape {
        Shape { schedule: 0, yields: true, sites: BTreeMap::from([(hash_bytes(self.site().as_bytes()), 1)]) }
    }

    /// Refuses a plan under which the harm cannot happen.
    pub(super) fn validate(self, plan: &FaultPlan) -> Result<(), Error> {
        if self.cancels() != Cancels::Nothing || plan.speaks_of(self.site()) {
            return Ok(());
        }
        let message =
            format!("there are no points to sweep: the plan of faults has no rule of kind `{}`", self.name());
        Err(Error::input(message)
            .help(format!("add one, as in kind = \"{}\"; its probability does not matter here", self.name())))
    }
}

impl FromStr for Perturbation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Perturbation, Error> {
        let found = Perturbation::ALL.into_iter().find(|kind| kind.name() == text);
        found.ok_or_else(|| Error::one_of("kind of point", text, &Perturbation::ALL.map(Perturbation::name)))
    }
}

/// What a sweep over points came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Points {
    /// What was done at each.
    pub kind: Perturbation,
    /// How many the fault-free run has, up to the quiet phase.
    pub found: u64,
    /// At how many of them the harm was done, in every way that exists there.
    pub covered: u64,
}

impl fmt::Display for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (one, many) = self.kind.nouns();
        let what = if self.found == 1 { one } else { many };
        write!(
            f,
            "{} points: {} {what} in the fault-free run, {} covered",
            self.kind.name(),
            self.found,
            self.covered
        )
    }
}
