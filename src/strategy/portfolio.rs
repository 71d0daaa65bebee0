//! The portfolio: a seed decides its strategy and the parameters, because no strategy dominates.
//!
//! Walks are best where any order will do, priorities where one task has to be very late, uniform sampling where tasks
//! are of uneven length, few delays where the rest has to go on as usual.

use super::{
    Calibration, DelayBounded, OldestFirst, Pct, Pos, RandomWalk, Strategy, StrategyKind, Stream, Surw,
    UniformWalk,
};
use std::fmt;

/// A strategy with its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// See [`RandomWalk`].
    RandomWalk,
    /// See [`UniformWalk`].
    UniformWalk,
    /// See [`OldestFirst`].
    OldestFirst,
    /// See [`Pct`].
    Pct {
        /// The depth of the bug that it looks for.
        depth: u32,
    },
    /// See [`Pos`].
    Pos,
    /// See [`Surw`].
    Surw,
    /// See [`DelayBounded`].
    DelayBounded {
        /// How many turns are put off.
        delays: u32,
    },
}

/// Of sixteen seeds, these strategies: most of what finds most.
const SHARES: [StrategyKind; 16] = [
    StrategyKind::RandomWalk,
    StrategyKind::RandomWalk,
    StrategyKind::RandomWalk,
    StrategyKind::UniformWalk,
    StrategyKind::Surw,
    StrategyKind::Surw,
    StrategyKind::Surw,
    StrategyKind::Surw,
    StrategyKind::Surw,
    StrategyKind::Pct,
    StrategyKind::Pct,
    StrategyKind::Pct,
    StrategyKind::Pos,
    StrategyKind::Pos,
    StrategyKind::DelayBounded,
    StrategyKind::OldestFirst,
];

impl Chosen {
    /// What a seed makes of a strategy: the member of a portfolio, and the parameters of the member.
    pub fn of(kind: StrategyKind, seed: u64) -> Chosen {
        // Seeding a stream costs, and three of the strategies have nothing to draw.
        match kind {
            StrategyKind::RandomWalk => return Chosen::RandomWalk,
            StrategyKind::UniformWalk => return Chosen::UniformWalk,
            StrategyKind::OldestFirst => return Chosen::OldestFirst,
            _ => {}
        }
        let mut stream = Stream::new(seed, "strategy.portfolio");
        let share = stream.below(SHARES.len() as u64) as usize;
        match if kind == StrategyKind::Portfolio { SHARES[share] } else { kind } {
            StrategyKind::RandomWalk | StrategyKind::Portfolio => Chosen::RandomWalk,
            StrategyKind::UniformWalk => Chosen::UniformWalk,
            StrategyKind::OldestFirst => Chosen::OldestFirst,
            StrategyKind::Pct => Chosen::Pct { depth: [2, 3, 3, 4, 5][stream.below(5) as usize] },
            StrategyKind::Pos => Chosen::Pos,
            StrategyKind::Surw => Chosen::Surw,
            StrategyKind::DelayBounded => Chosen::DelayBounded { delays: 1 + stream.below(4) as u32 },
        }
    }

    /// The strategy for a run of `seed`.
    pub fn build(self, seed: u64, calibration: &Calibration) -> Box<dyn Strategy> {
        let stream = |label| Stream::new(seed, label);
        let points = calibration.points.max(calibration.steps);
        match self {
            Chosen::RandomWalk => Box::new(RandomWalk::of(seed)),
            Chosen::UniformWalk => Box::new(UniformWalk::new(stream("strategy.uniform-walk"))),
            Chosen::OldestFirst => Box::new(OldestFirst),
            Chosen::Pct { depth } => {
                Box::new(Pct::new(stream("strategy.pct"), depth, points, calibration.hazards))
            }
            Chosen::Pos => Box::new(Pos::new(stream("strategy.pos"))),
            Chosen::Surw => {
                Box::new(Surw::new(stream("strategy.surw"), calibration.profile.clone().unwrap_or_default()))
            }
            Chosen::DelayBounded { delays } => {
                Box::new(DelayBounded::new(stream("strategy.delay-bounded"), delays, points))
            }
        }
    }
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Chosen::RandomWalk => f.write_str("random-walk"),
            Chosen::UniformWalk => f.write_str("uniform-walk"),
            Chosen::OldestFirst => f.write_str("oldest-first"),
            Chosen::Pct { depth } => write!(f, "pct of depth {depth}"),
            Chosen::Pos => f.write_str("pos"),
            Chosen::Surw => f.write_str("surw"),
            Chosen::DelayBounded { delays: 1 } => f.write_str("delay-bounded by 1"),
            Chosen::DelayBounded { delays } => write!(f, "delay-bounded by {delays}"),
        }
    }
}
