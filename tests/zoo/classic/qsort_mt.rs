//! qsort_mt (Inspect, as in SCTBench): a pool of workers sorts; whoever splits its part hands one half to an idle worker.
//!
//! The half is handed over in two steps: the worker is marked as working, and then, under its lock, told what on. One
//! that was about to wait sees the mark, sorts what it sorted last, and the new half stays as it is.

use super::super::rt::{self, Lock, Shared, Signal, Twin};

const LENGTH: usize = 32;
const FORK: usize = 4;
const WORKERS: usize = 2;

#[derive(Clone, Copy, PartialEq)]
enum State {
    Idle,
    Works,
    Ends,
}

/// A part of the array: from here on, so many.
type Part = (usize, usize);

#[derive(Clone)]
struct Worker {
    state: Shared<State>,
    part: Shared<Part>,
    lock: Lock,
    told: Signal,
}

#[derive(Clone)]
struct Pool {
    workers: Vec<Worker>,
    /// Protects who is idle.
    allocation: Lock,
    idle: Shared<usize>,
    array: Vec<Shared<u32>>,
    twin: Twin,
}

/// The part in an order in which its middle element is where it belongs; how many are left and right of that.
fn split(part: &[u32]) -> (Vec<u32>, usize, usize) {
    let pivot = part[part.len() / 2];
    let less = part.iter().filter(|value| **value < pivot);
    let more: Vec<&u32> = part.iter().filter(|value| **value > pivot).collect();
    let equal = part.iter().filter(|value| **value == pivot);
    let (left, right) = (less.clone().count(), more.len());
    (less.chain(equal).chain(more).copied().collect(), left, right)
}

impl Pool {
    /// An idle worker, with its lock held.
    async fn allocate(&self) -> Option<(&Worker, rt::Guard)> {
        let _allocation = self.allocation.lock().await;
        for worker in &self.workers {
            if worker.state.get().await == State::Idle {
                self.idle.update(|idle| *idle -= 1).await;
                if rt::is_buggy(self.twin) {
                    worker.state.set(State::Works).await;
                    return Some((worker, worker.lock.lock().await));
                }
                let guard = worker.lock.lock().await;
                worker.state.set(State::Works).await;
                return Some((worker, guard));
            }
        }
        None
    }

    async fn read(&self, (from, count): Part) -> Vec<u32> {
        let mut part = Vec::new();
        for element in &self.array[from..from + count] {
            part.push(element.get().await);
        }
        part
    }

    async fn write(&self, from: usize, part: &[u32]) {
        for (element, value) in self.array[from..].iter().zip(part) {
            element.set(*value).await;
        }
    }

    async fn sort(&self, part: Part) {
        let mut parts = vec![part];
        while let Some((from, count)) = parts.pop() {
            let mut part = self.read((from, count)).await;
            if count < 7 {
                part.sort_unstable();
                self.write(from, &part).await;
                continue;
            }
            let (part, left, right) = split(&part);
            self.write(from, &part).await;
            parts.push((from + count - right, right));
            let handed = if left > FORK && right > FORK { self.allocate().await } else { None };
            match handed {
                Some((worker, guard)) => {
                    worker.part.set((from, left)).await;
                    worker.told.notify_one().await;
                    drop(guard);
                }
                None => parts.push((from, left)),
            }
        }
    }

    /// Tells the others to end.
    async fn end(&self, own: usize) {
        for (_, worker) in self.workers.iter().enumerate().filter(|(number, _)| *number != own) {
            let _guard = worker.lock.lock().await;
            worker.state.set(State::Ends).await;
            worker.told.notify_one().await;
        }
    }
}

async fn works(pool: Pool, own: usize) {
    let worker = &pool.workers[own];
    loop {
        let mut guard = worker.lock.lock().await;
        while worker.state.get().await == State::Idle {
            guard = worker.told.wait(guard).await;
        }
        drop(guard);
        if worker.state.get().await == State::Ends {
            return;
        }
        pool.sort(worker.part.get().await).await;
        let _allocation = pool.allocation.lock().await;
        worker.state.set(State::Idle).await;
        if pool
            .idle
            .update(|idle| {
                *idle += 1;
                *idle
            })
            .await
            == WORKERS
        {
            pool.end(own).await;
            return;
        }
    }
}

/// Mended, a worker is marked under its lock too.
pub async fn qsort_mt(twin: Twin) {
    let worker = |row: u64| Worker {
        state: Shared::row("state", row, State::Idle),
        part: Shared::row("part", row, (0, 0)),
        lock: Lock::new(),
        told: Signal::new(),
    };
    // Some order without meaning: 13 has no factor in common with 32.
    let element = |row: u64| Shared::row("array", row, (row * 13 % LENGTH as u64) as u32);
    let pool = Pool {
        workers: (0..WORKERS as u64).map(worker).collect(),
        allocation: Lock::new(),
        idle: Shared::new("idle", WORKERS),
        array: (0..LENGTH as u64).map(element).collect(),
        twin,
    };
    let mut handles = Vec::new();
    for own in 0..WORKERS {
        handles.push(rt::spawn("works", works(pool.clone(), own)).await);
    }
    let first = &pool.workers[0];
    {
        let _guard = first.lock.lock().await;
        first.part.set((0, LENGTH)).await;
        first.state.set(State::Works).await;
        pool.idle.update(|idle| *idle -= 1).await;
        first.told.notify_one().await;
    }
    rt::join_all(handles).await;
    rt::check(pool.read((0, LENGTH)).await.is_sorted(), "the array is sorted");
}
