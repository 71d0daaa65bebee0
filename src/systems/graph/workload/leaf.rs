//! The action of a scenario: takes its time, ends as its behaviour says, changes the cloud. Separate because it is
//! where faults strike (`action.run`); it must not know who runs it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::fault::failpoint_on;
use crate::time::{Duration, sleep};

use super::cloud::{Cloud, CloudError};
use super::{Behaviour, Ends, Growth, RetrySpec};
use crate::systems::graph::action::{ActionBase, FnAction, SharedAction};
use crate::systems::graph::context::Context;
use crate::systems::graph::error::ActionError;
use crate::systems::graph::planner::Operation;
use crate::systems::graph::retry::{self, Policy, Retry};

impl Operation {
    fn apply(&self, cloud: &Cloud) -> Result<(), CloudError> {
        match self {
            Operation::Signal => Ok(()),
            Operation::Touch(id) => {
                cloud.touch(id);
                Ok(())
            }
            Operation::Create(resource) => cloud.create(resource),
            Operation::Update(resource) => cloud.update(resource),
            Operation::Delete(id) => cloud.delete(id),
        }
    }
}

/// What a leaf action is made of.
#[derive(Clone)]
pub struct Leaf {
    /// Its description.
    pub base: ActionBase,
    /// What it does.
    pub operation: Operation,
    /// How it behaves.
    pub behaviour: Behaviour,
}

/// A failure that a scenario asked for.
#[derive(Debug, thiserror::Error)]
#[error("failed as told")]
struct AsTold;

impl Leaf {
    /// The action, with its retries around it.
    pub fn build(self) -> SharedAction<Cloud> {
        let Leaf { mut base, operation, behaviour } = self;
        if let Some(limit) = behaviour.timeout {
            base = base.timeout(limit.0);
        }
        let retry = behaviour.retry.clone();
        let shared = Arc::new((operation, behaviour, AtomicU32::new(0)));
        let action: SharedAction<Cloud> = Arc::new(FnAction::emitting(base, move |context| {
            let shared = Arc::clone(&shared);
            async move {
                let (operation, behaviour, attempts) = &*shared;
                let attempt = attempts.fetch_add(1, Ordering::Relaxed);
                attempt_once(&context, operation, behaviour, attempt).await
            }
        }));
        match retry {
            None => action,
            Some(spec) => {
                let policy = spec.policy();
                Arc::new(Retry::new(action, move |error, attempt| policy(error, attempt)))
            }
        }
    }
}

async fn attempt_once(
    context: &Context<Cloud>,
    operation: &Operation,
    behaviour: &Behaviour,
    attempt: u32,
) -> Result<(), ActionError> {
    failpoint_on("action.run", &context.action().name).await.map_err(ActionError::new)?;
    pause(context, behaviour.duration.0, behaviour.ignores_cancel).await?;
    if attempt < behaviour.fails_first {
        return Err(ActionError::new(AsTold));
    }
    match behaviour.ends {
        Ends::Ok => operation.apply(context.env()).map_err(ActionError::new),
        Ends::Error => Err(ActionError::new(AsTold)),
        Ends::Hang => pause(context, Duration::MAX, behaviour.ignores_cancel).await,
        Ends::Panic => panic!("panicked as told"),
    }
}

/// Sleeps; for ever at the maximum.
async fn pause(
    context: &Context<Cloud>,
    duration: Duration,
    ignores_cancel: bool,
) -> Result<(), ActionError> {
    let asleep = async {
        match duration {
            Duration::ZERO => {}
            Duration::MAX => std::future::pending().await,
            duration => sleep(duration).await,
        }
    };
    if ignores_cancel {
        asleep.await;
        return Ok(());
    }
    crate::select! {
        biased;
        () = asleep => Ok(()),
        () = context.cancelled() => Err(ActionError::Cancelled),
    }
}

impl RetrySpec {
    /// The policy that the spec describes.
    fn policy(&self) -> Box<Policy> {
        let delay_max = self.delay_max.map_or(Duration::MAX, |span| span.0);
        let base: Box<Policy> = match self.growth {
            Growth::Constant => Box::new(retry::always(self.delay.0.min(delay_max))),
            Growth::Exponential => Box::new(retry::exponential(self.delay.0, delay_max)),
        };
        let attempts_max = self.attempts_max.unwrap_or(u32::MAX);
        let jittered: Box<Policy> = match self.jitter_percent {
            0 => base,
            percent => Box::new(retry::jittered(percent, base)),
        };
        let capped = move |error: &ActionError, attempt| Some(jittered(error, attempt)?.min(delay_max));
        Box::new(retry::unless_final(retry::at_most(attempts_max, capped)))
    }
}
