//! Tables 2.1 to 2.3: waiting, and equality of events.

use std::sync::Arc;

use fatum::systems::graph::action::{Action, ActionType};
use fatum::systems::graph::event::EventList;
use fatum::systems::graph::model::WaitState;
use fatum::systems::graph::{Context, Event, EventAction, Stop};

use super::{event, simulate};

/// Wanted, signalled, what each signal returns, still pending, done in order, can run.
type Row = (&'static [&'static str], &'static [&'static str], &'static [bool], &'static [&'static str], bool);

#[test]
fn waiting_follows_the_table_of_action_base() {
    let rows: [(&str, Row); 4] = [
        ("one event", (&["a"], &["a"], &[true], &[], true)),
        ("ignored", (&["a"], &["b"], &[false], &["a"], false)),
        ("out of order", (&["a", "b"], &["b", "a"], &[true, true], &[], true)),
        ("still pending", (&["a", "b"], &["b", "c"], &[true, false], &["a"], false)),
    ];
    for (name, (wants, signals, returns, pending, can_run)) in rows {
        let mut wait = WaitState::new(wants.iter().map(|text| event(text)));
        let returned: Vec<bool> = signals.iter().map(|text| wait.signal(&event(text))).collect();
        assert_eq!(returned, returns, "{name}");
        assert!(
            wait.pending().iter().eq(pending.iter().map(|text| event(text)).collect::<Vec<_>>().iter()),
            "{name}"
        );
        let accepted: Vec<Event> = signals
            .iter()
            .zip(returns)
            .filter(|(_, accepted)| **accepted)
            .map(|(text, _)| event(text))
            .collect();
        assert_eq!(wait.done(), accepted, "{name}: done keeps the order of the signals");
        assert_eq!(wait.can_run(), can_run, "{name}");
    }
}

#[test]
fn a_repeated_signal_is_ignored() {
    let mut wait = WaitState::new([event("a"), event("b")]);
    assert_eq!([wait.signal(&event("a")), wait.signal(&event("a"))], [true, false]);
    assert_eq!(wait.done(), [event("a")]);
}

#[test]
fn a_want_listed_twice_needs_its_event_once() {
    let mut wait = WaitState::new([event("a"), event("a")]);
    assert!(wait.signal(&event("a")));
    assert!(wait.can_run());
}

#[test]
fn an_event_action_states_its_fact() {
    let action = EventAction::exists("res1:proj1/x");
    let action: &dyn Action<()> = &action;
    assert!(action.wants().is_empty() && action.gate().is_none());
    assert_eq!(action.describe(), "EventAction([Exists(res1:proj1/x)])");
    assert_eq!(action.metadata().kind, ActionType::Meta);
    assert_eq!(action.dry_run(), [Event::exists("res1:proj1/x")]);
    let run = simulate(|| async {
        let context = Context::detached(Arc::new(()), Stop::never());
        EventAction::exists("res1:proj1/x").run(context).await
    });
    assert_eq!(run.value.expect("it cannot fail"), [Event::exists("res1:proj1/x")]);
}

#[test]
fn an_event_action_takes_no_signal() {
    for action in [EventAction::exists("x"), EventAction::not_exists("x")] {
        let action: &dyn Action<()> = &action;
        let mut wait = WaitState::new(action.wants().clone());
        let any = [Event::exists("x"), Event::not_exists("x"), event("x")];
        assert!(any.iter().all(|event| !wait.signal(event)) && wait.can_run() && wait.pending().is_empty());
    }
    let action: &dyn Action<()> = &EventAction::not_exists("x");
    assert_eq!(action.describe(), "EventAction([NotExists(x)])");
    assert_eq!(action.dry_run(), [Event::not_exists("x")]);
}

#[test]
fn event_lists_are_equal_whatever_their_order() {
    let list = |names: &[&str]| EventList::from(names.iter().map(|name| event(name)));
    let rows: [(&[&str], &[&str], bool); 9] = [
        (&[], &[], true),
        (&[], &["a"], false),
        (&["a"], &["a"], true),
        (&["a"], &["b"], false),
        (&["a", "b"], &["a", "b"], true),
        (&["a", "b"], &["a", "c"], false),
        (&["a", "b"], &["b", "a"], true),
        (&["a", "b"], &["b", "c"], false),
        (&["a", "b"], &["a", "b", "c"], false),
    ];
    for (one, other, equal) in rows {
        assert_eq!(list(one) == list(other), equal, "{one:?} {other:?}");
        assert_eq!(list(other) == list(one), equal, "{other:?} {one:?}");
    }
    assert!(list(&["a", "b"]) != list(&["a", "a"]) && list(&["a", "a"]) != list(&["a", "b"]));
}

#[test]
fn each_event_equals_only_itself() {
    let events = [
        Event::drop_ref("1", "2"),
        Event::drop_ref("2", "1"),
        Event::exists("1"),
        Event::exists("2"),
        Event::not_exists("1"),
        Event::not_exists("2"),
        event("a"),
        event("b"),
    ];
    for (i, one) in events.iter().enumerate() {
        for (j, other) in events.iter().enumerate() {
            assert_eq!(one == other, i == j, "{one} {other}");
            assert_eq!(one.to_string() == other.to_string(), i == j, "{one} {other}");
        }
    }
}

#[test]
fn events_read_as_the_reference_writes_them() {
    assert_eq!(Event::exists("x").to_string(), "Exists(x)");
    assert_eq!(Event::not_exists("x").to_string(), "NotExists(x)");
    assert_eq!(Event::drop_ref("x", "y").to_string(), "DropRef(x => y)");
    assert_eq!(event("anything").to_string(), "anything");
}

#[test]
fn texts_that_could_be_misread_are_quoted() {
    let confusing = [
        Event::exists("x"),
        event("Exists(x)"),
        event("\"Exists(x)\""),
        Event::not_exists("x"),
        event("NotExists(x)"),
        Event::drop_ref("a => b", "c"),
        Event::drop_ref("a", "b => c"),
        event("DropRef(a => b)"),
        Event::drop_ref("a", "b"),
    ];
    for (i, one) in confusing.iter().enumerate() {
        for (j, other) in confusing.iter().enumerate() {
            assert_eq!(one.to_string() == other.to_string(), i == j, "{one} {other}");
        }
    }
}
