//! A swarm: a manager, a user who wants tasks and then does not want them any more, and nodes with agents that crash and
//! containers that do not.

mod script;

pub use script::Act;

use super::container::{Image, Runtime};
use super::container_controller::ContainerExecutor;
use super::dispatcher::{Manager, STATUS};
use super::options::AgentOptions;
use super::properties;
use super::record::{AgentEvent, ContainerChange, OpEnd};
use super::service::{Agent, AgentConfig};
use super::variant::Variant;
use crate::sim::{Differential, Host, Sim};
use crate::span::Span;
use crate::systems::{Workload, meet_places};
use script::{OUTCOME, USER, User};
use serde::{Deserialize, Deserializer, de};
use std::collections::BTreeMap;
use std::sync::Arc;

/// More nodes than this are a mistake.
const NODES_MAX: u32 = 8;
/// More acts than this are a mistake.
const ACTS_MAX: usize = 64;

/// The workload.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Swarm {
    /// How many nodes there are, up to eight.
    #[serde(default = "one", deserialize_with = "nodes")]
    pub nodes: u32,
    /// What the user does, in this order; 64 things at most.
    #[serde(deserialize_with = "acts")]
    pub acts: Vec<Act>,
    /// How long the user leaves things alone between two things that it does to a task.
    #[serde(default = "rest")]
    pub rest: Span,
    /// How containers of an image behave, in place of what they do by default.
    #[serde(default)]
    pub images: BTreeMap<String, Image>,
    /// Whether the user notes each act in the store.
    #[serde(default)]
    pub notes: bool,
    #[serde(skip)]
    variant: Variant,
}

fn one() -> u32 {
    1
}

fn rest() -> Span {
    Span(std::time::Duration::from_millis(1500))
}

fn nodes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let nodes = u32::deserialize(deserializer)?;
    match (1..=NODES_MAX).contains(&nodes) {
        true => Ok(nodes),
        false => Err(de::Error::custom(format!("{nodes} nodes: allowed are 1 to {NODES_MAX}"))),
    }
}

fn acts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Act>, D::Error> {
    let acts = Vec::<Act>::deserialize(deserializer)?;
    match (1..=ACTS_MAX).contains(&acts.len()) {
        true => Ok(acts),
        false => Err(de::Error::custom(format!("{} acts: allowed are 1 to {ACTS_MAX}", acts.len()))),
    }
}

/// The places that a sweep may be required to reach, each with what shows it.
const PLACES: [&str; 8] = [
    "task-completed",
    "task-retried",
    "op-interrupted",
    "already-done",
    "removed",
    "session-lost",
    "update-accepted",
    "container-stopped",
];

impl Workload for Swarm {
    const NAME: &'static str = "agent";
    const ABOUT: &'static str =
        "a manager assigns tasks to nodes, whose agents crash and whose containers go on to run";
    const EXAMPLE: &'static str = include_str!("agent.toml");
    const VARIANTS: &'static [&'static str] = &Variant::NAMES;
    const ACTUAL: &'static [&'static str] = &[STATUS, OUTCOME];

    fn sites() -> Vec<&'static str> {
        vec![
            "container.pull",
            "container.create",
            "container.start",
            "container.stop",
            "container.remove",
            "container.inspect",
            "container.update",
            "executor.controller",
            "dispatcher.session",
            "dispatcher.status",
            "dispatcher.answer",
            "dispatcher.stream",
            "dispatcher.message",
            "dispatcher.desire",
        ]
    }

    fn properties() -> Vec<&'static str> {
        properties::NAMES.to_vec()
    }

    fn places() -> Vec<&'static str> {
        PLACES.to_vec()
    }

    fn choose(&mut self, variant: &'static str) {
        self.variant = variant.parse().expect("the name is one of `VARIANTS`");
    }

    fn differential(&self) -> Differential {
        Differential::State
    }

    fn set_up(&self, sim: &mut Sim, places: &[&'static str]) {
        properties::install(sim);
        meet_places(sim, places, place);
        let manager = Manager::new(sim.store());
        let images = Arc::new(script::images(&self.images));
        let nodes: Vec<String> = (1..=self.nodes).map(|number| format!("node-{number}")).collect();
        for node in &nodes {
            let (runtime, manager) = (Runtime::new(&**node, images.clone()), manager.clone());
            let variant = self.variant;
            sim.host(node).daemon().serve(move |host| serve(host, runtime.clone(), manager.clone(), variant));
        }
        let user = User { store: sim.store(), manager, nodes, rest: self.rest.0, notes: self.notes };
        let acts = self.acts.clone();
        sim.host(USER).run(|_| async move { user.play(&acts).await });
    }
}

/// One life of a node's agent.
async fn serve(host: Host, runtime: Runtime, manager: Manager, variant: Variant) -> Result<(), String> {
    let options = AgentOptions::planted(variant);
    let executor = Arc::new(ContainerExecutor::with_options(runtime, options));
    let storage = Arc::new(host.disk());
    let config = AgentConfig::new(host.name(), executor, storage, Arc::new(manager)).with_options(options);
    let agent = Agent::new(config);
    agent.start().map_err(|error| error.to_string())?;
    agent.ended().await.map_err(|error| error.to_string())?
}

fn place(event: &AgentEvent) -> Option<&'static str> {
    Some(match event {
        AgentEvent::Recorded { state: super::state::TaskState::Complete, .. } => "task-completed",
        AgentEvent::DoEnded { next: super::model::Next::Retry, .. } => "task-retried",
        AgentEvent::OpEnded { end: OpEnd::Interrupted, .. } => "op-interrupted",
        AgentEvent::OpEnded { end: OpEnd::Already, .. } => "already-done",
        AgentEvent::Removed { .. } => "removed",
        AgentEvent::SessionClosed { .. } => "session-lost",
        AgentEvent::Accepted { version: 2.., .. } => "update-accepted",
        AgentEvent::Container { change: ContainerChange::Stopped, .. } => "container-stopped",
        _ => return None,
    })
}
