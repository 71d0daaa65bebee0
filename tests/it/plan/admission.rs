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
    assert!(matches!(admit(&idle(), |new| ask(new, "other")), Err(Denied::UnknownPlan(_))));
    assert_eq!(admit(&idle(), |new| ask(new, "cleanup")), Err(Denied::Cleanup));
    let cleaning = instance("cleanup", InProgress);
    assert_eq!(admit(&cleaning, |new| ask(new, "cleanup")), Err(Denied::Cleanup), "also once more");
}

/// A plan that has ended is scheduled until its name is taken away.
#[test]
fn what_is_scheduled_is_neither_overridden_nor_cancelled_nor_upgraded() {
    for status in [NeverRun, Pending, InProgress, Error, Complete, FatalError] {
        let old = instance("deploy", status);
        let changes: [fn(&mut Instance); 4] =
            [|new| ask(new, "backup"), |new| ask(new, ""), upgrade, |new| set(new, "backs-up")];
        for (place, change) in changes.into_iter().enumerate() {
            let found = admit(&old, change);
            assert!(matches!(found, Err(Denied::Scheduled { .. })), "{status} {place}: {found:?}");
        }
    }
}

#[test]
fn a_plan_that_has_ended_is_taken_away_unless_another_is_asked_for() {
    let asks = |plan: &'static str, uid: &'static str, status: ExecutionStatus| {
        move |new: &mut Instance| {
            new.spec.plan_execution = PlanExecution { name: plan.to_owned(), uid: uid.to_owned(), status };
        }
    };
    assert_eq!(admit(&idle(), asks("deploy", "2", Complete)), starts("deploy"), "novel comes first");
    let running = instance("deploy", InProgress);
    assert_eq!(admit(&running, asks("deploy", "2", NeverRun)), starts("deploy"), "asked for again");
    assert_eq!(admit(&running, asks("deploy", "2", Complete)), stays(""), "ended comes before asked again");
    let ends_and_changes = |new: &mut Instance| {
        new.spec.plan_execution.status = Complete;
        set(new, "deploys");
    };
    assert_eq!(admit(&running, ends_and_changes), starts("deploy"), "parameters come first");
    // The scheduled plan is one that the operator lost: its end is taken all the same, and asking for it is not.
    let lost = instance("lost", InProgress);
    assert_eq!(admit(&lost, asks("lost", "1", FatalError)), stays(""));
    assert_eq!(admit(&lost, asks("lost", "2", NeverRun)), Err(Denied::UnknownPlan("lost".to_owned())));
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
        Err(Denied::Scheduled { .. })
    ));
    assert_eq!(admit(&idle(), |new| set(new, "none")), Err(Denied::UnknownParameter("none".to_owned())));
    let invalid = |new: &mut Instance| drop(new.spec.params.insert("plain".to_owned(), json!([1])));
    assert!(matches!(admit(&idle(), invalid), Err(Denied::InvalidParameter { .. })));
    let with_plan = |new: &mut Instance| {
        set(new, "deploys");
        ask(new, "deploy");
    };
    assert_eq!(admit(&idle(), with_plan), Err(Denied::ParameterAndPlan));
    assert_eq!(
        admit(&instance("deploy", InProgress), with_plan),
        starts("deploy"),
        "its own plan is asked for again, and by a parameter"
    );
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
    assert!(matches!(admit(&instance("deploy", InProgress), &|_| {}), Err(Denied::Scheduled { .. })));
    assert!(matches!(admit(&idle(), &|new| set(new, "plain")), Err(Denied::Upgrade(_))), "that is update");
    let mixed = |new: &mut Instance| {
        set(new, "plain");
        set(new, "deploys");
    };
    assert_eq!(admit(&idle(), &mixed), starts("update"), "a parameter that names deploy decides");
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
fn what_an_upgrade_removes_or_brings_is_no_change_of_a_parameter() {
    let before = version();
    let mut after = next_version();
    after.parameters.retain(|known| known.name != "plain");
    let admitted = |change: &dyn Fn(&mut Instance), after: &OperatorVersion| {
        let mut new = idle();
        upgrade(&mut new);
        change(&mut new);
        let admitted = admit_update(&idle(), new, (&before, after), "new".to_owned())?;
        let names: Vec<String> = admitted.spec.params.into_keys().collect();
        Ok::<_, Denied>((admitted.spec.plan_execution.name, names))
    };
    let kept = || Ok(("update".to_owned(), vec!["fixed".to_owned()]));
    assert_eq!(admitted(&|_| {}, &after), kept(), "its value goes with it");
    assert_eq!(admitted(&|new| drop(new.spec.params.remove("plain")), &after), kept());
    let gone = admitted(&|new| set(new, "plain"), &after);
    assert_eq!(gone, Err(Denied::UnknownParameter("plain".to_owned())), "a new value needs a parameter");
    after.parameters.push(parameter("brought", Some("backup"), false));
    let brought = admitted(&|new| set(new, "brought"), &after);
    let names = vec!["brought".to_owned(), "fixed".to_owned()];
    assert_eq!(brought, Ok(("update".to_owned(), names)), "what there was not before triggers nothing");
}

#[test]
fn values_that_an_instance_has_had_all_along_are_not_judged_again() {
    let mut old = idle();
    old.spec.params.insert("forgotten".to_owned(), json!([1]));
    assert_eq!(admit(&old, |new| set(new, "deploys")), starts("deploy"));
    assert_eq!(admit(&old, |new| ask(new, "backup")), starts("backup"));
    let changed = |new: &mut Instance| set(new, "forgotten");
    assert_eq!(admit(&old, changed), Err(Denied::UnknownParameter("forgotten".to_owned())));
    assert_eq!(admit(&old, |new| drop(new.spec.params.remove("forgotten"))), stays(""), "it says nothing");
}

#[test]
fn a_parameter_that_is_needed_has_a_value() {
    let mut needs = version();
    let needed = Parameter { required: true, ..parameter("needed", None, false) };
    needs.parameters.push(needed);
    let asked = |old: &Instance, change: &dyn Fn(&mut Instance)| {
        admit_with(old, (&needs, &needs), change).map_err(|denied| denied.to_string())
    };
    let without = || Err("parameter needed cannot be left out: it has to have a value".to_owned());
    assert_eq!(asked(&idle(), &|new| ask(new, "backup")), without());
    let mut with = idle();
    with.spec.params.insert("needed".to_owned(), json!("x"));
    assert_eq!(asked(&with, &|new| ask(new, "backup")), starts("backup").map_err(|_| String::new()));
    assert_eq!(asked(&with, &|new| drop(new.spec.params.remove("needed"))), without());
    assert_eq!(
        asked(&with, &|new| drop(new.spec.params.insert("needed".to_owned(), json!("")))),
        without(),
        "an empty text is no value"
    );
    assert!(admit_create(idle(), &needs, "u".to_owned()).is_err());
    // The end of a plan that failed for that is told all the same.
    let ends = |new: &mut Instance| new.spec.plan_execution.status = FatalError;
    assert_eq!(asked(&instance("deploy", InProgress), &ends), stays("").map_err(|_| String::new()));
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
    assert_eq!(up(&|new| changed(new), &next_version()), starts("update"), "an upgrade may give it another");
    assert_eq!(up(&|new| drop(new.spec.params.remove("fixed")), &next_version()), starts("update"));
}

#[test]
fn an_immutable_parameter_is_neither_changed_nor_added_and_may_be_taken_away() {
    assert_eq!(admit(&idle(), |new| drop(new.spec.params.remove("fixed"))), starts("deploy"));
    let mut without = idle();
    without.spec.params.remove("fixed");
    assert_eq!(admit(&without, |new| set(new, "fixed")), Err(Denied::Immutable("fixed".to_owned())));
    let with_more = |new: &mut Instance| {
        new.spec.params.insert("fixed".to_owned(), json!([1]));
        set(new, "backs-up");
    };
    assert_eq!(
        admit(&instance("deploy", InProgress), with_more),
        Err(Denied::Immutable("fixed".to_owned())),
        "that comes before its kind, what it triggers and what is scheduled"
    );
}

#[test]
fn a_creation_writes_down_what_cannot_be_changed_later() {
    let mut version = version();
    version
        .parameters
        .push(Parameter { default: Some(json!("by default")), ..parameter("fixed-too", None, true) });
    version.parameters.push(Parameter { default: Some(json!("x")), ..parameter("free", None, false) });
    let value = |new: Instance| {
        let created = admit_create(new, &version, "u".to_owned()).unwrap();
        (created.spec.params.get("fixed-too").cloned(), created.spec.params.get("free").cloned())
    };
    assert_eq!(value(idle()), (Some(json!("by default")), None));
    let mut given = idle();
    set(&mut given, "fixed-too");
    assert_eq!(value(given), (Some(json!("1")), None), "a value that is given stays");
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
    let again = admit(&deleting("deploy", InProgress), |new| ask(new, "deploy"));
    assert!(matches!(again, Err(Denied::Deleting(_))), "not even the one that runs: {again:?}");
    assert_eq!(
        admit(&deleting("deploy", InProgress), |new| new.spec.plan_execution.status = Complete),
        stays("deploy"),
        "that it ends is told"
    );
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
    assert_eq!(
        triggered(&["plain", "backs-up"], &version()),
        plan("backup"),
        "one that names a plan decides"
    );
    assert_eq!(triggered(&["plain", "lost"], &version()), Err(Denied::UnknownPlan("nowhere".to_owned())));
    assert_eq!(triggered(&["none"], &version()), Ok(None), "a parameter that there is not says nothing");
    let mut silent = version();
    silent.parameters.push(parameter("silent", Some(""), false));
    assert_eq!(triggered(&["silent"], &silent), plan("update"), "no name is none");
    assert_eq!(triggered(&["silent", "backs-up"], &silent), plan("backup"));
    silent.plans = operator(&["backup"]).plans;
    assert_eq!(triggered(&["plain"], &silent), Err(Denied::NoPlan("update, deploy")));
    assert_eq!(triggered(&["plain", "backs-up"], &silent), plan("backup"), "it needs neither");
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
