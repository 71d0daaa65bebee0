//! Each property against a history that breaks it, written by hand, and against one that does not.

use std::sync::Arc;

use fatum::systems::graph::outcome::OutcomeIndices;
use fatum::systems::graph::properties::NAMES;
use fatum::systems::graph::record::RunSettings;
use fatum::systems::graph::{GraphEvent as E, GraphProperties, Punctuality, RunFacts, judge_sweep};

fn settings() -> RunSettings {
    RunSettings {
        workers: 1,
        stop_on_error: false,
        signal_on_error: false,
        allow_blocked: false,
        dry_run: false,
        abort_on_stop: false,
        limit_ns: Some(100),
        orphan_limit_ns: Some(50),
    }
}

fn started(settings: RunSettings) -> E {
    E::RunStarted(Arc::new(settings))
}

fn declared(action: u32, name: &str, wants: &[&str]) -> E {
    let texts = |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect();
    let (wants, emits) = (texts(wants), texts(&[name]));
    E::Declared { action, name: name.into(), wants, emits, gated: false, restored: false }
}

/// An item taken into a queue.
fn added(queue: u64, item: u64, rank: i64) -> E {
    E::QueueAdded { queue, item, rank, accepted: true, done: false }
}

fn emitted(action: u32, event: &str) -> E {
    E::Emitted { action, event: event.into() }
}

fn signalled(from: u32, event: &str, to: u32) -> E {
    E::Signalled { from, event: event.into(), to }
}

fn recorded(action: u32, start_ns: u64, end_ns: u64, signalled: &[u32]) -> E {
    E::Recorded { action, start_ns, end_ns, signalled: signalled.into() }
}

fn well(action: u32) -> E {
    E::Finished { action, error: None }
}

fn badly(action: u32) -> E {
    E::Finished { action, error: Some("injected".into()) }
}

/// Completed, failed, blocked, not started, abandoned.
fn sets(of: [&[u32]; 5]) -> Arc<OutcomeIndices> {
    let [completed, failed, blocked, not_started, abandoned] = of.map(Arc::from);
    Arc::new(OutcomeIndices { completed, failed, blocked, not_started, abandoned })
}

fn finished(error: Option<&'static str>, of: [&[u32]; 5]) -> E {
    E::RunFinished { error, sets: sets(of), inputs_kept: true }
}

type History = Vec<(u64, E)>;

/// A, which takes 10, unblocks B, which takes 10.
fn good() -> History {
    vec![
        (0, started(settings())),
        (0, declared(0, "A", &[])),
        (0, declared(1, "B", &["A"])),
        (0, added(0, 0, 0)),
        (0, E::QueueStarted { queue: 0, item: 0 }),
        (0, E::Started { action: 0 }),
        (10, well(0)),
        (10, emitted(0, "A")),
        (10, signalled(0, "A", 1)),
        (10, recorded(0, 0, 10, &[1])),
        (10, E::Started { action: 1 }),
        (20, well(1)),
        (20, emitted(1, "B")),
        (20, recorded(1, 10, 20, &[])),
        (20, E::QueueDone { queue: 0, unstarted: 0, early: false }),
        (20, E::TraceFinished),
        (20, finished(None, [&[0, 1], &[], &[], &[], &[]])),
        (20, E::OutcomeRead { sets: sets([&[0, 1], &[], &[], &[], &[]]) }),
    ]
}

/// A runs, B is still blocked when the history is cut after `events` events.
fn cut(events: usize, more: &[(u64, E)]) -> History {
    let mut history = good();
    history.truncate(events);
    history.extend_from_slice(more);
    history
}

fn with(settings: RunSettings, mut history: History) -> History {
    history[0].1 = started(settings);
    history
}

fn replaced(place: usize, event: E) -> History {
    let mut history = good();
    history[place].1 = event;
    history
}

fn without(place: usize) -> History {
    let mut history = good();
    history.remove(place);
    history
}

fn broken(history: &History, punctuality: Punctuality) -> Option<&'static str> {
    let mut fold = GraphProperties::new(punctuality);
    let found = history.iter().find_map(|(at, event)| fold.observe(*at, event).err());
    found.or_else(|| fold.finish().err()).map(|violation| violation.property)
}

#[test]
fn a_good_history_breaks_nothing() {
    assert_eq!(broken(&good(), Punctuality::Exact), None);
    let allowed = RunSettings { allow_blocked: true, ..settings() };
    let blocked = with(
        allowed,
        vec![
            (0, started(settings())),
            (0, declared(0, "A", &["never"])),
            (0, E::TraceFinished),
            (0, finished(None, [&[], &[], &[0], &[], &[]])),
        ],
    );
    assert_eq!(broken(&blocked, Punctuality::Exact), None);
}

type Bad = (&'static str, &'static str, History);

/// Histories that each break one property. In the good history the end of A's turn is event 9, the start of B 10,
/// its end 11.
fn bad() -> Vec<Bad> {
    [bad_sets(), bad_endings(), bad_starts(), bad_traces(), bad_attempts_and_queues()].concat()
}

/// The end of a history.
fn end(at: u64, error: Option<&'static str>, of: [&[u32]; 5]) -> [(u64, E); 2] {
    [(at, E::TraceFinished), (at, finished(error, of))]
}

fn attempt(attempt: u32, cancelled: bool) -> (u64, E) {
    (0, E::Attempt { action: 0, attempt, cancelled })
}

fn attempt_failed(attempt: u32) -> (u64, E) {
    (0, E::AttemptFailed { action: 0, attempt })
}

fn asked(attempt: u32, delay_ns: Option<u64>) -> (u64, E) {
    (0, E::PolicyAsked { action: 0, attempt, delay_ns })
}

fn bad_sets() -> Vec<Bad> {
    vec![
        ("conservation", "an action in no set", replaced(16, finished(None, [&[0], &[], &[], &[], &[]]))),
        (
            "conservation",
            "an action in two sets",
            replaced(16, finished(None, [&[0, 1], &[], &[1], &[], &[]])),
        ),
        ("conservation", "an action twice", replaced(16, finished(None, [&[0, 1, 1], &[], &[], &[], &[]]))),
        ("conservation", "a stranger", replaced(16, finished(None, [&[0, 1, 2], &[], &[], &[], &[]]))),
        (
            "conservation",
            "the wrong set",
            replaced(16, finished(Some("incomplete"), [&[0], &[1], &[], &[], &[]])),
        ),
        ("at-most-once", "started twice", cut(11, &[(10, E::Started { action: 1 })])),
        ("at-most-once", "ended twice", cut(12, &[(20, well(1))])),
        ("at-most-once", "ended before it started", cut(5, &[(0, well(0))])),
        ("causality", "started before its event", cut(6, &[(0, E::Started { action: 1 })])),
        ("causality", "unblocked by a failure", {
            let mut history = cut(6, &[(10, badly(0)), (10, emitted(0, "A"))]);
            history.push((10, E::Started { action: 1 }));
            history
        }),
        (
            "completeness",
            "a lost wake-up",
            cut(10, &end(10, Some("incomplete"), [&[0], &[], &[], &[1], &[]])),
        ),
        ("honest-verdict", "no error, work undone", {
            let history = cut(10, &[(10, E::Stopped { cause: "cancelled" })]);
            [history, end(10, None, [&[0], &[], &[], &[1], &[]]).to_vec()].concat()
        }),
        (
            "honest-verdict",
            "an error, all done",
            replaced(16, finished(Some("timed-out"), [&[0, 1], &[], &[], &[], &[]])),
        ),
        ("honest-verdict", "the wrong cause", {
            let history = cut(10, &[(10, E::Stopped { cause: "cancelled" })]);
            [history, end(10, Some("timed-out"), [&[0], &[], &[], &[1], &[]]).to_vec()].concat()
        }),
        ("honest-verdict", "orphans given up early", {
            let mut history = cut(
                11,
                &[(20, E::Stopped { cause: "cancelled" }), (69, E::OrphansGivenUp { cancelled: false })],
            );
            history.push((69, E::Abandoned { action: 1 }));
            [history, end(69, Some("orphans-timed-out"), [&[0], &[], &[], &[], &[1]]).to_vec()].concat()
        }),
    ]
}

/// What only came with a closer look at the verdict and the end of a run.
fn bad_endings() -> Vec<Bad> {
    let stopping = || RunSettings { stop_on_error: true, ..settings() };
    let unlimited = || RunSettings { limit_ns: None, orphan_limit_ns: None, ..settings() };
    let orphan_failed = |error| {
        let history = cut(
            11,
            &[
                (20, E::Stopped { cause: "cancelled" }),
                (70, E::OrphansGivenUp { cancelled: false }),
                (70, badly(1)),
                (70, recorded(1, 10, 70, &[])),
            ],
        );
        [history, end(70, Some(error), [&[0], &[1], &[], &[], &[]]).to_vec()].concat()
    };
    assert_eq!(broken(&orphan_failed("cancelled"), Punctuality::Exact), None);
    vec![
        ("honest-verdict", "timed out before the deadline", {
            let history = cut(10, &[(10, E::Stopped { cause: "timed-out" })]);
            [history, end(10, Some("timed-out"), [&[0], &[], &[], &[1], &[]]).to_vec()].concat()
        }),
        ("honest-verdict", "stopped by a failure that nobody had", {
            let history = cut(10, &[(10, E::Stopped { cause: "stopped" })]);
            let history = [history, end(10, Some("stopped"), [&[0], &[], &[], &[1], &[]]).to_vec()].concat();
            with(stopping(), history)
        }),
        ("honest-verdict", "gave up waiting for nobody", orphan_failed("orphans-timed-out")),
        (
            "liveness",
            "returned after its last action",
            cut(15, &end(21, None, [&[0, 1], &[], &[], &[], &[]])),
        ),
        ("liveness", "waited for nobody", {
            let history = cut(
                11,
                &[(15, E::Stopped { cause: "cancelled" }), (20, well(1)), (20, recorded(1, 10, 20, &[]))],
            );
            with(unlimited(), [history, end(30, None, [&[0, 1], &[], &[], &[], &[]]).to_vec()].concat())
        }),
        ("stop", "started after the instant of the failure", {
            let mut history = vec![(0, started(RunSettings { workers: 2, ..stopping() }))];
            history.extend([
                (0, declared(0, "A", &[])),
                (0, declared(1, "B", &[])),
                (0, declared(2, "C", &[])),
            ]);
            history.extend([(0, E::Started { action: 0 }), (0, E::Started { action: 2 }), (10, badly(0))]);
            history.push((11, E::Started { action: 1 }));
            history
        }),
        ("trace", "a false end", cut(9, &[(10, recorded(0, 0, 9, &[1]))])),
        (
            "retry",
            "a failure and no question",
            cut(6, &[attempt(1, false), attempt_failed(1), (0, badly(0))]),
        ),
        (
            "queue",
            "a higher rank first",
            cut(3, &[(0, added(7, 0, 5)), (0, added(7, 1, -1)), (0, E::QueueStarted { queue: 7, item: 0 })]),
        ),
        ("queue", "an item of another queue", cut(4, &[(0, E::QueueStarted { queue: 7, item: 0 })])),
    ]
}

#[test]
fn what_is_right_on_the_edge_breaks_nothing() {
    let none = |history: &History, what: &str| {
        assert_eq!(broken(history, Punctuality::Exact), None, "{what}");
    };
    let mut two_queues = good();
    two_queues.splice(4..4, [(0, added(7, 0, 0)), (0, E::QueueStarted { queue: 7, item: 0 })]);
    none(&two_queues, "a second queue beside the first");
    let panicked = E::Finished { action: 0, error: Some("panicked: in the policy".into()) };
    let mut asked_and_panicked = cut(6, &[attempt(1, false), attempt_failed(1), (0, panicked)]);
    asked_and_panicked.push((0, recorded(0, 0, 0, &[])));
    asked_and_panicked.extend(end(0, Some("incomplete"), [&[], &[0], &[1], &[], &[]]));
    none(&asked_and_panicked, "a policy that panics");
    let mut said_too_much = cut(7, &[(10, recorded(0, 0, 10, &[]))]);
    said_too_much.extend(end(10, Some("incomplete"), [&[0], &[], &[1], &[], &[]]));
    none(&said_too_much, "an action that emitted less than it said");
    let mut resumed = vec![good()[0].clone(), (0, declared(0, "B", &["A"])), (0, emitted(u32::MAX, "A"))];
    resumed.extend([(0, E::Started { action: 0 }), (5, well(0)), (5, recorded(0, 0, 5, &[]))]);
    resumed.extend(end(5, None, [&[0], &[], &[], &[], &[]]));
    none(&resumed, "an event that an earlier run emitted");
    // Both workers are busy, A and C fail and free one of them, B starts before anybody has said that it is over.
    let two = RunSettings { workers: 2, stop_on_error: true, ..settings() };
    let mut same_instant = vec![(0, started(two)), (0, declared(0, "A", &[])), (0, declared(1, "B", &[]))];
    same_instant.insert(2, (0, declared(2, "C", &[])));
    same_instant.extend([(0, E::Started { action: 0 }), (0, E::Started { action: 2 }), (10, badly(0))]);
    same_instant.extend([(10, E::Started { action: 1 }), (10, recorded(0, 0, 10, &[]))]);
    same_instant.extend([
        (10, E::Stopped { cause: "stopped" }),
        (15, well(1)),
        (15, recorded(1, 10, 15, &[])),
    ]);
    same_instant.extend([(15, well(2)), (15, recorded(2, 0, 15, &[]))]);
    same_instant.extend(end(15, Some("stopped"), [&[1, 2], &[0], &[], &[], &[]]));
    none(&same_instant, "a start at the instant of a failure");
}

fn bad_starts() -> Vec<Bad> {
    vec![
        ("minimal-blockage", "a failure stops what should go on", {
            let history = cut(
                6,
                &[(10, badly(0)), (10, recorded(0, 0, 10, &[])), (10, E::Stopped { cause: "stopped" })],
            );
            [history, end(10, Some("stopped"), [&[], &[0], &[1], &[], &[]]).to_vec()].concat()
        }),
        ("minimal-blockage", "left behind after a failure", {
            let mut history = cut(6, &[(10, badly(0)), (10, recorded(0, 0, 10, &[]))]);
            history[2].1 = declared(1, "B", &[]);
            history[0].1 = started(RunSettings { workers: 1, ..settings() });
            [history, end(10, Some("incomplete"), [&[], &[0], &[], &[1], &[]]).to_vec()].concat()
        }),
        ("concurrency-cap", "one too many", {
            let mut history = cut(6, &[(0, E::Started { action: 1 })]);
            history[2].1 = declared(1, "B", &[]);
            history
        }),
        ("work-conserving", "idle beside a runnable action", cut(10, &[(11, E::Started { action: 1 })])),
        (
            "stop",
            "started after the stop",
            cut(10, &[(10, E::Stopped { cause: "cancelled" }), (10, E::Started { action: 1 })]),
        ),
        ("stop", "started after the failure that stops", {
            let mut history = cut(6, &[(10, badly(0)), (10, E::Started { action: 1 })]);
            history[2].1 = declared(1, "B", &[]);
            with(RunSettings { stop_on_error: true, ..settings() }, history)
        }),
        (
            "stop",
            "started at the deadline",
            with(RunSettings { limit_ns: Some(10), ..settings() }, cut(11, &[])),
        ),
        ("liveness", "never returned", cut(16, &[])),
        ("liveness", "overdue", cut(11, &[(999, E::Overdue)])),
        ("liveness", "returned late", {
            let mut history = cut(11, &[(100, E::Stopped { cause: "timed-out" }), (151, well(1))]);
            history.extend([(151, recorded(1, 10, 151, &[])), (151, E::TraceFinished)]);
            history.push((151, finished(None, [&[0, 1], &[], &[], &[], &[]])));
            history
        }),
    ]
}

fn bad_traces() -> Vec<Bad> {
    vec![
        (
            "frozen-result",
            "read differently",
            replaced(17, E::OutcomeRead { sets: sets([&[0], &[], &[], &[], &[1]]) }),
        ),
        ("trace", "not recorded", without(13)),
        ("trace", "recorded twice", cut(10, &[(10, recorded(0, 0, 10, &[1]))])),
        ("trace", "recorded before it ended", cut(6, &[(10, recorded(0, 0, 10, &[]))])),
        ("trace", "false times", cut(9, &[(10, recorded(0, 5, 10, &[1]))])),
        ("trace", "false signals", cut(9, &[(10, recorded(0, 0, 10, &[]))])),
        ("trace", "no end", without(15)),
        ("trace", "two ends", cut(15, &[(20, E::TraceFinished), good()[15].clone(), good()[16].clone()])),
        ("signal-multiplicity", "accepted twice", cut(9, &[(10, signalled(0, "A", 1))])),
        ("signal-multiplicity", "not wanted", cut(8, &[(10, signalled(0, "A", 0))])),
        ("signal-multiplicity", "never emitted", cut(6, &[(0, signalled(0, "A", 1))])),
        (
            "dry-run",
            "an effect",
            with(
                RunSettings { dry_run: true, ..settings() },
                cut(6, &[(0, E::Effect { op: "create", object: "x".into() })]),
            ),
        ),
        (
            "inputs-untouched",
            "a changed list",
            replaced(
                16,
                E::RunFinished { error: None, sets: sets([&[0, 1], &[], &[], &[], &[]]), inputs_kept: false },
            ),
        ),
    ]
}

fn bad_attempts_and_queues() -> Vec<Bad> {
    vec![
        ("retry", "after the cancel", cut(6, &[attempt(1, true)])),
        ("retry", "without asking", cut(6, &[attempt(1, false), attempt_failed(1), attempt(2, false)])),
        (
            "retry",
            "asked twice",
            cut(6, &[attempt(1, false), attempt_failed(1), asked(1, Some(0)), asked(1, Some(0))]),
        ),
        (
            "retry",
            "too soon",
            cut(6, &[attempt(1, false), attempt_failed(1), asked(1, Some(5)), attempt(2, false)]),
        ),
        (
            "retry",
            "after giving up",
            cut(6, &[attempt(1, false), attempt_failed(1), asked(1, None), attempt(2, false)]),
        ),
        (
            "retry",
            "a failure called success",
            cut(6, &[attempt(1, false), attempt_failed(1), asked(1, None), (0, well(0))]),
        ),
        (
            "queue",
            "accepted after the end",
            cut(3, &[(0, E::QueueAdded { queue: 0, item: 0, rank: 0, accepted: true, done: true })]),
        ),
        (
            "queue",
            "refused before the end",
            cut(3, &[(0, E::QueueAdded { queue: 0, item: 0, rank: 0, accepted: false, done: false })]),
        ),
        (
            "queue",
            "started out of order",
            cut(4, &[(0, added(0, 1, 0)), (0, E::QueueStarted { queue: 0, item: 1 })]),
        ),
        ("queue", "started twice", cut(5, &[(0, E::QueueStarted { queue: 0, item: 0 })])),
        ("queue", "lost", cut(4, &[(0, E::QueueDone { queue: 0, unstarted: 0, early: true })])),
        ("queue", "left over", cut(4, &[(0, E::QueueDone { queue: 0, unstarted: 1, early: false })])),
        ("queue", "run again", cut(3, &[(0, E::QueueRunAgain { queue: 0, refused: false })])),
    ]
}

#[test]
fn each_property_catches_a_history_that_breaks_it() {
    for (property, what, history) in bad() {
        assert_eq!(broken(&history, Punctuality::Exact), Some(property), "{what}");
    }
}

#[test]
fn every_property_has_such_a_history() {
    let caught: Vec<&str> = bad().iter().map(|(property, _, _)| *property).collect();
    let missing: Vec<&str> = NAMES.into_iter().filter(|name| !caught.contains(name)).collect();
    assert_eq!(missing, ["determinism"], "which is judged over a sweep, below");
}

#[test]
fn lateness_is_forgiven_where_tasks_may_be_held_back() {
    for (property, what, history) in bad() {
        if what == "returned late" || property == "work-conserving" {
            assert_eq!(
                broken(&history[..history.len()].to_vec(), Punctuality::Late).unwrap_or("liveness"),
                "liveness"
            );
        }
    }
    let late = cut(
        11,
        &[
            (100, E::Stopped { cause: "timed-out" }),
            (151, well(1)),
            (151, recorded(1, 10, 151, &[])),
            (151, E::TraceFinished),
            (151, finished(None, [&[0, 1], &[], &[], &[], &[]])),
        ],
    );
    assert_eq!(broken(&late, Punctuality::Late), None);
}

fn facts(dry_run: bool, stopped: bool, completed: &[u32]) -> RunFacts {
    let graph = ["A", "B"].map(|name| (Arc::from(name), std::collections::BTreeSet::new())).to_vec();
    let completed: std::collections::BTreeSet<u32> = completed.iter().copied().collect();
    let blocked = (0..2).filter(|action| !completed.contains(action)).collect();
    let (given, failed) = (std::collections::BTreeSet::new(), std::collections::BTreeSet::new());
    RunFacts { graph, given, dry_run, failed, stopped, error: None, completed, blocked }
}

#[test]
fn a_sweep_is_judged_by_its_undisturbed_runs() {
    let both = || facts(false, false, &[0, 1]);
    let property = |runs: &[RunFacts]| judge_sweep(runs).err().map(|violation| violation.property);
    assert_eq!(property(&[]), None);
    assert_eq!(property(&[both(), both(), facts(false, true, &[0])]), None);
    assert_eq!(property(&[both(), facts(false, false, &[0])]), Some("determinism"));
    assert_eq!(property(&[both(), facts(true, false, &[0, 1])]), None);
    assert_eq!(property(&[both(), facts(true, false, &[0])]), Some("dry-run"));
    let failing = |dry_run, completed: &[u32]| RunFacts {
        failed: [1].into(),
        blocked: std::collections::BTreeSet::new(),
        ..facts(dry_run, false, completed)
    };
    assert_eq!(property(&[both(), failing(false, &[0]), failing(false, &[0])]), None);
    assert_eq!(property(&[failing(false, &[0]), failing(false, &[])]), Some("minimal-blockage"));
    assert_eq!(property(&[facts(true, false, &[0, 1]), failing(false, &[0])]), None);
    let given = RunFacts { given: [Arc::from("x")].into(), ..facts(false, false, &[0]) };
    assert_eq!(property(&[both(), given]), None, "a run that had more to begin with says nothing");
    let mut other = facts(false, false, &[0]);
    other.graph.pop();
    assert_eq!(property(&[both(), other]), None, "runs of another graph say nothing");
}
