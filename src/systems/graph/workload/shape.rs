//! From what is to happen to a resource to the actions that do it: what each waits for, and what it emits. Separate
//! because it is a table of its own; it must not decide what is to happen.

use std::collections::BTreeSet;

use super::leaf::Operation;
use crate::systems::graph::action::ActionType;
use crate::systems::graph::event::{Event, Id};

/// What is to happen to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// It stays as it is.
    Nothing,
    /// It is made.
    Create,
    /// It is removed.
    Delete,
    /// It is removed and made again.
    Recreate,
    /// It is changed in place.
    Update,
    /// It is changed in place, and who needs it need not wait for that.
    UpdateInBackground,
}

/// A resource, as it is and as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Which.
    pub id: Id,
    /// What it refers to now.
    pub refs_got: BTreeSet<Id>,
    /// What it is to refer to.
    pub refs_wanted: BTreeSet<Id>,
    /// Who refers to it now.
    pub referrers: BTreeSet<Id>,
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

/// The actions that carry out the plan for one resource.
pub fn shape(resource: &Resource, plan: Plan) -> Vec<ActionShape> {
    match plan {
        Plan::Nothing => vec![exists(resource)],
        Plan::Create => vec![create(resource, BTreeSet::new())],
        Plan::Delete => vec![delete(resource)],
        Plan::Recreate => {
            let gone = BTreeSet::from([Event::NotExists(resource.id.clone())]);
            vec![delete(resource), create(resource, gone)]
        }
        Plan::Update => vec![update(resource, resource.refs_wanted.clone())],
        Plan::UpdateInBackground => {
            let new = resource.refs_wanted.difference(&resource.refs_got).cloned().collect();
            vec![exists(resource), update(resource, new)]
        }
    }
}

fn exists(resource: &Resource) -> ActionShape {
    ActionShape {
        name: format!("exists {}", resource.id),
        kind: ActionType::Meta,
        wants: BTreeSet::new(),
        emits: vec![Event::Exists(resource.id.clone())],
        operation: Operation::Signal,
    }
}

fn create(resource: &Resource, mut wants: BTreeSet<Event>) -> ActionShape {
    wants.extend(resource.refs_wanted.iter().cloned().map(Event::Exists));
    ActionShape {
        name: format!("create {}", resource.id),
        kind: ActionType::Create,
        wants,
        emits: vec![Event::Exists(resource.id.clone())],
        operation: Operation::Create(resource.id.clone(), resource.refs_wanted.clone()),
    }
}

fn delete(resource: &Resource) -> ActionShape {
    let id = &resource.id;
    let mut emits = vec![Event::NotExists(id.clone())];
    emits.extend(resource.refs_got.iter().map(|to| Event::drop_ref(id.clone(), to.clone())));
    ActionShape {
        name: format!("delete {id}"),
        kind: ActionType::Delete,
        wants: resource.referrers.iter().map(|from| Event::drop_ref(from.clone(), id.clone())).collect(),
        emits,
        operation: Operation::Delete(id.clone()),
    }
}

fn update(resource: &Resource, waits_for: BTreeSet<Id>) -> ActionShape {
    let id = &resource.id;
    let dropped = resource.refs_got.difference(&resource.refs_wanted);
    let mut emits: Vec<Event> = dropped.map(|to| Event::drop_ref(id.clone(), to.clone())).collect();
    emits.push(Event::Exists(id.clone()));
    ActionShape {
        name: format!("update {id}"),
        kind: ActionType::Update,
        wants: waits_for.into_iter().map(Event::Exists).collect(),
        emits,
        operation: Operation::Update(id.clone(), resource.refs_wanted.clone()),
    }
}
