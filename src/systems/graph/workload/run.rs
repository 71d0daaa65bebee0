//! A whole workload: every step on one cloud, as a caller of the executor would run it. Separate because callers
//! cancel, give up and look at results; it must not reach into the engine.

use std::sync::Arc;

use crate::emit;
use crate::sync::CancellationToken;
use crate::task::spawn_named;
use crate::time::{Duration, sleep, timeout};

use super::generate::Step;
use super::{Cloud, Workload};
use crate::systems::graph::config::Config;
use crate::systems::graph::engine::Executor;
use crate::systems::graph::error::{InvalidConfig, RunError};
use crate::systems::graph::outcome::Outcome;
use crate::systems::graph::planner::PlanError;
use crate::systems::graph::record::GraphEvent;

/// Small waits after the patience is over.
const GRACE_WAITS: u32 = 16;

/// How one step ended.
#[derive(Clone, Debug)]
pub enum StepResult {
    /// Every action completed, or only blocked ones are left and that is allowed.
    Complete(Outcome),
    /// Some action did not complete.
    Incomplete(RunError),
    /// It could not be planned.
    Unplanned(Arc<PlanError>),
    /// It did not begin.
    Refused(InvalidConfig),
    /// It did not return in time, and was dropped.
    Overdue,
}

impl StepResult {
    /// Where every action stands, if the step returned that.
    pub fn outcome(&self) -> Option<&Outcome> {
        match self {
            StepResult::Complete(outcome) => Some(outcome),
            StepResult::Incomplete(error) => Some(&error.outcome),
            StepResult::Unplanned(_) | StepResult::Refused(_) | StepResult::Overdue => None,
        }
    }
}

/// How a workload ended.
#[derive(Clone, Debug)]
pub struct WorkloadResult {
    /// Each step that was begun, by name; none after one that is not complete.
    pub steps: Vec<(&'static str, StepResult)>,
    /// The cloud at the end.
    pub cloud: Arc<Cloud>,
}

impl WorkloadResult {
    /// Every step was begun and is complete.
    pub fn is_complete(&self) -> bool {
        self.steps.iter().all(|(_, result)| matches!(result, StepResult::Complete(_)))
    }
}

/// Runs all steps, one after the other, until one is not complete.
pub async fn run(workload: &Workload) -> WorkloadResult {
    let (cloud, cancel) = (Arc::new(Cloud::new()), CancellationToken::new());
    let canceller = workload.cancel_after.map(|after| {
        let cancel = cancel.clone();
        spawn_named("canceller", async move {
            sleep(after.0).await;
            cancel.cancel();
        })
    });
    let mut steps = Vec::new();
    for step in workload.steps() {
        let name = step.name;
        let result = run_step(workload, step, &cloud, &cancel).await;
        let goes_on = matches!(result, StepResult::Complete(_));
        steps.push((name, result));
        if !goes_on {
            break;
        }
    }
    if let Some(canceller) = canceller {
        canceller.abort();
        // Its end is awaited: nothing of a workload outlives it.
        let _ = canceller.await;
    }
    WorkloadResult { steps, cloud }
}

async fn run_step(
    workload: &Workload,
    step: Step,
    cloud: &Arc<Cloud>,
    cancel: &CancellationToken,
) -> StepResult {
    let config = workload.executor.config();
    let patience = workload.patience(&config);
    let actions = match workload.actions(step.work, cloud).await {
        Ok(actions) => actions,
        Err(error) => return StepResult::Unplanned(Arc::new(error)),
    };
    let executor = match Executor::new(config, actions) {
        Ok(executor) => executor,
        Err(refused) => return StepResult::Refused(refused),
    };
    let run = executor.run(Arc::clone(cloud), cancel);
    let Some(returned) = within(patience, run).await else {
        emit(GraphEvent::Overdue);
        return StepResult::Overdue;
    };
    let result = match returned {
        Ok(outcome) => StepResult::Complete(outcome),
        Err(error) => StepResult::Incomplete(error),
    };
    look(&result);
    if let StepResult::Incomplete(error) = &result
        && !error.orphans.is_empty()
    {
        if let Some(linger) = workload.linger {
            sleep(linger.0).await;
        }
        error.orphans.abort();
        look(&result);
    }
    result
}

/// Waits for the patience, and then as long again in small waits: a simulation may hold a task back past a few of the
/// next timers, and the caller's own must not be all of them.
async fn within<T>(patience: Option<Duration>, run: impl Future<Output = T>) -> Option<T> {
    let mut run = std::pin::pin!(run);
    let Some(patience) = patience else { return Some(run.await) };
    if let Ok(returned) = timeout(patience, &mut run).await {
        return Some(returned);
    }
    for _ in 0..GRACE_WAITS {
        if let Ok(returned) = timeout(patience / GRACE_WAITS, &mut run).await {
            return Some(returned);
        }
    }
    None
}

/// Notes the outcome as its owner sees it.
fn look(result: &StepResult) {
    if let Some(outcome) = result.outcome() {
        emit(GraphEvent::OutcomeRead { sets: Arc::new(outcome.indices()) });
    }
}

impl Workload {
    /// How long the caller waits for a run.
    fn patience(&self, config: &Config) -> Option<Duration> {
        let both = || {
            let limits = config.timeout?.saturating_add(config.orphan_timeout?);
            Some(limits.saturating_add(Duration::from_secs(1)))
        };
        self.overdue_after.map(|span| span.0).or_else(both)
    }
}
