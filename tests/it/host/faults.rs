//! Crash, pause and clocks as faults in a plan: found, shrunk and replayed like any other choice.

use fatum::check::Check;
use fatum::fault::{FaultKind, FaultPlan, FaultRule};
use fatum::runtime::End;
use fatum::time::{Duration, Instant, SystemTime, sleep};
use fatum::{Sim, property};

const SECOND: Duration = Duration::from_secs(1);

fn check(name: &str, kinds: &[FaultKind]) -> Check {
    let rules = kinds.iter().map(|kind| FaultRule::own(*kind, 0.2));
    Check::new(name).failures_dir(None).runs(400).faults(rules.fold(FaultPlan::none(), FaultPlan::with))
}

/// Two durable writes that belong together, and no note of how far it got: a crash in between is never mended.
fn two_writes(sim: &mut Sim) {
    sim.host("agent").serve(|host| async move {
        let disk = host.disk();
        if disk.read::<bool>("begun").await?.is_none() {
            disk.write("begun", &true).await?;
            sleep(SECOND).await;
            disk.write("paid", &true).await?;
        }
        let paid = disk.read::<bool>("paid").await?;
        property::always("begun is paid", paid.is_some(), || {
            "the work was begun and is never done".to_owned()
        });
        Ok::<(), fatum::host::DiskError>(())
    });
}

#[test]
fn a_crash_between_two_writes_is_found_and_is_all_that_is_left_of_it() {
    let report = check("two-writes", &[FaultKind::Crash(4 * SECOND)]).sweep(two_writes, &|_| {}).unwrap();
    let failure = &report.failures[0];
    assert_eq!(failure.end.property(), Some("begun is paid"));
    assert_eq!(failure.tape.deviations(), 1, "{:?}", failure.tape);
    let deviation = &failure.tape.choice[0];
    assert_eq!(
        (&*deviation.site, &*deviation.owner),
        ("host.crash-after", "begun@agent"),
        "{:?}",
        failure.tape
    );
    assert!(
        failure.swarm.as_ref().unwrap().starts_with("1 of 1 fault rules on: crash at host.crash"),
        "{failure:?}"
    );
    let again = check("two-writes", &[FaultKind::Crash(4 * SECOND)]);
    let run = again.replay(&failure.tape, fatum::sim::Keep::Trace, two_writes);
    assert!(run.is_same(&failure.run));
    assert_eq!(run.end.property(), Some("begun is paid"));
}

#[test]
fn a_crash_takes_a_host_at_its_timers_and_after_its_effects_and_brings_it_back() {
    let report = check("crashes", &[FaultKind::Crash(4 * SECOND)])
        .sweep(
            |sim| {
                sim.host("agent").serve(|host| async move {
                    property::sometimes("came back", host.incarnation() > 1);
                    sleep(SECOND).await;
                    host.disk().write("x", &1).await?;
                    Ok::<(), fatum::host::DiskError>(())
                });
            },
            &|_| {},
        )
        .unwrap();
    assert!(report.is_passed(), "{report:?}");
    let fired =
        |site: &str| report.sites.iter().find(|stats| stats.site == site).map_or(0, |stats| stats.fired);
    assert!(fired("host.crash") > 10 && fired("host.crash-after") > 10, "{:?}", report.sites);
    assert!(report.coverage["came back"] > 20, "{:?}", report.coverage);
}

/// Believes that its lease holds for as long as its own timer says.
fn believes_its_timer(sim: &mut Sim) {
    sim.host("leader").run(|_| async {
        let lease = Instant::now();
        sleep(2 * SECOND).await;
        property::always("still leads", lease.elapsed() < 3 * SECOND, || format!("{:?}", lease.elapsed()));
    });
}

#[test]
fn a_pause_makes_a_timer_late() {
    let report = check("pause", &[FaultKind::Pause(4 * SECOND)]).sweep(believes_its_timer, &|_| {}).unwrap();
    let failure = &report.failures[0];
    assert_eq!(failure.end.property(), Some("still leads"));
    assert_eq!((&*failure.tape.choice[0].site, failure.tape.choice[0].option), ("host.pause", 1));
}

#[test]
fn wall_clocks_jump_and_drift_when_a_plan_says_so() {
    let kinds = [FaultKind::ClockJump(60 * SECOND), FaultKind::ClockDrift(100_000)];
    let report = check("clocks", &kinds)
        .sweep(
            |sim| {
                sim.host("a").run(|_| async {
                    let wall = SystemTime::now();
                    for _ in 0..4 {
                        sleep(SECOND).await;
                    }
                    let passed = SystemTime::now().duration_since(wall);
                    property::sometimes("went back", passed.is_err());
                    property::sometimes("jumped forward", passed.is_ok_and(|passed| passed > 60 * SECOND));
                });
            },
            &|_| {},
        )
        .unwrap();
    assert!(report.is_passed(), "{:?}", report.verdict);
    assert!(report.coverage.values().all(|hits| *hits > 5), "{:?}", report.coverage);
}

#[test]
fn a_host_that_nothing_could_bring_back_is_not_crashed_by_a_plan() {
    let report = check("once", &[FaultKind::Crash(SECOND)])
        .sweep(
            |sim| {
                sim.run(async {
                    for _ in 0..5 {
                        sleep(SECOND).await;
                    }
                });
            },
            &|_| {},
        )
        .unwrap();
    assert!(report.is_passed() && report.faults_fired == 0, "{report:?}");
}

#[test]
fn a_swarm_leaves_some_seeds_without_each_fault_and_can_be_switched_off() {
    let plan = FaultPlan::none().with(FaultRule::own(FaultKind::Pause(SECOND), 0.9));
    let fires = |plan: &FaultPlan| -> usize {
        let check = Check::new("swarm").faults(plan.clone());
        let fired = |seed| check.run_seed(seed, believes_its_timer_twice).faults_fired > 0;
        (0..64).filter(|seed| fired(*seed)).count()
    };
    let (swarm, all) = (fires(&plan), fires(&plan.clone().without_swarm()));
    assert!((16..48).contains(&swarm), "{swarm} of 64");
    assert!(all > 56, "{all} of 64");
}

fn believes_its_timer_twice(sim: &mut Sim) {
    sim.run(async {
        sleep(SECOND).await;
        sleep(SECOND).await;
    });
}

#[test]
fn no_host_is_harmed_in_the_quiet_phase() {
    let mut sim = Sim::builder()
        .faults(FaultPlan::none().without_swarm().with(FaultRule::own(FaultKind::Crash(SECOND), 1.0)))
        .seed(1)
        .build();
    sim.host("agent").daemon().serve(|host| async move {
        assert_eq!(host.incarnation(), 1);
        loop {
            sleep(SECOND).await;
        }
    });
    sim.converges("time passes", || true);
    sim.run(async {});
    assert_eq!(sim.finish().end, End::Passed);
}
