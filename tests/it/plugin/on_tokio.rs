//! The same engine on a runtime of several threads: a workflow comes to its end, and nothing is left of it.

use super::{node, task, workflow};
use fatum::store::Store;
use fatum::sync::CancellationToken;
use fatum::systems::plugin::enqueue::EnqueueOwner;
use fatum::systems::plugin::executor::{Executor, InitializationParameters};
use fatum::systems::plugin::executors::{Hive, K8s, K8sOptions};
use fatum::systems::plugin::model::WorkflowPhase;
use fatum::systems::plugin::outside::{Cluster, ControlPlane, Files, Lookaside, Queries, Tokens};
use fatum::systems::plugin::registry::Registry;
use fatum::systems::plugin::status::{WORKFLOW, Workflow};
use fatum::systems::plugin::workflow::Ends;
use fatum::systems::plugin::{Config, Effects, Propeller};
use fatum::task::spawn;
use fatum::time::{Duration, Instant, sleep};
use std::sync::Arc;

/// Two nodes and, after them, a third: jobs that fail once, and a query.
fn submitted() -> Workflow {
    let mut workflow = workflow(vec![node("n1", &[]), node("n2", &[]), node("n3", &["n1", "n2"])]);
    let mut job = task("t");
    (job.task_type, job.outputs) = ("container".to_owned(), vec!["x".to_owned()]);
    (job.work.takes.0, job.work.ends) = (Duration::from_millis(5), vec![Ends::Recoverable, Ends::Ok]);
    let mut query = task("q");
    (query.task_type, query.work.queries) = ("hive".to_owned(), Some(2));
    workflow.spec.tasks = vec![job, query];
    workflow.spec.nodes.iter_mut().for_each(|node| node.min_attempts = Some(2));
    workflow.spec.nodes[1].task = Some("q".to_owned());
    workflow
}

async fn comes_to_its_end() {
    let (files, owners, plane) = (Files::new(), EnqueueOwner::new(), ControlPlane::new());
    let cluster = Cluster::new(files.clone(), None, owners.clone());
    let (queries, tokens, lookaside) = (Queries::new(files.clone()), Tokens::new(1), Lookaside::new());
    let mut registry = Registry::new();
    let k8s: Arc<dyn Executor> = Arc::new(K8s::new("k8s", Arc::new(cluster.clone()), K8sOptions::default()));
    let hive = Hive::new("hive", queries, tokens.clone(), lookaside.clone()).polling_every(Duration::ZERO);
    let hive: Arc<dyn Executor> = Arc::new(hive);
    registry.register(k8s, &["container"]).unwrap();
    registry.register(hive, &["hive"]).unwrap();
    let parameters = InitializationParameters {
        recorder: Some(Arc::new(plane.clone())),
        data: Some(Arc::new(files.clone())),
        enqueue_owner: Some(owners.clone()),
        ..InitializationParameters::default()
    };
    registry.initialize(&parameters).await.unwrap();
    let config = Config { resync: Duration::from_millis(20), ..Config::default() };
    let (recorder, data) = (Arc::new(plane.clone()), Arc::new(files));
    let effects = Effects { registry, recorder, catalog: None, data, config };
    let (store, token) = (Store::new(), CancellationToken::new());
    let propeller = Propeller::new(effects, &store.client("engine"));
    let life = spawn(cluster.clone().live());
    let (stop, asked) = (token.clone(), owners);
    let engine = spawn(async move { propeller.run(2, asked, stop).await });
    let key = (WORKFLOW, "execName1");
    store.create(key, submitted()).unwrap();
    let begin = Instant::now();
    let ended = loop {
        let found: Workflow = store.peek(key).unwrap();
        if found.status.phase.is_terminal() && !found.metadata.is_held() {
            break found;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", found.status);
        sleep(Duration::from_millis(5)).await;
    };
    token.cancel();
    engine.await.unwrap().unwrap();
    life.abort();
    assert_eq!(ended.status.phase, WorkflowPhase::Success, "{:?}", ended.status);
    let attempts: Vec<u32> = ["n1", "n2", "n3"].map(|name| ended.status.node(name).attempts).into();
    assert_eq!(attempts, [1, 0, 1]);
    assert_eq!((cluster.names(), tokens.in_use(), lookaside.len()), (vec![], 0, 0));
    let told: Vec<&str> = plane
        .node_events()
        .iter()
        .filter(|event| event.node == "n3")
        .map(|event| event.phase.name())
        .collect();
    assert_eq!(told, ["QUEUED", "RUNNING", "SUCCEEDED"]);
}

#[test]
fn a_workflow_comes_to_its_end_on_several_threads() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    for _ in 0..3 {
        runtime.block_on(async { tokio::spawn(comes_to_its_end()).await.unwrap() });
    }
}
