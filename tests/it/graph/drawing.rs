//! The Graphviz drawing of a run, and what tracers are told.

use std::sync::{Arc, Mutex};

use fatum::systems::graph::action::{ActionBase, ActionType, FnAction, SharedAction};
use fatum::systems::graph::{
    ActionError, Config, Event, GraphvizTracer, OnStop, Outcome, TraceEntry, Tracer,
};
use fatum::time::{Duration, sleep};

use super::{actions, event, ms, run, simulate, simulate_seeded};

fn described(base: ActionBase, takes: u64, fails: bool) -> SharedAction<()> {
    Arc::new(FnAction::emitting(base, move |_| async move {
        sleep(ms(takes)).await;
        if fails { Err(ActionError::new("no <luck> & \"no\" love")) } else { Ok(()) }
    }))
}

fn drawn(config: Config, list: impl FnOnce() -> Vec<SharedAction<()>> + 'static) -> String {
    let seen = simulate(move || async move {
        let tracer = Arc::new(GraphvizTracer::default());
        let config = Config { tracer: Some(Arc::clone(&tracer) as _), ..config };
        drop(run(config, list()).await);
        tracer.dot()
    });
    seen.value
}

#[test]
fn an_empty_run_is_an_empty_drawing() {
    assert_eq!(drawn(Config::serial(), Vec::new), "digraph {\n  rankdir=LR\n}\n");
    assert_eq!(GraphvizTracer::default().dot(), "digraph {\n  rankdir=LR\n}\n");
}

#[test]
fn a_run_is_drawn_with_its_signals_errors_and_what_is_left() {
    let dot = drawn(Config::parallel(), || {
        let create = ActionBase::new("make \"x\"").kind(ActionType::Create).summary("a <b>");
        let create = create.emits([Event::exists("x"), event("done")]);
        let update =
            ActionBase::new("use").kind(ActionType::Update).wants([Event::exists("x"), event("done")]);
        let after = ActionBase::new("after \"use\"").kind(ActionType::Delete).wants([event("used")]);
        let update = update.emits([event("used")]);
        vec![described(create, 10, false), described(update, 5, true), described(after, 0, false)]
    });
    insta::assert_snapshot!(dot, @r##"
    digraph {
      rankdir=LR
      r0a0 [shape=plain, label=<<table bgcolor="palegreen"><tr><td>make &quot;x&quot;</td></tr><tr><td>a &lt;b&gt;</td></tr><tr><td>Start 0ns</td></tr><tr><td>Duration 10ms</td></tr></table>>]
      r0a1 [shape=plain, label=<<table bgcolor="khaki1"><tr><td>use</td></tr><tr><td></td></tr><tr><td>Start 10ms</td></tr><tr><td>Duration 5ms</td></tr><tr><td>Error no &lt;luck&gt; &amp; &quot;no&quot; love</td></tr></table>>]
      r0a2 [shape=box, style=dashed, label="after \"use\"\nblocked"]
      e0 [label="Exists(x)", shape=ellipse]
      e1 [label="done", shape=ellipse]
      e2 [label="used", shape=ellipse]
      r0a0 -> e0
      e0 -> r0a1
      r0a0 -> e1
      e1 -> r0a1
      e2 -> r0a2 [style=dashed]
    }
    "##);
}

#[test]
fn what_was_not_started_or_given_up_is_drawn_as_such() {
    let config = Config { timeout: Some(ms(5)), orphan_timeout: Some(ms(1)), ..Config::serial() };
    let dot = drawn(config, || {
        let slow = |name: &'static str| described(ActionBase::new(name), 1_000, false);
        vec![slow("A"), slow("B")]
    });
    insta::assert_snapshot!(dot, @r##"
    digraph {
      rankdir=LR
      r0a1 [shape=box, style=dashed, label="B\nnot started"]
      r0a0 [shape=box, style=dashed, label="A\nabandoned"]
    }
    "##);
}

#[test]
fn each_kind_has_its_colour() {
    let kinds = [
        (ActionType::Create, "palegreen"),
        (ActionType::Custom, "khaki"),
        (ActionType::Delete, "pink"),
        (ActionType::Meta, "gray90"),
        (ActionType::Update, "khaki1"),
    ];
    for (kind, colour) in kinds {
        let dot = drawn(Config::serial(), move || vec![described(ActionBase::new("a").kind(kind), 0, false)]);
        assert!(dot.contains(&format!("bgcolor=\"{colour}\"")), "{kind}");
    }
}

#[test]
fn two_actions_of_one_name_are_two_boxes() {
    let twice = || described(ActionBase::new("same"), 0, false);
    let dot = drawn(Config::serial(), move || vec![twice(), twice()]);
    assert!(dot.contains("r0a0 [") && dot.contains("r0a1 ["), "{dot}");
}

#[derive(Debug, Default)]
struct Counting {
    recorded: Mutex<Vec<(String, Duration, Duration, bool)>>,
    finished: Mutex<Vec<Duration>>,
}

impl Tracer for Counting {
    fn record(&self, entry: &TraceEntry) {
        let record = (entry.action.to_string(), entry.start, entry.end, entry.error.is_some());
        self.recorded.lock().expect("nobody panics").push(record);
    }

    fn finish(&self, _: &Outcome, at: Duration) {
        self.finished.lock().expect("nobody panics").push(at);
    }
}

/// The run with this tracer, some seconds after the simulation began: times count from the run's own start.
fn traced(config: Config, list: fn() -> Vec<SharedAction<()>>, seed: u64) -> Arc<Counting> {
    let seen = simulate_seeded(seed, move || async move {
        let tracer = Arc::new(Counting::default());
        sleep(Duration::from_secs(7)).await;
        let config = Config { tracer: Some(Arc::clone(&tracer) as _), ..config };
        if let Err(error) = run(config, list()).await {
            error.orphans.abort();
        }
        sleep(Duration::from_secs(7)).await;
        tracer
    });
    seen.value
}

#[test]
fn every_end_is_told_once() {
    let configs = [
        Config::serial(),
        Config::parallel(),
        Config { timeout: Some(ms(5)), ..Config::parallel() },
        Config { timeout: Some(ms(5)), orphan_timeout: Some(ms(1)), ..Config::parallel() },
        Config { timeout: Some(ms(5)), on_stop: OnStop::Abort, ..Config::parallel() },
        Config { dry_run: true, ..Config::serial() },
    ];
    let list = || {
        let mut list = actions("A -> !B -> C; A -> D");
        list.push(described(ActionBase::new("E"), 10, false));
        list
    };
    for config in configs {
        for seed in 0..50 {
            let tracer = traced(config.clone(), list, seed);
            assert_eq!(tracer.finished.lock().expect("nobody panics").len(), 1, "{config:?}");
        }
    }
}

#[test]
fn the_failure_that_stops_the_run_is_recorded() {
    let tracer = traced(Config::serial(), || actions("A -> !B -> C"), 0);
    let zero = Duration::ZERO;
    let expected = [("A".to_owned(), zero, zero, false), ("B".to_owned(), zero, zero, true)];
    assert_eq!(*tracer.recorded.lock().expect("nobody panics"), expected);
}

#[test]
fn times_count_from_the_start_of_the_run() {
    let tracer = traced(Config::parallel(), || vec![described(ActionBase::new("A"), 10, false)], 0);
    assert_eq!(*tracer.recorded.lock().expect("nobody panics"), [("A".to_owned(), ms(0), ms(10), false)]);
    assert_eq!(*tracer.finished.lock().expect("nobody panics"), [ms(10)]);
}
