//! The provisioning of a load balancer, as what is wanted step after step: health check and endpoint group under a
//! backend service, URL map, proxy, and a forwarding rule on an address. Separate because it is data about load
//! balancers; it must not know plans, nor how actions run.

use serde::{Deserialize, Serialize};

use crate::systems::graph::planner::{GraphBuilder, Resource, ResourceGraph};

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
    /// It is created, then its address is made again for a new description, and the forwarding rule with it.
    RecreateAddress,
    /// It is created, then deleted.
    Teardown,
}

/// The resources of a load balancer. A forwarding rule's target and label change in place, its description does not; who
/// needs it need not wait while it changes.
fn resources() -> Vec<Resource> {
    vec![
        Resource::new("hc"),
        Resource::new("neg"),
        Resource::new("addr"),
        Resource::new("bs").refers_to(["hc", "neg"]),
        Resource::new("um").refers_to(["bs"]),
        Resource::new("thp").refers_to(["um"]),
        forwarding_rule().refers_to(["thp", "addr"]),
    ]
}

fn forwarding_rule() -> Resource {
    Resource::new("fr").updated_in_background().recreated_on("description")
}

/// The resources with these in place of, or beside, those of their ids.
fn with(changed: Vec<Resource>) -> Vec<Resource> {
    let is_changed = |resource: &Resource| changed.iter().any(|other| other.id == resource.id);
    let kept: Vec<Resource> = resources().into_iter().filter(|resource| !is_changed(resource)).collect();
    kept.into_iter().chain(changed).collect()
}

fn retargeted() -> Vec<Resource> {
    let proxy = Resource::new("thp-new").refers_to(["um"]);
    let mut wanted = with(vec![proxy, forwarding_rule().refers_to(["thp-new", "addr"])]);
    wanted.retain(|resource| resource.id.as_str() != "thp");
    wanted
}

/// The steps, each a name and the resources that are wanted then.
pub(crate) fn steps(load_balancer: &LoadBalancer) -> Vec<(&'static str, ResourceGraph)> {
    let rule = || forwarding_rule().refers_to(["thp", "addr"]);
    let second = match load_balancer.workflow {
        Workflow::Create => None,
        Workflow::StableResync => Some(("resync", resources())),
        Workflow::Retarget => Some(("retarget", retargeted())),
        Workflow::UpdateLabel => Some(("update-label", with(vec![rule().field("label", "foo=bar")]))),
        Workflow::UpdateDescription => {
            Some(("update-description", with(vec![rule().field("description", "changed")])))
        }
        Workflow::RecreateAddress => {
            let address = Resource::new("addr").recreated_on("description").field("description", "changed");
            Some(("recreate-address", with(vec![address])))
        }
        Workflow::Teardown => {
            let gone = resources().into_iter().map(|resource| Resource::absent(resource.id));
            Some(("teardown", gone.collect()))
        }
    };
    let graph = |wanted: Vec<Resource>| {
        let built = wanted.into_iter().collect::<GraphBuilder>().build();
        built.expect("each resource is listed once, and so are those that it refers to")
    };
    let steps = std::iter::once(("create", resources())).chain(second);
    steps.map(|(name, wanted)| (name, graph(wanted))).collect()
}
