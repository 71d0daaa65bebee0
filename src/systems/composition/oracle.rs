//! What there must be at the end, from the sites alone: the parts of each in its version, the containers of its tasks, and
//! nothing else. It must not know what the systems did.

use super::layout::{self, Part};
use super::sites::{SITE, Site};
use crate::store::Store;
use crate::systems::agent::dispatcher::{STATUS, StatusEntry, TASK};
use crate::systems::agent::{Runtime, TaskState};
use crate::systems::plan::instance::{INSTANCE, Instance};
use crate::systems::plugin::model::WorkflowPhase;
use crate::systems::plugin::outside::Cluster;
use crate::systems::plugin::status::{WORKFLOW, Workflow};
use std::collections::BTreeSet;

/// The records after which it may be otherwise.
pub(super) const READS: [&str; 7] = [
    "store.created",
    "store.updated",
    "store.deleted",
    "container.created",
    "container.removed",
    "plugin.made",
    "plugin.freed",
];

/// What is outside the store.
pub(super) struct Outside {
    pub(super) nodes: Vec<Runtime>,
    pub(super) cluster: Cluster,
}

/// Whether all is as the sites ask for.
///
/// # Errors
/// What is not.
pub(super) fn check(store: &Store, outside: &Outside) -> Result<(), String> {
    let sites = store.list(SITE);
    let mut wanted = BTreeSet::new();
    let mut names = BTreeSet::new();
    for entry in &sites.entries {
        let site: Site = entry.parse().map_err(|error| error.to_string())?;
        if site.deleting {
            return Err(format!("site {} is to go, and is there", entry.key.name));
        }
        check_instance(store, &entry.key.name)?;
        names.insert(entry.key.name.to_string());
        wanted.extend(layout::whole(&entry.key.name, site.version));
    }
    let extra = store.list(INSTANCE).into_iter().find(|entry| !names.contains(&*entry.key.name));
    if let Some(extra) = extra {
        return Err(format!("instance {} is there, and its site is not", extra.key.name));
    }
    check_parts(store, &wanted)?;
    check_outside(store, outside, &wanted)
}

fn check_instance(store: &Store, name: &str) -> Result<(), String> {
    let instance: Option<Instance> = store.peek((INSTANCE, name));
    let Some(instance) = instance else { return Err(format!("site {name} has no instance")) };
    let plan = &instance.spec.plan_execution.name;
    if plan.is_empty() { Ok(()) } else { Err(format!("plan {plan} of site {name} is not over")) }
}

fn check_parts(store: &Store, wanted: &BTreeSet<String>) -> Result<(), String> {
    for kind in [TASK, WORKFLOW, STATUS] {
        let extra = store.list(kind).into_iter().find(|entry| !wanted.contains(&*entry.key.name));
        if let Some(extra) = extra {
            return Err(format!("{} is there, and no site needs it", extra.key));
        }
    }
    for id in wanted {
        let is_there = match layout::part(id) {
            Part::Task { .. } => {
                let status: Option<StatusEntry> = store.peek((STATUS, id.as_str()));
                status.is_some_and(|status| status.state == TaskState::Running)
            }
            Part::Workflow => {
                let workflow: Option<Workflow> = store.peek((WORKFLOW, id.as_str()));
                workflow.is_some_and(|workflow| workflow.status.phase == WorkflowPhase::Success)
            }
        };
        if !is_there {
            return Err(format!("{id} is needed, and does not do what it is for"));
        }
    }
    Ok(())
}

/// Containers are those of tasks that are wanted; jobs are those of workflows that are there.
fn check_outside(store: &Store, outside: &Outside, wanted: &BTreeSet<String>) -> Result<(), String> {
    for runtime in &outside.nodes {
        for task in runtime.tasks() {
            if !wanted.contains(task.as_str()) {
                return Err(format!("the container of {task} is on {}, and nobody needs it", runtime.node()));
            }
        }
    }
    let workflows = store.list(WORKFLOW);
    let is_owned = |job: &String| workflows.entries.iter().any(|entry| job.starts_with(&*entry.key.name));
    match outside.cluster.names().into_iter().find(|job| !is_owned(job)) {
        Some(job) => Err(format!("job {job} is in the cluster, and its workflow is gone")),
        None => Ok(()),
    }
}
