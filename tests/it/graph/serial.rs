//! Tables 2.4 to 2.6: one worker.

use fatum::systems::graph::action::{ActionBase, FnAction, SharedAction};
use fatum::systems::graph::{ActionError, Config, ErrorStrategy, Parity, SignalOnError, TextTracer};
use fatum::time::{Duration, sleep};
use std::sync::Arc;

use super::{action, event, kind, ms, nodes, orders, run, sets, simulate, upstream};

/// Runs every order of the list and wants the same of each.
fn check(config: &Config, graph: &str, pending: &str, errors: &str, is_error: bool) {
    for order in orders(&nodes(graph)) {
        let actions: Vec<_> = order.iter().map(action).collect();
        let tracer = Some(Arc::new(TextTracer::default()) as _);
        let config = Config { tracer, ..config.clone() };
        let seen = simulate(move || run(config, actions));
        let expected = (pending.to_owned(), errors.to_owned(), is_error);
        assert_eq!(upstream(&seen.value), expected, "{graph} in the order {order:?}");
        seen.properties();
    }
}

const GRAPHS: [&str; 5] = ["", "A", "A -> B", "A -> B -> C", "A -> B -> C; A -> C"];

#[test]
fn serial_runs_what_can_run() {
    for dry_run in [false, true] {
        for config in [Config::serial(), Config::parity(Parity::Serial)] {
            for graph in GRAPHS {
                check(&Config { dry_run, ..config.clone() }, graph, "", "", false);
            }
        }
    }
}

#[test]
fn serial_parity_calls_a_cycle_a_success() {
    for dry_run in [false, true] {
        let config = Config { dry_run, ..Config::parity(Parity::Serial) };
        check(&config, "A -> B -> A", "A,B", "", false);
    }
}

#[test]
fn serial_calls_a_cycle_an_error() {
    check(&Config::serial(), "A -> B -> A", "A,B", "", true);
    let seen = simulate(|| run(Config::serial(), super::actions("A -> B -> A")));
    assert_eq!(kind(&seen.value), "incomplete");
}

#[test]
fn serial_stops_at_the_failing_action() {
    for config in [Config::serial(), Config::parity(Parity::Serial)] {
        check(&config, "A -> B -> !C -> D", "D", "C", true);
    }
}

#[test]
fn serial_strategies() {
    let graph = "A -> !B -> C -> D -> E";
    let parity = |error_strategy| Config { error_strategy, ..Config::parity(Parity::Serial) };
    check(&parity(ErrorStrategy::StopOnError), graph, "C,D,E", "B", true);
    check(&parity(ErrorStrategy::ContinueOnError), graph, "", "B", true);
    let strict = Config { error_strategy: ErrorStrategy::ContinueOnError, ..Config::serial() };
    assert_eq!(strict.signal_on_error, SignalOnError::Never);
    check(&strict, graph, "C,D,E", "B", true);
}

/// A at once, then B after its delay or when it should give up.
fn with_delay(delay: Duration) -> Vec<SharedAction<()>> {
    let b = ActionBase::new("B").wants([event("A")]).emits([event("B")]);
    let b = FnAction::emitting(b, move |context| async move {
        fatum::select! {
            biased;
            () = sleep(delay) => Ok(()),
            () = context.cancelled() => Err(ActionError::Cancelled),
        }
    });
    vec![action(&nodes("A")[0]), Arc::new(b)]
}

#[test]
fn serial_timeout_passes_unnoticed_when_all_is_quick() {
    for order in orders(&with_delay(Duration::ZERO)) {
        let config = Config { timeout: Some(ms(30_000)), ..Config::serial() };
        let seen = simulate(move || run(config, order));
        assert_eq!(sets(&seen.value), "completed A B | failed | blocked | not started | abandoned");
        assert_eq!((kind(&seen.value), seen.took), ("ok", ms(0)));
        seen.properties();
    }
}

#[test]
fn serial_timeout_ends_an_action_that_listens() {
    for order in orders(&with_delay(ms(30_000))) {
        let config = Config { timeout: Some(ms(1)), ..Config::serial() };
        let seen = simulate(move || run(config, order));
        assert_eq!(sets(&seen.value), "completed A | failed B | blocked | not started | abandoned");
        assert_eq!(seen.took, ms(1));
        // B's own failure and the timeout fall on one instant; whichever is seen first is the cause.
        assert!(["stopped", "timed-out"].contains(&kind(&seen.value)));
        seen.properties();
    }
}
