//! Guided search: runs that get somewhere new are kept, and the next runs begin as they did.
//!
//! Separate from the sweep because its runs depend on each other: what a run is made of ([`Recipe`]) is drawn from the
//! kept runs of all earlier batches. It knows no program; what "somewhere new" means is a [`Feature`].

mod corpus;
mod search;
mod source;

pub(super) use source::{Answers, GuidedSource, Notes};

use std::sync::Arc;

/// Answers of one run that are recorded, at most: a run goes on beyond them, and cannot be kept beyond them.
pub const ANSWERS_MAX: usize = 16_384;
/// Runs that are kept, at most.
pub const ENTRIES_MAX: usize = 512;
/// Answers of all kept runs together, at most; each takes 16 bytes.
pub const ANSWERS_IN_ALL_MAX: usize = 4_194_304;
/// Features that are known, at most: what is new beyond them is not noticed.
pub const FEATURES_MAX: usize = 65_536;

/// One answer of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// The hash of the site's label, or [`SCHEDULE`].
    site: u64,
    /// The option; of a pick, how many ready tasks were older.
    value: u64,
}

/// The site of picks among ready tasks.
const SCHEDULE: u64 = 0;

/// Something that a run got to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Feature {
    /// A declared state.
    State(u64),
    /// A `sometimes` or `reachable` that was met.
    Property(u64),
    /// Two scheduling points or declared accesses of different tasks, one right after the other.
    Pair(u64),
}

/// What a run of a guided search is made of: it repeats the run exactly.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    /// Which run of the search, from 0.
    pub(super) number: u64,
    /// What answers once the recorded answers are over.
    pub(super) seed: u64,
    /// Answers of kept runs.
    pub(super) answers: Answers,
    /// How many of them are played.
    pub(super) length: usize,
    /// One of them that is another now: which, and what is drawn for it.
    pub(super) change: Option<(usize, u64)>,
}

impl Recipe {
    /// An ordinary run of a seed.
    fn fresh(number: u64, seed: u64) -> Recipe {
        Recipe { number, seed, answers: Arc::from([]), length: 0, change: None }
    }
}

/// What guided search knows in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guidance {
    /// Distinct states that [`crate::cover!`] declared.
    pub states: u64,
    /// Distinct ordered pairs of consecutive scheduling points or declared accesses of different tasks.
    pub pairs: u64,
    /// Distinct `sometimes` and `reachable` that were met.
    pub properties: u64,
    /// Runs that are kept in the corpus.
    pub entries: u64,
}

impl std::fmt::Display for Guidance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Guidance { states, pairs, properties, entries } = self;
        write!(
            f,
            "guided: {states} states, {pairs} pairs of sites, {properties} properties met, {entries} runs kept"
        )
    }
}
