//! What a running action is given: the environment, when to stop, and the run that it may add to. Separate so that
//! actions need not see the engine; it must not know how the run is scheduled.

use std::sync::Arc;

use crate::sync::CancellationToken;
use crate::time::Instant;

use super::action::{BoxFuture, SharedAction};
use super::model::ActionRef;
use super::queue::Closed;
use super::stop::Stop;
use super::variant::Variant;

/// Takes further actions into a run that is under way.
pub(crate) trait Grow<E: ?Sized>: Send + Sync {
    fn grow(&self, action: SharedAction<E>) -> BoxFuture<'_, Result<ActionRef, Closed<SharedAction<E>>>>;
}

/// What a running action is given.
pub struct Context<E: ?Sized> {
    env: Arc<E>,
    action: ActionRef,
    stop: Stop,
    run: Option<Arc<dyn Grow<E>>>,
    variant: Variant,
}

impl<E: ?Sized> Clone for Context<E> {
    fn clone(&self) -> Self {
        Context {
            env: Arc::clone(&self.env),
            action: self.action.clone(),
            stop: self.stop.clone(),
            run: self.run.clone(),
            variant: self.variant,
        }
    }
}

impl<E: ?Sized> Context<E> {
    pub(crate) fn new(
        env: Arc<E>,
        action: ActionRef,
        stop: Stop,
        run: Arc<dyn Grow<E>>,
        variant: Variant,
    ) -> Self {
        Context { env, action, stop, run: Some(run), variant }
    }

    /// A context outside any run, to call an action by itself.
    pub fn detached(env: Arc<E>, stop: Stop) -> Self {
        let action = ActionRef { index: 0, name: "detached".into() };
        Context { env, action, stop, run: None, variant: Variant::Correct }
    }

    /// The same context with a planted bug for the actions that have one.
    #[doc(hidden)]
    #[must_use]
    pub fn with_variant(self, variant: Variant) -> Self {
        Context { variant, ..self }
    }

    /// The environment.
    pub fn env(&self) -> &E {
        &self.env
    }

    /// Which action this is.
    pub fn action(&self) -> &ActionRef {
        &self.action
    }

    /// The token that is cancelled when the action should give up.
    pub fn token(&self) -> &CancellationToken {
        self.stop.token()
    }

    /// When the run's time is over.
    pub fn deadline(&self) -> Option<Instant> {
        self.stop.deadline()
    }

    /// The action should give up: it was cancelled or the run's time is over.
    pub fn is_cancelled(&self) -> bool {
        self.stop.due().is_some()
    }

    /// Waits until the action should give up.
    pub async fn cancelled(&self) {
        self.stop.wait().await;
    }

    /// Adds an action to the run; events that were already emitted count as come.
    ///
    /// # Errors
    /// Hands the action back when the run has stopped or there is none.
    pub async fn add(&self, action: SharedAction<E>) -> Result<ActionRef, Closed<SharedAction<E>>> {
        match &self.run {
            Some(run) => run.grow(action).await,
            None => Err(Closed(action)),
        }
    }

    pub(crate) fn variant(&self) -> Variant {
        self.variant
    }
}
