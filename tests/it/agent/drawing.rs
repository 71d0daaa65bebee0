//! A task's life as a timeline.

use super::world::simulate_seeded;
use super::{ms, secs};
use fatum::span::Span;
use fatum::store::Store;
use fatum::systems::agent::dispatcher::Manager;
use fatum::systems::agent::{
    Agent, AgentConfig, ContainerExecutor, DesiredState, Image, MemoryStorage, Runtime, TaskSpec, timeline,
};
use fatum::time::sleep;
use std::collections::BTreeMap;
use std::sync::Arc;

#[test]
fn the_life_of_a_task_is_drawn() {
    let observed = simulate_seeded(0, || async {
        let server =
            Image { pull: Span(secs(2)), start: Span(ms(500)), stop: Span(secs(1)), ..Image::default() };
        let images = BTreeMap::from([("server".to_owned(), server)]);
        let executor = Arc::new(ContainerExecutor::new(Runtime::new("node-1", Arc::new(images))));
        let manager = Manager::new(Store::new());
        let storage = Arc::new(MemoryStorage::default());
        let agent = Agent::new(AgentConfig::new("node-1", executor, storage, Arc::new(manager.clone())));
        agent.start().unwrap();
        let web = "web".into();
        let spec = TaskSpec { image: "server".to_owned(), ..TaskSpec::default() };
        manager.create("node-1", &web, spec, DesiredState::RUNNING);
        sleep(secs(10)).await;
        manager.desire(&web, DesiredState::SHUTDOWN);
        sleep(secs(5)).await;
        manager.delete(&web);
        sleep(secs(1)).await;
        agent.stop().await.unwrap();
    });
    assert_eq!(observed.broken(), None);
    insta::assert_snapshot!("timeline", timeline(&observed.events, &"web".into()));
}
