//! Phases, statuses, names and events: section 1.1, 1.3 and table 2.1.

use super::{Scripted, bench, call, node, now, v1, workflow};
use fatum::systems::plugin::context::{Paths, TaskContext, bounded, generated_name};
use fatum::systems::plugin::engine::TaskHandler;
use fatum::systems::plugin::enqueue::EnqueueOwner;
use fatum::systems::plugin::error::{OutputsError, SystemError, TaskError};
use fatum::systems::plugin::events::{EventBuilder, OccurredAt, OutputResult};
use fatum::systems::plugin::model::{Asked, CorePhase, EventPhase, PhaseVersion, TaskPhase, TaskStatus};
use fatum::systems::plugin::outputs::OutputsResolver;
use fatum::systems::plugin::outside::Files;
use fatum::systems::plugin::state::CustomState;
use fatum::systems::plugin::status::NodeStatus;
use fatum::time::Duration;
use serde_json::json;
use std::sync::Arc;

#[test]
fn a_phase_is_what_the_table_says() {
    let none = None;
    for (value, name, terminal, ends, asked, event) in [
        (0, "Queued", false, false, Some(Asked::Running), "QUEUED"),
        (1, "Running", false, false, Some(Asked::Running), "RUNNING"),
        (2, "RetryableFailure", false, true, Some(Asked::RetryableFailure), "FAILED"),
        (3, "PermanentFailure", true, true, Some(Asked::Failed), "FAILED"),
        (4, "Succeeded", true, true, Some(Asked::Success), "SUCCEEDED"),
        (5, "Undefined", false, false, none, "UNDEFINED"),
        (6, "NotReady", false, false, Some(Asked::Queued), "UNDEFINED"),
        (7, "Unknown", false, false, none, "UNDEFINED"),
        (255, "Unknown", false, false, none, "UNDEFINED"),
    ] {
        let phase = TaskPhase::from_value(value);
        assert_eq!((phase.name(), phase.to_string().as_str()), (name, name), "{value}");
        assert_eq!(phase.value(), value.min(7));
        assert_eq!((phase.is_terminal(), phase.ends_attempt()), (terminal, ends), "{name}");
        assert_eq!(phase.event_phase().name(), event, "{name}");
        match asked {
            Some(asked) => assert_eq!(phase.asked(), Ok(asked), "{name}"),
            None => {
                let error = phase.asked().unwrap_err().to_string();
                assert_eq!(error, format!("received unknown task phase. [{name}]"));
            }
        }
        assert_eq!(phase.is_success(), name == "Succeeded");
        assert_eq!(phase.is_permanent_failure(), name == "PermanentFailure");
        assert_eq!(phase.is_retryable_failure(), name == "RetryableFailure");
    }
    assert_eq!(TaskPhase::default(), TaskPhase::Queued);
}

#[test]
fn an_event_of_the_successor_says_its_phase() {
    for (phase, event) in [
        (CorePhase::Undefined, "UNDEFINED"),
        (CorePhase::NotReady, "UNDEFINED"),
        (CorePhase::WaitingForResources, "WAITING_FOR_RESOURCES"),
        (CorePhase::Queued, "QUEUED"),
        (CorePhase::Initializing, "INITIALIZING"),
        (CorePhase::Running, "RUNNING"),
        (CorePhase::Success, "SUCCEEDED"),
        (CorePhase::RetryableFailure, "FAILED"),
        (CorePhase::PermanentFailure, "FAILED"),
        (CorePhase::WaitingForCache, "UNDEFINED"),
        (CorePhase::Aborted, "ABORTED"),
    ] {
        assert_eq!(phase.event_phase().name(), event, "{phase}");
    }
}

#[test]
fn a_status_is_copied_and_not_changed() {
    let original = TaskStatus::QUEUED;
    let state = CustomState::new().with("a", 1);
    let copy = original
        .clone()
        .with_phase_version(PhaseVersion(7))
        .with_state(state.clone())
        .with_occurred_at(Duration::from_secs(1));
    assert_eq!(
        (copy.phase_version, copy.state, copy.occurred_at),
        (PhaseVersion(7), Some(state), Some(Duration::from_secs(1)))
    );
    assert_eq!(original, TaskStatus::of(TaskPhase::Queued));
}

#[test]
fn failures_say_their_phase_and_error_only() {
    let error = TaskError::user("Code", "message");
    for (status, phase) in [
        (TaskStatus::not_ready_failure(error.clone()), TaskPhase::NotReady),
        (TaskStatus::retryable_failure(error.clone()), TaskPhase::RetryableFailure),
        (TaskStatus::permanent_failure(error.clone()), TaskPhase::PermanentFailure),
    ] {
        assert_eq!(status, TaskStatus { err: Some(error.clone()), ..TaskStatus::of(phase) });
    }
    let status = TaskStatus::retryable_failure(error).with_occurred_at(Duration::from_secs(2));
    assert_eq!(
        status.to_string(),
        "{Phase: RetryableFailure, Version: 0, At: 2s, Err: Code: message, CustomStateLen: 0}"
    );
    let status =
        TaskStatus::RUNNING.with_phase_version(PhaseVersion(3)).with_state(CustomState::new().with("a", 1));
    assert_eq!(status.to_string(), "{Phase: Running, Version: 3, At: unset, CustomStateLen: 1}");
}

#[test]
fn names_are_stable_within_an_attempt_bounded_and_different_for_each() {
    assert_eq!(&*generated_name("execName1", "n1", 0), "execName1-n1-0");
    assert_eq!(&*generated_name("execName1", "n1", 2), "execName1-n1-2");
    let long = "a-workflow-with-a-name-that-is-longer-than-any-object-may-have";
    let names: Vec<Arc<str>> = (0..3).map(|attempt| generated_name(long, "n1", attempt)).collect();
    assert!(names.iter().all(|name| name.len() == 50), "{names:?}");
    assert!(names[0] != names[1] && names[1] != names[2]);
    assert_eq!(names[0], generated_name(long, "n1", 0));
    // Fixed for ever: what was made outside is found again by a later version.
    assert_eq!(&*names[0], "a-workflow-with-a-name-that-is-longe-x2ved67qdobak");
    // What could be another's name is told apart.
    let (one, other) = (generated_name("a-b", "c", 0), generated_name("a", "b-c", 0));
    assert!(one != other && one.starts_with("a-b-c-0-") && other.starts_with("a-b-c-0-"), "{one} {other}");
    assert_ne!(generated_name("a", "b-1", 0), generated_name("a-b", "1", 0));
    assert_eq!(bounded(long, 4).len(), 8);
    assert!(Paths::of("d", "w", "n", 0).data_dir != Paths::of("d", "w", "n", 1).data_dir);
}

#[test]
fn who_is_asked_twice_is_told_once() {
    let owners = EnqueueOwner::new();
    assert_eq!((owners.enqueue("a"), owners.enqueue("b"), owners.enqueue("a")), (true, true, false));
    assert_eq!(now(owners.asked()).into_iter().collect::<Vec<_>>(), ["a", "b"]);
    assert!(owners.enqueue("a"));
}

/// The context of attempt 0 of `n1`.
fn context() -> (TaskContext, Files) {
    let bench = bench(v1(&Arc::new(Scripted::default())));
    let (workflow, status) = (workflow(vec![node("n1", &[])]), NodeStatus::default());
    let TaskHandler(call) = TaskHandler(call(&bench.effects, &workflow, &status));
    (call.context().unwrap(), bench.files)
}

#[test]
fn an_event_says_what_became_of_the_attempt() {
    let (context, _) = context();
    let (now, then) = (Duration::from_secs(9), Duration::from_secs(5));
    let error = TaskError::user("Code", "message");
    let uri = "default/execName1/n1/0/error.pb".to_owned();
    let failed = |code: &str, message: &str| {
        Some(OutputResult::Error { code: code.to_owned(), message: message.to_owned(), uri: uri.clone() })
    };
    let outputs = Some(OutputResult::Outputs("default/execName1/n1/0/outputs.pb".to_owned()));
    for (status, phase, output) in [
        (TaskStatus::QUEUED, EventPhase::Queued, None),
        (TaskStatus::RUNNING, EventPhase::Running, None),
        (TaskStatus::SUCCEEDED, EventPhase::Succeeded, outputs),
        (TaskStatus::permanent_failure(error.clone()), EventPhase::Failed, failed("Code", "message")),
        (TaskStatus::retryable_failure(error), EventPhase::Failed, failed("Code", "message")),
        (
            TaskStatus::of(TaskPhase::PermanentFailure),
            EventPhase::Failed,
            failed("UnknownTaskError", "unknown reason"),
        ),
    ] {
        let event = EventBuilder::new(&context, &status).build(now);
        assert_eq!((event.phase, event.output, event.occurred_at), (phase, output, now), "{status}");
    }
    // An error that wraps a task's keeps its code; one that wraps none has its text.
    let wrapped = SystemError::caused_by("outer", TaskError::user("Code", "message"));
    for (error, output) in
        [(wrapped, failed("Code", "message")), (SystemError::new("down"), failed("UnknownTaskError", "down"))]
    {
        let status = TaskStatus::of(TaskPhase::PermanentFailure);
        let event = EventBuilder::new(&context, &status).caused_by(&error).build(now);
        assert_eq!(event.output, output);
    }
    let status = TaskStatus::RUNNING.with_occurred_at(then);
    let event =
        EventBuilder::new(&context, &status).custom_info(json!({"a": 1})).log("l", "uri").log("m", "uri");
    let built = event.clone().build(now);
    assert_eq!((built.custom_info, built.logs.len(), built.occurred_at), (Some(json!({"a": 1})), 2, then));
    // As in the reference, where the given time is dropped.
    assert_eq!(event.occurred_at(OccurredAt::Now).build(now).occurred_at, now);
}

#[test]
fn outputs_are_read_and_what_is_missing_is_named() {
    let (context, files) = context();
    let resolver = OutputsResolver::new(Arc::new(files.clone()));
    let resolve = |variables: &[&str]| now(resolver.resolve(&context, variables));
    let path = "default/execName1/n1/0/outputs.pb";
    let missing = resolve(&["x"]).unwrap_err();
    assert_eq!(missing.to_string(), format!("outputs from Task [execName1-n1-0] not found at [{path}]"));
    files.put(path, "{}");
    let missing = resolve(&["x"]).unwrap_err();
    assert_eq!(missing.to_string(), "failed to find [execName1-n1-0].[x]");
    assert_eq!(resolve(&[]).unwrap().len(), 0);
    files.put(path, r#"{"x": 5, "y": 6}"#);
    assert_eq!(resolve(&["x"]).unwrap(), [("x".to_owned(), json!(5))].into());
    files.put(path, "not JSON");
    let unread = resolve(&["x"]).unwrap_err();
    assert!(matches!(unread, OutputsError::Read { .. }));
    let begin = format!("failed to read data from dataDir [{path}]. Error: ");
    assert!(unread.to_string().starts_with(&begin), "{unread}");
}

#[test]
fn a_wrapped_task_error_keeps_its_code() {
    let error = TaskError::system("Code", "message");
    let wrapped = SystemError::caused_by("outer", SystemError::caused_by("inner", error.clone()));
    assert_eq!(TaskError::unwrapped(&wrapped), Some(error));
    assert_eq!(TaskError::unwrapped(&SystemError::new("alone")), None);
    assert_eq!(wrapped.to_string(), "outer: inner: Code: message");
}

#[test]
fn states_go_in_and_out_unchanged_and_are_copies() {
    let state = CustomState::new().with("a", 1).with("b", json!([1, 2]));
    let copy = state.clone().with("a", 2);
    assert_eq!(state.get("a"), Some(&json!(1)));
    assert_ne!(CustomState::fingerprint(Some(&state)), CustomState::fingerprint(Some(&copy)));
    assert_eq!(CustomState::fingerprint(None), 0);
    let parsed: std::collections::BTreeMap<String, serde_json::Value> = state.parse().unwrap();
    assert_eq!(CustomState::of(&parsed).unwrap(), state);
    assert!((state.len(), CustomState::new().is_empty()) == (2, true));
}
