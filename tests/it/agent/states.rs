//! The states: their numbers, their order, and what can be desired but not observed (table 1.1); and what the next step
//! is in each state under each desire (table 1.4), by rule.

use TaskState::{
    Accepted, Assigned, Complete, Failed, New, Pending, Preparing, Ready, Rejected, Running, Shutdown,
    Starting,
};
use fatum::systems::agent::model::{Decision, decide};
use fatum::systems::agent::{DesiredState, Op, TaskState};

#[test]
fn states_have_the_numbers_of_the_reference_and_their_order() {
    let numbers = [0, 64, 192, 256, 320, 384, 448, 512, 576, 640, 704, 768];
    assert_eq!(TaskState::ALL.map(TaskState::value), numbers);
    assert!(TaskState::ALL.is_sorted());
    let terminal: Vec<TaskState> = TaskState::ALL.into_iter().filter(|state| state.is_terminal()).collect();
    assert_eq!(terminal, [Complete, Shutdown, Failed, Rejected]);
}

#[test]
fn remove_and_orphaned_cannot_be_observed_and_the_gap_is_no_state() {
    for value in [128, 800, 832, 1] {
        assert_eq!(TaskState::from_value(value), None, "{value}");
    }
    for state in TaskState::ALL {
        assert_eq!(TaskState::from_value(state.value()), Some(state));
    }
}

#[test]
fn remove_can_be_desired_and_is_more_than_any_state() {
    assert_eq!(DesiredState::REMOVE.value(), 800);
    assert!(TaskState::ALL.into_iter().all(|state| DesiredState::of(state) < DesiredState::REMOVE));
    assert_eq!(DesiredState::try_from(800_u16).unwrap(), DesiredState::REMOVE);
    assert!(DesiredState::try_from(832_u16).is_err() && DesiredState::try_from(128_u16).is_err());
    assert_eq!(DesiredState::try_from("REMOVE".to_owned()).unwrap().to_string(), "REMOVE");
    let error = DesiredState::try_from("ORPHANED".to_owned()).unwrap_err().to_string();
    assert!(error.starts_with("`ORPHANED` is no desired state"), "{error}");
}

#[test]
fn a_desire_only_grows() {
    let mut desired = DesiredState::of(Ready);
    assert_eq!(desired.raise(DesiredState::RUNNING), Ok(()));
    assert_eq!(desired.raise(DesiredState::RUNNING), Ok(()));
    let lower = desired.raise(DesiredState::of(Ready)).unwrap_err();
    assert_eq!(lower.to_string(), "ignoring task update with invalid desired state: READY after RUNNING");
    assert_eq!(desired, DesiredState::RUNNING);
    assert_eq!(desired.raise(DesiredState::REMOVE), Ok(()));
}

/// What the next step is, written from the rules: 1a, 1b; 2; 3a, 3b, 3c; 4; 5a, 5b, 5c, 5d.
fn expected(state: TaskState, desired: u16) -> Decision {
    let prepare = Decision::Operate(Op::Prepare, Ready);
    let start = Decision::Operate(Op::Start, Running);
    let wait = Decision::Operate(Op::Wait, Complete);
    let shutdown = Decision::Operate(Op::Shutdown, Shutdown);
    match (state, desired) {
        (Complete | Shutdown | Failed | Rejected, _) => Decision::Nothing,
        (_, 640..) => shutdown,
        (New, 0) | (Pending, 0..=64) | (Assigned, 0..=192) | (Accepted, 0..=256) => Decision::Nothing,
        (New | Pending | Assigned, _) => Decision::Publish(Accepted),
        (Accepted, _) => Decision::Publish(Preparing),
        (Preparing, 320..) => prepare,
        (Preparing, _) => Decision::Nothing,
        (Ready, 0..=384) => Decision::Nothing,
        (Ready, _) => Decision::Publish(Starting),
        (Starting, 448..) => start,
        (Starting, _) => Decision::Nothing,
        (Running, 512..) => wait,
        (Running, _) => Decision::Nothing,
    }
}

#[test]
fn each_state_has_its_next_step_under_each_desire() {
    let desires = TaskState::ALL.into_iter().map(DesiredState::of).chain([DesiredState::REMOVE]);
    let mut cases = 0;
    for desired in desires {
        for state in TaskState::ALL {
            assert_eq!(decide(state, desired), expected(state, desired.value()), "{state} desired {desired}");
            cases += 1;
        }
    }
    assert_eq!(cases, 12 * 13);
}
