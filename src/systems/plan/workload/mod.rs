//! The world that plans are carried out in: an operator's instance in a store, a controller that crashes, a cluster that
//! makes objects healthy, and a user who asks for one plan after the other.
//!
//! | host | what it does |
//! |---|---|
//! | `controller` | carries out plans; it crashes, and serves again |
//! | `cluster` | makes objects what was asked for |
//! | `user` | asks for plans, and helps where one has failed for good |

mod view;
mod cluster;
mod oracle;
mod versions;
mod script;

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use crate::sim::{Differential, Sim};
use crate::store::Store;
use crate::systems::{Workload, meet_places};
use crate::time::Duration;

use super::controller::{ControllerOptions, PlanController};
use super::definition::DEPLOY;
use super::instance::{INSTANCE, Instance, OPERATOR_VERSION, OperatorVersion};
use super::object::OBJECT;
use super::package::{Package, Texts};
use super::properties;
use super::record::PlanEvent;
use super::status::ExecutionStatus;
use super::task::Kinds;
use super::variant::Variant;

use cluster::Cluster;
use oracle::Orders;
use script::User;
use versions::Versions;
use view::View;

/// The host of the controller.
const CONTROLLER: &str = "controller";
/// The records after which the end state may not be as it was.
const WRITES: [&str; 4] = ["store.created", "store.updated", "store.deleted", "store.restored"];
/// The places of its own.
const PLACES: [&str; 9] = [
    "plan-complete",
    "plan-fatal",
    "asked-again",
    "step-error",
    "write-finished-later",
    "unwedged",
    "deleted",
    "cleanup-fatal",
    "task-pending",
];

/// The operators that this crate ships.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shipped {
    /// A database of three phases, with backup and restore.
    Database,
    /// A message broker with a rolling upgrade.
    Broker,
}

/// The table `[workload]` of a scenario file.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Written")]
pub struct PlanWorkload {
    package: Package,
    versions: Arc<Versions>,
    acts: Vec<String>,
    rollout: Duration,
    removal: Duration,
    unwedges: bool,
    variant: Variant,
}

/// The same as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Written {
    /// Which operator.
    operator: Shipped,
    /// What the user asks for, in order: plans, and what stands in [`script::ACTS`]. It begins with the deployment.
    acts: Vec<String>,
    /// How long a rollout takes, in milliseconds of virtual time.
    #[serde(default = "rollout_ms")]
    rollout_ms: u32,
    /// How long a removal takes, in milliseconds of virtual time.
    #[serde(default = "removal_ms")]
    removal_ms: u32,
    /// A person sets a plan that has failed for good to running by hand before asking for it again.
    #[serde(default)]
    unwedge: bool,
}

fn rollout_ms() -> u32 {
    1500
}

fn removal_ms() -> u32 {
    500
}

/// A workload that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWorkload {
    /// The user begins with something else than the deployment.
    #[error("the first act has to be `deploy`")]
    NoDeploy,
    /// There is no such act.
    #[error("there is no act `{found}`\nhelp: allowed: {allowed}")]
    UnknownAct {
        /// The word.
        found: String,
        /// What there is.
        allowed: String,
    },
}

impl TryFrom<Written> for PlanWorkload {
    type Error = InvalidWorkload;

    fn try_from(written: Written) -> Result<PlanWorkload, InvalidWorkload> {
        let package = written.operator.package();
        let mut workload = PlanWorkload::new(package, written.acts)?;
        workload.rollout = Duration::from_millis(u64::from(written.rollout_ms));
        workload.removal = Duration::from_millis(u64::from(written.removal_ms));
        workload.unwedges = written.unwedge;
        Ok(workload)
    }
}

impl Shipped {
    /// Its package.
    pub fn package(self) -> Package {
        let (operator, params) = match self {
            Shipped::Database => (
                include_str!("../../../../scenarios/plan/operators/database/operator.yaml"),
                include_str!("../../../../scenarios/plan/operators/database/params.yaml"),
            ),
            Shipped::Broker => (
                include_str!("../../../../scenarios/plan/operators/broker/operator.yaml"),
                include_str!("../../../../scenarios/plan/operators/broker/params.yaml"),
            ),
        };
        let texts = Texts {
            operator_path: Path::new("operator.yaml"),
            operator,
            params_path: Path::new("params.yaml"),
            params: Some(params),
        };
        Package::parse(&texts, &Kinds::reference())
            .expect("the operators of this crate are right: a test reads them")
    }
}

impl PlanWorkload {
    /// A user who asks for these, one after the other, of an instance of the package.
    ///
    /// # Errors
    /// The first is not the deployment, or one is none that there is.
    pub fn new(package: Package, acts: Vec<String>) -> Result<PlanWorkload, InvalidWorkload> {
        if acts.first().map(String::as_str) != Some(DEPLOY) {
            return Err(InvalidWorkload::NoDeploy);
        }
        let known: Vec<&str> = package.plans.keys().map(String::as_str).chain(script::ACTS).collect();
        if let Some(found) = acts.iter().find(|act| !known.contains(&act.as_str())) {
            return Err(InvalidWorkload::UnknownAct { found: found.clone(), allowed: known.join(", ") });
        }
        Ok(PlanWorkload {
            versions: Versions::of(&package).into(),
            package,
            acts,
            rollout: Duration::from_millis(u64::from(rollout_ms())),
            removal: Duration::from_millis(u64::from(removal_ms())),
            unwedges: false,
            variant: Variant::Correct,
        })
    }

    /// The instance of a world, and its operator version, as they are stored.
    pub fn instance_of(&self, store: &Store) -> Option<(Instance, OperatorVersion)> {
        let instance: Instance = store.peek((INSTANCE, self.package.name.as_str()))?;
        let operator = store.peek((OPERATOR_VERSION, instance.spec.operator_version.as_str()))?;
        Some((instance, operator))
    }

    /// The name of the instance.
    pub fn name(&self) -> &str {
        &self.package.name
    }

    /// The parameter that is changed: the first of texts that triggers no plan by name.
    fn parameter(&self) -> (String, Value) {
        let free =
            |parameter: &&super::instance::Parameter| parameter.trigger.is_none() && !parameter.immutable;
        let name = self.package.parameters.iter().find(free).map(|parameter| parameter.name.clone());
        (name.unwrap_or_default(), Value::String("changed".to_owned()))
    }
}

impl Workload for PlanWorkload {
    const NAME: &'static str = "plan";
    const ABOUT: &'static str = "the plans of an operator: phases of steps of tasks, carried out pass by pass by a controller that crashes";
    const EXAMPLE: &'static str = include_str!("plan.toml");
    const VARIANTS: &'static [&'static str] = &Variant::NAMES;
    const ACTUAL: &'static [&'static str] = &[OBJECT];

    fn sites() -> Vec<&'static str> {
        cluster::SITES.to_vec()
    }

    fn properties() -> Vec<&'static str> {
        properties::NAMES.into_iter().chain(["converges"]).collect()
    }

    fn places() -> Vec<&'static str> {
        PLACES.to_vec()
    }

    fn choose(&mut self, variant: &'static str) {
        self.variant = variant.parse().expect("the names of variants are those of the list");
    }

    /// What a crash makes run again, and what the user removes, is made and deleted once more.
    fn differential(&self) -> Differential {
        Differential::State
    }

    fn set_up(&self, sim: &mut Sim, places: &[&'static str]) {
        let view = View::new(sim.store());
        properties::install_with(sim, CONTROLLER, view.instances.clone());
        meet_places(sim, places, place);
        let options = ControllerOptions { variant: self.variant, ..ControllerOptions::default() };
        let cluster = Cluster { view: view.clone(), rollout: self.rollout, removal: self.removal };
        sim.host("cluster").daemon().run(|_| cluster.run());
        let versions = self.versions.clone();
        sim.host(CONTROLLER).daemon().serve(move |host| {
            let (options, versions) = (options.clone(), versions.clone());
            let controller = PlanController::new(host.store(), Kinds::reference(), options);
            async move { controller.knowing(versions.all()).run().await }
        });
        let orders = Orders::default();
        let user = User {
            view: view.clone(),
            name: self.package.name.clone(),
            orders: orders.clone(),
            versions: self.versions.clone(),
            parameter: self.parameter(),
            unwedges: self.unwedges,
        };
        let acts = self.acts.clone();
        sim.host("user").run(|_| user.run(acts));
        let name = self.package.name.clone();
        sim.converges_reading("converges", &WRITES, move || orders.check(&view, &name));
    }
}

/// The place that an event is.
fn place(event: &PlanEvent) -> Option<&'static str> {
    match event {
        PlanEvent::TaskAnswered { answer: "transient error", .. } => Some("step-error"),
        PlanEvent::TaskAnswered { answer: "not done", .. } => Some("task-pending"),
        PlanEvent::PlanFinished { status: ExecutionStatus::Complete, .. } => Some("plan-complete"),
        _ => None,
    }
}
