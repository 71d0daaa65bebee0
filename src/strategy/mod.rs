//! How a seed explores schedules: the trait, and the strategies behind it.
//!
//! A strategy picks among ready tasks and hears of spawns, readiness, declared accesses and ends. It draws from a
//! stream of its own, so that seed 7 meets the same faults under each. It does not know the runtime.

mod oldest_first;
mod random_walk;
pub mod seed;
mod stream;

pub use oldest_first::OldestFirst;
pub use random_walk::RandomWalk;
pub use stream::Stream;

use crate::choice::{Access, Ready};
use serde::{Deserialize, Serialize};

/// What a strategy may estimate from: one calibration run before the sweep. Stands in the failure file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Polls of the calibration run.
    pub steps: u64,
    /// Tasks that it spawned.
    pub tasks: u64,
}

/// The contract of a schedule strategy. Tasks are spawn serials.
pub trait Strategy {
    /// The index into `ready` of the task to poll; called with two tasks or more.
    fn pick(&mut self, ready: &Ready) -> usize;

    /// Whether the four verbs below do anything.
    fn listens(&self) -> bool {
        false
    }

    /// A task began.
    fn spawned(&mut self, _task: u32, _parent: Option<u32>) {}

    /// A task became ready.
    fn ready(&mut self, _task: u32) {}

    /// A task is about to touch the shared object with this stable hash.
    fn access(&mut self, _task: u32, _object: u64, _access: Access) {}

    /// A task ended.
    fn done(&mut self, _task: u32) {}
}

/// The strategies by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StrategyKind {
    /// Each ready task is as likely as any other.
    #[default]
    RandomWalk,
    /// The baseline schedule; only faults and latencies vary.
    OldestFirst,
}

impl StrategyKind {
    /// All of them.
    pub const ALL: [StrategyKind; 2] = [StrategyKind::RandomWalk, StrategyKind::OldestFirst];

    /// The name used on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            StrategyKind::RandomWalk => "random-walk",
            StrategyKind::OldestFirst => "oldest-first",
        }
    }

    /// The strategy for a seed.
    pub fn build(self, seed: u64, _calibration: Calibration) -> Box<dyn Strategy> {
        match self {
            StrategyKind::RandomWalk => Box::new(RandomWalk::new(Stream::new(seed, "strategy.random-walk"))),
            StrategyKind::OldestFirst => Box::new(OldestFirst),
        }
    }
}

impl std::str::FromStr for StrategyKind {
    type Err = crate::Error;

    fn from_str(text: &str) -> Result<StrategyKind, crate::Error> {
        let found = StrategyKind::ALL.into_iter().find(|kind| kind.name() == text);
        found
            .ok_or_else(|| crate::Error::one_of("strategy", text, &StrategyKind::ALL.map(StrategyKind::name)))
    }
}
