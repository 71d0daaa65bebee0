//! Who waits for what, and where every action stands: states and transitions, pure and total. Separate from the
//! engine so that it can be tested without a clock; it must not know futures, queues, tracing or errors' causes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::event::Event;

/// What one action still waits for; owned by the executor, so that an action list can be run again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaitState {
    missing: BTreeSet<Event>,
    done: Vec<Event>,
}

impl WaitState {
    /// Waits for each of the events once, whatever the number of times it is listed or signalled.
    pub fn new(wants: impl IntoIterator<Item = Event>) -> Self {
        WaitState { missing: wants.into_iter().collect(), done: Vec::new() }
    }

    /// Takes the event if it is waited for; false, and no change, otherwise.
    pub fn signal(&mut self, event: &Event) -> bool {
        let accepted = self.missing.remove(event);
        if accepted {
            self.done.push(event.clone());
        }
        accepted
    }

    /// Nothing is missing.
    pub fn can_run(&self) -> bool {
        self.missing.is_empty()
    }

    /// The events still waited for.
    pub fn pending(&self) -> &BTreeSet<Event> {
        &self.missing
    }

    /// The events that came, in the order they came.
    pub fn done(&self) -> &[Event] {
        &self.done
    }
}

/// Where an action stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Waits for an event.
    Blocked,
    /// Has nothing left to wait for, and is not in the queue.
    Runnable,
    /// Was handed to the queue and not started.
    Queued,
    /// Was started.
    InFlight,
    /// Ended well.
    Completed,
    /// Ended with an error.
    Failed,
    /// Was in flight when the executor stopped waiting for it.
    Abandoned,
}

/// What can happen to an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Its last wanted event came, or its gate opened.
    Satisfy,
    /// It was handed to the queue.
    Enqueue,
    /// The queue refused it or gave it back.
    HandBack,
    /// A worker took it.
    Start,
    /// It ended well.
    Complete,
    /// It ended with an error.
    Fail,
    /// The executor stopped waiting for it.
    Abandon,
}

impl State {
    /// The state after the step, or `None` when the step cannot happen in this state.
    pub fn after(self, step: Step) -> Option<State> {
        match (self, step) {
            (State::Blocked, Step::Satisfy) => Some(State::Runnable),
            (State::Runnable, Step::Enqueue) => Some(State::Queued),
            (State::Queued, Step::HandBack) => Some(State::Runnable),
            (State::Queued, Step::Start) => Some(State::InFlight),
            (State::InFlight, Step::Complete) => Some(State::Completed),
            (State::InFlight, Step::Fail) => Some(State::Failed),
            (State::InFlight, Step::Abandon) => Some(State::Abandoned),
            (
                State::Blocked,
                Step::Enqueue | Step::HandBack | Step::Start | Step::Complete | Step::Fail | Step::Abandon,
            )
            | (
                State::Runnable,
                Step::Satisfy | Step::HandBack | Step::Start | Step::Complete | Step::Fail | Step::Abandon,
            )
            | (State::Queued, Step::Satisfy | Step::Enqueue | Step::Complete | Step::Fail | Step::Abandon)
            | (State::InFlight, Step::Satisfy | Step::Enqueue | Step::HandBack | Step::Start)
            | (State::Completed | State::Failed | State::Abandoned, _) => None,
        }
    }
}

/// Names one action of a run: its place in the list, and its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ActionRef {
    /// Its place in the list; dynamically added actions follow.
    pub index: u32,
    /// Its name.
    pub name: Arc<str>,
}

impl std::fmt::Display for ActionRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

/// One accepted signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// The event.
    pub event: Event,
    /// The event as text, shared by all who wait for it.
    pub label: Arc<str>,
    /// Who accepted it.
    pub to: ActionRef,
}

/// The action and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    /// Which action.
    pub action: ActionRef,
    /// Where it stands.
    pub state: State,
    /// What it waits for.
    pub wait: WaitState,
    /// Its readiness is decided by a gate of its own, not by its wants alone.
    pub gated: bool,
}

#[derive(Clone, Debug)]
struct Waiters {
    label: Arc<str>,
    indices: Vec<u32>,
}

/// All actions of a run, and the index from events to those who wait for them.
#[derive(Clone, Debug, Default)]
pub struct Model {
    nodes: Vec<Node>,
    waiters: BTreeMap<Event, Waiters>,
    emitted: BTreeSet<Event>,
    ended: Vec<u32>,
}

impl Model {
    /// A model without actions.
    pub fn new() -> Self {
        Model::default()
    }

    /// Adds an action; events that were already signalled count as come.
    pub fn add(&mut self, name: Arc<str>, wants: &BTreeSet<Event>, gated: bool) -> ActionRef {
        let index = u32::try_from(self.nodes.len()).expect("a graph has fewer than 2^32 actions");
        let missing: BTreeSet<Event> = wants.difference(&self.emitted).cloned().collect();
        for event in &missing {
            let waiters = self.waiters.entry(event.clone());
            let label = || Waiters { label: event.to_string().into(), indices: Vec::new() };
            waiters.or_insert_with(label).indices.push(index);
        }
        let action = ActionRef { index, name };
        let state = if missing.is_empty() && !gated { State::Runnable } else { State::Blocked };
        let wait = WaitState { missing, done: Vec::new() };
        self.nodes.push(Node { action: action.clone(), state, wait, gated });
        action
    }

    /// Applies the step if it can happen; false, and no change, otherwise.
    pub fn apply(&mut self, index: u32, step: Step) -> bool {
        let node = &mut self.nodes[index as usize];
        let Some(state) = node.state.after(step) else { return false };
        node.state = state;
        if matches!(state, State::Completed | State::Failed) {
            self.ended.push(index);
        }
        true
    }

    /// Signals the events, in order, to everyone who waits for them; those left with nothing to wait for become
    /// runnable. The cost is the number of waiters.
    pub fn signal(&mut self, events: &[Event]) -> Vec<Signal> {
        let mut accepted = Vec::new();
        for event in events {
            self.emitted.insert(event.clone());
            let Some(waiters) = self.waiters.remove(event) else { continue };
            for index in waiters.indices {
                let node = &mut self.nodes[index as usize];
                if !matches!(node.state, State::Blocked | State::Runnable) || !node.wait.signal(event) {
                    continue;
                }
                let label = Arc::clone(&waiters.label);
                accepted.push(Signal { event: event.clone(), label, to: node.action.clone() });
                if !node.gated && node.wait.can_run() {
                    node.state = node.state.after(Step::Satisfy).unwrap_or(node.state);
                }
            }
        }
        accepted
    }

    /// Asks the gate of every blocked action that has one.
    pub fn open_gates(&mut self, is_open: impl Fn(u32, &BTreeSet<Event>) -> bool) {
        for node in self.nodes.iter_mut().filter(|node| node.gated && node.state == State::Blocked) {
            if is_open(node.action.index, node.wait.pending()) {
                node.state = node.state.after(Step::Satisfy).unwrap_or(node.state);
            }
        }
    }

    /// Counts the action as completed by an earlier run that emitted these events.
    pub fn restore(&mut self, index: u32, events: &[Event]) {
        self.nodes[index as usize].state = State::Completed;
        self.ended.push(index);
        self.signal(events);
    }

    /// The actions in a state, in list order.
    pub fn in_state(&self, state: State) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(move |node| node.state == state)
    }

    /// One action.
    ///
    /// # Panics
    /// When the index is not of this model.
    pub fn node(&self, index: u32) -> &Node {
        &self.nodes[index as usize]
    }

    /// All actions, in list order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The actions that ended, completed or failed, in the order they ended.
    pub fn ended(&self) -> &[u32] {
        &self.ended
    }

    /// Every event that was signalled so far.
    pub fn emitted(&self) -> &BTreeSet<Event> {
        &self.emitted
    }
}
