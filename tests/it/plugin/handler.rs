//! The task handler of the first generation: table 2.2, and what has no upstream test.

use super::{Bench, Does, FixedCatalog, Scripted, bench, call, node, now, v1, workflow};
use fatum::systems::plugin::engine::{Outcome, TaskHandler};
use fatum::systems::plugin::error::{CatalogError, SystemError, TaskError};
use fatum::systems::plugin::model::{Asked, TaskStatus};
use fatum::systems::plugin::status::{NodeStatus, Workflow};
use serde_json::json;
use std::sync::Arc;

const OUTPUTS: &str = "default/execName1/n1/0/outputs.pb";

fn one() -> Workflow {
    workflow(vec![node("n1", &[])])
}

/// The same, whose task has an output and is discoverable.
fn discoverable() -> Workflow {
    let mut workflow = one();
    workflow.spec.tasks[0].outputs = vec!["x".to_owned()];
    workflow.spec.tasks[0].discoverable = true;
    workflow
}

fn start(bench: &Bench, workflow: &Workflow) -> Result<Outcome, SystemError> {
    now(TaskHandler(call(&bench.effects, workflow, &NodeStatus::default())).start_node())
}

fn check(bench: &Bench, workflow: &Workflow) -> Result<Outcome, SystemError> {
    now(TaskHandler(call(&bench.effects, workflow, &NodeStatus::default())).check_node_status())
}

fn code(outcome: &Outcome) -> &str {
    outcome.error.as_ref().map_or("", |error| error.code.as_str())
}

fn permanent() -> TaskStatus {
    TaskStatus::permanent_failure(TaskError::user("Code", "message"))
}

#[test]
fn starting_a_node_gives_what_its_executor_says() {
    let without = start(&bench(None), &one()).unwrap();
    assert_eq!((without.asked, code(&without)), (Asked::Failed, "CausedByError"));
    for (does, expected) in [
        (Does::Returns(permanent()), Ok(Asked::Failed)),
        (Does::Returns(TaskStatus::RUNNING), Ok(Asked::Running)),
        (Does::Returns(TaskStatus::QUEUED), Ok(Asked::Running)),
        (Does::Returns(TaskStatus::NOT_READY), Ok(Asked::Queued)),
        (Does::Returns(TaskStatus::UNDEFINED), Err("IllegalState: received unknown task phase. [Undefined]")),
        (Does::Fails, Err("failed to start task [retry attempt: 0]: start failed")),
        (
            Does::Panics,
            Err(
                "failed to start task [retry attempt: 0]: panic when calling start of executor [scripted]: start panicked",
            ),
        ),
    ] {
        let executor = Arc::new(Scripted { start: does, ..Scripted::default() });
        let found = start(&bench(v1(&executor)), &one());
        let found = found.map(|outcome| outcome.asked).map_err(|error| error.to_string());
        assert_eq!(found, expected.map_err(str::to_owned));
    }
}

#[test]
fn checking_a_node_gives_what_its_executor_says() {
    let without = check(&bench(None), &one()).unwrap();
    assert_eq!((without.asked, code(&without)), (Asked::Failed, "CausedByError"));
    for (does, expected) in [
        (Does::Returns(permanent()), Ok(Asked::Failed)),
        (Does::Returns(TaskStatus::RUNNING), Ok(Asked::Running)),
        (Does::Returns(TaskStatus::SUCCEEDED), Ok(Asked::Success)),
        (Does::Fails, Err("failed to check status: check failed")),
        (
            Does::Panics,
            Err("failed to check status: panic when calling check of executor [scripted]: check panicked"),
        ),
    ] {
        let executor = Arc::new(Scripted { check: does, ..Scripted::default() });
        let found = check(&bench(v1(&executor)), &one());
        let found = found.map(|outcome| outcome.asked).map_err(|error| error.to_string());
        assert_eq!(found, expected.map_err(str::to_owned));
    }
}

#[test]
fn the_catalog_is_asked_first() {
    let outputs = [("x".to_owned(), json!(5))].into();
    for (answer, expected, calls) in [
        (Err(CatalogError::Failed(SystemError::new("down"))), Some(Asked::Running), 1),
        (Err(CatalogError::NotFound), Some(Asked::Running), 1),
        (Ok(Some(outputs)), Some(Asked::Success), 0),
        (Ok(None), None, 0),
    ] {
        let executor = Arc::new(Scripted::default());
        let mut bench = bench(v1(&executor));
        bench.effects.catalog = Some(FixedCatalog::getting(answer));
        let found = start(&bench, &discoverable());
        assert_eq!(found.as_ref().ok().map(|outcome| outcome.asked), expected);
        assert_eq!(executor.calls().len(), calls);
        match found {
            Ok(outcome) => assert_eq!(bench.files.get(OUTPUTS).is_some(), outcome.cached),
            Err(error) => assert!(error.to_string().starts_with("Nil catalog response"), "{error}"),
        }
    }
}

#[test]
fn the_catalog_is_left_alone_where_it_means_nothing() {
    let hit = || FixedCatalog::getting(Ok(Some([("x".to_owned(), json!(5))].into())));
    let mut disabled = Scripted::default();
    disabled.properties.disable_node_level_caching = true;
    let (mut undiscoverable, mut without) = (discoverable(), discoverable());
    undiscoverable.spec.tasks[0].discoverable = false;
    without.spec.tasks[0].outputs.clear();
    for (executor, workflow) in
        [(disabled, discoverable()), (Scripted::default(), undiscoverable), (Scripted::default(), without)]
    {
        let catalog = hit();
        let mut bench = bench(v1(&Arc::new(executor)));
        bench.effects.catalog = Some(catalog.clone());
        assert_eq!(start(&bench, &workflow).unwrap().asked, Asked::Running);
        assert!(catalog.calls.lock().unwrap().is_empty());
    }
}

#[test]
fn success_needs_the_outputs_and_fills_the_catalog() {
    let executor = Arc::new(Scripted { check: Does::Returns(TaskStatus::SUCCEEDED), ..Scripted::default() });
    let mut bench = bench(v1(&executor));
    let catalog = Arc::new(FixedCatalog {
        get: Err(CatalogError::NotFound),
        put: Err(CatalogError::Failed(SystemError::new("down"))),
        reservation: fatum::systems::plugin::catalog::Reservation::Own,
        calls: Default::default(),
    });
    bench.effects.catalog = Some(catalog.clone());
    let outcome = check(&bench, &discoverable()).unwrap();
    assert_eq!((outcome.asked, code(&outcome)), (Asked::RetryableFailure, "OutputsNotFound"));
    assert!(catalog.calls.lock().unwrap().is_empty(), "nothing is put before the outputs are there");
    bench.files.put(OUTPUTS, r#"{"x": 5}"#);
    // That the catalog fails is no matter.
    assert_eq!(check(&bench, &discoverable()).unwrap().asked, Asked::Success);
    assert_eq!(*catalog.calls.lock().unwrap(), ["put"]);
}

#[test]
fn killing_gives_what_the_executor_says() {
    let kill = |bench: &Bench| {
        let (workflow, status) = (one(), NodeStatus::default());
        let killed = now(TaskHandler(call(&bench.effects, &workflow, &status)).abort_node());
        killed.map_err(|error| error.to_string())
    };
    assert!(kill(&bench(None)).unwrap_err().starts_with("failed to abort task: UnsupportedTaskTypeError"));
    for (does, expected) in [
        (Does::Fails, Err("failed to abort task: kill failed")),
        (
            Does::Panics,
            Err("failed to abort task: panic when calling kill of executor [scripted]: kill panicked"),
        ),
        (Does::Returns(()), Ok(())),
    ] {
        let executor = Arc::new(Scripted { kill: does, ..Scripted::default() });
        assert_eq!(kill(&bench(v1(&executor))), expected.map_err(str::to_owned));
    }
}

#[test]
fn a_node_that_fails_has_failed() {
    let (bench, workflow) = (bench(None), one());
    let error = TaskError::user("Code", "message");
    let status = NodeStatus { error: Some(error.clone()), ..NodeStatus::default() };
    let outcome = TaskHandler(call(&bench.effects, &workflow, &status)).handle_failing_node();
    assert_eq!((outcome.asked, outcome.error), (Asked::Failed, Some(error)));
}
