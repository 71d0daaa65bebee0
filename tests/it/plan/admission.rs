//! Admission: what may be asked of an instance, and the plan that it schedules.

use super::*;
use fatum::systems::plan::Instance;
use fatum::systems::plan::admission::{
    Denied, ParameterDiff, admit_create, admit_update, triggered_by_parameter_update,
};
use fatum::systems::plan::instance::{FINALIZER, Parameter, ParameterKind, PlanExecution};

fn parameter(name: &str, trigger: Option<&str>, immutable: bool) -> Parameter {
    let trigger = trigger.map(str::to_owned);
    Parameter { name: name.to_owned(), trigger, immutable, ..Parameter::default() }
}

/// deploy, update, backup, cleanup; `plain` triggers none, `deploys` deploy, `backs-up` and `backs-up-too` backup, `lost`
/// a plan that there is not.
fn version() -> OperatorVersion {
    let mut version = operator(&["deploy", "update", "backup", "cleanup"]);
    version.parameters = vec![
        parameter("plain", None, false),
        parameter("deploys", Some("deploy"), false),
        parameter("deploys-too", Some("deploy"), false),
        parameter("backs-up", Some("backup"), false),
        parameter("lost", Some("nowhere"), false),
        parameter("fixed", Some("deploy"), true),
    ];
    version
}

fn next_version() -> OperatorVersion {
    let mut version = version();
    version.name = "next".to_owned();
    version
}

fn instance(plan: &str, status: ExecutionStatus) -> Instance {
    let mut instance = Instance::new("operator", values([("plain", json!("0")), ("fixed", json!("f"))]));
    if !plan.is_empty() {
        instance.spec.plan_execution = PlanExecution { name: plan.to_owned(), uid: "1".to_owned(), status };
    }
    instance
}

fn idle() -> Instance {
    instance("", Unset)
}

fn ask(instance: &mut Instance, plan: &str) {
    instance.spec.plan_execution =
        PlanExecution { name: plan.to_owned(), uid: "asked".to_owned(), status: NeverRun };
}

fn set(instance: &mut Instance, name: &str) {
    instance.spec.params.insert(name.to_owned(), json!("1"));
}

/// The plan that a change schedules, or why it is denied.
fn admit_with(
    old: &Instance,
    versions: (&OperatorVersion, &OperatorVersion),
    change: impl FnOnce(&mut Instance),
) -> Result<(String, String), Denied> {
    let mut new = old.clone();
    change(&mut new);
    let admitted = admit_update(old, new, versions, "new".to_owned())?;
    Ok((admitted.spec.plan_execution.name, admitted.spec.plan_execution.uid))
}

fn admit(old: &Instance, change: impl FnOnce(&mut Instance)) -> Result<(String, String), Denied> {
    admit_with(old, (&version(), &version()), change)
}

fn upgrade(instance: &mut Instance) {
    instance.spec.operator_version = "next".to_owned();
}

fn starts(plan: &str) -> Result<(String, String), Denied> {
    Ok((plan.to_owned(), "new".to_owned()))
}

fn stays(plan: &str) -> Result<(String, String), Denied> {
    Ok((plan.to_owned(), if plan.is_empty() { "" } else { "1" }.to_owned()))
}

#[test]
fn what_changes_nothing_schedules_nothing() {
    assert_eq!(admit(&idle(), |_| {}), stays(""));
    let label = |instance: &mut Instance| {
        instance.metadata.labels.insert("a".to_owned(), "b".to_owned());
    };
    assert_eq!(admit(&idle(), label), stays(""));
    assert_eq!(admit(&instance("deploy", InProgress), label), stays("deploy"));
    for status in [Complete, FatalError] {
        assert_eq!(
            admit(&instance("deploy", InProgress), |new| new.spec.plan_execution.status = status),
            stays("")
        );
    }
}

#[test]
fn plans_are_asked_for_when_none_runs() {
    assert_eq!(admit(&idle(), |new| ask(new, "deploy")), starts("deploy"));
    assert_eq!(
        admit(&instance("deploy", InProgress), |new| ask(new, "deploy")),
        starts("deploy"),
        "once more"
    );
    assert_eq!(admit(&instance("backup", Complete), |new| ask(new, "deploy")), starts("deploy"));
    assert!(matches!(admit(&idle(), |new| ask(new, "other")), Err(Denied::UnknownPlan(_))));
    assert!(matches!(
        admit(&instance("deploy", InProgress), |new| ask(new, "backup")),
        Err(Denied::Running { .. })
    ));
    assert!(matches!(
        admit(&instance("deploy", InProgress), |new| ask(new, "")),
        Err(Denied::Running { .. })
    ));
    assert_eq!(admit(&idle(), |new| ask(new, "cleanup")), Err(Denied::Cleanup));
}

#[test]
fn parameters_schedule_their_plan() {
    assert_eq!(admit(&idle(), |new| set(new, "plain")), starts("update"));
    assert_eq!(admit(&idle(), |new| set(new, "deploys")), starts("deploy"));
    let both = |new: &mut Instance| {
        set(new, "deploys");
        set(new, "deploys-too");
    };
    assert_eq!(admit(&idle(), both), starts("deploy"));
    assert_eq!(
        admit(&instance("deploy", InProgress), |new| set(new, "deploys")),
        starts("deploy"),
        "its own plan runs"
    );
    let several = |new: &mut Instance| {
        set(new, "deploys");
        set(new, "backs-up");
    };
    assert!(matches!(admit(&idle(), several), Err(Denied::SeveralPlans(_))));
    assert!(matches!(
        admit(&instance("deploy", InProgress), |new| set(new, "backs-up")),
        Err(Denied::Running { .. })
    ));
    assert_eq!(admit(&idle(), |new| set(new, "none")), Err(Denied::UnknownParameter("none".to_owned())));
    let invalid = |new: &mut Instance| drop(new.spec.params.insert("plain".to_owned(), json!([1])));
    assert!(matches!(admit(&idle(), invalid), Err(Denied::InvalidParameter { .. })));
    let with_plan = |new: &mut Instance| {
        set(new, "deploys");
        ask(new, "deploy");
    };
    assert_eq!(admit(&idle(), with_plan), Err(Denied::ParameterAndPlan));
    assert_eq!(admit(&idle(), |new| drop(new.spec.params.remove("plain"))), starts("update"));
}

#[test]
fn an_upgrade_comes_alone() {
    let versions = (version(), next_version());
    let admit = |old: &Instance, change: &dyn Fn(&mut Instance)| {
        admit_with(old, (&versions.0, &versions.1), |new| {
            upgrade(new);
            change(new);
        })
    };
    assert_eq!(admit(&idle(), &|_| {}), starts("update"), "there is no plan `upgrade`");
    assert_eq!(admit(&idle(), &|new| set(new, "deploys")), starts("update"));
    assert!(matches!(admit(&idle(), &|new| set(new, "backs-up")), Err(Denied::Upgrade(_))));
    assert!(matches!(admit(&idle(), &|new| ask(new, "deploy")), Err(Denied::Upgrade(_))));
    assert!(matches!(admit(&instance("deploy", InProgress), &|_| {}), Err(Denied::Running { .. })));
    let mut with = version();
    with.plans = operator(&["deploy", "upgrade", "update"]).plans;
    assert_eq!(admit_with(&idle(), (&version(), &with), upgrade), starts("upgrade"));
    with.plans = operator(&["deploy"]).plans;
    with.parameters.retain(|parameter| parameter.trigger.is_none());
    let without_fixed = |new: &mut Instance| {
        upgrade(new);
        new.spec.params.remove("fixed");
    };
    assert_eq!(
        admit_with(&idle(), (&version(), &with), without_fixed),
        starts("deploy"),
        "a parameter was removed"
    );
}

#[test]
fn immutable_parameters_have_values_that_stay() {
    let changed = |new: &mut Instance| drop(new.spec.params.insert("fixed".to_owned(), json!("other")));
    assert_eq!(admit(&idle(), changed), Err(Denied::Immutable("fixed".to_owned())));
    let mut next = next_version();
    next.parameters.push(parameter("new", Some("deploy"), true));
    let before = version();
    let up = |change: &dyn Fn(&mut Instance), next: &OperatorVersion| {
        admit_with(&idle(), (&before, next), |new| {
            upgrade(new);
            change(new);
        })
    };
    assert_eq!(up(&|_| {}, &next), Err(Denied::ImmutableWithoutValue("new".to_owned())));
    assert_eq!(up(&|new| set(new, "new"), &next), starts("update"));
    let mut made = next_version();
    made.parameters
        .iter_mut()
        .filter(|known| known.name == "deploys")
        .for_each(|known| known.immutable = true);
    assert_eq!(up(&|_| {}, &made), Err(Denied::ImmutableWithoutValue("deploys".to_owned())));
    assert_eq!(up(&|new| set(new, "deploys"), &made), starts("update"));
    let mut mutable = next_version();
    mutable.parameters.iter_mut().for_each(|known| known.immutable = false);
    assert_eq!(up(&|_| {}, &mutable), starts("update"));
    assert_eq!(up(&|new| changed(new), &next_version()), Err(Denied::Immutable("fixed".to_owned())));
}

#[test]
fn a_deletion_allows_its_clean_up_alone() {
    let deleting = |plan: &str, status: ExecutionStatus| {
        let mut instance = instance(plan, status);
        instance.metadata.deleting = true;
        instance
    };
    assert_eq!(admit(&deleting("deploy", InProgress), |new| ask(new, "cleanup")), starts("cleanup"));
    assert_eq!(
        admit(&deleting("cleanup", FatalError), |new| ask(new, "cleanup")),
        starts("cleanup"),
        "a person asks"
    );
    assert_eq!(admit(&deleting("deploy", InProgress), |_| {}), stays("deploy"));
    assert_eq!(
        admit(&deleting("cleanup", InProgress), |new| new.spec.plan_execution.status = Complete),
        stays("cleanup")
    );
    for plan in ["deploy", ""] {
        let found = admit(&deleting("cleanup", InProgress), |new| ask(new, plan));
        assert!(matches!(found, Err(Denied::Deleting(_))), "{plan}: {found:?}");
    }
    assert!(matches!(admit(&deleting("", Unset), |new| ask(new, "deploy")), Err(Denied::Deleting(_))));
    assert!(matches!(admit(&deleting("", Unset), |new| set(new, "plain")), Err(Denied::Deleting(_))));
    assert!(matches!(admit(&deleting("", Unset), upgrade), Err(Denied::Deleting(_))));
}

#[test]
fn a_creation_schedules_the_deployment() {
    let created = admit_create(idle(), &version(), "u".to_owned()).unwrap();
    let execution = &created.spec.plan_execution;
    assert_eq!(
        (execution.name.as_str(), execution.uid.as_str(), execution.status),
        ("deploy", "u", NeverRun)
    );
    assert_eq!(created.metadata.finalizers, [FINALIZER]);
    let mut without = version();
    without.plans.remove("deploy");
    assert_eq!(admit_create(idle(), &without, "u".to_owned()), Err(Denied::UnknownPlan("deploy".to_owned())));
}

#[test]
fn the_plan_of_a_parameter_is_its_own_or_update_or_deploy() {
    let triggered = |names: &[&str], version: &OperatorVersion| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        triggered_by_parameter_update(names.iter(), version)
    };
    let plan = |name: &str| Ok(Some(name.to_owned()));
    assert_eq!(triggered(&[], &version()), Ok(None));
    assert_eq!(triggered(&["plain"], &version()), plan("update"));
    assert_eq!(triggered(&["backs-up"], &version()), plan("backup"));
    assert_eq!(triggered(&["deploys", "deploys-too"], &version()), plan("deploy"));
    assert_eq!(
        triggered(&["deploys", "backs-up"], &version()),
        Err(Denied::SeveralPlans(vec!["backup".to_owned(), "deploy".to_owned()]))
    );
    assert_eq!(triggered(&["lost"], &version()), Err(Denied::UnknownPlan("nowhere".to_owned())));
    let mut without = version();
    without.plans.remove("update");
    assert_eq!(triggered(&["plain"], &without), plan("deploy"));
}

#[test]
fn a_difference_is_what_changed_and_what_went() {
    let old = values([("a", json!(1)), ("b", json!(2))]);
    let cases = [
        (values([("a", json!(9)), ("b", json!(2))]), values([("a", json!(9))]), values([])),
        (values([("a", json!(9)), ("b", json!(8))]), values([("a", json!(9)), ("b", json!(8))]), values([])),
        (values([("a", json!(1)), ("b", json!(2)), ("c", json!(3))]), values([("c", json!(3))]), values([])),
        (values([("a", json!(1))]), values([]), values([("b", json!(2))])),
        (old.clone(), values([]), values([])),
        (values([]), values([]), old.clone()),
    ];
    for (new, changed, removed) in cases {
        let diff = ParameterDiff::of(&old, &new);
        assert_eq!(diff, ParameterDiff { changed: changed.clone(), removed: removed.clone() });
        assert_eq!(diff.is_empty(), changed.is_empty() && removed.is_empty());
    }
}

#[test]
fn values_are_of_their_kinds() {
    let text = |kind: ParameterKind, good: &[Value], bad: &[Value]| {
        assert!(good.iter().all(|value| kind.takes(value)), "{kind:?}");
        assert!(!bad.iter().any(|value| kind.takes(value)), "{kind:?}");
    };
    text(ParameterKind::String, &[json!("x")], &[json!(1), json!(true), json!([]), Value::Null]);
    text(ParameterKind::Integer, &[json!(1), json!("-3")], &[json!(1.5), json!("x"), json!(true)]);
    text(ParameterKind::Number, &[json!(1), json!(1.5), json!("2.5")], &[json!("x"), json!([])]);
    text(ParameterKind::Boolean, &[json!(true), json!("false")], &[json!("yes"), json!(1)]);
    text(ParameterKind::Array, &[json!([])], &[json!("[]"), json!({})]);
    text(ParameterKind::Map, &[json!({})], &[json!([]), json!("x")]);
}
