//! What the user does: scale, roll, delete, and use a name again, each when the change before has come about.

use super::kinds::{SET, Set};
use super::{Replicas, Stage};
use crate::sim::Sim;
use crate::store::{Store, StoreError};
use crate::systems::controller::workload::USER;
use crate::time::{Duration, sleep};

/// The one set that all is about.
const NAME: &str = "web";
/// A change that takes longer, with all faults over, does not come about.
const PATIENCE: Duration = Duration::from_secs(600);
/// Between the deletion of a set and the creation of the next one of its name: long enough for a leader that hears of
/// it at once.
const GAP: Duration = Duration::from_millis(500);

pub(super) fn install(sim: &mut Sim, stage: &Stage, pause: Duration) {
    let stage = stage.clone();
    sim.host(USER).run(|_host| async move { run(&stage, pause).await.map_err(|error| error.to_string()) });
}

/// Where a change does not come about there is nothing more to do: the end says what is missing.
async fn run(stage: &Stage, pause: Duration) -> Result<(), StoreError> {
    let store = stage.store();
    let step = async || {
        let settled = stage.settled::<Replicas>(PATIENCE).await;
        sleep(pause).await;
        settled
    };
    write(store, Set { uid: 1, count: 2, template: 1 })?;
    if !step().await {
        return Ok(());
    }
    for set in [
        Set { uid: 1, count: 3, template: 1 },
        Set { uid: 1, count: 3, template: 2 },
        Set { uid: 1, count: 1, template: 2 },
        Set { uid: 1, count: 3, template: 2 },
    ] {
        write(store, set)?;
        if !step().await {
            return Ok(());
        }
    }
    store.delete((SET, NAME))?;
    sleep(GAP).await;
    write(store, Set { uid: 2, count: 2, template: 2 })?;
    if !step().await {
        return Ok(());
    }
    store.delete((SET, NAME))?;
    if !step().await {
        return Ok(());
    }
    write(store, Set { uid: 3, count: 2, template: 1 })?;
    step().await;
    Ok(())
}

fn write(store: &Store, set: Set) -> Result<u64, StoreError> {
    store.put((SET, NAME), set)
}
