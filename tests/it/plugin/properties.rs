//! Each property: a sequence of events that breaks it, written by hand, and one that breaks none.

use fatum::systems::plugin::Generation;
use fatum::systems::plugin::model::{CorePhase, EventPhase, NodePhase, PhaseVersion, WorkflowPhase};
use fatum::systems::plugin::properties::{NAMES, PluginProperties, Settings};
use fatum::systems::plugin::record::{
    Answered, Attempt, Call, Made, NodeView, PluginEvent as E, Returned, RoundOutcome, View,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

const SECOND: u64 = 1_000_000_000;
static SHOWN: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());

fn w() -> Arc<str> {
    Arc::from("w")
}

fn attempt(node: &str, number: u32) -> Attempt {
    let name = Arc::from(format!("w-{node}-{number}"));
    Attempt { name, workflow: w(), node: Arc::from(node), number }
}

fn node(phase: NodePhase, attempts: u32, task: Option<CorePhase>) -> NodeView {
    NodeView {
        phase,
        attempts,
        task: task.map(|phase| (phase, PhaseVersion(0))),
        attempts_max: 2,
        ..NodeView::default()
    }
}

fn view(version: u64, phase: WorkflowPhase, nodes: &[(&str, NodeView)]) -> View {
    View {
        by_engine: version > 1,
        version,
        digest: version,
        phase,
        failed_attempts: 0,
        held: version > 1 && !phase.is_terminal(),
        deleting: false,
        nodes: nodes.iter().map(|(name, node)| (Arc::from(*name), node.clone())).collect::<BTreeMap<_, _>>(),
    }
}

fn stored(view: View) -> E {
    E::Stored { workflow: w(), view: Arc::new(view) }
}

fn begin(version: u64) -> E {
    E::RoundStarted { workflow: w(), version, digest: version, now_ns: version * SECOND }
}

fn end(outcome: RoundOutcome) -> E {
    E::RoundEnded { workflow: w(), outcome }
}

fn called(node: &str, number: u32, call: Call) -> E {
    E::Called { attempt: attempt(node, number), call, state: 0, requires_finalizer: true }
}

fn said(node: &str, number: u32, call: Call, phase: CorePhase) -> E {
    let result = Returned::Phase(phase, PhaseVersion(0));
    E::Returned { attempt: attempt(node, number), call, result }
}

fn killed(node: &str, number: u32) -> E {
    E::Returned { attempt: attempt(node, number), call: Call::Kill, result: Returned::Done }
}

fn told(node: &str, number: u32, phase: EventPhase) -> E {
    let (version, answer) = (PhaseVersion(0), Answered::Accepted);
    E::TaskRecorded { attempt: attempt(node, number), phase, version, answer }
}

fn told_node(node: &str, phase: EventPhase) -> E {
    E::NodeRecorded { workflow: w(), node: Arc::from(node), phase, answer: Answered::Accepted }
}

fn made(name: &str) -> E {
    E::Made { what: Made::Object, name: Arc::from(name), workflow: w() }
}

fn freed(name: &str) -> E {
    E::Freed { what: Made::Object, name: Arc::from(name), workflow: w() }
}

fn changed() -> E {
    end(RoundOutcome::Changed)
}

/// A workflow with the nodes `a` and, after it, `b`, until `a` runs; `a` is as given.
fn until_running(a: impl Fn(NodeView) -> NodeView) -> Vec<E> {
    let nodes = |phase, task| {
        let b = NodeView { upstream: vec![Arc::from("a")], ..node(NodePhase::NotYetStarted, 0, None) };
        [("a", a(node(phase, 0, task))), ("b", b)]
    };
    let (waits, queued) = (nodes(NodePhase::NotYetStarted, None), nodes(NodePhase::Queued, None));
    let running = nodes(NodePhase::Running, Some(CorePhase::Queued));
    vec![
        stored(view(1, WorkflowPhase::Ready, &waits)),
        begin(1),
        changed(),
        stored(view(2, WorkflowPhase::Running, &waits)),
        begin(2),
        told_node("a", EventPhase::Queued),
        changed(),
        stored(view(3, WorkflowPhase::Running, &queued)),
        begin(3),
        called("a", 0, Call::Start),
        made("w-a-0"),
        told("a", 0, EventPhase::Queued),
        said("a", 0, Call::Start, CorePhase::Queued),
        told_node("a", EventPhase::Running),
        changed(),
        stored(view(4, WorkflowPhase::Running, &running)),
    ]
}

fn running() -> Vec<E> {
    until_running(|node| node)
}

/// `b`, which waits for `a`, in this phase.
fn b(phase: NodePhase) -> NodeView {
    NodeView { upstream: vec![Arc::from("a")], ..node(phase, 0, None) }
}

/// The store at a version, with `a` so and `b` not started.
fn at(version: u64, a: NodeView) -> View {
    view(version, WorkflowPhase::Running, &[("a", a), ("b", b(NodePhase::NotYetStarted))])
}

/// `a` succeeds in the round over version 4.
fn succeeds() -> Vec<E> {
    vec![
        begin(4),
        called("a", 0, Call::Check),
        freed("w-a-0"),
        told("a", 0, EventPhase::Succeeded),
        said("a", 0, Call::Check, CorePhase::Success),
        told_node("a", EventPhase::Succeeded),
        changed(),
        stored(at(5, node(NodePhase::Succeeded, 0, Some(CorePhase::Success)))),
    ]
}

/// `a` fails in the round over version 4, and is to be tried again.
fn retries() -> Vec<E> {
    vec![
        begin(4),
        called("a", 0, Call::Check),
        told("a", 0, EventPhase::Failed),
        said("a", 0, Call::Check, CorePhase::RetryableFailure),
        changed(),
        stored(at(5, node(NodePhase::RetryableFailure, 1, None))),
    ]
}

fn deleting(version: u64) -> E {
    let a = node(NodePhase::Running, 0, Some(CorePhase::Queued));
    stored(View { deleting: true, by_engine: false, held: true, ..at(version, a) })
}

fn judge(settings: Settings, events: &[E]) -> Result<(), String> {
    let mut properties = PluginProperties::new(settings);
    for (nth, event) in events.iter().enumerate() {
        let at = nth as u64 * SECOND;
        properties.observe(at, event).map_err(|violation| violation.property.to_owned())?;
    }
    Ok(())
}

#[track_caller]
fn breaks(property: &'static str, events: Vec<E>) {
    SHOWN.lock().unwrap().insert(property);
    assert_eq!(judge(Settings::default(), &events), Err(property.to_owned()));
    let but_last = &events[..events.len() - 1];
    assert_eq!(judge(Settings::default(), but_last), Ok(()), "{property}: all but the last is well");
}

fn then(mut events: Vec<E>, more: Vec<E>) -> Vec<E> {
    events.extend(more);
    events
}

#[test]
fn a_workflow_that_does_as_it_should_breaks_nothing() {
    assert_eq!(judge(Settings::default(), &then(running(), succeeds())), Ok(()));
    let again = vec![
        freed("w-a-0"),
        begin(5),
        called("a", 1, Call::Start),
        made("w-a-1"),
        told("a", 1, EventPhase::Queued),
        said("a", 1, Call::Start, CorePhase::Queued),
        changed(),
        stored(at(6, node(NodePhase::Running, 1, Some(CorePhase::Queued)))),
    ];
    assert_eq!(judge(Settings::default(), &then(then(running(), retries()), again)), Ok(()));
    let aborted = vec![
        deleting(5),
        begin(5),
        called("a", 0, Call::Kill),
        freed("w-a-0"),
        killed("a", 0),
        changed(),
        E::Gone { workflow: w() },
    ];
    assert_eq!(judge(Settings::default(), &then(running(), aborted)), Ok(()));
}

#[test]
fn calls_of_attempts() {
    breaks(
        "terminal-is-final",
        then(then(running(), succeeds()), vec![begin(5), called("a", 0, Call::Check)]),
    );
    let changes = node(NodePhase::Running, 0, Some(CorePhase::Running));
    breaks(
        "terminal-is-final",
        then(then(running(), succeeds()), vec![begin(5), changed(), stored(at(6, changes))]),
    );
    breaks("kill-only-aborting", then(running(), vec![begin(4), called("a", 0, Call::Kill)]));
    let twice =
        vec![deleting(5), begin(5), called("a", 0, Call::Kill), killed("a", 0), called("a", 0, Call::Kill)];
    breaks("kill-only-aborting", then(running(), twice));
    breaks("kill-only-aborting", then(running(), vec![deleting(5), begin(5), called("b", 0, Call::Kill)]));
    let queued = running()[..8].to_vec();
    breaks("check-after-start", then(queued, vec![begin(3), called("a", 0, Call::Check)]));
    let other = E::Called { attempt: attempt("a", 0), call: Call::Check, state: 7, requires_finalizer: true };
    breaks("custom-state-kept", then(running(), vec![begin(4), other]));
}

#[test]
fn phases_of_attempts() {
    let back = vec![
        begin(4),
        called("a", 0, Call::Check),
        told("a", 0, EventPhase::Running),
        said("a", 0, Call::Check, CorePhase::Running),
        changed(),
        stored(at(5, node(NodePhase::Running, 0, Some(CorePhase::Running)))),
        begin(5),
        changed(),
        stored(at(6, node(NodePhase::Running, 0, Some(CorePhase::Queued)))),
    ];
    breaks("phase-monotone", then(running(), back));
    let versioned = |version| NodeView {
        task: Some((CorePhase::Queued, PhaseVersion(version))),
        ..node(NodePhase::Running, 0, None)
    };
    let lower = vec![
        begin(4),
        changed(),
        stored(at(5, versioned(3))),
        begin(5),
        changed(),
        stored(at(6, versioned(2))),
    ];
    breaks("phase-monotone", then(running(), lower));
}

#[test]
fn names_and_what_is_made_for_them() {
    let shared = Attempt { number: 1, ..attempt("a", 0) };
    let call = E::Called { attempt: shared, call: Call::Start, state: 0, requires_finalizer: true };
    breaks("one-resource-per-name", then(then(running(), retries()), vec![freed("w-a-0"), begin(5), call]));
    breaks("one-resource-per-name", then(running(), vec![freed("w-a-0"), made("w-a-0")]));
    breaks(
        "released-before-retry",
        then(then(running(), retries()), vec![begin(5), called("a", 1, Call::Start)]),
    );
}

#[test]
fn attempts_and_their_count() {
    let refused = vec![
        begin(3),
        called("a", 0, Call::Start),
        said("a", 0, Call::Start, CorePhase::NotReady),
        changed(),
        stored(at(4, node(NodePhase::RetryableFailure, 1, None))),
    ];
    breaks("attempts-counted", then(running()[..8].to_vec(), refused));
    let mut two = retries();
    let last = two.len() - 1;
    two[last] = stored(at(5, node(NodePhase::RetryableFailure, 2, None)));
    breaks("attempts-counted", then(running(), two));
    let mut given_up = retries();
    let failed = node(NodePhase::Failed, 0, Some(CorePhase::RetryableFailure));
    given_up[last] = stored(at(5, failed));
    given_up.insert(last, told_node("a", EventPhase::Failed));
    breaks("attempts-counted", then(running(), given_up));
    let third = vec![
        freed("w-a-0"),
        begin(5),
        said("a", 1, Call::Start, CorePhase::RetryableFailure),
        changed(),
        stored(at(6, node(NodePhase::RetryableFailure, 2, None))),
        begin(6),
        called("a", 2, Call::Start),
    ];
    breaks("attempts-counted", then(then(running(), retries()), third));
}

#[test]
fn the_catalog() {
    let queued = || running()[..8].to_vec();
    let asked = |hit, disabled| E::CatalogAsked { attempt: attempt("a", 0), hit, disabled };
    breaks("cache", then(queued(), vec![begin(3), asked(true, false), called("a", 0, Call::Start)]));
    breaks("cache", then(queued(), vec![begin(3), asked(false, true)]));
    let put = E::CatalogPut { attempt: attempt("a", 0), disabled: false };
    breaks("cache", then(running(), vec![begin(4), put.clone()]));
    let without = vec![begin(4), said("a", 0, Call::Check, CorePhase::Success), put.clone()];
    breaks("cache", then(running(), without));
    let written = E::OutputsWritten { workflow: w(), node: Arc::from("a") };
    let good = vec![begin(4), written, said("a", 0, Call::Check, CorePhase::Success), put];
    assert_eq!(judge(Settings::default(), &then(running(), good)), Ok(()));
}

#[test]
fn outputs_and_deadlines() {
    let mut done = succeeds();
    let last = done.len() - 1;
    let outputs = NodeView { has_outputs: true, ..node(NodePhase::Succeeded, 0, Some(CorePhase::Success)) };
    done[last] = stored(at(5, outputs));
    breaks("outputs-readable", then(running(), done));
    let timed = |node: NodeView| NodeView {
        attempt_began_ns: (node.phase == NodePhase::Running).then_some(0),
        execution_deadline_ns: 3 * SECOND,
        ..node
    };
    let late = vec![begin(4), called("a", 0, Call::Check), end(RoundOutcome::Unchanged)];
    SHOWN.lock().unwrap().insert("deadline");
    let successor = Settings { generation: Generation::Successor, ..Settings::default() };
    let late = then(until_running(timed), late);
    assert_eq!(judge(successor, &late), Err("deadline".to_owned()));
    assert_eq!(judge(Settings::default(), &late), Ok(()), "the first generation has no deadlines");
}

#[test]
fn events() {
    breaks("event-once", then(running(), vec![told("a", 0, EventPhase::Queued)]));
    let running_then = |phase| vec![told("a", 0, EventPhase::Running), told("a", 0, phase)];
    breaks("event-once", then(running(), running_then(EventPhase::Queued)));
    let after = vec![told("a", 0, EventPhase::Succeeded), told("a", 0, EventPhase::Failed)];
    breaks("event-once", then(running(), after));
    let untold = |skip: usize| {
        let mut events = succeeds();
        events.remove(skip);
        then(running(), events)
    };
    breaks("event-first", untold(3));
    breaks("event-first", untold(5));
    let conflict = || E::NodeRecorded {
        workflow: w(),
        node: Arc::from("a"),
        phase: EventPhase::Running,
        answer: Answered::Conflict,
    };
    let goes_on = node(NodePhase::Running, 0, Some(CorePhase::Queued));
    breaks("conflict-fails", then(running(), vec![begin(4), conflict(), changed(), stored(at(5, goes_on))]));
    breaks("conflict-fails", then(running(), (0..11).map(|_| conflict()).collect()));
}

#[test]
fn rounds() {
    let error = || Arc::from("no");
    let running_a = || node(NodePhase::Running, 0, Some(CorePhase::Queued));
    let kept = View { failed_attempts: 1, ..at(5, node(NodePhase::Succeeded, 0, Some(CorePhase::Queued))) };
    breaks(
        "round-atomic",
        then(running(), vec![begin(4), end(RoundOutcome::Discarded(error())), stored(kept)]),
    );
    let counted = View { failed_attempts: 1, ..at(5, running_a()) };
    let good = vec![begin(4), end(RoundOutcome::Discarded(error())), stored(counted.clone())];
    assert_eq!(judge(Settings::default(), &then(running(), good)), Ok(()));
    breaks("round-atomic", then(running(), vec![begin(4), changed(), stored(counted)]));
    let same = View { digest: 4, ..at(5, running_a()) };
    breaks("quiet-rounds", then(running(), vec![begin(4), changed(), stored(same)]));
    breaks(
        "quiet-rounds",
        then(running(), vec![begin(4), end(RoundOutcome::Unchanged), stored(at(5, running_a()))]),
    );
    breaks("no-stale-round", then(running(), vec![begin(3)]));
    let other = E::RoundStarted { workflow: w(), version: 4, digest: 99, now_ns: 0 };
    breaks("no-stale-round", then(running(), vec![other]));
    let failed = || end(RoundOutcome::AbortFailed(Arc::from("no")));
    breaks("abort-complete", then(running(), vec![deleting(5), begin(5), failed()]));
    let tried = vec![deleting(5), begin(5), called("a", 0, Call::Kill), failed()];
    assert_eq!(judge(Settings::default(), &then(running(), tried)), Ok(()));
}

#[test]
fn parents_and_finalizers() {
    breaks("parents-first", then(running(), vec![begin(4), called("b", 0, Call::Start)]));
    let both = [("a", node(NodePhase::Succeeded, 0, Some(CorePhase::Success))), ("b", b(NodePhase::Queued))];
    let mut same_round = succeeds();
    let last = same_round.len() - 1;
    same_round[last] = stored(view(5, WorkflowPhase::Running, &both));
    breaks("parents-first", then(running(), same_round));
    let mut unheld = running()[..8].to_vec();
    let queued = [("a", node(NodePhase::Queued, 0, None)), ("b", b(NodePhase::NotYetStarted))];
    for event in &mut unheld {
        if let E::Stored { view, .. } = event {
            let free = View { held: false, ..(**view).clone() };
            *event = stored(free);
        }
    }
    assert_eq!(queued.len(), 2);
    breaks("finalizer-holds", then(unheld, vec![begin(3), called("a", 0, Call::Start)]));
    let lost = View { held: false, ..at(5, node(NodePhase::Running, 0, Some(CorePhase::Queued))) };
    breaks("finalizer-holds", then(running(), vec![begin(4), changed(), stored(lost)]));
    let unkilled = vec![deleting(5), freed("w-a-0"), begin(5), changed(), E::Gone { workflow: w() }];
    breaks("finalizer-holds", then(running(), unkilled));
}

#[test]
fn what_is_held_outside() {
    breaks(
        "no-resource-outlives",
        then(running(), vec![deleting(5), begin(5), changed(), E::Gone { workflow: w() }]),
    );
    let done = view(6, WorkflowPhase::Failed, &[]);
    breaks("no-resource-outlives", then(running(), vec![begin(4), changed(), stored(done)]));
    let gone = vec![deleting(5), begin(5), called("a", 0, Call::Kill), freed("w-a-0"), killed("a", 0)];
    let late = vec![changed(), E::Gone { workflow: w() }, made("w-a-9")];
    breaks("no-resource-outlives", then(then(running(), gone), late));
}

#[test]
fn what_ends_outside_is_looked_at_in_time() {
    SHOWN.lock().unwrap().insert("observed");
    let settings = Settings { observe_within_ns: Some(2 * SECOND), ..Settings::default() };
    let finished = E::Finished { name: Arc::from("w-a-0"), workflow: w() };
    let wait = |count: usize| (0..count).map(|_| begin(4)).collect::<Vec<_>>();
    let events = then(then(running(), vec![finished.clone()]), wait(4));
    assert_eq!(judge(settings, &events), Err("observed".to_owned()));
    let looked = then(then(running(), vec![finished, begin(4), called("a", 0, Call::Check)]), wait(4));
    assert_eq!(judge(settings, &looked), Ok(()));
}

#[test]
fn a_workflow_that_does_not_end_is_named() {
    SHOWN.lock().unwrap().insert("terminates");
    let unfinished = |events: &[E]| {
        let mut properties = PluginProperties::new(Settings::default());
        events.iter().for_each(|event| properties.observe(0, event).unwrap());
        properties.unfinished()
    };
    assert_eq!(unfinished(&running()), ["workflow w is not over: Running; a Running, b NotYetStarted"]);
    let over = then(
        running(),
        vec![deleting(5), begin(5), called("a", 0, Call::Kill), freed("w-a-0"), killed("a", 0)],
    );
    assert_eq!(unfinished(&then(over, vec![changed(), E::Gone { workflow: w() }])), Vec::<String>::new());
}

#[test]
fn every_property_is_broken_somewhere_here() {
    for test in [
        calls_of_attempts,
        phases_of_attempts,
        names_and_what_is_made_for_them,
        attempts_and_their_count,
        the_catalog,
        outputs_and_deadlines,
        events,
        rounds,
        parents_and_finalizers,
        what_is_held_outside,
        what_ends_outside_is_looked_at_in_time,
        a_workflow_that_does_not_end_is_named,
    ] {
        test();
    }
    let shown = SHOWN.lock().unwrap().clone();
    assert_eq!(shown, NAMES.into_iter().collect());
}
