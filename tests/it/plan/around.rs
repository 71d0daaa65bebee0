//! The rules around a pass: what is scheduled, initialised, reset, held by finalizers, looked at again.

use super::*;
use fatum::systems::plan::instance::{DuplicatePipeKey, FINALIZER, Instance, PlanExecution};
use fatum::systems::plan::{Phase, Timestamp};
use fatum::time::Duration;

fn instance(plans: &[(&str, ExecutionStatus, u64)]) -> Instance {
    let mut instance = Instance::new("operator", BTreeMap::new());
    for (name, status, at) in plans {
        let status = PlanStatus {
            name: (*name).to_owned(),
            uid: format!("{name}-1"),
            status: *status,
            last_updated: (*at > 0).then_some(Timestamp(*at)),
            ..PlanStatus::default()
        };
        instance.status.plans.insert((*name).to_owned(), status.into());
    }
    instance
}

fn scheduled(name: &str, uid: &str) -> PlanExecution {
    PlanExecution { name: name.to_owned(), uid: uid.to_owned(), status: InProgress }
}

#[test]
fn what_is_scheduled_is_the_plan_of_the_spec_or_the_clean_up_of_a_deletion() {
    let operator = operator(&["deploy", "cleanup"]);
    let next = |instance: &Instance| {
        let found = instance.scheduled_plan(&operator, || "new".to_owned(), false);
        found.map(|plan| (plan.name, plan.uid))
    };
    let pair = |name: &str, uid: &str| Some((name.to_owned(), uid.to_owned()));
    let mut known = instance(&[("deploy", InProgress, 1), ("cleanup", NeverRun, 0)]);
    assert_eq!(next(&known), None, "idle");
    known.spec.plan_execution = scheduled("deploy", "1");
    assert_eq!(next(&known), pair("deploy", "1"));
    known.metadata.deleting = true;
    assert_eq!(next(&known), pair("cleanup", "new"), "it takes over from what runs");
    known.spec.plan_execution = scheduled("cleanup", "2");
    assert_eq!(next(&known), pair("cleanup", "2"), "it is on its way");
    for status in [Complete, FatalError, InProgress] {
        let mut known = instance(&[("cleanup", status, 1)]);
        known.metadata.deleting = true;
        assert_eq!(next(&known), None, "{status}: it begins once");
    }
    let mut bare = instance(&[]);
    bare.metadata.deleting = true;
    assert_eq!(next(&bare), pair("cleanup", "new"), "without a status it never ran");
    assert_eq!(bare.scheduled_plan(&super::operator(&["deploy"]), || "new".to_owned(), false), None);
}

#[test]
fn a_new_uid_makes_all_of_a_plan_pending() {
    let mut known = instance(&[("deploy", Complete, 1), ("backup", FatalError, 2)]);
    let tree = tree(Complete, &[("phase", Complete, &[("one", Complete), ("two", FatalError)])]);
    known.plan_mut("deploy").unwrap().phases = tree.phases;
    let before = known.clone();
    let error = known.reset_plan_status_if_plan_is_new("other", "x", Timestamp(9)).unwrap_err();
    assert_eq!(error.to_string(), "failed to find planStatus for plan 'other'");
    assert_eq!(known.reset_plan_status_if_plan_is_new("deploy", "deploy-1", Timestamp(9)), Ok(false));
    assert_eq!(known, before);
    assert_eq!(known.reset_plan_status_if_plan_is_new("deploy", "deploy-2", Timestamp(9)), Ok(true));
    let plan = &known.status.plans["deploy"];
    assert_eq!(
        (plan.uid.as_str(), plan.status, plan.last_updated),
        ("deploy-2", Pending, Some(Timestamp(9)))
    );
    assert!(plan.phases.iter().all(|phase| phase.status == Pending));
    assert!(plan.steps().all(|step| step.status == Pending));
    assert_eq!(known.status.plans["backup"], before.status.plans["backup"], "others are left alone");
}

fn steps(names: &[&str]) -> Phase {
    let steps: Vec<(&str, &[&str])> = names.iter().map(|name| (*name, &["task"][..])).collect();
    phase(names[0], Strategy::Serial, &steps)
}

#[test]
fn statuses_follow_the_operator_in_its_order() {
    let version = |phases: Vec<Phase>| {
        let mut version = operator(&[]);
        version.plans.insert("deploy".to_owned(), Arc::new(plan(Strategy::Serial, phases)));
        version
    };
    let names = |instance: &Instance| {
        let plan = &instance.status.plans["deploy"];
        let steps = plan.phases.iter().flat_map(|phase| &phase.steps);
        steps.map(|step| format!("{} {}", step.name, step.status)).collect::<Vec<_>>()
    };
    let mut known = instance(&[("outdated", Complete, 1)]);
    known.ensure_plan_status_initialized(&version(vec![steps(&["a"])]));
    let plan = &known.status.plans["deploy"];
    assert_eq!((plan.status, plan.phases[0].status, plan.name.as_str()), (NeverRun, NeverRun, "deploy"));
    assert_eq!(known.status.plans["outdated"].status, Complete, "plans of other versions are left alone");
    let deploy = known.plan_mut("deploy").unwrap();
    (deploy.status, deploy.uid, deploy.phases[0].status, deploy.phases[0].steps[0].status) =
        (Complete, "1".to_owned(), Complete, Complete);
    let before = known.clone();
    known.ensure_plan_status_initialized(&version(vec![steps(&["a"])]));
    assert_eq!(known, before, "what is known is kept");
    known.ensure_plan_status_initialized(&version(vec![steps(&["new"]), steps(&["a", "b"])]));
    assert_eq!(names(&known), ["new NEVER_RUN", "a COMPLETE", "b NEVER_RUN"]);
    known.ensure_plan_status_initialized(&version(vec![steps(&["new"]), steps(&["c"]), steps(&["a", "b"])]));
    assert_eq!(
        names(&known),
        ["new NEVER_RUN", "c NEVER_RUN", "a COMPLETE", "b NEVER_RUN"],
        "also in the middle"
    );
    known.ensure_plan_status_initialized(&version(vec![steps(&["a"])]));
    assert_eq!(names(&known), ["a COMPLETE"], "what has vanished is dropped");
}

#[test]
fn what_a_running_plan_got_new_is_made_pending() {
    let mut status =
        tree(InProgress, &[("a", Complete, &[("one", Complete), ("two", NeverRun)]), ("b", NeverRun, &[])]);
    status.normalise();
    assert_eq!(shown(&status), ["P IN_PROGRESS", "a COMPLETE", "one COMPLETE", "two PENDING", "b PENDING"]);
    let mut over = tree(Complete, &[("b", NeverRun, &[])]);
    over.normalise();
    assert_eq!(shown(&over), ["P COMPLETE", "b NEVER_RUN"]);
}

#[test]
fn an_instance_is_looked_at_again_the_later_the_longer_nothing_changes() {
    let minute = 60_000_000_000;
    let after = |status: ExecutionStatus, nanos: u64| {
        let plan = PlanStatus { status, last_updated: Some(Timestamp(5)), ..PlanStatus::default() };
        plan.requeue(Timestamp(5 + nanos))
    };
    assert_eq!((after(Complete, 0), after(FatalError, minute)), (None, None));
    for (nanos, seconds) in
        [(0, 1), (minute - 1, 1), (minute, 2), (2 * minute, 3), (59 * minute, 60), (120 * minute, 60)]
    {
        assert_eq!(after(InProgress, nanos), Some(Duration::from_secs(seconds)), "{nanos}");
    }
    assert_eq!(PlanStatus::default().requeue(Timestamp(9)), Some(Duration::from_secs(1)));
}

#[test]
fn the_last_plan_is_the_one_that_runs_or_the_newest() {
    let last = |plans: &[(&str, ExecutionStatus, u64)]| {
        instance(plans).last_executed_plan().map(|plan| plan.name.clone())
    };
    assert_eq!(last(&[("a", NeverRun, 0)]), None);
    assert_eq!(last(&[("a", InProgress, 1), ("b", Complete, 9)]).as_deref(), Some("a"));
    assert_eq!(last(&[("a", Complete, 3), ("b", FatalError, 2), ("c", NeverRun, 0)]).as_deref(), Some("a"));
    let running = |plans: &[(&str, ExecutionStatus, u64)]| {
        instance(plans).plan_in_progress().map(|plan| plan.name.clone())
    };
    assert_eq!(running(&[("a", Complete, 1)]), None);
    assert_eq!(running(&[("a", Complete, 1), ("b", Error, 1)]).as_deref(), Some("b"));
    assert_eq!(
        running(&[("z", Pending, 1), ("b", InProgress, 1)]).as_deref(),
        Some("b"),
        "the first by name"
    );
    assert!(instance(&[]).no_plan_ever_executed());
    assert!(instance(&[("a", NeverRun, 0), ("b", Unset, 0)]).no_plan_ever_executed());
    assert!(!instance(&[("a", NeverRun, 0), ("b", Pending, 0)]).no_plan_ever_executed());
}

#[test]
fn the_finalizer_holds_until_the_clean_up_is_complete() {
    let operator = operator(&["deploy", "cleanup"]);
    let mut fresh = instance(&[]);
    assert!(fresh.try_add_finalizer(&operator) && !fresh.try_add_finalizer(&operator));
    assert_eq!(fresh.metadata.finalizers, [FINALIZER]);
    assert!(!instance(&[]).try_add_finalizer(&super::operator(&["deploy"])), "no clean-up");
    assert!(!instance(&[("cleanup", FatalError, 1)]).try_add_finalizer(&operator), "it has run");
    for (status, goes) in [(NeverRun, false), (InProgress, false), (FatalError, false), (Complete, true)] {
        let mut known = instance(&[("cleanup", status, 1)]);
        known.metadata.finalizers.push(FINALIZER.to_owned());
        known.metadata.deleting = true;
        assert_eq!(known.try_remove_finalizer(&operator, false), goes, "{status}");
        assert_eq!(known.is_released(), goes);
    }
    let mut bare = instance(&[]);
    bare.metadata.finalizers = vec![FINALIZER.to_owned(), "another".to_owned()];
    assert!(bare.try_remove_finalizer(&operator, false));
    assert_eq!(bare.metadata.finalizers, ["another"]);
    // The version that the instance is of now has no clean-up: what the one before would have done is none. A clean-up that
    // has begun has to end.
    let without = super::operator(&["deploy"]);
    for (status, goes) in [(NeverRun, true), (Unset, true), (InProgress, false), (FatalError, false)] {
        let mut known = instance(&[("cleanup", status, 1)]);
        known.metadata.finalizers.push(FINALIZER.to_owned());
        assert_eq!(known.try_remove_finalizer(&without, false), goes, "{status}");
    }
}

#[test]
fn the_keys_of_pipes_are_those_of_one_plan_and_each_stands_once() {
    let pipes = |keys: &[&[&str]]| {
        let mut version = operator(&[]);
        version.tasks = keys
            .iter()
            .enumerate()
            .map(|(place, keys)| {
                let files: Vec<Value> = keys
                    .iter()
                    .map(|key| json!({ "file": "/tmp/f", "kind": "Secret", "key": key }))
                    .collect();
                Task::new(&format!("task{place}"), "Pipe", [("pod", json!("pod")), ("pipe", json!(files))])
            })
            .chain([done("other")])
            .collect();
        let names: Vec<&str> = version.tasks.iter().map(|task| task.name.as_str()).collect();
        let spec = plan(Strategy::Serial, vec![phase("p", Strategy::Serial, &[("s", &names)])]);
        version.plans.insert("deploy".to_owned(), Arc::new(spec));
        version.pipes("deploy", "i").map(|pipes| pipes.into_keys().collect::<Vec<_>>())
    };
    assert_eq!(pipes(&[]), Ok(vec![]));
    assert_eq!(pipes(&[&["a"]]), Ok(vec!["a".to_owned()]));
    assert_eq!(pipes(&[&["a"], &["b"]]), Ok(vec!["a".to_owned(), "b".to_owned()]));
    let twice = pipes(&[&["a"], &["a"]]).unwrap_err();
    assert_eq!(
        (twice.to_string(), twice),
        ("duplicated pipe key a".to_owned(), DuplicatePipeKey("a".to_owned()))
    );
    assert_eq!(operator(&["deploy"]).pipes("none", "i").unwrap().len(), 0);
}

#[test]
fn what_pipes_make_has_one_name_in_templates_and_in_the_store() {
    let mut version = operator(&[]);
    let file = json!([{ "file": "/tmp/f", "kind": "Secret", "key": "Key_1" }]);
    version.tasks = vec![Task::new("Ta-sk", "Pipe", [("pod", json!("pod")), ("pipe", file)])];
    let spec = plan(Strategy::Serial, vec![phase("Ph", Strategy::Serial, &[("s t", &["Ta-sk"])])]);
    version.plans.insert("deploy".to_owned(), Arc::new(spec));
    let pipes = version.pipes("deploy", "My-Instance").unwrap();
    assert_eq!(pipes["Key_1"], "myinstance.deploy.ph.st.task.key1");
}

#[test]
fn a_status_is_stored_as_it_is() {
    let steps: Steps<'_> = &[("one", Complete), ("two", Error)];
    let mut status = tree(InProgress, &[("a", InProgress, steps), ("b", NeverRun, &[])]);
    status.phases[0].steps[1].message = "a \"text\"\nof lines".to_owned();
    status.last_updated = Some(Timestamp(7));
    status.uid = "u".to_owned();
    for status in [status, PlanStatus::default()] {
        let stored = serde_json::to_value(&status).unwrap();
        assert_eq!(serde_json::from_value::<PlanStatus>(stored).unwrap(), status);
    }
}
