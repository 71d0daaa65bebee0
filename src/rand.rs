//! Randomness for the program under test: draws are choices inside a simulation, the thread's generator outside.
//!
//! A draw of the baseline run is 0; the tape names draws like any other choice. Part of the facade.

use crate::choice::{Label, Weights};
use crate::runtime::current;
use rand::rand_core::{Infallible, TryRng};

const SITE: Label = Label::new("rand");

/// A generator whose draws are choices at the site `rand`.
pub fn rng() -> ChoiceRng {
    ChoiceRng { label: SITE }
}

/// A generator whose draws are choices at a site of the caller's.
pub fn rng_at(site: &'static str) -> ChoiceRng {
    ChoiceRng { label: Label::new(site) }
}

/// See [`rng`].
#[derive(Clone, Copy, Debug)]
pub struct ChoiceRng {
    label: Label,
}

impl ChoiceRng {
    /// A number below `bound`, as one choice of that arity; 0 when `bound` is 0. Reads better in a tape than a word.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound < 2 {
            return 0;
        }
        let choice = current::try_with(|world| world.choose(self.label, "", bound, Weights::Uniform));
        choice.unwrap_or_else(|| ((u128::from(outside()) * u128::from(bound)) >> 64) as u64)
    }

    fn word(self) -> u64 {
        let choice = current::try_with(|world| world.choose(self.label, "", u64::MAX, Weights::Uniform));
        choice.unwrap_or_else(outside)
    }
}

impl TryRng for ChoiceRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.word() as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.word())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.word().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

/// Entropy outside a simulation: the keys that the standard library draws for its maps.
#[expect(
    clippy::disallowed_types,
    reason = "outside a simulation entropy is wanted, and this is the library's"
)]
fn outside() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}
