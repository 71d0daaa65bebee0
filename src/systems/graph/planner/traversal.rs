//! Walks through a graph of resources, from one of them. Cycles end them.

use std::collections::BTreeSet;

use super::graph::ResourceGraph;
use crate::systems::graph::event::Id;

/// The walk was to start elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("starting node {0} not in graph")]
pub struct NotInGraph(pub Id);

/// All that hang together with a resource, in either direction, and itself.
///
/// # Errors
/// It is not in the graph.
pub fn connected_subgraph(graph: &ResourceGraph, start: &Id) -> Result<BTreeSet<Id>, NotInGraph> {
    walk(graph, start, |id| {
        let out = graph.get(id).into_iter().flat_map(|node| &node.refs);
        out.filter(|to| graph.get(to).is_some()).chain(graph.in_refs(id)).cloned().collect()
    })
}

/// All that refer to a resource, directly or through others, and itself.
///
/// # Errors
/// It is not in the graph.
pub fn transitive_in_refs(graph: &ResourceGraph, start: &Id) -> Result<BTreeSet<Id>, NotInGraph> {
    walk(graph, start, |id| graph.in_refs(id).cloned().collect())
}

fn walk(
    graph: &ResourceGraph,
    start: &Id,
    next: impl Fn(&Id) -> Vec<Id>,
) -> Result<BTreeSet<Id>, NotInGraph> {
    if graph.get(start).is_none() {
        return Err(NotInGraph(start.clone()));
    }
    let (mut done, mut left) = (BTreeSet::new(), vec![start.clone()]);
    while let Some(id) = left.pop() {
        if done.insert(id.clone()) {
            left.extend(next(&id));
        }
    }
    Ok(done)
}
