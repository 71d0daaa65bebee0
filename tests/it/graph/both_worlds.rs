//! One executor, built once, in a simulation and on a multi-threaded tokio: the same outcome.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use fatum::sync::CancellationToken;
use fatum::systems::graph::action::{ActionBase, FnAction, SharedAction};
use fatum::systems::graph::{
    ActionError, ActionRef, Config, Context, ErrorStrategy, Event, Executor, Outcome, RunError,
};
use fatum::time::{Duration, sleep};
use fatum::{Sim, is_simulated};

/// What the actions share: how many of them ran in a simulation.
#[derive(Default)]
struct Env {
    simulated: AtomicU64,
}

fn action(name: &str, wants: &[&str], fails: bool) -> SharedAction<Env> {
    let wants: Vec<Event> = wants.iter().map(|name| Event::custom(*name)).collect();
    let base = ActionBase::new(name).wants(wants).emits([Event::custom(name)]);
    Arc::new(FnAction::emitting(base, move |context: Context<Env>| async move {
        sleep(Duration::from_millis(1)).await;
        context.env().simulated.fetch_add(u64::from(is_simulated()), Ordering::Relaxed);
        if fails { Err(ActionError::new("refused")) } else { Ok(()) }
    }))
}

/// A wide graph with a failure in the middle: `bad` blocks `after` and nothing else.
fn executor() -> Executor<Env> {
    let mut list =
        vec![action("root", &[], false), action("bad", &["root"], true), action("after", &["bad"], false)];
    list.extend((0..40).map(|number| action(&format!("leaf-{number}"), &["root"], false)));
    let workers = 6.try_into().unwrap();
    let config = Config { workers, error_strategy: ErrorStrategy::ContinueOnError, ..Config::parallel() };
    Executor::new(config, list).unwrap()
}

/// What must be the same in both worlds: the three sets, by name.
fn sets(result: Result<Outcome, RunError>) -> [Vec<String>; 3] {
    let outcome = result.unwrap_err().outcome;
    let names = |actions: &mut dyn Iterator<Item = &ActionRef>| {
        let mut names: Vec<String> = actions.map(|action| action.name.to_string()).collect();
        names.sort();
        names
    };
    [
        names(&mut outcome.completed.iter().map(|completed| &completed.action)),
        names(&mut outcome.failed.iter().map(|failed| &failed.action)),
        names(&mut outcome.blocked.iter().map(|blocked| &blocked.action)),
    ]
}

/// Runs it; the sets, and how many actions ran in a simulation.
async fn run(executor: &Executor<Env>) -> ([Vec<String>; 3], u64) {
    let env = Arc::new(Env::default());
    let sets = sets(executor.run(Arc::clone(&env), &CancellationToken::new()).await);
    (sets, env.simulated.load(Ordering::Relaxed))
}

#[test]
fn one_executor_runs_in_a_simulation_and_on_many_threads() {
    let executor = Arc::new(executor());
    let seen = Arc::new(Mutex::new(None));
    let (simulated, slot) = (Arc::clone(&executor), Arc::clone(&seen));
    let mut sim = Sim::new(7);
    sim.run(async move {
        let result = run(&simulated).await;
        *slot.lock().unwrap() = Some(result);
    });
    assert!(sim.finish().end.is_passed());
    let (in_simulation, count) = seen.lock().unwrap().take().unwrap();
    assert_eq!(count, 42, "all but the blocked action ran in virtual time");
    assert_eq!([in_simulation[0].len(), in_simulation[1].len(), in_simulation[2].len()], [41, 1, 1]);

    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build().unwrap();
    for _ in 0..20 {
        let on_threads = Arc::clone(&executor);
        let result =
            runtime.block_on(async { tokio::spawn(async move { run(&on_threads).await }).await.unwrap() });
        assert_eq!(result, (in_simulation.clone(), 0));
    }
}
