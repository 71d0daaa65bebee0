//! What must hold of leaders and pods, as a fold over what the store and the leaders say. It sees the store as its server
//! does, and must not know how leaders decide.
//!
//! | property | holds when |
//! |---|---|
//! | `fenced` | a host writes pods and statuses only while it holds the lease |
//! | `lease-kept` | the lease is taken from another host only when it was not renewed for long enough, in true time |
//! | `surge` | a pod is created only if its set asks for it: it is there, with that uid and template, and counts so far |
//! | `needed` | a pod that its set asks for is deleted only if its template is outdated and all others are ready |
//! | `leader-works` | a host that renews its lease runs the controller of that epoch |

use super::kinds::{Held, Lease, POD, Pod, SET, STATUS, Set, lease_key, parts, pod_name};
use super::record::ReplicasEvent;
use crate::property;
use crate::sim::Sim;
use crate::store::{Key, Store, StoreEvent};
use crate::time::{Duration, Instant};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

pub(super) const NAMES: [&str; 5] = ["fenced", "lease-kept", "surge", "needed", "leader-works"];
pub(super) const PLACES: [&str; 5] =
    ["leader-changed", "stepped-down", "fenced-off", "pod-rolled", "name-used-again"];

/// Who writes in the name of the store: the user and the node.
const SERVER: &str = "server";

struct Rules {
    store: Store,
    /// By clocks that drift apart as far as they may, the lease can be over so soon.
    lease_min: Duration,
    lease: Option<(Lease, Instant)>,
    pods: BTreeMap<Key, Pod>,
    /// The epochs whose controllers run, by host.
    runs: BTreeMap<Arc<str>, Vec<u64>>,
}

/// A broken property and why.
type Broken = (&'static str, String);

pub(super) fn install(sim: &mut Sim, lease: Duration) {
    let (store, lease_min) = (sim.store(), lease * 4 / 5);
    let rules = Rules { store, lease_min, lease: None, pods: BTreeMap::new(), runs: BTreeMap::new() };
    let rules = Rc::new(RefCell::new(rules));
    let shared = rules.clone();
    sim.fold::<StoreEvent, _>("replicas", (), move |(), at, event| {
        tell(shared.borrow_mut().written(at, event));
        Ok(())
    });
    sim.fold::<ReplicasEvent, _>("replicas", (), move |(), _, event| {
        rules.borrow_mut().said(event);
        Ok(())
    });
}

fn tell(judged: Result<(), Broken>) {
    if let Err((name, why)) = judged {
        property::always(name, false, || why);
    }
}

impl Rules {
    fn written(&mut self, at: Instant, event: &StoreEvent) -> Result<(), Broken> {
        let (StoreEvent::Created { key, writer, .. }
        | StoreEvent::Updated { key, writer, .. }
        | StoreEvent::Deleted { key, writer, .. }) = event
        else {
            return Ok(());
        };
        if *key == lease_key() {
            return self.leased(at, writer);
        }
        if !matches!(&*key.kind, POD | STATUS) {
            return Ok(());
        }
        if &**writer != SERVER {
            self.fenced(key, writer)?;
        }
        if &*key.kind != POD {
            return Ok(());
        }
        let now = self.store.entry(key.clone()).map(|entry| Held::<Pod>::of(&entry).value);
        let before = match &now {
            Some(pod) => self.pods.insert(key.clone(), pod.clone()),
            None => self.pods.remove(key),
        };
        match (before, now) {
            (None, Some(pod)) => self.surge(key, &pod, writer),
            (Some(pod), None) => self.needed(key, &pod, writer),
            (Some(_), Some(_)) | (None, None) => Ok(()),
        }
    }

    fn said(&mut self, event: &ReplicasEvent) {
        match event {
            ReplicasEvent::RunBegan { host, epoch } => {
                let runs = self.runs.entry(host.clone()).or_default();
                runs.push(*epoch);
            }
            ReplicasEvent::RunEnded { host, epoch } => {
                let runs = self.runs.entry(host.clone()).or_default();
                runs.retain(|run| run != epoch);
            }
            ReplicasEvent::StepsDown { .. } => property::reachable("stepped-down"),
            ReplicasEvent::FencedOff { .. } => property::reachable("fenced-off"),
            ReplicasEvent::Leads { .. } | ReplicasEvent::ExitHeard { .. } | ReplicasEvent::Decides { .. } => {
            }
        }
    }

    fn leased(&mut self, at: Instant, writer: &Arc<str>) -> Result<(), Broken> {
        let Some(entry) = self.store.entry(lease_key()) else { return Ok(()) };
        let now = Held::<Lease>::of(&entry).value;
        let (epoch, holder) = (now.epoch, now.holder.clone());
        let Some((before, renewed)) = self.lease.replace((now, at)) else { return Ok(()) };
        if before.epoch == epoch {
            let works = self.runs.get(writer).is_some_and(|runs| runs.contains(&epoch));
            let why = || format!("{writer} renews its lease of epoch {epoch}, and no controller runs for it");
            return if works { Ok(()) } else { Err(("leader-works", why())) };
        }
        if before.holder == holder {
            return Ok(());
        }
        property::reachable("leader-changed");
        let age = at.duration_since(renewed);
        if age >= self.lease_min {
            return Ok(());
        }
        let of = &before.holder;
        Err(("lease-kept", format!("{holder} takes the lease, which {of} renewed {age:?} ago")))
    }

    fn fenced(&self, key: &Key, writer: &Arc<str>) -> Result<(), Broken> {
        match &self.lease {
            Some((lease, _)) if *lease.holder == **writer => Ok(()),
            None => Err(("fenced", format!("{writer} writes {key}, and nobody leads"))),
            Some((Lease { holder, epoch, .. }, _)) => {
                Err(("fenced", format!("{writer} writes {key}, and {holder} leads, in epoch {epoch}")))
            }
        }
    }

    fn surge(&self, key: &Key, pod: &Pod, writer: &Arc<str>) -> Result<(), Broken> {
        let broken = |why: String| Err(("surge", format!("{writer} creates {key}, and {why}")));
        let Some(set) = self.set_of(pod) else { return broken("there is no such set".to_owned()) };
        if set.uid != pod.uid {
            return broken(format!("the set has uid {} and not {}", set.uid, pod.uid));
        }
        if set.template != pod.template {
            return broken(format!("the set has template {} and not {}", set.template, pod.template));
        }
        if set.uid > 1 {
            property::reachable("name-used-again");
        }
        match parts(&key.name) {
            Some((_, index)) if index < set.count => Ok(()),
            Some(_) | None => broken(format!("the set asks for {} only", set.count)),
        }
    }

    fn needed(&self, key: &Key, pod: &Pod, writer: &Arc<str>) -> Result<(), Broken> {
        let broken = |why: String| Err(("needed", format!("{writer} deletes {key}, and {why}")));
        let Some(set) = self.set_of(pod).filter(|set| set.uid == pod.uid) else { return Ok(()) };
        let asked = |name: &str| parts(name).is_some_and(|(_, index)| index < set.count);
        if !asked(&key.name) {
            return Ok(());
        }
        if set.template == pod.template {
            return broken(format!("its set of uid {} asks for {} like it", set.uid, set.count));
        }
        property::reachable("pod-rolled");
        let others = (0..set.count).map(|index| Key::new(POD, pod_name(&pod.set, index)));
        let mut others = others.filter(|other| other != key);
        match others.find(|other| !self.pods.get(other).is_some_and(|pod| pod.ready)) {
            None => Ok(()),
            Some(other) => broken(format!("{other} of its set is not ready")),
        }
    }

    fn set_of(&self, pod: &Pod) -> Option<Set> {
        self.store.entry((SET, pod.set.as_str())).map(|entry| Held::<Set>::of(&entry).value)
    }
}
