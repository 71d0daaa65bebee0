//! The executors for queries and for tasks that wait: the last two rows of table 2.3.

use super::{Does, Recorder, Scripted, bench, now, task};
use fatum::systems::plugin::context::TaskContext;
use fatum::systems::plugin::engine::NodeCall;
use fatum::systems::plugin::enqueue::EnqueueOwner;
use fatum::systems::plugin::error::EventError;
use fatum::systems::plugin::executor::{Executor, InitializationParameters};
use fatum::systems::plugin::executors::{Hive, POLL_EVERY, QueryState, WAIT_FOR, Waitable, combine};
use fatum::systems::plugin::model::{TaskPhase, TaskStatus};
use fatum::systems::plugin::outputs::LiteralMap;
use fatum::systems::plugin::outside::{ExecutionPhase, Executions, Files, Lookaside, Queries, Tokens};
use fatum::systems::plugin::status::NodeStatus;
use fatum::systems::plugin::workflow::{Ends, TaskTemplate};
use fatum::time::Duration;
use serde_json::json;
use std::sync::Arc;

fn initialized(executor: &dyn Executor, answer: Option<EventError>) -> Arc<Recorder> {
    let recorder = Arc::new(Recorder { answer, ..Recorder::default() });
    let parameters = InitializationParameters {
        recorder: Some(recorder.clone()),
        data: Some(Arc::new(Files::new())),
        enqueue_owner: Some(EnqueueOwner::new()),
        ..InitializationParameters::default()
    };
    now(executor.initialize(&parameters)).unwrap();
    recorder
}

/// The context of an attempt that reported this last; none if it reported nothing.
fn context(status: Option<&TaskStatus>) -> TaskContext {
    let bench = bench(super::v1(&Arc::new(Scripted::default())));
    let (workflow, node_status) = (super::workflow(vec![super::node("n1", &[])]), NodeStatus::default());
    let node = &workflow.spec.nodes[0];
    let call = NodeCall { effects: &bench.effects, workflow: &workflow, node, status: &node_status };
    let mut context = call.context().unwrap();
    if let Some(status) = status {
        context.phase = Some(status.phase.core());
        context.phase_version = status.phase_version;
        context.custom_state = status.state.clone();
    }
    context
}

struct Bench {
    hive: Hive,
    queries: Queries,
    tokens: Tokens,
    lookaside: Lookaside,
}

fn hive(tokens: usize) -> Bench {
    let (queries, tokens, lookaside) = (Queries::new(Files::new()), Tokens::new(tokens), Lookaside::new());
    let hive = Hive::new("hive", queries.clone(), tokens.clone(), lookaside.clone());
    // Each look is a poll, but where a test is about that.
    let hive = hive.polling_every(Duration::ZERO);
    Bench { hive, queries, tokens, lookaside }
}

fn queries(count: u32, ends: Ends) -> TaskTemplate {
    let mut task = task("t");
    (task.work.queries, task.work.ends) = (Some(count), vec![ends]);
    task
}

fn start(bench: &Bench, task: &TaskTemplate) -> TaskStatus {
    now(bench.hive.start(&context(None), task, &LiteralMap::new())).unwrap()
}

fn check(bench: &Bench, task: &TaskTemplate, last: &TaskStatus) -> TaskStatus {
    now(bench.hive.check(&context(Some(last)), task)).unwrap()
}

#[test]
fn the_states_of_queries_make_a_phase() {
    use QueryState::{Failed, NotStarted, Running, Succeeded};
    for (states, expected) in [
        (vec![NotStarted, NotStarted], TaskPhase::Queued),
        (vec![NotStarted, Running(1)], TaskPhase::Running),
        (vec![Succeeded, NotStarted], TaskPhase::Running),
        (vec![Succeeded, Succeeded], TaskPhase::Succeeded),
        (vec![Running(1), Failed], TaskPhase::RetryableFailure),
    ] {
        assert_eq!(combine(&states), expected, "{states:?}");
    }
}

#[test]
fn queries_live_from_start_to_success() {
    let (bench, task) = (hive(4), queries(2, Ends::Ok));
    let recorder = initialized(&bench.hive, None);
    let queued = start(&bench, &task);
    assert_eq!((queued.phase, bench.queries.launched()), (TaskPhase::Queued, 0));
    let running = check(&bench, &task, &queued);
    assert_eq!((running.phase, running.phase_version.0), (TaskPhase::Running, 0));
    assert_eq!((bench.queries.launched(), bench.tokens.in_use(), bench.lookaside.len()), (2, 2, 2));
    let done = check(&bench, &task, &running);
    assert_eq!(done.phase, TaskPhase::Succeeded);
    assert_eq!((bench.tokens.in_use(), bench.lookaside.len()), (0, 0));
    assert_eq!(recorder.task_phases(), ["QUEUED", "RUNNING", "SUCCEEDED"]);
}

#[test]
fn a_query_waits_for_a_token_and_a_change_is_a_new_version() {
    let (bench, task) = (hive(1), queries(2, Ends::Ok));
    initialized(&bench.hive, None);
    let first = check(&bench, &task, &start(&bench, &task));
    assert_eq!((first.phase, bench.queries.launched()), (TaskPhase::Running, 1));
    // The first is done and gives its token back, which the second takes.
    let second = check(&bench, &task, &first);
    assert_eq!((second.phase, second.phase_version.0), (TaskPhase::Running, 1));
    assert_eq!((bench.queries.launched(), bench.tokens.in_use()), (2, 1));
    let idle = queries(1, Ends::Never);
    let other = hive(1);
    initialized(&other.hive, None);
    let running = check(&other, &idle, &start(&other, &idle));
    assert_eq!(check(&other, &idle, &running), running, "nothing changed, nothing is new");
}

#[test]
fn what_was_launched_and_not_stored_is_not_launched_again() {
    let (bench, task) = (hive(4), queries(1, Ends::Never));
    initialized(&bench.hive, None);
    let queued = start(&bench, &task);
    check(&bench, &task, &queued);
    let again = check(&bench, &task, &queued);
    assert_eq!((again.phase, bench.queries.launched(), bench.tokens.in_use()), (TaskPhase::Running, 1, 1));
    assert_eq!(bench.queries.asked().launches, 1, "the service is not even asked");
    // Without the buffer it is.
    let (queries, tokens) = (bench.queries.clone(), bench.tokens.clone());
    let forgetful = Hive::new("hive", queries, tokens, Lookaside::new());
    initialized(&forgetful, None);
    now(forgetful.check(&context(Some(&queued)), &task)).unwrap();
    assert_eq!(bench.queries.asked().launches, 2);
}

#[test]
fn what_a_query_was_seen_to_be_is_not_asked_for_in_each_round() {
    for (poll_every, polls) in [(Duration::from_secs(3600), 1), (Duration::ZERO, 3)] {
        let (bench, task) = (hive(4), queries(1, Ends::Never));
        let bench = Bench { hive: bench.hive.polling_every(poll_every), ..bench };
        initialized(&bench.hive, None);
        let mut last = start(&bench, &task);
        for _ in 0..4 {
            last = check(&bench, &task, &last);
        }
        // The first look launches it.
        assert_eq!((last.phase, bench.queries.asked().polls), (TaskPhase::Running, polls));
        // What is killed is looked at again.
        now(bench.hive.kill(&context(Some(&last)), "Node aborted")).unwrap();
        assert_eq!(check(&bench, &task, &last).phase, TaskPhase::RetryableFailure);
    }
    assert_eq!(POLL_EVERY, Duration::from_secs(5));
}

#[test]
fn a_failed_query_ends_the_attempt_and_a_kill_releases_all() {
    let (bench, task) = (hive(4), queries(2, Ends::Recoverable));
    initialized(&bench.hive, None);
    let running = check(&bench, &task, &start(&bench, &task));
    let failed = check(&bench, &task, &running);
    assert_eq!((failed.phase, bench.tokens.in_use()), (TaskPhase::RetryableFailure, 0));
    let (bench, task) = (hive(4), queries(2, Ends::Never));
    initialized(&bench.hive, None);
    let queued = start(&bench, &task);
    // Also of queries whose launch was not stored; those that were never launched are no matter.
    for last in [queued.clone(), check(&bench, &task, &queued)] {
        now(bench.hive.kill(&context(Some(&last)), "Node aborted")).unwrap();
        assert_eq!((bench.tokens.in_use(), bench.lookaside.len()), (0, 0));
    }
}

#[test]
fn queries_that_the_control_plane_has_ended_fail() {
    let (bench, task) = (hive(4), queries(1, Ends::Never));
    initialized(&bench.hive, Some(EventError::AlreadyInTerminalState));
    assert_eq!(start(&bench, &task).phase, TaskPhase::PermanentFailure);
}

fn waitable(answer: Option<EventError>) -> (Waitable, Arc<Scripted>, Executions) {
    let (inner, executions) = (Arc::new(Scripted::default()), Executions::new());
    let waitable = Waitable::new("waitable", inner.clone(), executions.clone());
    initialized(&waitable, answer);
    (waitable, inner, executions)
}

fn wait_for(names: &[&str]) -> LiteralMap {
    [(WAIT_FOR.to_owned(), json!(names))].into()
}

#[test]
fn a_task_waits_for_others_then_runs() {
    let (waitable, inner, executions) = waitable(None);
    let template = task("t");
    executions.set("a", ExecutionPhase::Running);
    let queued = now(waitable.start(&context(None), &template, &wait_for(&["a"]))).unwrap();
    assert_eq!(queued.phase, TaskPhase::Queued);
    let waits = now(waitable.check(&context(Some(&queued)), &template)).unwrap();
    assert_eq!((waits.phase, inner.calls().len()), (TaskPhase::Queued, 1), "only initialized");
    executions.set("a", ExecutionPhase::Succeeded);
    let running = now(waitable.check(&context(Some(&waits)), &template)).unwrap();
    assert_eq!(running.phase, TaskPhase::Running);
    now(waitable.check(&context(Some(&running)), &template)).unwrap();
    assert_eq!(inner.calls()[1..], ["start execName1-n1-0", "check execName1-n1-0"]);
}

#[test]
fn a_task_that_waited_has_its_inputs_and_stays_queued_while_it_is_not_accepted() {
    let (inner, executions) = (Arc::new(Scripted::default()), Executions::new());
    let refuses = Arc::new(Scripted { start: Does::Returns(TaskStatus::NOT_READY), ..Scripted::default() });
    let mut inputs = wait_for(&[]);
    inputs.insert("rows".to_owned(), json!([1, 2]));
    for (executor, phase, starts) in [(inner, TaskPhase::Running, 1), (refuses, TaskPhase::Queued, 2)] {
        let waitable = Waitable::new("waitable", executor.clone(), executions.clone());
        initialized(&waitable, None);
        let mut last = now(waitable.start(&context(None), &task("t"), &inputs)).unwrap();
        for _ in 0..2 {
            last = now(waitable.check(&context(Some(&last)), &task("t"))).unwrap();
        }
        assert_eq!(last.phase, phase);
        assert_eq!(*executor.inputs.lock().unwrap(), vec![inputs.clone(); starts]);
    }
}

#[test]
fn a_kill_while_waiting_ends_those_that_run() {
    let (waitable, _, executions) = waitable(None);
    executions.set("a", ExecutionPhase::Running);
    executions.set("b", ExecutionPhase::Succeeded);
    let queued = now(waitable.start(&context(None), &task("t"), &wait_for(&["a", "b"]))).unwrap();
    now(waitable.kill(&context(Some(&queued)), "Node aborted")).unwrap();
    assert_eq!(executions.get("a"), Some(ExecutionPhase::Aborted));
    assert_eq!(executions.get("b"), Some(ExecutionPhase::Succeeded));
    // No state at all is no panic.
    now(waitable.kill(&context(None), "Node aborted")).unwrap();
}

#[test]
fn a_task_that_waits_and_was_ended_by_the_control_plane_fails() {
    let (waitable, ..) = waitable(Some(EventError::AlreadyInTerminalState));
    let status = now(waitable.start(&context(None), &task("t"), &LiteralMap::new())).unwrap();
    assert_eq!(status.phase, TaskPhase::PermanentFailure);
}
