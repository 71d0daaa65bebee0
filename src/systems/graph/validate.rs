//! What can be seen to be wrong before a graph runs, and how long its chains are. Separate because it is opt-in and
//! reads descriptions only; it must not run anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::action::{SharedAction, foretold};
use super::error::InvalidConfig;
use super::event::Event;

/// One thing wrong with an action list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Problem {
    /// Several actions have one name.
    DuplicateName {
        /// The name.
        name: Arc<str>,
    },
    /// An action waits for an event that no action emits.
    Unsatisfiable {
        /// The action.
        action: Arc<str>,
        /// The event.
        event: Event,
    },
    /// Actions wait for each other in a circle.
    Cycle {
        /// Its members, each waiting for the one before, the first for the last.
        members: Vec<Arc<str>>,
    },
    /// Several actions emit one event.
    EmittedByMany {
        /// The event.
        event: Event,
        /// The actions.
        actions: Vec<Arc<str>>,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::DuplicateName { name } => write!(f, "several actions are called `{name}`"),
            Problem::Unsatisfiable { action, event } => {
                write!(f, "`{action}` waits for {event}, which no action emits")
            }
            Problem::Cycle { members } => {
                let first = members.first().map_or("", |name| name);
                write!(f, "actions wait for each other: {} -> {first}", members.join(" -> "))
            }
            Problem::EmittedByMany { event, actions } => {
                write!(f, "{event} is emitted by each of {}", actions.join(", "))
            }
        }
    }
}

/// Reports everything that makes a graph end badly or by luck. Actions with a gate of their own may run without
/// their wants, so they are never unsatisfiable nor part of a cycle.
///
/// # Errors
/// All problems found.
pub fn strict<E: ?Sized>(actions: &[SharedAction<E>]) -> Result<(), InvalidConfig> {
    let graph = Graph::new(actions);
    let mut problems = graph.duplicate_names();
    problems.extend(graph.unsatisfiable());
    problems.extend(graph.cycles());
    problems.extend(graph.emitted_by_many());
    if problems.is_empty() { Ok(()) } else { Err(InvalidConfig { problems }) }
}

/// For each action, the number of actions on the longest chain that begins with it; members of cycles count once.
pub(crate) fn chains_below<E: ?Sized>(actions: &[SharedAction<E>]) -> Vec<u32> {
    let graph = Graph::new(actions);
    let mut lengths = vec![1; actions.len()];
    for component in graph.components() {
        for node in component {
            let below = graph.dependents[node].iter().map(|next| lengths[*next]).max();
            lengths[node] = below.unwrap_or(0) + 1;
        }
    }
    lengths
}

struct Graph {
    names: Vec<Arc<str>>,
    wants: Vec<BTreeSet<Event>>,
    gated: Vec<bool>,
    emitters: BTreeMap<Event, Vec<usize>>,
    /// For each action, those that wait for what it emits.
    dependents: Vec<Vec<usize>>,
}

impl Graph {
    fn new<E: ?Sized>(actions: &[SharedAction<E>]) -> Self {
        let mut emitters: BTreeMap<Event, Vec<usize>> = BTreeMap::new();
        for (index, action) in actions.iter().enumerate() {
            for event in foretold(&**action).unwrap_or_default().into_iter().collect::<BTreeSet<_>>() {
                emitters.entry(event).or_default().push(index);
            }
        }
        let mut dependents = vec![Vec::new(); actions.len()];
        for (index, action) in actions.iter().enumerate() {
            let before: BTreeSet<usize> =
                action.wants().iter().filter_map(|event| emitters.get(event)).flatten().copied().collect();
            before.into_iter().for_each(|emitter| dependents[emitter].push(index));
        }
        Graph {
            names: actions.iter().map(|action| Arc::clone(&action.metadata().name)).collect(),
            wants: actions.iter().map(|action| action.wants().clone()).collect(),
            gated: actions.iter().map(|action| action.gate().is_some()).collect(),
            emitters,
            dependents,
        }
    }

    fn duplicate_names(&self) -> Vec<Problem> {
        let mut counts: BTreeMap<&Arc<str>, u32> = BTreeMap::new();
        self.names.iter().for_each(|name| *counts.entry(name).or_default() += 1);
        let repeated = counts.into_iter().filter(|(_, count)| *count > 1);
        repeated.map(|(name, _)| Problem::DuplicateName { name: Arc::clone(name) }).collect()
    }

    fn unsatisfiable(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (index, wants) in self.wants.iter().enumerate().filter(|(index, _)| !self.gated[*index]) {
            for event in wants.iter().filter(|event| !self.emitters.contains_key(*event)) {
                let action = Arc::clone(&self.names[index]);
                problems.push(Problem::Unsatisfiable { action, event: event.clone() });
            }
        }
        problems
    }

    /// The actions that can run if what nobody emits comes nevertheless.
    fn reachable(&self) -> Vec<bool> {
        let mut reached = vec![false; self.names.len()];
        let mut missing: Vec<usize> = Vec::new();
        for wants in &self.wants {
            missing.push(wants.iter().filter(|event| self.emitters.contains_key(*event)).count());
        }
        let mut waiters: BTreeMap<&Event, Vec<usize>> = BTreeMap::new();
        for (index, wants) in self.wants.iter().enumerate() {
            wants.iter().for_each(|event| waiters.entry(event).or_default().push(index));
        }
        let mut emitted: Vec<Vec<&Event>> = vec![Vec::new(); self.names.len()];
        for (event, emitters) in &self.emitters {
            emitters.iter().for_each(|emitter| emitted[*emitter].push(event));
        }
        let can_start = |index: &usize| missing[*index] == 0 || self.gated[*index];
        let mut next: Vec<usize> = (0..self.names.len()).filter(can_start).collect();
        while let Some(index) = next.pop() {
            if std::mem::replace(&mut reached[index], true) {
                continue;
            }
            for event in &emitted[index] {
                for waiter in waiters.remove(*event).unwrap_or_default() {
                    missing[waiter] -= 1;
                    if missing[waiter] == 0 {
                        next.push(waiter);
                    }
                }
            }
        }
        reached
    }

    /// One cycle of each group of actions that wait for each other; none where another action breaks it.
    fn cycles(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = Vec::new();
        let reachable = self.reachable();
        for mut component in self.components() {
            component.retain(|index| !reachable[*index]);
            component.sort_unstable();
            if let Some(cycle) = self.cycle_in(&component) {
                let members = cycle.into_iter().map(|index| Arc::clone(&self.names[index])).collect();
                problems.push(Problem::Cycle { members });
            }
        }
        problems.sort();
        problems
    }

    /// The shortest cycle through the component's first member that is on one.
    fn cycle_in(&self, component: &[usize]) -> Option<Vec<usize>> {
        component.iter().find_map(|start| self.shortest_way(*start, component))
    }

    fn shortest_way(&self, start: usize, component: &[usize]) -> Option<Vec<usize>> {
        if self.gated[start] {
            return None;
        }
        let mut came_from = BTreeMap::new();
        let mut frontier = std::collections::VecDeque::from([start]);
        while let Some(node) = frontier.pop_front() {
            for next in self.dependents[node].iter().copied() {
                if next == start {
                    let mut way = vec![node];
                    while let Some(before) = came_from.get(way.last().unwrap_or(&start)) {
                        way.push(*before);
                    }
                    way.reverse();
                    return Some(way);
                }
                let is_inside = component.binary_search(&next).is_ok() && !self.gated[next];
                if is_inside && !came_from.contains_key(&next) {
                    came_from.insert(next, node);
                    frontier.push_back(next);
                }
            }
        }
        None
    }

    fn emitted_by_many(&self) -> Vec<Problem> {
        let repeated = self.emitters.iter().filter(|(_, emitters)| emitters.len() > 1);
        let problem = |(event, emitters): (&Event, &Vec<usize>)| Problem::EmittedByMany {
            event: event.clone(),
            actions: emitters.iter().map(|index| Arc::clone(&self.names[*index])).collect(),
        };
        repeated.map(problem).collect()
    }

    /// The strongly connected components, dependents first (Tarjan's algorithm with a stack of its own, because
    /// chains are deep).
    fn components(&self) -> Vec<Vec<usize>> {
        let mut search = Search::new(self.names.len());
        for root in 0..self.names.len() {
            if search.order[root].is_none() {
                search.from(root, &self.dependents);
            }
        }
        search.components
    }
}

struct Search {
    order: Vec<Option<usize>>,
    low: Vec<usize>,
    on_stack: Vec<bool>,
    stack: Vec<usize>,
    visited: usize,
    components: Vec<Vec<usize>>,
}

impl Search {
    fn new(nodes: usize) -> Self {
        Search {
            order: vec![None; nodes],
            low: vec![0; nodes],
            on_stack: vec![false; nodes],
            stack: Vec::new(),
            visited: 0,
            components: Vec::new(),
        }
    }

    fn from(&mut self, root: usize, next: &[Vec<usize>]) {
        let mut work = vec![(root, 0)];
        self.enter(root);
        while let Some((node, position)) = work.pop() {
            let Some(child) = next[node].get(position).copied() else {
                self.leave(node, work.last().map(|(parent, _)| *parent));
                continue;
            };
            work.push((node, position + 1));
            match self.order[child] {
                None => {
                    self.enter(child);
                    work.push((child, 0));
                }
                Some(order) if self.on_stack[child] => self.low[node] = self.low[node].min(order),
                Some(_) => {}
            }
        }
    }

    fn enter(&mut self, node: usize) {
        self.order[node] = Some(self.visited);
        self.low[node] = self.visited;
        self.visited += 1;
        self.stack.push(node);
        self.on_stack[node] = true;
    }

    fn leave(&mut self, node: usize, parent: Option<usize>) {
        if let Some(parent) = parent {
            self.low[parent] = self.low[parent].min(self.low[node]);
        }
        if self.order[node] != Some(self.low[node]) {
            return;
        }
        let mut component = Vec::new();
        while let Some(member) = self.stack.pop() {
            self.on_stack[member] = false;
            component.push(member);
            if member == node {
                break;
            }
        }
        self.components.push(component);
    }
}
