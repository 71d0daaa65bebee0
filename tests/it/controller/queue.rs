//! Table 2.2: the work queue by itself, and what the port adds to it.

use super::{QueueRules, simulate_seeded, work};
use fatum::systems::controller::{Queue, Shutdown, WorkQueue};

const SEEDS: u64 = 50;

#[test]
fn len_counts_what_is_queued_once() {
    for seed in 0..SEEDS {
        let seen = simulate_seeded(seed, || async {
            let queue = Queue::start();
            let mut lens = Vec::new();
            for name in ["foo", "bar", "foo"] {
                queue.add(work(name)).await;
                lens.push(queue.len());
            }
            queue.stop(Shutdown::Drop);
            queue.ended().await;
            lens
        });
        assert_eq!(seen.value, [1, 2, 2], "seed {seed}");
        seen.obeys(QueueRules::default());
    }
}
