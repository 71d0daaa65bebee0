//! What an action is: an immutable description and an asynchronous run. Separate from the model, which owns the
//! waiting, and from the engine, which owns the running; it must not know workers, queues or strategies.

pub use crate::systems::BoxFuture;
use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use crate::time::Duration;

use super::context::Context;
use super::error::ActionError;
use super::event::{Event, Id};

/// The events of an action that ended well, or why it failed. A failure carries no events.
pub type ActionResult = Result<Vec<Event>, ActionError>;

/// An action that a run shares with its tasks.
pub type SharedAction<E> = Arc<dyn Action<E>>;

/// What kind of operation an action is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActionType {
    /// Makes a resource.
    Create,
    /// Removes a resource.
    Delete,
    /// Changes a resource in place.
    Update,
    /// Only signals.
    Meta,
    /// Anything else.
    Custom,
}

impl fmt::Display for ActionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ActionType::Create => "Create",
            ActionType::Delete => "Delete",
            ActionType::Update => "Update",
            ActionType::Meta => "Meta",
            ActionType::Custom => "Custom",
        })
    }
}

/// Says what an action is, for people and for traces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionMetadata {
    /// Its name, unique in the graph.
    pub name: Arc<str>,
    /// Its kind.
    pub kind: ActionType,
    /// One line about it.
    pub summary: Arc<str>,
}

/// Decides when an action can run, in place of "nothing is missing".
pub trait Gate: Send + Sync {
    /// True when the action may start although `missing` has not come, or although something else had to.
    fn can_run(&self, missing: &BTreeSet<Event>) -> bool;
}

impl<F: Fn(&BTreeSet<Event>) -> bool + Send + Sync> Gate for F {
    fn can_run(&self, missing: &BTreeSet<Event>) -> bool {
        self(missing)
    }
}

/// One step of a graph: waits for events, does something in an environment of type `E`, emits events.
pub trait Action<E: ?Sized>: Send + Sync {
    /// What it is.
    fn metadata(&self) -> &ActionMetadata;

    /// The events that it waits for.
    fn wants(&self) -> &BTreeSet<Event>;

    /// Does it. The future may be dropped at any await when the action has a timeout or the run aborts on stop.
    fn run(&self, context: Context<E>) -> BoxFuture<'_, ActionResult>;

    /// The events that a real run would emit, without doing anything.
    fn dry_run(&self) -> Vec<Event>;

    /// Its own rule of when it can run; asked again after every signal and before every queueing.
    fn gate(&self) -> Option<&dyn Gate> {
        None
    }

    /// How long it may run.
    fn timeout(&self) -> Option<Duration> {
        None
    }

    /// Higher starts earlier, where the run orders by priority.
    fn priority(&self) -> i32 {
        0
    }

    /// The text by which messages call it.
    fn describe(&self) -> String {
        self.metadata().name.to_string()
    }
}

/// What the action says that it would emit; its panic is its failure, not the caller's.
pub(crate) fn foretold<E: ?Sized>(action: &dyn Action<E>) -> ActionResult {
    let said = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| action.dry_run()));
    said.map_err(|payload| ActionError::panicked(&*payload))
}

/// The describing half of an action, to build others from.
#[derive(Clone)]
pub struct ActionBase {
    metadata: ActionMetadata,
    wants: BTreeSet<Event>,
    emits: Vec<Event>,
    gate: Option<Arc<dyn Gate>>,
    timeout: Option<Duration>,
    priority: i32,
}

impl ActionBase {
    /// A custom action that waits for nothing and emits nothing.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        let metadata = ActionMetadata { name: name.into(), kind: ActionType::Custom, summary: "".into() };
        ActionBase {
            metadata,
            wants: BTreeSet::new(),
            emits: Vec::new(),
            gate: None,
            timeout: None,
            priority: 0,
        }
    }

    /// Sets the kind.
    #[must_use]
    pub fn kind(mut self, kind: ActionType) -> Self {
        self.metadata.kind = kind;
        self
    }

    /// Sets the line about it.
    #[must_use]
    pub fn summary(mut self, summary: impl Into<Arc<str>>) -> Self {
        self.metadata.summary = summary.into();
        self
    }

    /// Waits for these events too; each once, however often it is listed.
    #[must_use]
    pub fn wants(mut self, events: impl IntoIterator<Item = Event>) -> Self {
        self.wants.extend(events);
        self
    }

    /// Emits these events too when it ends well.
    #[must_use]
    pub fn emits(mut self, events: impl IntoIterator<Item = Event>) -> Self {
        self.emits.extend(events);
        self
    }

    /// Decides by this rule when it can run.
    #[must_use]
    pub fn gate(mut self, gate: impl Gate + 'static) -> Self {
        self.gate = Some(Arc::new(gate));
        self
    }

    /// May run no longer than this.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets the priority; higher starts earlier.
    #[must_use]
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// The events it emits.
    pub fn emitted(&self) -> &[Event] {
        &self.emits
    }
}

type Run<E> = dyn Fn(Context<E>) -> BoxFuture<'static, ActionResult> + Send + Sync;

/// An action made from a description and a closure.
pub struct FnAction<E: ?Sized> {
    base: ActionBase,
    run: Box<Run<E>>,
}

impl<E: ?Sized> FnAction<E> {
    /// Runs the closure; what it returns is what the action emits.
    pub fn new<F, Fut>(base: ActionBase, run: F) -> Self
    where
        F: Fn(Context<E>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ActionResult> + Send + 'static,
    {
        FnAction { base, run: Box::new(move |context| Box::pin(run(context))) }
    }

    /// Runs the closure and, when it ends well, emits what the description says.
    pub fn emitting<F, Fut>(base: ActionBase, run: F) -> Self
    where
        F: Fn(Context<E>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), ActionError>> + Send + 'static,
    {
        let emits = base.emits.clone();
        FnAction::new(base, move |context| {
            let (done, emits) = (run(context), emits.clone());
            async move { done.await.map(|()| emits) }
        })
    }
}

impl<E: ?Sized> Action<E> for FnAction<E> {
    fn metadata(&self) -> &ActionMetadata {
        &self.base.metadata
    }

    fn wants(&self) -> &BTreeSet<Event> {
        &self.base.wants
    }

    fn run(&self, context: Context<E>) -> BoxFuture<'_, ActionResult> {
        (self.run)(context)
    }

    fn dry_run(&self) -> Vec<Event> {
        self.base.emits.clone()
    }

    fn gate(&self) -> Option<&dyn Gate> {
        self.base.gate.as_deref()
    }

    fn timeout(&self) -> Option<Duration> {
        self.base.timeout
    }

    fn priority(&self) -> i32 {
        self.base.priority
    }
}

/// States a fact at the start: always runnable, emits its one event, does nothing.
pub struct EventAction {
    metadata: ActionMetadata,
    wants: BTreeSet<Event>,
    event: Event,
}

impl EventAction {
    /// The resource exists already.
    pub fn exists(id: impl Into<Id>) -> Self {
        EventAction::new(Event::Exists(id.into()))
    }

    /// The resource does not exist.
    pub fn not_exists(id: impl Into<Id>) -> Self {
        EventAction::new(Event::NotExists(id.into()))
    }

    fn new(event: Event) -> Self {
        let name: Arc<str> = format!("EventAction([{event}])").into();
        let metadata = ActionMetadata { summary: Arc::clone(&name), name, kind: ActionType::Meta };
        EventAction { metadata, wants: BTreeSet::new(), event }
    }
}

impl<E: ?Sized> Action<E> for EventAction {
    fn metadata(&self) -> &ActionMetadata {
        &self.metadata
    }

    fn wants(&self) -> &BTreeSet<Event> {
        &self.wants
    }

    fn run(&self, _: Context<E>) -> BoxFuture<'_, ActionResult> {
        Box::pin(std::future::ready(Ok(vec![self.event.clone()])))
    }

    fn dry_run(&self) -> Vec<Event> {
        vec![self.event.clone()]
    }
}
