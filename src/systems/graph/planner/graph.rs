//! Graphs of resources. What is built is whole: every reference of a managed resource leads to a resource of the graph.
//! It must not know plans.

use std::collections::BTreeMap;

use super::resource::{Ownership, Resource, State};
use crate::systems::graph::event::Id;

/// Why a graph cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// A reference leads out of the graph.
    #[error("Builder: missing outRef: {from} points to {to} which isn't in the graph")]
    MissingOutRef {
        /// Who refers.
        from: Id,
        /// To what.
        to: Id,
    },
    /// It is not said who owns a resource.
    #[error("Builder: node {0} has ownership Unknown")]
    UnknownOwnership(Id),
    /// A resource was added twice.
    #[error("Builder: node {0} was added twice")]
    Twice(Id),
    /// A tombstone that says that its resource is there.
    #[error("graph: invalid tombstone: {0} is not said to be absent")]
    NotATombstone(Id),
}

/// Resources, to become a graph.
#[derive(Clone, Debug, Default)]
pub struct GraphBuilder {
    resources: Vec<Resource>,
}

impl GraphBuilder {
    /// No resource yet.
    pub fn new() -> GraphBuilder {
        GraphBuilder::default()
    }

    /// With this one too.
    #[must_use]
    pub fn with(mut self, resource: Resource) -> GraphBuilder {
        self.resources.push(resource);
        self
    }

    /// The graph.
    ///
    /// # Errors
    /// A resource is there twice or nobody's, or a reference of a managed one leads out of the graph.
    pub fn build(self) -> Result<ResourceGraph, GraphError> {
        let mut nodes = BTreeMap::new();
        for resource in self.resources {
            if resource.ownership == Ownership::Unknown {
                return Err(GraphError::UnknownOwnership(resource.id));
            }
            if let Some(twice) = nodes.insert(resource.id.clone(), resource) {
                return Err(GraphError::Twice(twice.id));
            }
        }
        let graph = ResourceGraph { nodes };
        graph.check_refs()?;
        Ok(graph)
    }
}

impl FromIterator<Resource> for GraphBuilder {
    fn from_iter<I: IntoIterator<Item = Resource>>(resources: I) -> GraphBuilder {
        GraphBuilder { resources: resources.into_iter().collect() }
    }
}

/// Resources that refer to each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceGraph {
    nodes: BTreeMap<Id, Resource>,
}

impl ResourceGraph {
    /// The resources, by id.
    pub fn all(&self) -> impl Iterator<Item = &Resource> {
        self.nodes.values()
    }

    /// Their ids.
    pub fn ids(&self) -> impl Iterator<Item = &Id> {
        self.nodes.keys()
    }

    /// The resource of this id.
    pub fn get(&self, id: &Id) -> Option<&Resource> {
        self.nodes.get(id)
    }

    /// Who refers to it, of those that are not absent.
    pub fn in_refs<'a>(&'a self, id: &'a Id) -> impl Iterator<Item = &'a Id> {
        let present = self.nodes.values().filter(|node| node.state != State::DoesNotExist);
        present.filter(move |node| node.refs.contains(id)).map(|node| &node.id)
    }

    /// Adds a resource that is not to be, in place of the one of its id.
    ///
    /// # Errors
    /// It is to be.
    pub fn add_tombstone(&mut self, tombstone: Resource) -> Result<(), GraphError> {
        if tombstone.state != State::DoesNotExist {
            return Err(GraphError::NotATombstone(tombstone.id));
        }
        self.nodes.insert(tombstone.id.clone(), tombstone);
        Ok(())
    }

    /// Adds what there is and stays as it is.
    pub(super) fn adopt(&mut self, resource: Resource) {
        self.nodes.insert(resource.id.clone(), resource);
    }

    fn check_refs(&self) -> Result<(), GraphError> {
        for node in self.nodes.values().filter(|node| node.ownership == Ownership::Managed) {
            if let Some(to) = node.refs.iter().find(|to| !self.nodes.contains_key(*to)) {
                return Err(GraphError::MissingOutRef { from: node.id.clone(), to: to.clone() });
            }
        }
        Ok(())
    }
}
