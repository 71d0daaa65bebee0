//! Workloads in scenario files: one system for each.
//!
//! Stands here and not in `systems`, which comes before the scenarios and knows none. It must not know any workload.

use super::{Section, Subject, System};
use crate::Error;
use crate::host::{HostChange, HostEvent};
use crate::property;
use crate::sim::{Reference, Sim};
use crate::store::StoreEvent;
use crate::systems::Workload;
use crate::systems::controller::workload::Reconcilers;
use std::marker::PhantomData;
use std::sync::OnceLock;

/// The system of a workload.
#[derive(Clone, Debug)]
pub struct WorkloadSystem<W> {
    properties: Vec<&'static str>,
    places: Vec<&'static str>,
    sites: Vec<&'static str>,
    workload: PhantomData<fn() -> W>,
}

/// The system of a workload of reconcile controllers.
pub type Controller<W> = WorkloadSystem<Reconcilers<W>>;

impl<W: Workload> Default for WorkloadSystem<W> {
    fn default() -> WorkloadSystem<W> {
        let differential: &[&'static str] = if W::ACTUAL.is_empty() { &[] } else { &[DIFFERENTIAL] };
        WorkloadSystem {
            properties: [&W::properties(), differential].concat(),
            places: [&PLACES[..], &W::places()].concat(),
            sites: [&SITES[..], &W::sites()].concat(),
            workload: PhantomData,
        }
    }
}

/// The property that the end state, and what was created and deleted, are those of the run without faults.
const DIFFERENTIAL: &str = "same-as-fault-free";

/// What a sweep of any workload may be required to reach.
const PLACES: [&str; 2] = ["host-restarted", "entry-deleted"];

/// Where any workload may be harmed.
const SITES: [&str; 6] = ["store.read", "store.write", "store.watch", "disk.read", "disk.write", "effect"];

impl<W: Workload> System for WorkloadSystem<W> {
    fn name(&self) -> &'static str {
        W::NAME
    }

    fn about(&self) -> &'static str {
        W::ABOUT
    }

    fn variants(&self) -> &[&'static str] {
        W::VARIANTS
    }

    fn properties(&self) -> &[&'static str] {
        &self.properties
    }

    fn places(&self) -> &[&'static str] {
        &self.places
    }

    fn sites(&self) -> &[&'static str] {
        &self.sites
    }

    fn example(&self) -> &'static str {
        W::EXAMPLE
    }

    fn load(&self, section: &Section<'_>) -> Result<Box<dyn Subject>, Error> {
        let mut workload: W = section.workload()?;
        workload.choose(section.variant());
        Ok(Box::new(Loaded { workload, places: section.places().to_vec(), reference: OnceLock::new() }))
    }
}

struct Loaded<W> {
    workload: W,
    places: Vec<&'static str>,
    /// The run without faults, made when the first run is set up.
    reference: OnceLock<Reference>,
}

impl<W: Workload> Subject for Loaded<W> {
    fn set_up(&self, sim: &mut Sim) {
        self.watch_places(sim);
        if W::ACTUAL.is_empty() {
            return self.workload.set_up(sim, &self.places);
        }
        let fault_free = || Reference::of(sim, W::ACTUAL, |sim| self.workload.set_up(sim, &[]));
        let reference = self.reference.get_or_init(fault_free).clone();
        self.workload.set_up(sim, &self.places);
        // Where another property fails at the same time, that one says more, so it was installed first.
        sim.converges_as(DIFFERENTIAL, reference, self.workload.differential());
    }
}

impl<W: Workload> Loaded<W> {
    fn watch_places(&self, sim: &mut Sim) {
        self.places.iter().for_each(|place| sim.reachable(place));
        if self.places.contains(&"host-restarted") {
            sim.fold::<HostEvent, _>("places", (), |(), _, event| {
                if event.change == HostChange::Started {
                    property::reachable("host-restarted");
                }
                Ok(())
            });
        }
        if self.places.contains(&"entry-deleted") {
            sim.fold::<StoreEvent, _>("places", (), |(), _, event| {
                if matches!(event, StoreEvent::Deleted { .. }) {
                    property::reachable("entry-deleted");
                }
                Ok(())
            });
        }
    }
}
