//! Unobserved states: an operator that acts on a state while it lasts, and never comes to see it.

use super::Shows::NotConverged;
use super::operator::{millis, secs};
use super::{Case, Twin, case};
use fatum::Sim;
use fatum::fault::{FaultKind, FaultPlan, FaultRule};
use fatum::store::{Client, Entry, Payload, Store, StoreError, Transaction, WatchFrom};
use fatum::time::sleep;
use serde_json::json;
use std::future::Future;

/// The programs of this file.
pub const CASES: [Case; 3] = [
    case(
        "cassandra_operator_unobserved_1",
        "Sieve, cassandra-operator#398",
        NotConverged(NO_ORPHAN),
        cassandra,
        missed_events,
    ),
    case(
        "rabbitmq_operator_unobserved_1",
        "Sieve, cluster-operator#758",
        NotConverged(NOT_SMALLER),
        rabbitmq,
        slow_reads,
    ),
    case("casskop_unobserved_1", "Sieve, casskop#342", NotConverged(NOTHING_LEFT), casskop, missed_events),
];

const NO_ORPHAN: &str = "no volume without its pod";
const NOT_SMALLER: &str = "a queue never loses members";
const NOTHING_LEFT: &str = "members that left leave no volume";

/// Events come late, and then the last of each entry only.
fn missed_events() -> FaultPlan {
    FaultPlan::none().with(FaultRule::own(FaultKind::Missed, 0.02).at_host("operator"))
}

/// A read takes long, and tells what is there at its end.
fn slow_reads() -> FaultPlan {
    FaultPlan::none()
        .with(FaultRule::new("store.read", FaultKind::Slow(millis(200)), 0.02).at_host("operator"))
}

/// An operator that makes a pass for each entry that a watch tells of.
fn operate<P, F>(sim: &mut Sim, kind: &'static str, pass: P)
where
    P: Fn(Client, Entry) -> F + Copy + 'static,
    F: Future<Output = Result<(), StoreError>> + 'static,
{
    sim.host("operator").daemon().serve(move |host| async move {
        loop {
            let store = host.store();
            let Ok(mut watch) = store.watch(kind, WatchFrom::Snapshot).await else { continue };
            while let Ok(event) = watch.next().await {
                let Payload::Batch(changes) = event.payload else { continue };
                for entry in changes.into_iter().filter_map(|change| change.value) {
                    // What is wrong with it now, a later event mends.
                    _ = pass(store.clone(), entry).await;
                }
            }
        }
    });
}

/// A user who writes `wanted` one after the other, a tenth of a second apart.
fn user(
    store: &Store,
    key: (&'static str, &'static str),
    wanted: &'static [u64],
) -> impl Future<Output = Result<(), StoreError>> + use<> {
    let store = store.clone();
    async move {
        for wanted in wanted {
            store.put(key, wanted)?;
            sleep(millis(50)).await;
        }
        sleep(secs(1)).await;
        Ok(())
    }
}

/// The volume of a pod is deleted when the pod is seen to terminate.
fn cassandra(sim: &mut Sim, twin: Twin) {
    operate(sim, "pod", move |store, _| async move {
        for volume in store.list("volume").await? {
            let pod = store.get::<String>(("pod", volume.key.name.clone())).await?;
            let is_over = match twin {
                Twin::Buggy => pod.is_some_and(|pod| pod == "terminating"),
                Twin::Fixed => pod.is_none_or(|pod| pod == "terminating"),
            };
            if is_over {
                store.delete(volume.key).await?;
            }
        }
        Ok(())
    });
    sim.converges_to(NO_ORPHAN, &["volume"], |store| {
        let pods = store.list("pod").entries.into_iter();
        pods.map(|pod| (("volume", pod.key.name).into(), json!("data"))).collect()
    });
    let store = sim.store();
    sim.run(async move {
        for name in ["cass-0", "cass-1", "cass-2"] {
            store.transact(Transaction::new().put(("pod", name), "running").put(("volume", name), "data"))?;
            sleep(millis(100)).await;
        }
        for name in ["cass-2", "cass-1"] {
            store.put(("pod", name), "terminating")?;
            sleep(millis(40)).await;
            store.delete(("pod", name))?;
            store.put(("pod", "cass-0"), "running")?;
            sleep(millis(100)).await;
        }
        Ok::<(), StoreError>(())
    });
}

/// What asks for fewer members than there are is refused, if there ever were more; the mended one refuses it at the door.
fn rabbitmq(sim: &mut Sim, twin: Twin) {
    operate(sim, "cluster", |store, _| async move {
        let wanted = store.get::<u64>(("cluster", "mq")).await?.unwrap_or(0);
        match store.get::<u64>(("set", "mq")).await? {
            Some(members) if wanted <= members => Ok(()),
            _ => store.put(("set", "mq"), wanted).await.map(drop),
        }
    });
    sim.converges_to(NOT_SMALLER, &["set"], |_| [(("set", "mq").into(), json!(3))].into());
    let store = sim.store();
    let wanted: &[u64] = if twin == Twin::Buggy { &[1, 3, 2] } else { &[1, 3] };
    sim.run(user(&store, ("cluster", "mq"), wanted));
}

/// Each step down deletes the volume of the member that it takes away: the one after those that are wanted.
fn casskop(sim: &mut Sim, twin: Twin) {
    operate(sim, "rack", move |store, rack| async move {
        let wanted: u64 = rack.parse().unwrap_or(0);
        let leaving = match twin {
            Twin::Buggy => wanted..wanted + 1,
            Twin::Fixed => wanted..3,
        };
        for member in leaving {
            let volume = ("volume", member.to_string());
            if store.entry(volume.clone()).await?.is_some() {
                store.delete(volume).await?;
            }
        }
        Ok(())
    });
    sim.converges_to(NOTHING_LEFT, &["volume"], |_| [].into());
    let store = sim.store();
    for member in ["0", "1", "2"] {
        store.put(("volume", member), "data").expect("the store takes it");
    }
    sim.run(user(&store, ("rack", "rack"), &[3, 2, 1, 0]));
}
