//! The successor's rules and its task handler: table 2.5.

use super::{
    Bench, Does, FixedCatalog, Recorder, Scripted, ScriptedPlugin, bench, bench_with, call, node, now, v1,
    v2, workflow,
};
use fatum::systems::plugin::Generation;
use fatum::systems::plugin::catalog::{Reservation, cache_step};
use fatum::systems::plugin::core::{PhaseInfo, Transition};
use fatum::systems::plugin::engine::{CoreHandler, Next, Outcome, RoundError};
use fatum::systems::plugin::error::{CatalogError, ErrorKind, EventError, SystemError, TaskError};
use fatum::systems::plugin::events::OutputResult;
use fatum::systems::plugin::model::{Asked, CorePhase, NodePhase, PhaseVersion, TaskStatus, WorkflowPhase};
use fatum::systems::plugin::outputs::OUTPUTS_MAX;
use fatum::systems::plugin::retry::{Counts, Deadlines, Expired, Limits, RetryStrategy, eligible, exhausted};
use fatum::systems::plugin::state::CustomState;
use fatum::systems::plugin::status::{NodeStatus, TaskRecord, Workflow};
use fatum::time::Duration;
use std::sync::Arc;

const SECOND: u64 = 1_000_000_000;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn a_phase_ends_an_attempt_as_the_successor_says() {
    use CorePhase as P;
    for (phase, terminal) in [
        (P::Undefined, false),
        (P::NotReady, false),
        (P::WaitingForResources, false),
        (P::Queued, false),
        (P::Initializing, false),
        (P::Running, false),
        (P::Success, true),
        (P::RetryableFailure, true),
        (P::PermanentFailure, true),
        (P::WaitingForCache, false),
        (P::Aborted, true),
    ] {
        assert_eq!(phase.is_terminal(), terminal, "{phase}");
    }
    let info = PhaseInfo::of(P::RetryableFailure).cleaned_up().with_version(PhaseVersion(3));
    assert!(info.cleanup_on_failure, "another version is of the same failure");
}

#[test]
fn who_is_to_blame_decides_how_often_it_is_tried() {
    use ErrorKind::{System, User};
    for (attempts, system_failures, attempts_max, system_failures_max, kind, ignores_cause, expected) in [
        (0, 0, 2, 0, User, false, true),
        (1, 0, 2, 0, User, false, false),
        (0, 0, 1, 1, System, false, true),
        (1, 1, 1, 1, System, false, false),
        (0, 0, 2, 0, User, true, true),
        (1, 0, 2, 0, User, true, false),
        (0, 0, 2, 0, System, true, true),
        (1, 1, 2, 0, System, true, false),
        // What the platform was to blame for is not the user's.
        (1, 1, 2, 3, User, false, true),
    ] {
        let limits = Limits { attempts_max, system_failures_max, ignores_cause };
        let (found, ..) = eligible(Counts { attempts, system_failures }, limits, kind);
        assert_eq!(
            found, expected,
            "{attempts} {system_failures} {attempts_max} {system_failures_max} {kind}"
        );
    }
    let error = exhausted(&TaskError::system("Code", "message"), 2, 2);
    assert_eq!(error.code, "RetriesExhausted|Code");
    assert_eq!(error.message, "[2/2] currentAttempt done. Last Error: SYSTEM::message");
}

#[test]
fn one_attempt_that_is_asked_for_is_the_default_unless_it_is_honoured() {
    let defaults = Limits { attempts_max: 5, system_failures_max: 3, ignores_cause: false };
    let of = |attempts: Option<u32>, honours_one| {
        let strategy = attempts.map(|attempts| RetryStrategy { min_attempts: Some(attempts) });
        Limits::of(strategy, defaults, honours_one).attempts_max
    };
    assert_eq!((of(None, false), of(Some(1), false), of(Some(2), false), of(Some(1), true)), (5, 5, 2, 1));
}

#[test]
fn deadlines_of_zero_are_the_default_and_defaults_of_zero_are_none() {
    let own = Deadlines { active: seconds(5), execution: Duration::ZERO };
    let both = own.or(Deadlines { active: seconds(9), execution: seconds(1) });
    assert_eq!(both, Deadlines { active: seconds(5), execution: seconds(1) });
    let ten = Some(seconds(10));
    assert_eq!(both.expired(ten, ten), Some(Expired::Active(seconds(5))));
    assert_eq!(both.expired(Some(seconds(1)), ten), Some(Expired::Execution(seconds(1))));
    assert_eq!(both.expired(None, None), None);
    assert_eq!(Deadlines::default().expired(ten, ten), None);
}

fn bench_of(plugin: &Arc<ScriptedPlugin>, recorder: Recorder) -> Bench {
    let mut bench = bench_with(v2(plugin), recorder);
    bench.effects.config.generation = Generation::Successor;
    bench
}

fn with_outputs() -> Workflow {
    let mut workflow = workflow(vec![node("n1", &[])]);
    workflow.spec.tasks[0].outputs = vec!["x".to_owned()];
    workflow
}

fn at(phase: CorePhase, version: u32) -> NodeStatus {
    let task = TaskRecord { phase, version: PhaseVersion(version), ..TaskRecord::default() };
    NodeStatus { phase: NodePhase::Running, task: Some(task), ..NodeStatus::default() }
}

fn handling(info: PhaseInfo) -> Arc<ScriptedPlugin> {
    Arc::new(ScriptedPlugin { handle: Does::Returns(info.into()), ..ScriptedPlugin::default() })
}

fn handle(bench: &Bench, status: &NodeStatus) -> Result<Outcome, SystemError> {
    now(CoreHandler(call(&bench.effects, &with_outputs(), status)).handle())
}

const OUTPUTS: &str = "default/execName1/n1/0/outputs.pb";
const ERROR: &str = "default/execName1/n1/0/error.pb";

#[test]
fn handling_a_task_gives_what_its_plugin_says_and_tells_what_is_new() {
    let said = |recoverable: bool| {
        format!(r#"{{"error": {{"code": "c", "message": "m", "recoverable": {recoverable}}}}}"#)
    };
    let running = |version| PhaseInfo::of(CorePhase::Running).with_version(PhaseVersion(version));
    let success = || PhaseInfo::of(CorePhase::Success);
    for (info, file, expected, events) in [
        (success(), Some((OUTPUTS, "{}".to_owned())), Asked::Success, vec!["SUCCEEDED"]),
        (success(), None, Asked::RetryableFailure, vec!["FAILED"]),
        (success(), Some((ERROR, said(true))), Asked::RetryableFailure, vec!["FAILED"]),
        (success(), Some((ERROR, said(false))), Asked::Failed, vec!["FAILED"]),
        (success(), Some((ERROR, "{}".to_owned())), Asked::RetryableFailure, vec!["FAILED"]),
        (running(1), None, Asked::Running, vec!["RUNNING"]),
        (running(0), None, Asked::Running, vec![]),
        (running(PhaseVersion::MAX.0 + 1), None, Asked::Failed, vec!["FAILED"]),
    ] {
        let bench = bench_of(&handling(info.clone()), Recorder::default());
        if let Some((path, content)) = &file {
            bench.files.put(path, content);
        }
        let outcome = handle(&bench, &at(CorePhase::Running, 0)).unwrap();
        assert_eq!((outcome.asked, bench.recorder.task_phases()), (expected, events), "{info:?} {file:?}");
    }
    let plugin = Arc::new(ScriptedPlugin { handle: Does::Fails, ..ScriptedPlugin::default() });
    for plugin in [plugin, handling(PhaseInfo::default())] {
        let bench = bench_of(&plugin, Recorder::default());
        assert!(handle(&bench, &at(CorePhase::Running, 0)).is_err());
        assert!(bench.recorder.task_phases().is_empty());
    }
}

#[test]
fn outputs_that_are_too_large_are_a_failure_for_good() {
    let bench = bench_of(&handling(PhaseInfo::of(CorePhase::Success)), Recorder::default());
    bench.files.put_sized(OUTPUTS, "{}", OUTPUTS_MAX + 1);
    let outcome = handle(&bench, &at(CorePhase::Running, 0)).unwrap();
    assert_eq!((outcome.asked, outcome.error.unwrap().code.as_str()), (Asked::Failed, "OutputSizeExceeded"));
}

#[test]
fn what_the_control_plane_has_ended_fails() {
    let bench = bench_of(
        &handling(PhaseInfo::of(CorePhase::Running)),
        Recorder::answering(EventError::AlreadyInTerminalState),
    );
    assert_eq!(handle(&bench, &at(CorePhase::Queued, 0)).unwrap().asked, Asked::Failed);
}

#[test]
fn what_the_control_plane_has_ended_is_released_as_its_state_says() {
    let state = CustomState::new().with("queries", 2);
    let handle = Transition { info: PhaseInfo::of(CorePhase::Running), state: Some(state.clone()) };
    let plugin = Arc::new(ScriptedPlugin { handle: Does::Returns(handle), ..ScriptedPlugin::default() });
    let bench = bench_of(&plugin, Recorder::answering(EventError::AlreadyInTerminalState));
    let mut workflow = workflow(vec![node("n1", &[])]);
    workflow.status.phase = WorkflowPhase::Running;
    workflow.status.nodes.insert("n1".to_owned(), at(CorePhase::Queued, 0));
    let next = now(bench.effects.round(&workflow, SECOND)).unwrap();
    let stands = next.status.node("n1");
    assert_eq!((stands.phase, plugin.calls()), (NodePhase::Failing, vec!["handle".to_owned()]));
    let task = stands.task.unwrap();
    assert_eq!((task.state, task.cleanup_on_failure), (Some(state), true));
    (workflow.status, workflow.metadata) = (next.status, next.metadata);
    let next = now(bench.effects.round(&workflow, SECOND)).unwrap();
    assert_eq!(next.status.node_phase("n1"), NodePhase::Failed);
    assert_eq!(
        plugin.calls(),
        ["handle", "abort", "finalize"],
        "once, though the node's event is refused too"
    );
}

#[test]
fn an_abort_stops_what_may_run_and_tells_so() {
    let run = |bench: &Bench, status: &NodeStatus| {
        now(CoreHandler(call(&bench.effects, &with_outputs(), status)).abort()).is_ok()
    };
    assert!(!run(&bench(None), &at(CorePhase::Running, 0)));
    let fails = Arc::new(ScriptedPlugin { abort: Does::Fails, ..ScriptedPlugin::default() });
    assert!(!run(&bench_of(&fails, Recorder::default()), &at(CorePhase::Running, 0)));
    let plugin = Arc::new(ScriptedPlugin::default());
    let bench = bench_of(&plugin, Recorder::default());
    assert!(run(&bench, &at(CorePhase::Running, 0)));
    assert_eq!(bench.recorder.task_phases(), ["ABORTED"]);
    for (answer, ok) in [
        (EventError::IncompatibleCluster, true),
        (EventError::NotFound, true),
        (EventError::AlreadyInTerminalState, true),
        (EventError::AlreadyExists, true),
        (EventError::Failed(SystemError::new("down")), false),
    ] {
        let bench = bench_of(&plugin, Recorder::answering(answer));
        assert_eq!(run(&bench, &at(CorePhase::Running, 0)), ok);
    }
    // What has ended holds nothing, unless it says so.
    let mut failed = at(CorePhase::PermanentFailure, 0);
    let plugin = Arc::new(ScriptedPlugin::default());
    for (cleanup, calls) in [(false, 0), (true, 1)] {
        failed.task.as_mut().unwrap().cleanup_on_failure = cleanup;
        assert!(run(&bench_of(&plugin, Recorder::default()), &failed));
        assert_eq!(plugin.calls().len(), calls);
    }
}

#[test]
fn a_finalization_gives_what_the_plugin_says() {
    let run = |bench: &Bench| {
        let status = at(CorePhase::Success, 0);
        now(CoreHandler(call(&bench.effects, &with_outputs(), &status)).finalize()).is_ok()
    };
    assert!(!run(&bench(None)));
    let fails = Arc::new(ScriptedPlugin { finalize: Does::Fails, ..ScriptedPlugin::default() });
    assert!(!run(&bench_of(&fails, Recorder::default())));
    assert!(run(&bench_of(&Arc::default(), Recorder::default())));
}

/// A round over a node that was queued and began ten seconds ago.
fn late(
    info: Does<Transition>,
    attempts: Option<u32>,
    own: (u64, u64),
) -> (Result<Next, RoundError>, Vec<String>) {
    let (next, calls, _) = late_with(info, attempts, own, Recorder::default());
    (next, calls)
}

fn late_with(
    info: Does<Transition>,
    attempts: Option<u32>,
    own: (u64, u64),
    recorder: Recorder,
) -> (Result<Next, RoundError>, Vec<String>, Arc<Recorder>) {
    let plugin = Arc::new(ScriptedPlugin { handle: info, ..ScriptedPlugin::default() });
    let mut bench = bench_of(&plugin, recorder);
    bench.effects.config.deadlines.execution = seconds(1);
    let mut spec = node("n1", &[]);
    spec.min_attempts = attempts;
    (spec.active_deadline.0, spec.execution_deadline.0) = (seconds(own.0), seconds(own.1));
    let mut workflow = workflow(vec![spec]);
    workflow.status.phase = WorkflowPhase::Running;
    let mut status = at(CorePhase::Running, 0);
    (status.queued_ns, status.attempt_began_ns) = (Some(0), Some(0));
    workflow.status.nodes.insert("n1".to_owned(), status);
    (now(bench.effects.round(&workflow, 10 * SECOND)), plugin.calls(), bench.recorder)
}

#[test]
fn an_attempt_over_its_time_is_told_to_have_failed_after_it_was_released() {
    let running = || Does::Returns(PhaseInfo::of(CorePhase::Running).into());
    let cleaned = ["handle", "abort", "finalize"];
    for (attempts, own, becomes, node_events) in [
        (Some(2), (0, 5), NodePhase::RetryableFailure, vec![]),
        (Some(1), (0, 5), NodePhase::Failing, vec![]),
        (None, (5, 0), NodePhase::TimedOut, vec!["TIMED_OUT"]),
    ] {
        let (next, _, recorder) = late_with(running(), attempts, own, Recorder::default());
        assert_eq!(next.unwrap().status.node_phase("n1"), becomes);
        // An event of an abort would contradict the failure that is found if this round is lost.
        assert_eq!((recorder.task_phases(), recorder.node_phases()), (vec!["FAILED"], node_events));
        let output = recorder.tasks.lock().unwrap()[0].output.clone();
        assert!(matches!(output, Some(OutputResult::Error { code, .. }) if code == "TimeoutExpired"));
        // What the control plane has ended fails, and is released once.
        let refuses = Recorder::answering(EventError::AlreadyInTerminalState);
        let (next, calls, _) = late_with(running(), attempts, own, refuses);
        let phase = next.unwrap().status.node_phase("n1");
        assert!(matches!(phase, NodePhase::Failing | NodePhase::Failed), "{phase:?}");
        assert_eq!(calls, cleaned);
    }
    // Nothing is late in the first generation.
    let executor = Arc::new(Scripted::default());
    let mut bench = bench(v1(&executor));
    bench.effects.config.deadlines = Deadlines { active: seconds(1), execution: seconds(1) };
    let mut workflow = workflow(vec![node("n1", &[])]);
    workflow.status.phase = WorkflowPhase::Running;
    let began = NodeStatus { queued_ns: Some(0), attempt_began_ns: Some(0), ..at(CorePhase::Running, 0) };
    workflow.status.nodes.insert("n1".to_owned(), began);
    let next = now(bench.effects.round(&workflow, 10 * SECOND)).unwrap();
    assert_eq!((next.status.node_phase("n1"), executor.calls().len()), (NodePhase::Running, 1));
}

#[test]
fn an_attempt_over_its_time_is_stopped_and_tried_again_and_a_late_success_counts() {
    let running = || Does::Returns(PhaseInfo::of(CorePhase::Running).into());
    let success = || Does::Returns(PhaseInfo::of(CorePhase::Success).into());
    let cleaned = ["handle", "abort", "finalize"];
    for (does, attempts, own, expected, calls) in [
        (running(), None, (5, 0), NodePhase::TimedOut, &cleaned[..]),
        (running(), Some(2), (0, 0), NodePhase::RetryableFailure, &cleaned[..]),
        (running(), Some(2), (0, 5), NodePhase::RetryableFailure, &cleaned[..]),
        (running(), Some(1), (0, 5), NodePhase::Failing, &cleaned[..]),
        (success(), Some(2), (0, 5), NodePhase::Succeeding, &cleaned[..1]),
        (running(), Some(2), (15, 15), NodePhase::Running, &cleaned[..1]),
    ] {
        let (next, called) = late(does, attempts, own);
        assert_eq!(next.unwrap().status.node_phase("n1"), expected, "{attempts:?} {own:?}");
        assert_eq!(called, calls, "{attempts:?} {own:?}");
    }
    let (next, _) = late(running(), Some(2), (0, 0));
    let status = next.unwrap().status.node("n1");
    assert_eq!(status.error.unwrap().message, "task execution timeout [1s] expired");
    assert_eq!((status.attempts, status.task), (1, None));
    assert!(matches!(late(Does::Fails, Some(2), (0, 5)).0, Err(RoundError::Discarded { .. })));
}

#[test]
fn what_an_attempt_holds_is_released_before_the_next_is_counted() {
    let failed = PhaseInfo::failed(CorePhase::RetryableFailure, TaskError::user("c", "m")).cleaned_up();
    for (finalize, retried) in [(Does::Returns(()), true), (Does::Fails, false)] {
        let plugin = Arc::new(ScriptedPlugin {
            handle: Does::Returns(failed.clone().into()),
            finalize,
            ..ScriptedPlugin::default()
        });
        let bench = bench_of(&plugin, Recorder::default());
        let mut workflow = workflow(vec![node("n1", &[])]);
        workflow.spec.nodes[0].min_attempts = Some(2);
        workflow.status.phase = WorkflowPhase::Running;
        workflow.status.nodes.insert("n1".to_owned(), at(CorePhase::Running, 0));
        let next = now(bench.effects.round(&workflow, SECOND));
        assert_eq!(next.is_ok_and(|next| next.status.node("n1").attempts == 1), retried);
        assert_eq!(plugin.calls(), ["handle", "abort", "finalize"]);
    }
}

#[test]
fn a_node_that_fails_is_aborted_and_finalized_though_the_abort_fails() {
    for (abort, finalize, said) in [
        (Does::Fails, Does::Returns(()), vec!["abort failed"]),
        (Does::Fails, Does::Fails, vec!["abort failed", "finalize failed"]),
        (Does::Returns(()), Does::Returns(()), vec![]),
    ] {
        let plugin = Arc::new(ScriptedPlugin { abort, finalize, ..ScriptedPlugin::default() });
        let bench = bench_of(&plugin, Recorder::default());
        let mut workflow = workflow(vec![node("n1", &[])]);
        workflow.status.phase = WorkflowPhase::Running;
        let status = NodeStatus { phase: NodePhase::Failing, ..at(CorePhase::Running, 0) };
        workflow.status.nodes.insert("n1".to_owned(), status);
        let result = now(bench.effects.round(&workflow, SECOND));
        assert_eq!(plugin.calls(), ["abort", "finalize"]);
        match result {
            Ok(next) => assert_eq!((next.status.node_phase("n1"), said.len()), (NodePhase::Failed, 0)),
            Err(error) => {
                let error = error.to_string();
                assert!(!said.is_empty() && said.iter().all(|text| error.contains(text)), "{error}");
            }
        }
    }
}

#[test]
fn nodes_that_have_not_begun_are_neither_aborted_nor_finalized() {
    let plugin = Arc::new(ScriptedPlugin::default());
    let bench = bench_of(&plugin, Recorder::default());
    let mut workflow = workflow(vec![node("n1", &[])]);
    workflow.metadata.deleting = true;
    assert_eq!(now(bench.effects.round(&workflow, SECOND)).unwrap().status.phase, WorkflowPhase::Aborted);
    assert!(plugin.calls().is_empty());
}

#[test]
fn the_catalog_decides_before_the_plugin_is_called() {
    use NodePhase::{NotYetStarted, Queued, Running, Succeeded};
    let elsewhere = Reservation::Other(Arc::from("other"));
    for (phase, hit, reservation, expected) in [
        (NotYetStarted, false, None, Queued),
        (NotYetStarted, true, None, Succeeded),
        (Queued, true, Some(&elsewhere), Succeeded),
        (Queued, false, Some(&elsewhere), Queued),
        (Queued, false, Some(&Reservation::Own), Running),
        (Running, false, Some(&elsewhere), Running),
    ] {
        assert_eq!(cache_step(phase, hit, reservation), expected, "{phase:?} {hit}");
    }
    let workflow = cacheable();
    for (reservation, expected, calls) in
        [(elsewhere.clone(), Asked::Queued, 0), (Reservation::Own, Asked::Running, 1)]
    {
        let plugin = handling(PhaseInfo::of(CorePhase::Queued));
        let mut bench = bench_of(&plugin, Recorder::default());
        let catalog = FixedCatalog::getting(Err(CatalogError::NotFound));
        let reserved =
            FixedCatalog { get: catalog.get.clone(), put: Ok(()), reservation, calls: Default::default() };
        bench.effects.catalog = Some(Arc::new(reserved));
        let status = NodeStatus { phase: Queued, ..NodeStatus::default() };
        let outcome = now(CoreHandler(call(&bench.effects, &workflow, &status)).handle()).unwrap();
        assert_eq!((outcome.asked, plugin.calls().len()), (expected, calls));
    }
}

/// A workflow that runs, whose task's results are computed once.
fn cacheable() -> Workflow {
    let mut workflow = with_outputs();
    (workflow.spec.tasks[0].discoverable, workflow.spec.tasks[0].cache_serializable) = (true, true);
    workflow.status.phase = WorkflowPhase::Running;
    workflow
}

#[test]
fn rounds_ask_the_catalog_with_the_phase_that_the_node_is_in() {
    use NodePhase::{NotYetStarted, Queued, RetryableFailure, Running, Succeeded};
    let (mine, elsewhere) = (Reservation::Own, Reservation::Other(Arc::from("other")));
    for (was, hit, reservation, becomes, events, called) in [
        (NotYetStarted, false, &elsewhere, Queued, vec!["QUEUED"], false),
        (NotYetStarted, true, &elsewhere, Succeeded, vec!["SUCCEEDED"], false),
        (Queued, true, &elsewhere, NodePhase::Succeeding, vec![], false),
        (Queued, false, &elsewhere, Queued, vec![], false),
        (Queued, false, &mine, Running, vec!["RUNNING"], true),
        (Running, true, &elsewhere, Running, vec![], true),
        (RetryableFailure, true, &elsewhere, NodePhase::Succeeding, vec![], false),
    ] {
        let plugin = handling(PhaseInfo::of(CorePhase::Queued));
        let mut bench = bench_of(&plugin, Recorder::default());
        let get = match hit {
            true => Ok(Some([("x".to_owned(), serde_json::json!(5))].into())),
            false => Err(CatalogError::NotFound),
        };
        let (reservation, calls) = (reservation.clone(), Default::default());
        bench.effects.catalog = Some(Arc::new(FixedCatalog { get, put: Ok(()), reservation, calls }));
        let mut workflow = cacheable();
        workflow.spec.nodes.push(node("n2", &["n1"]));
        workflow.status.nodes.insert("n1".to_owned(), NodeStatus { phase: was, ..NodeStatus::default() });
        let next = now(bench.effects.round(&workflow, SECOND)).unwrap().status;
        assert_eq!((next.node_phase("n1"), next.node_phase("n2")), (becomes, NotYetStarted), "{was:?} {hit}");
        assert_eq!(
            (bench.recorder.node_phases(), !plugin.calls().is_empty()),
            (events, called),
            "{was:?} {hit}"
        );
        assert_eq!(bench.files.get(OUTPUTS).is_some(), hit && was != Running);
    }
}

#[test]
fn what_the_catalog_has_is_stopped_as_its_start_may_have_been_lost() {
    for (cached, calls) in [(true, &["abort", "finalize"][..]), (false, &["finalize"])] {
        let plugin = Arc::new(ScriptedPlugin::default());
        let bench = bench_of(&plugin, Recorder::default());
        let mut workflow = cacheable();
        let status = NodeStatus { phase: NodePhase::Succeeding, cached, ..at(CorePhase::Success, 0) };
        workflow.status.nodes.insert("n1".to_owned(), status);
        let next = now(bench.effects.round(&workflow, SECOND)).unwrap();
        assert_eq!(
            (next.status.node_phase("n1"), plugin.calls()),
            (NodePhase::Succeeded, calls.iter().map(|call| (*call).to_owned()).collect())
        );
        assert!(bench.recorder.task_phases().is_empty(), "it was not aborted");
    }
}

#[test]
fn an_executor_of_the_first_generation_runs_under_the_successor() {
    let executor = Arc::new(Scripted {
        start: Does::Returns(TaskStatus::NOT_READY),
        check: Does::Returns(TaskStatus::SUCCEEDED),
        ..Scripted::default()
    });
    let mut bench = bench(v1(&executor));
    bench.effects.config.generation = Generation::Successor;
    let workflow = workflow(vec![node("n1", &[])]);
    let handle = |status: &NodeStatus| {
        now(CoreHandler(call(&bench.effects, &workflow, status)).handle()).unwrap().asked
    };
    assert_eq!(handle(&NodeStatus::default()), Asked::Running);
    assert_eq!(handle(&at(CorePhase::NotReady, 0)), Asked::Running, "what was not accepted is started again");
    assert_eq!(handle(&at(CorePhase::Queued, 0)), Asked::Success);
    now(CoreHandler(call(&bench.effects, &workflow, &at(CorePhase::Running, 0))).abort()).unwrap();
    now(CoreHandler(call(&bench.effects, &workflow, &at(CorePhase::Running, 0))).finalize()).unwrap();
    let name = "execName1-n1-0";
    assert_eq!(executor.calls(), ["start", "start", "check", "kill"].map(|call| format!("{call} {name}")));
}
