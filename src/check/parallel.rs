//! Work spread over threads, its results told in order. Separate because this crate has no thread elsewhere: a run is one
//! thread, and what is done with many runs is not.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

/// The threads that a number of jobs stands for: 0 is one per core.
pub(crate) fn threads(jobs: usize) -> usize {
    match jobs {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        jobs => jobs,
    }
}

/// Runs `work` on each of so many threads, and returns when all have ended; a panic of theirs is the caller's.
#[expect(
    clippy::disallowed_methods,
    reason = "a sweep uses the cores with ordinary threads; a run never does"
)]
pub(super) fn on_each(threads: usize, work: impl Fn(usize) + Sync) {
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..threads).map(|job| scope.spawn(move || work(job))).collect();
        for thread in threads {
            thread.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload));
        }
    });
}

/// Does `work` on every item, on so many threads, and tells the results in the order of the items, each as soon as all
/// before it are there. What is not begun is left when `tell` breaks.
#[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "only the command line sweeps many scenarios"))]
#[expect(
    clippy::disallowed_methods,
    reason = "sweeps of scenarios, whole and apart, are spread over the cores"
)]
pub(crate) fn in_order<I: Sync, R: Send>(
    threads: usize,
    items: &[I],
    work: impl Fn(usize, &I) -> R + Sync,
    mut tell: impl FnMut(usize, R) -> ControlFlow<()>,
) {
    let (next, stopped) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..threads.min(items.len()) {
            let (sender, next, stopped, work) = (sender.clone(), &next, &stopped, &work);
            scope.spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(nth) else { return };
                    // The receiver is gone only after `tell` broke.
                    let _ = sender.send((nth, work(nth, item)));
                }
            });
        }
        drop(sender);
        let mut early = std::collections::BTreeMap::new();
        let mut told = 0;
        for (nth, result) in receiver {
            early.insert(nth, result);
            while let Some(result) = early.remove(&told) {
                if tell(told, result).is_break() {
                    stopped.store(true, Ordering::Relaxed);
                    return;
                }
                told += 1;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_told_in_the_order_of_the_items() {
        let items: Vec<usize> = (0..50).collect();
        for threads in [1, 3] {
            let mut told = Vec::new();
            in_order(
                threads,
                &items,
                |nth, item| nth + item,
                |nth, sum| {
                    told.push((nth, sum));
                    ControlFlow::Continue(())
                },
            );
            assert_eq!(told, (0..50).map(|nth| (nth, 2 * nth)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn nothing_is_told_after_a_break() {
        let mut told = Vec::new();
        in_order(
            2,
            &[(); 40],
            |nth, ()| nth,
            |nth, _| {
                told.push(nth);
                if nth == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            },
        );
        assert_eq!(told, [0, 1, 2, 3]);
    }
}
