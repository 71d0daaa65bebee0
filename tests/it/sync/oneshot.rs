//! oneshot.

use super::{expect, five, poll, ready, seen, simulate, stuck};
use fatum::sync::oneshot::{self, error::TryRecvError};
use fatum::time::{Duration, sleep};
use fatum::{Sim, task};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

pub(super) fn contention(sim: &mut Sim) {
    sim.run(async {
        five(|who| async move {
            let (sender, receiver) = oneshot::channel();
            let answer = task::spawn(receiver);
            if who == 3 {
                drop(sender);
            } else {
                sender.send(who).unwrap();
            }
            seen(who, answer.await.unwrap().unwrap_or(99));
        })
        .await;
    });
}

#[test]
fn outside_it_is_tokios() {
    let (sender, mut receiver) = oneshot::channel();
    assert!(poll(&mut receiver).is_pending());
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    assert!(!sender.is_closed() && receiver.is_empty());
    sender.send(1).unwrap();
    assert_eq!(ready(&mut receiver), Ok(1));
    assert!(receiver.is_terminated());

    let (mut sender, mut receiver) = oneshot::channel::<i32>();
    let context = &mut Context::from_waker(Waker::noop());
    assert_eq!(sender.poll_closed(context), Poll::Pending);
    receiver.close();
    assert_eq!(sender.poll_closed(context), Poll::Ready(()));
    ready(sender.closed());
    assert_eq!(sender.send(2), Err(2));
    assert!(ready(Pin::new(&mut receiver)).is_err());
}

#[test]
fn a_sender_sees_that_its_receiver_is_gone() {
    simulate(|| async {
        let (mut sender, receiver) = oneshot::channel::<()>();
        let waiting = task::spawn(async move { sender.closed().await });
        sleep(Duration::from_secs(1)).await;
        drop(receiver);
        waiting.await.unwrap();
    });
}

#[test]
fn a_waiting_receiver_reports_it() {
    let waits = stuck(|sim| {
        sim.run(async {
            let (sender, receiver) = oneshot::channel::<()>();
            let waiter = task::spawn_named("waiter", async move {
                receiver.await.unwrap();
            });
            waiter.await.unwrap();
            drop(sender);
        });
    });
    let created = "oneshot::channel::<()>()";
    expect(&waits[0], "sync.recv", "oneshot channel", created, "receiver.await.unwrap()", &[]);
}

#[test]
fn a_waiting_sender_reports_it() {
    let waits = stuck(|sim| {
        sim.run(async {
            let (mut sender, receiver) = oneshot::channel::<()>();
            let waiter = task::spawn_named("waiter", async move {
                sender.closed().await;
            });
            waiter.await.unwrap();
            drop(receiver);
        });
    });
    let created = "oneshot::channel::<()>()";
    expect(&waits[0], "sync.closed", "oneshot channel", created, "sender.closed().await", &[]);
}
