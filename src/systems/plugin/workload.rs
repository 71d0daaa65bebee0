//! The engine in its world: a host that crashes, a cluster and a service that do not, workflows that users submit and
//! delete. Separate because the engine knows no scenarios; it must not judge what happens, which `oracle.rs` does.

mod oracle;
mod script;

pub use script::Submission;

use super::BoxFuture;
use super::catalog::Catalog;
use super::core::Plugin;
use super::engine::{Config, Effects, Generation, Propeller};
use super::enqueue::EnqueueOwner;
use super::error::RegistryError;
use super::events::EventRecorder;
use super::executor::{Executor, InitializationParameters};
use super::executors::{Hive, K8s, K8sOptions, Manager, ManagerOptions};
use super::outputs::DataStore;
use super::outside::{Cluster, ControlPlane, Files, Lookaside, Queries, SITES, Shelf, Tokens};
use super::properties::{NAMES, Settings, install};
use super::record::{Answered, Call, PluginEvent, Returned, RoundOutcome};
use super::registry::Registry;
use super::status::WORKFLOW;
use super::variant::Variant;
use super::workflow::WorkflowSpec;
use crate::sim::{Host, Sim};
use crate::span::Span;
use crate::sync::CancellationToken;
use crate::systems::{Workload, meet_places};
use script::User;
use serde::{Deserialize, Deserializer, de};
use std::sync::Arc;

/// The host of the engine.
const ENGINE: &str = "engine";

/// The workload.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Plugins {
    /// The workflows.
    #[serde(rename = "workflow", deserialize_with = "workflows")]
    pub workflows: Vec<WorkflowSpec>,
    /// When they are submitted and deleted; at once and never, for those that are not named.
    #[serde(default)]
    pub submit: Vec<Submission>,
    /// Whose rules.
    #[serde(default)]
    pub rules: Rules,
    /// How many workflows are looked at at a time.
    #[serde(default = "two")]
    pub workers: u32,
    /// How often a workflow is looked at though nothing was heard of it.
    pub resync: Span,
    /// How many jobs the cluster runs at a time; without limit if left out.
    pub quota: Option<usize>,
    /// How many queries the service runs at a time.
    #[serde(default = "four")]
    pub tokens: usize,
    /// Whether the catalog is asked.
    #[serde(default)]
    pub catalog: bool,
    #[serde(skip)]
    variant: Variant,
}

/// Which executors run under whose rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rules {
    /// Executors of the first generation under its rules.
    #[default]
    First,
    /// The same executors under the successor's, through the adapter.
    Adapted,
    /// A plugin of the successor under its rules.
    Successor,
}

impl Rules {
    fn generation(self) -> Generation {
        match self {
            Rules::First => Generation::First,
            Rules::Adapted | Rules::Successor => Generation::Successor,
        }
    }
}

impl Plugins {
    /// What the engine is told.
    fn config(&self) -> Config {
        Config {
            generation: self.rules.generation(),
            resync: self.resync.0,
            variant: self.variant,
            ..Config::default()
        }
    }
}

fn two() -> u32 {
    2
}

fn four() -> usize {
    4
}

fn workflows<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<WorkflowSpec>, D::Error> {
    let workflows = Vec::<WorkflowSpec>::deserialize(deserializer)?;
    for workflow in &workflows {
        let named = |error| de::Error::custom(format!("workflow `{}`: {error}", workflow.name));
        workflow.validate().map_err(named)?;
    }
    Ok(workflows)
}

/// The world outside, which outlives the engine.
#[derive(Clone)]
pub(super) struct World {
    pub(super) files: Files,
    pub(super) control_plane: ControlPlane,
    pub(super) shelf: Shelf,
    pub(super) cluster: Cluster,
    pub(super) queries: Queries,
    pub(super) tokens: Tokens,
    pub(super) lookaside: Lookaside,
    pub(super) owners: EnqueueOwner,
}

impl World {
    fn new(plugins: &Plugins) -> World {
        let (files, owners) = (Files::new(), EnqueueOwner::new());
        World {
            cluster: Cluster::new(files.clone(), plugins.quota, owners.clone()),
            queries: Queries::new(files.clone()),
            tokens: Tokens::new(plugins.tokens),
            control_plane: ControlPlane::new(),
            shelf: Shelf::new(),
            lookaside: Lookaside::new(),
            files,
            owners,
        }
    }

    /// The executors of one incarnation of the engine.
    fn registry(&self, plugins: &Plugins) -> Result<Registry, RegistryError> {
        let mut registry = Registry::new();
        let options = K8sOptions {
            not_found_fails: plugins.variant == Variant::KillNotIdempotent,
            ..K8sOptions::default()
        };
        let cluster = Arc::new(self.cluster.clone());
        match plugins.rules {
            Rules::First | Rules::Adapted => {
                let k8s: Arc<dyn Executor> = Arc::new(K8s::new("k8s", cluster, options));
                registry.register(k8s, &["container"])?;
            }
            Rules::Successor => {
                let manager: Arc<dyn Plugin> =
                    Arc::new(Manager::new("manager", cluster, ManagerOptions::default()));
                registry.register(manager, &["container"])?;
            }
        }
        let (queries, tokens) = (self.queries.clone(), self.tokens.clone());
        let hive: Arc<dyn Executor> = Arc::new(Hive::new("hive", queries, tokens, self.lookaside.clone()));
        registry.register(hive, &["hive"])?;
        Ok(registry)
    }

    /// One incarnation of the engine.
    async fn engine(self, plugins: Plugins, host: Host) -> Result<(), String> {
        let registry = self.registry(&plugins).map_err(|error| error.to_string())?;
        let recorder: Arc<dyn EventRecorder> = Arc::new(self.control_plane.clone());
        let data: Arc<dyn DataStore> = Arc::new(self.files.clone());
        let catalog = plugins.catalog.then(|| Arc::new(self.shelf.clone()) as Arc<dyn Catalog>);
        let parameters = InitializationParameters {
            catalog: catalog.clone(),
            recorder: Some(Arc::clone(&recorder)),
            data: Some(Arc::clone(&data)),
            enqueue_owner: Some(self.owners.clone()),
            owner_kind: WORKFLOW.to_owned(),
            metrics_scope: ENGINE.to_owned(),
        };
        registry.initialize(&parameters).await.map_err(|error| error.to_string())?;
        let effects = Effects { registry, recorder, catalog, data, config: plugins.config() };
        let propeller = Propeller::new(effects, &host.store().monotonic());
        let token = CancellationToken::new();
        let run = propeller.run(plugins.workers, self.owners.clone(), token);
        run.await.map_err(|error| error.to_string())
    }
}

impl Workload for Plugins {
    const NAME: &'static str = "plugin";
    const ABOUT: &'static str =
        "an engine runs workflows whose tasks executors carry out in a cluster and a service outside";
    const EXAMPLE: &'static str = include_str!("workload/plugin.toml");
    const VARIANTS: &'static [&'static str] = Variant::NAMES;
    // What a workflow holds at its end counts what went wrong on the way; the oracle compares how it ended.
    const ACTUAL: &'static [&'static str] = &[];

    fn sites() -> Vec<&'static str> {
        SITES.to_vec()
    }

    fn properties() -> Vec<&'static str> {
        [&NAMES[..], &["ends-as-asked", "nothing-left"]].concat()
    }

    fn places() -> Vec<&'static str> {
        PLACES.to_vec()
    }

    fn choose(&mut self, variant: &'static str) {
        self.variant = variant.parse().expect("the name is one of the variants");
    }

    fn set_up(&self, sim: &mut Sim, places: &[&'static str]) {
        let world = World::new(self);
        let is_exact = sim.faults().rules.is_empty();
        let settings = Settings { is_exact, ..Settings::of(&self.config()) };
        let observed = install(sim, ENGINE, settings);
        oracle::install(sim, self, &world, observed);
        watch_places(sim, places);
        let cluster = world.cluster.clone();
        sim.host("cluster").daemon().run(move |_| cluster.live());
        let (engine, plugins) = (world.clone(), self.clone());
        let engine: Box<dyn Fn(Host) -> BoxFutureLocal> =
            Box::new(move |host| Box::pin(engine.clone().engine(plugins.clone(), host)));
        sim.host(ENGINE).daemon().serve(engine);
        let user = User { store: sim.store(), control_plane: world.control_plane, plugins: self.clone() };
        sim.host("user").run(|_| async move { user.play().await });
    }
}

type BoxFutureLocal = BoxFuture<'static, Result<(), String>>;

/// What a sweep may be required to reach.
const PLACES: &[&str] = &[
    "attempt-retried",
    "killed",
    "kill-failed",
    "not-accepted",
    "abort-failed",
    "round-discarded",
    "duplicate-event",
    "conflict",
    "catalog-hit",
    "started-twice",
];

fn watch_places(sim: &mut Sim, places: &[&'static str]) {
    let mut started = std::collections::BTreeSet::new();
    meet_places(sim, places, move |event| match event {
        PluginEvent::Called { attempt, call: Call::Start, .. }
            if !started.insert(Arc::clone(&attempt.name)) =>
        {
            Some("started-twice")
        }
        PluginEvent::Called { attempt, call: Call::Start | Call::Handle, .. } if attempt.number > 0 => {
            Some("attempt-retried")
        }
        PluginEvent::Returned { call: Call::Kill | Call::Abort, result, .. } => match result {
            Returned::Error(_) => Some("kill-failed"),
            Returned::Done | Returned::Phase(..) | Returned::Failed(..) => Some("killed"),
        },
        PluginEvent::Returned { result: Returned::Phase(phase, _), .. } if phase.rank() == 0 => {
            Some("not-accepted")
        }
        PluginEvent::RoundEnded { outcome: RoundOutcome::AbortFailed(_), .. } => Some("abort-failed"),
        PluginEvent::RoundEnded { outcome: RoundOutcome::Discarded(_), .. } => Some("round-discarded"),
        PluginEvent::TaskRecorded { answer, .. } | PluginEvent::NodeRecorded { answer, .. } => match answer {
            Answered::Duplicate => Some("duplicate-event"),
            Answered::Conflict => Some("conflict"),
            Answered::Accepted => None,
        },
        PluginEvent::CatalogAsked { hit: true, .. } => Some("catalog-hit"),
        _ => None,
    });
}
