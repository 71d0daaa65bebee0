//! What outlives the task that took it: where it was taken, and when that task ended.

use super::{at, page, run, run_under, said, silent};
use fatum::runtime::{End, LeakPolicy};
use fatum::sync::{Mutex, OwnedMutexGuard, Semaphore, mpsc};
use fatum::time::{Duration, sleep};
use fatum::{Run, task};
use std::cell::RefCell;
use std::future::Future;
use std::mem::forget;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

const SECOND: Duration = Duration::from_secs(1);

/// The end of a run that leaks so many timers, and locks or permits.
fn leaked(what: &str) -> End {
    End::Leaked { detail: format!("{what} outlive the tasks that they were for") }
}

/// A child takes a lock after a second and does with it what `keep` says.
fn with_guard(keep: fn(OwnedMutexGuard<()>)) -> Run {
    run(async move {
        let lock = Arc::new(Mutex::new(())); // the lock
        let child = task::spawn_named("child", async move {
            sleep(SECOND).await;
            keep(lock.lock_owned().await); // taken
        });
        child.await.unwrap();
        sleep(SECOND).await;
    })
}

#[test]
fn a_guard_that_is_never_dropped_is_told_of_with_where_it_was_taken() {
    let run = with_guard(forget);
    assert_eq!(run.end, leaked("0 timers and 1 lock or permit"));
    let expected = format!(
        "leak: Mutex created at {}, taken by main/child (sync.lock at {}) at 1s, was never given back, and main/child \
         ended at 1s",
        at("leaks", "the lock"),
        at("leaks", "taken")
    );
    assert_eq!(said(&run), std::slice::from_ref(&expected));
    assert!(page(&run).contains(&expected));
    let boxed = with_guard(|guard| _ = Box::leak(Box::new(guard)));
    assert_eq!(said(&boxed), [expected]);
    silent(&with_guard(drop));
}

#[test]
fn who_waits_for_a_leaked_lock_hears_who_took_it() {
    let run = run(async {
        let lock = Arc::new(Mutex::new(()));
        let taken = lock.clone();
        task::spawn_named("child", async move { forget(taken.lock_owned().await) }).await.unwrap();
        sleep(SECOND).await;
        drop(lock.lock().await);
    });
    assert_eq!(run.end.kind(), "deadlock");
    assert_eq!(run.blocked[0].waits[0].holders, ["main/child (which ended at 0ns)"]);
    let [leak] = run.diagnosis.as_slice() else { panic!("{}", page(&run)) };
    assert_eq!((leak.detector.name(), &leak.tasks[..]), ("leak", &["main/child".to_owned()][..]));
}

/// A task takes a permit and gives it up for ever.
async fn given_up() {
    let permits = Arc::new(Semaphore::new(3));
    permits.acquire().await.unwrap().forget();
    permits.acquire_owned().await.unwrap().forget();
}

#[test]
fn a_permit_that_is_forgotten_on_purpose_leaks_only_where_that_is_asked_for() {
    silent(&run(given_up()));
    silent(&run_under(LeakPolicy::Allow, given_up()));
    let run = run_under(LeakPolicy::Strict, given_up());
    // One task took both permits of one semaphore.
    assert_eq!(run.end, leaked("0 timers and 1 lock or permit"));
    let [leak] = run.diagnosis.as_slice() else { panic!("{}", page(&run)) };
    assert!(leak.text.starts_with("Semaphore created at tests/it/detect/leaks.rs:"), "{leak}");
    assert!(leak.text.contains("taken by main (sync.acquire at "), "{leak}");
}

#[test]
fn a_place_in_a_channel_that_is_never_used_is_a_leak() {
    let reserve = |leaks: bool| {
        run(async move {
            let (sender, _receiver) = mpsc::channel::<u8>(1);
            let place = sender.reserve().await.unwrap(); // reserved
            if leaks {
                forget(place);
            }
        })
    };
    let run = reserve(true);
    assert_eq!(run.end, leaked("0 timers and 1 lock or permit"));
    let line = at("leaks", "reserved");
    let [leak] = run.diagnosis.as_slice() else { panic!("{}", page(&run)) };
    assert!(leak.text.contains(&format!("taken by main (sync.reserve at {line}) at 0ns")), "{leak}");
    silent(&reserve(false));
}

#[test]
fn a_timer_that_outlives_its_task_is_told_of_with_where_it_was_set() {
    let kept = Rc::new(RefCell::new(None));
    let keep = |kept: Rc<RefCell<Option<_>>>| {
        run(async move {
            let mut timer = Box::pin(sleep(5 * SECOND)); // set
            std::future::poll_fn(|context| {
                assert!(timer.as_mut().poll(context).is_pending());
                Poll::Ready(())
            })
            .await;
            *kept.borrow_mut() = Some(timer);
        })
    };
    let run = keep(kept.clone());
    assert_eq!(run.end, leaked("1 timer and 0 locks or permits"));
    let line = at("leaks", "set");
    let expected = format!("leak: a timer of main (time.sleep at {line}) still waits, and main ended at 0ns");
    assert_eq!(said(&run), [expected]);
}
