//! Programs with a failure that is many unlikely steps away, each of which shows in one way only.

use fatum::sync::Barrier;
use fatum::{Sim, property, rand, task};
use std::sync::{Arc, Mutex};

/// The one of fifty that each dial must be set to: never the baseline, and another for each, so that no dial can be
/// learned from another.
const RIGHT: [u64; 10] = [17, 34, 1, 18, 35, 2, 19, 36, 3, 20];

/// Ten draws must each be the one of fifty; how many were right so far is a declared state.
pub(super) fn vault(sim: &mut Sim) {
    sim.run(async {
        for (dial, right) in RIGHT.into_iter().enumerate() {
            if rand::rng().below(50) != right {
                return Ok(());
            }
            fatum::cover!("dials set", dial);
        }
        Err("the vault is open")
    });
}

/// The same in four draws, each of which meets a property.
pub(super) fn rungs(sim: &mut Sim) {
    sim.run(async {
        for (rung, right) in ["rung 1", "rung 2", "rung 3", "rung 4"].into_iter().zip(RIGHT) {
            if rand::rng().below(50) != right {
                return Ok(());
            }
            property::reachable(rung);
        }
        Err("the top is reached")
    });
}

const POINTS: [[&str; 6]; 5] = [
    ["a1", "b1", "c1", "d1", "e1", "f1"],
    ["a2", "b2", "c2", "d2", "e2", "f2"],
    ["a3", "b3", "c3", "d3", "e3", "f3"],
    ["a4", "b4", "c4", "d4", "e4", "f4"],
    ["a5", "b5", "c5", "d5", "e5", "f5"],
];

/// Who must come first in each round, and who second: no order of priorities gets through two rounds.
const FIRST: [[usize; 2]; 5] = [[4, 2], [1, 5], [5, 3], [3, 0], [2, 4]];

/// Six tasks go through five rounds; there is no further round after one in which the wrong two came first. Nothing is
/// declared but the places.
pub(super) fn rounds(sim: &mut Sim) {
    sim.run(async {
        let (barrier, order) = (Arc::new(Barrier::new(6)), Arc::new(Mutex::new(Vec::new())));
        let worker = |worker: usize| {
            let (barrier, order) = (barrier.clone(), order.clone());
            task::spawn_named("worker", async move {
                for (round, (points, first)) in POINTS.iter().zip(&FIRST).enumerate() {
                    task::yield_point(points[worker]).await;
                    order.lock().unwrap().push(worker);
                    barrier.wait().await;
                    if !order.lock().unwrap()[6 * round..].starts_with(first) {
                        return false;
                    }
                    barrier.wait().await;
                }
                true
            })
        };
        let workers: Vec<_> = (0..6).map(worker).collect();
        let mut all = true;
        for worker in workers {
            all &= worker.await.unwrap();
        }
        if all { Err("five rounds in the one order") } else { Ok(()) }
    });
}
