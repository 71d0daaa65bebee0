//! A queue with much to do under every schedule and fault of time: its rules hold, nothing is lost, nothing stays.

use super::{Work, ms, simulate_under, work};
use fatum::fault::{FaultPlan, FaultRule};
use fatum::systems::controller::properties::{Overrides, Punctuality, Settings};
use fatum::systems::controller::{AddPolicy, ControllerEvent, Queue, Requeue, Shutdown, WorkQueue};
use fatum::task::{JoinSet, yield_point};
use fatum::time::sleep;
use std::collections::BTreeMap;

const SEEDS: u64 = 1_000;
const PRODUCERS: u64 = 3;

/// Producers add, defer, cancel and override; workers requeue in every way; then all is drained or dropped.
async fn busy(policy: AddPolicy, how: Shutdown) {
    let queue: Queue<Work> = Queue::builder().policy(policy).start();
    let mut tasks = JoinSet::new();
    for worker in 0..3 {
        let queue = queue.clone();
        tasks.spawn(async move {
            let mut takes = worker;
            while let Some(lease) = queue.lease().await {
                takes += 1;
                yield_point("work").await;
                match takes % 6 {
                    0 => lease.requeue(Requeue::Now).await,
                    1 => lease.requeue(Requeue::After(ms(3))).await,
                    2 => lease.requeue(Requeue::RateLimited).await,
                    3 => sleep(ms(2)).await,
                    _ => lease.forget(),
                }
            }
        });
    }
    let mut producers = JoinSet::new();
    for producer in 0..PRODUCERS {
        let queue = queue.clone();
        producers.spawn(async move {
            for n in 0..8 {
                let item = work((producer + n) % 4);
                match n % 4 {
                    0 => queue.add(item).await,
                    1 => queue.add_after(item, ms(n), false).await,
                    2 => queue.add_after(item, ms(5), policy == AddPolicy::KeepDeferral).await,
                    _ => drop(queue.cancel(&item.0).await),
                }
            }
        });
    }
    while producers.join_next().await.is_some() {}
    sleep(ms(20)).await;
    queue.stop(how);
    queue.drained().await;
    while tasks.join_next().await.is_some() {}
    queue.ended().await;
    assert_eq!((queue.check(), queue.len(), queue.deferred()), (Ok(()), 0, 0));
}

#[test]
fn a_busy_queue_obeys_its_rules() {
    let plans = [
        (FaultPlan::none(), Punctuality::Exact),
        (FaultPlan::none().with(FaultRule::stall(0.05)).with(FaultRule::late_timer(0.1)), Punctuality::Late),
    ];
    let mut met = BTreeMap::new();
    for (plan, punctuality) in plans {
        for seed in 0..SEEDS {
            let policy = if seed % 3 == 0 { AddPolicy::KeepDeferral } else { AddPolicy::SupersedeDeferral };
            let how = if seed % 2 == 0 { Shutdown::Drain } else { Shutdown::Drop };
            let seen = simulate_under(plan.clone(), seed, move || busy(policy, how));
            let overrides = match policy {
                AddPolicy::KeepDeferral => Overrides::Used,
                AddPolicy::SupersedeDeferral => Overrides::Absent,
            };
            seen.obeys(Settings { punctuality, overrides, ..Settings::default() });
            for (_, event) in &seen.events {
                let name = fatum::trace::Record::name(event);
                *met.entry(name).or_insert(0_u64) += 1;
                if let ControllerEvent::Deferred { kept: true, .. } = event {
                    *met.entry("kept").or_insert(0) += 1;
                }
            }
        }
    }
    let names: Vec<&str> = met.keys().copied().collect();
    let expected = [
        "kept",
        "queue.added",
        "queue.backoff",
        "queue.coalesced",
        "queue.deferral-dropped",
        "queue.deferred",
        "queue.done",
        "queue.fired",
        "queue.forgot",
        "queue.rejected",
        "queue.stopped",
        "queue.taken",
    ];
    assert_eq!(names, expected, "every kind of event was met");
}
