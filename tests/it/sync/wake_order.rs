//! Several waits in one task, as in a `FuturesUnordered`: they wake in the order of waiting, also where tokio draws
//! the order from the operating system's entropy.

use fatum::Sim;
use fatum::sync::{Barrier, watch};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

type Waits<'a> = Vec<Pin<Box<dyn Future<Output = ()> + 'a>>>;

struct Woken {
    index: usize,
    order: Arc<Mutex<Vec<usize>>>,
    task: Waker,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.order.lock().unwrap().push(self.index);
        self.task.wake_by_ref();
    }
}

/// Polls each wait with a waker of its own until all wait, then acts; the order in which they woke.
async fn order(mut waits: Waits<'_>, act: impl FnOnce()) -> Vec<usize> {
    let order = Arc::new(Mutex::new(Vec::new()));
    for _ in 0..3 {
        poll_fn(|context| {
            for (index, wait) in waits.iter_mut().enumerate() {
                let (order, task) = (order.clone(), context.waker().clone());
                let waker = Waker::from(Arc::new(Woken { index, order, task }));
                assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            }
            Poll::Ready(())
        })
        .await;
    }
    order.lock().unwrap().clear();
    act();
    order.lock().unwrap().clone()
}

/// Twelve waits wake, in an order that a seed repeats.
fn repeats<F: Future<Output = Vec<usize>> + 'static>(program: impl Fn() -> F) {
    let run = |seed| {
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut sim = Sim::new(seed);
        let (found, program) = (order.clone(), program());
        sim.run(async move {
            let order = program.await;
            *found.lock().unwrap() = order;
        });
        assert!(sim.finish().end.is_passed());
        order.lock().unwrap().clone()
    };
    for seed in 0..20 {
        let first = run(seed);
        assert_eq!(first.len(), 12, "{first:?}");
        assert_eq!((first.clone(), first), (run(seed), run(seed)));
    }
}

#[test]
fn changes_of_a_watch_wake_in_one_order() {
    repeats(|| async {
        let (sender, receiver) = watch::channel(0);
        let mut receivers = vec![receiver; 12];
        let waits: Waits<'_> = receivers
            .iter_mut()
            .map(|receiver| Box::pin(async { receiver.changed().await.unwrap() }) as _)
            .collect();
        order(waits, || sender.send(1).unwrap()).await
    });
}

#[test]
fn a_barrier_wakes_in_one_order() {
    repeats(|| async {
        let barrier = Barrier::new(13);
        let waits: Waits<'_> = (0..12).map(|_| Box::pin(async { _ = barrier.wait().await }) as _).collect();
        order(waits, || while super::poll(barrier.wait()).is_pending() {}).await
    });
}
