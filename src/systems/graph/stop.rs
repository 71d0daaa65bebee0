//! When to stop: a token and an instant. Separate because the queue, the engine, the actions' contexts and the
//! wait for orphans all ask it; it must not know what stopping means to them.

use crate::sync::CancellationToken;
use crate::time::{Duration, Instant, sleep_until};

/// Why something stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopCause {
    /// The token was cancelled.
    Cancelled,
    /// The deadline passed.
    DeadlinePassed,
}

/// A token and a deadline; due as soon as either says so.
#[derive(Clone, Debug)]
pub struct Stop {
    token: CancellationToken,
    deadline: Option<Instant>,
}

impl Stop {
    /// Stops when the token is cancelled.
    pub fn on(token: CancellationToken) -> Self {
        Stop { token, deadline: None }
    }

    /// Never stops.
    pub fn never() -> Self {
        Stop::on(CancellationToken::new())
    }

    /// Stops at the deadline too; an earlier one already set stays.
    #[must_use]
    pub fn at(self, deadline: Option<Instant>) -> Self {
        let deadline = match (self.deadline, deadline) {
            (Some(mine), Some(other)) => Some(mine.min(other)),
            (mine, other) => mine.or(other),
        };
        Stop { deadline, ..self }
    }

    /// Stops after this time too; a time that no clock reaches is none.
    #[must_use]
    pub fn after(self, limit: Option<Duration>) -> Self {
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        self.at(deadline)
    }

    /// A stop that is due when this one is, and can be cancelled alone.
    pub fn child(&self) -> Self {
        Stop { token: self.token.child_token(), deadline: self.deadline }
    }

    /// Cancels its token.
    pub fn cancel(&self) {
        self.token.cancel();
    }

    /// Why it is due now, if it is; cancellation first.
    pub fn due(&self) -> Option<StopCause> {
        if self.token.is_cancelled() {
            return Some(StopCause::Cancelled);
        }
        let passed = self.deadline.is_some_and(|deadline| deadline <= Instant::now());
        passed.then_some(StopCause::DeadlinePassed)
    }

    /// Waits until it is due.
    pub async fn wait(&self) -> StopCause {
        if let Some(cause) = self.due() {
            return cause;
        }
        let Some(deadline) = self.deadline else {
            self.token.cancelled().await;
            return StopCause::Cancelled;
        };
        crate::select! {
            biased;
            () = self.token.cancelled() => StopCause::Cancelled,
            () = sleep_until(deadline) => StopCause::DeadlinePassed,
        }
    }

    /// The token.
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// The deadline.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }
}
