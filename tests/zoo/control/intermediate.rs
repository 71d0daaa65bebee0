//! Intermediate states: an operator that crashes between two of its writes, and does not finish what it finds half done.

use super::Shows::NotConverged;
use super::operator::{level_triggered, secs};
use super::{Case, Twin, case};
use fatum::Sim;
use fatum::fault::{FaultKind, FaultPlan, FaultRule};
use fatum::store::{Client, Store, StoreError, Transaction};
use fatum::time::sleep;
use serde_json::json;
use std::future::Future;

/// The programs of this file.
pub const CASES: [Case; 4] = [
    case("xtradb_operator_intermediate_1", "Sieve, K8SPXC-896", NotConverged(BOTH), xtradb, crashes),
    case(
        "rabbitmq_operator_intermediate_1",
        "Sieve, cluster-operator#782",
        NotConverged(GROWN),
        rabbitmq,
        crashes,
    ),
    case("nifikop_intermediate_1", "Sieve, nifikop#49", NotConverged(ROLLED), nifikop, crashes),
    case("casskop_intermediate_1", "Sieve, casskop#370", NotConverged(SCALED), casskop, crashes),
];

const BOTH: &str = "a cluster has both secrets";
const GROWN: &str = "the volume has the size asked for";
const ROLLED: &str = "every node runs the configuration";
const SCALED: &str = "no volume without a node";

/// The operator may crash after any of its writes.
fn crashes() -> FaultPlan {
    FaultPlan::none().with(FaultRule::own(FaultKind::Crash(secs(8)), 0.01).at_host("operator"))
}

/// An operator that makes a pass after each event of a kind, on a host that may crash.
fn operate<P, F>(sim: &mut Sim, kind: &'static str, pass: P)
where
    P: Fn(Client) -> F + Clone + 'static,
    F: Future<Output = Result<(), StoreError>> + 'static,
{
    sim.host("operator").daemon().serve(move |host| {
        let (store, pass) = (host.store(), pass.clone());
        level_triggered(store.clone(), kind, move || pass(store.clone()))
    });
}

/// A user who writes to the store, and a while later again.
fn user<F>(sim: &mut Sim, act: impl FnOnce(Store) -> F)
where
    F: Future<Output = Result<(), StoreError>> + 'static,
{
    let store = sim.store();
    sim.run(act(store));
}

/// The secrets are made together, and one is taken as a sign of both.
fn xtradb(sim: &mut Sim, twin: Twin) {
    operate(sim, "cluster", move |store| async move {
        for cluster in store.list("cluster").await? {
            let [tls, internal] = [
                ("secret", format!("{}-ssl", cluster.key.name)),
                ("secret", format!("{}-ssl-internal", cluster.key.name)),
            ];
            let has_tls = store.entry(tls.clone()).await?.is_some();
            let has_internal = match twin {
                Twin::Buggy => has_tls,
                Twin::Fixed => store.entry(internal.clone()).await?.is_some(),
            };
            if !has_tls {
                store.create(tls, "certificate").await?;
            }
            if !has_internal {
                store.create(internal, "certificate").await?;
            }
        }
        Ok(())
    });
    sim.converges_to(BOTH, &["secret"], |store| {
        let clusters = store.list("cluster").entries.into_iter();
        let names = clusters
            .flat_map(|cluster| ["ssl", "ssl-internal"].map(|name| format!("{}-{name}", cluster.key.name)));
        names.map(|name| (("secret", name).into(), json!("certificate"))).collect()
    });
    user(sim, |store| async move {
        for name in ["one", "two"] {
            store.put(("cluster", name), "on")?;
            sleep(secs(20)).await;
        }
        Ok(())
    });
}

/// A stateful set cannot be changed in its size: it is deleted, the volume is made larger, and it is made again. Whether
/// there is something to do is seen by the set.
fn rabbitmq(sim: &mut Sim, twin: Twin) {
    operate(sim, "cluster", move |store| async move {
        let Some(size) = store.get::<u64>(("cluster", "mq")).await? else { return Ok(()) };
        match store.get::<u64>(("set", "mq")).await? {
            None => {
                if store.entry(("volume", "mq")).await?.is_none() {
                    store.create(("volume", "mq"), size).await?;
                }
                store.create(("set", "mq"), size).await?;
            }
            Some(set) if set < size => {
                if twin == Twin::Fixed {
                    store.put(("volume", "mq"), size).await?;
                }
                store.delete(("set", "mq")).await?;
                if twin == Twin::Buggy {
                    store.put(("volume", "mq"), size).await?;
                }
                store.create(("set", "mq"), size).await?;
            }
            Some(_) => {}
        }
        Ok(())
    });
    sim.converges_to(GROWN, &["volume"], |store| {
        let size = store.peek::<u64>(("cluster", "mq"));
        size.into_iter().map(|size| (("volume", "mq").into(), json!(size))).collect()
    });
    user(sim, |store| async move {
        for size in [10, 15] {
            store.put(("cluster", "mq"), size)?;
            sleep(secs(20)).await;
        }
        Ok(())
    });
}

/// The nodes are started anew when the configuration map is not as the cluster says, and the map is written first.
fn nifikop(sim: &mut Sim, twin: Twin) {
    const NODES: [&str; 2] = ["nifi-0", "nifi-1"];
    operate(sim, "cluster", move |store| async move {
        let Some(wanted) = store.get::<u64>(("cluster", "nifi")).await? else { return Ok(()) };
        let is_new = store.get::<u64>(("map", "nifi")).await? != Some(wanted);
        if is_new {
            store.put(("map", "nifi"), wanted).await?;
        }
        for node in NODES {
            let is_old = match twin {
                Twin::Buggy => is_new,
                Twin::Fixed => store.get::<u64>(("node", node)).await? != Some(wanted),
            };
            if is_old {
                store.put(("node", node), wanted).await?;
            }
        }
        Ok(())
    });
    sim.converges_to(ROLLED, &["node"], |store| {
        let wanted = store.peek::<u64>(("cluster", "nifi")).into_iter();
        wanted.flat_map(|wanted| NODES.map(|node| (("node", node).into(), json!(wanted)))).collect()
    });
    user(sim, |store| async move {
        for configuration in [1, 2] {
            store.put(("cluster", "nifi"), configuration)?;
            sleep(secs(20)).await;
        }
        Ok(())
    });
}

/// A node is decommissioned in steps that are noted in the status: `ongoing` while the node leaves, `finalizing` from
/// when it is taken away until its volume is deleted. The second is noted too late.
fn casskop(sim: &mut Sim, twin: Twin) {
    const NODE: (&str, &str) = ("node", "rack-1");
    const STEP: (&str, &str) = ("status", "step");
    async fn pass(store: Client, twin: Twin) -> Result<(), StoreError> {
        let replicas = store.get::<u64>(("rack", "rack")).await?;
        let node = store.entry(NODE).await?;
        match store.get::<String>(STEP).await?.as_deref() {
            None if replicas == Some(1) => drop(store.put(STEP, "ongoing").await?),
            Some("ongoing") => {
                let node = node.ok_or(StoreError::NotFound { key: NODE.into() })?;
                if twin == Twin::Fixed {
                    store.put(STEP, "finalizing").await?;
                }
                store.transact(Transaction::new().delete_at(NODE, node.version)).await?;
                if twin == Twin::Buggy {
                    store.put(STEP, "finalizing").await?;
                }
            }
            Some("finalizing") if node.is_some() => drop(store.delete(NODE).await?),
            Some("finalizing") => {
                if store.entry(("volume", "rack-1")).await?.is_some() {
                    store.delete(("volume", "rack-1")).await?;
                }
                store.put(STEP, "done").await?;
            }
            _ => return Ok(()),
        }
        Box::pin(pass(store, twin)).await
    }
    operate(sim, "rack", move |store| pass(store, twin));
    sim.converges_to(SCALED, &["volume"], |store| {
        let nodes = store.list("node").entries.into_iter();
        nodes.map(|node| (("volume", node.key.name).into(), json!("data"))).collect()
    });
    user(sim, |store| async move {
        for node in ["rack-0", "rack-1"] {
            store.transact(Transaction::new().put(("node", node), "up").put(("volume", node), "data"))?;
        }
        for replicas in [2, 1] {
            store.put(("rack", "rack"), replicas)?;
            sleep(secs(20)).await;
        }
        Ok(())
    });
}
