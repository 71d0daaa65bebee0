//! Planted bugs, for tests of the simulator itself: each breaks one property, and only under faults. Data only.

pub use crate::systems::variant::UnknownVariant;
use crate::systems::variant::named;
use std::fmt;
use std::str::FromStr;

/// The engine as it should be, or with one bug planted.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variant {
    /// No bug.
    #[default]
    Correct,
    /// `no-resource-outlives`: that a kill failed is only logged, and the finalizer goes all the same.
    AbortErrorLogged,
    /// `no-resource-outlives`: only running nodes are killed, not those that were started and whose start was not stored.
    AbortRunningOnly,
    /// `abort-complete`: the first kill that fails ends the walk, and nobody tries the others.
    AbortStopsAtFirstError,
    /// `terminates`: the kill of what is gone is an error. Once a kill took effect and its round was lost, it fails for
    /// ever.
    KillNotIdempotent,
    /// `ends-as-asked`: all attempts of a node share one directory, so the second reads the error of the first.
    SharedDataDir,
    /// `attempts-counted`: the counter is compared after it was raised twice: one attempt too few.
    AttemptTooFew,
    /// `finalized`: when an abort fails, the finalization is skipped.
    FinalizeSkipped,
    /// `no-stale-round`: after a conflict the state that could not be written is used again in place of the stored one.
    RoundAppliedTwice,
    /// `one-resource-per-name`: the name of what is made outside says no attempt.
    NameWithoutAttempt,
    /// `round-atomic`: a round that failed keeps what it had changed so far.
    RoundErrorKeepsMutations,
    /// `attempts-counted`: that a task was not accepted counts as an attempt.
    NotReadyCounted,
    /// `no-stale-round`: what was written last is not remembered, and a view from before that is taken for the present.
    NoVersionCache,
    /// `terminates`: an event that was recorded before is an error. The round that was lost after it can never be
    /// repeated.
    DuplicateEventFails,
    /// `deadline`: an attempt that is over its time is left alone.
    TimeoutIgnored,
}

impl Variant {
    /// All of them, the correct one first.
    pub const ALL: [Variant; 15] = [
        Variant::Correct,
        Variant::AbortErrorLogged,
        Variant::AbortRunningOnly,
        Variant::AbortStopsAtFirstError,
        Variant::KillNotIdempotent,
        Variant::SharedDataDir,
        Variant::AttemptTooFew,
        Variant::FinalizeSkipped,
        Variant::RoundAppliedTwice,
        Variant::NameWithoutAttempt,
        Variant::RoundErrorKeepsMutations,
        Variant::NotReadyCounted,
        Variant::NoVersionCache,
        Variant::DuplicateEventFails,
        Variant::TimeoutIgnored,
    ];

    /// Their names in scenario files.
    pub const NAMES: &'static [&'static str] = &[
        "correct",
        "abort-error-logged",
        "abort-running-only",
        "abort-stops-at-first-error",
        "kill-not-idempotent",
        "shared-data-dir",
        "attempt-too-few",
        "finalize-skipped",
        "round-applied-twice",
        "name-without-attempt",
        "round-error-keeps-mutations",
        "not-ready-counted",
        "no-version-cache",
        "duplicate-event-fails",
        "timeout-ignored",
    ];

    /// Its name in scenario files.
    pub fn name(self) -> &'static str {
        let place = Variant::ALL.iter().position(|variant| *variant == self);
        Variant::NAMES[place.expect("every variant is listed")]
    }

    /// The property that it breaks; none for the correct one.
    pub fn breaks(self) -> Option<&'static str> {
        Some(match self {
            Variant::Correct => return None,
            Variant::AbortErrorLogged | Variant::AbortRunningOnly => "no-resource-outlives",
            Variant::FinalizeSkipped => "finalized",
            Variant::AbortStopsAtFirstError => "abort-complete",
            Variant::KillNotIdempotent | Variant::DuplicateEventFails => "terminates",
            Variant::SharedDataDir => "ends-as-asked",
            Variant::AttemptTooFew | Variant::NotReadyCounted => "attempts-counted",
            Variant::RoundAppliedTwice | Variant::NoVersionCache => "no-stale-round",
            Variant::NameWithoutAttempt => "one-resource-per-name",
            Variant::RoundErrorKeepsMutations => "round-atomic",
            Variant::TimeoutIgnored => "deadline",
        })
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
