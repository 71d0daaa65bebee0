//! A host that stands still takes no turns; its timers fire when it goes on.

use fatum::runtime::End;
use fatum::time::{Duration, Instant, sleep};
use fatum::{Sim, host, task};
use std::cell::RefCell;
use std::rc::Rc;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn ticks_that_fell_into_a_pause_come_when_it_ends() {
    let mut sim = Sim::new(3);
    let ticks = Rc::new(RefCell::new(Vec::new()));
    let log = ticks.clone();
    sim.host("web").run(move |_| async move {
        for _ in 0..4 {
            sleep(SECOND).await;
            log.borrow_mut().push(Instant::now().since_start().as_millis());
        }
    });
    sim.run_for(1500 * SECOND / 1000);
    sim.pause("web");
    sim.run_for(2 * SECOND);
    assert_eq!(*ticks.borrow(), [1000]);
    sim.resume("web");
    assert_eq!(sim.finish().end, End::Passed);
    assert_eq!(*ticks.borrow(), [1000, 3500, 4500, 5500]);
}

#[test]
fn a_task_that_is_ready_waits_for_the_end_of_the_pause() {
    let mut sim = Sim::new(3);
    let (sender, mut receiver) = fatum::sync::mpsc::unbounded_channel();
    let heard = Rc::new(RefCell::new(Vec::new()));
    let log = heard.clone();
    sim.host("web").run(move |_| async move {
        while let Some(number) = receiver.recv().await {
            let number: u32 = number;
            log.borrow_mut().push((number, Instant::now().since_start()));
        }
    });
    sim.run(async move {
        sender.send(1).unwrap();
        sleep(SECOND).await;
        host::pause_for("web", 5 * SECOND);
        sender.send(2).unwrap();
        task::yield_now().await;
        sleep(SECOND).await;
    });
    assert_eq!(sim.finish().end, End::Passed);
    assert_eq!(*heard.borrow(), [(1, Duration::ZERO), (2, 6 * SECOND)]);
}

#[test]
fn a_host_may_crash_while_it_stands_still() {
    let mut sim = Sim::new(3);
    let starts = Rc::new(RefCell::new(Vec::new()));
    let log = starts.clone();
    sim.host("web").serve(move |host| {
        let log = log.clone();
        async move {
            log.borrow_mut().push(host.incarnation());
            sleep(3 * SECOND).await;
        }
    });
    sim.run_for(SECOND);
    sim.pause("web");
    sim.run_for(SECOND);
    sim.crash("web");
    sim.run_for(SECOND);
    sim.restart("web");
    let run = sim.finish();
    assert_eq!((run.end, run.time), (End::Passed, 6 * SECOND));
    assert_eq!(*starts.borrow(), [1, 2]);
}

/// A timer for ever does not fire; the last instant comes all the same where nothing else does.
#[test]
fn a_sleep_that_the_end_of_time_passes_leaves_no_timer() {
    let mut sim = Sim::new(3);
    let (sender, mut receiver) = fatum::sync::mpsc::unbounded_channel();
    sim.host("web").run(move |_| async move {
        fatum::select! {
            biased;
            () = sleep(Duration::MAX) => {}
            Some(()) = receiver.recv() => {}
        }
        assert_eq!(Instant::now().since_start().as_nanos(), u128::from(u64::MAX));
    });
    sim.host("other").daemon().run(|_| std::future::pending::<()>());
    sim.pause("other");
    sim.run_for(Duration::MAX);
    sender.send(()).unwrap();
    assert_eq!(sim.finish().end, End::Passed);
}
