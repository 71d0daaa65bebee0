//! The same agent on a multi-threaded tokio.

use fatum::span::Span;
use fatum::store::Store;
use fatum::systems::agent::dispatcher::Manager;
use fatum::systems::agent::{
    Agent, AgentConfig, ContainerExecutor, DesiredState, Image, MemoryStorage, Runtime, Storage, TaskSpec,
    TaskState,
};
use fatum::time::{Duration, sleep};
use std::collections::BTreeMap;
use std::sync::Arc;

#[test]
fn an_agent_runs_a_task_to_its_end_on_threads() {
    let runtime =
        ::tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    runtime.block_on(async {
        let job = Image { run: Some(Span(Duration::from_millis(20))), exit: 3, ..Image::default() };
        let images = Arc::new(BTreeMap::from([("job".to_owned(), job)]));
        let executor = Arc::new(ContainerExecutor::new(Runtime::new("n", images)));
        let (manager, storage) = (Manager::new(Store::new()), MemoryStorage::default());
        let config = AgentConfig::new("n", executor, Arc::new(storage.clone()), Arc::new(manager.clone()));
        let agent = Agent::new(config);
        agent.start().unwrap();
        let (id, spec) = ("t".into(), TaskSpec { image: "job".to_owned(), ..TaskSpec::default() });
        manager.create("n", &id, spec, DesiredState::RUNNING);
        let ended = || manager.status(&id).is_some_and(|status| status.state.is_terminal());
        while !ended() {
            sleep(Duration::from_millis(10)).await;
        }
        let status = manager.status(&id).unwrap();
        assert_eq!((status.state, status.exit_code()), (TaskState::Failed, Some(3)));
        manager.delete(&id);
        agent.leave().await.unwrap();
        assert!(storage.names("").await.unwrap().is_empty());
        agent.stop().await.unwrap();
    });
}
