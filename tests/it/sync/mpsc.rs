//! mpsc, bounded and unbounded.

use super::{expect, five, poll, ready, seen, simulate, stuck};
use fatum::sync::mpsc::{self, error::SendTimeoutError, error::TryRecvError, error::TrySendError};
use fatum::time::{Duration, sleep, timeout};
use fatum::{Sim, task};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

pub(super) fn contention(sim: &mut Sim) {
    let (sender, mut receiver) = mpsc::channel(2);
    sim.run(async move {
        let workers = task::spawn(async move {
            five(move |who| {
                let sender = sender.clone();
                async move {
                    sender.send(who).await.unwrap();
                    let permit = sender.reserve().await.unwrap();
                    task::yield_now().await;
                    permit.send(10 + who);
                    let sent = sender.try_send(20 + who);
                    seen(who, u64::from(sent.is_ok()));
                }
            })
            .await;
        });
        let mut buffer = Vec::new();
        while let Some(first) = receiver.recv().await {
            seen(9, first);
            receiver.recv_many(&mut buffer, 2).await;
            for value in buffer.drain(..) {
                seen(8, value);
            }
        }
        workers.await.unwrap();
    });
}

pub(super) fn unbounded_contention(sim: &mut Sim) {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    sim.run(async move {
        let workers = task::spawn(async move {
            five(move |who| {
                let sender = sender.clone();
                async move {
                    for round in 0..3 {
                        sender.send(10 * round + who).unwrap();
                        task::yield_now().await;
                    }
                }
            })
            .await;
        });
        while let Some(value) = receiver.recv().await {
            seen(9, value);
        }
        workers.await.unwrap();
    });
}

#[test]
fn outside_it_is_tokios() {
    let (sender, mut receiver) = mpsc::channel(1);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    ready(sender.send(1)).unwrap();
    assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
    assert_eq!((sender.capacity(), sender.max_capacity(), receiver.len()), (0, 1, 1));
    let mut waiting = pin!(sender.send(3));
    assert!(poll(waiting.as_mut()).is_pending());
    assert_eq!(ready(receiver.recv()), Some(1));
    ready(waiting).unwrap();
    receiver.close();
    assert!(sender.is_closed() && receiver.is_closed());
    ready(sender.closed());
    assert_eq!(ready(sender.send(4)).unwrap_err().0, 4);
    let mut values = Vec::new();
    assert_eq!(ready(receiver.recv_many(&mut values, 5)), 1);
    assert_eq!(values, [3]);
    let context = &mut Context::from_waker(Waker::noop());
    assert_eq!(receiver.poll_recv(context), Poll::Ready(None));
    assert_eq!(receiver.poll_recv_many(context, &mut values, 1), Poll::Ready(0));
}

#[test]
fn places_can_be_kept() {
    let (sender, mut receiver) = mpsc::channel(3);
    let permit = sender.try_reserve().unwrap();
    let mut two = sender.try_reserve_many(2).unwrap();
    assert!(sender.try_reserve().is_err());
    assert!(sender.clone().try_reserve_owned().is_err());
    permit.send(1);
    assert_eq!(two.len(), 2);
    two.next().unwrap().send(2);
    drop(two);
    assert_eq!(sender.capacity(), 1);
    let owned = ready(sender.clone().reserve_owned()).unwrap();
    assert!(owned.same_channel_as_sender(&sender));
    assert_eq!(sender.capacity(), 0);
    let back = owned.release();
    assert!(back.same_channel(&sender));
    let back = back.try_reserve_owned().unwrap().send(3);
    assert_eq!(ready(receiver.recv()), Some(1));
    drop(ready(back.reserve_many(1)).unwrap());
    assert_eq!((back.strong_count(), receiver.sender_strong_count()), (2, 2));
}

#[test]
fn weak_senders_do_not_keep_it_open() {
    let (sender, mut receiver) = mpsc::channel::<()>(1);
    let weak = sender.downgrade();
    assert!(weak.upgrade().unwrap().same_channel(&sender));
    drop(sender);
    assert!(weak.upgrade().is_none());
    assert_eq!(ready(receiver.recv()), None);
    let (sender, mut receiver) = mpsc::unbounded_channel::<()>();
    let weak = sender.downgrade();
    assert_eq!((sender.weak_count(), weak.strong_count()), (1, 1));
    drop(sender);
    assert!(weak.clone().upgrade().is_none());
    assert_eq!(ready(receiver.recv()), None);
}

#[test]
fn an_unbounded_channel_never_waits() {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    for value in 0..100 {
        sender.send(value).unwrap();
    }
    assert_eq!((receiver.len(), receiver.try_recv()), (100, Ok(0)));
    drop(receiver);
    ready(sender.closed());
    assert_eq!(sender.send(7).unwrap_err().0, 7);
}

#[test]
fn a_send_gives_up_after_its_time() {
    simulate(|| async {
        let (sender, mut receiver) = mpsc::channel(1);
        let second = Duration::from_secs(1);
        sender.send_timeout(1, second).await.unwrap();
        assert_eq!(sender.send_timeout(2, second).await, Err(SendTimeoutError::Timeout(2)));
        assert_eq!(receiver.recv().await, Some(1));
        drop(receiver);
        let error = sender.send_timeout(3, second).await.unwrap_err();
        assert_eq!(error, SendTimeoutError::Closed(3));
        assert_eq!(error.into_inner(), 3);
    });
}

#[test]
fn a_cancelled_reservation_loses_no_place() {
    simulate(|| async {
        let (sender, mut receiver) = mpsc::channel(2);
        let workers: Vec<_> = (0..6)
            .map(|who| {
                let sender = sender.clone();
                task::spawn(async move {
                    if let Ok(Ok(permit)) = timeout(Duration::from_millis(who), sender.reserve()).await {
                        sleep(Duration::from_millis(1)).await;
                        drop(permit);
                    }
                })
            })
            .collect();
        task::yield_now().await;
        workers[4].abort();
        for worker in workers {
            let _ = worker.await;
        }
        assert_eq!(sender.capacity(), 2);
        sender.send(1).await.unwrap();
        let cancelled = timeout(Duration::from_millis(1), async {
            receiver.recv().await;
            receiver.recv().await
        });
        assert!(cancelled.await.is_err());
        sender.send(2).await.unwrap();
        assert_eq!(receiver.recv().await, Some(2));
    });
}

#[test]
fn a_waiting_receiver_reports_it() {
    let waits = stuck(|sim| {
        let (sender, mut receiver) = mpsc::channel::<()>(1);
        sim.run(async move {
            let waiter = task::spawn_named("waiter", async move {
                receiver.recv().await;
            });
            waiter.await.unwrap();
            drop(sender);
        });
    });
    let created = "mpsc::channel::<()>(1)";
    expect(&waits[0], "sync.recv", "mpsc channel", created, "receiver.recv().await", &[]);
}

#[test]
fn a_waiting_sender_reports_who_keeps_a_place() {
    let waits = stuck(|sim| {
        let (sender, receiver) = mpsc::channel::<()>(1);
        sim.run(async move {
            let kept = sender.clone();
            task::spawn_named("holder", async move {
                let _permit = kept.reserve().await;
                std::future::pending::<()>().await;
            });
            sleep(Duration::from_secs(1)).await;
            let waiter = task::spawn_named("waiter", async move {
                sender.send(()).await.unwrap();
            });
            waiter.await.unwrap();
            drop(receiver);
        });
    });
    let created = "mpsc::channel::<()>(1)";
    expect(&waits[0], "sync.send", "mpsc channel", created, "sender.send(()).await", &["main/holder"]);
}

#[test]
fn a_polled_receiver_reports_it() {
    let waits = stuck(|sim| {
        let (sender, mut receiver) = mpsc::unbounded_channel::<()>();
        sim.run(async move {
            let waiter = task::spawn_named("waiter", async move {
                std::future::poll_fn(|context| receiver.poll_recv(context)).await;
            });
            waiter.await.unwrap();
            drop(sender);
        });
    });
    let (kind, created) = ("unbounded mpsc channel", "mpsc::unbounded_channel::<()>()");
    expect(&waits[0], "sync.recv", kind, created, "receiver.poll_recv(context)", &[]);
}
