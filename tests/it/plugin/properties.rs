//! Each property: a sequence of events that breaks it, written by hand, and one that breaks none.

mod successor;

use fatum::systems::plugin::Generation;
use fatum::systems::plugin::error::ErrorKind;
use fatum::systems::plugin::model::{CorePhase, EventPhase, NodePhase, PhaseVersion, WorkflowPhase};
use fatum::systems::plugin::properties::{NAMES, PluginProperties, Settings};
use fatum::systems::plugin::record::{
    Answered, Attempt, Call, Made, NodeView, PluginEvent as E, Returned, RoundOutcome, View,
};
use fatum::systems::plugin::retry::Deadlines;
use fatum::time::Duration;
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
        min_attempts: Some(2),
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
    let result = match phase.is_failure() {
        true => Returned::Failed(phase, PhaseVersion(0), ErrorKind::User),
        false => Returned::Phase(phase, PhaseVersion(0)),
    };
    E::Returned { attempt: attempt(node, number), call, result }
}

fn done(node: &str, number: u32, call: Call) -> E {
    E::Returned { attempt: attempt(node, number), call, result: Returned::Done }
}

fn killed(node: &str, number: u32) -> E {
    done(node, number, Call::Kill)
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
    // What vanished before it was stored that it was started is made again, once.
    let vanished = || vec![E::Vanished { name: Arc::from("w-a-0") }, freed("w-a-0"), made("w-a-0")];
    let unstored = then(running()[..11].to_vec(), vanished());
    assert_eq!(judge(Settings::default(), &unstored), Ok(()));
    breaks("one-resource-per-name", then(unstored, vec![freed("w-a-0"), made("w-a-0")]));
    // So is what the control plane refused; what it says of another node excuses nothing.
    let refused = |node: &str| E::NodeRecorded {
        workflow: w(),
        node: Arc::from(node),
        phase: EventPhase::Running,
        answer: Answered::Conflict,
    };
    let again = vec![refused("a"), freed("w-a-0"), made("w-a-0")];
    assert_eq!(judge(Settings::default(), &then(running()[..11].to_vec(), again)), Ok(()));
    let other = vec![refused("b"), freed("w-a-0"), made("w-a-0")];
    breaks("one-resource-per-name", then(running()[..11].to_vec(), other));
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
    ];
    breaks("attempts-counted", then(then(running(), retries()), third));
    let uncounted = vec![freed("w-a-0"), begin(4), called("a", 1, Call::Start)];
    breaks("attempts-counted", then(running(), uncounted));
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
    let written = |number| E::OutputsWritten { workflow: w(), node: Arc::from("a"), number: Some(number) };
    let success = || said("a", 0, Call::Check, CorePhase::Success);
    let good = vec![begin(4), written(0), success(), put.clone()];
    assert_eq!(judge(Settings::default(), &then(running(), good.clone())), Ok(()));
    // What another attempt put out is not this one's, and once is enough.
    breaks("cache", then(running(), vec![begin(4), written(1), success(), put.clone()]));
    breaks("cache", then(then(running(), good), vec![put.clone()]));
    breaks("cache", then(then(running(), succeeds()), vec![written(0), begin(5), put]));
    let still_queued =
        NodeView { task: Some((CorePhase::NotReady, PhaseVersion(0))), ..node(NodePhase::Queued, 0, None) };
    breaks(
        "cache",
        then(queued(), vec![begin(3), asked(true, false), changed(), stored(at(4, still_queued))]),
    );
}

#[test]
fn outputs_and_deadlines() {
    let mut ends = succeeds();
    let last = ends.len() - 1;
    let outputs = NodeView { has_outputs: true, ..node(NodePhase::Succeeded, 0, Some(CorePhase::Success)) };
    ends[last] = stored(at(5, outputs));
    breaks("outputs-readable", then(running(), ends));
    let limits = |active, execution| Deadlines {
        active: Duration::from_secs(active),
        execution: Duration::from_secs(execution),
    };
    let timed = |active, execution| {
        move |node: NodeView| NodeView {
            queued_ns: (node.phase == NodePhase::Running).then_some(0),
            attempt_began_ns: (node.phase == NodePhase::Running).then_some(SECOND),
            deadlines: limits(active, execution),
            ..node
        }
    };
    let late = vec![begin(4), called("a", 0, Call::Check), end(RoundOutcome::Unchanged)];
    SHOWN.lock().unwrap().insert("deadline");
    let successor = Settings { generation: Generation::Successor, ..Settings::default() };
    let bad = Err("deadline".to_owned());
    // The round is 4 seconds after the node was queued, 3 after the attempt began.
    for (active, execution, default, expected) in [
        (0, 3, (0, 0), bad.clone()),
        (0, 4, (0, 0), Ok(())),
        (4, 0, (0, 0), bad.clone()),
        (5, 0, (0, 0), Ok(())),
        (0, 0, (0, 3), bad.clone()),
        (0, 0, (4, 0), bad),
        (0, 4, (0, 3), Ok(())),
        (0, 0, (0, 0), Ok(())),
    ] {
        let events = then(until_running(timed(active, execution)), late.clone());
        let settings = Settings { deadlines: limits(default.0, default.1), ..successor };
        assert_eq!(judge(settings, &events), expected, "{active} {execution} {default:?}");
        let first = Settings { deadlines: limits(default.0, default.1), ..Settings::default() };
        assert_eq!(judge(first, &events), Ok(()), "the first generation has no deadlines");
    }
    // An attempt that failed for no reason is not late before its time.
    let early = vec![
        begin(4),
        called("a", 0, Call::Handle),
        said("a", 0, Call::Handle, CorePhase::Running),
        told("a", 0, EventPhase::Running),
        called("a", 0, Call::Finalize),
        done("a", 0, Call::Finalize),
        changed(),
        stored(at(5, timed(0, 5)(node(NodePhase::RetryableFailure, 1, None)))),
    ];
    let events = then(until_running(timed(0, 5)), early);
    assert_eq!(judge(successor, &events), Err("attempts-counted".to_owned()));
}

#[test]
fn events() {
    breaks("event-once", then(running(), vec![told("a", 0, EventPhase::Queued)]));
    let running_then = |phase| vec![told("a", 0, EventPhase::Running), told("a", 0, phase)];
    breaks("event-once", then(running(), running_then(EventPhase::Queued)));
    // What is sent is judged, also what the control plane knew.
    let (version, answer) = (PhaseVersion(0), Answered::Duplicate);
    let known = |phase| E::TaskRecorded { attempt: attempt("a", 0), phase, version, answer };
    breaks("event-once", then(running(), vec![told("a", 0, EventPhase::Running), known(EventPhase::Queued)]));
    assert_eq!(judge(Settings::default(), &then(running(), vec![known(EventPhase::Queued)])), Ok(()));
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
    // So is what was queued, or is to be tried again: it may have begun.
    for phase in [NodePhase::Queued, NodePhase::RetryableFailure] {
        let both = [("a", node(NodePhase::Running, 0, Some(CorePhase::Queued))), ("c", node(phase, 0, None))];
        let view = View { deleting: true, by_engine: false, ..view(5, WorkflowPhase::Running, &both) };
        let tried = vec![stored(view), begin(5), called("a", 0, Call::Kill), failed()];
        breaks("abort-complete", then(running(), tried));
    }
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
    let settings = Settings { observe_within_ns: 2 * SECOND, is_exact: true, ..Settings::default() };
    let finished = E::Finished { name: Arc::from("w-a-0"), workflow: w() };
    let wait = |count: usize| (0..count).map(|_| begin(4)).collect::<Vec<_>>();
    let events = then(then(running(), vec![finished.clone()]), wait(4));
    assert_eq!(judge(settings, &events), Err("observed".to_owned()));
    let looked = then(then(running(), vec![finished, begin(4), called("a", 0, Call::Check)]), wait(4));
    assert_eq!(judge(settings, &looked), Ok(()));
    // Where faults make it late, it is judged when they are over.
    let later = Settings { is_exact: false, ..settings };
    let mut properties = PluginProperties::new(later);
    for (nth, event) in events.iter().enumerate() {
        properties.observe(nth as u64 * SECOND, event).unwrap();
    }
    assert_eq!(properties.observed().map_err(|violation| violation.property), Err("observed"));
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
        successor::finalizations,
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
