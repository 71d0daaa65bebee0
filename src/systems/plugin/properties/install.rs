//! The properties in a simulation. Separate because it is the only part that knows a `Sim` and a store; it must not judge
//! anything itself.

use super::{PluginProperties, Settings, Violation};
use crate::property;
use crate::sim::Sim;
use crate::store::{Key, Store, StoreEvent};
use crate::systems::plugin::record::{PluginEvent, View};
use crate::systems::plugin::status::{WORKFLOW, Workflow};
use crate::time::Instant;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// What the fold of a simulation has seen so far.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    fold: Rc<RefCell<PluginProperties>>,
}

impl Observed {
    /// The fold as it is now.
    pub fn properties(&self) -> PluginProperties {
        self.fold.borrow().clone()
    }
}

/// Judges every workflow of this simulation; `engine` is the host that the engine writes from. A broken property ends the
/// run under its own name.
pub fn install(sim: &mut Sim, engine: &'static str, settings: Settings) -> Observed {
    let observed = Observed { fold: Rc::new(RefCell::new(PluginProperties::new(settings))) };
    let fold = Rc::clone(&observed.fold);
    sim.fold::<PluginEvent, _>("plugin", fold, move |fold, at, event| {
        tell(fold.borrow_mut().observe(nanos(at), event));
        Ok(())
    });
    let (fold, store) = (Rc::clone(&observed.fold), sim.store());
    sim.fold::<StoreEvent, _>("plugin", fold, move |fold, at, event| {
        if let Some(event) = stored(&store, event, engine) {
            tell(fold.borrow_mut().observe(nanos(at), &event));
        }
        Ok(())
    });
    let fold = Rc::clone(&observed.fold);
    sim.converges_reading("terminates", &["store.created", "store.updated", "store.deleted"], move || {
        match fold.borrow().unfinished().first() {
            None => Ok(()),
            Some(open) => Err(open.clone()),
        }
    });
    if !settings.is_exact {
        let (fold, reads) =
            (Rc::clone(&observed.fold), ["plugin.round-unchanged", "plugin.round-done", "plugin.gone"]);
        sim.converges_reading("observed", &reads, move || {
            fold.borrow().observed().map_err(|violation| violation.detail)
        });
    }
    observed
}

/// What a change of the store is to the properties.
fn stored(store: &Store, event: &StoreEvent, engine: &str) -> Option<PluginEvent> {
    match event {
        StoreEvent::Created { key, index, writer } | StoreEvent::Updated { key, index, writer } => {
            let entry = store.entry_at(workflow_key(key)?, *index).ok()??;
            let workflow: Workflow = entry.parse().ok()?;
            let view = Arc::new(View::of(&workflow, *index, **writer == *engine));
            Some(PluginEvent::Stored { workflow: Arc::clone(&key.name), view })
        }
        StoreEvent::Deleted { key, .. } => Some(PluginEvent::Gone { workflow: workflow_key(key)?.name }),
        StoreEvent::Restored { .. }
        | StoreEvent::Compacted { .. }
        | StoreEvent::WatchOpened { .. }
        | StoreEvent::WatchClosed { .. } => None,
    }
}

fn workflow_key(key: &Key) -> Option<Key> {
    (*key.kind == *WORKFLOW).then(|| key.clone())
}

fn nanos(at: Instant) -> u64 {
    u64::try_from(at.since_start().as_nanos()).unwrap_or(u64::MAX)
}

fn tell(judged: Result<(), Violation>) {
    if let Err(violation) = judged {
        property::always(violation.property, false, || violation.detail);
    }
}
