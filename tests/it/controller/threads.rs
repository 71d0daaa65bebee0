//! The queue on a multi-threaded tokio: the same code, with real races.

use super::{ms, secs, work};
use fatum::systems::controller::limiter::Exponential;
use fatum::systems::controller::{Queue, Requeue, Shutdown, WorkQueue};
use fatum::task::{JoinSet, spawn};
use fatum::time::timeout;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

const KEYS: u64 = 20;
const PRODUCERS: u64 = 8;
const ADDS: u64 = 500;

/// Who holds each key, and how often it was taken.
type Holders = Arc<Mutex<BTreeMap<String, (bool, u64)>>>;

async fn work_on(queue: Queue<super::Work>, holders: Holders) {
    while let Some(lease) = queue.lease().await {
        let name = lease.item().0.clone();
        let takes = {
            let mut holders = holders.lock().unwrap();
            let (is_held, takes) = holders.entry(name.clone()).or_default();
            assert!(!std::mem::replace(is_held, true), "{name} is held twice");
            *takes += 1;
            *takes
        };
        fatum::task::yield_now().await;
        holders.lock().unwrap().get_mut(&name).unwrap().0 = false;
        match takes % 4 {
            0 => lease.requeue(Requeue::Now).await,
            1 => lease.requeue(Requeue::RateLimited).await,
            2 => lease.requeue(Requeue::After(ms(1))).await,
            _ => lease.done(),
        }
    }
}

async fn busy() {
    let queue = Queue::builder().limiter(Exponential::new(ms(1), ms(2)).unwrap()).start();
    let holders = Holders::default();
    let (mut producers, mut workers) = (JoinSet::new(), JoinSet::new());
    for _ in 0..6 {
        workers.spawn(work_on(queue.clone(), Arc::clone(&holders)));
    }
    for producer in 0..PRODUCERS {
        let queue = queue.clone();
        producers.spawn(async move {
            for n in 0..ADDS {
                queue.add(work((producer + n) % KEYS)).await;
                if n % 50 == 0 {
                    fatum::task::yield_now().await;
                }
            }
        });
    }
    while let Some(ended) = producers.join_next().await {
        ended.unwrap();
    }
    queue.stop(Shutdown::Drain);
    queue.drained().await;
    while let Some(ended) = workers.join_next().await {
        ended.unwrap();
    }
    queue.ended().await;
    assert_eq!((queue.check(), queue.len()), (Ok(()), 0));
    let metrics = queue.metrics().unwrap();
    assert_eq!(metrics.adds, metrics.latency.count);
    assert_eq!(metrics.adds, metrics.work.count);
    assert_eq!(holders.lock().unwrap().len() as u64, KEYS);
}

#[test]
fn many_threads_share_a_queue() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build().unwrap();
    for _ in 0..30 {
        runtime.block_on(async { timeout(secs(60), spawn(busy())).await.unwrap().unwrap() });
    }
}
