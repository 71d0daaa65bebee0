//! Tables 2.7 to 2.9: two workers.

use fatum::systems::graph::{Config, ErrorStrategy};
use fatum::time::Duration;

use super::{Node, action, kind, ms, nodes, orders, run, sets, simulate, simulate_seeded, upstream};

fn stopping() -> Config {
    Config {
        error_strategy: ErrorStrategy::StopOnError,
        timeout: Some(Duration::from_secs(60)),
        ..Config::parallel()
    }
}

/// Runs every order of the list, and the first of them under other schedules, and wants the same of each.
fn check(config: &Config, graph: &str, expected: (&str, &str, bool)) {
    for order in orders(&nodes(graph)) {
        let actions: Vec<_> = order.iter().map(action).collect();
        let config = config.clone();
        let seen = simulate(move || run(config, actions));
        let (pending, errors, is_error) = upstream(&seen.value);
        assert_eq!((pending.as_str(), errors.as_str(), is_error), expected, "{graph} as {order:?}");
        assert_eq!(seen.took, ms(0));
        seen.properties();
    }
    for seed in 1..30 {
        let (config, actions) = (config.clone(), super::actions(graph));
        let seen = simulate_seeded(seed, move || run(config, actions));
        let (pending, errors, is_error) = upstream(&seen.value);
        assert_eq!((pending.as_str(), errors.as_str(), is_error), expected, "{graph}, seed {seed}");
        seen.properties();
    }
}

#[test]
fn parallel_runs_what_can_run() {
    let graphs = ["", "A", "A -> B", "A -> B -> C", "A -> B -> C; A -> C"];
    for dry_run in [false, true] {
        for graph in graphs {
            check(&Config { dry_run, ..stopping() }, graph, ("", "", false));
        }
    }
}

#[test]
fn parallel_runs_a_wide_graph_in_every_order() {
    for dry_run in [false, true] {
        let graph = "A -> B; A -> C; A -> D -> B; A -> E -> F; A -> G";
        check(&Config { dry_run, ..stopping() }, graph, ("", "", false));
    }
}

#[test]
fn parallel_calls_a_cycle_an_error() {
    for dry_run in [false, true] {
        check(&Config { dry_run, ..stopping() }, "A -> B -> A", ("A,B", "", true));
    }
}

#[test]
fn parallel_stops_at_the_failing_action() {
    check(&stopping(), "A -> B -> !C -> D", ("D", "C", true));
}

#[test]
fn parallel_strategies_on_a_chain() {
    let graph = "A -> !B -> C -> D -> E";
    for error_strategy in [ErrorStrategy::StopOnError, ErrorStrategy::ContinueOnError] {
        check(&Config { error_strategy, ..Config::parallel() }, graph, ("C,D,E", "B", true));
    }
}

/// The waiting is the executor's, so an action list is as good after a run as before.
#[test]
fn parallel_strategies_on_the_same_action_objects() {
    let seen = simulate(|| async {
        let list = super::actions("A -> !B -> C -> D -> E");
        let stopping = Config { error_strategy: ErrorStrategy::StopOnError, ..Config::parallel() };
        let first = run(stopping, list.clone()).await;
        (upstream(&first), upstream(&run(Config::parallel(), list).await))
    });
    let expected = ("C,D,E".to_owned(), "B".to_owned(), true);
    assert_eq!(seen.value, (expected.clone(), expected));
    seen.properties();
}

#[test]
fn parallel_continues_beside_a_failure() {
    check(&Config::parallel(), "A -> !B -> C; A -> D; A -> E; A -> F", ("C", "B", true));
}

/// B fails at once; D, E and F are done or given back, and none is lost.
#[test]
fn parallel_stop_loses_nothing() {
    let config = Config { error_strategy: ErrorStrategy::StopOnError, ..Config::parallel() };
    for order in orders(&nodes("A -> !B; A -> D; A -> E; A -> F")) {
        let actions: Vec<_> = order.iter().map(action).collect();
        let config = config.clone();
        let seen = simulate(move || run(config, actions));
        seen.properties();
        let outcome = super::outcome(&seen.value);
        assert_eq!(outcome.completed.len() + outcome.not_started.len(), 4, "{}", sets(&seen.value));
        assert_eq!(kind(&seen.value), "stopped");
    }
}

/// A, then B and C, then D after C, which sleeps 5 s and listens to nobody.
fn slow(b_fails: bool) -> Vec<Node> {
    let mut nodes = nodes("A -> B; A -> C -> D");
    for node in &mut nodes {
        node.fails = b_fails && node.name == "B";
        node.takes = if node.name == "C" { Duration::from_secs(5) } else { Duration::ZERO };
    }
    nodes
}

/// Timeout and orphan timeout in seconds, whether B fails; the sets, the kind of error, the end in seconds.
type Row = (u64, u64, bool, &'static str, &'static str, u64);

#[test]
fn parallel_timeouts() {
    let done = "completed A B C D | failed | blocked | not started | abandoned";
    let d_left = "completed A B C | failed | blocked | not started D | abandoned";
    let c_left = "completed A B | failed | blocked D | not started | abandoned C";
    // C ends after the stop and unblocks D, which nobody starts.
    let b_failed = "completed A C | failed B | blocked | not started D | abandoned";
    let b_failed_c_left = "completed A | failed B | blocked D | not started | abandoned C";
    let rows: [Row; 7] = [
        (10, 1, false, done, "ok", 5),
        (2, 5, false, d_left, "timed-out", 5),
        (2, 1, false, c_left, "orphans-timed-out", 3),
        (10, 1, true, b_failed_c_left, "orphans-timed-out", 1),
        (10, 6, true, b_failed, "stopped", 5),
        (2, 6, true, b_failed, "stopped", 5),
        (2, 1, true, b_failed_c_left, "orphans-timed-out", 1),
    ];
    for (timeout, orphans, b_fails, expected, error, end) in rows {
        for order in orders(&slow(b_fails)) {
            let actions: Vec<_> = order.iter().map(action).collect();
            let config = Config {
                timeout: Some(Duration::from_secs(timeout)),
                orphan_timeout: Some(Duration::from_secs(orphans)),
                ..stopping()
            };
            let seen = simulate(move || run(config, actions));
            let case = format!("timeout {timeout}, orphans {orphans}, B fails: {b_fails}, {order:?}");
            assert_eq!(sets(&seen.value), expected, "{case}");
            assert_eq!(kind(&seen.value), error, "{case}");
            assert_eq!(seen.took, Duration::from_secs(end), "{case}");
            seen.properties();
        }
    }
    // Without a failure at the instant at which C may or may not have begun, no schedule changes the row.
    for (timeout, orphans, _, expected, error, end) in rows.into_iter().filter(|(_, _, b_fails, ..)| !b_fails)
    {
        for seed in 1..30 {
            let config = Config {
                timeout: Some(Duration::from_secs(timeout)),
                orphan_timeout: Some(Duration::from_secs(orphans)),
                ..stopping()
            };
            let seen = simulate_seeded(seed, move || run(config, slow(false).iter().map(action).collect()));
            assert_eq!((sets(&seen.value).as_str(), kind(&seen.value)), (expected, error), "seed {seed}");
            assert_eq!(seen.took, Duration::from_secs(end), "seed {seed}");
            seen.properties();
        }
    }
}
