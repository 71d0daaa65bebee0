//! broadcast.

use super::{expect, five, poll, ready, seen, simulate, stuck};
use fatum::sync::broadcast::{self, error::RecvError, error::TryRecvError};
use fatum::{Sim, task};

pub(super) fn contention(sim: &mut Sim) {
    let (sender, _) = broadcast::channel(2);
    sim.run(async move {
        let subscribe = sender.clone();
        let receivers = std::sync::Mutex::new((0..5).map(|_| subscribe.subscribe()).collect::<Vec<_>>());
        drop(subscribe);
        let workers = task::spawn(async move {
            five(move |who| {
                let mut receiver = receivers.lock().unwrap().pop().unwrap();
                async move {
                    loop {
                        match receiver.recv().await {
                            Ok(value) => seen(who, value),
                            Err(RecvError::Lagged(missed)) => seen(who, 100 + missed),
                            Err(RecvError::Closed) => break,
                        }
                    }
                }
            })
            .await;
        });
        for value in 0..6 {
            task::yield_now().await;
            // Whether somebody listens yet is up to the schedule.
            let _ = sender.send(value);
        }
        drop(sender);
        workers.await.unwrap();
    });
}

#[test]
fn outside_it_is_tokios() {
    let (sender, mut receiver) = broadcast::channel(2);
    assert!(poll(receiver.recv()).is_pending());
    assert_eq!(sender.send(1).unwrap(), 1);
    let mut second = sender.subscribe();
    assert_eq!((sender.receiver_count(), sender.len(), receiver.len()), (2, 1, 1));
    assert_eq!(ready(receiver.recv()), Ok(1));
    assert_eq!(second.try_recv(), Err(TryRecvError::Empty));
    for value in 2..5 {
        sender.send(value).unwrap();
    }
    assert_eq!(ready(receiver.recv()), Err(RecvError::Lagged(1)));
    assert_eq!(ready(receiver.recv()), Ok(3));
    assert!(receiver.resubscribe().is_empty() && receiver.same_channel(&second));
    let weak = sender.downgrade();
    assert!(weak.upgrade().unwrap().same_channel(&sender));
    assert_eq!((sender.strong_count(), sender.weak_count()), (1, 1));
    assert!(poll(sender.closed()).is_pending());
    drop(sender);
    assert!(receiver.is_closed() && weak.upgrade().is_none());
    assert_eq!(ready(receiver.recv()), Ok(4));
    assert_eq!(ready(receiver.recv()), Err(RecvError::Closed));
    let alone = broadcast::Sender::<()>::new(1);
    ready(alone.closed());
    assert!(alone.send(()).is_err());
}

#[test]
fn a_cancelled_receive_loses_no_value() {
    simulate(|| async {
        let (sender, mut receiver) = broadcast::channel(4);
        {
            let mut waiting = std::pin::pin!(receiver.recv());
            fatum::select! {
                biased;
                _ = &mut waiting => panic!("nothing was sent"),
                () = task::yield_now() => {}
            }
            sender.send(1).unwrap();
        }
        assert_eq!(receiver.recv().await, Ok(1));
    });
}

#[test]
fn a_waiting_receiver_reports_it() {
    let waits = stuck(|sim| {
        let (sender, mut receiver) = broadcast::channel::<()>(1);
        sim.run(async move {
            let waiter = task::spawn_named("waiter", async move {
                receiver.recv().await.unwrap();
            });
            waiter.await.unwrap();
            drop(sender);
        });
    });
    let created = "broadcast::channel::<()>(1)";
    expect(&waits[0], "sync.recv", "broadcast channel", created, "receiver.recv().await", &[]);
}
