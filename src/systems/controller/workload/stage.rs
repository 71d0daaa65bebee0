//! What every workload stands on: the store, the properties of controllers, the facts that these need, and scripts that
//! wait until the system has settled. It must not know any workload.

use super::ControllerWorkload;
use super::ping_pong::PingPong;
use crate::emit;
use crate::sim::Sim;
use crate::store::{Entry, Key, Store, StoreEvent};
use crate::systems::controller::properties::{Fact, Observed, install};
use crate::systems::controller::request::{Request, text};
use crate::time::{Duration, sleep};
use std::sync::Arc;

/// The host that the user's script runs on.
pub const USER: &str = "user";

/// The world of a workload.
#[derive(Clone)]
pub struct Stage {
    store: Store,
    observed: Observed,
}

impl Stage {
    /// Installs the properties of controllers and the detectors; the entries of kinds in [`ControllerWorkload::RECONCILED`] are
    /// what controllers have to keep up with.
    pub fn new<W: ControllerWorkload>(sim: &mut Sim) -> Stage {
        let stage = Stage { store: sim.store(), observed: install(sim) };
        let observed = stage.observed.clone();
        let store = stage.store.clone();
        sim.fold::<StoreEvent, _>("facts", (), move |(), at, event| {
            for fact in facts::<W>(event, &store) {
                observed.hear(at, &fact);
            }
            Ok(())
        });
        sim.fold::<StoreEvent, _>("ping-pong", PingPong::default(), |detector, at, event| {
            detector.hear(at.since_start(), event)
        });
        // What the world is like says more than who has not looked: where both fail, the first is told.
        sim.converges_to("converges", W::ACTUAL, W::desired);
        if !W::RECONCILED.is_empty() {
            stage.observed.demand_consistency(sim);
        }
        stage
    }

    /// The store, as its server sees it.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What the properties have seen.
    pub fn observed(&self) -> &Observed {
        &self.observed
    }

    /// Waits until the actual state is the desired one, looking once a second, for so long at most; whether it is. The
    /// store must not be restored meanwhile, as by its index it is seen to be as it was.
    pub async fn settled<W: ControllerWorkload>(&self, patience: Duration) -> bool {
        let mut left = patience;
        let mut differed_at = None;
        loop {
            let index = Some(self.store.index());
            if differed_at != index && self.store.differences(&W::desired(&self.store), W::ACTUAL).is_empty()
            {
                return true;
            }
            differed_at = index;
            let Some(rest) = left.checked_sub(Duration::from_secs(1)) else { return false };
            left = rest;
            sleep(Duration::from_secs(1)).await;
        }
    }
}

/// What an event means for controllers: the server's own writes are the user's.
fn facts<W: ControllerWorkload>(event: &StoreEvent, store: &Store) -> Vec<Fact> {
    match event {
        StoreEvent::Created { key, index, writer }
        | StoreEvent::Updated { key, index, writer }
        | StoreEvent::Deleted { key, index, writer } => {
            if !W::RECONCILED.contains(&&*key.kind) {
                return Vec::new();
            }
            let is_gone = matches!(event, StoreEvent::Deleted { .. });
            let (key, version) = (name(key), if is_gone { Fact::GONE } else { *index });
            let gone = is_gone.then(|| Fact::Gone { key: key.clone() });
            let written = match &**writer {
                "server" | USER => Fact::Changed { key, version },
                _ => Fact::Written { key, version },
            };
            [written].into_iter().chain(gone).collect()
        }
        StoreEvent::Restored { .. } => restored::<W>(store),
        StoreEvent::Compacted { .. } | StoreEvent::WatchOpened { .. } | StoreEvent::WatchClosed { .. } => {
            Vec::new()
        }
    }
}

/// What there is after a restore.
fn restored<W: ControllerWorkload>(store: &Store) -> Vec<Fact> {
    let entries = W::RECONCILED.iter().flat_map(|kind| store.list(kind));
    let present = entries.map(|entry| Fact::Changed { key: name(&entry.key), version: entry.version });
    if W::RECONCILED.is_empty() { Vec::new() } else { [Fact::Restored].into_iter().chain(present).collect() }
}

/// The request that an entry makes, in words.
fn name(key: &Key) -> Arc<str> {
    text(&Request::new(key.kind.clone(), key.name.clone()))
}

/// Says which version of its entry a reconcile has read; `None` is that there was none.
pub fn read(request: &Request, entry: Option<&Entry>) {
    let version = entry.map_or(Fact::GONE, |entry| entry.version);
    emit(Fact::Read { key: text(request), version });
}
