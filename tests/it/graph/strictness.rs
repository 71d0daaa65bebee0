//! Strict validation: what can be seen to be wrong before anything runs.

use std::sync::Arc;

use fatum::systems::graph::action::{ActionBase, FnAction, SharedAction};
use fatum::systems::graph::{Config, Event, Executor, Parity};

use super::{actions, event};

fn check(list: Vec<SharedAction<()>>, expected: &[&str]) {
    let strict = Config { strict: true, ..Config::parallel() };
    let found: Vec<String> = match Executor::new(strict, list.clone()) {
        Ok(_) => Vec::new(),
        Err(invalid) => invalid.problems.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(found, expected);
    assert!(Executor::new(Config::parity(Parity::Serial), list).is_ok(), "only strict runs are checked");
}

fn described(base: ActionBase) -> SharedAction<()> {
    Arc::new(FnAction::emitting(base, |_| async { Ok(()) }))
}

#[test]
fn a_sound_graph_has_no_problems() {
    check(actions("A -> B -> C; A -> C; D"), &[]);
    check(vec![], &[]);
}

#[test]
fn names_must_differ() {
    let twice = || described(ActionBase::new("A"));
    check(vec![twice(), twice(), twice()], &["several actions are called `A`"]);
}

#[test]
fn wants_must_be_emitted_by_somebody() {
    let waiting = described(ActionBase::new("A").wants([Event::exists("x"), Event::not_exists("y")]));
    let expected = [
        "`A` waits for Exists(x), which no action emits",
        "`A` waits for NotExists(y), which no action emits",
    ];
    check(vec![waiting], &expected);
}

#[test]
fn a_cycle_is_reported_as_itself() {
    check(actions("A -> B -> A"), &["actions wait for each other: A -> B -> A"]);
    check(actions("X -> A; A -> B -> C -> A; C -> Y"), &["actions wait for each other: A -> B -> C -> A"]);
    check(actions("A -> A"), &["actions wait for each other: A -> A"]);
    let two = ["actions wait for each other: A -> B -> A", "actions wait for each other: C -> D -> C"];
    check(actions("A -> B -> A; C -> D -> C; B -> C"), &two);
}

#[test]
fn a_cycle_that_another_emitter_breaks_is_none() {
    let emitting = |name: &str, wants: &[&str], emits: &str| {
        described(ActionBase::new(name).wants(wants.iter().map(|text| event(text))).emits([event(emits)]))
    };
    let breaker = emitting("C", &[], "b");
    let (a, b) = (emitting("A", &["b"], "a"), emitting("B", &["a"], "b"));
    check(vec![a.clone(), b.clone(), breaker], &["b is emitted by each of B, C"]);
    let late = emitting("C", &["a"], "b");
    let expected = ["actions wait for each other: A -> B -> A", "b is emitted by each of B, C"];
    check(vec![a, b, late], &expected);
}

#[test]
fn an_event_has_one_emitter() {
    let emitter = |name: &str| described(ActionBase::new(name).emits([event("x")]));
    check(vec![emitter("A"), emitter("B")], &["x is emitted by each of A, B"]);
}

#[test]
fn all_problems_are_reported_at_once() {
    let mut list = actions("A -> B -> A");
    list.push(described(ActionBase::new("A").wants([event("lost")])));
    let strict = Config { strict: true, ..Config::parallel() };
    let error = Executor::new(strict, list).err().expect("it is invalid").to_string();
    assert_eq!(
        error,
        "invalid graph: several actions are called `A`; `A` waits for lost, which no action emits; \
         actions wait for each other: A -> B -> A"
    );
}

#[test]
fn an_action_with_a_gate_may_wait_for_what_never_comes() {
    let gated =
        ActionBase::new("A").wants([event("lost")]).gate(|_: &std::collections::BTreeSet<Event>| true);
    check(vec![described(gated)], &[]);
}

#[test]
fn a_deep_chain_is_checked_without_recursion() {
    let names: Vec<String> = (0..50_000).map(|number| number.to_string()).collect();
    let link = |pair: &[String]| {
        described(ActionBase::new(pair[1].as_str()).wants([event(&pair[0])]).emits([event(&pair[1])]))
    };
    let mut list = vec![described(ActionBase::new("0").emits([event("0")]))];
    list.extend(names.windows(2).map(link));
    check(list, &[]);
}
