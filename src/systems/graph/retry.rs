//! Retrying: runs an inner action again for as long as a policy says so. Separate because retries happen inside one
//! run of an action, so the engine knows nothing of them; it must not know queues or strategies.

use std::collections::BTreeSet;

use crate::emit;
use crate::task::yield_point;
use crate::time::{Duration, sleep};

use super::action::{Action, ActionMetadata, ActionResult, BoxFuture, Gate, SharedAction};
use super::context::Context;
use super::error::ActionError;
use super::event::Event;
use super::record::{GraphEvent, nanos};
use super::variant::Variant;

/// The delay before the next attempt, from the error and the number of the attempt that failed (from 1); none to
/// give up.
pub type Policy = dyn Fn(&ActionError, u32) -> Option<Duration> + Send + Sync;

/// An action that is run again while the policy says so.
pub struct Retry<E: ?Sized> {
    inner: SharedAction<E>,
    policy: Box<Policy>,
}

impl<E: ?Sized> Retry<E> {
    /// Retries the inner action by this policy, which is asked once per failed attempt.
    pub fn new(
        inner: SharedAction<E>,
        policy: impl Fn(&ActionError, u32) -> Option<Duration> + Send + Sync + 'static,
    ) -> Self {
        Retry { inner, policy: Box::new(policy) }
    }

    /// The policy's answer; an action that was told to give up is not asked about.
    fn ask(&self, error: &ActionError, action: u32, attempt: u32) -> Option<Duration> {
        let delay = (self.policy)(error, attempt);
        emit(GraphEvent::PolicyAsked { action, attempt, delay_ns: delay.map(nanos) });
        delay
    }
}

impl<E: ?Sized + Send + Sync + 'static> Retry<E> {
    async fn attempts(&self, context: Context<E>) -> ActionResult {
        if context.is_cancelled() {
            return Err(ActionError::Cancelled);
        }
        let action = context.action().index;
        let mut attempt = 0;
        loop {
            attempt += 1;
            emit(GraphEvent::Attempt { action, attempt, cancelled: context.is_cancelled() });
            let error = match self.inner.run(context.clone()).await {
                Ok(events) => return Ok(events),
                Err(error) => error,
            };
            emit(GraphEvent::AttemptFailed { action, attempt });
            let Some(delay) = self.ask(&error, action, attempt) else {
                return match context.variant() {
                    Variant::RetrySwallowsError => Ok(self.inner.dry_run()),
                    _ => Err(retried(error, attempt, false)),
                };
            };
            if !wait(&context, delay).await {
                return Err(retried(error, attempt, true));
            }
        }
    }
}

/// Waits for the next attempt; false when the action should give up, which is looked at first and last.
async fn wait<E: ?Sized>(context: &Context<E>, delay: Duration) -> bool {
    if context.variant() == Variant::RetryAfterCancel {
        crate::select! {
            biased;
            () = sleep(delay) => return true,
            () = context.cancelled() => return false,
        }
    }
    crate::select! {
        biased;
        () = context.cancelled() => {}
        () = sleep(delay) => {}
    }
    yield_point("graph.retry").await;
    !context.is_cancelled()
}

fn retried(last: ActionError, attempts: u32, cancelled: bool) -> ActionError {
    ActionError::Retried { last: Box::new(last), attempts, cancelled }
}

impl<E: ?Sized + Send + Sync + 'static> Action<E> for Retry<E> {
    fn metadata(&self) -> &ActionMetadata {
        self.inner.metadata()
    }

    fn wants(&self) -> &BTreeSet<Event> {
        self.inner.wants()
    }

    fn run(&self, context: Context<E>) -> BoxFuture<'_, ActionResult> {
        Box::pin(self.attempts(context))
    }

    fn dry_run(&self) -> Vec<Event> {
        self.inner.dry_run()
    }

    fn gate(&self) -> Option<&dyn Gate> {
        self.inner.gate()
    }

    fn timeout(&self) -> Option<Duration> {
        self.inner.timeout()
    }

    fn priority(&self) -> i32 {
        self.inner.priority()
    }

    fn describe(&self) -> String {
        format!("{} with retry", self.inner.describe())
    }
}

/// Never tries again.
pub fn never(_: &ActionError, _: u32) -> Option<Duration> {
    None
}

/// Tries again after the same delay, for ever.
pub fn always(delay: Duration) -> impl Fn(&ActionError, u32) -> Option<Duration> + Send + Sync + 'static {
    move |_, _| Some(delay)
}

/// Tries again after a delay that doubles from `first` and never exceeds `delay_max`.
pub fn exponential(
    first: Duration,
    delay_max: Duration,
) -> impl Fn(&ActionError, u32) -> Option<Duration> + Send + Sync + 'static {
    move |_, attempt| {
        let doublings = attempt.saturating_sub(1).min(31);
        Some(first.saturating_mul(1 << doublings).min(delay_max))
    }
}

/// Gives up after so many attempts.
pub fn at_most(
    attempts_max: u32,
    policy: impl Fn(&ActionError, u32) -> Option<Duration> + Send + Sync + 'static,
) -> impl Fn(&ActionError, u32) -> Option<Duration> + Send + Sync + 'static {
    move |error, attempt| if attempt < attempts_max { policy(error, attempt) } else { None }
}

/// Never tries again after the action was cancelled or panicked.
pub fn unless_final(
    policy: impl Fn(&ActionError, u32) -> Option<Duration> + Send + Sync + 'static,
) -> impl Fn(&ActionError, u32) -> Option<Duration> + Send + Sync + 'static {
    move |error, attempt| if error.is_cancelled() { None } else { policy(error, attempt) }
}

/// Adds up to `percent` of the delay, by chance.
pub fn jittered(
    percent: u32,
    policy: impl Fn(&ActionError, u32) -> Option<Duration> + Send + Sync + 'static,
) -> impl Fn(&ActionError, u32) -> Option<Duration> + Send + Sync + 'static {
    move |error, attempt| {
        let delay = policy(error, attempt)?;
        let extra_max = nanos(delay).saturating_mul(u64::from(percent)) / 100;
        let extra = crate::rand::rng().below(extra_max.saturating_add(1));
        Some(delay.saturating_add(Duration::from_nanos(extra)))
    }
}
