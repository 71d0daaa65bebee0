//! Queries of a service, several per attempt, each under a token. What became of each is in the custom state. It must not
//! know the engine.

use super::{parsed, query_job, recorder, stored, tell};
use crate::systems::plugin::BoxFuture;
use crate::systems::plugin::context::TaskContext;
use crate::systems::plugin::error::{SystemError, TaskError};
use crate::systems::plugin::events::{EventRecorder, OccurredAt, Recorded};
use crate::systems::plugin::executor::{Executor, ExecutorProperties, InitializationParameters};
use crate::systems::plugin::model::{TaskPhase, TaskStatus};
use crate::systems::plugin::outputs::LiteralMap;
use crate::systems::plugin::outside::{Lookaside, Queries, QueryStatus, Tokens};
use crate::systems::plugin::workflow::TaskTemplate;
use crate::time::{Duration, Instant};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// How far one query has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueryState {
    /// It has no token yet.
    NotStarted,
    /// It runs, under this command id.
    Running(u64),
    /// It is done.
    Succeeded,
    /// It failed.
    Failed,
}

#[derive(Default, Serialize, Deserialize)]
struct State {
    #[serde(default)]
    queries: Vec<QueryState>,
}

/// What the queries of a task come to: any that failed makes it retryable, all that succeeded make it so, and it runs as
/// soon as one does.
pub fn combine(queries: &[QueryState]) -> TaskPhase {
    if queries.contains(&QueryState::Failed) {
        return TaskPhase::RetryableFailure;
    }
    if queries.iter().all(|query| *query == QueryState::Succeeded) {
        return TaskPhase::Succeeded;
    }
    let is_begun = queries.iter().any(|query| *query != QueryState::NotStarted);
    if is_begun { TaskPhase::Running } else { TaskPhase::Queued }
}

/// How long what a query was seen to be is not looked at again.
pub const POLL_EVERY: Duration = Duration::from_secs(5);

/// What queries were seen to be, and when: looked at from many rounds, and not asked for in each. Lost in a crash.
#[derive(Debug, Default)]
struct PollCache(Mutex<BTreeMap<u64, (QueryStatus, Instant)>>);

impl PollCache {
    fn fresh(&self, id: u64, for_: Duration) -> Option<QueryStatus> {
        let (status, seen) = *self.seen().get(&id)?;
        (Instant::now().saturating_duration_since(seen) < for_).then_some(status)
    }

    fn keep(&self, id: u64, status: QueryStatus) {
        if status == QueryStatus::Running {
            self.seen().insert(id, (status, Instant::now()));
            return;
        }
        // What has ended is in the custom state from now on.
        self.forget(id);
    }

    fn forget(&self, id: u64) {
        self.seen().remove(&id);
    }

    fn seen(&self) -> MutexGuard<'_, BTreeMap<u64, (QueryStatus, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The executor.
pub struct Hive {
    id: String,
    service: Queries,
    tokens: Tokens,
    lookaside: Lookaside,
    polled: PollCache,
    poll_every: Duration,
    recorder: OnceLock<Arc<dyn EventRecorder>>,
}

impl Hive {
    /// An executor on this service.
    pub fn new(id: &str, service: Queries, tokens: Tokens, lookaside: Lookaside) -> Hive {
        let (polled, poll_every, recorder) = (PollCache::default(), POLL_EVERY, OnceLock::new());
        Hive { id: id.to_owned(), service, tokens, lookaside, polled, poll_every, recorder }
    }

    /// What a query was seen to be is looked at again after so long; zero is each time.
    #[must_use]
    pub fn polling_every(self, poll_every: Duration) -> Hive {
        Hive { poll_every, ..self }
    }

    async fn poll(&self, id: u64) -> Result<QueryStatus, SystemError> {
        if let Some(status) = self.polled.fresh(id, self.poll_every) {
            return Ok(status);
        }
        let status = self.service.status(id).await?;
        self.polled.keep(id, status);
        Ok(status)
    }

    fn recorder(&self) -> Result<&dyn EventRecorder, SystemError> {
        let none = || SystemError::new(format!("executor [{}] is not initialized", self.id));
        self.recorder.get().map(|recorder| &**recorder).ok_or_else(none)
    }

    async fn launch(
        &self,
        context: &TaskContext,
        template: &TaskTemplate,
    ) -> Result<TaskStatus, SystemError> {
        let count = usize::try_from(template.work.queries.unwrap_or(1).max(1)).unwrap_or(usize::MAX);
        let state = State { queries: vec![QueryState::NotStarted; count.min(100)] };
        let status = TaskStatus::QUEUED.with_state(stored(&state));
        self.told(context, status, &state).await
    }

    async fn look(&self, context: &TaskContext, template: &TaskTemplate) -> Result<TaskStatus, SystemError> {
        let mut state: State = parsed(context)?;
        if state.queries.is_empty() {
            state.queries.push(QueryState::NotStarted);
        }
        let before = state.queries.clone();
        for at in 0..state.queries.len() {
            state.queries[at] = self.advance(context, template, at, &state.queries[at]).await?;
        }
        let phase = combine(&state.queries);
        if phase == TaskPhase::RetryableFailure {
            self.release(context, state.queries.len()).await?;
        }
        let is_new_phase = context.phase != Some(phase.core());
        let version = match (is_new_phase, before == state.queries) {
            (true, _) => Default::default(),
            (false, true) => context.phase_version,
            (false, false) => context.phase_version.next(),
        };
        let mut status = TaskStatus::of(phase).with_phase_version(version).with_state(stored(&state));
        if phase == TaskPhase::RetryableFailure {
            status.err = Some(TaskError::user("QueryFailed", "a query failed"));
        }
        match is_new_phase {
            true => self.told(context, status, &state).await,
            false => Ok(status),
        }
    }

    /// Brings one query forward.
    async fn advance(
        &self,
        context: &TaskContext,
        template: &TaskTemplate,
        at: usize,
        query: &QueryState,
    ) -> Result<QueryState, SystemError> {
        let name = query_name(context, at);
        match query {
            QueryState::Succeeded | QueryState::Failed => Ok(query.clone()),
            QueryState::NotStarted => {
                if !self.tokens.allocate(context.namespace(), &name, &context.owner.name).await? {
                    return Ok(QueryState::NotStarted);
                }
                if let Some(id) = self.lookaside.get(&name) {
                    return Ok(QueryState::Running(id));
                }
                let id = self.service.launch(&name, query_job(context, template, at)).await?;
                self.lookaside.put(&name, id);
                Ok(QueryState::Running(id))
            }
            QueryState::Running(id) => {
                let next = match self.poll(*id).await? {
                    QueryStatus::Running => return Ok(query.clone()),
                    QueryStatus::Succeeded => QueryState::Succeeded,
                    QueryStatus::Failed | QueryStatus::Killed => QueryState::Failed,
                };
                self.tokens.release(context.namespace(), &name).await?;
                self.lookaside.remove(&name);
                Ok(next)
            }
        }
    }

    /// Kills what runs and gives the tokens back, also of queries whose start was not stored.
    async fn release(&self, context: &TaskContext, queries: usize) -> Result<(), SystemError> {
        for at in 0..queries {
            let name = query_name(context, at);
            self.lookaside.get(&name).into_iter().for_each(|id| self.polled.forget(id));
            self.service.kill(&name).await?;
            self.tokens.release(context.namespace(), &name).await?;
            self.lookaside.remove(&name);
        }
        Ok(())
    }

    async fn told(
        &self,
        context: &TaskContext,
        status: TaskStatus,
        state: &State,
    ) -> Result<TaskStatus, SystemError> {
        match tell(self.recorder()?, context, &status, OccurredAt::Status).await? {
            Recorded::Yes => Ok(status),
            Recorded::Conflict => {
                self.release(context, state.queries.len()).await?;
                let message = "the control plane says that the task has ended";
                Ok(TaskStatus::permanent_failure(TaskError::system("PhaseMismatch", message)))
            }
        }
    }
}

fn query_name(context: &TaskContext, at: usize) -> String {
    format!("{}-q{at}", context.generated_name)
}

impl Executor for Hive {
    fn id(&self) -> &str {
        &self.id
    }

    fn properties(&self) -> ExecutorProperties {
        ExecutorProperties { requires_finalizer: true, disable_node_level_caching: false }
    }

    fn initialize<'a>(
        &'a self,
        parameters: &'a InitializationParameters,
    ) -> BoxFuture<'a, Result<(), SystemError>> {
        Box::pin(async move {
            let _ = self.recorder.set(recorder(parameters)?);
            Ok(())
        })
    }

    fn start<'a>(
        &'a self,
        context: &'a TaskContext,
        template: &'a TaskTemplate,
        _: &'a LiteralMap,
    ) -> BoxFuture<'a, Result<TaskStatus, SystemError>> {
        Box::pin(self.launch(context, template))
    }

    fn check<'a>(
        &'a self,
        context: &'a TaskContext,
        template: &'a TaskTemplate,
    ) -> BoxFuture<'a, Result<TaskStatus, SystemError>> {
        Box::pin(self.look(context, template))
    }

    fn kill<'a>(&'a self, context: &'a TaskContext, _: &'a str) -> BoxFuture<'a, Result<(), SystemError>> {
        Box::pin(async move {
            let state: State = parsed(context)?;
            self.release(context, state.queries.len()).await
        })
    }
}
