//! A pass, carried out: each task that the model names is built, run and awaited, one after the other. Separate from the
//! model so that a crash may fall between any two tasks; it must not know the store, and decides nothing itself.

use std::sync::Arc;

use crate::emit;
use crate::task::yield_point;

use super::definition::{ActivePlan, Metadata};
use super::error::Answer;
use super::model::{Options, Outcome, Pass, Run};
use super::record::PlanEvent;
use super::status::Timestamp;

pub use crate::systems::graph::action::BoxFuture;

/// Who runs the tasks of a pass.
pub trait Runner: Sync {
    /// Runs one task once. It may be run again in a later pass although it was done: it must be idempotent.
    fn run<'a>(&'a self, run: Run<'a>) -> BoxFuture<'a, Answer>;
}

/// One pass over a plan. The plan is not changed; what it came to is the outcome.
///
/// A plan that is terminal is returned as it is, and nothing is run. Dropping the future ends the pass after the task
/// that was begun; nothing that it had found out is kept, and the pass can be made again.
pub async fn execute(
    plan: &ActivePlan,
    metadata: &Metadata,
    runner: &dyn Runner,
    options: Options,
) -> Outcome {
    let instance: Arc<str> = Arc::from(metadata.instance.as_str());
    let input = Arc::new(plan.status.clone());
    emit(PlanEvent::PassStarted {
        instance: instance.clone(),
        spec: plan.spec.clone(),
        input: input.clone(),
    });
    let mut pass = Pass::new(plan, metadata, options, Timestamp::now());
    while let Some(run) = pass.next_task() {
        let place = Arc::new([run.phase.to_owned(), run.step.to_owned(), run.task.name.clone()]);
        emit(PlanEvent::TaskStarted { instance: instance.clone(), place: place.clone() });
        yield_point("plan.task").await;
        let answer = runner.run(run).await;
        let cause = cause(&answer);
        emit(PlanEvent::TaskAnswered { instance: instance.clone(), place, answer: answer.name(), cause });
        pass.answer(answer);
    }
    let outcome = pass.finish();
    emit(PlanEvent::PassFinished {
        instance,
        output: Arc::new(outcome.status.clone()),
        error: outcome.error.as_ref().map(ToString::to_string),
        input_kept: *input == plan.status,
    });
    outcome
}

fn cause(answer: &Answer) -> String {
    match answer {
        Answer::Done | Answer::Pending => String::new(),
        Answer::Transient(cause) | Answer::Unbuilt(cause) | Answer::Fatal { cause, .. } => cause.clone(),
        Answer::Failed(error) => error.to_string(),
    }
}
