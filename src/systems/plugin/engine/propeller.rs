//! The loop around rounds: reads a workflow, has a round over it, writes what changed by one conditional write. Only this
//! file knows the store. What it remembers of versions is lost in a crash, and after one it reads the present.

use super::round::{Next, RoundError};
use super::{Effects, Generation};
use crate::emit;
use crate::store::{Client, Entry, StoreError};
use crate::sync::CancellationToken;
use crate::systems::controller::{
    Context, Controller, ReconcileError, Reconciler, Request, RunError, Shutdown, StorePublisher, Topic,
    requeue_after,
};
use crate::systems::plugin::BoxFuture;
use crate::systems::plugin::enqueue::EnqueueOwner;
use crate::systems::plugin::finalizer::Metadata;
use crate::systems::plugin::model::NodePhase;
use crate::systems::plugin::record::{PluginEvent, RoundOutcome, digest};
use crate::systems::plugin::status::{WORKFLOW, Workflow, WorkflowStatus, wall_ns};
use crate::systems::plugin::variant::Variant;
use crate::systems::plugin::workflow::WorkflowSpec;
use crate::task::JoinSet;
use crate::time::{Duration, Instant};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The delay after the first failure, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How soon a view is looked at again that was too old, and how soon anything is, at the earliest.
const STALE_AGAIN: Duration = Duration::from_millis(200);
/// Doublings of the delay after rounds that were thrown away.
const DOUBLINGS_MAX: u32 = 6;

/// The versions that were written over: a view that shows one of them is too old for a round.
#[derive(Clone, Debug, Default)]
pub struct VersionCache {
    before: BTreeMap<String, u64>,
}

impl VersionCache {
    /// Notes that a write took the workflow of this name from one version to another; nothing if it did not.
    pub fn wrote(&mut self, name: &str, before: u64, after: u64) {
        if before != after {
            self.before.insert(name.to_owned(), before);
        }
    }

    /// Whether a view of this version is from before what was written.
    pub fn is_stale(&self, name: &str, version: u64) -> bool {
        self.before.get(name).is_some_and(|before| version <= *before)
    }

    /// Whether anything is known of a workflow.
    pub fn knows(&self, name: &str) -> bool {
        self.before.contains_key(name)
    }

    /// Forgets a workflow.
    pub fn evict(&mut self, name: &str) {
        self.before.remove(name);
    }
}

/// What came of handling a workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled {
    /// It is not there.
    Absent,
    /// The view was too old.
    Stale,
    /// The last round was thrown away, and it is too early for another. It is due after so long.
    Early(Duration),
    /// It is over.
    Over,
    /// The round changed nothing, and wrote nothing. It is due again after so long.
    Unchanged(Duration),
    /// The round was written. It is due again after so long.
    Written(Duration),
}

/// Why a workflow was not handled: it is to be handled again.
#[derive(Clone, Debug, thiserror::Error)]
pub enum HandleError {
    /// The store did not do it, or another write came first: the round is lost.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is stored is no workflow.
    #[error("{name} is no workflow: {message}")]
    Malformed {
        /// Its name.
        name: String,
        /// What is wrong.
        message: String,
    },
    /// The round came to nothing.
    #[error(transparent)]
    Round(#[from] RoundError),
}

/// A workflow as it is written.
#[derive(Serialize)]
struct Written<'a> {
    spec: &'a WorkflowSpec,
    metadata: &'a Metadata,
    status: &'a WorkflowStatus,
}

/// Handles workflows of a store. Clones are one.
#[derive(Clone)]
pub struct Propeller(Arc<Inner>);

struct Inner {
    effects: Effects,
    /// Sees what its cache holds.
    cached: Client,
    /// Sees the present, and writes.
    direct: Client,
    versions: Mutex<VersionCache>,
    /// Workflows whose last round was thrown away, and when they may have another: that the count was written is
    /// heard of at once, and must not use up the retries.
    resting: Mutex<BTreeMap<String, Instant>>,
    /// States that could not be written, which only `Variant::RoundAppliedTwice` keeps.
    unwritten: Mutex<BTreeMap<String, Next>>,
}

impl Propeller {
    /// An engine on this store that has seen nothing yet.
    pub fn new(effects: Effects, store: &Client) -> Propeller {
        let (cached, direct) = (store.clone(), store.consistent());
        let (versions, resting, unwritten) = (Mutex::default(), Mutex::default(), Mutex::default());
        Propeller(Arc::new(Inner { effects, cached, direct, versions, resting, unwritten }))
    }

    /// Handles workflows as they change or are asked for, so many at a time, until `token` is cancelled. Dropping the
    /// future ends it too.
    ///
    /// # Errors
    /// What ended the controller that it runs on.
    pub async fn run(
        &self,
        workers: u32,
        asked: EnqueueOwner,
        token: CancellationToken,
    ) -> Result<(), RunError> {
        let publisher = Arc::new(StorePublisher::new(self.0.cached.clone()));
        let builder = Controller::builder(publisher, self.clone()).workers(workers);
        let builder = builder.subscribe(Topic::all(WORKFLOW));
        let (controller, handle) = builder.backoff(BACKOFF.0, BACKOFF.1).expect("the backoff grows").build();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            loop {
                let names = asked.asked().await;
                handle.enqueue(names.into_iter().map(|name| Request::new(WORKFLOW, name))).await;
            }
        });
        controller.run(token, Shutdown::Drop).await
    }

    /// Reads a workflow, has one round over it, and writes what changed.
    ///
    /// # Errors
    /// The round is lost or came to nothing, and is to be repeated.
    pub async fn handle(&self, name: &str) -> Result<Handled, HandleError> {
        if let Some(left) = self.rests(name) {
            return Ok(Handled::Early(left));
        }
        let Some(entry) = self.read(name).await? else {
            self.versions().evict(name);
            return Ok(Handled::Absent);
        };
        if !self.has(Variant::NoVersionCache) && self.versions().is_stale(name, entry.version) {
            return Ok(Handled::Stale);
        }
        let malformed = |error: serde_json::Error| HandleError::Malformed {
            name: name.to_owned(),
            message: error.to_string(),
        };
        let mut workflow: Workflow = entry.parse().map_err(malformed)?;
        if self.is_over(&workflow) {
            self.versions().evict(name);
            return Ok(Handled::Over);
        }
        if let Some(Next { metadata, status }) = self.unwritten().remove(name) {
            (workflow.metadata, workflow.status) = (metadata, status);
        }
        self.round(name, &entry, &workflow).await
    }

    /// What a view shows, if it is known what is too old; else the present.
    async fn read(&self, name: &str) -> Result<Option<Entry>, StoreError> {
        let is_known = self.versions().knows(name) || self.has(Variant::NoVersionCache);
        let client = if is_known { &self.0.cached } else { &self.0.direct };
        client.entry((WORKFLOW, name)).await
    }

    async fn round(&self, name: &str, entry: &Entry, workflow: &Workflow) -> Result<Handled, HandleError> {
        let now_ns = wall_ns();
        let text: Arc<str> = Arc::from(name);
        if crate::is_simulated() {
            let (version, digest) = (entry.version, digest(workflow));
            emit(PluginEvent::RoundStarted { workflow: Arc::clone(&text), version, digest, now_ns });
        }
        let result = self.0.effects.round(workflow, now_ns).await;
        let outcome = match &result {
            Ok(next) if next.changes(workflow) => RoundOutcome::Changed,
            Ok(_) => RoundOutcome::Unchanged,
            Err(RoundError::Discarded { error, .. }) => RoundOutcome::Discarded(Arc::from(error.to_string())),
            Err(RoundError::Abort { error }) => RoundOutcome::AbortFailed(Arc::from(error.to_string())),
        };
        emit(PluginEvent::RoundEnded { workflow: text, outcome });
        match result {
            Ok(next) if !next.changes(workflow) && !is_to_vanish(&next) => {
                Ok(Handled::Unchanged(self.due(workflow, &next, now_ns)))
            }
            Ok(next) => {
                self.write(name, entry, workflow, &next).await?;
                Ok(Handled::Written(self.due(workflow, &next, now_ns)))
            }
            Err(RoundError::Discarded { error, next }) => {
                self.rest(name, next.status.failed_attempts);
                self.write(name, entry, workflow, &next).await?;
                Err(RoundError::Discarded { error, next }.into())
            }
            Err(error @ RoundError::Abort { .. }) => Err(error.into()),
        }
    }

    /// How long a workflow has to wait for its next round.
    fn rests(&self, name: &str) -> Option<Duration> {
        let mut resting = self.resting();
        let left = resting.get(name)?.saturating_duration_since(Instant::now());
        if left.is_zero() {
            resting.remove(name);
            return None;
        }
        Some(left)
    }

    fn rest(&self, name: &str, failed_attempts: u32) {
        let delay = BACKOFF.0 * 2u32.pow(failed_attempts.saturating_sub(1).min(DOUBLINGS_MAX));
        self.resting().insert(name.to_owned(), Instant::now() + delay.min(BACKOFF.1));
    }

    fn resting(&self) -> MutexGuard<'_, BTreeMap<String, Instant>> {
        self.0.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one write of a round. If it is not known to have been done, the next round reads the present.
    async fn write(
        &self,
        name: &str,
        entry: &Entry,
        workflow: &Workflow,
        next: &Next,
    ) -> Result<(), StoreError> {
        let direct = &self.0.direct;
        if is_to_vanish(next) {
            self.versions().evict(name);
            return direct.delete_at(entry.key.clone(), entry.version).await.map(drop);
        }
        let written = Written { spec: &workflow.spec, metadata: &next.metadata, status: &next.status };
        match direct.update(entry.key.clone(), entry.version, written).await {
            Ok(version) => {
                self.versions().wrote(name, entry.version, version);
                Ok(())
            }
            Err(error) => {
                self.versions().evict(name);
                if error.is_conflict() && self.has(Variant::RoundAppliedTwice) {
                    self.unwritten().insert(name.to_owned(), next.clone());
                }
                Err(error)
            }
        }
    }

    /// When a workflow is to be looked at again though nothing is heard of it.
    fn due(&self, workflow: &Workflow, next: &Next, now_ns: u64) -> Duration {
        let config = &self.0.effects.config;
        if config.generation == Generation::First {
            return config.resync;
        }
        let left = next.status.nodes.iter().filter_map(|(name, status)| {
            let node = workflow.spec.node(name)?;
            let limits = node.deadlines().or(config.deadlines);
            let running = status.phase == NodePhase::Running;
            let execution = status.attempt_began_ns.filter(|_| running && !limits.execution.is_zero());
            let active = status.queued_ns.filter(|_| status.phase.may_hold() && !limits.active.is_zero());
            let until = |then: u64, limit: Duration| {
                (Duration::from_nanos(then) + limit).saturating_sub(Duration::from_nanos(now_ns))
            };
            let execution = execution.map(|then| until(then, limits.execution));
            execution.into_iter().chain(active.map(|then| until(then, limits.active))).min()
        });
        left.min().map_or(config.resync, |left| left.max(STALE_AGAIN)).min(config.resync)
    }

    fn is_over(&self, workflow: &Workflow) -> bool {
        let metadata = &workflow.metadata;
        workflow.status.phase.is_terminal()
            && metadata.is_completed()
            && !metadata.is_held()
            && !metadata.deleting
    }

    fn has(&self, variant: Variant) -> bool {
        self.0.effects.config.variant == variant
    }

    fn versions(&self) -> MutexGuard<'_, VersionCache> {
        self.0.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unwritten(&self) -> MutexGuard<'_, BTreeMap<String, Next>> {
        self.0.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A workflow that is to go and that nobody holds any more vanishes.
fn is_to_vanish(next: &Next) -> bool {
    next.metadata.deleting && !next.metadata.is_held()
}

impl Reconciler for Propeller {
    fn reconcile(&self, _: Context, request: Request) -> BoxFuture<'_, Result<(), ReconcileError>> {
        Box::pin(async move {
            match self.handle(&request.name).await {
                Ok(Handled::Absent | Handled::Over) => Ok(()),
                Ok(Handled::Stale) => Err(requeue_after(STALE_AGAIN)),
                Ok(Handled::Early(due) | Handled::Unchanged(due) | Handled::Written(due)) => {
                    Err(requeue_after(due))
                }
                Err(error) => Err(error.into()),
            }
        })
    }
}
