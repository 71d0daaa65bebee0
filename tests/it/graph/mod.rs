//! Tests of `systems::graph`: the acceptance tables of its specification, each row in the mode it names, then what the
//! port adds. Here: graphs as text, orders of a list, and what a simulation saw.

mod tables;
mod serial;
mod parallel;
mod retrying;
mod work_queue;
mod workflows;
mod model;
mod options;
mod endings;
mod resuming;
mod strictness;
mod drawing;
mod files;
mod properties;
mod planned;
mod planner;
mod planted;
mod hunts;
mod world;
#[cfg(feature = "tokio")]
mod both_worlds;

use std::sync::Arc;

use fatum::sync::CancellationToken;
use fatum::systems::graph::action::{ActionBase, FnAction, SharedAction};
use fatum::systems::graph::model::ActionRef;
use fatum::systems::graph::{ActionError, Config, Event, Executor, Outcome, RunError};
use fatum::time::{Duration, sleep};

pub(crate) use world::{Observed, simulate, simulate_seeded, simulate_under};

/// One action of a graph in text.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) fails: bool,
    pub(crate) wants: Vec<String>,
    pub(crate) takes: Duration,
}

/// Reads `A -> !B -> C; A -> C`: B waits for A and fails, C waits for B and for A.
pub(crate) fn nodes(graph: &str) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    for chain in graph.split(';').filter(|chain| !chain.trim().is_empty()) {
        let mut before: Option<String> = None;
        for text in chain.split("->").map(str::trim) {
            let name = text.trim_start_matches('!').to_owned();
            if !nodes.iter().any(|node| node.name == name) {
                nodes.push(Node { name: name.clone(), fails: false, wants: vec![], takes: Duration::ZERO });
            }
            let node = nodes.iter_mut().find(|node| node.name == name).expect("it was just added");
            node.fails |= text.starts_with('!');
            node.wants.extend(before);
            before = Some(name);
        }
    }
    nodes
}

pub(crate) fn event(name: &str) -> Event {
    Event::custom(name)
}

/// An action that sleeps, then emits its own name or fails.
pub(crate) fn action(node: &Node) -> SharedAction<()> {
    let base = ActionBase::new(node.name.as_str())
        .wants(node.wants.iter().map(|name| event(name)))
        .emits([event(&node.name)]);
    let node = node.clone();
    Arc::new(FnAction::emitting(base, move |_| {
        let node = node.clone();
        async move {
            if node.takes > Duration::ZERO {
                sleep(node.takes).await;
            }
            if node.fails { Err(ActionError::new("injected")) } else { Ok(()) }
        }
    }))
}

pub(crate) fn actions(graph: &str) -> Vec<SharedAction<()>> {
    nodes(graph).iter().map(action).collect()
}

/// Every order of the items.
pub(crate) fn orders<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
    if items.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for first in 0..items.len() {
        let mut rest = items.to_vec();
        let head = rest.remove(first);
        for mut order in orders(&rest) {
            order.insert(0, head.clone());
            all.push(order);
        }
    }
    all
}

pub(crate) async fn run(config: Config, actions: Vec<SharedAction<()>>) -> Result<Outcome, RunError> {
    let executor = Executor::new(config, actions).expect("these options are not strict");
    executor.run(Arc::new(()), &CancellationToken::new()).await
}

/// The sets of an outcome as sorted names: `completed A B | failed C | blocked | not started D | abandoned`.
pub(crate) fn sets(result: &Result<Outcome, RunError>) -> String {
    let outcome = outcome(result);
    let join = |names: &mut dyn Iterator<Item = &ActionRef>| {
        let mut names: Vec<&str> = names.map(|action| &*action.name).collect();
        names.sort_unstable();
        names.iter().map(|name| format!(" {name}")).collect::<String>()
    };
    format!(
        "completed{} | failed{} | blocked{} | not started{} | abandoned{}",
        join(&mut outcome.completed.iter().map(|done| &done.action)),
        join(&mut outcome.failed.iter().map(|failed| &failed.action)),
        join(&mut outcome.blocked.iter().map(|blocked| &blocked.action)),
        join(&mut outcome.not_started.iter()),
        join(&mut outcome.abandoned.iter()),
    )
}

pub(crate) fn outcome(result: &Result<Outcome, RunError>) -> &Outcome {
    match result {
        Ok(outcome) => outcome,
        Err(error) => &error.outcome,
    }
}

/// What the tables speak of: pending and errors, as sorted names, and whether there was an error.
pub(crate) fn upstream(result: &Result<Outcome, RunError>) -> (String, String, bool) {
    let outcome = outcome(result);
    let sorted = |mut names: Vec<&str>| {
        names.sort_unstable();
        names.join(",")
    };
    let pending = outcome.upstream_pending();
    let pending = sorted(pending.iter().map(|action| &*action.name).collect());
    let errors = sorted(outcome.failed.iter().map(|failed| &*failed.action.name).collect());
    (pending, errors, result.is_err())
}

/// The kind of the error, or `ok`.
pub(crate) fn kind(result: &Result<Outcome, RunError>) -> &'static str {
    result.as_ref().err().map_or("ok", |error| error.cause.kind())
}

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
