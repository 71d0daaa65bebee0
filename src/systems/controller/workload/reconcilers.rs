//! What every workload of reconcile controllers shares, as one workload among those of all systems. Separate because the
//! others have no controller; it must not know any of them.

use super::{ControllerWorkload, Stage};
use crate::sim::{Differential, Sim};
use crate::systems::controller::ControllerEvent;
use crate::systems::controller::properties::NAMES;
use crate::systems::{Workload, meet_places};

/// A workload of controllers, with the properties, detectors and places that all of them have.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(transparent)]
pub struct Reconcilers<W>(W);

/// Properties of every such workload, beside those of every controller.
const SHARED: [&str; 2] = ["converges", "ping-pong"];

const PLACES: [&str; 7] = [
    "reconcile-done",
    "reconcile-failed",
    "requeued-after",
    "backed-off",
    "resubscribed",
    "trigger-fired",
    "coalesced",
];

impl<W: ControllerWorkload> Workload for Reconcilers<W> {
    const NAME: &'static str = W::NAME;
    const ABOUT: &'static str = W::ABOUT;
    const EXAMPLE: &'static str = W::EXAMPLE;
    const VARIANTS: &'static [&'static str] = W::VARIANTS;
    const ACTUAL: &'static [&'static str] = W::ACTUAL;

    fn properties() -> Vec<&'static str> {
        [&NAMES[..], &SHARED, W::PROPERTIES].concat()
    }

    fn places() -> Vec<&'static str> {
        [&PLACES[..], W::PLACES].concat()
    }

    fn choose(&mut self, variant: &'static str) {
        self.0.choose(variant);
    }

    fn differential(&self) -> Differential {
        self.0.differential()
    }

    fn set_up(&self, sim: &mut Sim, places: &[&'static str]) {
        let mut was_closed = false;
        meet_places(sim, places, move |event| place(event, &mut was_closed));
        let stage = Stage::new::<W>(sim);
        self.0.set_up(sim, &stage);
    }
}

/// The place that an event is; `was_closed` is whether a subscription was closed before.
fn place(event: &ControllerEvent, was_closed: &mut bool) -> Option<&'static str> {
    match event {
        ControllerEvent::Reconciled { outcome: "done", .. } => Some("reconcile-done"),
        ControllerEvent::Reconciled { outcome: "failed" | "panicked", .. } => Some("reconcile-failed"),
        ControllerEvent::Reconciled { outcome: "requeue-after", .. } => Some("requeued-after"),
        ControllerEvent::Backoff { .. } => Some("backed-off"),
        ControllerEvent::Coalesced { .. } => Some("coalesced"),
        ControllerEvent::TriggerFired { .. } => Some("trigger-fired"),
        ControllerEvent::SubscriptionClosed { .. } => {
            *was_closed = true;
            None
        }
        ControllerEvent::SubscriptionOpened { .. } if *was_closed => Some("resubscribed"),
        _ => None,
    }
}
