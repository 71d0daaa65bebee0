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
    let mut state = StoredState {
        plans: plans.iter().cloned().map(Arc::new).collect(),
        by_controller: true,
        ..StoredState::default()
    };
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
    let life: Vec<Event> = [
        vec![stored(|_| {}, &[PlanStatus { uid: "0".to_owned(), ..at([NeverRun; 6]) }]), begins("1")],
        good_pass(),
        vec![stored(|_| {}, &[begun()])],
        last,
        vec![stored(|_| {}, std::slice::from_ref(&all)), told_end(Complete)],
    ]
    .concat();
    let over = pass(&serial(), &all, &[], &all, None);
    // A person takes the end back after it was stored and before it is told.
    let by_user = stored(|state| state.by_controller = false, &[begun()]);
    let ends = || stored(|_| {}, std::slice::from_ref(&all));
    let taken_back = vec![begins("1"), ends(), by_user, told_end(Complete), ends(), told_end(Complete)];
    for events in [good_pass(), fatal, life, over, taken_back] {
        assert_eq!(judge(&events), Ok(()), "{events:#?}");
    }
}

fn begins(uid: &str) -> Event {
    Event::PlanStarted { instance: name(), plan: "test".to_owned(), uid: uid.to_owned() }
}

type Bad = Vec<(&'static str, Vec<Event>)>;

fn later(status: PlanStatus, at: u64) -> PlanStatus {
    PlanStatus { last_updated: Some(Timestamp(at)), ..status }
}

const FIRST: [(&str, &str); 2] = [(X[0], "done"), (X[1], "done")];
const FATAL: [(&str, &str); 2] = [(X[0], "done"), (X[1], "fatal error")];

/// A first pass of the serial plan.
fn first(tasks: &[(&str, &'static str)], output: &PlanStatus, error: Option<&str>) -> Vec<Event> {
    pass(&serial(), &fresh(), tasks, output, error)
}

/// As the pass goes on.
fn bad_tasks() -> Bad {
    let mut changed_input = good_pass();
    let Some(Event::PassFinished { input_kept, .. }) = changed_input.last_mut() else { unreachable!() };
    *input_kept = false;
    let over = at([Complete; 6]);
    let fatal = at([InProgress, InProgress, Pending, FatalError, Pending, Pending]);
    let begins = || started(&serial(), &fresh());
    let job = || Event::PermanentFailure { instance: name(), object: "Job".to_owned() };
    vec![
        ("input-kept", changed_input),
        ("terminal-untouched", vec![started(&serial(), &over), task(X[0])]),
        ("terminal-untouched", pass(&serial(), &over, &[], &later(over.clone(), 9), None)),
        ("spec-order", vec![begins(), task(X[1]), task(X[0])]),
        ("spec-order", vec![started(&serial(), &begun()), task(X[0])]),
        ("fatal-stops", vec![begins(), task(X[0]), says(X[0], "fatal error"), task(X[1])]),
        ("fatal-never-again", vec![started(&serial(), &fatal), task(X[0])]),
        ("permanent-is-fatal", vec![begins(), task(X[0]), job(), says(X[0], "not done")]),
    ]
}

/// What the pass comes to.
fn bad_ends() -> Bad {
    let parallel = spec(Strategy::Parallel, Strategy::Parallel);
    let one_only = at_two([InProgress, InProgress, Pending, Complete, Pending, Pending]);
    let none = at_two([InProgress, InProgress, Pending, InProgress, Pending, Pending]);
    let two_too = at_two([InProgress, InProgress, Pending, InProgress, InProgress, Pending]);
    let early = at_two([InProgress, Complete, Pending, Complete, Pending, Pending]);
    let early_plan = later(at([Complete, Complete, Pending, Complete, Complete, Pending]), 3);
    let lost = at_two([InProgress, InProgress, Pending, Pending, InProgress, Pending]);
    let silent = at_two([InProgress, InProgress, Pending, Error, Pending, Pending]);
    let on_phase = at_two([InProgress, Error, Pending, InProgress, Pending, Pending]);
    let touched = at_two([FatalError, FatalError, Pending, FatalError, InProgress, Pending]);
    let quiet = with_message(fatal_tree(), ("a", "one"), "");
    let loud = PlanStatus { message: "why".to_owned(), ..fatal_tree() };
    let not_done = [(X[0], "not done"), (X[1], "not done"), (X[2], "not done")];
    let one_fails = [(X[0], "transient error"), (X[1], "done")];
    let why = Some("why");
    vec![
        ("serial", first(&not_done, &two_too, None)),
        ("parallel", pass(&parallel, &fresh(), &FIRST, &one_only, None)),
        // Both steps of the first phase are tried, and the second phase of the parallel plan is not.
        ("parallel", pass(&parallel, &fresh(), &not_done, &two_too, None)),
        ("parallel", first(&[], &two_too, None)),
        ("fatal-shape", first(&FATAL, &quiet, why)),
        ("fatal-shape", first(&FATAL, &loud, why)),
        ("fatal-shape", first(&FATAL, &with_message(touched, ("a", "one"), "why"), why)),
        ("error-iff-fatal", first(&[], &begun(), why)),
        ("error-iff-fatal", first(&FATAL, &fatal_tree(), None)),
        ("honest-steps", first(&[(X[0], "done"), (X[1], "transient error")], &begun(), None)),
        ("honest-steps", first(&FIRST, &none, None)),
        ("complete-iff-children", first(&FIRST, &early, None)),
        ("complete-iff-children", pass(&serial(), &begun(), &[(X[2], "done")], &early_plan, None)),
        ("messages", first(&one_fails, &silent, None)),
        ("messages", first(&one_fails, &with_message(silent.clone(), ("a", "one"), "x failed"), None)),
        ("messages", first(&one_fails, &on_phase, None)),
        ("messages", first(&FIRST, &with_message(begun(), ("a", "one"), "why"), None)),
        ("outcome", first(&[], &fresh(), None)),
        ("no-regress", pass(&serial(), &begun(), &[], &lost, None)),
        ("bounded-passes", first(&[(X[0], "done")], &none, None)),
        ("timestamps", first(&FIRST, &later(begun(), 0), None)),
        ("timestamps", pass(&serial(), &begun(), &[], &later(begun(), 9), None)),
    ]
}

fn at_two(statuses: [ExecutionStatus; 6]) -> PlanStatus {
    later(at(statuses), 2)
}

fn held(state: &mut StoredState) {
    (state.has_finalizer, state.has_cleanup, state.deleting) = (true, true, true);
}

fn told_end(status: ExecutionStatus) -> Event {
    Event::PlanFinished { instance: name(), plan: "test".to_owned(), uid: "1".to_owned(), status }
}

/// Across passes and writes.
fn bad_lives() -> Bad {
    let other = |status: ExecutionStatus| {
        later(PlanStatus { name: "other".to_owned(), status, ..PlanStatus::default() }, status as u64)
    };
    let cleanup = |status: ExecutionStatus, uid: &str| PlanStatus {
        name: "cleanup".to_owned(),
        uid: uid.to_owned(),
        status,
        ..fresh()
    };
    let over = at_two([Complete; 6]);
    let unwedged = at_two([InProgress, FatalError, Pending, FatalError, Pending, Pending]);
    let unwedged = with_message(unwedged, ("a", "one"), "why");
    let has = |plan: &PlanStatus| stored(|_| {}, std::slice::from_ref(plan));
    let begin = |status: &PlanStatus| started(&serial(), status);
    let swapped = at_two([InProgress, InProgress, Pending, InProgress, Complete, Pending]);
    let timeless = PlanStatus { last_updated: None, ..begun() };
    let failed_before = vec![has(&fatal_tree()), stored(|_| {}, &[]), begin(&fresh()), task(X[0])];
    let by_user = stored(|state| state.by_controller = false, &[fresh()]);
    let holds = |status| stored(held, &[cleanup(status, "1")]);
    let released = stored(|state| state.has_cleanup = true, &[cleanup(FatalError, "1")]);
    let others = stored(|state| state.scheduled = "other".to_owned(), &[fresh()]);
    let mut same = good_pass();
    same.extend(good_pass());
    let Some(Event::PassFinished { output, .. }) = same.last_mut() else { unreachable!() };
    *output = Arc::new(at_two([InProgress, InProgress, InProgress, Complete, InProgress, Pending]));
    let two = |first: &PlanStatus, second: ExecutionStatus| stored(|_| {}, &[first.clone(), other(second)]);
    let stall = Event::Reconciled { instance: name(), scheduled: "test".to_owned(), again_ns: None };
    vec![
        ("fatal-never-again", vec![has(&fatal_tree()), by_user, begin(&fresh()), task(X[0])]),
        ("no-regress", vec![has(&begun()), has(&swapped)]),
        ("no-regress", vec![has(&fatal_tree()), has(&unwedged)]),
        (
            "progress",
            vec![
                has(&begun()),
                has(&at_two([InProgress, InProgress, Pending, InProgress, Pending, Pending])),
            ],
        ),
        ("timestamps", vec![has(&begun()), has(&later(begun(), 1))]),
        ("timestamps", vec![has(&begun()), has(&later(begun(), 9))]),
        ("timestamps", vec![has(&fresh()), has(&timeless)]),
        ("fresh-start", vec![has(&over), begin(&PlanStatus { uid: "2".to_owned(), ..begun() })]),
        ("fresh-start", vec![two(&begun(), InProgress), two(&over, Complete)]),
        ("one-plan", vec![others, begin(&fresh())]),
        ("finalizer", vec![holds(FatalError), released]),
        ("finalizer", vec![holds(InProgress), Event::Stored { instance: name(), state: None }]),
        ("finalizer", vec![holds(FatalError), begin(&cleanup(Pending, "2"))]),
        ("no-re-execution", vec![has(&over), begin(&fresh())]),
        ("no-re-execution", failed_before),
        ("plan-events", vec![told_end(Complete)]),
        ("plan-events", vec![begins("1"), begins("1")]),
        ("plan-events", vec![begins("1"), has(&begun()), told_end(Complete)]),
        ("plan-events", vec![has(&over), begins("1"), told_end(Complete), told_end(Complete)]),
        ("no-stall", vec![stall]),
        ("determinism", same),
        ("rerun-safe", vec![has(&fresh()), begin(&begun())]),
    ]
}

#[test]
fn bad_sequences_break_their_property() {
    let mut shown = BTreeSet::new();
    for (property, events) in [bad_tasks(), bad_ends(), bad_lives()].concat() {
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
