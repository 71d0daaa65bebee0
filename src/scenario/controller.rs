//! Controllers in scenario files: one system per workload.
//!
//! Stands here and not in `systems`, which comes before the scenarios and knows none. It must not know any workload.

use super::{Section, Subject, System};
use crate::Error;
use crate::host::{HostChange, HostEvent};
use crate::property;
use crate::sim::{Reference, Sim};
use crate::store::StoreEvent;
use crate::systems::controller::ControllerEvent;
use crate::systems::controller::properties::NAMES;
use crate::systems::controller::workload::{Stage, Workload};
use std::marker::PhantomData;
use std::sync::OnceLock;

/// The system of a workload.
#[derive(Clone, Debug)]
pub struct Controller<W> {
    properties: Vec<&'static str>,
    places: Vec<&'static str>,
    workload: PhantomData<fn() -> W>,
}

impl<W: Workload> Default for Controller<W> {
    fn default() -> Controller<W> {
        Controller {
            properties: [&NAMES[..], &SHARED, W::PROPERTIES].concat(),
            places: [&PLACES[..], W::PLACES].concat(),
            workload: PhantomData,
        }
    }
}

/// Properties of every workload, beside those of every controller.
const SHARED: [&str; 3] = ["converges", "same-as-fault-free", "ping-pong"];

/// What a sweep of any workload may be required to reach.
const PLACES: [&str; 9] = [
    "reconcile-done",
    "reconcile-failed",
    "requeued-after",
    "backed-off",
    "resubscribed",
    "trigger-fired",
    "coalesced",
    "host-restarted",
    "entry-deleted",
];

const SITES: [&str; 6] = ["store.read", "store.write", "store.watch", "disk.read", "disk.write", "effect"];

impl<W: Workload> System for Controller<W> {
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
        &SITES
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
        let reference = self.reference.get_or_init(|| {
            Reference::of(sim, W::ACTUAL, |sim| {
                let stage = Stage::new::<W>(sim);
                self.workload.set_up(sim, &stage);
            })
        });
        self.watch_places(sim);
        let stage = Stage::new::<W>(sim);
        sim.converges_as("same-as-fault-free", reference.clone(), self.workload.differential());
        self.workload.set_up(sim, &stage);
    }
}

impl<W: Workload> Loaded<W> {
    fn watch_places(&self, sim: &mut Sim) {
        let wants = |place| self.places.contains(&place);
        self.places.iter().for_each(|place| sim.reachable(place));
        if self.places.is_empty() {
            return;
        }
        let places: Vec<&'static str> = PLACES.into_iter().filter(|place| wants(place)).collect();
        let reach = |places: &Vec<&'static str>, place: Option<&'static str>| {
            place.filter(|place| places.contains(place)).into_iter().for_each(property::reachable);
        };
        sim.fold::<ControllerEvent, _>(
            "places",
            (places.clone(), 0u32),
            move |(places, opened), _, event| {
                let place = match event {
                    ControllerEvent::Reconciled { outcome: "done", .. } => Some("reconcile-done"),
                    ControllerEvent::Reconciled { outcome: "failed" | "panicked", .. } => {
                        Some("reconcile-failed")
                    }
                    ControllerEvent::Reconciled { outcome: "requeue-after", .. } => Some("requeued-after"),
                    ControllerEvent::Backoff { .. } => Some("backed-off"),
                    ControllerEvent::Coalesced { .. } => Some("coalesced"),
                    ControllerEvent::TriggerFired { .. } => Some("trigger-fired"),
                    ControllerEvent::SubscriptionClosed { .. } => {
                        *opened += 1;
                        None
                    }
                    ControllerEvent::SubscriptionOpened { .. } if *opened > 0 => Some("resubscribed"),
                    _ => None,
                };
                reach(places, place);
                Ok(())
            },
        );
        sim.fold::<HostEvent, _>("places", places.clone(), move |places, _, event| {
            reach(places, (event.change == HostChange::Started).then_some("host-restarted"));
            Ok(())
        });
        sim.fold::<StoreEvent, _>("places", places, move |places, _, event| {
            reach(places, matches!(event, StoreEvent::Deleted { .. }).then_some("entry-deleted"));
            Ok(())
        });
    }
}
