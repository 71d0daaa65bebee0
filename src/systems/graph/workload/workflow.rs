//! The provisioning of a load balancer, as steps over one cloud: health check and endpoint group under a backend
//! service, URL map, proxy, and a forwarding rule on an address. Separate because it is data about load balancers;
//! it must not know how actions run.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::shape::{ActionShape, Plan, Resource, shape};
use crate::systems::graph::event::Id;

/// A load balancer and what happens to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LoadBalancer {
    /// What happens to it after it was created.
    pub workflow: Workflow,
}

/// What happens to the load balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Workflow {
    /// It is created.
    Create,
    /// It is created, and synchronised again without any difference.
    StableResync,
    /// It is created, then its forwarding rule goes to a new proxy and the old one is deleted.
    Retarget,
    /// It is created, then the forwarding rule's label changes in place.
    UpdateLabel,
    /// It is created, then the forwarding rule is made again for a new description.
    UpdateDescription,
    /// It is created, then deleted.
    Teardown,
}

type Refs = BTreeMap<Id, BTreeSet<Id>>;

/// The resources of a new load balancer, each with its references.
fn created() -> Refs {
    refs(&[
        ("hc", &[]),
        ("neg", &[]),
        ("addr", &[]),
        ("bs", &["hc", "neg"]),
        ("um", &["bs"]),
        ("thp", &["um"]),
        ("fr", &["thp", "addr"]),
    ])
}

/// The same after its forwarding rule was given a new target.
fn retargeted() -> Refs {
    let mut resources = created();
    resources.remove(&Id::from("thp"));
    resources.extend(refs(&[("thp-new", &["um"]), ("fr", &["thp-new", "addr"])]));
    resources
}

fn refs(list: &[(&str, &[&str])]) -> Refs {
    let entry = |(id, refs): &(&str, &[&str])| (Id::from(*id), refs.iter().copied().map(Id::from).collect());
    list.iter().map(entry).collect()
}

/// The steps, each a name and its actions.
pub(crate) fn steps(load_balancer: &LoadBalancer) -> Vec<(&'static str, Vec<ActionShape>)> {
    let first = ("create", sync(&Refs::new(), &created(), None));
    let second = match load_balancer.workflow {
        Workflow::Create => None,
        Workflow::StableResync => Some(("resync", sync(&created(), &created(), None))),
        Workflow::Retarget => {
            Some(("retarget", sync(&created(), &retargeted(), Some(Plan::UpdateInBackground))))
        }
        Workflow::UpdateLabel => {
            Some(("update-label", sync(&created(), &created(), Some(Plan::UpdateInBackground))))
        }
        Workflow::UpdateDescription => {
            Some(("update-description", sync(&created(), &created(), Some(Plan::Recreate))))
        }
        Workflow::Teardown => Some(("teardown", sync(&created(), &Refs::new(), None))),
    };
    std::iter::once(first).chain(second).collect()
}

/// The actions that lead from what is to what is wanted, given what happens to the forwarding rule.
fn sync(got: &Refs, wanted: &Refs, forwarding_rule: Option<Plan>) -> Vec<ActionShape> {
    let ids: BTreeSet<&Id> = got.keys().chain(wanted.keys()).collect();
    let mut actions = Vec::new();
    for id in ids {
        let plan = match (got.contains_key(id), wanted.contains_key(id)) {
            (true, true) if id.as_str() == "fr" => forwarding_rule.unwrap_or(Plan::Nothing),
            (true, true) => Plan::Nothing,
            (true, false) => Plan::Delete,
            (false, _) => Plan::Create,
        };
        let referrers = got.iter().filter(|(_, refs)| refs.contains(id));
        let resource = Resource {
            id: id.clone(),
            refs_got: got.get(id).cloned().unwrap_or_default(),
            refs_wanted: wanted.get(id).cloned().unwrap_or_default(),
            referrers: referrers.map(|(from, _)| from.clone()).collect(),
        };
        actions.extend(shape(&resource, plan));
    }
    actions
}
