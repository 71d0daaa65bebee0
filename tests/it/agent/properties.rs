//! Every property of section 3: a good sequence of events that it lets pass, and bad ones that break it, written by hand.

use fatum::systems::agent::controller::Op;
use fatum::systems::agent::model::Next;
use fatum::systems::agent::properties::NAMES;
use fatum::systems::agent::record::{ContainerChange, OpEnd};
use fatum::systems::agent::task::ContainerStatus;
use fatum::systems::agent::{AgentEvent, AgentProperties, DesiredState, TaskState, TaskStatus};
use std::collections::BTreeSet;
use std::sync::Arc;

use TaskState::{Accepted, Complete, Failed, Preparing, Ready, Rejected, Running, Shutdown, Starting};

const SECOND: u64 = 1_000_000_000;

fn node() -> Arc<str> {
    "n".into()
}

fn status(state: TaskState) -> TaskStatus {
    TaskStatus { timestamp: Some(1), ..TaskStatus::of(state, "") }
}

fn failed(state: TaskState, err: &str) -> TaskStatus {
    TaskStatus { err: Some(err.to_owned()), ..status(state) }
}

fn with_container(state: TaskState, id: &str, exit_code: i32) -> TaskStatus {
    let container = Some(ContainerStatus { id: id.to_owned(), pid: 1, exit_code });
    TaskStatus { container, ..failed(state, "no") }
}

fn accepted_at(desired: DesiredState, version: u64) -> AgentEvent {
    AgentEvent::Accepted { node: node(), task: "t".into(), desired, version }
}

fn accepted(desired: DesiredState) -> AgentEvent {
    accepted_at(desired, 1)
}

fn began() -> AgentEvent {
    let (state, desired) = (Running, DesiredState::RUNNING);
    AgentEvent::DoBegan { node: node(), task: "t".into(), step: 1, state, desired }
}

fn ended(from: TaskStatus, to: TaskStatus, desired: DesiredState, next: Next) -> AgentEvent {
    let (from, to) = (Arc::new(from), Arc::new(to));
    AgentEvent::DoEnded { node: node(), task: "t".into(), step: 1, desired, from, to, next }
}

fn advanced(from: TaskState, to: TaskState) -> AgentEvent {
    ended(status(from), status(to), DesiredState::RUNNING, Next::Advance)
}

fn op_of(task: &str, controller: u64, op: Op, about: &str) -> AgentEvent {
    let (node, task, about) = (node(), task.into(), about.into());
    AgentEvent::OpBegan { node, task, controller, op, about, version: 1 }
}

fn update(version: u64) -> AgentEvent {
    let (node, task, about) = (node(), "t".into(), "t".into());
    AgentEvent::OpBegan { node, task, controller: 1, op: Op::Update, about, version }
}

fn op(op: Op) -> AgentEvent {
    op_of("t", 1, op, "t")
}

fn end(op: Op, end: OpEnd) -> AgentEvent {
    AgentEvent::OpEnded { node: node(), task: "t".into(), controller: 1, op, end }
}

fn stored(state: TaskState) -> AgentEvent {
    AgentEvent::Stored { node: node(), task: "t".into(), state }
}

fn heard(state: TaskState) -> AgentEvent {
    AgentEvent::Heard { node: node(), task: "t".into(), state }
}

fn recorded(state: TaskState) -> AgentEvent {
    AgentEvent::Recorded { node: node(), task: "t".into(), state }
}

fn wanted(desired: DesiredState) -> AgentEvent {
    AgentEvent::Wanted { node: node(), task: "t".into(), desired }
}

fn unwanted() -> AgentEvent {
    AgentEvent::Unwanted { node: node(), task: "t".into() }
}

fn assigned(needs: &[&str]) -> AgentEvent {
    let needs: BTreeSet<String> = needs.iter().map(|id| (*id).to_owned()).collect();
    let (task, desired) = ("t".into(), DesiredState::RUNNING);
    AgentEvent::Assigned { node: node(), task, desired, needs: Arc::new(needs) }
}

fn holds(dependencies: &[&str]) -> AgentEvent {
    let all: BTreeSet<String> = dependencies.iter().map(|id| (*id).to_owned()).collect();
    AgentEvent::Holds { node: node(), dependencies: Arc::new(all) }
}

fn looked(asked: &str, key: &str, held: &str) -> AgentEvent {
    let (asked, key, held) = (asked.to_owned(), key.to_owned(), held.to_owned());
    AgentEvent::Looked { node: node(), task: "t".into(), asked, key, held }
}

fn container(change: ContainerChange) -> AgentEvent {
    AgentEvent::Container { node: node(), task: "t".into(), change }
}

fn deleted() -> AgentEvent {
    AgentEvent::RecordDeleted { node: node(), task: "t".into() }
}

fn freed() -> AgentEvent {
    AgentEvent::Removed { node: node(), task: "t".into() }
}

fn unassigned() -> AgentEvent {
    AgentEvent::Unassigned { node: node(), task: "t".into() }
}

fn closing() -> AgentEvent {
    AgentEvent::Closing { node: node(), what: "worker".into() }
}

fn closed() -> AgentEvent {
    AgentEvent::Closed { node: node(), what: "worker".into() }
}

/// The property that events break, if any; all at one time, `after` it the last.
fn broken_after(after: u64, events: &[AgentEvent]) -> Option<&'static str> {
    let mut fold = AgentProperties::new();
    let last = events.len() - 1;
    let judged = events.iter().enumerate().try_for_each(|(number, event)| {
        let at = if number == last { after } else { 0 };
        fold.observe(at, event)
    });
    judged.err().map(|violation| violation.property)
}

fn broken(events: &[AgentEvent]) -> Option<&'static str> {
    broken_after(0, events)
}

/// The property that has not come to hold when nothing more happens, if any.
fn missing(events: &[AgentEvent]) -> Option<&'static str> {
    let mut fold = AgentProperties::new();
    events.iter().try_for_each(|event| fold.observe(0, event)).unwrap();
    fold.finish().err().map(|violation| violation.property)
}

const RUN: DesiredState = DesiredState::RUNNING;
const STOP: DesiredState = DesiredState::SHUTDOWN;

/// A life without a flaw.
fn good() -> Vec<AgentEvent> {
    vec![
        wanted(RUN),
        holds(&["s"]),
        assigned(&["s"]),
        accepted(RUN),
        began(),
        advanced(TaskState::Assigned, Accepted),
        stored(Accepted),
        began(),
        advanced(Accepted, Preparing),
        began(),
        op(Op::Prepare),
        looked("s", "s.t", "s.t"),
        container(ContainerChange::Created),
        end(Op::Prepare, OpEnd::Done),
        advanced(Preparing, Ready),
        began(),
        advanced(Ready, Starting),
        began(),
        op(Op::Start),
        container(ContainerChange::Started),
        end(Op::Start, OpEnd::Done),
        advanced(Starting, Running),
        stored(Running),
        recorded(Running),
    ]
}

#[test]
fn a_life_without_a_flaw_breaks_nothing() {
    let mut life = good();
    assert_eq!((broken(&life), missing(&life)), (None, None));
    life.extend([unwanted(), unassigned(), closing(), closed(), op(Op::Remove)]);
    life.extend([container(ContainerChange::Removed), end(Op::Remove, OpEnd::Done), op(Op::Close)]);
    life.extend([
        end(Op::Close, OpEnd::Done),
        AgentEvent::Removed { node: node(), task: "t".into() },
        deleted(),
    ]);
    assert_eq!((broken(&life), missing(&life)), (None, None));
}

#[test]
fn an_observed_state_that_goes_back_is_found_everywhere() {
    for place in [stored, heard, recorded] {
        assert_eq!(broken(&[place(Running), place(Running)]), None);
        assert_eq!(broken(&[place(Running), place(Ready)]), Some("state-monotone"));
        assert_eq!(broken(&[place(Complete), place(Shutdown)]), Some("terminal-final"));
        assert_eq!(broken(&[place(Shutdown), place(Failed)]), Some("terminal-final"));
        assert_eq!(broken(&[place(Failed), place(Running)]), Some("state-monotone"));
    }
    let noop = |state| ended(status(state), status(state), TaskState::New.into(), Next::Noop);
    assert_eq!(broken(&[noop(Running), noop(Ready)]), Some("state-monotone"));
}

#[test]
fn a_crash_takes_a_step_back_to_what_is_stored_and_no_further() {
    let noop = |state| ended(status(state), status(state), TaskState::New.into(), Next::Noop);
    for (stored_before, broken) in [(Ready, None), (Running, Some("state-monotone"))] {
        let mut fold = AgentProperties::new();
        fold.observe(0, &stored(stored_before)).unwrap();
        fold.observe(0, &noop(Running)).unwrap();
        fold.crashed("n");
        let judged = fold.observe(0, &noop(Ready)).err().map(|violation| violation.property);
        assert_eq!(judged, broken);
    }
}

#[test]
fn a_step_that_leads_elsewhere_is_found() {
    let no = |to: TaskState| failed(to, "no");
    for (from, to, desired, next, expected) in [
        (TaskState::New, status(Accepted), RUN, Next::Advance, None),
        (TaskState::Pending, status(Preparing), RUN, Next::Advance, Some("do-result")),
        (Accepted, status(Ready), RUN, Next::Advance, Some("do-result")),
        (Accepted, status(Shutdown), RUN, Next::Advance, Some("do-result")),
        (TaskState::New, status(Shutdown), STOP, Next::Advance, None),
        (Complete, status(Shutdown), STOP, Next::Advance, Some("do-result")),
        (Ready, no(Rejected), RUN, Next::Advance, Some("do-result")),
        (Ready, no(Rejected), STOP, Next::Advance, None),
        (Preparing, no(Rejected), RUN, Next::Advance, None),
        (Starting, no(Failed), STOP, Next::Advance, None),
        (Ready, no(Failed), RUN, Next::Advance, Some("do-result")),
        (Starting, no(Failed), RUN, Next::Advance, None),
        (Starting, no(Rejected), RUN, Next::Advance, Some("do-result")),
        (Running, status(Complete), RUN, Next::Retry, Some("do-result")),
        (Ready, status(Starting), RUN, Next::Noop, Some("do-result")),
    ] {
        let event = ended(status(from), to.clone(), desired, next);
        assert_eq!(broken(&[event]), expected, "{from} to {}", to.state);
    }
    let already = [began(), op(Op::Start), end(Op::Start, OpEnd::Already)];
    let step = ended(status(Starting), no(Failed), RUN, Next::Advance);
    assert_eq!(broken(&[&already[..], &[step]].concat()), Some("do-result"));
}

#[test]
fn two_operations_in_a_step_or_one_in_none_are_found() {
    let done = [began(), op(Op::Prepare), end(Op::Prepare, OpEnd::Done)];
    assert_eq!(broken(&[&done[..], &[op(Op::Start)]].concat()), Some("one-op-per-step"));
    let noop = ended(status(Ready), status(Ready), Ready.into(), Next::Noop);
    assert_eq!(broken(&[&done[..], std::slice::from_ref(&noop)].concat()), Some("one-op-per-step"));
    assert_eq!(broken(&[began(), noop]), None);
}

#[test]
fn overlapping_operations_are_found_and_a_crash_ends_them() {
    assert_eq!(broken(&[op(Op::Wait), op(Op::Update)]), Some("exclusive-operation"));
    assert_eq!(broken(&[op(Op::Wait), op(Op::Wait)]), Some("exclusive-operation"));
    assert_eq!(broken(&[op(Op::Wait), end(Op::Wait, OpEnd::Interrupted), op(Op::Update)]), None);
    let mut fold = AgentProperties::new();
    fold.observe(0, &op(Op::Wait)).unwrap();
    fold.crashed("n");
    assert!(fold.observe(0, &op(Op::Wait)).is_ok());
}

#[test]
fn work_that_begins_after_a_desire_to_stop_is_found() {
    for began in [Op::Prepare, Op::Start, Op::Wait] {
        for desired in [STOP, DesiredState::REMOVE] {
            assert_eq!(broken(&[accepted(desired), op(began)]), Some("no-work-after-shutdown"));
        }
        assert_eq!(broken(&[accepted(RUN), op(began)]), None);
    }
    assert_eq!(broken(&[accepted(STOP), op(Op::Shutdown)]), None);
}

#[test]
fn a_step_before_the_controller_heard_of_an_update_is_found() {
    let updated = [accepted(RUN), accepted_at(RUN, 2)];
    let lost = Some("update-before-do");
    for (told, expected) in [
        (OpEnd::Done, None),
        (OpEnd::Refused, None),
        (OpEnd::Failed(None), None),
        (OpEnd::Temporary, lost),
        (OpEnd::Interrupted, lost),
        (OpEnd::Expired, lost),
    ] {
        let told = [update(2), end(Op::Update, told), began()];
        assert_eq!(broken(&[&updated[..], &told].concat()), expected);
    }
    let older = [update(1), end(Op::Update, OpEnd::Done), began()];
    assert_eq!(broken(&[&updated[..], &older].concat()), lost);
    let newer = [update(3), end(Op::Update, OpEnd::Done), began()];
    assert_eq!(broken(&[&updated[..], &newer].concat()), None);
    assert_eq!(broken(&[&updated[..], &[began()]].concat()), lost);
    assert_eq!(broken(&[accepted(RUN), began()]), None);
}

#[test]
fn a_lower_desire_and_an_update_of_another_task_are_found() {
    assert_eq!(broken(&[accepted(STOP), accepted(RUN)]), Some("desired-monotone"));
    assert_eq!(broken(&[op_of("t", 1, Op::Update, "other")]), Some("desired-monotone"));
}

#[test]
fn a_remove_that_is_not_last_is_found() {
    let (removed, gone) = ([op(Op::Remove), end(Op::Remove, OpEnd::Done)], Some("remove-last"));
    assert_eq!(broken(&[op(Op::Wait), op(Op::Remove)]), gone);
    assert_eq!(broken(&[op(Op::Prepare), op(Op::Close)]), gone);
    assert_eq!(broken(&[op(Op::Close)]), gone);
    assert_eq!(broken(&[&removed[..], &[op(Op::Prepare)]].concat()), gone);
    assert_eq!(broken(&[&removed[..], &[op(Op::Remove)]].concat()), None);
    let closed = [&removed[..], &[op(Op::Close), end(Op::Close, OpEnd::Done)]].concat();
    for after in [Op::Remove, Op::Close, Op::Wait] {
        assert_eq!(broken(&[&closed[..], &[op(after)]].concat()), gone);
    }
}

#[test]
fn a_step_without_a_reason_or_too_soon_is_found() {
    let noop = || ended(status(Ready), status(Ready), Ready.into(), Next::Noop);
    let retry = || ended(status(Preparing), status(Preparing), RUN, Next::Retry);
    assert_eq!(broken_after(100 * SECOND, &[accepted(RUN), began(), noop(), began()]), Some("paced"));
    assert_eq!(broken(&[accepted(RUN), began(), retry(), began()]), Some("paced"));
    assert_eq!(broken_after(SECOND - 1, &[accepted(RUN), began(), retry(), began()]), Some("paced"));
    assert_eq!(broken_after(SECOND, &[accepted(RUN), began(), retry(), began()]), None);
    let update = || vec![accepted_at(RUN, 2), update(2), end(Op::Update, OpEnd::Done), began()];
    for rest in [noop(), retry()] {
        assert_eq!(broken(&[vec![accepted(RUN), began(), rest], update()].concat()), None);
    }
}

#[test]
fn timestamps_that_go_back_or_move_alone_are_found() {
    let at = |timestamp, state| TaskStatus { timestamp, ..status(state) };
    for (from, to, expected) in [
        (at(Some(5), Ready), at(Some(4), Starting), Some("timestamps")),
        (at(Some(5), Ready), at(None, Starting), Some("timestamps")),
        (at(Some(5), Ready), at(Some(5), Starting), None),
        (at(None, Ready), at(Some(1), Starting), None),
    ] {
        assert_eq!(broken(&[ended(from, to, RUN, Next::Advance)]), expected);
    }
    let moved = ended(at(Some(5), Ready), at(Some(6), Ready), Ready.into(), Next::Noop);
    assert_eq!(broken(&[moved]), Some("timestamps"));
}

#[test]
fn errors_that_stay_or_are_missing_are_found() {
    let to = |to| ended(status(Starting), to, RUN, Next::Advance);
    assert_eq!(broken(&[to(failed(Running, "old"))]), Some("err-field"));
    assert_eq!(broken(&[to(status(Failed))]), Some("err-field"));
    assert_eq!(broken(&[to(failed(Failed, ""))]), Some("err-field"));
    assert_eq!(broken(&[to(failed(Failed, "no"))]), None);
}

#[test]
fn a_dropped_exit_code_is_found() {
    let waited = [began(), op(Op::Wait), end(Op::Wait, OpEnd::Failed(Some(3)))];
    for (to, expected) in [
        (with_container(Failed, "c", 3), None),
        (with_container(Failed, "c", 0), Some("exit-code")),
        (failed(Failed, "no"), None),
    ] {
        let step = ended(status(Running), to, RUN, Next::Advance);
        assert_eq!(broken(&[&waited[..], &[step]].concat()), expected);
    }
    // Where there is a container, a status without one drops the code too.
    let bare = || ended(status(Running), failed(Failed, "no"), RUN, Next::Advance);
    let known = [&[container(ContainerChange::Created)], &waited[..], &[bare()]].concat();
    assert_eq!(broken(&known), Some("exit-code"));
    let had = TaskStatus { err: None, ..with_container(Running, "c", 0) };
    let dropped = ended(had, failed(Failed, "no"), RUN, Next::Advance);
    assert_eq!(broken(&[&waited[..], &[dropped]].concat()), Some("exit-code"));
}

#[test]
fn a_controller_or_container_of_two_tasks_is_found() {
    assert_eq!(broken(&[op_of("t", 1, Op::Wait, "t"), op_of("u", 2, Op::Wait, "u")]), None);
    assert_eq!(broken(&[op_of("t", 1, Op::Wait, "t"), op_of("u", 1, Op::Wait, "u")]), Some("not-shared"));
    let step = |task: &str| {
        let (from, to) = (Arc::new(status(Running)), Arc::new(with_container(Failed, "c", 0)));
        let (node, task, desired) = (node(), task.into(), RUN);
        AgentEvent::DoEnded { node, task, step: 1, desired, from, to, next: Next::Advance }
    };
    assert_eq!(broken(&[step("t"), step("u")]), Some("not-shared"));
}

#[test]
fn a_missing_a_foreign_and_a_changed_secret_are_found() {
    assert_eq!(broken(&[assigned(&["s"]), op(Op::Prepare)]), Some("dependencies"));
    assert_eq!(broken(&[holds(&["s"]), assigned(&["s"]), holds(&[]), op(Op::Prepare)]), Some("dependencies"));
    assert_eq!(broken(&[holds(&["s.t"]), assigned(&["s"]), op(Op::Prepare)]), None);
    assert_eq!(broken(&[assigned(&["s"]), looked("other", "other", "other")]), Some("dependencies"));
    assert_eq!(broken(&[assigned(&["s"]), looked("s", "s.t", "s")]), Some("dependencies"));
}

#[test]
fn an_interruption_that_fails_something_is_found() {
    for how in [OpEnd::Interrupted, OpEnd::Expired] {
        interruption_is_judged(&[began(), op(Op::Wait), end(Op::Wait, how)]);
    }
}

fn interruption_is_judged(interrupted: &[AgentEvent]) {
    for (to, next, expected) in [
        (status(Running), Next::Retry, None),
        (failed(Running, "context canceled"), Next::Retry, Some("cancel-is-no-failure")),
        (failed(Failed, "context canceled"), Next::Advance, Some("cancel-is-no-failure")),
    ] {
        let step = ended(status(Running), to, RUN, next);
        assert_eq!(broken(&[interrupted, &[step]].concat()), expected);
    }
}

#[test]
fn a_second_container_or_start_is_found_and_one_for_a_task_that_is_gone() {
    use ContainerChange::{Created, Removed, Started};
    assert_eq!(broken(&[container(Created), container(Created)]), Some("starts-once"));
    assert_eq!(broken(&[container(Created), container(Started), container(Started)]), Some("starts-once"));
    assert_eq!(
        broken(&[container(Created), container(Removed), freed(), container(Created)]),
        Some("no-orphan")
    );
}

#[test]
fn what_is_asked_for_again_is_found_but_for_once_after_a_restart() {
    let restored = || AgentEvent::Restored { node: node() };
    for asked in [Op::Prepare, Op::Start] {
        let ends = |how| [op(asked), end(asked, how)];
        let done = [&ends(OpEnd::Temporary)[..], &ends(OpEnd::Done)].concat();
        assert_eq!(broken(&done), None);
        assert_eq!(broken(&[&done[..], &[op(asked)]].concat()), Some("starts-once"));
        let again = [&done[..], &[restored()], &ends(OpEnd::Interrupted), &ends(OpEnd::Already)].concat();
        assert_eq!(broken(&again), None);
        assert_eq!(broken(&[&again[..], &[op(asked)]].concat()), Some("starts-once"));
        assert_eq!(broken(&[&again[..], &[restored(), op(asked)]].concat()), None);
        // A task that comes again after it was removed begins anew.
        assert_eq!(broken(&[&done[..], &[deleted(), op(asked)]].concat()), None);
    }
}

#[test]
fn a_task_that_comes_again_begins_anew() {
    use ContainerChange::{Created, Removed, Started};
    let life = || [assigned(&[]), accepted(RUN), container(Created), container(Started), stored(Running)];
    let stopped = [accepted(STOP), container(Removed), freed(), deleted()];
    assert_eq!(broken(&[&life()[..], &stopped, &life()].concat()), None);
    assert_eq!(broken(&[&life()[..], &life()].concat()), Some("starts-once"));
}

#[test]
fn a_definition_for_another_task_is_found() {
    let ignored = |about: &str| {
        let (node, task, about) = (node(), "t".into(), about.into());
        AgentEvent::Ignored { node, task, about, reason: "" }
    };
    assert_eq!((broken(&[ignored("t")]), broken(&[ignored("u")])), (None, Some("not-shared")));
}

#[test]
fn a_task_without_a_controller_that_goes_on_is_found() {
    let resolved = |state, err: Option<&str>| {
        let (node, task, err) = (node(), "t".into(), err.map(str::to_owned));
        AgentEvent::Resolved { node, task, state, err }
    };
    assert_eq!(broken(&[resolved(Running, None)]), None);
    assert_eq!(broken(&[resolved(Running, Some("no"))]), Some("do-result"));
    for state in [Rejected, Failed, Complete] {
        assert_eq!(broken(&[resolved(state, Some("no"))]), None);
    }
}

/// The rows that nothing but a desire decides: what rests and what does not.
#[test]
fn a_step_that_rests_or_goes_on_against_its_desire_is_found() {
    let noop = |state, desired: DesiredState| ended(status(state), status(state), desired, Next::Noop);
    let at = DesiredState::of;
    for (state, desired, rests) in [
        (TaskState::New, at(TaskState::New), true),
        (TaskState::New, at(TaskState::Pending), false),
        (TaskState::Assigned, at(Accepted), false),
        (Accepted, at(Accepted), true),
        (Accepted, at(Preparing), false),
        (Preparing, at(Accepted), true),
        (Preparing, at(Preparing), false),
        (Ready, at(Preparing), true),
        (Ready, at(Ready), true),
        (Ready, at(Starting), false),
        (Starting, at(Ready), true),
        (Starting, at(Starting), false),
        (Running, at(Starting), true),
        (Running, at(Running), false),
        (Running, at(Complete), false),
        (Running, STOP, false),
        (TaskState::New, DesiredState::REMOVE, false),
        (Complete, RUN, true),
        (Complete, STOP, true),
        (Rejected, DesiredState::REMOVE, true),
    ] {
        let expected = if rests { None } else { Some("do-result") };
        assert_eq!(broken(&[noop(state, desired)]), expected, "{state} desired {desired}");
    }
}

#[test]
fn what_never_comes_to_hold_is_found() {
    for (state, desired, expected) in [
        (Running, RUN, None),
        (Complete, RUN, None),
        (Starting, RUN, Some("settles")),
        (Ready, DesiredState::of(Ready), None),
        (Running, STOP, Some("settles")),
        (Running, DesiredState::REMOVE, Some("settles")),
        (Rejected, DesiredState::REMOVE, None),
    ] {
        assert_eq!(missing(&[wanted(desired), recorded(state)]), expected, "{state} desired {desired}");
    }
    assert_eq!(missing(&[wanted(RUN)]), Some("settles"));
    assert_eq!(missing(&[wanted(RUN), stored(Complete), recorded(Running)]), Some("final-status"));
    assert_eq!(missing(&[closing()]), Some("closes"));
    assert_eq!(missing(&[closing(), closing(), closed()]), Some("closes"));
    assert_eq!(missing(&[closing(), closing(), closed(), closed()]), None);
    assert_eq!(missing(&[wanted(RUN), container(ContainerChange::Created), unwanted()]), Some("no-orphan"));
    assert_eq!(missing(&[wanted(RUN), assigned(&[]), unwanted()]), Some("no-residue"));
    assert_eq!(missing(&[assigned(&[]), unassigned(), deleted()]), Some("no-residue"));
    let late = [assigned(&[]), deleted(), stored(Running)];
    assert_eq!(missing(&late), Some("no-residue"));
}

#[test]
fn each_property_is_listed_once() {
    let names: BTreeSet<&str> = NAMES.into_iter().collect();
    assert_eq!(names.len(), NAMES.len());
}
