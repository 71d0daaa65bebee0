//! Row `ParallelizeUntil` of table 2.2.

use super::{ms, simulate, simulate_seeded};
use fatum::sync::CancellationToken;
use fatum::systems::controller::{Parallel, parallelize};
use fatum::time::sleep;
use std::sync::{Arc, Mutex};

fn how(workers: u64, chunk: u64) -> Parallel {
    Parallel { workers: workers.try_into().unwrap(), chunk: chunk.try_into().unwrap() }
}

#[test]
fn every_piece_is_done_once() {
    for (pieces, workers, chunk) in
        [(1000, 10, 1), (1000, 10, 10), (1000, 10, 100), (999, 10, 13), (0, 10, 1), (3, 10, 5), (3, 1, 1)]
    {
        for seed in 0..3 {
            let seen = simulate_seeded(seed, move || async move {
                let counts = Arc::new(Mutex::new(vec![0; usize::try_from(pieces).unwrap()]));
                let counting = Arc::clone(&counts);
                let work = move |piece| {
                    counting.lock().unwrap()[usize::try_from(piece).unwrap()] += 1;
                    sleep(ms(1))
                };
                parallelize(pieces, how(workers, chunk), &CancellationToken::new(), work).await;
                counts.lock().unwrap().clone()
            });
            assert!(seen.value.iter().all(|count| *count == 1), "{pieces}/{workers}/{chunk}, seed {seed}");
            let expected = match (pieces, chunk) {
                (1000, 1 | 10 | 100) => 100,
                (999, 13) => 104, // 77 chunks for 10 workers: 8 rounds of 13.
                (0, _) => 0,
                _ => 3,
            };
            assert_eq!(seen.took, ms(expected), "{pieces}/{workers}/{chunk}, seed {seed}");
        }
    }
}

#[test]
fn nothing_begins_after_a_cancel() {
    let seen = simulate(|| async {
        let (token, begun) = (CancellationToken::new(), Arc::new(Mutex::new(0)));
        let (cancel, count) = (token.clone(), Arc::clone(&begun));
        let work = move |piece| {
            *count.lock().unwrap() += 1;
            if piece == 7 {
                cancel.cancel();
            }
            sleep(ms(1))
        };
        parallelize(100, how(2, 4), &token, work).await;
        *begun.lock().unwrap()
    });
    // Worker one has the pieces 0 to 3, worker two 4 to 7; both are at their fourth.
    assert_eq!((seen.value, seen.took), (8, ms(4)));
}

#[test]
fn a_panic_of_a_piece_is_passed_on() {
    let mut sim = fatum::Sim::new(0);
    sim.run(async {
        parallelize(3, how(2, 1), &CancellationToken::new(), |piece| async move {
            assert_ne!(piece, 1, "piece 1 is broken");
        })
        .await;
    });
    let end = sim.finish().end;
    assert!(matches!(end, fatum::runtime::End::Panicked { .. }), "{end:?}");
}
