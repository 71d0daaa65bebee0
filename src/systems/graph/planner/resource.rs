//! A resource: who owns it, whether it is there, its fields and references, and how its kind takes changes. Plain data;
//! it must not know other resources.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::systems::graph::event::Id;

/// Who decides about a resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ownership {
    /// Not said: no graph takes it.
    #[default]
    Unknown,
    /// The planner.
    Managed,
    /// Somebody else: it is neither changed nor followed.
    External,
}

/// Whether a resource is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Not said: no plan takes it.
    #[default]
    Unset,
    /// It is.
    Exists,
    /// It is not: a tombstone.
    DoesNotExist,
}

/// How a kind of resource takes changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The fields that can only be had by making the resource again.
    pub recreate_on: BTreeSet<Arc<str>>,
    /// Who needs the resource need not wait until it was updated: it exists all the while.
    pub in_background: bool,
}

/// A resource, as it is wanted or as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Which.
    pub id: Id,
    /// Who decides about it.
    pub ownership: Ownership,
    /// Whether it is there.
    pub state: State,
    /// Its values.
    pub fields: BTreeMap<Arc<str>, Arc<str>>,
    /// What it refers to.
    pub refs: BTreeSet<Id>,
    /// How its kind takes changes.
    pub changes: Changes,
}

/// How a wanted resource differs from the one that there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The fields of different values, those of one side only included.
    pub fields: BTreeSet<Arc<str>>,
    /// Whether it refers to others.
    pub refs: bool,
    /// Whether it has to be made again for that.
    pub recreate: bool,
}

impl Resource {
    /// A resource of which nothing is known yet.
    pub fn unknown(id: impl Into<Id>) -> Resource {
        Resource {
            id: id.into(),
            ownership: Ownership::default(),
            state: State::default(),
            fields: BTreeMap::new(),
            refs: BTreeSet::new(),
            changes: Changes::default(),
        }
    }

    /// A managed resource that is there, or is to be.
    pub fn new(id: impl Into<Id>) -> Resource {
        Resource { ownership: Ownership::Managed, state: State::Exists, ..Resource::unknown(id) }
    }

    /// A managed resource that is not there, or is not to be.
    pub fn absent(id: impl Into<Id>) -> Resource {
        Resource { state: State::DoesNotExist, ..Resource::new(id) }
    }

    /// Is somebody else's.
    #[must_use]
    pub fn external(mut self) -> Resource {
        self.ownership = Ownership::External;
        self
    }

    /// Refers to these too.
    #[must_use]
    pub fn refers_to<I: Into<Id>>(mut self, ids: impl IntoIterator<Item = I>) -> Resource {
        self.refs.extend(ids.into_iter().map(Into::into));
        self
    }

    /// Has this value.
    #[must_use]
    pub fn field(mut self, name: &str, value: &str) -> Resource {
        self.fields.insert(name.into(), value.into());
        self
    }

    /// Is made again when this field changes.
    #[must_use]
    pub fn recreated_on(mut self, field: &str) -> Resource {
        self.changes.recreate_on.insert(field.into());
        self
    }

    /// Is there all the while that it is updated.
    #[must_use]
    pub fn updated_in_background(mut self) -> Resource {
        self.changes.in_background = true;
        self
    }

    /// How this one, as it is wanted, differs from the one that there is.
    pub fn difference(&self, got: &Resource) -> Option<Difference> {
        let names = self.fields.keys().chain(got.fields.keys());
        let differing = names.filter(|&name| self.fields.get(name) != got.fields.get(name));
        let fields: BTreeSet<Arc<str>> = differing.cloned().collect();
        let refs = self.refs != got.refs;
        let recreate = !fields.is_disjoint(&self.changes.recreate_on);
        (refs || !fields.is_empty()).then_some(Difference { fields, refs, recreate })
    }
}
