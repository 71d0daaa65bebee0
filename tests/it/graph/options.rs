//! What the port adds: verdicts with their cause, stops, timeouts, orders, adding, resuming, panics.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use fatum::fault::{FaultKind, FaultPlan, FaultRule};
use fatum::sync::CancellationToken;
use fatum::systems::graph::action::{ActionBase, FnAction, SharedAction};
use fatum::systems::graph::workload::{Workload, run as run_workload};
use fatum::systems::graph::{
    ActionError, Cause, Config, ErrorStrategy, Event, Executor, GraphEvent, OnStop, Order, TextTracer,
};
use fatum::time::{Duration, Instant, sleep};

use super::{
    Node, action, actions, event, kind, ms, nodes, run, sets, simulate, simulate_seeded, simulate_under,
};

fn timed(graph: &str, takes: &[(&str, u64)]) -> Vec<SharedAction<()>> {
    let mut nodes = nodes(graph);
    for node in &mut nodes {
        let found = takes.iter().find(|(name, _)| *name == node.name);
        node.takes = ms(found.map_or(0, |(_, takes)| *takes));
    }
    nodes.iter().map(action).collect()
}

/// Notes its name in a list when it starts.
fn noting(node: &Node, order: &Arc<Mutex<Vec<String>>>, base: ActionBase) -> SharedAction<()> {
    let (order, name) = (Arc::clone(order), node.name.clone());
    let base = base.wants(node.wants.iter().map(|name| event(name))).emits([event(&node.name)]);
    Arc::new(FnAction::emitting(base, move |_| {
        order.lock().expect("nobody panics").push(name.clone());
        async { Ok(()) }
    }))
}

#[test]
fn a_timeout_gives_back_what_did_not_start() {
    for seed in 0..100 {
        let five = || timed("A; B; C; D; E", &["A", "B", "C", "D", "E"].map(|name| (name, 200)));
        let config = Config { timeout: Some(ms(50)), ..Config::parallel() };
        let seen = simulate_seeded(seed, move || run(config, five()));
        let outcome = super::outcome(&seen.value);
        assert_eq!((outcome.completed.len(), outcome.not_started.len()), (2, 3), "{}", sets(&seen.value));
        let Err(error) = &seen.value else { panic!("three did not run") };
        assert!(matches!(error.cause, Cause::TimedOut { after } if after == ms(50)));
        assert_eq!(seen.took, ms(200));
        seen.properties();
    }
}

#[test]
fn a_deadline_is_a_timeout_on_the_clock() {
    let seen = simulate(|| async {
        sleep(ms(30)).await;
        let deadline = Some(Instant::now() + ms(70));
        let config = Config { deadline, timeout: Some(ms(500)), ..Config::serial() };
        run(config, timed("A -> B", &[("A", 100)])).await
    });
    assert_eq!(sets(&seen.value), "completed A | failed | blocked | not started B | abandoned");
    let Err(error) = &seen.value else { panic!("B did not run") };
    assert_eq!(error.to_string(), "timed out after 70ms");
    assert_eq!(seen.took, ms(130));
    seen.properties();
}

#[test]
fn a_stop_that_leaves_nothing_undone_is_no_error() {
    let config = Config { timeout: Some(ms(50)), ..Config::serial() };
    let seen = simulate(|| run(config, timed("A", &[("A", 100)])));
    assert_eq!((kind(&seen.value), seen.took), ("ok", ms(100)));
    seen.properties();
}

#[test]
fn a_cancel_before_the_run_starts_nothing() {
    for seed in 0..50 {
        let seen = simulate_seeded(seed, || async {
            let token = CancellationToken::new();
            token.cancel();
            let executor = Executor::new(Config::parallel(), actions("A; B; C; D")).expect("not strict");
            executor.run(Arc::new(()), &token).await
        });
        assert_eq!(sets(&seen.value), "completed | failed | blocked | not started A B C D | abandoned");
        assert_eq!(kind(&seen.value), "cancelled");
        seen.properties();
    }
}

#[test]
fn an_empty_list_ends_well_although_it_is_cancelled() {
    let seen = simulate(|| async {
        let token = CancellationToken::new();
        token.cancel();
        Executor::<()>::new(Config::serial(), vec![]).expect("not strict").run(Arc::new(()), &token).await
    });
    assert_eq!(kind(&seen.value), "ok");
}

#[test]
fn a_cancel_reaches_the_actions_and_ends_the_wait_for_them() {
    let seen = simulate(|| async {
        let token = CancellationToken::new();
        let cancel = token.clone();
        drop(fatum::task::spawn(async move {
            sleep(ms(100)).await;
            cancel.cancel();
        }));
        let executor = Executor::new(Config::parallel(), timed("A -> B", &[("A", 300)])).expect("not strict");
        let result = executor.run(Arc::new(()), &token).await;
        result.as_ref().expect_err("it was cancelled").orphans.abort();
        result
    });
    assert_eq!(sets(&seen.value), "completed | failed | blocked B | not started | abandoned A");
    let Err(error) = &seen.value else { panic!("it was cancelled") };
    assert_eq!(error.to_string(), "cancelled; gave up waiting for A");
    assert_eq!((error.orphans.len(), seen.took), (1, ms(100)));
    seen.properties();
}

#[test]
fn a_stop_may_drop_what_is_in_flight() {
    for seed in 0..100 {
        let config = Config { timeout: Some(ms(50)), on_stop: OnStop::Abort, ..Config::parallel() };
        let graph = || timed("A; B; A -> C", &[("A", 10_000), ("B", 10)]);
        let seen = simulate_seeded(seed, move || run(config, graph()));
        assert_eq!(sets(&seen.value), "completed B | failed | blocked C | not started | abandoned A");
        assert_eq!((kind(&seen.value), seen.took), ("timed-out", ms(50)));
        seen.properties();
    }
}

#[test]
fn a_dropped_run_drops_its_actions() {
    let seen = simulate(|| async {
        let ran = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&ran);
        let slow: SharedAction<()> = Arc::new(FnAction::emitting(ActionBase::new("A"), move |_| {
            let counted = Arc::clone(&counted);
            async move {
                sleep(ms(100)).await;
                *counted.lock().expect("nobody panics") += 1;
                Ok(())
            }
        }));
        let dropped = fatum::time::timeout(ms(50), run(Config::serial(), vec![slow])).await.is_err();
        sleep(ms(500)).await;
        (dropped, *ran.lock().expect("nobody panics"))
    });
    assert_eq!(seen.value, (true, 0));
}

#[test]
fn an_action_has_a_timeout_of_its_own() {
    let seen = simulate(|| {
        let base = ActionBase::new("A").timeout(ms(50)).emits([event("A")]);
        let slow: SharedAction<()> = Arc::new(FnAction::emitting(base, |_| async {
            sleep(Duration::from_secs(5)).await;
            Ok(())
        }));
        let mut list = actions("B; A -> C");
        list.retain(|action| &*action.metadata().name != "A");
        list.push(slow);
        run(Config::parallel(), list)
    });
    assert_eq!(sets(&seen.value), "completed B | failed A | blocked C | not started | abandoned");
    let failed = &super::outcome(&seen.value).failed[0].error;
    assert!(matches!(failed, ActionError::TimedOut { after } if *after == ms(50)));
    assert_eq!(seen.took, ms(50));
    seen.properties();
}

fn panicking() -> Vec<SharedAction<()>> {
    let base = ActionBase::new("P").emits([event("P")]);
    let mut list = actions("P -> Q; R");
    list[0] = Arc::new(FnAction::emitting(base, |_| async { panic!("the sky fell") }));
    list
}

#[test]
fn a_panic_ends_the_action_and_not_the_run() {
    let seen = simulate(|| run(Config::parallel(), panicking()));
    assert_eq!(sets(&seen.value), "completed R | failed P | blocked Q | not started | abandoned");
    assert_eq!(super::outcome(&seen.value).failed[0].error.to_string(), "panicked: the sky fell");
    assert_eq!(kind(&seen.value), "incomplete");
    seen.properties();
}

#[test]
fn a_panic_stops_a_run_that_stops_on_errors() {
    let seen = simulate(|| run(Config::serial(), panicking()));
    let Err(error) = &seen.value else { panic!("P panicked") };
    assert_eq!(error.to_string(), "stopped because P panicked: the sky fell");
    assert_eq!(sets(&seen.value), "completed | failed P | blocked Q | not started R | abandoned");
    seen.properties();
}

#[test]
fn a_stop_names_the_action_and_its_error() {
    let seen = simulate(|| run(Config::serial(), actions("A -> !B -> C")));
    let Err(error) = &seen.value else { panic!("B fails") };
    assert_eq!(error.to_string(), "stopped because B failed: injected");
    let source = std::error::Error::source(&error.cause).expect("the action's error").to_string();
    assert_eq!(source, "injected");
    let blocked = &error.outcome.blocked[0];
    assert_eq!((&*blocked.action.name, blocked.missing.first()), ("C", Some(&event("B"))));
}

#[test]
fn blocked_actions_alone_may_be_allowed() {
    let config = Config { allow_blocked: true, ..Config::parallel() };
    let graph = "A -> B; X -> B -> X";
    let seen = simulate(move || run(config, actions(graph)));
    assert_eq!(sets(&seen.value), "completed A | failed | blocked B X | not started | abandoned");
    assert_eq!(kind(&seen.value), "ok");
    seen.properties();
}

#[test]
fn orders_of_start() {
    let base = |name: &str| ActionBase::new(name);
    let rows: [(Order, &str, &[&str]); 4] = [
        (Order::Fifo, "A; B; C; A -> D", &["A", "B", "C", "D"]),
        (Order::List, "A -> B; C; D", &["A", "B", "C", "D"]),
        (Order::Priority, "A; B; C; D", &["D", "C", "B", "A"]),
        (Order::CriticalPath, "A; B -> E; C -> F -> G", &["C", "B", "F", "A", "E", "G"]),
    ];
    for (order, graph, expected) in rows {
        let seen = simulate(move || async move {
            let started = Arc::new(Mutex::new(Vec::new()));
            let list = (0..)
                .zip(nodes(graph))
                .map(|(index, node)| noting(&node, &started, base(&node.name).priority(index)));
            let config = Config { order, workers: NonZeroUsize::MIN, ..Config::parallel() };
            run(config, list.collect()).await.expect("nothing fails");
            started
        });
        assert_eq!(*seen.value.lock().expect("nobody panics"), expected, "{order:?}");
        seen.properties();
    }
}

#[test]
fn a_seeded_order_depends_on_the_seed_only() {
    let started = |seed| {
        let config = Config { order: Order::Seeded, ..Config::serial() };
        let seen = simulate_seeded(seed, move || run(config, actions("A; B; C; D; E; F")));
        seen.properties();
        let outcome = super::outcome(&seen.value).clone();
        outcome.completed.iter().map(|done| done.action.index).collect::<Vec<_>>()
    };
    assert_eq!(started(0), [0, 1, 2, 3, 4, 5], "the baseline is the list");
    assert_eq!(started(7), started(7));
    assert!((1..50).any(|seed| started(seed) != started(0)));
}

#[test]
fn actions_may_be_added_during_the_run() {
    for seed in 0..200 {
        let seen = simulate_seeded(seed, || {
            let base = ActionBase::new("A").emits([event("A")]);
            let growing: SharedAction<()> = Arc::new(FnAction::emitting(base, |context| async move {
                for node in nodes("S -> X; S -> Y -> Z").into_iter().filter(|node| node.name != "S") {
                    let added = context.add(action(&node)).await.map_err(|_| ActionError::new("closed"))?;
                    assert_eq!(*added.name, *node.name);
                }
                sleep(ms(10)).await;
                Ok(())
            }));
            run(Config::parallel(), vec![growing, action(&nodes("S")[0])])
        });
        assert_eq!(sets(&seen.value), "completed A S X Y Z | failed | blocked | not started | abandoned");
        seen.properties();
    }
}

#[test]
fn nothing_is_added_after_the_stop() {
    let seen = simulate(|| {
        let base = ActionBase::new("A");
        let late: SharedAction<()> = Arc::new(FnAction::emitting(base, |context| async move {
            sleep(ms(100)).await;
            match context.add(action(&nodes("B")[0])).await {
                Ok(_) => Ok(()),
                Err(closed) => Err(ActionError::new(closed.0.describe())),
            }
        }));
        run(Config { timeout: Some(ms(50)), ..Config::serial() }, vec![late])
    });
    assert_eq!(super::outcome(&seen.value).failed[0].error.to_string(), "B");
    seen.properties();
}

#[test]
fn a_run_is_resumed_where_it_stopped() {
    let seen = simulate(|| async {
        let first = run(Config::serial(), actions("A -> !B -> C; A -> D")).await;
        let error = first.expect_err("B fails");
        let list = actions("A -> B -> C; A -> D");
        let executor = Executor::new(Config::serial(), list).expect("not strict");
        (
            error.outcome.clone(),
            executor.resume(&error.outcome, Arc::new(()), &CancellationToken::new()).await,
        )
    });
    let (_, second) = &seen.value;
    assert_eq!(sets(second), "completed A B C D | failed | blocked | not started | abandoned");
    let starts = |name: u32| {
        let is_start = |(_, event): &&(u64, GraphEvent)| *event == GraphEvent::Started { action: name };
        seen.events.iter().filter(is_start).count()
    };
    assert_eq!((starts(0), starts(1)), (1, 2), "A ran once, B twice");
    seen.properties();
}

#[test]
fn an_executor_runs_dry_and_then_really() {
    let seen = simulate(|| async {
        let dry = Executor::new(Config { dry_run: true, ..Config::parallel() }, actions("A -> B -> C"));
        let dry = dry.expect("not strict");
        let none = CancellationToken::new();
        let foretold = dry.run(Arc::new(()), &none).await;
        let real = Executor::new(Config::parallel(), dry.actions().to_vec()).expect("not strict");
        let first = real.run(Arc::new(()), &none).await;
        (sets(&foretold), sets(&first), sets(&real.run(Arc::new(()), &none).await))
    });
    let all = "completed A B C | failed | blocked | not started | abandoned".to_owned();
    assert_eq!(seen.value, (all.clone(), all.clone(), all));
    let facts = seen.properties().facts().to_vec();
    assert_eq!(facts.len(), 3);
    fatum::systems::graph::judge_sweep(&facts).expect("the runs agree");
}

#[test]
fn a_gate_runs_an_action_on_any_of_its_events() {
    let seen = simulate(|| {
        let any = |missing: &std::collections::BTreeSet<Event>| missing.len() < 2;
        let base = ActionBase::new("any").wants([event("A"), event("never")]).gate(any);
        let gated: SharedAction<()> = Arc::new(FnAction::emitting(base, |_| async { Ok(()) }));
        let mut list = actions("A");
        list.push(gated);
        run(Config::serial(), list)
    });
    assert_eq!(sets(&seen.value), "completed A any | failed | blocked | not started | abandoned");
    seen.properties();
}

#[test]
fn a_duplicate_edge_blocks_nobody() {
    let seen = simulate(|| run(Config::serial(), actions("A -> B; A -> B")));
    assert_eq!(kind(&seen.value), "ok");
}

/// More actions at once than any channel or buffer of the reference holds.
#[test]
fn a_wide_star_ends_under_every_schedule() {
    for seed in 0..20 {
        let text = "behaviour = { duration = \"5ms\" }\ngraph.star = { fan-out = 150 }";
        let workload: Workload = toml::from_str(text).expect("it is well formed");
        let seen = simulate_seeded(seed, move || async move { run_workload(&workload).await });
        assert!(seen.value.is_complete(), "seed {seed}");
        assert_eq!(seen.took, ms(5 + 75 * 5));
        seen.properties();
    }
}

#[test]
fn faults_strike_the_actions_of_a_workload() {
    let text = "behaviour = { duration = \"5ms\", timeout = \"1s\" }\ngraph.chain = { length = 4 }";
    let workload: Workload = toml::from_str(text).expect("it is well formed");
    let rows = [
        (FaultKind::Error, "injected fault at action.run on link-1"),
        (FaultKind::Hang, "timed out after 1s"),
        (FaultKind::Cancel, "aborted"),
    ];
    for (fault, error) in rows {
        let plan =
            FaultPlan::none().without_swarm().with(FaultRule::new("action.run", fault, 1.0).on("link-1"));
        let workload = workload.clone();
        let seen = simulate_under(plan, 1, move || async move { run_workload(&workload).await });
        let (_, result) = &seen.value.steps[0];
        let outcome = result.outcome().expect("the run returned");
        assert_eq!(outcome.failed[0].error.to_string(), error);
        assert_eq!(outcome.blocked.len(), 2);
        seen.properties();
    }
}

#[test]
fn text_traces_of_one_seed_are_equal() {
    let trace = |seed| {
        let seen = simulate_seeded(seed, || async {
            let tracer = Arc::new(TextTracer::default());
            let config = Config {
                tracer: Some(Arc::clone(&tracer) as _),
                error_strategy: ErrorStrategy::ContinueOnError,
                ..Config::parallel()
            };
            drop(run(config, timed("A -> B; A -> !C -> D; E", &[("A", 10), ("B", 20), ("E", 5)])).await);
            tracer.text()
        });
        seen.value
    };
    let expected = "5ms E ok (started 0ns)\n10ms A ok (started 0ns)\n  A -> B\n  A -> C\n\
                    10ms C failed: injected (started 10ms)\n30ms B ok (started 10ms)\n\
                    30ms finished\n  D blocked on C\n";
    assert_eq!(trace(0), expected);
    for seed in 1..20 {
        assert_eq!(trace(seed), trace(seed));
    }
}
