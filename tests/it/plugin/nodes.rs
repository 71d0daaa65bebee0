//! Nodes: table 2.4, up to the workflow's round.

use super::{Bench, Does, FixedCatalog, Recorder, Scripted, bench, bench_with, node, now, v1, workflow};
use fatum::systems::plugin::engine::{Next, RoundError, write_inputs};
use fatum::systems::plugin::error::{EventError, SystemError, TaskError};
use fatum::systems::plugin::model::{
    Answer, Asked, NodePhase, Predicate, TaskPhase, TaskStatus, WorkflowPhase, downstream, predicate,
    transition,
};
use fatum::systems::plugin::outputs::{DataStore, LiteralMap};
use fatum::systems::plugin::outside::Files;
use fatum::systems::plugin::retry::{RetryStrategy, max_parallelism_achieved, retry};
use fatum::systems::plugin::status::{NodeStatus, Workflow};
use fatum::systems::plugin::workflow::{NodeKind, NodeSpec};
use serde_json::json;
use std::sync::Arc;

#[test]
fn what_is_asked_for_becomes_a_phase_and_an_answer() {
    for (asked, phase, answer) in [
        (Asked::NotStarted, NodePhase::NotYetStarted, Answer::Pending),
        (Asked::Running, NodePhase::Running, Answer::Running),
        (Asked::Success, NodePhase::Succeeded, Answer::Success),
        (Asked::Succeeding, NodePhase::Succeeding, Answer::Running),
        (Asked::Failing, NodePhase::Failing, Answer::Running),
        (Asked::Failed, NodePhase::Failed, Answer::Failed),
        (Asked::Skipped, NodePhase::Skipped, Answer::Success),
        (Asked::Queued, NodePhase::Queued, Answer::Queued),
    ] {
        assert_eq!(transition(asked), Ok((phase, answer)), "{asked:?}");
    }
    assert!(transition(Asked::Undefined).is_err());
}

#[test]
fn a_retry_is_counted_before_it_is_compared() {
    let error = TaskError::user("Code", "message");
    let strategy = |max| Some(RetryStrategy { min_attempts: Some(max) });
    for (given, before, attempts, again) in [
        (None, 0, 1, false),
        (Some(RetryStrategy::default()), 0, 1, false),
        (strategy(0), 0, 1, false),
        (strategy(1), 0, 1, false),
        (strategy(2), 0, 1, true),
        (strategy(2), 1, 2, false),
        (strategy(2), 2, 3, false),
        (strategy(3), 1, 2, true),
    ] {
        let found = retry(given, before, &error);
        assert_eq!((found.attempts, found.decision.is_ok()), (attempts, again), "{given:?} {before}");
    }
    let failed = retry(strategy(2), 1, &error).decision.unwrap_err();
    assert_eq!((failed.code.as_str(), failed.message.as_str()), ("Code", "Retries [2/2], message"));
}

#[test]
fn no_more_nodes_run_than_may() {
    for kind in [NodeKind::Task, NodeKind::LaunchPlan] {
        for (limit, current, expected) in
            [(1, 1, true), (1, 2, true), (0, 1, false), (4, 1, false), (2, 1, false)]
        {
            assert_eq!(
                max_parallelism_achieved(kind, limit, current),
                expected,
                "{kind:?} {limit} {current}"
            );
        }
    }
    for kind in [NodeKind::Start, NodeKind::End, NodeKind::Branch, NodeKind::SubWorkflow] {
        assert!(!max_parallelism_achieved(kind, 1, 1), "{kind:?}");
    }
}

#[test]
fn a_child_waits_for_all_its_parents() {
    let succeeded = NodePhase::Succeeded;
    for (second, expected) in [
        (NodePhase::NotYetStarted, Predicate::NotReady),
        (NodePhase::Running, Predicate::NotReady),
        (NodePhase::Queued, Predicate::NotReady),
        (NodePhase::RetryableFailure, Predicate::NotReady),
        (NodePhase::Failing, Predicate::NotReady),
        (NodePhase::Failed, Predicate::NotReady),
        (NodePhase::Skipped, Predicate::Skip),
        (succeeded, Predicate::Ready),
    ] {
        assert_eq!(predicate([succeeded, second]), expected, "{second:?}");
        assert_eq!(predicate([second, succeeded]), expected, "{second:?}");
    }
    assert_eq!(downstream([]), Answer::Complete);
    assert_eq!(downstream([Answer::Queued]), Answer::Pending);
    assert_eq!(downstream([Answer::Running, Answer::Success]), Answer::Success);
    assert_eq!(downstream([Answer::Complete, Answer::Pending]), Answer::Pending);
    assert_eq!(downstream([Answer::Complete, Answer::Failed]), Answer::Failed);
}

#[test]
fn inputs_are_written_where_there_are_any() {
    struct Broken;
    impl DataStore for Broken {
        fn head<'a>(
            &'a self,
            _: &'a str,
        ) -> fatum::systems::plugin::BoxFuture<
            'a,
            Result<Option<fatum::systems::plugin::outputs::FileInfo>, SystemError>,
        > {
            Box::pin(async { Err(SystemError::new("down")) })
        }
        fn read<'a>(
            &'a self,
            _: &'a str,
        ) -> fatum::systems::plugin::BoxFuture<'a, Result<Option<Arc<str>>, SystemError>> {
            Box::pin(async { Err(SystemError::new("down")) })
        }
        fn write<'a>(
            &'a self,
            _: &'a str,
            _: String,
        ) -> fatum::systems::plugin::BoxFuture<'a, Result<(), SystemError>> {
            Box::pin(async { Err(SystemError::new("down")) })
        }
    }
    let (files, some): (Files, LiteralMap) = (Files::new(), [("a".to_owned(), json!(1))].into());
    now(write_inputs(&files, None, &LiteralMap::new())).unwrap();
    now(write_inputs(&files, Some("dir/inputs.pb"), &some)).unwrap();
    assert_eq!(files.get("dir/inputs.pb").as_deref(), Some(r#"{"a":1}"#));
    assert!(now(write_inputs(&files, None, &some)).is_err());
    assert!(now(write_inputs(&Broken, Some("dir/inputs.pb"), &some)).is_err());
}

/// A workflow that runs, with its nodes in these phases.
fn standing(nodes: Vec<NodeSpec>, phases: &[(&str, NodePhase)]) -> Workflow {
    let mut workflow = workflow(nodes);
    workflow.status.phase = WorkflowPhase::Running;
    for (name, phase) in phases {
        let status = NodeStatus { phase: *phase, ..NodeStatus::default() };
        workflow.status.nodes.insert((*name).to_owned(), status);
    }
    workflow
}

fn round(bench: &Bench, workflow: &Workflow) -> Result<Next, RoundError> {
    now(bench.effects.round(workflow, 1_000))
}

fn phase(next: &Next, name: &str) -> NodePhase {
    next.status.node_phase(name)
}

#[test]
fn a_node_becomes_what_its_handler_says() {
    let permanent = TaskStatus::permanent_failure(TaskError::user("Code", "message"));
    for (does, becomes, whole) in [
        (Does::Returns(TaskStatus::RUNNING), NodePhase::Running, WorkflowPhase::Running),
        (Does::Returns(TaskStatus::NOT_READY), NodePhase::Queued, WorkflowPhase::Running),
        (Does::Returns(permanent), NodePhase::Failed, WorkflowPhase::Failing),
        (Does::Returns(TaskStatus::SUCCEEDED), NodePhase::Succeeded, WorkflowPhase::Running),
    ] {
        let executor = Arc::new(Scripted { start: does, ..Scripted::default() });
        let next =
            round(&bench(v1(&executor)), &standing(vec![node("n1", &[])], &[("n1", NodePhase::Queued)]))
                .unwrap();
        assert_eq!((phase(&next, "n1"), next.status.phase), (becomes, whole));
    }
    let executor = Arc::new(Scripted { start: Does::Fails, ..Scripted::default() });
    let workflow = standing(vec![node("n1", &[])], &[("n1", NodePhase::Queued)]);
    let Err(RoundError::Discarded { next, .. }) = round(&bench(v1(&executor)), &workflow) else {
        panic!("the round is thrown away")
    };
    assert_eq!((phase(&next, "n1"), next.status.failed_attempts), (NodePhase::Queued, 1));
}

#[test]
fn a_node_is_queued_whatever_its_handler_would_say_and_its_child_waits_a_round() {
    let executor = Arc::new(Scripted { start: Does::Returns(TaskStatus::SUCCEEDED), ..Scripted::default() });
    let bench = bench(v1(&executor));
    let mut workflow = standing(vec![node("n1", &[]), node("n2", &["n1"])], &[]);
    let mut seen = Vec::new();
    for _ in 0..5 {
        let next = round(&bench, &workflow).unwrap();
        seen.push((phase(&next, "n1"), phase(&next, "n2"), next.status.phase));
        (workflow.status, workflow.metadata) = (next.status, next.metadata);
    }
    use NodePhase::{NotYetStarted, Queued, Succeeded};
    assert_eq!(
        seen,
        [
            (Queued, NotYetStarted, WorkflowPhase::Running),
            (Succeeded, NotYetStarted, WorkflowPhase::Running),
            (Succeeded, Queued, WorkflowPhase::Running),
            (Succeeded, Succeeded, WorkflowPhase::Running),
            (Succeeded, Succeeded, WorkflowPhase::Success),
        ]
    );
}

#[test]
fn a_child_of_a_parent_that_failed_or_was_passed_over_never_starts() {
    let executor = Arc::new(Scripted::default());
    let nodes = || vec![node("n1", &[]), node("n2", &["n1"])];
    let failed = standing(nodes(), &[("n1", NodePhase::Failed)]);
    let next = round(&bench(v1(&executor)), &failed).unwrap();
    assert_eq!((phase(&next, "n2"), next.status.phase), (NodePhase::NotYetStarted, WorkflowPhase::Failing));
    let skipped = standing(nodes(), &[("n1", NodePhase::Skipped)]);
    let next = round(&bench(v1(&executor)), &skipped).unwrap();
    assert_eq!((phase(&next, "n2"), next.status.phase), (NodePhase::Skipped, WorkflowPhase::Running));
    assert!(executor.calls().is_empty());
}

#[test]
fn a_retryable_failure_is_retried_while_attempts_are_left() {
    let status = TaskStatus::retryable_failure(TaskError::user("Code", "message"));
    let executor = Arc::new(Scripted { check: Does::Returns(status), ..Scripted::default() });
    for (min_attempts, becomes, attempts, whole, events) in [
        (Some(2), NodePhase::RetryableFailure, 1, WorkflowPhase::Running, vec![]),
        (Some(1), NodePhase::Failed, 1, WorkflowPhase::Failing, vec!["FAILED"]),
        (None, NodePhase::Failed, 1, WorkflowPhase::Failing, vec!["FAILED"]),
    ] {
        let bench = bench(v1(&executor));
        let spec = NodeSpec { min_attempts, ..node("n1", &[]) };
        let next = round(&bench, &standing(vec![spec], &[("n1", NodePhase::Running)])).unwrap();
        let found = next.status.node("n1");
        assert_eq!((found.phase, found.attempts, next.status.phase), (becomes, attempts, whole));
        assert_eq!(bench.recorder.node_phases(), events);
        if becomes == NodePhase::RetryableFailure {
            assert_eq!((found.task, found.attempt_began_ns), (None, None), "the task's status is cleared");
        }
    }
}

#[test]
fn what_has_ended_is_not_called_again() {
    let executor = Arc::new(Scripted::default());
    let (failed, done) = (NodePhase::Failed, NodePhase::Succeeded);
    let next = round(&bench(v1(&executor)), &standing(vec![node("n1", &[])], &[("n1", failed)])).unwrap();
    assert_eq!((phase(&next, "n1"), next.status.phase), (failed, WorkflowPhase::Failing));
    let next = round(&bench(v1(&executor)), &standing(vec![node("n1", &[])], &[("n1", done)])).unwrap();
    assert_eq!((phase(&next, "n1"), next.status.phase), (done, WorkflowPhase::Success));
    assert!(executor.calls().is_empty());
}

#[test]
fn an_event_that_is_not_taken_loses_the_round_and_one_that_contradicts_fails_the_node() {
    let queued = || standing(vec![node("n1", &[])], &[("n1", NodePhase::Queued)]);
    let run = |answer: EventError| {
        let executor = Arc::new(Scripted::default());
        let result = round(&bench_with(v1(&executor), Recorder::answering(answer)), &queued());
        (result, executor.calls())
    };
    let (down, _) = run(EventError::Failed(SystemError::new("down")));
    assert_eq!(down.unwrap_err().to_string(), "failed to record event: down");
    let (known, _) = run(EventError::AlreadyExists);
    assert_eq!(phase(&known.unwrap(), "n1"), NodePhase::Running);
    let (ended, calls) = run(EventError::AlreadyInTerminalState);
    let found = ended.unwrap().status.node("n1");
    assert_eq!(found.phase, NodePhase::Failed);
    let message = found.error.unwrap().message;
    assert!(message.starts_with("phase mismatch between propeller and control plane"), "{message}");
    // What was started is not left behind.
    assert_eq!(calls, ["start execName1-n1-0", "kill execName1-n1-0"]);
}

#[test]
fn a_node_that_two_paths_lead_to_is_called_once() {
    let executor = Arc::new(Scripted::default());
    let nodes = vec![node("n1", &[]), node("n2", &[]), node("n3", &["n1", "n2"])];
    let phases = [("n1", NodePhase::Succeeded), ("n2", NodePhase::Succeeded), ("n3", NodePhase::Running)];
    round(&bench(v1(&executor)), &standing(nodes, &phases)).unwrap();
    assert_eq!(executor.calls(), ["check execName1-n3-0"]);
}

#[test]
fn what_an_earlier_attempt_said_is_not_said_of_the_next() {
    let said = TaskError::user("Earlier", "the first attempt's");
    for (status, becomes, code) in [
        (TaskStatus::RUNNING, NodePhase::Running, None),
        (TaskStatus::of(TaskPhase::PermanentFailure), NodePhase::Failed, Some("UnknownTaskError")),
        (TaskStatus::permanent_failure(TaskError::user("Own", "m")), NodePhase::Failed, Some("Own")),
    ] {
        let executor = Arc::new(Scripted { start: Does::Returns(status), ..Scripted::default() });
        let bench = bench(v1(&executor));
        let mut workflow = standing(vec![node("n1", &[])], &[("n1", NodePhase::RetryableFailure)]);
        let failed = workflow.status.nodes.get_mut("n1").unwrap();
        (failed.attempts, failed.error) = (1, Some(said.clone()));
        let found = round(&bench, &workflow).unwrap().status.node("n1");
        let found_code = found.error.as_ref().map(|error| error.code.as_str());
        assert_eq!((found.phase, found_code), (becomes, code));
        let told = bench.recorder.nodes.lock().unwrap()[0].error.clone();
        assert_eq!(told, found.error, "the event says the same");
    }
    assert_eq!(TaskError::unknown().message, "unknown reason");
}

#[test]
fn an_event_of_a_node_names_the_workflow_that_it_launches() {
    let bench = bench(v1(&Arc::new(Scripted::default())));
    let launches =
        NodeSpec { kind: NodeKind::LaunchPlan, workflow: Some("child".to_owned()), ..node("n1", &[]) };
    round(&bench, &standing(vec![launches, node("n2", &[])], &[])).unwrap();
    let events = bench.recorder.nodes.lock().unwrap().clone();
    let named: Vec<_> = events.iter().map(|event| event.child_workflow.as_deref()).collect();
    assert_eq!(named, [Some("child"), None]);
}

/// A parent that is done, with an output, and its child that is to start.
fn parent_and_child() -> Workflow {
    let phases = [("n1", NodePhase::Succeeded), ("n2", NodePhase::Queued)];
    let mut workflow = standing(vec![node("n1", &[]), node("n2", &["n1"])], &phases);
    workflow.spec.tasks[0].outputs = vec!["x".to_owned()];
    workflow
}

#[test]
fn a_child_reads_what_the_executor_of_its_parent_says() {
    let (workflow, inputs) = (parent_and_child(), "default/execName1/n2/inputs.pb");
    let executor = Arc::new(Scripted::default());
    let missing = bench(v1(&executor));
    let Err(RoundError::Discarded { error, .. }) = round(&missing, &workflow) else {
        panic!("what is missing is no empty input")
    };
    assert!(
        error
            .to_string()
            .starts_with("failed to resolve inputs: outputs from Task [execName1-n1-0] not found")
    );
    assert!(executor.calls().is_empty() && missing.files.get(inputs).is_none());
    let there = bench(v1(&executor));
    there.files.put("default/execName1/n1/0/outputs.pb", r#"{"x": 5, "y": 6}"#);
    round(&there, &workflow).unwrap();
    assert_eq!(there.files.get(inputs).as_deref(), Some(r#"{"n1.x":5}"#));
    // An executor that keeps outputs elsewhere is asked for them.
    let outputs = Some([("x".to_owned(), json!(7))].into());
    let elsewhere = Arc::new(Scripted { outputs, ..Scripted::default() });
    let bench = bench(v1(&elsewhere));
    round(&bench, &workflow).unwrap();
    assert_eq!(bench.files.get(inputs).as_deref(), Some(r#"{"n1.x":7}"#));
    assert_eq!(*elsewhere.inputs.lock().unwrap(), [[("n1.x".to_owned(), json!(7))].into()]);
}

#[test]
fn inputs_are_written_before_the_catalog_is_asked() {
    let mut workflow = parent_and_child();
    workflow.spec.tasks[0].discoverable = true;
    let executor = Arc::new(Scripted::default());
    let mut bench = bench(v1(&executor));
    bench.files.put("default/execName1/n1/0/outputs.pb", r#"{"x": 5}"#);
    bench.effects.catalog = Some(FixedCatalog::getting(Ok(Some([("x".to_owned(), json!(1))].into()))));
    assert_eq!(phase(&round(&bench, &workflow).unwrap(), "n2"), NodePhase::Succeeded);
    assert!(bench.files.get("default/execName1/n2/inputs.pb").is_some() && executor.calls().is_empty());
}
