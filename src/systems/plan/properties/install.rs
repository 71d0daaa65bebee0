//! The properties in a simulation: what the engine says, what the store holds, and crashes, as one ordered log. Separate
//! because it is the only part that knows a `Sim`; it must not judge anything itself.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::{PlanProperties, Violation};
use crate::host::{HostChange, HostEvent};
use crate::property;
use crate::sim::Sim;
use crate::store::{Entry, Store, StoreEvent};
use crate::systems::plan::definition::CLEANUP;
use crate::systems::plan::instance::{INSTANCE, Instance, OPERATOR_VERSION};
use crate::systems::plan::parsed::Parsed;
use crate::systems::plan::record::{PlanEvent, StoredState};

/// Judges every plan in this simulation; a broken property ends it under its own name. `controller` is the client whose
/// writes are judged, and the host whose crashes count.
pub fn install(sim: &mut Sim, controller: &'static str) {
    install_with(sim, controller, Arc::default());
}

/// As [`install`], with what others have read of the instances.
pub(in crate::systems::plan) fn install_with(
    sim: &mut Sim,
    controller: &'static str,
    instances: Arc<Parsed<Instance>>,
) {
    let fold = Rc::new(RefCell::new(PlanProperties::new()));
    let own = fold.clone();
    sim.fold::<PlanEvent, _>("plan", (), move |(), _, event| {
        told(own.borrow_mut().observe(event));
        Ok(())
    });
    let (own, store) = (fold.clone(), sim.store());
    sim.fold::<StoreEvent, _>("plan", (), move |(), _, event| {
        if let Some(event) = stored(event, &store, &instances, controller) {
            told(own.borrow_mut().observe(&event));
        }
        Ok(())
    });
    sim.fold::<HostEvent, _>("plan", (), move |(), _, event| {
        if event.change == HostChange::Crashed && *event.host == *controller {
            fold.borrow_mut().crash();
        }
        Ok(())
    });
}

fn told(judged: Result<(), Violation>) {
    if let Err(violation) = judged {
        property::always(violation.property, false, || violation.detail);
    }
}

fn stored(
    event: &StoreEvent,
    store: &Store,
    instances: &Parsed<Instance>,
    controller: &str,
) -> Option<PlanEvent> {
    let (StoreEvent::Created { key, writer, .. }
    | StoreEvent::Updated { key, writer, .. }
    | StoreEvent::Deleted { key, writer, .. }) = event
    else {
        return None;
    };
    if *key.kind != *INSTANCE {
        return None;
    }
    let entry = store.entry(key.clone());
    let instance = entry.and_then(|entry| instances.of(&entry).ok());
    let state = instance.map(|instance| state_of(&instance, store, **writer == *controller));
    Some(PlanEvent::Stored { instance: key.name.clone(), state: state.map(Arc::new) })
}

/// What an entry holds, as far as properties speak of it; none where it is no instance. A status that goes along with its
/// spec is stored.
pub fn stored_state(entry: &Entry, store: &Store, by_controller: bool) -> Option<StoredState> {
    let instance: Instance = entry.parse().ok()?;
    Some(state_of(&instance, store, by_controller))
}

fn state_of(instance: &Instance, store: &Store, by_controller: bool) -> StoredState {
    let operator = store.entry((OPERATOR_VERSION, instance.spec.operator_version.as_str()));
    let has_cleanup =
        operator.is_some_and(|operator| operator.value.pointer(&format!("/plans/{CLEANUP}")).is_some());
    let mut plans = instance.status.plans.clone();
    if let Some(ended) = instance.metadata.ended.clone() {
        plans.insert(ended.name.clone(), ended);
    }
    StoredState {
        plans: plans.into_values().collect(),
        scheduled: instance.spec.plan_execution.name.clone(),
        uid: instance.spec.plan_execution.uid.clone(),
        deleting: instance.metadata.deleting,
        has_finalizer: instance.has_finalizer(),
        has_cleanup,
        by_controller,
    }
}
