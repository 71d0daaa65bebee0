//! The model by itself: states, steps, and who is signalled.

use std::collections::BTreeSet;

use fatum::systems::graph::Event;
use fatum::systems::graph::model::{Model, State, Step};

use super::event;

const STATES: [State; 7] = [
    State::Blocked,
    State::Runnable,
    State::Queued,
    State::InFlight,
    State::Completed,
    State::Failed,
    State::Abandoned,
];

const STEPS: [Step; 7] =
    [Step::Satisfy, Step::Enqueue, Step::HandBack, Step::Start, Step::Complete, Step::Fail, Step::Abandon];

#[test]
fn only_the_steps_of_the_diagram_happen() {
    let arrows = [
        (State::Blocked, Step::Satisfy, State::Runnable),
        (State::Runnable, Step::Enqueue, State::Queued),
        (State::Queued, Step::HandBack, State::Runnable),
        (State::Queued, Step::Start, State::InFlight),
        (State::InFlight, Step::Complete, State::Completed),
        (State::InFlight, Step::Fail, State::Failed),
        (State::InFlight, Step::Abandon, State::Abandoned),
    ];
    for from in STATES {
        for step in STEPS {
            let arrow = arrows.iter().find(|(start, along, _)| (*start, *along) == (from, step));
            assert_eq!(from.after(step), arrow.map(|(_, _, to)| *to), "{from:?} {step:?}");
        }
    }
}

/// Each action waits for what is listed.
fn model(wants: &[&[&str]]) -> Model {
    let mut model = Model::new();
    for (index, wants) in wants.iter().enumerate() {
        let wants: BTreeSet<Event> = wants.iter().map(|name| event(name)).collect();
        model.add(index.to_string().into(), &wants, false);
    }
    model
}

fn receivers(model: &mut Model, events: &[&str]) -> Vec<(String, u32)> {
    let events: Vec<Event> = events.iter().map(|name| event(name)).collect();
    model.signal(&events).iter().map(|signal| (signal.label.to_string(), signal.to.index)).collect()
}

fn states(model: &Model) -> Vec<State> {
    model.nodes().iter().map(|node| node.state).collect()
}

#[test]
fn an_action_without_wants_is_runnable() {
    assert_eq!(states(&model(&[&[], &["a"]])), [State::Runnable, State::Blocked]);
}

#[test]
fn a_signal_reaches_everyone_who_waits() {
    let mut model = model(&[&["a"], &["b"], &["a", "b"]]);
    assert_eq!(receivers(&mut model, &["a"]), [("a".to_owned(), 0), ("a".to_owned(), 2)]);
    assert_eq!(states(&model), [State::Runnable, State::Blocked, State::Blocked]);
    assert_eq!(receivers(&mut model, &["b", "c"]), [("b".to_owned(), 1), ("b".to_owned(), 2)]);
    assert_eq!(states(&model), [State::Runnable; 3]);
}

#[test]
fn a_second_signal_reaches_nobody() {
    let mut model = model(&[&["a"]]);
    assert_eq!(receivers(&mut model, &["a", "a"]).len(), 1);
    assert_eq!(receivers(&mut model, &["a"]), []);
}

#[test]
fn an_action_added_late_counts_what_was_signalled_before() {
    let mut model = model(&[]);
    receivers(&mut model, &["a"]);
    model.add("late".into(), &BTreeSet::from([event("a")]), false);
    model.add("later".into(), &BTreeSet::from([event("a"), event("b")]), false);
    assert_eq!(states(&model), [State::Runnable, State::Blocked]);
    assert_eq!(receivers(&mut model, &["b"]), [("b".to_owned(), 1)]);
}

#[test]
fn a_gate_decides_by_what_is_missing() {
    let mut model = Model::new();
    model.add("any".into(), &BTreeSet::from([event("a"), event("b")]), true);
    let any_came = |_: u32, missing: &BTreeSet<Event>| missing.len() < 2;
    model.open_gates(any_came);
    assert_eq!(states(&model), [State::Blocked]);
    receivers(&mut model, &["b"]);
    model.open_gates(any_came);
    assert_eq!(states(&model), [State::Runnable]);
}

#[test]
fn an_impossible_step_changes_nothing() {
    let mut model = model(&[&[]]);
    assert!(!model.apply(0, Step::Start));
    assert!(model.apply(0, Step::Enqueue) && model.apply(0, Step::Start) && model.apply(0, Step::Fail));
    assert!(!model.apply(0, Step::Complete));
    assert_eq!((states(&model), model.ended()), (vec![State::Failed], &[0][..]));
}

#[test]
fn a_restored_action_is_completed_and_its_events_have_come() {
    let mut model = model(&[&["x"], &["a"]]);
    model.restore(0, &[event("a")]);
    assert_eq!(states(&model), [State::Completed, State::Runnable]);
}
