//! The task manager: its steps, new definitions in between, its back-off and its end (1.9), and what its planted bugs
//! break.

use super::world::{Observed, simulate_seeded};
use super::{ms, secs, simulate};
use fatum::sync::CancellationToken;
use fatum::systems::agent::controller::Op;
use fatum::systems::agent::stub::Asked;
use fatum::systems::agent::{
    AgentError, AgentEvent, AgentOptions, BoxFuture, DesiredState, ErrorKind, Parity, StatusReporter,
    StubController, Task, TaskError, TaskId, TaskManager, TaskState, TaskStatus, Variant, Watched,
    make_temporary,
};
use fatum::time::{Duration, Instant, sleep};
use std::sync::{Arc, Mutex};

/// Keeps what is reported, with the times.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<(Duration, TaskStatus)>>>);

impl StatusReporter for Kept {
    fn report<'a>(&'a self, _task: &'a TaskId, status: &'a TaskStatus) -> BoxFuture<'a, ()> {
        self.0.lock().unwrap().push((Instant::now().since_start(), status.clone()));
        Box::pin(async {})
    }
}

impl Kept {
    fn states(&self) -> Vec<(Duration, TaskState)> {
        self.0.lock().unwrap().iter().map(|(at, status)| (*at, status.state)).collect()
    }

    async fn comes_to(&self, state: TaskState) {
        while self.states().last().is_none_or(|(_, last)| *last < state) {
            sleep(ms(10)).await;
        }
    }
}

fn manager(stub: &StubController, task: Task, kept: &Kept, variant: Variant) -> TaskManager {
    manager_with(stub, task, kept, AgentOptions::planted(variant))
}

fn manager_with(stub: &StubController, task: Task, kept: &Kept, options: AgentOptions) -> TaskManager {
    let controller = Watched::new(Arc::new(stub.clone()), "n".into(), task.id.clone(), 1);
    TaskManager::start_with("n".into(), task, Arc::new(controller), Arc::new(kept.clone()), options)
}

fn task(state: TaskState, desired: impl Into<DesiredState>) -> Task {
    Task::new("t", "image").at(state).desiring(desired)
}

/// Waits until it is cancelled.
async fn until_cancelled(asked: Asked) -> Result<(), TaskError> {
    asked.cancel.cancelled().await;
    Err(ErrorKind::Cancelled.into())
}

/// A controller that does everything at once, but for waiting.
fn server() -> StubController {
    let at_once = |stub: StubController, op| stub.answers(op, |_| Ok(()));
    [Op::Update, Op::Prepare, Op::Start, Op::Shutdown, Op::Remove, Op::Close]
        .into_iter()
        .fold(StubController::new(), at_once)
        .on(Op::Wait, until_cancelled)
}

#[test]
fn a_task_comes_as_far_as_is_desired_and_further_when_more_is() {
    let stub = server().answers(Op::Wait, |_| Ok(()));
    let log = stub.clone();
    let states = simulate(move || async move {
        let kept = Kept::default();
        let base = Task { status: TaskStatus::default(), ..task(TaskState::New, TaskState::Accepted) };
        let manager = manager(&stub, base.clone(), &kept, Variant::Correct);
        kept.comes_to(TaskState::Accepted).await;
        manager.update(base.clone().desiring(TaskState::Ready)).await.unwrap();
        kept.comes_to(TaskState::Ready).await;
        sleep(secs(1)).await;
        manager.update(base.clone().desiring(TaskState::Running)).await.unwrap();
        kept.comes_to(TaskState::Complete).await;
        manager.close().await;
        manager.close().await;
        assert_eq!(manager.update(base).await, Err(AgentError::Closed));
        kept.states().into_iter().map(|(_, state)| state).collect::<Vec<_>>()
    });
    use TaskState::{Accepted, Complete, Preparing, Ready, Running, Starting};
    // What there is nothing to do about is said too: where the task rests, and at its end.
    let expected = [Accepted, Accepted, Preparing, Ready, Ready, Starting, Running, Complete, Complete];
    assert_eq!(states, expected);
    assert_eq!(Op::ALL.map(|op| log.count(op)), [2, 1, 1, 1, 0, 0, 0, 0]);
}

#[test]
fn a_retry_comes_after_a_second_and_a_temporary_error_is_told_at_once() {
    let stub = server().answers(Op::Prepare, |before| match before {
        0 | 1 => Err(make_temporary(TaskError::new("busy"))),
        _ => Ok(()),
    });
    let log = stub.clone();
    simulate(move || async move {
        let kept = Kept::default();
        let manager = manager(&stub, task(TaskState::Preparing, TaskState::Ready), &kept, Variant::Correct);
        kept.comes_to(TaskState::Ready).await;
        manager.close().await;
        assert_eq!(kept.0.lock().unwrap()[0].1.err.as_deref(), Some("busy"));
    });
    let times: Vec<Duration> = log.calls().iter().map(|call| call.at).collect();
    assert_eq!(times, [secs(0), secs(1), secs(2)]);
}

#[test]
fn an_update_interrupts_a_wait_and_acts_a_second_later() {
    let stub = server();
    let log = stub.clone();
    simulate(move || async move {
        let kept = Kept::default();
        let base = task(TaskState::Running, TaskState::Running);
        let manager = manager(&stub, base.clone(), &kept, Variant::Correct);
        sleep(secs(10)).await;
        manager.update(base.desiring(DesiredState::SHUTDOWN)).await.unwrap();
        kept.comes_to(TaskState::Shutdown).await;
        manager.close().await;
    });
    let calls: Vec<(Op, Duration)> = log.calls().iter().map(|call| (call.op, call.at)).collect();
    assert_eq!(calls, [(Op::Wait, secs(0)), (Op::Update, secs(11)), (Op::Shutdown, secs(11))]);
}

#[test]
fn an_update_in_a_back_off_acts_at_once() {
    let stub = server().answers(Op::Prepare, |_| Err(make_temporary(TaskError::new("busy"))));
    let log = stub.clone();
    simulate(move || async move {
        let kept = Kept::default();
        let base = task(TaskState::Preparing, TaskState::Ready);
        let manager = manager(&stub, base.clone(), &kept, Variant::Correct);
        sleep(ms(300)).await;
        manager.update(base.desiring(DesiredState::SHUTDOWN)).await.unwrap();
        kept.comes_to(TaskState::Shutdown).await;
        sleep(secs(5)).await;
        manager.close().await;
    });
    let calls: Vec<(Op, Duration)> = log.calls().iter().map(|call| (call.op, call.at)).collect();
    assert_eq!(calls, [(Op::Prepare, secs(0)), (Op::Update, ms(300)), (Op::Shutdown, ms(300))]);
}

#[test]
fn updates_that_say_nothing_new_or_less_or_of_another_task_are_ignored() {
    let stub = server();
    let log = stub.clone();
    let observed = simulate_seeded(0, move || async move {
        let base = task(TaskState::Ready, TaskState::Ready);
        let manager = manager(&stub, base.clone(), &Kept::default(), Variant::Correct);
        sleep(secs(1)).await;
        let mut same = base.clone().at(TaskState::Running);
        same.version = 9;
        let mut other = base.clone().desiring(TaskState::Running);
        other.id = "other".into();
        for update in [same, base.desiring(TaskState::Accepted), other] {
            manager.update(update).await.unwrap();
        }
        sleep(secs(1)).await;
        manager.close().await;
    });
    // It has no effect; that anybody handed it over is a mistake of theirs.
    assert_eq!(observed.broken(), Some("not-shared"));
    assert_eq!(log.calls(), []);
    let reasons: Vec<&str> = observed
        .events
        .iter()
        .filter_map(|(_, event)| match event {
            AgentEvent::Ignored { reason, .. } => Some(*reason),
            _ => None,
        })
        .collect();
    let lower = "ignoring task update with invalid desired state";
    assert_eq!(reasons, ["it is the same", lower, "it is of another task"]);
}

#[test]
fn nothing_to_do_means_no_step_until_an_update() {
    let steps = |updates: bool| {
        let observed = simulate_seeded(0, move || async move {
            let base = task(TaskState::Ready, TaskState::Ready);
            let manager = manager(&server(), base.clone(), &Kept::default(), Variant::Correct);
            sleep(secs(100)).await;
            if updates {
                let mut changed = base;
                changed.spec.labels.insert("blue".to_owned());
                manager.update(changed).await.unwrap();
                sleep(secs(100)).await;
            }
            manager.close().await;
        });
        observed.events.iter().filter(|(_, event)| matches!(event, AgentEvent::DoBegan { .. })).count()
    };
    assert_eq!((steps(false), steps(true)), (1, 2));
}

#[test]
fn closing_waits_for_the_operation_in_flight() {
    let stub = server().on(Op::Prepare, |asked| async move {
        asked.cancel.cancelled().await;
        sleep(secs(7)).await;
        Err(ErrorKind::Cancelled.into())
    });
    simulate(move || async move {
        let base = task(TaskState::Preparing, TaskState::Running);
        let manager = manager(&stub, base, &Kept::default(), Variant::Correct);
        sleep(secs(1)).await;
        let before = Instant::now();
        fatum::join!(manager.close(), manager.close());
        assert_eq!(before.elapsed(), secs(7));
    });
}

#[test]
fn a_manager_whose_handle_is_dropped_interrupts_what_it_does() {
    let stub = server();
    let token = Arc::new(Mutex::new(None::<CancellationToken>));
    let seen = token.clone();
    let stub = stub.on(Op::Wait, move |asked| {
        *seen.lock().unwrap() = Some(asked.cancel.clone());
        until_cancelled(asked)
    });
    simulate(move || async move {
        let base = task(TaskState::Running, TaskState::Running);
        let manager = manager(&stub, base, &Kept::default(), Variant::Correct);
        sleep(secs(1)).await;
        let token = token.lock().unwrap().clone().expect("it waits");
        assert!(!token.is_cancelled());
        drop(manager);
        sleep(secs(1)).await;
        assert!(token.is_cancelled());
    });
}

// Planted bugs, by hand.

/// Two updates within the second that an interrupted wait is followed by.
fn two_updates(options: AgentOptions) -> Observed<()> {
    simulate_seeded(0, move || async move {
        let base = task(TaskState::Running, TaskState::Running);
        let manager = manager_with(&server(), base.clone(), &Kept::default(), options);
        let mut changed = base;
        for label in ["blue", "green"] {
            sleep(ms(400)).await;
            changed.spec.labels.insert(label.to_owned());
            changed.version += 1;
            manager.update(changed.clone()).await.unwrap();
        }
        sleep(secs(5)).await;
        manager.close().await;
    })
}

#[test]
fn two_overlapping_operations_on_one_controller_never_happen() {
    let exclusive = Some("exclusive-operation");
    assert_eq!(two_updates(AgentOptions::default()).broken(), None);
    assert_eq!(two_updates(AgentOptions::planted(Variant::BareRetryTimer)).broken(), exclusive);
    let parity = Parity { bare_retry_timer: true, ..Parity::NONE };
    assert_eq!(two_updates(AgentOptions::with_parity(parity)).broken(), exclusive);
    let other = Parity { bare_retry_timer: false, ..Parity::REFERENCE };
    assert_ne!(two_updates(AgentOptions::with_parity(other)).broken(), exclusive);
}

/// An update whose delivery fails so often, with this error.
fn failing_update(options: AgentOptions, error: fn() -> TaskError) -> (Observed<()>, StubController) {
    let stub = server().answers(Op::Update, move |before| if before == 0 { Err(error()) } else { Ok(()) });
    let log = stub.clone();
    let observed = simulate_seeded(0, move || async move {
        let base = task(TaskState::Ready, TaskState::Ready);
        let manager = manager_with(&stub, base.clone(), &Kept::default(), options);
        sleep(secs(1)).await;
        let mut changed = base;
        (changed.version, changed.spec.labels) = (2, ["blue".to_owned()].into());
        manager.update(changed).await.unwrap();
        sleep(secs(5)).await;
        manager.close().await;
    });
    (observed, log)
}

#[test]
fn a_definition_that_did_not_reach_the_controller_is_delivered_again() {
    let busy = || make_temporary(TaskError::new("busy"));
    let (observed, log) = failing_update(AgentOptions::default(), busy);
    assert_eq!((observed.broken(), log.count(Op::Update)), (None, 2));
    let parity = Parity { update_lost: true, ..Parity::NONE };
    for options in [AgentOptions::planted(Variant::UpdateLost), AgentOptions::with_parity(parity)] {
        let (observed, log) = failing_update(options, busy);
        assert_eq!((observed.broken(), log.count(Op::Update)), (Some("update-before-do"), 1));
    }
}

#[test]
fn a_delivery_that_is_cut_short_by_itself_is_tried_again_after_a_second() {
    for kind in [ErrorKind::Cancelled, ErrorKind::DeadlineExceeded] {
        let stub = server().answers(Op::Update, move |before| match before {
            0..3 => Err(kind.into()),
            _ => Ok(()),
        });
        let log = stub.clone();
        simulate(move || async move {
            let base = task(TaskState::Ready, TaskState::Ready);
            let manager = manager(&stub, base.clone(), &Kept::default(), Variant::Correct);
            sleep(secs(1)).await;
            manager.update(base.desiring(TaskState::Running)).await.unwrap();
            sleep(secs(5)).await;
            manager.close().await;
        });
        let updates = log.calls().into_iter().filter(|call| call.op == Op::Update);
        let times: Vec<Duration> = updates.map(|call| call.at).collect();
        assert_eq!(times, [secs(1), secs(2), secs(3), secs(4)], "{kind:?}");
    }
}

#[test]
fn a_definition_that_cannot_be_delivered_does_not_keep_a_task_from_being_stopped() {
    let stub = server().answers(Op::Update, |_| Err(TaskError::new("broken")));
    let log = stub.clone();
    let states = simulate(move || async move {
        let kept = Kept::default();
        let base = task(TaskState::Ready, TaskState::Ready);
        let manager = manager(&stub, base.clone(), &kept, Variant::Correct);
        sleep(secs(1)).await;
        manager.update(base.desiring(DesiredState::SHUTDOWN)).await.unwrap();
        sleep(secs(10)).await;
        manager.close().await;
        kept.states()
    });
    assert_eq!(states.last(), Some(&(secs(1), TaskState::Shutdown)));
    let calls: Vec<(Op, Duration)> = log.calls().iter().map(|call| (call.op, call.at)).collect();
    assert_eq!(calls, [(Op::Update, secs(1)), (Op::Shutdown, secs(1))]);
}

#[test]
fn every_step_is_reported_also_one_that_changes_nothing() {
    let stub = server().answers(Op::Prepare, |before| match before {
        0 => Err(ErrorKind::DeadlineExceeded.into()),
        _ => Ok(()),
    });
    let states = simulate(move || async move {
        let kept = Kept::default();
        let manager = manager(&stub, task(TaskState::Preparing, TaskState::Ready), &kept, Variant::Correct);
        sleep(secs(5)).await;
        manager.close().await;
        kept.states()
    });
    let expected = [(0, TaskState::Preparing), (1, TaskState::Ready), (1, TaskState::Ready)];
    assert_eq!(states, expected.map(|(at, state)| (secs(at), state)));
}

#[test]
fn a_definition_that_the_controller_refuses_is_not_delivered_again() {
    let (observed, log) = failing_update(AgentOptions::default(), || ErrorKind::TaskUpdateRejected.into());
    assert_eq!((observed.broken(), log.count(Op::Update)), (None, 1));
}

/// A task in a state under a desire, for ten seconds.
fn alone(stub: StubController, task: Task, variant: Variant) -> Option<&'static str> {
    let observed = simulate_seeded(0, move || async move {
        let manager = manager(&stub, task, &Kept::default(), variant);
        sleep(secs(10)).await;
        manager.close().await;
    });
    observed.broken()
}

/// A controller that fails to start once, has started, cannot start, or does everything.
fn starting(answer: fn(u64) -> Result<(), TaskError>) -> StubController {
    server().answers(Op::Start, answer)
}

#[test]
fn bugs_of_a_step_break_the_property_of_the_step() {
    let busy = |before: u64| if before == 0 { Err(make_temporary(TaskError::new("busy"))) } else { Ok(()) };
    let at = |state, desired: DesiredState| task(state, desired);
    for (variant, answer, task, property) in [
        (Variant::RetryAtOnce, busy as fn(u64) -> _, at(TaskState::Starting, DesiredState::RUNNING), "paced"),
        (
            Variant::AlreadyIsFatal,
            |_| Err(ErrorKind::TaskStarted.into()),
            at(TaskState::Starting, DesiredState::RUNNING),
            "do-result",
        ),
        (
            Variant::StartFailureRejected,
            |_| Err(TaskError::new("no")),
            at(TaskState::Starting, DesiredState::RUNNING),
            "do-result",
        ),
        (
            Variant::DesireExactly,
            |_| Ok(()),
            at(TaskState::Running, DesiredState::REMOVE),
            "no-work-after-shutdown",
        ),
        (Variant::ActiveRests, |_| Ok(()), at(TaskState::Running, DesiredState::RUNNING), "do-result"),
        (
            Variant::ActivePastDesired,
            |_| Ok(()),
            at(TaskState::Starting, TaskState::Ready.into()),
            "do-result",
        ),
        (
            Variant::DeadlineIsFatal,
            |before| if before == 0 { Err(ErrorKind::DeadlineExceeded.into()) } else { Ok(()) },
            at(TaskState::Starting, DesiredState::RUNNING),
            "cancel-is-no-failure",
        ),
    ] {
        assert_eq!(alone(starting(answer), task.clone(), Variant::Correct), None, "{variant}");
        assert_eq!(alone(starting(answer), task, variant), Some(property), "{variant}");
    }
}

#[test]
fn a_definition_that_wants_less_is_not_taken() {
    let lowered = |variant| {
        let observed = simulate_seeded(0, move || async move {
            let base = task(TaskState::Ready, TaskState::Ready);
            let manager = manager(&server(), base.clone(), &Kept::default(), variant);
            manager.update(base.desiring(TaskState::Accepted)).await.unwrap();
            sleep(secs(1)).await;
            manager.close().await;
        });
        observed.broken()
    };
    assert_eq!(lowered(Variant::Correct), None);
    assert_eq!(lowered(Variant::LowerDesireTaken), Some("desired-monotone"));
}

#[test]
fn no_schedule_breaks_a_property_of_a_manager() {
    for seed in 1..300 {
        let observed = simulate_seeded(seed, move || async move {
            let base = task(TaskState::Assigned, TaskState::Running);
            let stub = server().on(Op::Prepare, |asked| async move {
                fatum::select! {
                    () = sleep(ms(500)) => Ok(()),
                    () = asked.cancel.cancelled() => Err(ErrorKind::Cancelled.into()),
                }
            });
            let manager = manager(&stub, base.clone(), &Kept::default(), Variant::Correct);
            let mut changed = base;
            for version in 2..6 {
                changed.version = version;
                changed.spec.labels.insert(version.to_string());
                manager.update(changed.clone()).await.unwrap();
                sleep(ms(250 * (seed % 5))).await;
            }
            manager.update(changed.desiring(DesiredState::SHUTDOWN)).await.unwrap();
            sleep(secs(seed % 4)).await;
            manager.close().await;
        });
        assert_eq!(observed.broken(), None, "seed {seed}: {:#?}", observed.events);
    }
}
