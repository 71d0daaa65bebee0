//! The loops that ratios refer to: the least that a machine can do for the same kind of work, without a simulation.

use super::simulated::{kinds, yields};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Waker};

type Boxed = Pin<Box<dyn Future<Output = ()>>>;

pub(super) fn polls_100(ops: u64) {
    round_robin(ops, (0..100).map(|_| forever()).collect());
}

pub(super) fn polls_10k(ops: u64) {
    round_robin(ops, (0..10_000).map(|_| forever()).collect());
}

pub(super) fn polls_16(ops: u64) {
    round_robin(ops, (0..96).map(|nth| kinds::boxed(nth, u64::MAX)).collect());
}

/// The very future that the simulated tasks run.
fn forever() -> Boxed {
    Box::pin(yields(u64::MAX))
}

fn round_robin(ops: u64, mut futures: Vec<Boxed>) {
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..ops / futures.len() as u64 {
        for future in &mut futures {
            let _ = black_box(future.as_mut().poll(&mut context));
        }
    }
}

pub(super) fn heap_1k(ops: u64) {
    heap(ops, 1_000);
}

pub(super) fn heap_100k(ops: u64) {
    heap(ops, 100_000);
}

/// Deadlines as those of the timers: 1 ms to 10 s from now.
fn heap(ops: u64, entries: u64) {
    let mut durations = durations(7);
    let mut heap: BinaryHeap<Reverse<u64>> = BinaryHeap::new();
    heap.extend((0..entries).map(|_| Reverse(durations())));
    for _ in 0..ops {
        let Some(Reverse(at)) = heap.pop() else { return };
        heap.push(Reverse(at + durations()));
    }
    black_box(heap.len());
}

/// Nanoseconds from 1 ms to 10 s, evenly: SplitMix64.
pub(super) fn durations(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        1_000_000 + ((u128::from(word ^ (word >> 31)) * 9_999_000_000) >> 64) as u64
    }
}

pub(super) fn allocations(ops: u64) {
    for _ in 0..ops {
        drop(black_box(Vec::<u8>::with_capacity(black_box(64))));
    }
}

pub(super) fn seedings(ops: u64) {
    for seed in 0..ops {
        black_box(ChaCha8Rng::seed_from_u64(black_box(seed)).next_u64());
    }
}
