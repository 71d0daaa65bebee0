//! Dining philosophers, after SCTBench din_phil_N: each takes the left fork and then the right one.
//!
//! The port has the deadlock that the programs are named for; in SCTBench a global lock hides it.

use super::super::rt::{self, Lock, Shared, Twin};

async fn dines(first: Lock, second: Lock, sated: Shared<usize>) {
    let _first = first.lock().await;
    let _second = second.lock().await;
    sated.update(|sated| *sated += 1).await;
}

/// Mended, the last philosopher takes the right fork first.
pub async fn din_phil(count: usize, twin: Twin) {
    let forks: Vec<Lock> = (0..count).map(|_| Lock::new()).collect();
    let sated = Shared::new("sated", 0);
    let mut handles = Vec::new();
    for seat in 0..count {
        let (left, right) = (forks[seat].clone(), forks[(seat + 1) % count].clone());
        let last = seat + 1 == count;
        let (first, second) = if last && !rt::is_buggy(twin) { (right, left) } else { (left, right) };
        handles.push(rt::spawn("philosopher", dines(first, second, sated.clone())).await);
    }
    rt::join_all(handles).await;
}
