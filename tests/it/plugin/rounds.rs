//! Rounds over workflows: the cases of Propeller.Handle of table 2.4, aborts, finalizers, the memory of versions.

use super::{Does, Scripted, bench, node, now, v1, workflow};
use fatum::systems::plugin::engine::{Aborts, Next, RoundError, VersionCache};
use fatum::systems::plugin::finalizer::{FINALIZER, Metadata};
use fatum::systems::plugin::model::{NodePhase, TaskStatus, WorkflowPhase};
use fatum::systems::plugin::status::{NodeStatus, Workflow};
use fatum::systems::plugin::workflow::NodeKind;
use std::sync::Arc;

fn run(executor: &Arc<Scripted>, workflow: &Workflow) -> Result<Next, RoundError> {
    now(bench(v1(executor)).effects.round(workflow, 3_600_000_000_000 * 5))
}

fn running(phases: &[(&str, NodePhase)]) -> Workflow {
    let mut workflow = workflow(phases.iter().map(|(name, _)| node(name, &[])).collect());
    workflow.status.phase = WorkflowPhase::Running;
    workflow.metadata.set_if_empty(FINALIZER);
    for (name, phase) in phases {
        let status = NodeStatus { phase: *phase, ..NodeStatus::default() };
        workflow.status.nodes.insert((*name).to_owned(), status);
    }
    workflow
}

fn is_over(metadata: &Metadata) -> bool {
    metadata.is_completed()
        && !metadata.is_held()
        && metadata.labels.get("hour-of-day").is_some_and(|hour| hour == "5")
}

#[test]
fn a_workflow_that_was_submitted_gets_its_finalizer_in_its_first_round() {
    let submitted = workflow(vec![node("n1", &[])]);
    let next = run(&Arc::default(), &submitted).unwrap();
    assert_eq!((next.status.phase, next.status.failed_attempts), (WorkflowPhase::Running, 0));
    assert_eq!(next.metadata.finalizers, [FINALIZER]);
    let mut held = submitted;
    held.metadata.finalizers = vec!["another".to_owned()];
    assert_eq!(run(&Arc::default(), &held).unwrap().metadata.finalizers, ["another"]);
}

#[test]
fn a_round_that_fails_leaves_a_count_and_a_message() {
    for does in [Does::Fails, Does::Panics] {
        let executor = Arc::new(Scripted { start: does, ..Scripted::default() });
        let mut workflow = running(&[("n1", NodePhase::NotYetStarted), ("n2", NodePhase::Queued)]);
        workflow.metadata = Metadata::default();
        let Err(RoundError::Discarded { next, error }) = run(&executor, &workflow) else {
            panic!("the round is thrown away")
        };
        assert_eq!((next.status.failed_attempts, next.status.phase), (1, WorkflowPhase::Running));
        assert_eq!(next.status.message, Some(error.to_string()));
        assert_eq!((next.metadata, next.status.nodes), (workflow.metadata, workflow.status.nodes));
    }
}

#[test]
fn a_round_that_changes_nothing_says_so() {
    let mut workflow = running(&[("n1", NodePhase::Queued)]);
    let executor = Arc::new(Scripted::default());
    let next = run(&executor, &workflow).unwrap();
    assert!(next.changes(&workflow));
    (workflow.metadata, workflow.status) = (next.metadata, next.status);
    let next = run(&executor, &workflow).unwrap();
    assert!(!next.changes(&workflow), "{next:?}");
}

#[test]
fn a_workflow_that_ends_is_labelled_and_let_go() {
    let done = running(&[("n1", NodePhase::Succeeded)]);
    let next = run(&Arc::default(), &done).unwrap();
    assert_eq!(next.status.phase, WorkflowPhase::Success);
    assert!(is_over(&next.metadata));
    for phase in [WorkflowPhase::Success, WorkflowPhase::Failed, WorkflowPhase::Aborted] {
        let mut terminated = done.clone();
        terminated.status.phase = phase;
        let next = run(&Arc::default(), &terminated).unwrap();
        assert_eq!(next.status, terminated.status);
        assert!(is_over(&next.metadata));
    }
}

#[test]
fn a_workflow_that_failed_too_often_is_given_up() {
    let mut workflow = running(&[("n1", NodePhase::Running)]);
    (workflow.status.failed_attempts, workflow.status.message) = (51, Some("disk full".to_owned()));
    let executor = Arc::new(Scripted::default());
    let next = run(&executor, &workflow).unwrap();
    assert_eq!(next.status.phase, WorkflowPhase::Failed);
    assert_eq!(
        next.status.message.as_deref(),
        Some("max number of system retry attempts [51/50] exhausted. Last known status message: disk full")
    );
    assert!(is_over(&next.metadata));
    assert_eq!(executor.calls(), ["kill execName1-n1-0"]);
    workflow.status.failed_attempts = 50;
    assert_eq!(run(&executor, &workflow).unwrap().status.phase, WorkflowPhase::Running);
}

#[test]
fn a_workflow_to_be_deleted_is_aborted() {
    let mut workflow = running(&[("n1", NodePhase::Running)]);
    workflow.metadata.deleting = true;
    let next = run(&Arc::default(), &workflow).unwrap();
    assert_eq!(next.status.phase, WorkflowPhase::Aborted);
    assert!(is_over(&next.metadata));
    workflow.status.phase = WorkflowPhase::Success;
    let executor = Arc::new(Scripted::default());
    let next = run(&executor, &workflow).unwrap();
    assert_eq!((next.status.phase, executor.calls()), (WorkflowPhase::Success, vec![]));
    assert!(is_over(&next.metadata));
}

#[test]
fn an_abort_kills_each_attempt_that_may_have_begun_once() {
    let executor = Arc::new(Scripted::default());
    let mut workflow = workflow(vec![
        node("done", &[]),
        node("queued", &["done"]),
        node("running", &["done"]),
        node("again", &["done"]),
        node("below", &["running", "again"]),
        node("failed", &[]),
        node("skipped", &[]),
    ]);
    workflow.status.phase = WorkflowPhase::Running;
    workflow.metadata.deleting = true;
    for (name, phase, attempts) in [
        ("done", NodePhase::Succeeded, 0),
        ("queued", NodePhase::Queued, 0),
        ("running", NodePhase::Running, 1),
        ("again", NodePhase::RetryableFailure, 2),
        ("failed", NodePhase::Failed, 0),
        ("skipped", NodePhase::Skipped, 0),
    ] {
        let status = NodeStatus { phase, attempts, ..NodeStatus::default() };
        workflow.status.nodes.insert(name.to_owned(), status);
    }
    run(&executor, &workflow).unwrap();
    assert_eq!(
        executor.calls(),
        ["kill execName1-queued-0", "kill execName1-running-1", "kill execName1-again-2"]
    );
}

#[test]
fn an_abort_tries_all_and_keeps_the_finalizer_until_all_are_killed() {
    let executor =
        Arc::new(Scripted { unkillable: vec!["execName1-n1-0", "execName1-n3-0"], ..Scripted::default() });
    let phases = [("n1", NodePhase::Running), ("n2", NodePhase::Running), ("n3", NodePhase::Running)];
    let mut workflow = running(&phases);
    workflow.metadata.deleting = true;
    let error = run(&executor, &workflow).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the abort is not complete: failed to abort task: execName1-n1-0 cannot be killed; \
         failed to abort task: execName1-n3-0 cannot be killed"
    );
    assert_eq!(executor.calls().len(), 3);
    let panics = Arc::new(Scripted { kill: Does::Panics, ..Scripted::default() });
    assert!(matches!(run(&panics, &workflow), Err(RoundError::Abort { .. })));
}

/// A round that is to end a workflow whose task cannot be killed.
fn unkillable(
    kill: Does<()>,
    requires_finalizer: bool,
    aborts: Aborts,
    (deleting, failed_attempts): (bool, u32),
) -> (Result<Next, RoundError>, Workflow) {
    let mut executor = Scripted { kill, ..Scripted::default() };
    executor.properties.requires_finalizer = requires_finalizer;
    let mut workflow = running(&[("n1", NodePhase::Running)]);
    (workflow.metadata.deleting, workflow.status.failed_attempts) = (deleting, failed_attempts);
    let mut bench = bench(v1(&Arc::new(executor)));
    bench.effects.config.aborts = aborts;
    (now(bench.effects.round(&workflow, 0)), workflow)
}

#[test]
fn an_abort_that_is_not_complete_holds_its_workflow_as_long_as_was_chosen() {
    let after_50 = Aborts::GivenUp { after: 50 };
    let (deleted, given_up) = ((true, 0), (false, 51));
    for (aborts, requires_finalizer, how, goes) in [
        (Aborts::Held, false, deleted, false),
        (Aborts::Held, false, (true, 1000), false),
        (Aborts::Held, false, given_up, false),
        (Aborts::Held, true, given_up, false),
        (after_50, false, deleted, false),
        (after_50, false, (true, 50), false),
        (after_50, false, (true, 51), true),
        (after_50, false, given_up, true),
        (after_50, true, (true, 51), false),
        (after_50, true, given_up, false),
        (Aborts::Logged, false, deleted, true),
        (Aborts::Logged, true, deleted, true),
        (Aborts::Logged, false, given_up, true),
    ] {
        let (result, before) = unkillable(Does::Fails, requires_finalizer, aborts, how);
        match result {
            Ok(next) => assert!(goes && is_gone(&next), "{aborts:?} {how:?}"),
            Err(RoundError::Abort { .. }) => assert!(!goes && aborts == Aborts::Held, "{aborts:?} {how:?}"),
            Err(RoundError::Discarded { next, .. }) => {
                assert!(!goes && aborts == after_50, "{aborts:?} {how:?}");
                assert_eq!((next.metadata, next.status.nodes), (before.metadata, before.status.nodes));
                assert_eq!(next.status.failed_attempts, how.1 + 1, "an abort that fails is counted");
            }
        }
    }
}

fn is_gone(next: &Next) -> bool {
    next.metadata.is_completed() && !next.metadata.is_held()
}

#[test]
fn a_kill_that_panics_is_never_passed_over() {
    for aborts in [Aborts::Held, Aborts::GivenUp { after: 50 }, Aborts::Logged] {
        for how in [(false, 51), (true, 51)] {
            // Nothing is stored: attempts and state are as they were.
            let (result, _) = unkillable(Does::Panics, false, aborts, how);
            assert!(matches!(result, Err(RoundError::Abort { .. })), "{aborts:?} {how:?}");
        }
    }
    // Also where others merely fail.
    let executor =
        Arc::new(Scripted { kill: Does::Panics, unkillable: vec!["execName1-n1-0"], ..Scripted::default() });
    let mut workflow = running(&[("n1", NodePhase::Running), ("n2", NodePhase::Running)]);
    workflow.status.failed_attempts = 51;
    let mut bench = bench(v1(&executor));
    bench.effects.config.aborts = Aborts::GivenUp { after: 0 };
    assert!(matches!(now(bench.effects.round(&workflow, 0)), Err(RoundError::Abort { .. })));
    assert_eq!(executor.calls().len(), 2);
}

#[test]
fn a_workflow_that_fails_releases_what_runs_on_before_it_is_over() {
    let executor = Arc::new(Scripted::default());
    let mut workflow = running(&[("n1", NodePhase::Failed), ("n2", NodePhase::Running)]);
    let failing = run(&executor, &workflow).unwrap();
    assert_eq!((failing.status.phase, failing.metadata.is_held()), (WorkflowPhase::Failing, true));
    workflow.status = failing.status;
    let failed = run(&executor, &workflow).unwrap();
    assert_eq!((failed.status.phase, failed.metadata.is_held()), (WorkflowPhase::Failed, false));
    assert_eq!(executor.calls(), ["kill execName1-n2-0"]);
    let unkillable = Arc::new(Scripted { kill: Does::Fails, ..Scripted::default() });
    let Err(RoundError::Discarded { next, .. }) = run(&unkillable, &workflow) else {
        panic!("the round is thrown away")
    };
    assert_eq!((next.status.phase, next.status.failed_attempts), (WorkflowPhase::Failing, 1));
    assert!(next.metadata.is_held());
}

#[test]
fn no_more_nodes_start_than_may_run() {
    let executor = Arc::new(Scripted { start: Does::Returns(TaskStatus::QUEUED), ..Scripted::default() });
    let phases = [("n1", NodePhase::Running), ("n2", NodePhase::Queued), ("n3", NodePhase::Queued)];
    for (limit, starts) in [(0, 2), (1, 0), (2, 1), (3, 2)] {
        let executor = Arc::new(Scripted { start: executor.start.clone(), ..Scripted::default() });
        let mut workflow = running(&phases);
        workflow.spec.max_parallelism = limit;
        run(&executor, &workflow).unwrap();
        let started = executor.calls().iter().filter(|call| call.starts_with("start")).count();
        assert_eq!(started, starts, "{limit}");
    }
}

#[test]
fn only_tasks_and_launch_plans_are_bounded_and_count() {
    use NodeKind::{Branch, End, LaunchPlan, Start, SubWorkflow, Task};
    for (runs, waits, starts) in [
        (Task, Task, 0),
        (Task, LaunchPlan, 0),
        (LaunchPlan, Task, 0),
        (Task, Branch, 1),
        (Task, SubWorkflow, 1),
        (Task, Start, 1),
        (Task, End, 1),
        (Branch, Task, 1),
        (SubWorkflow, LaunchPlan, 1),
    ] {
        let executor = Arc::new(Scripted::default());
        let mut workflow = running(&[("n1", NodePhase::Running), ("n2", NodePhase::Queued)]);
        workflow.spec.max_parallelism = 1;
        (workflow.spec.nodes[0].kind, workflow.spec.nodes[1].kind) = (runs, waits);
        run(&executor, &workflow).unwrap();
        let started = executor.calls().iter().filter(|call| call.starts_with("start")).count();
        assert_eq!(started, starts, "{runs:?} {waits:?}");
    }
}

#[test]
fn a_node_that_begins_or_ends_a_workflow_needs_no_task() {
    let executor = Arc::new(Scripted::default());
    for (kind, becomes) in [
        (NodeKind::Start, NodePhase::Succeeded),
        (NodeKind::End, NodePhase::Succeeded),
        (NodeKind::Task, NodePhase::Failed),
        (NodeKind::Branch, NodePhase::Failed),
    ] {
        let mut workflow = running(&[("n1", NodePhase::Queued)]);
        (workflow.spec.nodes[0].kind, workflow.spec.nodes[0].task) = (kind, None);
        assert_eq!(run(&executor, &workflow).unwrap().status.node_phase("n1"), becomes, "{kind:?}");
    }
    assert!(executor.calls().is_empty());
}

#[test]
fn a_view_from_before_a_write_is_too_old() {
    let mut versions = VersionCache::default();
    assert!(!versions.knows("w") && !versions.is_stale("w", 3));
    versions.wrote("w", 3, 3);
    assert!(!versions.is_stale("w", 3), "nothing was changed");
    versions.wrote("w", 3, 5);
    assert!(versions.knows("w") && versions.is_stale("w", 3) && versions.is_stale("w", 2));
    assert!(!versions.is_stale("w", 5) && !versions.is_stale("other", 3));
    versions.evict("w");
    assert!(!versions.is_stale("w", 3));
}
