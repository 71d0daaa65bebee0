//! A small plan in a simulation and on a multi-threaded tokio: the same code carries it out, to the same end.

use super::*;
use fatum::store::Store;
use fatum::systems::plan::admission::admit_create;
use fatum::systems::plan::object::{Object, ObjectStatus};
use fatum::systems::plan::{ControllerOptions, Instance, PlanController};
use fatum::task::spawn;
use fatum::time::{Duration, sleep};

/// A plan of two phases: objects that have to become ready, side by side, and then something that is done at once.
fn version() -> OperatorVersion {
    let steps: &[(&str, &[&str])] = &[("one", &["one", "done"]), ("two", &["two"])];
    let phases = vec![
        phase("objects", Strategy::Parallel, steps),
        phase("end", Strategy::Serial, &[("done", &["done"])]),
    ];
    let apply = |name: &str| Task::new(name, "Apply", [("resources", json!([name]))]);
    let template =
        |name: &str| (name.to_owned(), json!({ "kind": "Deployment", "name": name, "spec": {} }).to_string());
    OperatorVersion {
        plans: BTreeMap::from([("deploy".to_owned(), Arc::new(plan(Strategy::Serial, phases)))]),
        tasks: vec![apply("one"), apply("two"), done("done")],
        templates: BTreeMap::from([template("one"), template("two")]),
        ..operator(&[])
    }
}

/// What the plan came to, and whether that was in a simulation.
async fn live() -> (Vec<String>, bool) {
    let store = Store::new();
    store.put(("operator-version", "operator"), version()).unwrap();
    let instance = Instance::new("operator", BTreeMap::new());
    let instance = admit_create(instance, &version(), "1".to_owned()).unwrap();
    store.create(("instance", "db"), instance).unwrap();
    let (client, cluster) = (store.client("controller"), store.clone());
    let controller = PlanController::new(client, Kinds::reference(), ControllerOptions::default());
    let serving = spawn(async move { controller.run().await });
    let rolling = spawn(async move {
        loop {
            for entry in cluster.list("object") {
                let mut object: Object = entry.parse().unwrap();
                if object.status.observed != object.generation {
                    object.status = ObjectStatus { observed: object.generation, ready: true, failed: false };
                    cluster.put(entry.key, object).unwrap();
                }
            }
            sleep(Duration::from_millis(20)).await;
        }
    });
    for _ in 0..600 {
        let now: Instance = store.peek(("instance", "db")).unwrap();
        if now.spec.plan_execution.name.is_empty() && now.metadata.ended.is_none() {
            serving.abort();
            rolling.abort();
            return (shown(&now.status.plans["deploy"]), fatum::is_simulated());
        }
        sleep(Duration::from_millis(50)).await;
    }
    panic!("the plan does not end: {:?}", store.entries());
}

#[test]
fn a_plan_is_carried_out_on_a_real_runtime_as_in_a_simulation() {
    let complete =
        ["P COMPLETE", "objects COMPLETE", "one COMPLETE", "two COMPLETE", "end COMPLETE", "done COMPLETE"];
    let complete = complete.map(str::to_owned).to_vec();
    assert_eq!(inside(|_| live()), (complete.clone(), true));
    let runtime =
        ::tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    assert_eq!(runtime.block_on(live()), (complete, false));
}
