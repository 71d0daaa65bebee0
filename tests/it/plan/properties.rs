//! The properties: each is broken by a sequence of events that a person wrote, and holds for one that is good.

use super::*;
use fatum::systems::plan::PlanEvent as Event;
use fatum::systems::plan::Timestamp;
use fatum::systems::plan::properties::{NAMES, PlanProperties};
use fatum::systems::plan::record::StoredState;
use std::collections::BTreeSet;

fn name() -> Arc<str> {
    Arc::from("db")
}

fn started(spec: &Plan, input: &PlanStatus) -> Event {
    Event::PassStarted {
        instance: name(),
        spec: Some(Arc::new(spec.clone())),
        input: Arc::new(input.clone()),
    }
}

fn task(place: &str) -> Event {
    Event::TaskStarted { instance: name(), place: parts(place) }
}

fn parts(place: &str) -> Arc<[String; 3]> {
    let parts: Vec<String> = place.split('.').map(str::to_owned).collect();
    Arc::new(parts.try_into().unwrap())
}

fn says(place: &str, answer: &'static str) -> Event {
    Event::TaskAnswered { instance: name(), place: parts(place), answer, cause: String::new() }
}

fn finished(output: &PlanStatus, error: Option<&str>) -> Event {
    let error = error.map(str::to_owned);
    Event::PassFinished { instance: name(), output: Arc::new(output.clone()), error, input_kept: true }
}

fn stored(change: impl FnOnce(&mut StoredState), plans: &[PlanStatus]) -> Event {
    let mut state = StoredState { plans: plans.to_vec(), by_controller: true, ..StoredState::default() };
    change(&mut state);
    Event::Stored { instance: name(), state: Some(Arc::new(state)) }
}

fn judge(events: &[Event]) -> Result<(), &'static str> {
    let mut fold = PlanProperties::new();
    events.iter().try_for_each(|event| fold.observe(event)).map_err(|violation| violation.property)
}

/// Two phases: `a` with steps `one` (tasks x, y) and `two` (x); `b` with `three` (x).
fn spec(outer: Strategy, inner: Strategy) -> Plan {
    let a = phase("a", inner, &[("one", &["x", "y"]), ("two", &["x"])]);
    plan(outer, vec![a, phase("b", inner, &[("three", &["x"])])])
}

fn serial() -> Plan {
    spec(Strategy::Serial, Strategy::Serial)
}

/// The statuses of plan, phases a and b, and steps one, two, three; execution `1`, updated at 1.
fn at(statuses: [ExecutionStatus; 6]) -> PlanStatus {
    let [p, a, b, one, two, three] = statuses;
    let tree = tree(p, &[("a", a, &[("one", one), ("two", two)]), ("b", b, &[("three", three)])]);
    PlanStatus { uid: "1".to_owned(), last_updated: Some(Timestamp(1)), ..tree }
}

fn fresh() -> PlanStatus {
    at([Pending; 6])
}

/// The first pass did `one`, and began.
fn begun() -> PlanStatus {
    let status = at([InProgress, InProgress, Pending, Complete, InProgress, Pending]);
    PlanStatus { last_updated: Some(Timestamp(2)), ..status }
}

const X: [&str; 3] = ["a.one.x", "a.one.y", "a.two.x"];

/// A pass in which these tasks answer so.
fn pass(
    spec: &Plan,
    input: &PlanStatus,
    tasks: &[(&str, &'static str)],
    output: &PlanStatus,
    error: Option<&str>,
) -> Vec<Event> {
    let mut events = vec![started(spec, input)];
    for (place, answer) in tasks {
        events.extend([task(place), says(place, answer)]);
    }
    events.push(finished(output, error));
    events
}

fn good_pass() -> Vec<Event> {
    pass(&serial(), &fresh(), &[(X[0], "done"), (X[1], "done"), (X[2], "not done")], &begun(), None)
}

fn with_message(mut status: PlanStatus, step: (&str, &str), message: &str) -> PlanStatus {
    status.phase_mut(step.0).and_then(|phase| phase.step_mut(step.1)).unwrap().message = message.to_owned();
    status
}

/// The statuses after `a.one.y` was fatal.
fn fatal_tree() -> PlanStatus {
    let status = at([FatalError, FatalError, Pending, FatalError, Pending, Pending]);
    with_message(PlanStatus { last_updated: Some(Timestamp(2)), ..status }, ("a", "one"), "why")
}

#[test]
fn good_sequences_break_nothing() {
    let fatal =
        pass(&serial(), &fresh(), &[(X[0], "done"), (X[1], "fatal error")], &fatal_tree(), Some("why"));
    let all = at([Complete; 6]);
    let all = PlanStatus { last_updated: Some(Timestamp(3)), ..all };
    let last = pass(&serial(), &begun(), &[(X[2], "done"), ("b.three.x", "done")], &all, None);
    let told = |status: ExecutionStatus| Event::PlanFinished {
        instance: name(),
        plan: "test".to_owned(),
        uid: "1".to_owned(),
        status,
    };
    let life: Vec<Event> = [
        vec![stored(|_| {}, &[PlanStatus { uid: "0".to_owned(), ..at([NeverRun; 6]) }]), begins("1")],
        good_pass(),
        vec![stored(|_| {}, &[begun()])],
        last,
        vec![stored(|_| {}, std::slice::from_ref(&all)), told(Complete)],
    ]
    .concat();
    let over = pass(&serial(), &all, &[], &all, None);
    for events in [good_pass(), fatal, life, over] {
        assert_eq!(judge(&events), Ok(()), "{events:#?}");
    }
}

fn begins(uid: &str) -> Event {
    Event::PlanStarted { instance: name(), plan: "test".to_owned(), uid: uid.to_owned() }
}

/// Sequences within one pass, and the property that each breaks.
fn bad_passes() -> Vec<(&'static str, Vec<Event>)> {
    let parallel = spec(Strategy::Parallel, Strategy::Parallel);
    let mut changed_input = good_pass();
    let Some(Event::PassFinished { input_kept, .. }) = changed_input.last_mut() else { unreachable!() };
    *input_kept = false;
    let over = at([Complete; 6]);
    let later = |status: PlanStatus, at: u64| PlanStatus { last_updated: Some(Timestamp(at)), ..status };
    let two_done = [(X[0], "done"), (X[1], "done")];
    let first = &two_done[..];
    let fatal_answers = [(X[0], "done"), (X[1], "fatal error")];
    vec![
        ("input-kept", changed_input),
        ("terminal-untouched", vec![started(&serial(), &over), task(X[0])]),
        ("terminal-untouched", pass(&serial(), &over, &[], &later(over.clone(), 9), None)),
        ("spec-order", vec![started(&serial(), &fresh()), task(X[1]), task(X[0])]),
        ("spec-order", vec![started(&serial(), &begun()), task(X[0])]),
        (
            "serial",
            pass(
                &serial(),
                &fresh(),
                &[(X[0], "not done"), (X[1], "not done"), (X[2], "not done")],
                &later(at([InProgress, InProgress, Pending, InProgress, InProgress, Pending]), 2),
                None,
            ),
        ),
        (
            "parallel",
            pass(
                &parallel,
                &fresh(),
                first,
                &later(at([InProgress, InProgress, Pending, Complete, Pending, Pending]), 2),
                None,
            ),
        ),
        (
            "fatal-stops",
            vec![started(&serial(), &fresh()), task(X[0]), says(X[0], "fatal error"), task(X[1])],
        ),
        (
            "fatal-never-again",
            vec![
                started(&serial(), &at([InProgress, InProgress, Pending, FatalError, Pending, Pending])),
                task(X[0]),
            ],
        ),
        (
            "fatal-shape",
            pass(
                &serial(),
                &fresh(),
                &fatal_answers,
                &with_message(fatal_tree(), ("a", "one"), ""),
                Some("why"),
            ),
        ),
        (
            "fatal-shape",
            pass(
                &serial(),
                &fresh(),
                &fatal_answers,
                &PlanStatus { message: "why".to_owned(), ..fatal_tree() },
                Some("why"),
            ),
        ),
        (
            "fatal-shape",
            pass(
                &serial(),
                &fresh(),
                &fatal_answers,
                &later(
                    with_message(
                        at([FatalError, FatalError, Pending, FatalError, InProgress, Pending]),
                        ("a", "one"),
                        "why",
                    ),
                    2,
                ),
                Some("why"),
            ),
        ),
        ("error-iff-fatal", pass(&serial(), &fresh(), &[], &begun(), Some("why"))),
        ("error-iff-fatal", pass(&serial(), &fresh(), &fatal_answers, &fatal_tree(), None)),
        (
            "honest-steps",
            pass(&serial(), &fresh(), &[(X[0], "done"), (X[1], "transient error")], &begun(), None),
        ),
        (
            "honest-steps",
            pass(
                &serial(),
                &fresh(),
                first,
                &later(at([InProgress, InProgress, Pending, InProgress, Pending, Pending]), 2),
                None,
            ),
        ),
        (
            "complete-iff-children",
            pass(
                &serial(),
                &fresh(),
                first,
                &later(at([InProgress, Complete, Pending, Complete, Pending, Pending]), 2),
                None,
            ),
        ),
        (
            "complete-iff-children",
            pass(
                &serial(),
                &begun(),
                &[(X[2], "done")],
                &later(at([Complete, Complete, Pending, Complete, Complete, Pending]), 3),
                None,
            ),
        ),
        (
            "messages",
            pass(
                &serial(),
                &fresh(),
                &[(X[0], "transient error"), (X[1], "done")],
                &later(at([InProgress, InProgress, Pending, Error, Pending, Pending]), 2),
                None,
            ),
        ),
        (
            "messages",
            pass(
                &serial(),
                &fresh(),
                &[(X[0], "transient error"), (X[1], "done")],
                &later(at([InProgress, Error, Pending, InProgress, Pending, Pending]), 2),
                None,
            ),
        ),
        ("messages", pass(&serial(), &fresh(), first, &with_message(begun(), ("a", "one"), "why"), None)),
        ("outcome", pass(&serial(), &fresh(), &[], &fresh(), None)),
        (
            "no-regress",
            pass(
                &serial(),
                &begun(),
                &[],
                &at_two([InProgress, InProgress, Pending, Pending, InProgress, Pending]),
                None,
            ),
        ),
        (
            "bounded-passes",
            pass(
                &serial(),
                &fresh(),
                &[(X[0], "done")],
                &later(at([InProgress, InProgress, Pending, InProgress, Pending, Pending]), 2),
                None,
            ),
        ),
        ("timestamps", pass(&serial(), &fresh(), first, &later(begun(), 0), None)),
        ("timestamps", pass(&serial(), &begun(), &[], &later(begun(), 9), None)),
        (
            "permanent-is-fatal",
            vec![
                started(&serial(), &fresh()),
                task(X[0]),
                Event::PermanentFailure { instance: name(), object: "Job".to_owned() },
                says(X[0], "not done"),
            ],
        ),
    ]
}

fn at_two(statuses: [ExecutionStatus; 6]) -> PlanStatus {
    PlanStatus { last_updated: Some(Timestamp(2)), ..at(statuses) }
}

fn begun_empty() -> PlanStatus {
    PlanStatus { status: InProgress, phases: Vec::new(), ..begun() }
}

/// Sequences across passes and writes, and the property that each breaks.
fn bad_lives() -> Vec<(&'static str, Vec<Event>)> {
    let other = |status: ExecutionStatus| PlanStatus {
        name: "other".to_owned(),
        ..PlanStatus { status, ..begun_empty() }
    };
    let cleanup = |status: ExecutionStatus, uid: &str| PlanStatus {
        name: "cleanup".to_owned(),
        uid: uid.to_owned(),
        status,
        ..fresh()
    };
    let held = |state: &mut StoredState| {
        (state.has_finalizer, state.has_cleanup, state.deleting) = (true, true, true)
    };
    let ended = |uid: &str, status: ExecutionStatus| Event::PlanFinished {
        instance: name(),
        plan: "test".to_owned(),
        uid: uid.to_owned(),
        status,
    };
    let again = PlanStatus { uid: "2".to_owned(), ..begun() };
    let over = at_two([Complete; 6]);
    let mut same = good_pass();
    same.extend(good_pass());
    let Some(Event::PassFinished { output, .. }) = same.last_mut() else { unreachable!() };
    *output = Arc::new(at_two([InProgress, InProgress, InProgress, Complete, InProgress, Pending]));
    vec![
        (
            "fatal-never-again",
            vec![
                stored(|_| {}, &[fatal_tree()]),
                stored(|state| state.by_controller = false, &[fresh()]),
                started(&serial(), &fresh()),
                task(X[0]),
            ],
        ),
        ("no-regress", vec![stored(|_| {}, &[begun()]), stored(|_| {}, &[fresh()])]),
        (
            "no-regress",
            vec![
                stored(|_| {}, &[fatal_tree()]),
                stored(
                    |_| {},
                    &[with_message(
                        at_two([InProgress, FatalError, Pending, FatalError, Pending, Pending]),
                        ("a", "one"),
                        "why",
                    )],
                ),
            ],
        ),
        ("progress", vec![stored(|_| {}, &[begun()]), stored(|_| {}, &[twice_then_once()])]),
        ("fresh-start", vec![stored(|_| {}, &[over.clone()]), started(&serial(), &again)]),
        (
            "fresh-start",
            vec![
                stored(|_| {}, &[begun(), other(InProgress)]),
                stored(|_| {}, &[over.clone(), other(Complete)]),
            ],
        ),
        (
            "one-plan",
            vec![
                stored(|state| state.scheduled = "other".to_owned(), &[fresh()]),
                started(&serial(), &fresh()),
            ],
        ),
        (
            "finalizer",
            vec![
                stored(held, &[cleanup(FatalError, "1")]),
                stored(|state| state.has_cleanup = true, &[cleanup(FatalError, "1")]),
            ],
        ),
        (
            "finalizer",
            vec![stored(held, &[cleanup(InProgress, "1")]), Event::Stored { instance: name(), state: None }],
        ),
        (
            "finalizer",
            vec![stored(held, &[cleanup(FatalError, "1")]), started(&serial(), &cleanup(Pending, "2"))],
        ),
        ("no-re-execution", vec![stored(|_| {}, &[over.clone()]), started(&serial(), &fresh())]),
        ("plan-events", vec![ended("1", Complete)]),
        ("plan-events", vec![begins("1"), begins("1")]),
        ("plan-events", vec![begins("1"), stored(|_| {}, &[begun()]), ended("1", Complete)]),
        (
            "plan-events",
            vec![stored(|_| {}, &[over]), begins("1"), ended("1", Complete), ended("1", Complete)],
        ),
        (
            "no-stall",
            vec![Event::Reconciled { instance: name(), scheduled: "test".to_owned(), again_ns: None }],
        ),
        ("determinism", same),
        ("rerun-safe", vec![stored(|_| {}, &[fresh()]), started(&serial(), &begun())]),
    ]
}

/// A step of the name of one that was complete is, as the first of two of its name hides the second.
fn twice_then_once() -> PlanStatus {
    let mut status = begun();
    status.phases[0].steps[0].status = Complete;
    let hidden = status.phases[0].steps.remove(0);
    status.phases[0].steps.clear();
    status.phases.truncate(2);
    drop(hidden);
    status
}

#[test]
fn bad_sequences_break_their_property() {
    let mut shown = BTreeSet::new();
    for (property, events) in bad_passes().into_iter().chain(bad_lives()) {
        assert_eq!(judge(&events), Err(property), "{events:#?}");
        shown.insert(property);
    }
    let all: BTreeSet<&str> = NAMES.into_iter().collect();
    assert_eq!(shown, all, "each has a sequence that breaks it");
}

#[test]
fn a_crash_forgives_what_it_makes_be_told_twice_and_no_more() {
    let mut fold = PlanProperties::new();
    assert!(fold.observe(&begins("1")).is_ok());
    fold.crash();
    assert!(fold.observe(&begins("1")).is_ok());
    let stall = Event::Reconciled { instance: name(), scheduled: "test".to_owned(), again_ns: None };
    assert!(fold.observe(&stall).is_err());
}
