//! The whole plan: what there is, what happens to each resource and with it to those that refer to it, and the actions.

use std::sync::Arc;

use super::actions::{ActionShape, ActionsError, actions};
use super::closure::{ClosureError, Fetch, closure};
use super::graph::{GraphBuilder, GraphError, ResourceGraph};
use super::local::{LocalPlanError, Op, Planned, Plans, local_plan};
use super::resource::{Ownership, Resource, State};
use super::traversal::{NotInGraph, transitive_in_refs};
use crate::systems::graph::event::Id;

/// What leads from what there is to what is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What there is.
    pub got: ResourceGraph,
    /// What is wanted, with the tombstones of what is not any more.
    pub want: ResourceGraph,
    /// What happens to each resource, and why.
    pub plans: Plans,
    /// The actions, resource by resource.
    pub actions: Vec<ActionShape>,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// What there is is not known.
    #[error(transparent)]
    Closure(#[from] ClosureError),
    /// What there is makes no graph.
    #[error("Plan: {0}")]
    Graph(#[from] GraphError),
    /// A resource cannot be planned by itself.
    #[error(transparent)]
    Local(#[from] LocalPlanError),
    /// The plans have no actions.
    #[error("Plan: {0}")]
    Actions(#[from] ActionsError),
    /// A walk began outside the graph.
    #[error("Plan: {0}")]
    Walk(#[from] NotInGraph),
    /// What is made again takes somebody else's resource with it.
    #[error("Plan: {id} planned for recreate, but inRef {referrer} ownership={ownership:?}")]
    RecreatesForeign {
        /// What is made again.
        id: Id,
        /// Who refers to it.
        referrer: Id,
        /// Whose that is.
        ownership: Ownership,
    },
    /// What is removed is still wanted by another.
    #[error("Plan: {id} to be deleted, but inRef {referrer} is not")]
    DeletesWanted {
        /// What is removed.
        id: Id,
        /// Who refers to it.
        referrer: Id,
    },
}

/// Plans how what is wanted comes to be.
///
/// # Errors
/// What there is cannot be fetched, or what is wanted cannot be.
pub async fn plan<F: Fetch>(from: &Arc<F>, want: ResourceGraph) -> Result<Plan, PlanError> {
    let external = want.all().filter(|node| node.ownership == Ownership::External);
    let external = external.map(|node| node.id.clone()).collect();
    let fetched = closure(from, want.ids().cloned(), &external).await?;
    let got = fetched.into_iter().collect::<GraphBuilder>().build()?;
    let want = with_unwanted(&got, want)?;
    let mut plans = local_plan(&got, &want)?;
    spread_recreates(&want, &mut plans)?;
    check_deletes(&want, &plans)?;
    let actions = actions(&got, &want, &plans)?;
    Ok(Plan { got, want, plans, actions })
}

/// What there is and nobody wants is to go, if it is ours; else it stays.
fn with_unwanted(got: &ResourceGraph, mut want: ResourceGraph) -> Result<ResourceGraph, GraphError> {
    for resource in got.all() {
        if want.get(&resource.id).is_some() {
            continue;
        }
        match resource.ownership {
            Ownership::External => want.adopt(resource.clone()),
            Ownership::Managed | Ownership::Unknown => {
                want.add_tombstone(Resource { state: State::DoesNotExist, ..resource.clone() })?;
            }
        }
    }
    Ok(want)
}

/// Who refers to what is made again is made again too, and so on.
fn spread_recreates(want: &ResourceGraph, plans: &mut Plans) -> Result<(), PlanError> {
    let again = plans.iter().filter(|(_, planned)| planned.op == Op::Recreate);
    let again: Vec<Id> = again.map(|(id, _)| id.clone()).collect();
    for id in again {
        for referrer in transitive_in_refs(want, &id)?.into_iter().filter(|referrer| *referrer != id) {
            let ownership = want.get(&referrer).map_or(Ownership::Unknown, |node| node.ownership);
            if ownership != Ownership::Managed {
                return Err(PlanError::RecreatesForeign { id, referrer, ownership });
            }
            let planned = plans.get_mut(&referrer).ok_or_else(|| ActionsError::NoPlan(referrer.clone()))?;
            if matches!(planned.op, Op::Nothing | Op::Update) {
                *planned = Planned::new(Op::Recreate, format!("Dependency {id} is being recreated"));
            }
        }
    }
    Ok(())
}

/// Nothing that stays refers to what goes.
fn check_deletes(want: &ResourceGraph, plans: &Plans) -> Result<(), PlanError> {
    let is_deleted = |id: &Id| plans.get(id).is_some_and(|planned| planned.op == Op::Delete);
    for id in plans.keys().filter(|id| is_deleted(id)) {
        if let Some(referrer) = want.in_refs(id).find(|referrer| !is_deleted(referrer)) {
            return Err(PlanError::DeletesWanted { id: id.clone(), referrer: referrer.clone() });
        }
    }
    Ok(())
}
