//! Planted bugs, as data in the options of engine and controller: what the properties and the search are measured
//! against. Separate so that the list is read in one place; it must not hold behaviour, each bug is one branch at the
//! place where it was, or could have been, made.

pub use crate::systems::variant::UnknownVariant;
use crate::systems::variant::named;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The engine as it should be, or with one bug planted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[doc(hidden)]
pub enum Variant {
    /// No bug.
    #[default]
    Correct,
    /// `fatal-never-again`: a phase or step that is `FATAL_ERROR` inside a running plan is run again.
    FatalResurrected,
    /// `rerun-safe`: a pass works on the status that the next one begins with, also if the store has not taken it.
    SharedStatus,
    /// `honest-steps`: a task that answers with an error counts as done.
    ErrorCountsAsDone,
    /// `permanent-is-fatal`: a job that has failed for good is waited for.
    FailedJobRetried,
    /// `complete-iff-children`: a phase counts what is done in a pass, and is done at the number of its steps.
    CounterOfDone,
    /// `finalizer`: the clean-up of an instance that is deleted starts again whenever it has ended badly.
    CleanupRestarts,
    /// `finalizer`: the finalizer goes when the clean-up has ended, well or not.
    FinalizerOnTerminal,
    /// `no-re-execution`: the status is stored before the spec, and a scheduled plan that has ended is taken for a new one.
    StatusBeforeSpec,
    /// `fatal-stops`: the steps after a fatal error are run all the same.
    ContinueAfterFatal,
    /// `messages`: the message of an error stays when the step is tried again.
    MessageKept,
    /// `fatal-shape`: the message of a fatal step is written on its phase and its plan too.
    FatalMessageUpwards,
    /// `fresh-start`: a new execution finds the steps as the one before left them.
    StepsNotReset,
    /// `parallel`: a step that failed holds back the steps after it, though their phase is parallel.
    ErrorHoldsBack,
    /// `parallel`: a phase with a step that failed holds back the phases after it, though their plan is parallel.
    BreaksOutOfPhases,
    /// `timestamps`: the time of a status is that of the last pass that failed somewhere, though the plan stands where it
    /// stood.
    StampedAtErrors,
    /// `converges`: the status is written blindly, over whatever was written since it was read.
    BlindStatus,
}

impl Variant {
    /// All of them, the correct one first.
    pub const ALL: [Variant; 17] = [
        Variant::Correct,
        Variant::FatalResurrected,
        Variant::SharedStatus,
        Variant::ErrorCountsAsDone,
        Variant::FailedJobRetried,
        Variant::CounterOfDone,
        Variant::CleanupRestarts,
        Variant::FinalizerOnTerminal,
        Variant::StatusBeforeSpec,
        Variant::ContinueAfterFatal,
        Variant::MessageKept,
        Variant::FatalMessageUpwards,
        Variant::StepsNotReset,
        Variant::ErrorHoldsBack,
        Variant::BreaksOutOfPhases,
        Variant::StampedAtErrors,
        Variant::BlindStatus,
    ];

    /// Their names.
    pub const NAMES: [&str; 17] = [
        "correct",
        "fatal-resurrected",
        "shared-status",
        "error-counts-as-done",
        "failed-job-retried",
        "counter-of-done",
        "cleanup-restarts",
        "finalizer-on-terminal",
        "status-before-spec",
        "continue-after-fatal",
        "message-kept",
        "fatal-message-upwards",
        "steps-not-reset",
        "error-holds-back",
        "breaks-out-of-phases",
        "stamped-at-errors",
        "blind-status",
    ];

    /// Its name in scenario files.
    pub fn name(self) -> &'static str {
        Variant::NAMES[self as usize]
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Variant {
    type Err = UnknownVariant;

    fn from_str(text: &str) -> Result<Variant, UnknownVariant> {
        named(text, &Variant::ALL, Variant::name)
    }
}
