//! Planted bugs, as data in the options of a queue or a controller: what the properties and the search are measured
//! against. Separate so that the list is read in one place; it must not hold behaviour, each bug is one branch at the
//! place where it was, or could have been, made.

pub use crate::systems::variant::UnknownVariant;
use crate::systems::variant::named;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A queue or a controller as it should be, or with one bug planted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[doc(hidden)]
pub enum Variant {
    /// No bug.
    #[default]
    Correct,
    /// `stop`: a getter looks at the stop flag, and parks later; the wake-up of the stop falls in between.
    LostWakeUpAtStop,
    /// `stop`: the stop wakes one getter, not all.
    WakeOneAtStop,
    /// `pairing`: done is not checked, so that an item that is only queued is queued twice.
    SpuriousDone,
    /// `at-least-once`: taking an item leaves it marked as wanted, so that an add while it is processed is lost.
    GetKeepsDirty,
    /// `exclusive`: an add does not look at what is processed.
    AddIgnoresProcessing,
    /// `requeue-first`: a lease is done before it is requeued.
    DoneBeforeRequeue,
    /// `fifo`: what is wanted again goes to the head of the queue.
    DoneToHead,
    /// `deferral`: of two deferrals of a key the later time stands.
    LaterDeferralWins,
    /// `deferral`: with one deferral due, all are delivered.
    DeferralEarly,
    /// `backoff`: the delay is computed in floating point and turns negative after many failures.
    NegativeBackoff,
    /// `backoff`: the failures of all keys are counted as one key's.
    LimiterShared,
    /// `backoff`: failures are not forgotten.
    ForgetMissing,
    /// `drain`: whoever drains checks its condition in pieces, and a forced stop falls in between.
    DrainInPieces,
    /// `panic-isolation`: a panic is recovered, and its item is never given back.
    PanicSkipsDone,
    /// `at-least-once`: what comes again after a failure is taken and given back, and not reconciled.
    RetryUnseen,
    /// `trigger`: a trigger whose future has ended adds its item although it was removed meanwhile.
    TriggerFiresCancelled,
    /// `trigger`: a trigger that failed adds nothing.
    TriggerErrorSwallowed,
    /// `backoff`: a requeue that was asked for is counted as a failure.
    RequeueAfterAsFailure,
    /// `backoff`: a requeue that was asked for leaves the failures before it counted.
    RequeueAfterKeepsFailures,
    /// `backoff`: a success leaves the failures before it counted.
    SuccessKeepsFailures,
    /// `eventual-consistency`: a subscription that is opened again skips what is older than what the last one saw.
    IndexKept,
    /// `eventual-consistency`: an event that frames a snapshot counts as seen, and what has its index is skipped.
    FramingAdvancesIndex,
    /// `subscription`: an error of a subscription ends the run, which tells nobody.
    SubscriptionErrorEndsRun,
    /// `joined`: a run returns and leaves its workers at work.
    RunEndsUnjoined,
    /// `primed`: workers begin before the first snapshots are in the queue.
    WorkBeforeSnapshot,
}

impl Variant {
    /// All of them, the correct one first.
    pub const ALL: [Variant; 26] = [
        Variant::Correct,
        Variant::LostWakeUpAtStop,
        Variant::WakeOneAtStop,
        Variant::SpuriousDone,
        Variant::GetKeepsDirty,
        Variant::AddIgnoresProcessing,
        Variant::DoneBeforeRequeue,
        Variant::DoneToHead,
        Variant::LaterDeferralWins,
        Variant::DeferralEarly,
        Variant::NegativeBackoff,
        Variant::LimiterShared,
        Variant::ForgetMissing,
        Variant::DrainInPieces,
        Variant::PanicSkipsDone,
        Variant::RetryUnseen,
        Variant::TriggerFiresCancelled,
        Variant::TriggerErrorSwallowed,
        Variant::RequeueAfterAsFailure,
        Variant::RequeueAfterKeepsFailures,
        Variant::SuccessKeepsFailures,
        Variant::IndexKept,
        Variant::FramingAdvancesIndex,
        Variant::SubscriptionErrorEndsRun,
        Variant::RunEndsUnjoined,
        Variant::WorkBeforeSnapshot,
    ];

    /// Its name in scenario files.
    pub fn name(self) -> &'static str {
        match self {
            Variant::Correct => "correct",
            Variant::LostWakeUpAtStop => "lost-wake-up-at-stop",
            Variant::WakeOneAtStop => "wake-one-at-stop",
            Variant::SpuriousDone => "spurious-done",
            Variant::GetKeepsDirty => "get-keeps-dirty",
            Variant::AddIgnoresProcessing => "add-ignores-processing",
            Variant::DoneBeforeRequeue => "done-before-requeue",
            Variant::DoneToHead => "done-to-head",
            Variant::LaterDeferralWins => "later-deferral-wins",
            Variant::DeferralEarly => "deferral-early",
            Variant::NegativeBackoff => "negative-backoff",
            Variant::LimiterShared => "limiter-shared",
            Variant::ForgetMissing => "forget-missing",
            Variant::DrainInPieces => "drain-in-pieces",
            Variant::PanicSkipsDone => "panic-skips-done",
            Variant::RetryUnseen => "retry-unseen",
            Variant::TriggerFiresCancelled => "trigger-fires-cancelled",
            Variant::TriggerErrorSwallowed => "trigger-error-swallowed",
            Variant::RequeueAfterAsFailure => "requeue-after-as-failure",
            Variant::RequeueAfterKeepsFailures => "requeue-after-keeps-failures",
            Variant::SuccessKeepsFailures => "success-keeps-failures",
            Variant::IndexKept => "index-kept",
            Variant::FramingAdvancesIndex => "framing-advances-index",
            Variant::SubscriptionErrorEndsRun => "subscription-error-ends-run",
            Variant::RunEndsUnjoined => "run-ends-unjoined",
            Variant::WorkBeforeSnapshot => "work-before-snapshot",
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
