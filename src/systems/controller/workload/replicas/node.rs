//! The node that pods run on: it makes each ready after a while. It is no controller, and meets no faults.

use super::Stage;
use super::kinds::{Held, POD, Pod};
use crate::sim::Sim;
use crate::store::{Payload, Store, WatchFrom};
use crate::time::{Duration, sleep};

/// What a pod takes to become ready.
const START: Duration = Duration::from_millis(500);

pub(super) fn install(sim: &mut Sim, stage: &Stage) {
    let store = stage.store().clone();
    sim.host("node").daemon().run(|_host| run(store));
}

async fn run(store: Store) -> Result<(), String> {
    let mut watch = store.watch(POD, WatchFrom::Snapshot).map_err(|error| error.to_string())?;
    loop {
        let event = watch.next().await.map_err(|error| error.to_string())?;
        let Payload::Batch(changes) = event.payload else { continue };
        for entry in changes.iter().filter_map(|change| change.value.as_ref()) {
            let pod = Held::<Pod>::of(entry);
            if !pod.value.ready {
                sleep(START).await;
                // It may be gone by now, or another of its name.
                drop(store.update(pod.key, pod.version, Pod { ready: true, ..pod.value }));
            }
        }
    }
}
