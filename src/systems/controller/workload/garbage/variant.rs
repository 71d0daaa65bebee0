//! Planted bugs of the collector, as data: which it has, and which property each breaks. Separate so that the list is read
//! in one place; the bugs themselves are branches in the collector.

/// The collector as it should be, or with one bug planted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Variant {
    /// No bug.
    #[default]
    Correct,
    /// `converges`: an owner lives if a database has its name, whatever its uid. What the old one owned stays when the
    /// name is used again.
    OwnerByName,
    /// `no-leak`: the finalizer goes before the disk does. A crash in between leaves a disk that nobody knows of.
    FinalizerFirst,
    /// `converges`: the cleanup of a disk that is gone is an error. A crash, or a refused write, between the cleanup and
    /// the removal of the finalizer makes it fail for ever.
    CleanupNotIdempotent,
    /// `no-live-collected`: owners are looked up in the cache. One that it does not hold yet counts as gone.
    OwnerFromCache,
    /// `converges`: dependents are judged only when their owner's deletion is heard of. Of one that was missed nothing
    /// ever tells.
    DeleteEventOnly,
    /// `no-live-collected`: a dependent is deleted whatever has become of it since it was read. It may have another owner.
    BlindDelete,
    /// `converges`: an entry is written without its finalizer, whatever has become of it since it was read. A finalizer
    /// that somebody else removed in the meantime is there again, and nobody removes it twice.
    BlindFinalizer,
    /// `foreground-last`: the dependents that must go before their owner are listed from the cache. Those that it does
    /// not hold yet outlive the owner.
    ForegroundFromCache,
    /// `converges`: an owner that leaves its dependents behind goes before they are told. They are collected as any
    /// dependents of an owner that is gone.
    OrphansReleasedLast,
}

impl Variant {
    /// All of them, the correct one first.
    const ALL: [Variant; 10] = [
        Variant::Correct,
        Variant::OwnerByName,
        Variant::FinalizerFirst,
        Variant::CleanupNotIdempotent,
        Variant::OwnerFromCache,
        Variant::DeleteEventOnly,
        Variant::BlindDelete,
        Variant::BlindFinalizer,
        Variant::ForegroundFromCache,
        Variant::OrphansReleasedLast,
    ];

    /// Their names in scenario files.
    pub(super) const NAMES: &'static [&'static str] = &[
        "correct",
        "owner-by-name",
        "finalizer-first",
        "cleanup-not-idempotent",
        "owner-from-cache",
        "delete-event-only",
        "blind-delete",
        "blind-finalizer",
        "foreground-from-cache",
        "orphans-released-last",
    ];

    /// The variant of a name.
    ///
    /// # Panics
    /// When no variant has it.
    pub(super) fn named(name: &str) -> Variant {
        let place = Variant::NAMES.iter().position(|known| *known == name);
        Variant::ALL[place.expect("the name is one of `NAMES`")]
    }
}
