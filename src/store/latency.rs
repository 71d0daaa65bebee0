//! How long calls take: integer tables, drawn at one site. It knows no call.

use crate::choice::{Label, Weights};
use crate::runtime::current;
use crate::time::sleep;
use std::time::Duration;

const LATENCY: Label = Label::new("store.latency");
/// Steps on the way there and on the way back, by option. On the way there others come first; on the way back the
/// answer is old when it arrives.
const LEGS: [(u32, u32); 7] = [(0, 0), (1, 0), (0, 1), (4, 0), (0, 4), (16, 0), (0, 16)];
/// One call in four takes longer than the least, under a seed.
const WEIGHTS: Weights = Weights::Rare { one_in: 1, of: 4 };

/// How long the calls on a store take, in a simulation. Outside they take the time they take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    /// What every call takes.
    pub base: Duration,
    /// What some calls take more: up to 16 of these, on the way there or on the way back. Not in the quiet phase.
    pub step: Duration,
}

impl Default for Latency {
    /// No time at least, and steps of a millisecond.
    fn default() -> Latency {
        Latency { base: Duration::ZERO, step: Duration::from_millis(1) }
    }
}

/// The two ways of one call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Legs {
    pub(super) there: Duration,
    pub(super) back: Duration,
}

impl Legs {
    /// The whole way.
    pub(super) fn both(self) -> Duration {
        self.there + self.back
    }
}

impl Latency {
    /// Asks how long one call takes.
    pub(super) fn draw(self) -> Legs {
        let option = current::try_with(|world| match world.quiet || self.step.is_zero() {
            true => 0,
            false => world.choose(LATENCY, "", LEGS.len() as u64, WEIGHTS),
        });
        let Some(option) = option else {
            return Legs { there: Duration::ZERO, back: Duration::ZERO };
        };
        let (there, back) = LEGS[option as usize];
        Legs { there: self.base + self.step * there, back: self.step * back }
    }
}

/// Lets the time of a way pass.
pub(super) async fn pass(way: Duration) {
    if !way.is_zero() {
        sleep(way).await;
    }
}
