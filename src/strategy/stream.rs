//! One ChaCha8 stream per label: a further draw at one site never shifts another's.

use crate::choice::hash_bytes;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of 64-bit words, a function of (seed, label).
#[derive(Debug)]
pub struct Stream {
    words: ChaCha8Rng,
}

impl Stream {
    /// The stream of `label` under `seed`.
    pub fn new(seed: u64, label: &str) -> Stream {
        Stream::with_hash(seed, hash_bytes(label.as_bytes()))
    }

    /// The stream of a label whose hash is known.
    pub fn with_hash(seed: u64, label_hash: u64) -> Stream {
        let mut words = ChaCha8Rng::from_seed(key(seed));
        words.set_stream(label_hash);
        Stream { words }
    }

    /// The next word.
    #[inline]
    pub fn word(&mut self) -> u64 {
        self.words.next_u64()
    }

    /// A number below `bound`, by multiply-shift; 0 when `bound` is 0.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.word()) * u128::from(bound)) >> 64) as u64
    }

    /// A number below a small `bound`, from half a word.
    #[inline]
    pub fn below_u32(&mut self, bound: u32) -> u32 {
        ((u64::from(self.words.next_u32()) * u64::from(bound)) >> 32) as u32
    }
}

/// The 256-bit key of a seed: four SplitMix64 words, our own so that no release of a library changes it.
fn key(seed: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    let mut state = seed;
    for chunk in bytes.chunks_exact_mut(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        chunk.copy_from_slice(&(word ^ (word >> 31)).to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_do_not_shift_each_other() {
        let mut alone = Stream::new(7, "a");
        let mut other = Stream::new(7, "b");
        let mut again = Stream::new(7, "a");
        for _ in 0..100 {
            other.word();
            assert_eq!(alone.word(), again.word());
        }
    }

    #[test]
    fn below_stays_below() {
        let mut stream = Stream::new(1, "x");
        for bound in [1, 2, 3, 1000, u64::MAX] {
            assert!((0..100).all(|_| stream.below(bound) < bound));
        }
        assert_eq!(stream.below(0), 0);
    }

    #[test]
    fn key_words_are_the_published_splitmix_sequence() {
        let first = u64::from_le_bytes(key(0)[..8].try_into().expect("eight bytes"));
        assert_eq!(first, 0xe220_a839_7b1d_cdaf);
    }
}
