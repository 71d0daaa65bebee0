//! What every workload stands on: the store, the properties of controllers, the facts that these need, and scripts that
//! wait until the system has settled. It must not know any workload.

use super::Workload;
use super::ping_pong::PingPong;
use crate::emit;
use crate::sim::Sim;
use crate::store::{Entry, Store, StoreEvent};
use crate::systems::controller::properties::{Fact, Observed, install};
use crate::systems::controller::request::Request;
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
    /// Installs the properties of controllers and the detectors; the entries of kinds in [`Workload::RECONCILED`] are
    /// what controllers have to keep up with.
    pub fn new<W: Workload>(sim: &mut Sim) -> Stage {
        let stage = Stage { store: sim.store(), observed: install(sim) };
        let observed = stage.observed.clone();
        sim.fold::<StoreEvent, _>("facts", (), move |(), at, event| {
            if let Some(fact) = fact::<W>(event) {
                observed.hear(at, &fact);
            }
            Ok(())
        });
        sim.fold::<StoreEvent, _>("ping-pong", PingPong::default(), |detector, at, event| {
            detector.hear(at.since_start(), event)
        });
        if !W::RECONCILED.is_empty() {
            stage.observed.demand_consistency(sim);
        }
        sim.converges_to("converges", W::ACTUAL, W::desired);
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

    /// Waits until the actual state is the desired one, looking once a second, for so long at most; whether it is.
    pub async fn settled<W: Workload>(&self, patience: Duration) -> bool {
        let mut left = patience;
        loop {
            if self.store.differences(&W::desired(&self.store), W::ACTUAL).is_empty() {
                return true;
            }
            let Some(rest) = left.checked_sub(Duration::from_secs(1)) else { return false };
            left = rest;
            sleep(Duration::from_secs(1)).await;
        }
    }
}

/// What a write means for controllers: the server's own writes are the user's.
fn fact<W: Workload>(event: &StoreEvent) -> Option<Fact> {
    let (StoreEvent::Created { key, index, writer }
    | StoreEvent::Updated { key, index, writer }
    | StoreEvent::Deleted { key, index, writer }) = event
    else {
        return None;
    };
    if !W::RECONCILED.contains(&&*key.kind) {
        return None;
    }
    let (name, version) = (text(&Request::new(key.kind.clone(), key.name.clone())), *index);
    Some(match &**writer {
        "server" | USER => Fact::Changed { key: name, version },
        _ => Fact::Written { key: name, version },
    })
}

/// Says which version of its entry a reconcile has read; `None` is that there was none.
pub fn read(request: &Request, entry: Option<&Entry>) {
    let version = entry.map_or(u64::MAX, |entry| entry.version);
    emit(Fact::Read { key: text(request), version });
}

fn text(request: &Request) -> Arc<str> {
    Arc::from(request.to_string())
}
