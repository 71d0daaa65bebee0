//! Planted bugs. Separate so that the list is read in one place; each is one branch at the place where it could have been
//! made.

use crate::systems::controller::Variant as Engine;

/// The workload as it should be, or with one bug.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Variant {
    #[default]
    Correct,
    /// `fenced`: writes are not checked against the epoch.
    NoFence,
    /// `fenced`: the epoch is read before each write, and not checked with it.
    FenceReadFirst,
    /// `lease-kept`: whether a lease is over is judged by the wall clock.
    WallClockLease,
    /// `surge`: a pod that exists although the view lacks it counts as somebody else's, and the next name is taken.
    NextName,
    /// `needed`: the set is read past the cache, and what that view calls surplus is deleted, whatever is asked for by
    /// now.
    StaleSurplus,
    /// `needed`: where a pod could not be deleted to roll it, or so it seems, the next one is rolled.
    RollOnError,
    /// `converges`: which pods there are is taken from the status, which is written after them.
    StatusAsTruth,
    /// `converges`: the pods of a deleted set are deleted by who hears of its deletion.
    DeletionHeard,
    /// `converges`: pods are matched to their set by its name.
    OwnerByName,
    /// `leader-works`: the exit of the run before is taken as that of the run now.
    ExitUntagged,
    /// `joined`: a run that is told to end returns before its workers have ended.
    RunUnjoined,
}

const ALL: [(Variant, &str); 12] = [
    (Variant::Correct, "correct"),
    (Variant::NoFence, "no-fence"),
    (Variant::FenceReadFirst, "fence-read-first"),
    (Variant::WallClockLease, "wall-clock-lease"),
    (Variant::NextName, "next-name"),
    (Variant::StaleSurplus, "stale-surplus"),
    (Variant::RollOnError, "roll-on-error"),
    (Variant::StatusAsTruth, "status-as-truth"),
    (Variant::DeletionHeard, "deletion-heard"),
    (Variant::OwnerByName, "owner-by-name"),
    (Variant::ExitUntagged, "exit-untagged"),
    (Variant::RunUnjoined, "run-unjoined"),
];

/// The names in scenario files, the correct one first.
pub(super) const NAMES: [&str; ALL.len()] = {
    let mut names = [""; ALL.len()];
    let mut index = 0;
    while index < ALL.len() {
        names[index] = ALL[index].1;
        index += 1;
    }
    names
};

impl Variant {
    /// The variant of a name.
    ///
    /// # Panics
    /// There is none: files are checked against [`NAMES`].
    pub(super) fn named(name: &str) -> Variant {
        let found = ALL.into_iter().find(|(_, known)| *known == name);
        found.map(|(variant, _)| variant).unwrap_or_else(|| panic!("there is no variant {name}"))
    }

    /// What it means for the controller below.
    pub(super) fn engine(self) -> Engine {
        if self == Variant::RunUnjoined { Engine::RunEndsUnjoined } else { Engine::Correct }
    }
}
