//! `resolve` and `do_task` with a stub controller: the cases of the reference's own tests, then what happens to errors,
//! containers, ports and timestamps (1.3, 1.4).

use super::{secs, simulate};
use TaskState::{
    Accepted, Assigned, Complete, Failed, New, Pending, Preparing, Ready, Rejected, Running, Shutdown,
    Starting,
};
use fatum::sync::CancellationToken;
use fatum::systems::agent::controller::Outcome;
use fatum::systems::agent::executor::EncryptionKey;
use fatum::systems::agent::model::{self, InvalidTransition};
use fatum::systems::agent::task::{ContainerStatus, PortStatus};
use fatum::systems::agent::{
    BoxFuture, Controller, DesiredState, ErrorKind, Executor, Next, Node, NodeDescription, Op, Step,
    StubController, Task, TaskError, TaskState, TaskStatus, do_task, make_temporary, resolve,
};
use fatum::time::sleep;
use std::sync::Arc;

fn task(state: TaskState, desired: impl Into<DesiredState>) -> Task {
    Task::new("t", "image").at(state).desiring(desired)
}

fn exited(code: i32) -> ContainerStatus {
    ContainerStatus { id: "c".to_owned(), pid: 7, exit_code: code }
}

/// Steps, each from the status of the one before; every timestamp is no earlier than the one before.
fn steps(task: Task, controller: StubController, count: usize) -> Vec<Step> {
    simulate(move || async move {
        let (mut task, mut steps) = (task, Vec::new());
        for _ in 0..count {
            sleep(secs(1)).await;
            let step = do_task(&CancellationToken::new(), &task, &controller).await.unwrap();
            assert!(step.status.timestamp >= task.status.timestamp);
            task.status = step.status.clone();
            steps.push(step);
        }
        steps
    })
}

fn one(task: Task, controller: StubController) -> Step {
    steps(task, controller, 1).remove(0)
}

fn said(step: &Step) -> (TaskState, &str, Option<&str>, Next) {
    (step.status.state, &step.status.message, step.status.err.as_deref(), step.next)
}

fn counts(controller: &StubController) -> [u64; 8] {
    Op::ALL.map(|op| controller.count(op))
}

// Resolving.

/// An executor that has one controller, or none.
struct OneController(bool);

impl Executor for OneController {
    fn describe(&self) -> BoxFuture<'_, Result<NodeDescription, TaskError>> {
        Box::pin(async { Ok(NodeDescription::default()) })
    }

    fn configure<'a>(&'a self, _node: &'a Node) -> BoxFuture<'a, Outcome> {
        Box::pin(async { Ok(()) })
    }

    fn controller<'a>(&'a self, _task: &'a Task) -> BoxFuture<'a, Result<Arc<dyn Controller>, TaskError>> {
        let found = self.0;
        Box::pin(async move {
            match found {
                true => Ok(Arc::new(StubController::new()) as Arc<dyn Controller>),
                false => Err(TaskError::new("some error")),
            }
        })
    }

    fn set_network_keys<'a>(&'a self, _keys: &'a [EncryptionKey]) -> BoxFuture<'a, Outcome> {
        Box::pin(async { Ok(()) })
    }
}

fn resolved(status: TaskStatus, found: bool) -> (TaskStatus, Option<String>) {
    simulate(move || async move {
        let task = Task { status, ..Task::new("t", "image") };
        let resolved = resolve(&task, &OneController(found)).await;
        (resolved.status, resolved.controller.err().map(|error| error.to_string()))
    })
}

#[test]
fn a_new_task_is_accepted_and_a_known_one_stays_as_it_is() {
    for state in TaskState::ALL {
        let before = TaskStatus { err: Some("old".to_owned()), ..TaskStatus::of(state, "before") };
        let expected = match state {
            New | Pending | Assigned => TaskStatus::of(Accepted, "accepted"),
            _ => before.clone(),
        };
        assert_eq!(resolved(before, true), (expected, None), "{state}");
    }
}

#[test]
fn without_a_controller_a_task_is_rejected_or_has_failed_or_had_ended() {
    for state in TaskState::ALL {
        let expected = match state {
            New | Pending | Assigned | Accepted | Preparing | Ready => Rejected,
            Starting | Running => Failed,
            Complete | Shutdown | Failed | Rejected => state,
        };
        let err = Some("some error".to_owned());
        let status =
            TaskStatus { err: err.clone(), ..TaskStatus::of(expected, "resolving controller failed") };
        assert_eq!(resolved(TaskStatus::of(state, "before"), false), (status, err), "{state}");
    }
}

#[test]
fn resolving_again_changes_nothing() {
    let (first, _) = resolved(TaskStatus::of(Assigned, ""), true);
    assert_eq!(resolved(first.clone(), true), (first, None));
}

// The reference's own tests of `do`.

const PREPARED: [(TaskState, &str, Option<&str>, Next); 3] = [
    (Accepted, "accepted", None, Next::Advance),
    (Preparing, "preparing", None, Next::Advance),
    (Ready, "prepared", None, Next::Advance),
];

#[test]
fn a_task_is_accepted_and_prepared() {
    for already in [false, true] {
        let stub = StubController::new().answers(Op::Prepare, move |_| match already {
            true => Err(ErrorKind::TaskPrepared.into()),
            false => Ok(()),
        });
        let steps = steps(task(Assigned, Running), stub.clone(), 3);
        assert_eq!(steps.iter().map(said).collect::<Vec<_>>(), PREPARED);
        assert_eq!(counts(&stub), [0, 1, 0, 0, 0, 0, 0, 0]);
        assert!(steps.iter().all(|step| step.status.container.is_none()));
    }
}

#[test]
fn a_task_that_cannot_be_prepared_is_rejected() {
    let stub = StubController::new().answers(Op::Prepare, |_| Err(TaskError::new("test error")));
    let steps = steps(task(Assigned, Running), stub.clone(), 3);
    let last = (Rejected, "preparing", Some("test error"), Next::Advance);
    assert_eq!(steps.iter().map(said).collect::<Vec<_>>(), [PREPARED[0], PREPARED[1], last]);
    assert_eq!(stub.count(Op::Prepare), 1);
}

#[test]
fn a_ready_task_starts_and_runs_to_its_end_though_its_wait_is_interrupted_once() {
    let stub = StubController::new()
        .answers(Op::Start, |_| Ok(()))
        .answers(Op::Wait, |before| if before == 0 { Err(ErrorKind::Cancelled.into()) } else { Ok(()) })
        .with_container(|| Ok(Some(exited(0))));
    let steps = steps(task(Ready, Running), stub.clone(), 4);
    let expected = [
        (Starting, "starting", None, Next::Advance),
        (Running, "started", None, Next::Advance),
        (Running, "started", None, Next::Retry),
        (Complete, "finished", None, Next::Advance),
    ];
    assert_eq!(steps.iter().map(said).collect::<Vec<_>>(), expected);
    assert_eq!(steps[3].status.exit_code(), Some(0));
    assert_eq!(counts(&stub), [0, 0, 1, 2, 0, 0, 0, 0]);
}

#[test]
fn a_process_that_fails_leaves_its_exit_code() {
    let stub = StubController::new()
        .answers(Op::Start, |_| Ok(()))
        .answers(Op::Wait, |_| Err(TaskError::new("test error, exit code=1").with_exit_code(1)))
        .with_container(|| Ok(Some(exited(1))));
    let steps = steps(task(Ready, Running), stub.clone(), 3);
    assert_eq!(said(&steps[2]), (Failed, "started", Some("test error, exit code=1"), Next::Advance));
    assert_eq!(steps[2].status.exit_code(), Some(1));
    assert_eq!((stub.count(Op::Start), stub.count(Op::Wait)), (1, 1));
}

#[test]
fn a_task_that_is_to_stop_or_to_go_is_shut_down_from_any_state() {
    for desired in [DesiredState::SHUTDOWN, DesiredState::REMOVE] {
        for state in TaskState::ALL.into_iter().filter(|state| !state.is_terminal()) {
            let stub = StubController::new().answers(Op::Shutdown, |_| Ok(()));
            let step = one(task(state, desired), stub.clone());
            assert_eq!(said(&step), (Shutdown, "shutdown", None, Next::Advance), "{state} desired {desired}");
            assert_eq!(counts(&stub), [0, 0, 0, 0, 1, 0, 0, 0]);
        }
    }
}

// Rows by rule.

#[test]
fn a_terminal_task_stays_as_it_is_whatever_is_desired() {
    for state in [Complete, Shutdown, Failed, Rejected] {
        for desired in
            [DesiredState::of(Ready), DesiredState::RUNNING, DesiredState::SHUTDOWN, DesiredState::REMOVE]
        {
            let before = task(state, desired);
            let step = one(before.clone(), StubController::new());
            assert_eq!(step, Step { status: before.status, next: Next::Noop }, "{state} desired {desired}");
        }
    }
}

#[test]
fn an_active_state_goes_one_further_than_desired() {
    for (state, op, reached, message) in [
        (Preparing, Op::Prepare, Ready, "prepared"),
        (Starting, Op::Start, Running, "started"),
        (Running, Op::Wait, Complete, "finished"),
    ] {
        let stub = StubController::new().answers(op, |_| Ok(()));
        assert_eq!(said(&one(task(state, state), stub)), (reached, message, None, Next::Advance));
    }
}

#[test]
fn a_start_that_was_made_before_is_a_success_and_a_wrapped_one_is_not() {
    let kinds =
        [(Op::Prepare, Preparing, ErrorKind::TaskPrepared), (Op::Start, Starting, ErrorKind::TaskStarted)];
    for (op, state, kind) in kinds {
        let stub = StubController::new().answers(op, move |_| Err(kind.into()));
        assert_eq!(one(task(state, Running), stub).status.err, None);
        let wrapped = move || TaskError::wrap("again", TaskError::from(kind));
        let stub = StubController::new().answers(op, move |_| Err(wrapped()));
        let step = one(task(state, Running), stub);
        let failed = if op == Op::Start { Failed } else { Rejected };
        assert_eq!((step.status.state, step.status.err), (failed, Some(wrapped().to_string())));
    }
    // Each is the other's failure.
    let stub = StubController::new().answers(Op::Start, |_| Err(ErrorKind::TaskPrepared.into()));
    assert_eq!(one(task(Starting, Running), stub).status.state, Failed);
}

#[test]
fn a_failure_is_a_rejection_only_before_the_start() {
    for (state, desired, op, failed) in [
        (Preparing, DesiredState::RUNNING, Op::Prepare, Rejected),
        (Starting, DesiredState::RUNNING, Op::Start, Failed),
        (Running, DesiredState::RUNNING, Op::Wait, Failed),
        (New, DesiredState::SHUTDOWN, Op::Shutdown, Rejected),
        (Ready, DesiredState::SHUTDOWN, Op::Shutdown, Rejected),
        (Starting, DesiredState::SHUTDOWN, Op::Shutdown, Failed),
        (Running, DesiredState::REMOVE, Op::Shutdown, Failed),
    ] {
        let stub = StubController::new().answers(op, |_| Err(TaskError::new("no")));
        let mut before = task(state, desired);
        before.status.message = "before".to_owned();
        assert_eq!(said(&one(before, stub)), (failed, "before", Some("no"), Next::Advance), "{state}");
    }
}

#[test]
fn an_interruption_leaves_the_error_as_it_was_and_a_temporary_error_shows() {
    let interrupted: [fn() -> TaskError; 3] = [
        || ErrorKind::Cancelled.into(),
        || ErrorKind::DeadlineExceeded.into(),
        || TaskError::wrap("pull", TaskError::from(ErrorKind::DeadlineExceeded)),
    ];
    for error in interrupted {
        let stub = StubController::new().answers(Op::Prepare, move |_| Err(error()));
        let mut before = task(Preparing, Running);
        before.status.err = Some("old".to_owned());
        assert_eq!(said(&one(before, stub)), (Preparing, "", Some("old"), Next::Retry));
    }
    let stub = StubController::new().answers(Op::Prepare, |_| Err(make_temporary(TaskError::new("busy"))));
    assert_eq!(said(&one(task(Preparing, Running), stub)), (Preparing, "", Some("busy"), Next::Retry));
}

#[test]
fn a_success_clears_the_error() {
    let mut before = task(Preparing, Running);
    before.status.err = Some("busy".to_owned());
    let step = one(before, StubController::new().answers(Op::Prepare, |_| Ok(())));
    assert_eq!(said(&step), (Ready, "prepared", None, Next::Advance));
}

#[test]
fn a_step_never_goes_back() {
    let status = TaskStatus::of(Running, "started");
    let error = model::succeed(&status, Ready).unwrap_err();
    assert_eq!(error, InvalidTransition { from: Running, to: Ready });
    assert_eq!(error.to_string(), "invalid state transition: RUNNING to READY");
    assert!(model::succeed(&status, Running).is_ok());
}

// What is collected.

/// What a controller says of its container or ports.
type Answer<T> = fn() -> Result<Option<T>, TaskError>;

fn ports() -> PortStatus {
    PortStatus { published: vec![80] }
}

#[test]
fn containers_and_ports_are_collected_by_the_result_of_a_step() {
    let stub = || {
        StubController::new()
            .answers(Op::Prepare, |_| Err(TaskError::new("no")))
            .answers(Op::Start, |_| Ok(()))
            .with_container(|| Ok(Some(exited(0))))
            .with_ports(|| Ok(Some(ports())))
    };
    for (state, desired, collects) in [
        (Assigned, Running, false),
        (Accepted, Running, false),
        (Ready, Running, true),
        (Ready, Ready, false),
        (Preparing, Running, true),
        (Starting, Running, true),
        (Complete, Running, true),
        (Running, Starting, true),
    ] {
        let status = one(task(state, desired), stub()).status;
        assert_eq!((status.container.is_some(), status.ports.is_some()), (collects, collects), "{state}");
    }
}

#[test]
fn without_containers_the_exit_code_and_the_ports_are_dropped() {
    let stub = StubController::new()
        .answers(Op::Wait, |_| Err(TaskError::exit(3, None)))
        .with_ports(|| Ok(Some(ports())));
    let status = one(task(Running, Running), stub).status;
    assert_eq!((status.container, status.ports), (None, None));
}

#[test]
fn a_container_that_the_error_tells_of_is_not_asked_for() {
    let told = ContainerStatus { id: "told".to_owned(), ..exited(0) };
    let error = move || TaskError::exit(3, None).with_container(told.clone());
    let stub =
        StubController::new().answers(Op::Wait, move |_| Err(error())).with_ports(|| Ok(Some(ports())));
    let status = one(task(Running, Running), stub).status;
    let container = status.container.unwrap();
    assert_eq!((container.id.as_str(), container.exit_code, status.ports), ("told", 3, Some(ports())));
}

#[test]
fn what_is_wrapped_tells_neither_code_nor_container() {
    let stub = StubController::new()
        .answers(Op::Wait, |_| {
            Err(TaskError::wrap("wait", TaskError::exit(3, None).with_container(exited(3))))
        })
        .with_container(|| Ok(Some(exited(0))));
    assert_eq!(one(task(Running, Running), stub).status.exit_code(), Some(0));
}

#[test]
fn an_answer_that_fails_or_is_empty_leaves_the_container_as_it_was() {
    let answers: [Answer<ContainerStatus>; 2] = [|| Ok(None), || Err(TaskError::new("no"))];
    for answer in answers {
        for previous in [None, Some(exited(0))] {
            let stub = StubController::new()
                .answers(Op::Wait, |_| Err(TaskError::exit(3, None)))
                .with_container(answer);
            let mut before = task(Running, Running);
            before.status.container.clone_from(&previous);
            let expected = ContainerStatus { exit_code: 3, ..previous.unwrap_or_default() };
            assert_eq!(one(before, stub).status.container, Some(expected));
        }
    }
}

#[test]
fn ports_that_cannot_be_had_are_none() {
    let answers: [Answer<PortStatus>; 2] = [|| Ok(None), || Err(TaskError::new("no"))];
    for answer in answers {
        let stub = StubController::new()
            .answers(Op::Start, |_| Ok(()))
            .with_container(|| Ok(Some(exited(0))))
            .with_ports(answer);
        let mut before = task(Starting, Running);
        before.status.ports = Some(ports());
        assert_eq!(one(before, stub).status.ports, None);
    }
}

#[test]
fn a_timestamp_changes_with_the_rest_and_never_goes_back() {
    let noop = task(Ready, Ready);
    assert_eq!(one(noop.clone(), StubController::new()).status.timestamp, None);
    let mut stamped = noop;
    stamped.status.timestamp = Some(5);
    assert_eq!(one(stamped, StubController::new()).status.timestamp, Some(5));
    let mut later = task(Assigned, Running);
    later.status.timestamp = Some(u64::MAX);
    assert_eq!(one(later, StubController::new()).status.timestamp, Some(u64::MAX));
    let first = one(task(Assigned, Running), StubController::new()).status.timestamp;
    assert!(first.is_some());
}
