//! Bytes as a source: a fuzzer's input drives a run. Zero bytes, and the end of the input, are the baseline.

use super::{Ask, Names, Ready, Source};

/// Answers from bytes, in order.
#[derive(Clone, Debug)]
pub struct BytesSource {
    bytes: Vec<u8>,
    at: usize,
}

impl BytesSource {
    /// Answers from `bytes`.
    pub fn new(bytes: &[u8]) -> BytesSource {
        BytesSource { bytes: bytes.to_vec(), at: 0 }
    }

    fn next(&mut self) -> u64 {
        let byte = self.bytes.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        u64::from(byte)
    }

    /// As many bytes as the domain needs, little-endian.
    fn number(&mut self, arity: u64) -> u64 {
        let bits = u64::BITS - arity.saturating_sub(1).leading_zeros();
        (0..bits.div_ceil(8)).fold(0, |number, index| number | self.next() << (8 * index))
    }
}

impl Source for BytesSource {
    fn choose(&mut self, ask: &Ask<'_>) -> u64 {
        let number = self.number(ask.arity);
        let option = if ask.arity == u64::MAX { number } else { number % ask.arity.max(1) };
        if ask.exists(option) { option } else { 0 }
    }

    fn pick(&mut self, ready: &Ready, _names: Option<&Names>) -> usize {
        let rank = self.number(ready.len() as u64) % ready.len() as u64;
        if rank == 0 { ready.oldest() } else { ready.nth_oldest(rank as usize) }
    }

    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
        self
    }
}
