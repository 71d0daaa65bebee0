//! The two digests of a run: one of its choices, one of its events. One folded multiply per step each.

use super::{Record, Value};
use crate::choice::{fold, hash_bytes};

/// Events between two checkpoints of the trace digest.
pub const CHECKPOINT_EVERY: u64 = 1024;

const CHOICE_START: u64 = 0x6661_7475_6d2d_6331;
const TRACE_START: u64 = 0x6661_7475_6d2d_7431;

/// What two runs must share to be the same run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digests {
    /// Folds site, arity and value of every choice.
    pub choice: u64,
    /// Folds every field of every event, stored or not.
    pub trace: u64,
    events: u64,
    keeps_checkpoints: bool,
    checkpoints: Vec<u64>,
}

impl Digests {
    /// The digests of a run in which nothing happened yet.
    pub fn new(keeps_checkpoints: bool) -> Digests {
        Digests {
            choice: CHOICE_START,
            trace: TRACE_START,
            events: 0,
            keeps_checkpoints,
            checkpoints: Vec::new(),
        }
    }

    /// Folds a choice.
    #[inline]
    pub fn choice(&mut self, site: u64, arity: u64, value: u64) {
        self.choice = fold(fold(self.choice, site ^ arity), value);
    }

    /// Folds a pick among `ready` tasks: one multiply, as picks are most choices.
    #[inline]
    pub fn pick(&mut self, ready: usize, index: usize) {
        self.choice = fold(self.choice, ((ready as u64) << 32) | index as u64);
    }

    /// Folds an event, given as one word.
    #[inline]
    pub fn event(&mut self, word: u64) {
        self.trace = fold(self.trace, word);
        self.events += 1;
        if self.keeps_checkpoints {
            self.checkpoint();
        }
    }

    #[cold]
    fn checkpoint(&mut self) {
        if self.events.is_multiple_of(CHECKPOINT_EVERY) {
            self.checkpoints.push(self.trace);
        }
    }

    /// Number of events folded.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The number of events after which two runs had still agreed, by checkpoints; equal runs give `None`.
    pub fn first_difference(&self, other: &Digests) -> Option<u64> {
        if self.trace == other.trace && self.choice == other.choice {
            return None;
        }
        let checkpoints = self.checkpoints.iter().zip(&other.checkpoints);
        let agreed = checkpoints.take_while(|(mine, others)| mine == others).count();
        Some(agreed as u64 * CHECKPOINT_EVERY)
    }
}

/// Hashes a record outside the world, so that no user code runs while the world is borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Hasher(u64);

impl Hasher {
    /// The hash of a record's name, and that of its name and fields.
    pub fn record<R: Record + ?Sized>(record: &R) -> (u64, u64) {
        let name = hash_bytes(record.name().as_bytes());
        let mut hasher = Hasher(name);
        record.fields(&mut |key, value| hasher.field(key, value));
        (name, hasher.0)
    }

    fn field(&mut self, key: &str, value: Value<'_>) {
        self.bytes(key.as_bytes());
        match value {
            Value::U64(number) | Value::Key(number) => self.word(1, number),
            Value::I64(number) => self.word(2, number.cast_unsigned()),
            Value::Bool(flag) => self.word(3, u64::from(flag)),
            Value::Str(text) => {
                self.word(4, text.len() as u64);
                self.bytes(text.as_bytes());
            }
        }
    }

    fn word(&mut self, tag: u64, word: u64) {
        self.0 = fold(self.0.wrapping_add(tag), word);
    }

    /// Words of eight bytes, and what is left. Whole words stand apart because a copy of any length is a call.
    fn bytes(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.word(5 + 8, u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let word = rest.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
            self.word(5 + rest.len() as u64, word);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values are from a model in another language: a digest means the same for ever.
    #[test]
    fn a_text_is_hashed_by_words_of_eight_bytes_and_the_rest() {
        let text = b"a text of more than two";
        for (length, hash) in [
            (0, 0x0000000000000000),
            (1, 0xa851f9a2f6f7ec4c),
            (7, 0x91cbcc9a47b1dad5),
            (8, 0x4a065404144f012d),
            (9, 0x994200572772fcc2),
            (16, 0x187f7a2d7598cd7d),
            (17, 0xbdcb5d17e85eefb2),
            (23, 0x06fcd832051349ff),
        ] {
            let mut hasher = Hasher(0);
            hasher.bytes(&text[..length]);
            assert_eq!(hasher.0, hash, "of {length} bytes");
        }
    }
}
