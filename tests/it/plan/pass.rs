//! One pass: the reference's table of `Execute`, and what it left out.

use super::*;
use fatum::systems::plan::error::{ExecutionError, FatalExecution, is_fatal};
use fatum::systems::plan::{Answer, EventName, OnUnready, Pass, Timestamp};

const SERIAL: Strategy = Strategy::Serial;
const PARALLEL: Strategy = Strategy::Parallel;
const TRANSIENT: &str = "A transient error when executing task";
const FATAL_TEXT: &str = "Error during execution: fatal error: default/test-instance failed in";

struct Case {
    what: &'static str,
    status: PlanStatus,
    spec: Option<Plan>,
    tasks: Vec<Task>,
    expected: Vec<String>,
    is_error: bool,
}

fn check(case: Case) {
    let active = active(case.status.clone(), case.spec, &case.tasks);
    let outcome = pass(&active);
    assert_eq!(shown(&outcome.status), case.expected, "{}", case.what);
    assert_eq!(outcome.error.is_some(), case.is_error, "{}", case.what);
    assert_eq!(active.status, case.status, "{}: the input is as it was", case.what);
}

/// A plan of one phase `phase` of one step `step`, whose tasks these are.
fn one(tasks: &[&str]) -> Option<Plan> {
    Some(plan(SERIAL, vec![phase("phase", SERIAL, &[("step", tasks)])]))
}

fn all(plan: ExecutionStatus, phase: ExecutionStatus, step: ExecutionStatus) -> PlanStatus {
    tree(plan, &[("phase", phase, &[("step", step)])])
}

fn lines<const N: usize>(lines: [&str; N]) -> Vec<String> {
    lines.map(str::to_owned).to_vec()
}

/// The first fifteen rows: plan `test` of instance `default/test-instance`.
#[test]
fn a_plan_of_one_step_goes_on_as_in_the_table() {
    let complete = lines(["P COMPLETE", "phase COMPLETE", "step COMPLETE"]);
    let rows = [
        ("1: terminal, nothing known", tree(Complete, &[]), None, vec![], lines(["P COMPLETE"]), false),
        (
            "2: not done",
            all(InProgress, InProgress, InProgress),
            one(&["task"]),
            vec![pending("task")],
            lines(["P IN_PROGRESS", "phase IN_PROGRESS", "step IN_PROGRESS"]),
            false,
        ),
        (
            "3: done",
            all(Pending, Pending, Pending),
            one(&["task"]),
            vec![done("task")],
            complete.clone(),
            false,
        ),
        (
            "4: done after an error",
            all(Unset, InProgress, Error),
            one(&["task"]),
            vec![done("task")],
            complete,
            false,
        ),
        (
            "5: an error",
            all(InProgress, InProgress, InProgress),
            one(&["task"]),
            vec![failing("task")],
            lines([
                "P IN_PROGRESS",
                "phase IN_PROGRESS",
                &format!("step ERROR {TRANSIENT} test.phase.step.task. Will retry. dummy error"),
            ]),
            false,
        ),
    ];
    for (what, status, spec, tasks, expected, is_error) in rows {
        check(Case { what, status, spec, tasks, expected, is_error });
    }
}

#[test]
fn a_plan_of_one_step_fails_for_good_as_in_the_table() {
    let rows = [
        (
            "7: no such task",
            all(InProgress, InProgress, InProgress),
            one(&["fake-task"]),
            vec![done("task")],
            lines([
                "P FATAL_ERROR",
                "phase FATAL_ERROR",
                "step FATAL_ERROR default/test-instance fatal error:  missing task test.phase.step.fake-task",
            ]),
            true,
        ),
        (
            "8: no such kind",
            all(InProgress, InProgress, InProgress),
            one(&["task"]),
            vec![Task::new("task", "Unknown", [])],
            lines([
                "P FATAL_ERROR",
                "phase FATAL_ERROR",
                "step FATAL_ERROR default/test-instance fatal error:  failed to build task test.phase.step.task: \
                 unknown task kind Unknown",
            ]),
            true,
        ),
    ];
    for (what, status, spec, tasks, expected, is_error) in rows {
        check(Case { what, status, spec, tasks, expected, is_error });
    }
    for (what, before) in [("6: fatal", InProgress), ("15: fatal at the start", Pending)] {
        check(Case {
            what,
            status: all(before, before, before),
            spec: one(&["task"]),
            tasks: vec![fatal("task")],
            expected: lines([
                "P FATAL_ERROR",
                "phase FATAL_ERROR",
                &format!("step FATAL_ERROR {FATAL_TEXT} test.phase.step.task: dummy error"),
            ]),
            is_error: true,
        });
    }
}

/// Two steps of one phase, or two phases of one step each: one fails, the other has this task.
fn two(strategy: Strategy, as_phases: bool, second: Task) -> Outcome {
    let (spec, status) = if as_phases {
        let phases = ["One", "Two"].map(|n| (format!("phase{n}"), format!("task{n}")));
        let spec = phases.iter().map(|(name, task)| phase(name, SERIAL, &[("step", &[task.as_str()])]));
        let spec = plan(strategy, spec.collect());
        let steps: &[(&str, ExecutionStatus)] = &[("step", InProgress)];
        (spec, tree(InProgress, &[("phaseOne", InProgress, steps), ("phaseTwo", InProgress, steps)]))
    } else {
        let steps: &[(&str, &[&str])] = &[("stepOne", &["taskOne"]), ("stepTwo", &["taskTwo"])];
        let spec = plan(SERIAL, vec![phase("phase", strategy, steps)]);
        let steps: &[(&str, ExecutionStatus)] = &[("stepOne", InProgress), ("stepTwo", InProgress)];
        (spec, tree(InProgress, &[("phase", InProgress, steps)]))
    };
    pass(&active(status, Some(spec), &[failing("taskOne"), second]))
}

#[test]
fn what_fails_holds_back_what_comes_after_it_in_series_alone() {
    let error = |place: &str| format!("{TRANSIENT} test.{place}. Will retry. dummy error");
    let step = format!("stepOne ERROR {}", error("phase.stepOne.taskOne"));
    let phase_step = format!("step ERROR {}", error("phaseOne.step.taskOne"));
    let steps = |second: &str| lines(["P IN_PROGRESS", "phase IN_PROGRESS", &step, second]);
    let phases = |second: [&str; 2]| {
        lines(["P IN_PROGRESS", "phaseOne IN_PROGRESS", &phase_step, second[0], second[1]])
    };
    let untouched = ["phaseTwo IN_PROGRESS", "step IN_PROGRESS"];
    let complete = ["phaseTwo COMPLETE", "step COMPLETE"];
    let cases = [
        // 9: the second step is not run.
        (SERIAL, false, pending("taskTwo"), steps("stepTwo IN_PROGRESS")),
        (SERIAL, false, done("taskTwo"), steps("stepTwo IN_PROGRESS")),
        (PARALLEL, false, pending("taskTwo"), steps("stepTwo IN_PROGRESS")),
        (PARALLEL, false, done("taskTwo"), steps("stepTwo COMPLETE")),
        // 12: the second phase is not run.
        (SERIAL, true, pending("taskTwo"), phases(untouched)),
        (SERIAL, true, done("taskTwo"), phases(untouched)),
        (PARALLEL, true, done("taskTwo"), phases(complete)),
    ];
    for (strategy, as_phases, second, expected) in cases {
        let outcome = two(strategy, as_phases, second.clone());
        assert_eq!(shown(&outcome.status), expected, "{strategy} {as_phases} {second:?}");
        assert!(outcome.error.is_none());
    }
}

#[test]
fn a_fatal_task_ends_the_pass_there_and_keeps_what_came_before() {
    let steps: &[(&str, &[&str])] = &[("one", &["ok"]), ("two", &["bad", "ok"]), ("three", &["ok"])];
    let spec =
        plan(PARALLEL, vec![phase("first", PARALLEL, steps), phase("second", SERIAL, &[("four", &["ok"])])]);
    let steps: &[(&str, ExecutionStatus)] = &[("one", Pending), ("two", Pending), ("three", Pending)];
    let status = tree(Pending, &[("first", Pending, steps), ("second", Pending, &[("four", Pending)])]);
    let outcome = pass(&active(status, Some(spec), &[done("ok"), fatal("bad")]));
    let message = format!("two FATAL_ERROR {FATAL_TEXT} test.first.two.bad: dummy error");
    let expected = [
        "P FATAL_ERROR",
        "first FATAL_ERROR",
        "one COMPLETE",
        &message,
        "three PENDING",
        "second PENDING",
        "four PENDING",
    ];
    assert_eq!(shown(&outcome.status), lines(expected));
    let error = outcome.error.unwrap();
    assert_eq!(
        (error.event(), error.is_fatal(), is_fatal(&error)),
        (Some(EventName::DummyTaskError), true, true)
    );
}

#[test]
fn missing_statuses_are_fatal_and_say_which() {
    let spec = || one(&["task"]);
    let cases = [
        (
            tree(Pending, &[]),
            EventName::MissingPhaseStatus,
            lines(["P FATAL_ERROR default/test-instance fatal error:  missing phase status: test.phase"]),
        ),
        (
            tree(Pending, &[("phase", Pending, &[])]),
            EventName::MissingStepStatus,
            lines([
                "P FATAL_ERROR",
                "phase FATAL_ERROR default/test-instance fatal error:  missing step status: test.phase.step",
            ]),
        ),
    ];
    for (status, event, expected) in cases {
        let outcome = pass(&active(status, spec(), &[done("task")]));
        assert_eq!((shown(&outcome.status), outcome.error.unwrap().event()), (expected, Some(event)));
    }
}

#[test]
fn what_has_ended_is_returned_as_it_is() {
    for status in [Complete, FatalError] {
        let before = all(status, Pending, Pending);
        let outcome = pass(&active(before.clone(), one(&["task"]), &[fatal("task")]));
        assert_eq!((outcome.status, outcome.error.is_none()), (before, true), "{status}");
    }
}

#[test]
fn empty_lists_are_complete_at_once() {
    let cases = [
        (Some(Plan::default()), tree(Pending, &[]), lines(["P COMPLETE"])),
        (
            Some(plan(SERIAL, vec![phase("phase", SERIAL, &[])])),
            tree(Pending, &[("phase", Pending, &[])]),
            lines(["P COMPLETE", "phase COMPLETE"]),
        ),
        (one(&[]), all(Pending, Pending, Pending), lines(["P COMPLETE", "phase COMPLETE", "step COMPLETE"])),
    ];
    for (spec, status, expected) in cases {
        assert_eq!(shown(&pass(&active(status, spec, &[])).status), expected);
    }
}

/// What tasks answer, by step and task.
type Answers<'a> = &'a [(&'a str, Answer)];

/// The tasks that were run, and the statuses, where each is answered as said.
fn answered(active: &ActivePlan, options: Options, answers: &[(&str, Answer)]) -> (Vec<String>, Outcome) {
    let (metadata, mut ran) = (metadata(), Vec::new());
    let mut pass = Pass::new(active, &metadata, options, Timestamp(7));
    while let Some(run) = pass.next_task() {
        let name = format!("{}.{}", run.step, run.task.name);
        let count = ran.iter().filter(|known| **known == name).count();
        let known = answers.iter().filter(|(known, _)| *known == name).nth(count);
        pass.answer(known.map_or(Answer::Done, |(_, answer)| answer.clone()));
        ran.push(name);
    }
    (ran, pass.finish())
}

fn transient() -> Answer {
    Answer::transient("no")
}

#[test]
fn a_step_runs_all_of_its_tasks_whatever_they_answer() {
    let tasks = ["a", "b", "c"].map(done);
    let status = all(InProgress, InProgress, InProgress);
    let active = active(status, one(&["a", "b", "c"]), &tasks);
    let error = |task: &str| format!("step ERROR {TRANSIENT} test.phase.step.{task}. Will retry. no");
    let cases: [(&[(&str, Answer)], &str); 5] = [
        (&[("step.a", transient())], &error("a")),
        (&[("step.a", transient()), ("step.b", Answer::Pending)], &error("a")),
        (&[("step.a", transient()), ("step.c", transient())], &error("c")),
        (&[("step.b", Answer::Pending)], "step IN_PROGRESS"),
        (&[], "step COMPLETE"),
    ];
    for (answers, expected) in cases {
        let (ran, outcome) = answered(&active, Options::default(), answers);
        assert_eq!(ran, ["step.a", "step.b", "step.c"], "{answers:?}");
        assert_eq!(shown(&outcome.status)[2], expected, "{answers:?}");
    }
}

#[test]
fn names_that_stand_twice_are_one() {
    let active_of = |spec, status| active(status, spec, &["a", "b"].map(done));
    // One success of a task removes both of its name: a later failure still ends complete.
    let twice = active_of(one(&["a", "a"]), all(Pending, Pending, Pending));
    let (ran, outcome) =
        answered(&twice, Options::default(), &[("step.a", Answer::Done), ("step.a", transient())]);
    assert_eq!((ran.len(), shown(&outcome.status)[2].as_str()), (2, "step COMPLETE"));
    // The second step of a name shares the first's status, and is skipped if that completed.
    let steps: &[(&str, &[&str])] = &[("step", &["a"]), ("step", &["b"])];
    let spec = Some(plan(SERIAL, vec![phase("phase", SERIAL, steps)]));
    let (ran, outcome) = answered(&active_of(spec, all(Pending, Pending, Pending)), Options::default(), &[]);
    assert_eq!((ran, outcome.status.status), (vec!["step.a".to_owned()], Complete));
    // Phases likewise.
    let spec = Some(plan(
        SERIAL,
        vec![phase("phase", SERIAL, &[("step", &["a"])]), phase("phase", SERIAL, &[("step", &["b"])])],
    ));
    let (ran, outcome) = answered(&active_of(spec, all(Pending, Pending, Pending)), Options::default(), &[]);
    assert_eq!((ran, outcome.status.status), (vec!["step.a".to_owned()], Complete));
    // The first task of a name in the operator's list counts.
    let tasks = [done("a"), fatal("a")];
    let outcome = pass(&active(all(Pending, Pending, Pending), one(&["a"]), &tasks));
    assert_eq!(outcome.status.status, Complete);
}

#[test]
fn children_that_nobody_asked_for_are_refused_or_run_by_option() {
    let parity = Options { on_unready: OnUnready::Run, ..Options::default() };
    for before in [FatalError, NeverRun, Unset] {
        for status in [all(InProgress, before, InProgress), all(InProgress, InProgress, before)] {
            let active = active(status, one(&["a"]), &[done("a")]);
            let (ran, outcome) = answered(&active, Options::default(), &[]);
            let event = outcome.error.and_then(|error| error.event());
            assert_eq!(
                (ran.len(), outcome.status.status, event),
                (0, FatalError, Some(EventName::UnreadyChild))
            );
            let (ran, outcome) = answered(&active, parity, &[]);
            assert_eq!((ran.len(), outcome.status.status), (1, Complete), "{before}");
        }
    }
    // What is left as it is: a fatal step whose task is not done stays fatal in parity.
    let active = active(all(InProgress, InProgress, FatalError), one(&["a"]), &[done("a")]);
    let (_, outcome) = answered(&active, parity, &[("step.a", Answer::Pending)]);
    assert_eq!(shown(&outcome.status), lines(["P IN_PROGRESS", "phase IN_PROGRESS", "step FATAL_ERROR"]));
}

#[test]
fn passes_repeat_until_all_is_done_and_complete_steps_rest() {
    let steps: &[(&str, &[&str])] = &[("one", &["a", "b"]), ("two", &["a"]), ("three", &["b"])];
    let spec = Some(plan(SERIAL, vec![phase("phase", SERIAL, steps)]));
    let status =
        tree(Pending, &[("phase", Pending, &[("one", Pending), ("two", Pending), ("three", Pending)])]);
    let mut active = active(status, spec, &["a", "b"].map(done));
    let script: [(Answers<'_>, &[&str], ExecutionStatus); 4] = [
        (&[("one.b", Answer::Pending)], &["one.a", "one.b"], InProgress),
        (&[("two.a", transient())], &["one.a", "one.b", "two.a"], InProgress),
        (&[("three.b", Answer::Pending)], &["two.a", "three.b"], InProgress),
        (&[], &["three.b"], Complete),
    ];
    for (answers, expected, status) in script {
        let (ran, outcome) = answered(&active, Options::default(), answers);
        assert_eq!(
            (ran, outcome.status.status),
            (expected.iter().map(|name| (*name).to_owned()).collect(), status)
        );
        active.status = outcome.status;
    }
    assert!(active.status.steps().all(|step| step.status == Complete && step.message.is_empty()));
}

#[test]
fn the_plans_strategy_orders_phases_and_the_phases_orders_steps() {
    for (outer, inner, expected) in [
        (SERIAL, SERIAL, vec!["one.a"]),
        (SERIAL, PARALLEL, vec!["one.a", "two.a"]),
        (PARALLEL, SERIAL, vec!["one.a", "three.a"]),
        (PARALLEL, PARALLEL, vec!["one.a", "two.a", "three.a", "four.a"]),
    ] {
        let first = phase("first", inner, &[("one", &["a"]), ("two", &["a"])]);
        let second = phase("second", inner, &[("three", &["a"]), ("four", &["a"])]);
        let (a, b): (Steps<'_>, Steps<'_>) =
            (&[("one", Pending), ("two", Pending)], &[("three", Pending), ("four", Pending)]);
        let status = tree(Pending, &[("first", Pending, a), ("second", Pending, b)]);
        let active = active(status, Some(plan(outer, vec![first, second])), &[pending("a")]);
        let open = ["one.a", "two.a", "three.a", "four.a"].map(|name| (name, Answer::Pending));
        assert_eq!(answered(&active, Options::default(), &open).0, expected, "{outer} {inner}");
    }
}

#[test]
fn strategies_are_read_strictly_or_as_the_reference_takes_them() {
    assert_eq!("serial".parse(), Ok(SERIAL));
    assert_eq!("parallel".parse(), Ok(PARALLEL));
    for word in ["", "Serial", "SERIAL", "paralel", " serial"] {
        assert!(word.parse::<Strategy>().is_err(), "{word:?}");
        assert_eq!(Strategy::lenient(word), PARALLEL, "{word:?}");
    }
    assert_eq!(Strategy::lenient("serial"), SERIAL);
}

#[test]
fn the_classes_of_statuses_are_those_of_the_table() {
    for status in ExecutionStatus::ALL {
        let classes =
            (status.is_terminal(), status.is_finished(), status.is_running(), status.is_never_run());
        let expected = match status {
            Unset | NeverRun => (false, false, false, true),
            Pending | InProgress | Error => (false, false, true, false),
            Complete => (true, true, false, false),
            FatalError => (true, false, false, false),
        };
        assert_eq!(classes, expected, "{status}");
        assert_eq!(status.name().parse(), Ok(status));
        assert_eq!(serde_json::to_value(status).unwrap(), status.name());
    }
}

#[test]
fn setters_keep_to_their_rules() {
    let mut plan = PlanStatus {
        message: "why".to_owned(),
        last_updated: Some(Timestamp(5)),
        status: Pending,
        ..PlanStatus::default()
    };
    plan.set(Pending, Timestamp(6));
    assert_eq!(
        (plan.message.as_str(), plan.last_updated),
        ("why", Some(Timestamp(5))),
        "the same: not touched"
    );
    plan.set(InProgress, Timestamp(7));
    assert_eq!((plan.message.as_str(), plan.last_updated), ("", Some(Timestamp(7))));
    plan.set_with_message(InProgress, "", Timestamp(8));
    assert_eq!(plan.last_updated, Some(Timestamp(7)), "the same: not touched");
    plan.set_with_message(InProgress, "words", Timestamp(9));
    assert_eq!((plan.message.as_str(), plan.last_updated), ("words", Some(Timestamp(9))));
    plan.set(Complete, Timestamp(1));
    assert_eq!(plan.last_updated, Some(Timestamp(9)), "the time of a status does not go back");
    let mut step = StepStatus { status: InProgress, message: "why".to_owned(), ..StepStatus::default() };
    step.set(InProgress);
    assert_eq!(step.message, "", "a step's setter always clears");
    step.set_with_message(Error, "words");
    assert_eq!((step.status, step.message.as_str()), (Error, "words"));
}

#[test]
fn an_answer_of_the_reference_is_one_of_ours() {
    #[derive(Debug, thiserror::Error)]
    #[error("outer: {0}")]
    struct Outer(#[source] fatum::systems::plan::error::FatalExecution);
    let fatal = Outer(fatum::systems::plan::error::FatalExecution);
    assert!(matches!(Answer::from((true, Err(fatal))), Answer::Failed(_)));
    let plain = || std::io::Error::other("no");
    assert_eq!(Answer::from((true, Err(plain()))), Answer::transient("no"));
    assert_eq!(Answer::from((false, Err(plain()))), Answer::transient("no"));
    assert_eq!(Answer::from((true, Ok::<(), std::io::Error>(()))), Answer::Done);
    assert_eq!(Answer::from((false, Ok::<(), std::io::Error>(()))), Answer::Pending);
}

/// An error of a task that has the mark in its chain: the step says it as it is, and the pass has it as it is.
#[test]
fn a_fatal_error_of_a_tasks_own_is_told_as_it_is() {
    #[derive(Debug, thiserror::Error)]
    #[error("the disk is gone: {0}")]
    struct Gone(#[source] FatalExecution);
    #[derive(Debug, thiserror::Error)]
    #[error("while waiting: {0}")]
    struct Waiting(#[source] ExecutionError);
    let told = || ExecutionError::new(EventName::PipeTaskError, Gone(FatalExecution));
    let cases: [(Answer, &str, Option<EventName>); 3] = [
        (Answer::from((false, Err(Gone(FatalExecution)))), "the disk is gone: fatal error: ", None),
        (
            Answer::from((true, Err(told()))),
            "Error during execution: the disk is gone: fatal error: ",
            Some(EventName::PipeTaskError),
        ),
        (
            Answer::from((false, Err(Waiting(told())))),
            "while waiting: Error during execution: the disk is gone: fatal error: ",
            Some(EventName::PipeTaskError),
        ),
    ];
    for (answer, text, event) in cases {
        let status = all(InProgress, InProgress, InProgress);
        let active = active(status, one(&["a", "b"]), &["a", "b"].map(done));
        let (ran, outcome) = answered(&active, Options::default(), &[("step.a", answer)]);
        assert_eq!(ran, ["step.a"]);
        let step = format!("step FATAL_ERROR {text}").trim_end().to_owned();
        assert_eq!(shown(&outcome.status), lines(["P FATAL_ERROR", "phase FATAL_ERROR", &step]));
        let error = outcome.error.unwrap();
        assert_eq!((error.to_string().as_str(), error.event(), error.is_fatal()), (text, event, true));
    }
}

/// Of a plan that there is not nothing can be done, and that is its end.
#[test]
fn a_plan_that_there_is_not_fails_for_good() {
    for before in [Pending, InProgress, Unset, NeverRun] {
        let outcome = pass(&active(tree(before, &[]), None, &[]));
        let message =
            "P FATAL_ERROR default/test-instance fatal error:  could not find required plan: 'test'";
        assert_eq!(shown(&outcome.status), [message], "{before}");
        assert_eq!(outcome.error.unwrap().event(), Some(EventName::InvalidPlan));
    }
}
