//! The five systems together: a site is what a user asks for, and each system does its part of it.
//!
//! ```text
//! user ─ site ─▶ controller ─ instance ─▶ plans ─ wanted parts ─▶ planner ─ action graph ─┬─ tasks ─────▶ agents ─ containers
//!      (store)   (reconciler)  (store)   (task kind Provision)    (executor)              └─ workflows ─▶ engine ─ jobs
//! ```
//!
//! | host | what it does |
//! |---|---|
//! | `controller` | a reconcile controller: makes, changes and removes the instance that a site needs |
//! | `planner` | a plan controller: its tasks plan and run action graphs, whose leaves are tasks and workflows |
//! | `node-1`, `node-2` | agents, with the containers of their nodes |
//! | `engine` | the engine of workflows, with a plugin over the cluster |
//! | `cluster` | where jobs run; it does not crash |
//! | `user` | asks for a site, a newer version of it, and that it goes |
//!
//! Any host but the last two may crash, at any write and any effect; what there is at the end is what the site asks for,
//! and nothing else. It must not know how the systems do what they do.

mod layout;
mod platform;
mod provision;
mod sites;
mod oracle;
mod script;
mod variant;

pub use script::Act;
pub use sites::{SITE, Site};

use crate::sim::{Differential, Host, Sim};
use crate::span::Span;
use crate::sync::CancellationToken;
use crate::systems::agent::dispatcher::{Manager, STATUS};
use crate::systems::agent::{self, Agent, AgentConfig, ContainerExecutor, Image, Runtime, Swarm};
use crate::systems::graph;
use crate::systems::plan::{self, ControllerOptions, Kinds, PlanController};
use crate::systems::plugin::catalog::Catalog;
use crate::systems::plugin::enqueue::EnqueueOwner;
use crate::systems::plugin::events::EventRecorder;
use crate::systems::plugin::executor::{Executor, InitializationParameters};
use crate::systems::plugin::executors::{K8s, K8sOptions};
use crate::systems::plugin::outputs::DataStore;
use crate::systems::plugin::outside::{Cluster, ControlPlane, Files};
use crate::systems::plugin::registry::Registry;
use crate::systems::plugin::status::WORKFLOW;
use crate::systems::plugin::{self, Config, Effects, Propeller};
use crate::systems::{Workload, controller};
use crate::time::Duration;
use oracle::Outside;
use platform::Platform;
use script::User;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use variant::Variant;

const CONTROLLER: &str = "controller";
const PLANNER: &str = "planner";
const ENGINE: &str = "engine";
const USER: &str = "user";
/// How often the engine looks at a workflow though nothing was heard of it.
const RESYNC: Duration = Duration::from_secs(10);
/// Workflows that the engine looks at at a time.
const WORKERS: u32 = 2;

/// The workload.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Composition {
    /// What the user does, in this order.
    pub acts: Vec<Act>,
    /// How long a container takes to be pulled.
    #[serde(default = "one_second")]
    pub pull: Span,
    #[serde(skip)]
    variant: Variant,
}

fn one_second() -> Span {
    Span(Duration::from_secs(1))
}

/// The places of its own.
const PLACES: [&str; 3] = ["deployed", "upgraded", "removed"];

impl Workload for Composition {
    const NAME: &'static str = "composition";
    const ABOUT: &'static str =
        "the five systems together: a site is made of plans, action graphs, tasks on agents and workflows";
    const EXAMPLE: &'static str = include_str!("../../../scenarios/composition/site.toml");
    const VARIANTS: &'static [&'static str] = &Variant::NAMES;
    const ACTUAL: &'static [&'static str] = &[SITE, STATUS];

    fn properties() -> Vec<&'static str> {
        [
            &["converges"],
            &graph::properties::NAMES[..],
            &controller::properties::NAMES[..],
            &agent::properties::NAMES[..],
            &plan::properties::NAMES[..],
            &plugin::properties::NAMES[..],
        ]
        .concat()
    }

    fn sites() -> Vec<&'static str> {
        [&["action.run", "manager.call"], &Swarm::sites()[..]].concat()
    }

    fn places() -> Vec<&'static str> {
        PLACES.to_vec()
    }

    fn choose(&mut self, variant: &'static str) {
        self.variant = Variant::named(variant);
    }

    fn differential(&self) -> Differential {
        Differential::State
    }

    fn set_up(&self, sim: &mut Sim, _places: &[&'static str]) {
        install_properties(sim);
        let world = World::new(self, sim);
        world.oracle(sim);
        let (cluster, variant) = (world.cluster.clone(), self.variant);
        sim.host("cluster").daemon().run(move |_| cluster.live());
        sim.host(CONTROLLER).daemon().serve(move |host| sites::run(host, variant));
        let manager = world.manager.clone();
        sim.host(PLANNER).daemon().serve(move |host| {
            let platform = Platform::new(manager.clone(), host.store(), variant);
            let kinds = Kinds::reference().with(provision::KIND, provision::builder(platform));
            let controller = PlanController::new(host.store(), kinds, ControllerOptions::default());
            async move { controller.run().await }
        });
        for (node, runtime) in &world.nodes {
            let (runtime, manager) = (runtime.clone(), world.manager.clone());
            sim.host(node).daemon().serve(move |host| agent_of(host, runtime.clone(), manager.clone()));
        }
        sim.host(ENGINE).daemon().serve(move |host| world.clone().engine(host));
        let user = User { store: sim.store() };
        let acts = self.acts.clone();
        sim.host(USER).run(|_| async move { user.play(&acts).await });
    }
}

/// What outlives every host that crashes.
#[derive(Clone)]
struct World {
    manager: Manager,
    nodes: Vec<(&'static str, Runtime)>,
    files: Files,
    control_plane: ControlPlane,
    cluster: Cluster,
    owners: EnqueueOwner,
}

impl World {
    fn new(composition: &Composition, sim: &mut Sim) -> World {
        let images = Arc::new(BTreeMap::from([(
            layout::IMAGE.to_owned(),
            Image { pull: composition.pull, ..Image::default() },
        )]));
        let (files, owners) = (Files::new(), EnqueueOwner::new());
        World {
            manager: Manager::new(sim.store()),
            nodes: layout::NODES.map(|node| (node, Runtime::new(node, images.clone()))).to_vec(),
            cluster: Cluster::new(files.clone(), None, owners.clone()),
            control_plane: ControlPlane::new(),
            files,
            owners,
        }
    }

    fn oracle(&self, sim: &mut Sim) {
        let (store, nodes, cluster) = (sim.store(), self.nodes.clone(), self.cluster.clone());
        let outside = Outside { nodes: nodes.into_iter().map(|(_, runtime)| runtime).collect(), cluster };
        sim.converges_reading("converges", &oracle::READS, move || oracle::check(&store, &outside));
    }

    /// One incarnation of the engine of workflows.
    async fn engine(self, host: Host) -> Result<(), String> {
        let k8s: Arc<dyn Executor> =
            Arc::new(K8s::new("k8s", Arc::new(self.cluster.clone()), K8sOptions::default()));
        let mut registry = Registry::new();
        registry.register(k8s, &["container"]).map_err(|error| error.to_string())?;
        let recorder: Arc<dyn EventRecorder> = Arc::new(self.control_plane.clone());
        let data: Arc<dyn DataStore> = Arc::new(self.files.clone());
        let parameters = InitializationParameters {
            catalog: None::<Arc<dyn Catalog>>,
            recorder: Some(Arc::clone(&recorder)),
            data: Some(Arc::clone(&data)),
            enqueue_owner: Some(self.owners.clone()),
            owner_kind: WORKFLOW.to_owned(),
            metrics_scope: ENGINE.to_owned(),
        };
        registry.initialize(&parameters).await.map_err(|error| error.to_string())?;
        let config = Config { resync: RESYNC, ..Config::default() };
        let effects = Effects { registry, recorder, catalog: None, data, config };
        let propeller = Propeller::new(effects, &host.store().monotonic());
        let run = propeller.run(WORKERS, self.owners.clone(), CancellationToken::new());
        run.await.map_err(|error| error.to_string())
    }
}

/// One life of a node's agent.
async fn agent_of(host: Host, runtime: Runtime, manager: Manager) -> Result<(), String> {
    let executor = Arc::new(ContainerExecutor::new(runtime));
    let config = AgentConfig::new(host.name(), executor, Arc::new(host.disk()), Arc::new(manager));
    let agent = Agent::new(config);
    agent.start().map_err(|error| error.to_string())?;
    agent.ended().await.map_err(|error| error.to_string())?
}

/// The properties of all five, in every simulation.
fn install_properties(sim: &mut Sim) {
    graph::install(sim, graph::Punctuality::Late);
    controller::install(sim);
    agent::install(sim);
    plan::properties::install(sim, PLANNER);
    plugin::properties::install(sim, ENGINE, plugin::properties::Settings::default());
}
