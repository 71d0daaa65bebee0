//! What happens on the edge: an action cut short while it adds another, an orphan that ends as its time does, a stop
//! between taking an action and starting it, a run that is dropped, code of a user that panics.

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::{Arc, Mutex};

use fatum::fault::{FaultPlan, FaultRule};
use fatum::sync::CancellationToken;
use fatum::systems::graph::action::{
    Action, ActionBase, ActionMetadata, ActionResult, BoxFuture, FnAction, SharedAction,
};
use fatum::systems::graph::model::State;
use fatum::systems::graph::workload::{Cloud, Work, Workload};
use fatum::systems::graph::{
    ActionError, Config, Context, ErrorStrategy, Event, Executor, GraphEvent, Order, Outcome, Parity, Retry,
    TraceEntry, Tracer,
};
use fatum::time::{Duration, sleep};

use super::{action, actions, event, kind, ms, nodes, run, sets, simulate, simulate_seeded, simulate_under};

/// Sleeps, does not listen to anybody, then emits its name.
fn deaf(name: &'static str, takes: u64) -> SharedAction<()> {
    Arc::new(FnAction::emitting(ActionBase::new(name).emits([event(name)]), move |_| async move {
        sleep(ms(takes)).await;
        Ok(())
    }))
}

#[test]
fn what_an_action_adds_runs_although_the_action_was_cut_short() {
    let mut cut_short = 0;
    for seed in 0..400 {
        let seen = simulate_seeded(seed, || {
            let base = ActionBase::new("A").timeout(ms(50));
            let adder: SharedAction<()> = Arc::new(FnAction::emitting(base, |context| async move {
                sleep(ms(50)).await;
                context.add(action(&nodes("X")[0])).await.map_err(|_| ActionError::new("closed"))?;
                Ok(())
            }));
            let mut list = vec![adder, deaf("S", 50)];
            list.extend(actions("S -> Y").into_iter().filter(|action| &*action.metadata().name == "Y"));
            run(Config::parallel(), list)
        });
        let outcome = super::outcome(&seen.value);
        let (adder, added) = (outcome.state_of("A"), outcome.state_of("X"));
        assert!(matches!(added, None | Some(State::Completed)), "seed {seed}: {}", sets(&seen.value));
        assert_eq!(outcome.state_of("Y"), Some(State::Completed), "seed {seed}");
        cut_short += usize::from(adder == Some(State::Failed) && added.is_some());
        seen.properties();
    }
    assert!(cut_short > 0, "some schedule takes the adder away half way");
}

/// A ends at the instant at which its time as an orphan does.
#[test]
fn an_orphan_that_ends_in_the_last_moment_is_completed_or_abandoned_and_its_events_with_it() {
    let mut nobody_left = 0;
    for seed in 0..400 {
        let seen = simulate_seeded(seed, || {
            let config =
                Config { timeout: Some(ms(100)), orphan_timeout: Some(ms(100)), ..Config::parallel() };
            let mut list = actions("A -> B");
            list[0] = deaf("A", 200);
            run(config, list)
        });
        let outcome = super::outcome(&seen.value);
        let Err(error) = &seen.value else { panic!("B never runs") };
        if outcome.abandoned.is_empty() {
            assert_eq!(error.to_string(), "timed out after 100ms", "seed {seed}");
            assert_eq!(
                sets(&seen.value),
                "completed A | failed | blocked | not started B | abandoned",
                "seed {seed}: A has emitted what B waits for"
            );
        } else {
            assert_eq!(error.to_string(), "timed out after 100ms; gave up waiting for A", "seed {seed}");
            assert_eq!(sets(&seen.value), "completed | failed | blocked B | not started | abandoned A");
        }
        let gave_up = seen.events.iter().any(|(_, event)| matches!(event, GraphEvent::OrphansGivenUp { .. }));
        nobody_left += usize::from(gave_up && outcome.abandoned.is_empty());
        seen.properties();
    }
    assert!(nobody_left > 0, "some schedule gives up just after the last one ended");
}

/// Collects what it is told.
#[derive(Debug, Default)]
struct Collecting {
    entries: Mutex<Vec<TraceEntry>>,
    finished: Mutex<Vec<(Outcome, Duration)>>,
}

impl Tracer for Collecting {
    fn record(&self, entry: &TraceEntry) {
        self.entries.lock().expect("nobody panics").push(entry.clone());
    }

    fn finish(&self, outcome: &Outcome, at: Duration) {
        self.finished.lock().expect("nobody panics").push((outcome.clone(), at));
    }
}

#[test]
fn a_trace_says_when_an_action_ended_and_not_when_that_was_seen() {
    let mut held_back = 0;
    for seed in 1..100 {
        let plan = FaultPlan::none().with(FaultRule::stall(0.2));
        let seen = simulate_under(plan, seed, || async {
            let (tracer, start) = (Arc::new(Collecting::default()), fatum::time::Instant::now());
            drop(fatum::task::spawn(async {
                for _ in 0..100 {
                    sleep(ms(1)).await;
                }
            }));
            let ends = Arc::new(Mutex::new(None));
            let own = Arc::clone(&ends);
            let base = ActionBase::new("A").emits([event("A")]);
            let noting: SharedAction<()> = Arc::new(FnAction::emitting(base, move |_| {
                let own = Arc::clone(&own);
                async move {
                    sleep(ms(10)).await;
                    *own.lock().expect("nobody panics") = Some(fatum::time::Instant::now());
                    Ok(())
                }
            }));
            let config = Config { tracer: Some(Arc::clone(&tracer) as _), ..Config::serial() };
            run(config, vec![noting]).await.expect("nothing fails");
            let ended = ends.lock().expect("nobody panics").expect("it ran").duration_since(start);
            let (told, at) = (
                tracer.entries.lock().expect("nobody panics")[0].end,
                tracer.finished.lock().expect("nobody panics")[0].1,
            );
            (ended, told, at)
        });
        let (ended, told, at) = seen.value;
        assert_eq!(told, ended, "seed {seed}");
        held_back += usize::from(at > ended);
    }
    assert!(held_back > 0, "some worker was held back");
}

#[test]
fn the_deadline_reaches_the_token_of_an_action_that_outlives_a_failure() {
    for seed in 0..50 {
        let seen = simulate_seeded(seed, || {
            let listening: SharedAction<()> =
                Arc::new(FnAction::emitting(ActionBase::new("B"), |context| async move {
                    context.token().cancelled().await;
                    Err(ActionError::Cancelled)
                }));
            let error_strategy = ErrorStrategy::StopOnError;
            let config = Config { error_strategy, timeout: Some(ms(100)), ..Config::parallel() };
            let failing = FnAction::emitting(ActionBase::new("A"), |_| async {
                sleep(ms(10)).await;
                Err(ActionError::new("no"))
            });
            let limited = fatum::time::timeout(ms(5_000), run(config, vec![Arc::new(failing), listening]));
            async move { limited.await.expect("the token ends the wait") }
        });
        assert_eq!(sets(&seen.value), "completed | failed A B | blocked | not started | abandoned");
        assert_eq!((kind(&seen.value), seen.took), ("stopped", ms(100)));
        seen.properties();
    }
}

/// Cannot say what it would do.
struct Speechless {
    metadata: ActionMetadata,
    wants: BTreeSet<Event>,
}

impl Action<()> for Speechless {
    fn metadata(&self) -> &ActionMetadata {
        &self.metadata
    }

    fn wants(&self) -> &BTreeSet<Event> {
        &self.wants
    }

    fn run(&self, _: Context<()>) -> BoxFuture<'_, ActionResult> {
        Box::pin(std::future::ready(Ok(vec![event("P")])))
    }

    fn dry_run(&self) -> Vec<Event> {
        panic!("no words")
    }
}

fn speechless() -> Vec<SharedAction<()>> {
    let metadata = actions("P")[0].metadata().clone();
    let mut list = actions("P -> Q; R");
    list[0] = Arc::new(Speechless { metadata, wants: BTreeSet::new() });
    list
}

#[test]
fn a_dry_run_that_panics_ends_its_action_and_not_the_run() {
    let dry = |config: Config| Config { dry_run: true, order: Order::CriticalPath, ..config };
    let seen = simulate(move || run(dry(Config::parallel()), speechless()));
    assert_eq!(sets(&seen.value), "completed R | failed P | blocked Q | not started | abandoned");
    assert_eq!(super::outcome(&seen.value).failed[0].error.to_string(), "panicked: no words");
    seen.properties();
    let seen = simulate(move || run(dry(Config::serial()), speechless()));
    let Err(error) = &seen.value else { panic!("P panicked") };
    assert_eq!(error.to_string(), "stopped because P panicked: no words");
    seen.properties();
    let seen = simulate(|| run(Config::parallel(), speechless()));
    assert_eq!(sets(&seen.value), "completed P Q R | failed | blocked | not started | abandoned");
    seen.properties();
}

#[cfg(feature = "tokio")]
#[derive(Debug)]
struct Panicking;

#[cfg(feature = "tokio")]
impl Tracer for Panicking {
    fn record(&self, _: &TraceEntry) {
        panic!("a tracer must not, and does");
    }

    fn finish(&self, _: &Outcome, _: Duration) {}
}

/// On tokio, because a simulation fails when a task of its own panics.
#[cfg(feature = "tokio")]
#[test]
fn a_worker_that_was_lost_is_not_called_a_cancel() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    let result = runtime.expect("a runtime starts").block_on(async {
        run(Config { tracer: Some(Arc::new(Panicking)), ..Config::serial() }, actions("A -> B")).await
    });
    assert_eq!(kind(&result), "worker-lost");
    assert_eq!(sets(&result), "completed A | failed | blocked | not started B | abandoned");
}

#[test]
fn no_duration_is_too_long() {
    let seen = simulate(|| {
        let (timeout, orphan_timeout) = (Some(Duration::MAX), Some(Duration::MAX));
        let config = Config { timeout, orphan_timeout, ..Config::serial() };
        let base = ActionBase::new("A").timeout(Duration::MAX);
        let endless: SharedAction<()> = Arc::new(FnAction::emitting(base, |_| async {
            sleep(ms(10)).await;
            Err(ActionError::new("no"))
        }));
        run(config, vec![endless])
    });
    assert_eq!((kind(&seen.value), seen.took), ("stopped", ms(10)));
    seen.properties();
}

#[test]
fn a_dropped_run_tells_its_tracer_the_end_once() {
    for seed in 0..50 {
        let seen = simulate_seeded(seed, || async {
            let tracer = Arc::new(Collecting::default());
            let config = Config { tracer: Some(Arc::clone(&tracer) as _), ..Config::serial() };
            let mut list = actions("A -> B; C; D");
            list[2] = deaf("C", 100);
            let dropped = fatum::time::timeout(ms(50), run(config, list)).await.is_err();
            sleep(ms(500)).await;
            (dropped, tracer)
        });
        let (dropped, tracer) = &seen.value;
        let finished = tracer.finished.lock().expect("nobody panics");
        assert!(*dropped && finished.len() == 1, "seed {seed}: {finished:?}");
        let (outcome, at) = &finished[0];
        assert_eq!(
            sets(&Ok(outcome.clone())),
            "completed A B | failed | blocked | not started D | abandoned C"
        );
        assert_eq!((*at, tracer.entries.lock().expect("nobody panics").len()), (ms(50), 2));
        seen.properties();
    }
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("quota of {0}")]
struct Quota(u32);

#[test]
fn the_errors_of_an_action_are_found_in_the_chain_of_causes() {
    let seen = simulate(|| {
        let failing = FnAction::emitting(ActionBase::new("A"), |_| async { Err(ActionError::new(Quota(3))) });
        let retried = Retry::new(Arc::new(failing) as SharedAction<()>, |_, attempt| {
            (attempt < 2).then_some(Duration::ZERO)
        });
        run(Config::serial(), vec![Arc::new(retried)])
    });
    let error = seen.value.expect_err("A fails");
    let (mut next, mut found): (Option<&(dyn Error + 'static)>, Vec<&Quota>) = (Some(&error), Vec::new());
    while let Some(error) = next {
        found.extend(error.downcast_ref::<Quota>());
        next = error.source();
    }
    assert_eq!(found, [&Quota(3)], "{error:?}");
}

/// Rebuilds where every action stands from the entries of a trace and the action list alone.
#[test]
fn the_outcome_follows_from_the_trace() {
    let text = "graph.random = { nodes = 14, edge-percent = 20 }\n[behaviour]\nduration = \"10ms\"\n\
                [overrides]\nnode-3 = { ends = \"error\" }\nnode-5 = { duration = \"60ms\", ignores-cancel = true }";
    let workload: Workload = toml::from_str(text).expect("it is well formed");
    for seed in 0..300 {
        let workload = workload.clone();
        let seen = simulate_seeded(seed, move || async move {
            let tracer = Arc::new(Collecting::default());
            let config = Config {
                timeout: (seed % 3 == 0).then_some(ms(40)),
                orphan_timeout: Some(ms(10)),
                tracer: Some(Arc::clone(&tracer) as _),
                ..Config::parallel()
            };
            let Work::Listed(actions) = workload.steps().remove(0).work else { panic!("it lists them") };
            let executor = Executor::new(config, actions).expect("not strict");
            let result = executor.run(Arc::new(Cloud::new()), &CancellationToken::new()).await;
            if let Err(error) = &result {
                error.orphans.abort();
            }
            let wants: Vec<BTreeSet<Event>> =
                executor.actions().iter().map(|action| action.wants().clone()).collect();
            (result, tracer, wants)
        });
        let (result, tracer, wants) = &seen.value;
        let (outcome, entries) = (super::outcome(result), tracer.entries.lock().expect("nobody panics"));
        let (mut completed, mut failed) = (BTreeSet::new(), BTreeSet::new());
        let mut missing = wants.clone();
        for entry in entries.iter() {
            assert!(entry.start <= entry.end);
            let set = if entry.error.is_none() { &mut completed } else { &mut failed };
            assert!(set.insert(entry.action.index), "one entry each");
            for signal in &entry.signalled {
                assert!(missing[signal.to.index as usize].remove(&signal.event), "accepted once");
            }
        }
        let indices = outcome.indices();
        assert_eq!(indices.completed.iter().copied().collect::<BTreeSet<_>>(), completed, "seed {seed}");
        assert_eq!(indices.failed.iter().copied().collect::<BTreeSet<_>>(), failed, "seed {seed}");
        for (index, missing) in (0..).zip(&missing) {
            let blocked = outcome.blocked.iter().find(|blocked| blocked.action.index == index);
            let expected = (!missing.is_empty()).then_some(missing);
            assert_eq!(blocked.map(|blocked| &blocked.missing), expected, "seed {seed}, node-{index}");
        }
        let finished = tracer.finished.lock().expect("nobody panics");
        assert_eq!(finished.len(), 1);
        assert_eq!(finished[0].0.indices(), indices, "seed {seed}");
        seen.properties();
    }
}

#[test]
fn a_cancelled_retry_signals_nothing_even_where_failures_do() {
    let seen = simulate(|| {
        let base = ActionBase::new("A").emits([event("A")]);
        let failing = FnAction::emitting(base, |_| async { Err(ActionError::new("no")) });
        let retried = Retry::new(Arc::new(failing) as SharedAction<()>, |_, _| Some(ms(100)));
        let mut list = actions("A -> B");
        list[0] = Arc::new(retried);
        let error_strategy = ErrorStrategy::ContinueOnError;
        run(Config { error_strategy, timeout: Some(ms(50)), ..Config::parity(Parity::Serial) }, list)
    });
    assert_eq!(sets(&seen.value), "completed | failed A | blocked B | not started | abandoned");
    seen.properties();
}

#[test]
fn an_action_that_emits_less_than_it_said_blocks_who_waits_for_the_rest() {
    let seen = simulate(|| {
        let base = ActionBase::new("A").emits([event("A"), event("more")]);
        let sparing: SharedAction<()> = Arc::new(FnAction::new(base, |_| async { Ok(vec![event("A")]) }));
        let mut list = actions("A -> B; more -> C");
        list.retain(|action| !["A", "more"].contains(&&*action.metadata().name));
        list.push(sparing);
        run(Config::parallel(), list)
    });
    assert_eq!(sets(&seen.value), "completed A B | failed | blocked C | not started | abandoned");
    seen.properties();
}
