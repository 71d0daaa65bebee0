//! Strategies: each is a function of its seed, fair to whoever waits by yielding, and good at what it is there for.

use fatum::check::{Check, Report};
use fatum::choice::tape::Tape;
use fatum::fault::{FaultKind, FaultPlan, FaultRule};
use fatum::runtime::{End, LeakPolicy};
use fatum::sim::Keep;
use fatum::strategy::{Calibration, Chosen, StrategyKind};
use fatum::{Sim, event, task};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

fn quiet(strategy: StrategyKind) -> Check {
    super::sweeps::quiet("strategies").strategy(strategy)
}

fn sweep(check: &Check, program: fn(&mut Sim)) -> Report {
    check.sweep(program, &|_| {}).unwrap()
}

#[test]
fn at_the_baseline_who_yields_goes_behind_those_that_it_spawned_and_woke() {
    // With a rule for stalls, what becomes ready takes another way.
    for plan in [FaultPlan::none(), FaultPlan::none().with(FaultRule::stall(0.0))] {
        let order = Arc::new(std::sync::Mutex::new(String::new()));
        let say = {
            let order = order.clone();
            move |what: &str| order.lock().unwrap().push_str(what)
        };
        let mut sim =
            Sim::builder().strategy(StrategyKind::OldestFirst, Calibration::default()).faults(plan).build();
        sim.host("x").run(move |_| {
            let (say, bell) = (say.clone(), Arc::new(fatum::sync::Notify::new()));
            async move {
                let (sleeper, heard) = (say.clone(), bell.clone());
                let first = task::spawn_named("sleeper", async move {
                    heard.notified().await;
                    sleeper("woken ");
                });
                task::yield_now().await;
                let child = say.clone();
                let second = task::spawn_named("child", async move { child("spawned ") });
                bell.notify_one();
                task::yield_now().await;
                say("yielded");
                _ = (first.await, second.await);
            }
        });
        assert_eq!(sim.finish().end, End::Passed);
        assert_eq!(*order.lock().unwrap(), "woken spawned yielded");
    }
}

/// Tasks that begin others, share, wait and end.
fn crowd(sim: &mut Sim) {
    let counter = Arc::new(fatum::sync::Mutex::new(0));
    for name in ["a", "b", "c"] {
        let counter = counter.clone();
        sim.host(name).run(move |_| async move {
            let again = counter.clone();
            let child = task::spawn_named("child", async move {
                task::yield_point("seen").await;
                *again.lock().await += 1;
            });
            for _ in 0..3 {
                task::yield_read("seen").await;
                let seen = *counter.lock().await;
                event!("seen", seen = seen);
            }
            _ = child.await;
        });
    }
}

#[test]
fn a_run_is_a_function_of_seed_and_strategy_and_its_tape_repeats_it() {
    for strategy in StrategyKind::ALL {
        let check = quiet(strategy);
        let mut traces = BTreeSet::new();
        for seed in 0..40 {
            let (once, again) = (check.run_seed(seed, crowd), check.run_seed(seed, crowd));
            assert_eq!(once.end, End::Passed, "{strategy:?} {seed}");
            assert_eq!(once.digests, again.digests, "{strategy:?} {seed}");
            let replayed = check.replay(&once.tape, Keep::Tape, crowd);
            let digests = |run: &fatum::Run| (run.digests.choice, run.digests.trace);
            assert_eq!(digests(&replayed), digests(&once), "{strategy:?} {seed}: {:?}", once.tape);
            traces.insert(once.digests.trace);
        }
        let expected = if strategy == StrategyKind::OldestFirst { 1..=1 } else { 20..=40 };
        assert!(expected.contains(&traces.len()), "{strategy:?}: {} traces", traces.len());
    }
}

/// One waits for the other by yielding.
fn waits_by_yielding(sim: &mut Sim) {
    let flag = Arc::new(AtomicU32::new(0));
    let (sets, waits) = (flag.clone(), flag);
    sim.host("waits").run(move |_| async move {
        while waits.load(Ordering::Relaxed) == 0 {
            task::yield_now().await;
        }
    });
    sim.host("sets").run(move |_| async move {
        task::yield_point("flag").await;
        sets.store(1, Ordering::Relaxed);
    });
}

#[test]
fn who_waits_by_yielding_starves_nobody() {
    for strategy in StrategyKind::ALL {
        let mut check = quiet(strategy).runs(500);
        check.budget.zero_time_steps_max = 2_000;
        let report = sweep(&check, waits_by_yielding);
        assert!(report.failures.is_empty(), "{strategy:?}: {:?}", report.failures[0].end);
    }
}

/// One task with a single event, one with nine: where in the nine does the one come?
fn one_among_nine(sim: &mut Sim) {
    let at = Arc::new(AtomicU32::new(0));
    let seen = at.clone();
    sim.host("nine").run(move |_| async move {
        for _ in 0..9 {
            task::yield_point("nine").await;
            at.fetch_add(1, Ordering::Relaxed);
        }
    });
    sim.host("one").run(move |_| async move {
        task::yield_point("one").await;
        event!("one", at = seen.load(Ordering::Relaxed));
    });
}

/// How often the one came at each place, over so many seeds.
fn places(strategy: StrategyKind, seeds: u64) -> BTreeMap<String, u32> {
    let check = quiet(strategy);
    let mut places = BTreeMap::new();
    for seed in 0..seeds {
        let text = check.run_seed(seed, one_among_nine).trace.to_string();
        let place = text.lines().find_map(|line| line.split_once("one at=")).expect("it came").1.to_owned();
        *places.entry(place).or_insert(0) += 1;
    }
    places
}

/// Ten places of equal chance, 100 of 1,000 each (standard deviation 9.5); a walk is at the end in one of a thousand.
#[test]
fn uneven_tasks_are_interleaved_evenly_by_surw_and_not_by_a_walk() {
    let even = places(StrategyKind::Surw, 1_000);
    assert_eq!(even.len(), 10, "{even:?}");
    assert!(even.values().all(|count| (50..=170).contains(count)), "{even:?}");
    let walk = places(StrategyKind::UniformWalk, 1_000);
    assert!(walk.get("9").copied().unwrap_or(0) < 20, "{walk:?}");
}

/// Two tasks: one has to be put off for the whole of the other, but for its first event.
fn late_by_sixteen(sim: &mut Sim) {
    let state = Arc::new(AtomicU32::new(0));
    let checked = state.clone();
    sim.host("first").run(move |_| async move {
        task::yield_point("state").await;
        state.store(1, Ordering::Relaxed);
        task::yield_point("state").await;
        state.store(2, Ordering::Relaxed);
    });
    sim.host("long").run(move |_| async move {
        for _ in 0..16 {
            task::yield_point("long").await;
        }
        task::yield_read("state").await;
        assert_ne!(checked.load(Ordering::Relaxed), 1, "between the two");
    });
}

/// Depth two: one change point at the right place of some forty. A walk has to choose the long task 17 times in a row.
#[test]
fn priorities_and_delays_find_what_a_walk_hardly_does() {
    let found = |strategy| sweep(&quiet(strategy).runs(2_000), late_by_sixteen).failing_runs;
    let (walk, pct, delays) =
        (found(StrategyKind::UniformWalk), found(StrategyKind::Pct), found(StrategyKind::DelayBounded));
    assert!(walk < 3, "a walk: {walk}");
    assert!(pct > 20 && delays > 20, "a walk: {walk}, pct: {pct}, delays: {delays}");
    assert!(found(StrategyKind::Portfolio) > 10);
    assert_eq!(found(StrategyKind::OldestFirst), 0);
}

/// A delay is one deviation, or one for each task that goes first and for the yield that lets it.
#[test]
fn tapes_of_few_delays_are_short() {
    let check = quiet(StrategyKind::DelayBounded);
    for seed in 0..100 {
        let Chosen::DelayBounded { delays } = Chosen::of(StrategyKind::DelayBounded, seed) else {
            panic!("it is what was asked for")
        };
        let run = check.run_seed(seed, late_by_sixteen);
        assert!(run.tape.deviations() <= 2 * u64::from(delays), "{delays} delays: {:?}", run.tape);
    }
}

#[test]
fn the_portfolio_has_each_member_and_says_which() {
    let said: BTreeSet<String> =
        (0..200).map(|seed| Chosen::of(StrategyKind::Portfolio, seed).to_string()).collect();
    let expected = [
        "delay-bounded by 1",
        "delay-bounded by 2",
        "delay-bounded by 3",
        "delay-bounded by 4",
        "oldest-first",
        "pct of depth 2",
        "pct of depth 3",
        "pct of depth 4",
        "pct of depth 5",
        "pos",
        "random-walk",
        "surw",
        "uniform-walk",
    ];
    assert_eq!(said.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    let report = sweep(&quiet(StrategyKind::Portfolio).runs(2_000), late_by_sixteen);
    let failure = &report.failures[0];
    let seed = failure.found_by.seed().expect("a seed found it");
    let member = Chosen::of(StrategyKind::Portfolio, seed).to_string();
    let page = fatum::check::report::render_failure(failure);
    assert!(page.contains(&format!("(seed {seed}, {member})")), "{page}");
}

/// Two tasks touch row 1 of a table, one of them row 2 too, and both the table as a whole.
fn rows(sim: &mut Sim) {
    sim.host("both").run(|_| async {
        task::yield_point("table").await;
        task::yield_point_on("table", 1).await;
        task::yield_read_on("table", 2).await;
    });
    sim.host("one").run(|_| async {
        task::yield_read("table").await;
        task::yield_read_on("table", 1).await;
    });
}

#[test]
fn rows_of_a_table_are_objects_of_their_own() {
    let report = sweep(&quiet(StrategyKind::Surw).runs(20), rows);
    assert!(report.failures.is_empty());
    let profile = report.calibration.profile.unwrap();
    // The table and its row 1 are shared: one access to each by each task, of its three and two.
    assert_eq!(profile.objects.len(), 2, "{profile:?}");
    assert_eq!(profile.tasks, [vec![0, 3, 1, 1], vec![0, 2, 1, 1]]);
}

/// Eight calls, of which each takes longer than the least: by latencies alone, one run of 4^8.
fn slow_throughout(sim: &mut Sim) {
    sim.store();
    sim.host("client").run(|host| async move {
        let (client, mut slow) = (host.store(), 0);
        for _ in 0..8 {
            let begun = fatum::time::Instant::now();
            assert_eq!(client.get::<u32>("x").await, Ok(None));
            slow += u32::from(begun.elapsed() > fatum::time::Duration::ZERO);
        }
        assert_ne!(slow, 8, "slow throughout");
    });
}

#[test]
fn priorities_reach_latencies() {
    let failing = |strategy| sweep(&quiet(strategy).runs(400), slow_throughout).failing_runs;
    assert_eq!(failing(StrategyKind::RandomWalk), 0);
    // The client is among the lowest quarter in a quarter of the runs, and in those that lower it at its first call.
    let found = failing(StrategyKind::Pct);
    assert!((60..=200).contains(&found), "{found} of 400");
}

/// The seventh of two hundred writes fails, and no other.
fn seventh_of_many(sim: &mut Sim) {
    sim.run(async {
        let mut failed = Vec::new();
        for write in 1..=200 {
            if fatum::fault::failpoint("disk").await.is_err() {
                failed.push(write);
            }
        }
        assert_ne!(failed, [7], "the seventh alone");
    });
}

#[test]
fn priorities_reach_faults_within_the_plan() {
    let rule = || FaultRule::new("disk", FaultKind::Error, 1e-9);
    let failing = |strategy, rule: FaultRule| {
        let plan = FaultPlan::none().with(rule).without_swarm();
        sweep(&quiet(strategy).faults(plan).runs(4_000), seventh_of_many).failing_runs
    };
    assert_eq!(failing(StrategyKind::RandomWalk, rule()), 0);
    // Of one to four changes, each strikes a fault as often as not: exactly one does in 0.425 of the runs (depths 2, 3, 3,
    // 4, 5), and it is the seventh in one of 200 of these: 8.5 runs.
    let found = failing(StrategyKind::Pct, rule());
    assert!((3..=20).contains(&found), "{found} of 4,000");
    for shut in [FaultRule { budget: Some(0), ..rule() }, FaultRule { probability: 0.0, ..rule() }] {
        assert_eq!(failing(StrategyKind::Pct, shut), 0);
    }
}

/// With no budget, PCT adds to them where a change strikes a fault, and the portfolio does where it is PCT.
#[test]
fn a_seed_meets_the_same_faults_under_each_strategy() {
    use fatum::fault::failpoint;
    let program = |sim: &mut Sim| {
        sim.run(async {
            for _ in 0..20 {
                let failed = failpoint("disk").await.is_err();
                event!("disk", failed = failed);
            }
        });
    };
    let plan = FaultPlan::none().with(FaultRule::new("disk", FaultKind::Error, 0.3)).without_swarm();
    let faults = |strategy, seed| {
        let check = Check { leaks: LeakPolicy::Allow, ..quiet(strategy).faults(plan.clone()) };
        let Tape { choice, .. } = check.run_seed(seed, program).tape;
        choice.into_iter().map(|fault| fault.occurrence).collect::<BTreeSet<u32>>()
    };
    for seed in 0..20 {
        let met: BTreeMap<&str, BTreeSet<u32>> =
            StrategyKind::ALL.into_iter().map(|strategy| (strategy.name(), faults(strategy, seed))).collect();
        let (walk, pct) = (&met["random-walk"], &met["pct"]);
        let is_pct = matches!(Chosen::of(StrategyKind::Portfolio, seed), Chosen::Pct { .. });
        for (name, faults) in &met {
            let may_add = *name == "pct" || (is_pct && *name == "portfolio");
            assert!(if may_add { faults.is_superset(walk) } else { faults == walk }, "{seed}: {met:?}");
        }
        assert!(pct.len() <= walk.len() + 4, "{seed}: {met:?}");
    }
}
