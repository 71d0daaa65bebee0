//! From what happens to a resource to the actions that do it: what each waits for, and what it emits. It must not decide
//! what happens.

use std::collections::BTreeSet;

use super::graph::ResourceGraph;
use super::local::{Op, Plans};
use super::resource::{Resource, State};
use crate::systems::graph::action::ActionType;
use crate::systems::graph::event::{Event, Id};

/// What an action does to the resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Nothing but signal.
    Signal,
    /// Something that only counts as done.
    Touch(Id),
    /// Makes the resource.
    Create(Resource),
    /// Changes the resource into this.
    Update(Resource),
    /// Removes the resource.
    Delete(Id),
}

/// One action of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionShape {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: ActionType,
    /// What it waits for.
    pub wants: BTreeSet<Event>,
    /// What it emits.
    pub emits: Vec<Event>,
    /// What it does.
    pub operation: Operation,
}

/// Why there are no actions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActionsError {
    /// What is wanted has no counterpart among what there is.
    #[error("actions: `got` is missing node {0} that is in `want`")]
    OnlyWanted(Id),
    /// Nobody said what happens to it.
    #[error("actions: node {0} has no plan")]
    NoPlan(Id),
    /// Only what exists, and is to exist, can be updated.
    #[error("node for update does not exist: {0}")]
    Absent(Id),
}

/// The actions that carry out the plans, resource by resource.
///
/// # Errors
/// A wanted resource has no counterpart or no plan, or is to be updated and does not exist.
pub fn actions(
    got: &ResourceGraph,
    want: &ResourceGraph,
    plans: &Plans,
) -> Result<Vec<ActionShape>, ActionsError> {
    let mut actions = Vec::new();
    for wanted in want.all() {
        let id = &wanted.id;
        let there = got.get(id).ok_or_else(|| ActionsError::OnlyWanted(id.clone()))?;
        let planned = plans.get(id).ok_or_else(|| ActionsError::NoPlan(id.clone()))?;
        let referrers: Vec<&Id> = got.in_refs(id).collect();
        match planned.op {
            Op::Nothing if wanted.state == State::DoesNotExist => {}
            Op::Nothing => actions.push(exists(id)),
            Op::Create => actions.push(create(wanted, BTreeSet::new())),
            Op::Delete => actions.push(delete(there, &referrers)),
            Op::Recreate => {
                let gone = BTreeSet::from([Event::NotExists(id.clone())]);
                actions.extend([delete(there, &referrers), create(wanted, gone)]);
            }
            Op::Update => actions.extend(update(there, wanted)?),
        }
    }
    Ok(actions)
}

fn exists(id: &Id) -> ActionShape {
    ActionShape {
        name: format!("exists {id}"),
        kind: ActionType::Meta,
        wants: BTreeSet::new(),
        emits: vec![Event::Exists(id.clone())],
        operation: Operation::Signal,
    }
}

fn create(want: &Resource, mut wants: BTreeSet<Event>) -> ActionShape {
    wants.extend(want.refs.iter().cloned().map(Event::Exists));
    ActionShape {
        name: format!("create {}", want.id),
        kind: ActionType::Create,
        wants,
        emits: vec![Event::Exists(want.id.clone())],
        operation: Operation::Create(want.clone()),
    }
}

fn delete(got: &Resource, referrers: &[&Id]) -> ActionShape {
    let id = &got.id;
    let mut emits = vec![Event::NotExists(id.clone())];
    emits.extend(got.refs.iter().map(|to| Event::drop_ref(id.clone(), to.clone())));
    ActionShape {
        name: format!("delete {id}"),
        kind: ActionType::Delete,
        wants: referrers.iter().map(|&from| Event::drop_ref(from.clone(), id.clone())).collect(),
        emits,
        operation: Operation::Delete(id.clone()),
    }
}

/// What an update waits for: that all it is to refer to exists.
///
/// # Errors
/// It does not exist, or is not to.
pub fn update_wants(got: &Resource, want: &Resource) -> Result<BTreeSet<Event>, ActionsError> {
    if got.state != State::Exists || want.state != State::Exists {
        return Err(ActionsError::Absent(want.id.clone()));
    }
    Ok(want.refs.iter().cloned().map(Event::Exists).collect())
}

/// What an update emits: each reference that it drops, and then that the resource exists.
pub fn update_emits(got: &Resource, want: &Resource) -> Vec<Event> {
    let dropped = got.refs.difference(&want.refs);
    let dropped = dropped.map(|to| Event::drop_ref(want.id.clone(), to.clone()));
    dropped.chain([Event::Exists(want.id.clone())]).collect()
}

/// One that changes nothing only says that the resource exists; one in the background says so at once, and waits only for
/// what it newly refers to.
fn update(got: &Resource, want: &Resource) -> Result<Vec<ActionShape>, ActionsError> {
    let mut wants = update_wants(got, want)?;
    let id = &want.id;
    if want.difference(got).is_none() {
        return Ok(vec![exists(id)]);
    }
    let mut shapes = Vec::new();
    if want.changes.in_background {
        wants = want.refs.difference(&got.refs).cloned().map(Event::Exists).collect();
        shapes.push(exists(id));
    }
    shapes.push(ActionShape {
        name: format!("update {id}"),
        kind: ActionType::Update,
        wants,
        emits: update_emits(got, want),
        operation: Operation::Update(want.clone()),
    });
    Ok(shapes)
}
