//! Planted bugs, as data in the engine's options: what the properties and the search are measured against.
//! Separate so that the list is read in one place; it must not hold behaviour, each bug is one branch in the
//! engine at the place where it was, or could have been, made.

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
    /// `conservation`: actions that were queued when the run stopped are in no set of the outcome.
    QueuedVanish,
    /// `liveness`: the wake token is sent on a channel of 100 while the lock is held that its receiver needs.
    TokenUnderLock,
    /// `conservation`: a queueing pass that is refused half way forgets what it did not visit.
    UnvisitedDropped,
    /// `queue`: the queue accepts what an orphan unblocks after the stop, and nobody runs it.
    AddAfterDone,
    /// `conservation`: the error of an orphan ends the wait for the others.
    OrphanErrorEndsWait,
    /// `conservation`: an action is counted as done before its result is recorded.
    CountBeforeRecord,
    /// `at-most-once`: an action is handed to the queue before it is marked as queued.
    QueueBeforeRemoving,
    /// `causality`: the events of a failed action are signalled as if it had succeeded.
    SuccessBeforeErrorCheck,
    /// `work-conserving`: a queueing pass is skipped while another one is under way.
    PassSkippedWhenBusy,
    /// `completeness`: the queueing pass comes before the signals that it should see.
    QueueBeforeSignal,
    /// `honest-verdict`: the verdict is computed from failed and blocked actions only.
    HollowVerdict,
    /// `honest-verdict`: orphans are awaited under the deadline that has just passed.
    OrphansUnderRunDeadline,
    /// `minimal-blockage`: one failure stops the run although it should continue.
    StopDespiteContinue,
    /// `concurrency-cap`: one worker too many.
    ExtraWorker,
    /// `work-conserving`: an idle worker is not woken while another one works.
    WakeDroppedWhenBusy,
    /// `stop`: a worker takes one more action after the stop.
    StartAfterStop,
    /// `frozen-result`: the outcome is read again from the live state after the verdict was reached.
    LiveResult,
    /// `trace`: the action that stops the run is not recorded.
    FailureUnrecorded,
    /// `signal-multiplicity`: a signal is reported to its receiver twice.
    SignalTwice,
    /// `dry-run`: a dry run performs the real operations.
    DryRunIgnored,
    /// `retry`: a retry starts after the cancel when the delay has passed too.
    RetryAfterCancel,
    /// `retry`: an error that is not retried is reported as success.
    RetrySwallowsError,
    /// `queue`: the newest item is started first.
    NewestFirst,
}

impl Variant {
    /// All of them, the correct one first.
    pub const ALL: [Variant; 24] = [
        Variant::Correct,
        Variant::QueuedVanish,
        Variant::TokenUnderLock,
        Variant::UnvisitedDropped,
        Variant::AddAfterDone,
        Variant::OrphanErrorEndsWait,
        Variant::CountBeforeRecord,
        Variant::QueueBeforeRemoving,
        Variant::SuccessBeforeErrorCheck,
        Variant::PassSkippedWhenBusy,
        Variant::QueueBeforeSignal,
        Variant::HollowVerdict,
        Variant::OrphansUnderRunDeadline,
        Variant::StopDespiteContinue,
        Variant::ExtraWorker,
        Variant::WakeDroppedWhenBusy,
        Variant::StartAfterStop,
        Variant::LiveResult,
        Variant::FailureUnrecorded,
        Variant::SignalTwice,
        Variant::DryRunIgnored,
        Variant::RetryAfterCancel,
        Variant::RetrySwallowsError,
        Variant::NewestFirst,
    ];

    /// Its name in scenario files.
    pub fn name(self) -> &'static str {
        match self {
            Variant::Correct => "correct",
            Variant::QueuedVanish => "queued-vanish",
            Variant::TokenUnderLock => "token-under-lock",
            Variant::UnvisitedDropped => "unvisited-dropped",
            Variant::AddAfterDone => "add-after-done",
            Variant::OrphanErrorEndsWait => "orphan-error-ends-wait",
            Variant::CountBeforeRecord => "count-before-record",
            Variant::QueueBeforeRemoving => "queue-before-removing",
            Variant::SuccessBeforeErrorCheck => "success-before-error-check",
            Variant::PassSkippedWhenBusy => "pass-skipped-when-busy",
            Variant::QueueBeforeSignal => "queue-before-signal",
            Variant::HollowVerdict => "hollow-verdict",
            Variant::OrphansUnderRunDeadline => "orphans-under-run-deadline",
            Variant::StopDespiteContinue => "stop-despite-continue",
            Variant::ExtraWorker => "extra-worker",
            Variant::WakeDroppedWhenBusy => "wake-dropped-when-busy",
            Variant::StartAfterStop => "start-after-stop",
            Variant::LiveResult => "live-result",
            Variant::FailureUnrecorded => "failure-unrecorded",
            Variant::SignalTwice => "signal-twice",
            Variant::DryRunIgnored => "dry-run-ignored",
            Variant::RetryAfterCancel => "retry-after-cancel",
            Variant::RetrySwallowsError => "retry-swallows-error",
            Variant::NewestFirst => "newest-first",
        }
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
