//! How a seed explores schedules: the trait, and the strategies behind it.
//!
//! A strategy picks among ready tasks and hears of spawns, readiness, declared accesses and ends. It draws from a
//! stream of its own, so that what seed 7 draws at a site is the same under each; a strategy with priorities may answer a
//! latency or a fault in place of the draw. It does not know the runtime.

mod delay_bounded;
mod oldest_first;
mod pct;
mod points;
mod portfolio;
mod pos;
pub mod profile;
mod random_walk;
pub mod seed;
mod stream;
mod surw;
mod uniform_walk;

pub use delay_bounded::DelayBounded;
pub use oldest_first::OldestFirst;
pub use pct::Pct;
pub use portfolio::Chosen;
pub use pos::Pos;
pub use profile::Calibration;
pub use random_walk::RandomWalk;
pub use stream::Stream;
pub use surw::Surw;
pub use uniform_walk::UniformWalk;

use crate::choice::fault::SITE_CANCEL;
use crate::choice::{Access, Ask, Ready, Weights};
use serde::{Deserialize, Serialize};

/// The contract of a schedule strategy. Tasks are spawn serials.
pub trait Strategy {
    /// The index into `ready` of the task to poll; called with two tasks or more.
    fn pick(&mut self, ready: &Ready) -> usize;

    /// Whether a task lets others run at a scheduling point that it reached, of which [`Strategy::access`] heard just
    /// before; `ready` are the others. `None` leaves it to what the site suggests.
    fn yields(&mut self, _task: u32, _ready: &Ready) -> Option<bool> {
        None
    }

    /// Whether sites yield as often as they suggest; asked once, and only where `yields` leaves it to them.
    fn lets_sites_yield(&self) -> bool {
        true
    }

    /// How a latency or a fault is answered that the site or the plan would draw.
    fn hazard(&mut self, _hazard: Hazard) -> Bias {
        Bias::AsDrawn
    }

    /// Whether `yields`, `hazard` and the verbs below do anything.
    fn listens(&self) -> bool {
        false
    }

    /// A task began.
    fn spawned(&mut self, _task: u32, _parent: Option<u32>) {}

    /// A task became ready.
    fn ready(&mut self, _task: u32) {}

    /// A task is about to touch the shared object with this stable hash.
    fn access(&mut self, _task: u32, _object: u64, _access: Access) {}

    /// A task takes its turn unasked, since no other is ready.
    fn alone(&mut self, _task: u32) {}

    /// No task was ready, and time moved; or nobody is asked any more who goes on.
    fn idle(&mut self) {}

    /// A task ended.
    fn done(&mut self, _task: u32) {}
}

/// A choice beside the schedule over which a strategy has a say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hazard {
    /// How long something takes; drawn, it takes longer than the least in `one_in` of `of` cases.
    Latency {
        /// Numerator of that share.
        one_in: u32,
        /// Denominator of that share.
        of: u32,
    },
    /// Whether one of the faults happens that the plan allows here and now.
    Fault,
}

impl Hazard {
    /// What a question is, if it is one. A rare site of two options is none, but a `buggify!`, which is the program's own;
    /// nor is the site of cancellations, of which no plan speaks.
    pub fn of(ask: &Ask<'_>) -> Option<Hazard> {
        match ask.weights {
            Weights::Rare { one_in, of } if ask.arity > 2 => Some(Hazard::Latency { one_in, of }),
            Weights::Fault(mask) if mask != 1 && ask.label.name() != SITE_CANCEL => Some(Hazard::Fault),
            Weights::Uniform | Weights::Rare { .. } | Weights::Fault(_) => None,
        }
    }
}

/// How a strategy wants a [`Hazard`] answered. Which latency, or which of the faults, is drawn in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bias {
    /// As likely as the site or the plan says.
    AsDrawn,
    /// As in the baseline: in the least time, without a fault.
    Baseline,
    /// More than the least time; a fault.
    Harm,
}

/// The strategies by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StrategyKind {
    /// Each ready task is as likely as any other, and each site yields as often as it suggests.
    RandomWalk,
    /// The baseline schedule; only faults and latencies vary.
    OldestFirst,
    /// Each seed another of the others.
    #[default]
    Portfolio,
    /// At each scheduling point each task is as likely as any other.
    UniformWalk,
    /// Random priorities that change a few times.
    Pct,
    /// Random priorities of events, drawn again for those that race.
    Pos,
    /// Each interleaving of the interesting events is as likely as any other.
    Surw,
    /// The baseline schedule with a few turns put off.
    DelayBounded,
}

impl StrategyKind {
    /// All of them.
    pub const ALL: [StrategyKind; 8] = [
        StrategyKind::RandomWalk,
        StrategyKind::OldestFirst,
        StrategyKind::Portfolio,
        StrategyKind::UniformWalk,
        StrategyKind::Pct,
        StrategyKind::Pos,
        StrategyKind::Surw,
        StrategyKind::DelayBounded,
    ];

    /// The name used on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            StrategyKind::RandomWalk => "random-walk",
            StrategyKind::OldestFirst => "oldest-first",
            StrategyKind::Portfolio => "portfolio",
            StrategyKind::UniformWalk => "uniform-walk",
            StrategyKind::Pct => "pct",
            StrategyKind::Pos => "pos",
            StrategyKind::Surw => "surw",
            StrategyKind::DelayBounded => "delay-bounded",
        }
    }

    /// The strategy for a seed.
    pub fn build(self, seed: u64, calibration: &Calibration) -> Box<dyn Strategy> {
        Chosen::of(self, seed).build(seed, calibration)
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
