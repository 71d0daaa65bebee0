//! Workloads as scenario files say them: what is read, and what a mistake is told.

use fatum::systems::graph::workload::{Mode, Span, StepResult, Workload, run};
use fatum::systems::graph::{ErrorStrategy, Order, Variant};
use fatum::time::Duration;

use super::{ms, simulate, simulate_seeded};

fn read(text: &str) -> Workload {
    toml::from_str(text).unwrap_or_else(|error| panic!("{error}"))
}

fn mistake(text: &str) -> String {
    let error = toml::from_str::<Workload>(text).expect_err("it holds a mistake");
    error.message().to_owned()
}

#[test]
fn spans_are_read_and_written() {
    let rows = [
        ("0s", 0, "0s"),
        ("200ms", 200_000_000, "200ms"),
        ("5s", 5_000_000_000, "5s"),
        ("90s", 90_000_000_000, "90s"),
        ("60s", 60_000_000_000, "1m"),
        ("2m", 120_000_000_000, "2m"),
        ("1h", 3_600_000_000_000, "1h"),
        ("1500us", 1_500_000, "1500us"),
        ("7ns", 7, "7ns"),
    ];
    for (text, nanos, shown) in rows {
        let span: Span = text.parse().expect("it is a duration");
        assert_eq!(span.0, Duration::from_nanos(nanos), "{text}");
        assert_eq!(span.to_string(), shown, "{text}");
        assert_eq!(shown.parse(), Ok(span), "{text}");
    }
}

#[test]
fn a_bad_span_says_what_is_allowed() {
    for text in ["", "5", "ms", "1.5s", "-1s", "5 s", "5sec", "99999999999999999999s", "99999999h"] {
        let error = text.parse::<Span>().expect_err("it is none").to_string();
        let expected = format!(
            "`{text}` is not a duration\nhelp: write a whole number and one of ns, us, ms, s, m, h, as in \"200ms\""
        );
        assert_eq!(error, expected);
    }
}

#[test]
fn a_whole_workload_is_read() {
    let workload = read(
        r#"
        cancel-after = "1s"
        behaviour = { duration = "200ms" }

        [executor]
        mode = "serial"
        workers = 3
        order = "critical-path"
        error-strategy = "continue-on-error"
        timeout = "10s"
        variant = "queued-vanish"

        [[graph.actions]]
        name = "hc"
        type = "create"
        signals = ["Exists(hc)"]
        behaviour = { fails-first = 2, retry = { delay = "10ms", growth = "exponential", attempts-max = 5 } }

        [[graph.actions]]
        name = "bs"
        wants = ["Exists(hc)"]

        [overrides.bs]
        ends = "hang"
        timeout = "1s"
        "#,
    );
    let config = workload.executor.config();
    assert_eq!(workload.executor.mode, Mode::Serial);
    assert_eq!((config.workers.get(), config.order), (3, Order::CriticalPath));
    assert_eq!(config.error_strategy, ErrorStrategy::ContinueOnError);
    assert_eq!((config.timeout, config.variant), (Some(ms(10_000)), Variant::QueuedVanish));
    assert_eq!(workload.behaviour.duration, Span(ms(200)));
    let written = toml::to_string(&workload).expect("a workload can be written");
    assert_eq!(read(&written), workload, "what is written reads the same");
}

#[test]
fn mistakes_are_named() {
    let star = "graph.star = { fan-out = 3 }\n";
    let rows = [
        ("graph.star = { fan_out = 3 }", "unknown field `fan_out`, expected `fan-out`"),
        (
            "graph.ring = { length = 3 }",
            "unknown variant `ring`, expected one of `actions`, `star`, `chain`, `random`, `load-balancer`",
        ),
        (
            "graph.load-balancer = { workflow = \"crate\" }",
            "unknown variant `crate`, expected one of `create`, \
          `stable-resync`, `retarget`, `update-label`, `update-description`, `recreate-address`, `teardown`",
        ),
        ("", "missing field `graph`"),
        ("graph.chain = { length = -1 }", "invalid value: integer `-1`, expected u32"),
    ];
    for (text, expected) in rows {
        assert_eq!(mistake(text), expected, "{text}");
    }
    let rows = [
        ("executor = { workers = 0 }", "invalid value: integer `0`, expected a nonzero usize"),
        (
            "executor = { timeout = 5 }",
            "invalid type: integer `5`, expected a duration in quotes, as in \"200ms\"",
        ),
        (
            "behaviour = { ends = \"badly\" }",
            "unknown variant `badly`, expected one of `ok`, `error`, `hang`, `panic`",
        ),
        (
            "executor = { order = \"random\" }",
            "unknown variant `random`, expected one of `fifo`, `list`, `priority`, \
          `critical-path`, `seeded`",
        ),
        (
            "executor = { error-strategy = \"maybe\" }",
            "unknown variant `maybe`, expected `stop-on-error` or `continue-on-error`",
        ),
    ];
    for (text, expected) in rows {
        assert_eq!(mistake(&format!("{star}{text}")), expected, "{text}");
    }
    let variant = mistake(&format!("{star}executor = {{ variant = \"wrong\" }}"));
    assert!(
        variant.starts_with("unknown variant `wrong`, expected one of `correct`, `queued-vanish`, "),
        "{variant}"
    );
}

#[test]
fn sizes_that_no_machine_should_try_are_refused() {
    let rows = [
        ("graph.star = { fan-out = %d }", 10_000),
        ("graph.chain = { length = %d }", 10_000),
        ("graph.random = { nodes = %d, edge-percent = 1 }", 1_000),
        ("graph.chain = { length = 1 }\nexecutor.workers = %d", 1_000),
    ];
    for (text, max) in rows {
        read(&text.replace("%d", &max.to_string()));
        let over = max + 1;
        let expected = format!("{over} is too many\nhelp: at most {max} are possible here");
        assert_eq!(mistake(&text.replace("%d", &over.to_string())), expected, "{text}");
    }
}

#[test]
fn no_delay_is_longer_than_the_longest() {
    let text = "graph.actions = [{ name = \"a\" }]\n[overrides.a]\nfails-first = 1\n\
                retry = { delay = \"100ms\", delay-max = \"100ms\", jitter-percent = 50 }";
    for seed in 0..50 {
        let workload = read(text);
        let seen = simulate_seeded(seed, move || async move { run(&workload).await });
        assert_eq!(seen.took, ms(100), "seed {seed}");
    }
}

fn outcome_sizes(text: &str, seed: u64) -> (usize, usize, usize) {
    let workload = read(text);
    let seen = simulate_seeded(seed, move || async move { run(&workload).await });
    seen.properties();
    let outcome = seen.value.steps[0].1.outcome().expect("the run returned").clone();
    (outcome.completed.len(), outcome.failed.len(), outcome.blocked.len())
}

#[test]
fn generated_graphs_run() {
    assert_eq!(outcome_sizes("graph.star = { fan-out = 7 }", 0), (8, 0, 0));
    assert_eq!(outcome_sizes("graph.chain = { length = 200 }", 0), (200, 0, 0));
    assert_eq!(outcome_sizes("graph.chain = { length = 0 }", 0), (0, 0, 0));
    for seed in 0..50 {
        assert_eq!(outcome_sizes("graph.random = { nodes = 30, edge-percent = 20 }", seed), (30, 0, 0));
    }
    let failing = "graph.chain = { length = 5 }\noverrides.link-2 = { ends = \"error\" }";
    assert_eq!(outcome_sizes(failing, 0), (2, 1, 2));
}

#[test]
fn a_drawn_graph_has_edges_unless_it_is_the_baseline() {
    let time = |seed| {
        let workload = read(
            "behaviour = { duration = \"1ms\" }\nexecutor = { workers = 30 }\n\
                             graph.random = { nodes = 30, edge-percent = 20 }",
        );
        simulate_seeded(seed, move || async move { run(&workload).await }).took
    };
    assert_eq!(time(0), ms(1));
    assert!((1..20).all(|seed| time(seed) > ms(1)));
}

#[test]
fn retries_of_a_file_follow_its_policy() {
    let text = "graph.actions = [{ name = \"a\" }]\n[overrides.a]\nduration = \"5ms\"\nfails-first = 3\n\
                retry = { delay = \"10ms\", growth = \"exponential\", delay-max = \"15ms\", attempts-max = 4 }";
    let workload = read(text);
    let seen = simulate(move || async move { run(&workload).await });
    assert!(seen.value.is_complete());
    // Four attempts of 5 ms; 10, 15 and 15 ms between them.
    assert_eq!(seen.took, ms(4 * 5 + 10 + 15 + 15));
    seen.properties();
}

#[test]
fn a_caller_cancels_when_the_file_says() {
    let text = "cancel-after = \"50ms\"\nbehaviour = { duration = \"1s\" }\ngraph.chain = { length = 3 }";
    let workload = read(text);
    let seen = simulate(move || async move { run(&workload).await });
    let StepResult::Incomplete(error) = &seen.value.steps[0].1 else { panic!("it was cancelled") };
    assert_eq!(error.cause.kind(), "orphans-timed-out");
    assert_eq!(seen.took, ms(50));
    seen.properties();
}

#[test]
fn a_strict_file_is_refused() {
    let text = "executor = { strict = true }\ngraph.actions = [{ name = \"a\", wants = [\"b\"] }]";
    let workload = read(text);
    let seen = simulate(move || async move { run(&workload).await });
    let StepResult::Refused(refused) = &seen.value.steps[0].1 else { panic!("it is invalid") };
    assert_eq!(refused.to_string(), "invalid graph: `a` waits for b, which no action emits");
}
