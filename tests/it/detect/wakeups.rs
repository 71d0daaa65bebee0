//! Waits that nobody ends: the signal came too early, or whoever gave it is gone.

use super::{at, page, run, run_with, said, silent};
use fatum::sync::{Notify, mpsc, oneshot};
use fatum::time::{Duration, sleep};
use fatum::{Run, task};
use std::sync::Arc;

const SECOND: Duration = Duration::from_secs(1);

fn here(line: u32) -> String {
    format!("tests/it/detect/wakeups.rs:{line}")
}

/// A worker begins to wait right after the stopper has told everybody, at the same instant; `stop` tells.
fn stopped(stop: fn(&Notify)) -> Run {
    run(async move {
        let stopped = Arc::new(Notify::new()); // told
        let told = stopped.clone();
        let stopper = task::spawn_named("stopper", async move {
            sleep(SECOND).await;
            stop(&told);
        });
        let worker = task::spawn_named("worker", async move {
            sleep(SECOND).await;
            stopped.notified().await; // too late
        });
        stopper.await.unwrap();
        worker.await.unwrap();
    })
}

#[test]
fn a_signal_before_the_wait_is_lost() {
    let run = stopped(Notify::notify_waiters);
    let expected = format!(
        "lost wake-up: main/worker waits for Notify created at {} (sync.notified at {}, since 1s): \
         notify_waiters by main/stopper at 1s woke nobody, and main/worker began to wait at 1s, after it",
        at("wakeups", "told"),
        at("wakeups", "too late")
    );
    assert_eq!(said(&run), [expected]);
}

#[test]
fn a_permit_that_is_kept_is_not_lost() {
    silent(&stopped(Notify::notify_one));
}

/// A worker waits for three signals, of which so many come, a second apart.
fn signals(given: u32) -> Run {
    run(async move {
        let more = Arc::new(Notify::new());
        let told = more.clone();
        task::spawn_named("producer", async move {
            for _ in 0..given {
                sleep(SECOND).await;
                told.notify_one();
            }
            sleep(SECOND / 2).await;
        });
        for _ in 0..3 {
            more.notified().await;
        }
        sleep(SECOND).await;
    })
}

#[test]
fn who_signalled_last_and_is_gone_is_named() {
    let run = signals(2);
    let [lost] = run.diagnosis.as_slice() else { panic!("{}", page(&run)) };
    let why = "since 2s): woken by nobody: main/producer, the last that could have (notify_one at 2s), is gone since 2.5s";
    assert!(lost.text.ends_with(why), "{lost}");
    let wait = &run.blocked[0].waits[0];
    assert_eq!(wait.signalled.as_ref().unwrap().readied, Some(1));
    let line = ", last notify_one by main/producer at 2s (which ended at 2.5s)\n";
    assert!(page(&run).contains(line), "{}", page(&run));
    silent(&signals(3));
}

#[test]
fn a_receiver_that_has_a_sender_of_its_own_waits_for_the_last_who_sent() {
    let count = |keeps: bool| {
        run(async move {
            let (sender, mut receiver) = mpsc::channel(1);
            let theirs = sender.clone();
            task::spawn_named("producer", async move {
                for number in 0..3 {
                    sleep(SECOND).await;
                    theirs.send(number).await.unwrap();
                }
            });
            let mine = keeps.then_some(sender);
            while receiver.recv().await.is_some() {}
            drop(mine);
        })
    };
    let run = count(true);
    let [lost] = run.diagnosis.as_slice() else { panic!("{}", page(&run)) };
    let why =
        "main/producer, the last that could have (send at 3s), is gone since 3s; a sender is still with main";
    assert!(lost.text.ends_with(why), "{lost}");
    assert!(page(&run).contains(", senders with main\n"), "{}", page(&run));
    silent(&count(false));
}

#[test]
fn a_wait_that_nobody_has_ever_ended_is_told_of_unless_a_daemon_waits() {
    let run = run_with(
        |builder| builder,
        |sim| {
            sim.host("server").daemon().run(|_| async {
                Notify::new().notified().await;
            });
            sim.run(async {
                let (_kept, receiver) = oneshot::channel::<()>();
                let _ = receiver.await;
            });
        },
    );
    let line = line!() - 5;
    let expected = format!(
        "lost wake-up: main waits for oneshot channel created at {} (sync.recv at {}, since 0ns): \
         woken by nobody: no task has done anything that wakes it; a sender is still with main",
        here(line),
        here(line + 1)
    );
    assert_eq!(said(&run), [expected]);
}
