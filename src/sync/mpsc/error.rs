//! Errors of the channels: tokio's, and one that tokio has only with its timer.

pub use tokio::sync::mpsc::error::{SendError, TryRecvError, TrySendError};

/// Why a value was not sent in time; gives the value back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendTimeoutError<T> {
    /// The time was up while the channel was full.
    #[error("timed out waiting on send operation")]
    Timeout(T),
    /// There is no receiver.
    #[error("channel closed")]
    Closed(T),
}

impl<T> SendTimeoutError<T> {
    /// The value.
    pub fn into_inner(self) -> T {
        match self {
            SendTimeoutError::Timeout(value) | SendTimeoutError::Closed(value) => value,
        }
    }
}
