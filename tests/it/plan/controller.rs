//! The controller around the engine: what it does with one instance, look by look.

use super::*;
use fatum::property;
use fatum::store::{Key, Latency};
use fatum::systems::plan::instance::{FINALIZER, Instance, PlanExecution, Ready};
use fatum::systems::plan::object::{Object, ObjectStatus};
use fatum::systems::plan::task::TaskRun;
use fatum::systems::plan::{ControllerOptions, PlanController, PlanEvent, is_heard};
use fatum::time::{Duration, sleep};

const NAME: &str = "db";

/// An instance of `operator` whose plan is scheduled under uid `1`.
fn scheduled(plan: &str) -> Instance {
    let mut instance = Instance::new("operator", BTreeMap::new());
    if !plan.is_empty() {
        instance.spec.plan_execution =
            PlanExecution { name: plan.to_owned(), uid: "1".to_owned(), status: NeverRun };
    }
    instance
}

fn known(name: &str, status: ExecutionStatus, uid: &str) -> Arc<PlanStatus> {
    let tree = tree(status, &[("phase", status, &[("step", status)])]);
    PlanStatus { name: name.to_owned(), uid: uid.to_owned(), ..tree }.into()
}

/// What some looks at an instance came to: the instance, and what was told of it.
fn looked(
    version: OperatorVersion,
    instance: Instance,
    objects: Vec<Object>,
    looks: u32,
) -> (Option<Instance>, Vec<String>) {
    let mut sim = Sim::new(1);
    let (told, result) = (Rc::new(RefCell::new(Vec::new())), Rc::new(RefCell::new(None)));
    let (log, slot) = (told.clone(), result.clone());
    sim.fold::<PlanEvent, _>("told", (), move |(), _, event| {
        match event {
            PlanEvent::Warned { event, message, .. } => log.borrow_mut().push(format!("{event}: {message}")),
            PlanEvent::PlanStarted { plan, .. } => log.borrow_mut().push(format!("started {plan}")),
            PlanEvent::PlanFinished { plan, status, .. } => {
                log.borrow_mut().push(format!("finished {plan} {status}"));
            }
            PlanEvent::Reconciled { scheduled, .. } => log.borrow_mut().push(format!("looked {scheduled}")),
            _ => {}
        }
        Ok(())
    });
    sim.host("controller").run(move |host| async move {
        let client = host.store();
        client.put(("operator-version", "operator"), &version).await.unwrap();
        client.put(("instance", NAME), &instance).await.unwrap();
        for object in objects {
            client.put(object.key(), &object).await.unwrap();
        }
        let controller = PlanController::new(host.store(), Kinds::reference(), ControllerOptions::default());
        for _ in 0..looks {
            controller.reconcile(NAME).await.unwrap();
        }
        *slot.borrow_mut() = Some(client.consistent().get(("instance", NAME)).await.unwrap());
    });
    let run = sim.finish();
    assert!(run.end.is_passed(), "{:?}", run.end);
    let told = told.take();
    (result.take().unwrap(), told)
}

/// The scheduled plan is none of the operator's: it fails for good, whatever its status was, and is scheduled no more.
#[test]
fn a_scheduled_plan_that_the_operator_does_not_have_fails_for_good() {
    let text = "Error during execution: fatal error: could not find required plan: 'gone'";
    let without = scheduled("gone");
    let (mut complete, mut running) = (without.clone(), without.clone());
    complete.status.plans.insert("gone".to_owned(), known("gone", Complete, "0"));
    running.status.plans.insert("gone".to_owned(), known("gone", InProgress, "1"));
    let begun = vec!["started gone"];
    for (instance, begun) in [(without, begun.clone()), (complete, begun), (running, vec![])] {
        let (found, told) = looked(operator(&["deploy"]), instance, vec![], 3);
        let found = found.unwrap();
        let status = &found.status.plans["gone"];
        assert_eq!((status.status, status.message.as_str()), (FatalError, text));
        assert_eq!(found.spec.plan_execution, PlanExecution::default(), "it is scheduled no more");
        let warned = format!("InvalidPlan: {text}");
        let expected = [begun, vec![&warned, "finished gone FATAL_ERROR", "looked "]].concat();
        assert_eq!(told[..expected.len()], expected, "and nothing is tried again: {told:?}");
        assert_eq!(told.iter().filter(|line| line.starts_with("InvalidPlan")).count(), 1);
    }
}

/// It has ended before the operator lost it: its end stays as it was.
#[test]
fn a_plan_that_has_ended_is_not_ended_again() {
    let mut instance = scheduled("gone");
    instance.metadata.deleting = true;
    instance.metadata.finalizers = vec!["another".to_owned()];
    instance.status.plans.insert("gone".to_owned(), known("gone", Complete, "1"));
    let (found, told) = looked(operator(&["deploy"]), instance, vec![], 2);
    assert_eq!(found.unwrap().status.plans["gone"].status, Complete);
    assert!(!told.iter().any(|line| line.starts_with("InvalidPlan")), "{told:?}");
}

#[test]
fn a_plan_that_cannot_be_prepared_fails_for_good_once() {
    let mut needs = operator(&["deploy"]);
    let required = fatum::systems::plan::instance::Parameter {
        name: "SIZE".to_owned(),
        required: true,
        ..Default::default()
    };
    needs.parameters = vec![required];
    let mut circle = operator(&["deploy"]);
    let child = [("package", json!("operator")), ("operatorVersion", json!(""))];
    circle.tasks.push(Task::new("child", "KudoOperator", child));
    let mut twice = operator(&["deploy"]);
    let file = json!([{ "file": "/f", "kind": "Secret", "key": "k" }, { "file": "/g", "kind": "Secret", "key": "k" }]);
    twice.tasks = vec![Task::new("task", "Pipe", [("pod", json!("p")), ("pipe", file)])];
    for (version, event, cause) in [
        (needs, "InvalidParams", "could not parse parameters: missing required parameters: SIZE"),
        (circle, "CircularDependency", "operators depend on each other: operator -> operator"),
        (twice, "InvalidPlan", "could not make task pipes: duplicated pipe key k"),
    ] {
        let (found, told) = looked(version, scheduled("deploy"), vec![], 2);
        let text = format!("Error during execution: fatal error: {cause}");
        let status = &found.unwrap().status.plans["deploy"];
        assert_eq!((status.status, &status.message), (FatalError, &text));
        let warned = format!("{event}: {text}");
        assert_eq!(told[..3], ["started deploy", &warned, "finished deploy FATAL_ERROR"]);
        assert_eq!(told.iter().filter(|line| **line == warned).count(), 1, "{told:?}");
    }
}

fn owned(kind: &str, ready: bool, deleting: bool) -> Object {
    Object {
        kind: kind.to_owned(),
        name: "x".to_owned(),
        owner: NAME.to_owned(),
        generation: 1,
        deleting,
        status: ObjectStatus { observed: 1, ready, failed: false },
        ..Object::default()
    }
}

#[test]
fn an_idle_instance_is_ready_as_its_objects_are() {
    let others = Object { owner: "other".to_owned(), ..owned("Deployment", false, false) };
    let cases = [
        (vec![], Ready::True),
        (vec![owned("Deployment", true, false)], Ready::True),
        (vec![owned("Deployment", false, false)], Ready::False),
        (vec![owned("StatefulSet", false, false), owned("Pod", true, false)], Ready::False),
        (vec![owned("Deployment", false, true)], Ready::True),
        (vec![others], Ready::True),
        (vec![owned("Job", false, false)], Ready::True),
    ];
    for (objects, expected) in cases {
        let (found, told) = looked(operator(&["deploy"]), scheduled(""), objects.clone(), 3);
        assert_eq!(found.unwrap().status.ready, expected, "{objects:?}");
        assert_eq!(told, ["looked "], "what is as it was is not told again");
    }
    let failed = Instance { status: Default::default(), ..scheduled("") };
    let mut failed = failed;
    failed.status.ready = Ready::PlanInFatalError;
    let (found, _) = looked(operator(&["deploy"]), failed, vec![], 1);
    assert_eq!(found.unwrap().status.ready, Ready::True);
}

#[test]
fn an_instance_of_a_version_without_a_clean_up_is_let_go() {
    for (status, plan) in [(NeverRun, ""), (NeverRun, "deploy"), (Unset, "")] {
        let mut instance = scheduled(plan);
        instance.metadata.deleting = true;
        instance.metadata.finalizers = vec![FINALIZER.to_owned()];
        instance.status.plans.insert("cleanup".to_owned(), known("cleanup", status, ""));
        let (found, _) = looked(operator(&["deploy"]), instance.clone(), vec![], 1);
        assert_eq!(found, None, "{status} {plan}");
        let (found, _) = looked(operator(&["deploy", "cleanup"]), instance, vec![], 1);
        assert_eq!(found, None, "its clean-up is complete in one pass");
    }
    let mut failed = scheduled("");
    failed.metadata.deleting = true;
    failed.metadata.finalizers = vec![FINALIZER.to_owned()];
    failed.status.plans.insert("cleanup".to_owned(), known("cleanup", FatalError, "1"));
    let (found, _) = looked(operator(&["deploy"]), failed, vec![], 2);
    assert!(found.unwrap().has_finalizer(), "a clean-up that has failed waits for a person");
}

/// The write of the status that follows the release of an instance is refused: that is no failure.
#[test]
fn a_status_that_comes_after_the_release_may_be_lost() {
    for finalizers in [vec!["another"], vec![]] {
        let mut instance = scheduled("cleanup");
        instance.metadata.deleting = true;
        instance.metadata.finalizers = [FINALIZER].into_iter().chain(finalizers).map(str::to_owned).collect();
        instance.status.plans.insert("cleanup".to_owned(), known("cleanup", InProgress, "1"));
        let mut sim = Sim::new(1);
        let store = sim.store();
        // Somebody removes it as soon as the finalizer is gone, and a call takes longer than that.
        store.set_latency(Latency { base: Duration::from_millis(1), step: Duration::ZERO });
        let others = store.clone();
        sim.host("other").daemon().run(move |_| async move {
            loop {
                let key = Key::new("instance", NAME);
                let held: Option<Instance> = others.peek(key.clone());
                if held.is_some_and(|held| !held.has_finalizer()) {
                    others.delete(key).unwrap();
                }
                sleep(Duration::from_micros(50)).await;
            }
        });
        sim.host("controller").run(move |host| async move {
            let client = host.store();
            client.put(("operator-version", "operator"), operator(&["deploy", "cleanup"])).await.unwrap();
            client.put(("instance", NAME), &instance).await.unwrap();
            let controller =
                PlanController::new(host.store(), Kinds::reference(), ControllerOptions::default());
            assert_eq!(controller.reconcile(NAME).await.unwrap(), None);
        });
        let run = sim.finish();
        assert!(run.end.is_passed(), "{:?}", run.end);
        assert!(store.peek::<Instance>(("instance", NAME)).is_none());
    }
}

#[test]
fn all_is_heard_but_the_deletion_of_a_pipes_pod() {
    let pod = |name: &str| Key::new("object", format!("Pod/{name}"));
    let pipe = pod("i.deploy.phase.step.task.pipepod");
    assert!(!is_heard(&pipe, true), "the pipe deletes its pod itself");
    assert!(is_heard(&pipe, false));
    assert!(is_heard(&pod("other"), true));
    assert!(is_heard(&Key::new("instance", NAME), true));
}

/// Counts its runs, and is done.
struct Counted(Arc<std::sync::atomic::AtomicU32>);

impl TaskRun for Counted {
    fn run<'a>(
        &'a self,
        _: &'a TaskContext<'a>,
    ) -> fatum::systems::plan::engine::BoxFuture<'a, fatum::systems::plan::Answer> {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Box::pin(std::future::ready(fatum::systems::plan::Answer::Pending))
    }
}

/// A parent whose plan waits is looked at as soon as its child's plan ends, and not only when it is due.
#[test]
fn a_parent_is_looked_at_when_its_child_changes() {
    let runs = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let (counted, seen) = (runs.clone(), runs.clone());
    let kinds = Kinds::reference().with("Counted", move |_| Ok(Box::new(Counted(counted.clone()))));
    let mut sim = Sim::new(1);
    let store = sim.store();
    sim.host("controller").daemon().run(move |host| async move {
        PlanController::new(host.store(), kinds, ControllerOptions::default()).run().await;
    });
    sim.host("user").run(move |_| async move {
        let mut version = operator(&["deploy"]);
        version.tasks = vec![Task::new("task", "Counted", [])];
        store.put(("operator-version", "operator"), version).unwrap();
        let mut child = scheduled("");
        child.spec.parent = "parent".to_owned();
        store.put(("instance", "parent"), scheduled("deploy")).unwrap();
        store.put(("instance", "child"), &child).unwrap();
        // After ten minutes the parent is due every eleven seconds.
        sleep(Duration::from_secs(600)).await;
        let before = seen.load(std::sync::atomic::Ordering::Relaxed);
        for place in 0..20 {
            child.metadata.deleting = place % 2 == 0;
            child.metadata.finalizers = vec!["another".to_owned()];
            store.put(("instance", "child"), &child).unwrap();
            sleep(Duration::from_millis(100)).await;
        }
        let after = seen.load(std::sync::atomic::Ordering::Relaxed);
        property::always("woken", after - before >= 20, || format!("{before} and then {after} passes"));
    });
    let run = sim.finish();
    assert!(run.end.is_passed(), "{:?}", run.end);
}
