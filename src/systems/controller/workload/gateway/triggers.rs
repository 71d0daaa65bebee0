//! The property that no trigger outlives its route: a fold over what the engine records, held against the store. It must
//! not know the reconciler.

use super::super::super::{ControllerEvent, Request};
use super::model::ROUTES;
use crate::sim::Sim;
use crate::store::Store;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// The name of the property.
pub(super) const PROPERTY: &str = "trigger-removed";

/// The records after which it may hold no more, or again.
const READS: [&str; 8] = [
    "trigger.set",
    "trigger.fired",
    "trigger.dropped",
    "controller.started",
    "controller.ended",
    "store.created",
    "store.deleted",
    "store.restored",
];

/// The triggers that wait, by generation.
type Live = Rc<RefCell<BTreeMap<u64, Arc<str>>>>;

/// Demands that in the end every trigger that waits is that of a route that is there.
pub(super) fn install(sim: &mut Sim) {
    let (live, store) = (Live::default(), sim.store());
    sim.fold::<ControllerEvent, _>(PROPERTY, live.clone(), |live, _, event| {
        hear(&mut live.borrow_mut(), event);
        Ok(())
    });
    sim.converges_reading(PROPERTY, &READS, move || judge(&live.borrow(), &store));
}

fn hear(live: &mut BTreeMap<u64, Arc<str>>, event: &ControllerEvent) {
    match event {
        ControllerEvent::TriggerSet { generation, key, .. } => {
            live.insert(*generation, key.clone());
        }
        ControllerEvent::TriggerFired { generation, .. }
        | ControllerEvent::TriggerDropped { generation, .. } => {
            live.remove(generation);
        }
        // What a controller that is gone had registered is gone with it.
        ControllerEvent::RunStarted { .. } | ControllerEvent::RunEnded { .. } => live.clear(),
        _ => {}
    }
}

fn judge(live: &BTreeMap<u64, Arc<str>>, store: &Store) -> Result<(), String> {
    if live.is_empty() {
        return Ok(());
    }
    let routes: Vec<String> = ROUTES
        .into_iter()
        .flat_map(|kind| store.list(kind))
        .map(|entry| Request::new(entry.key.kind, entry.key.name).to_string())
        .collect();
    match live.iter().find(|(_, key)| !routes.iter().any(|route| **route == ***key)) {
        None => Ok(()),
        Some((generation, key)) => {
            Err(format!("trigger {generation} of {key} still waits, and there is no such route"))
        }
    }
}
