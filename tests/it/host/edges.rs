//! The edges of crash, pause and clocks: what a dead host tries, hosts that nobody brings back, and who is asked again.

use fatum::choice::tape::{Deviation, Tape};
use fatum::fault::{FaultKind, FaultPlan, FaultRule};
use fatum::runtime::{Budget, End};
use fatum::time::{Duration, Instant, sleep};
use fatum::{Sim, fault, host, task};
use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;

const SECOND: Duration = Duration::from_secs(1);

/// The tape on which the first question of this owner at this site is answered with 1.
fn deviating(site: &str, owner: &str) -> Tape {
    let deviation = Deviation { site: site.to_owned(), owner: owner.to_owned(), occurrence: 1, option: 1 };
    Tape { choice: vec![deviation], ..Tape::default() }
}

fn ticking(sim: &mut Sim) {
    sim.host("clock").daemon().run(|_| async {
        loop {
            sleep(SECOND).await;
        }
    });
}

#[test]
fn a_host_that_crashed_in_one_branch_writes_nothing_in_another() {
    let plan = FaultPlan::none().with(FaultRule::own(FaultKind::Crash(SECOND), 0.1));
    let mut sim = Sim::builder().faults(plan).tape(&deviating("host.crash-after", "a@writer")).build();
    let store = sim.store();
    let server = store.clone();
    sim.host("writer").serve(move |host| {
        let server = server.clone();
        async move {
            if host.incarnation() == 1 {
                let client = host.store();
                let (a, b) = fatum::join!(client.put("a", 1), client.put("b", 1));
                unreachable!("{a:?} {b:?}");
            }
            assert_eq!((server.peek::<u32>("a"), server.peek::<u32>("b")), (Some(1), None));
        }
    });
    assert_eq!(sim.finish().end, End::Passed);
}

#[test]
fn a_destructor_of_a_dead_host_neither_writes_nor_says_anything() {
    struct Lease(fatum::store::Store, fatum::sync::mpsc::UnboundedSender<u32>);
    impl Drop for Lease {
        fn drop(&mut self) {
            assert!(self.0.delete("lease").is_err());
            assert!(self.1.send(7).is_err());
        }
    }
    let mut sim = Sim::new(1);
    let store = sim.store();
    store.put("lease", "mine").unwrap();
    let (sender, mut receiver) = fatum::sync::mpsc::unbounded_channel();
    let lease = Lease(store.clone(), sender);
    sim.host("leader").daemon().run(move |_| async move {
        let _lease = lease;
        pending::<()>().await;
    });
    sim.run(async move {
        sleep(SECOND).await;
        host::crash("leader");
        assert_eq!(receiver.recv().await, None, "the channel closes, and nothing was said");
        assert_eq!(store.peek::<String>("lease").as_deref(), Some("mine"));
    });
    assert_eq!(sim.finish().end, End::Passed);
}

#[test]
fn a_host_that_crashes_itself_in_a_loop_without_waits_stops_there() {
    let mut sim = Sim::new(1);
    sim.host("agent").serve(|host| async move {
        loop {
            let count: u32 = host.disk().read("n").await?.unwrap_or(0);
            if count == 3 {
                return Ok::<(), host::DiskError>(());
            }
            if count == 1 && host.incarnation() == 1 {
                host::crash_for("agent", SECOND);
            }
            host.disk().write("n", &(count + 1)).await?;
        }
    });
    let run = sim.finish();
    assert_eq!((run.end, run.time), (End::Passed, SECOND));
}

#[test]
fn a_host_that_goes_on_in_the_middle_of_a_turn_disturbs_no_other() {
    let mut sim = Sim::new(1);
    let heard = Rc::new(RefCell::new(Vec::new()));
    let (sender, mut receiver) = fatum::sync::mpsc::unbounded_channel::<u32>();
    let log = heard.clone();
    sim.host("still").run(move |_| async move {
        let number = receiver.recv().await;
        log.borrow_mut().push((number, Instant::now().since_start()));
    });
    sim.host("other").run(|_| async { sleep(SECOND).await });
    sim.run(async move {
        task::yield_now().await;
        host::pause("still");
        host::pause("other");
        sleep(2 * SECOND).await;
        sender.send(1).unwrap();
        host::resume("other");
        sleep(SECOND).await;
        host::resume("still");
        // Its own turn is queued, taken out by a pause of its host and put back, and then it ends.
        fatum::select! {
            biased;
            () = async { task::yield_now().await } => {}
            () = async { host::pause("main"); host::resume("main") } => {}
        }
    });
    assert_eq!(sim.finish().end, End::Passed);
    assert_eq!(*heard.borrow(), [(Some(1), 3 * SECOND)]);
}

#[test]
fn what_a_fault_holds_back_is_let_go_when_the_quiet_phase_begins() {
    let plan = FaultPlan::none().without_swarm().with(FaultRule::stall(1.0));
    let mut sim = Sim::builder().faults(plan).build();
    ticking(&mut sim);
    sim.run(async { drop(task::spawn(async {})) });
    assert_eq!(sim.finish().end, End::Passed);
}

#[test]
fn one_deadline_late_is_one_deadline_late_whatever_else_is_in_the_plan() {
    let woke = |plan: FaultPlan| {
        let mut sim = Sim::builder().faults(plan).tape(&deviating("task.stall", "main")).build();
        ticking(&mut sim);
        let at = Rc::new(Cell::new(Duration::ZERO));
        let seen = at.clone();
        sim.run(async move {
            sleep(3 * SECOND / 2).await;
            seen.set(Instant::now().since_start());
        });
        assert_eq!(sim.finish().end, End::Passed);
        at.get()
    };
    let alone = FaultPlan::none().with(FaultRule::stall(0.1));
    assert_eq!(woke(alone.clone()), 2 * SECOND);
    assert_eq!(woke(alone.with(FaultRule::own(FaultKind::Pause(SECOND), 0.1))), 2 * SECOND);
}

#[test]
fn a_main_whose_work_is_done_is_not_waited_for_when_it_starts_again() {
    let mut sim = Sim::new(1);
    sim.host("agent").serve(|_| async { sleep(SECOND).await });
    sim.run(async {
        sleep(2 * SECOND).await;
        host::crash_for("agent", 10 * SECOND);
        sleep(SECOND).await;
    });
    let run = sim.finish();
    assert_eq!((run.end, run.time), (End::Passed, 3 * SECOND));
}

#[test]
fn work_that_a_crash_ends_for_good_is_a_failure() {
    let mut sim = Sim::new(1);
    sim.host("node").daemon().serve(|_| async { pending::<()>().await });
    sim.host("node").run(|_| async { sleep(10 * SECOND).await });
    sim.run(async {
        sleep(SECOND).await;
        host::crash_for("node", SECOND);
        sleep(SECOND).await;
    });
    let end = sim.finish().end;
    assert!(
        matches!(&end, End::Failed { host, message } if host == "node" && message.contains("`serve`")),
        "{end:?}"
    );
}

#[test]
fn a_clock_that_speeds_up_in_mid_sleep_wakes_earlier() {
    let mut sim = Sim::new(1);
    sim.host("a").run(|_| async {
        let before = Instant::now();
        sleep(10 * SECOND).await;
        assert_eq!(before.elapsed(), 10 * SECOND);
    });
    sim.run_for(SECOND);
    sim.drift_clock("a", 500_000);
    let run = sim.finish();
    // One second at full speed, and nine at one and a half times that.
    assert_eq!((run.end, run.time), (End::Passed, 7 * SECOND));
}

#[test]
fn who_is_no_task_has_true_time() {
    let mut sim = Sim::new(1);
    sim.host("fast").run(|_| async { sleep(10 * SECOND).await });
    sim.drift_clock("fast", 500_000);
    sim.jump_clock("fast", 1_000_000_000_000);
    let latest = Rc::new(Cell::new(Duration::ZERO));
    let seen = latest.clone();
    sim.always("noted", move || {
        seen.set(Instant::now().since_start());
        true
    });
    let run = sim.finish();
    assert_eq!((run.end, latest.get()), (End::Passed, run.time));
}

#[test]
fn a_panic_that_came_before_the_crash_is_told() {
    let mut sim = Sim::new(1);
    sim.host("web").daemon().run(|_| async {
        let _child = task::spawn(async { panic!("before") });
        pending::<()>().await;
    });
    sim.run(async {
        sleep(SECOND).await;
        host::crash("web");
        sleep(SECOND).await;
    });
    let end = sim.finish().end;
    assert!(matches!(&end, End::Panicked { message, .. } if message.contains("before")), "{end:?}");
}

#[test]
fn a_host_that_is_down_for_good_is_brought_back_though_others_tick() {
    let mut sim = Sim::new(1);
    ticking(&mut sim);
    sim.host("agent").serve(|host| async move {
        if host.incarnation() == 1 {
            host::crash("agent");
        }
        sleep(SECOND).await;
    });
    let run = sim.finish();
    assert_eq!((run.end, run.time), (End::Passed, SECOND));
}

#[test]
fn crashes_without_end_in_no_time_are_a_zero_time_loop() {
    let budget = Budget { zero_time_steps_max: 1_000, ..Budget::default() };
    let mut sim = Sim::builder().budget(budget).build();
    sim.host("agent").serve(|_| async {
        host::crash_for("agent", Duration::ZERO);
        pending::<()>().await;
    });
    assert!(matches!(sim.finish().end, End::ZeroTimeLoop { .. }));
}

#[test]
fn an_outage_without_end_is_none_that_ends() {
    let mut sim = Sim::new(1);
    sim.host("agent").serve(|host| async move {
        if host.incarnation() == 1 {
            host::crash_for("agent", Duration::MAX);
            pending::<()>().await;
        }
    });
    assert_eq!(sim.finish().end, End::Passed);
    let plan = FaultPlan::none()
        .without_swarm()
        .with(FaultRule::own(FaultKind::Crash(Duration::MAX), 1.0).budget(1));
    let mut sim = Sim::builder().faults(plan).build();
    sim.host("agent").serve(|host| async move {
        fault::crash_point("work").await;
        assert_eq!(host.incarnation(), 2);
    });
    assert_eq!(sim.finish().end, End::Passed);
}
