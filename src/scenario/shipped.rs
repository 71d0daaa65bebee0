//! The systems that this crate ships: the one place that names them all.

use super::{Controller, Graph, Registry, WorkloadSystem};
use crate::systems::agent::Swarm;
use crate::systems::composition::Composition;
use crate::systems::controller::workload::{Garbage, Gateway, Replicas};
use crate::systems::plan::workload::PlanWorkload;
use crate::systems::plugin::Plugins;

impl Registry {
    /// The systems of this crate; users add their own.
    pub fn shipped() -> Registry {
        Registry::new()
            .with(Graph)
            .with(Controller::<Gateway>::default())
            .with(Controller::<Replicas>::default())
            .with(Controller::<Garbage>::default())
            .with(WorkloadSystem::<Swarm>::default())
            .with(WorkloadSystem::<PlanWorkload>::default())
            .with(WorkloadSystem::<Plugins>::default())
            .with(WorkloadSystem::<Composition>::default())
    }
}
