//! Clocks: skew and jumps move wall time alone; drift moves the timers too.

use fatum::runtime::End;
use fatum::time::{Duration, Instant, SystemTime, sleep};
use fatum::{Sim, host};
use std::cell::RefCell;
use std::rc::Rc;

const SECOND: Duration = Duration::from_secs(1);

fn wall() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap()
}

#[test]
fn a_jump_moves_the_wall_clock_of_its_host_and_no_timer() {
    let mut sim = Sim::new(1);
    sim.host("a").run(|_| async {
        let (wall_before, before) = (wall(), Instant::now());
        sleep(10 * SECOND).await;
        assert_eq!(before.elapsed(), 10 * SECOND);
        assert_eq!(wall() - wall_before, 10 * SECOND + 3600 * SECOND);
        sleep(10 * SECOND).await;
        assert_eq!(wall(), wall_before - 3580 * SECOND, "and back");
    });
    sim.host("b").run(|_| async {
        let before = wall();
        sleep(10 * SECOND).await;
        assert_eq!(wall() - before, 10 * SECOND, "the clocks of others are their own");
    });
    sim.run_for(5 * SECOND);
    sim.jump_clock("a", 3_600_000_000_000);
    sim.run_for(7 * SECOND);
    sim.jump_clock("a", -7_200_000_000_000);
    let run = sim.finish();
    assert_eq!((run.end, run.time), (End::Passed, 20 * SECOND));
}

#[test]
fn a_drifting_clock_takes_its_timers_with_it() {
    let mut sim = Sim::new(1);
    let woke = Rc::new(RefCell::new(Vec::new()));
    for name in ["fast", "slow", "true"] {
        let woke = woke.clone();
        sim.host(name).run(move |_| async move {
            let before = Instant::now();
            sleep(12 * SECOND).await;
            assert!(before.elapsed() >= 12 * SECOND, "{name} saw {:?}", before.elapsed());
            woke.borrow_mut().push((name, before.elapsed()));
        });
    }
    let times = Rc::new(RefCell::new(Vec::new()));
    let log = times.clone();
    let names = woke.clone();
    let mut known = 0;
    sim.drift_clock("fast", 250_000);
    sim.drift_clock("slow", -250_000);
    while known < 3 {
        let names = names.clone();
        assert!(sim.run_until(move || names.borrow().len() > known));
        known += 1;
        log.borrow_mut().push(sim.now().since_start().as_millis());
    }
    assert_eq!(sim.finish().end, End::Passed);
    assert_eq!(woke.borrow().iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["fast", "true", "slow"]);
    // 12 s of a clock that is a quarter too fast are 9.6 s; of one that is a quarter too slow, 16 s.
    assert_eq!(*times.borrow(), [9_600, 12_000, 16_000]);
}

#[test]
fn a_timer_that_was_set_before_the_clock_slowed_down_waits_for_the_rest() {
    let mut sim = Sim::new(1);
    sim.host("a").run(|_| async {
        let before = Instant::now();
        sleep(10 * SECOND).await;
        assert_eq!(before.elapsed(), 10 * SECOND);
    });
    sim.run_for(5 * SECOND);
    sim.drift_clock("a", -500_000);
    let run = sim.finish();
    // Half of the time at full speed, and half at half speed.
    assert_eq!((run.end, run.time), (End::Passed, 15 * SECOND));
}

#[test]
fn the_quiet_phase_sets_clocks_right_and_keeps_what_they_lost() {
    let mut sim = Sim::new(1);
    sim.host("a").daemon().run(|_| async {
        loop {
            sleep(SECOND).await;
        }
    });
    let local = Rc::new(RefCell::new(Vec::new()));
    sim.run(async {
        host::drift_clock("a", -500_000);
        sleep(10 * SECOND).await;
    });
    let log = local.clone();
    sim.host("watch").daemon().run(move |_| async move {
        sleep(20 * SECOND).await;
        log.borrow_mut().push(Instant::now());
    });
    sim.eventually("time goes on", move || !local.borrow().is_empty());
    assert_eq!(sim.finish().end, End::Passed);
}
