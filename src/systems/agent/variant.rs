//! Planted bugs, as data in the engine's options: what the properties and the search are measured against. Separate so
//! that the list is read in one place; it must not hold behaviour, each bug is one branch in the engine at the place
//! where it was, or could have been, made.

pub use crate::systems::variant::UnknownVariant;
use crate::systems::variant::named;
use std::fmt;
use std::str::FromStr;

/// The agent as it should be, or with one bug planted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[doc(hidden)]
pub enum Variant {
    /// No bug.
    #[default]
    Correct,
    /// `exclusive-operation`: the end of a back-off is taken for the end of whatever operation is in flight.
    BareRetryTimer,
    /// `remove-last`: the controller removes while its manager is still being closed.
    RemoveBesideClose,
    /// `no-orphan`: the record of a task goes before what it used is freed. A crash in between leaves that for ever.
    RecordDeletedFirst,
    /// `dependencies`: a clone of a secret made for one task gets the secret's id where all tasks see it.
    SecretRenamed,
    /// `update-before-do`: a new definition counts as delivered when its delivery begins.
    UpdateLost,
    /// `no-residue`: a full assignment removes the tasks that have a manager, and forgets those that could not be resolved.
    UnresolvedForgotten,
    /// `paced`: what is to be tried again is tried again at once.
    RetryAtOnce,
    /// `closes`: waking a loop that is awake already waits until it takes that, and the loop itself does so.
    RunChannelFull,
    /// `final-status`: what happened in earlier sessions is not reported again in a new one.
    NotReportedAgain,
    /// `settles`: nobody looks whether a message of the assignment stream was missed.
    GapUnnoticed,
    /// `no-residue`: a task's record goes before its manager is closed, and a late status makes it again.
    LateStatusRecreates,
    /// `dependencies`: of one batch, what is added comes before what is removed.
    AddBeforeRemove,
    /// `no-orphan`: each message of the assignment stream is applied by a task of its own.
    AssignedConcurrently,
    /// `final-status`: a status that could not be sent is queued again over a newer one.
    StaleRequeued,
    /// `state-monotone`: a status is told before it is stored.
    StatusNotStored,
    /// `do-result`: that a task had been prepared or started already is a failure.
    AlreadyIsFatal,
    /// `remove-last`: closing a manager does not wait for the operation in flight.
    CloseWithoutWaiting,
    /// `no-orphan`: what could not be freed is not freed again.
    RemoveErrorForgotten,
    /// `no-work-after-shutdown`: only one of the desires to stop is known. Nothing stops a task that is to be removed.
    DesireExactly,
    /// `do-result`: a task that fails to start has failed before that.
    StartFailureRejected,
    /// `do-result`: an active state rests where just that is desired: no task that is to run waits for its end.
    ActiveRests,
    /// `do-result`: an active state goes on however little is desired.
    ActivePastDesired,
    /// `not-shared`: every manager gets the definition of the last task of its batch.
    UpdateOfAnother,
    /// `do-result`: a task that had started and has no controller any more goes on to run.
    ResolveNotMapped,
    /// `desired-monotone`: a definition that wants less is taken.
    LowerDesireTaken,
    /// `cancel-is-no-failure`: an operation that took too long has failed.
    DeadlineIsFatal,
}

impl Variant {
    /// All of them, the correct one first.
    pub const ALL: [Variant; 27] = [
        Variant::Correct,
        Variant::BareRetryTimer,
        Variant::RemoveBesideClose,
        Variant::RecordDeletedFirst,
        Variant::SecretRenamed,
        Variant::UpdateLost,
        Variant::UnresolvedForgotten,
        Variant::RetryAtOnce,
        Variant::RunChannelFull,
        Variant::NotReportedAgain,
        Variant::GapUnnoticed,
        Variant::LateStatusRecreates,
        Variant::AddBeforeRemove,
        Variant::AssignedConcurrently,
        Variant::StaleRequeued,
        Variant::StatusNotStored,
        Variant::AlreadyIsFatal,
        Variant::CloseWithoutWaiting,
        Variant::RemoveErrorForgotten,
        Variant::DesireExactly,
        Variant::StartFailureRejected,
        Variant::ActiveRests,
        Variant::ActivePastDesired,
        Variant::UpdateOfAnother,
        Variant::ResolveNotMapped,
        Variant::LowerDesireTaken,
        Variant::DeadlineIsFatal,
    ];

    /// Their names in scenario files, in the same order.
    pub const NAMES: [&'static str; 27] = [
        "correct",
        "bare-retry-timer",
        "remove-beside-close",
        "record-deleted-first",
        "secret-renamed",
        "update-lost",
        "unresolved-forgotten",
        "retry-at-once",
        "run-channel-full",
        "not-reported-again",
        "gap-unnoticed",
        "late-status-recreates",
        "add-before-remove",
        "assigned-concurrently",
        "stale-requeued",
        "status-not-stored",
        "already-is-fatal",
        "close-without-waiting",
        "remove-error-forgotten",
        "desire-exactly",
        "start-failure-rejected",
        "active-rests",
        "active-past-desired",
        "update-of-another",
        "resolve-not-mapped",
        "lower-desire-taken",
        "deadline-is-fatal",
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
