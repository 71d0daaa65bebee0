//! watch.

use super::{expect, five, poll, ready, seen, simulate, stuck};
use fatum::sync::watch;
use fatum::time::{Duration, sleep};
use fatum::{Sim, task};
use std::pin::pin;

pub(super) fn contention(sim: &mut Sim) {
    let (sender, receiver) = watch::channel(0);
    sim.run(async move {
        let workers = task::spawn(async move {
            five(move |who| {
                let mut receiver = receiver.clone();
                async move {
                    while receiver.changed().await.is_ok() {
                        seen(who, *receiver.borrow_and_update());
                    }
                    assert_eq!(*receiver.borrow(), 5);
                }
            })
            .await;
        });
        for value in 1..=5 {
            task::yield_now().await;
            sender.send(value).unwrap();
        }
        drop(sender);
        workers.await.unwrap();
    });
}

#[test]
fn outside_it_is_tokios() {
    let (sender, mut receiver) = watch::channel(0);
    assert!(!receiver.has_changed().unwrap());
    assert!(poll(receiver.changed()).is_pending());
    sender.send(1).unwrap();
    assert!(receiver.has_changed().unwrap() && receiver.borrow().has_changed());
    ready(receiver.changed()).unwrap();
    assert_eq!(*receiver.borrow(), 1);
    assert!(!sender.send_if_modified(|_| false));
    sender.send_modify(|value| *value += 1);
    assert_eq!(sender.send_replace(7), 2);
    assert_eq!(*ready(receiver.wait_for(|value| *value == 7)).unwrap(), 7);
    {
        let mut waiting = pin!(receiver.wait_for(|value| *value == 9));
        assert!(poll(waiting.as_mut()).is_pending());
        sender.send(8).unwrap();
        assert!(poll(waiting.as_mut()).is_pending());
        sender.send(9).unwrap();
        assert_eq!(*ready(waiting).unwrap(), 9);
    }
    receiver.mark_changed();
    assert!(receiver.has_changed().unwrap());
    receiver.mark_unchanged();
    assert!(sender.subscribe().same_channel(&receiver));
    assert_eq!((sender.receiver_count(), sender.sender_count()), (1, 1));
    assert!(poll(sender.closed()).is_pending());
    drop(receiver);
    ready(sender.closed());
    assert_eq!(sender.send(3).unwrap_err().0, 3);
    assert!(sender.is_closed());
}

#[test]
fn a_last_value_is_seen_before_the_end() {
    simulate(|| async {
        let (sender, mut receiver) = watch::channel(0);
        let mut other = receiver.clone();
        let waiting =
            task::spawn(async move { other.wait_for(|value| *value == 2).await.map(|value| *value) });
        let hopeless = task::spawn({
            let mut receiver = receiver.clone();
            async move { receiver.wait_for(|value| *value == 3).await.is_err() }
        });
        let second = sender.clone();
        drop(sender);
        task::yield_now().await;
        second.send(2).unwrap();
        drop(second);
        assert!(receiver.changed().await.is_ok());
        assert_eq!(*receiver.borrow(), 2);
        assert!(receiver.changed().await.is_err() && receiver.is_closed());
        assert_eq!(waiting.await.unwrap().unwrap(), 2);
        assert!(hopeless.await.unwrap());
    });
}

#[test]
fn what_is_sent_from_outside_between_steps_arrives() {
    let (sender, mut receiver) = watch::channel(0);
    let mut sim = Sim::new(1);
    sim.run(async move { receiver.changed().await.unwrap() });
    sim.run(async { sleep(Duration::from_secs(2)).await });
    sim.run_for(Duration::from_secs(1));
    sender.send(1).unwrap();
    assert!(sim.finish().end.is_passed());
}

#[test]
fn a_waiting_receiver_sees_that_all_senders_are_gone() {
    simulate(|| async {
        let (sender, mut receiver) = watch::channel(0);
        let waiting = task::spawn(async move { receiver.changed().await.is_err() });
        sleep(Duration::from_secs(1)).await;
        drop(sender.clone());
        sleep(Duration::from_secs(1)).await;
        drop(sender);
        assert!(waiting.await.unwrap());
    });
}

#[test]
fn a_condition_is_asked_once_a_value() {
    simulate(|| async {
        let (sender, mut receiver) = watch::channel(0);
        sender.send(1).unwrap();
        let waiting = task::spawn(async move {
            let mut asked = 0;
            let found = receiver.wait_for(|value| {
                asked += 1;
                *value == 2
            });
            drop(found.await.unwrap());
            (asked, receiver.has_changed().unwrap())
        });
        sleep(Duration::from_secs(1)).await;
        sender.send(2).unwrap();
        assert_eq!(waiting.await.unwrap(), (2, false));
    });
}

#[test]
fn a_value_that_fulfils_the_condition_at_once_counts_as_seen() {
    simulate(|| async {
        let (sender, mut receiver) = watch::channel(0);
        sender.send(1).unwrap();
        assert!(receiver.wait_for(|value| *value == 1).await.unwrap().has_changed());
        assert!(!receiver.has_changed().unwrap());
    });
}

#[test]
fn a_sender_sees_that_all_receivers_are_gone() {
    simulate(|| async {
        let (sender, receiver) = watch::channel(0);
        let waiting = task::spawn(async move { sender.closed().await });
        task::yield_now().await;
        drop(receiver);
        waiting.await.unwrap();
    });
}

#[test]
fn a_waiting_receiver_reports_it() {
    let waits = stuck(|sim| {
        let (sender, mut receiver) = watch::channel(0);
        sim.run(async move {
            let waiter = task::spawn_named("waiter", async move {
                receiver.changed().await.unwrap();
            });
            waiter.await.unwrap();
            drop(sender);
        });
    });
    let created = "watch::channel(0)";
    expect(&waits[0], "sync.changed", "watch channel", created, "receiver.changed().await", &[]);
}
