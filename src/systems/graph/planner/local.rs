//! The local plan: what happens to each resource, seen by itself. It must not know actions, nor what depends on what.

use std::collections::BTreeMap;
use std::fmt;

use super::graph::ResourceGraph;
use super::resource::{Ownership, Resource, State};
use crate::systems::graph::event::Id;

/// What happens to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// It stays as it is.
    Nothing,
    /// It is made.
    Create,
    /// It is removed and made again.
    Recreate,
    /// It is changed in place.
    Update,
    /// It is removed.
    Delete,
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The plan of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// What happens.
    pub op: Op,
    /// Why.
    pub why: String,
}

impl Planned {
    pub(super) fn new(op: Op, why: impl Into<String>) -> Planned {
        Planned { op, why: why.into() }
    }
}

/// The plans of all resources, by id.
pub type Plans = BTreeMap<Id, Planned>;

/// Why there is no local plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocalPlanError {
    /// What there is has no counterpart among what is wanted, not even a tombstone.
    #[error("localPlanner.preconditions: node {0} in got but not in want")]
    OnlyGot(Id),
    /// What is wanted has no counterpart among what there is, not even its absence.
    #[error("localPlanner.preconditions: node {0} in want but not in got")]
    OnlyWanted(Id),
    /// It is not said whether a resource is there.
    #[error("node {id} is in an invalid state for planning: got {got:?}, want {want:?}")]
    Unset {
        /// Which.
        id: Id,
        /// The state that it has.
        got: State,
        /// The state that it is to have.
        want: State,
    },
}

/// What happens to each resource by itself.
///
/// # Errors
/// The graphs are not of the same resources, or it is not said whether one is there.
pub fn local_plan(got: &ResourceGraph, want: &ResourceGraph) -> Result<Plans, LocalPlanError> {
    if let Some(only) = got.ids().find(|id| want.get(id).is_none()) {
        return Err(LocalPlanError::OnlyGot(only.clone()));
    }
    let one = |wanted: &Resource| {
        let got = got.get(&wanted.id).ok_or_else(|| LocalPlanError::OnlyWanted(wanted.id.clone()))?;
        Ok((wanted.id.clone(), planned(got, wanted)?))
    };
    want.all().map(one).collect()
}

fn planned(got: &Resource, want: &Resource) -> Result<Planned, LocalPlanError> {
    if want.ownership != Ownership::Managed {
        return Ok(Planned::new(Op::Nothing, "Node is not managed"));
    }
    match (got.state, want.state) {
        (State::Exists, State::Exists) => Ok(differing(got, want)),
        (State::Exists, State::DoesNotExist) => {
            Ok(Planned::new(Op::Delete, "Node doesn't exist in want, but exists in got"))
        }
        (State::DoesNotExist, State::Exists) => {
            Ok(Planned::new(Op::Create, "Node doesn't exist in got, but exists in want"))
        }
        (State::DoesNotExist, State::DoesNotExist) => Ok(Planned::new(Op::Nothing, "Node does not exist")),
        (State::Unset, _) | (_, State::Unset) => {
            Err(LocalPlanError::Unset { id: want.id.clone(), got: got.state, want: want.state })
        }
    }
}

fn differing(got: &Resource, want: &Resource) -> Planned {
    let Some(difference) = want.difference(got) else {
        return Planned::new(Op::Nothing, "No difference between got and want");
    };
    let mut what: Vec<&str> = difference.fields.iter().map(|name| &**name).collect();
    what.extend(difference.refs.then_some("references"));
    let what = what.join(", ");
    if difference.recreate {
        Planned::new(Op::Recreate, format!("Cannot be changed in place: {what}"))
    } else {
        Planned::new(Op::Update, format!("Differs in {what}"))
    }
}
