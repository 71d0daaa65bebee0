//! Synchronization, with the names and signatures of `tokio::sync`, in both worlds.
//!
//! Newtypes: the waiting is tokio's. In a simulation they add a scheduling point before each operation, say who
//! holds what, and report who waits on what, where and since when. Outside they are plain tokio, whatever the cargo
//! features. Part of the facade: it knows the runtime and no fault, property or system.
//!
//! Two things wake in an order that tokio draws from the operating system's entropy, and are therefore different
//! inside: a change of a [`watch`] channel and a [`Barrier`], which tokio builds on it.

mod operation;
mod site;
mod guard;
mod mutex;
mod rwlock;
mod notify;
mod semaphore;
mod barrier;
mod once_cell;
pub mod mpsc;
pub mod oneshot;
pub mod watch;
pub mod broadcast;
mod cancellation_token;
mod select;

/// Futures that have names.
pub mod futures {
    pub use super::notify::Notified;
}

pub use barrier::{Barrier, BarrierWaitResult};
pub use cancellation_token::{
    CancellationToken, DropGuard, DropGuardRef, WaitForCancellationFuture, WaitForCancellationFutureOwned,
};
pub use mutex::{Mutex, MutexGuard, OwnedMutexGuard};
pub use notify::Notify;
pub use once_cell::OnceCell;
pub use rwlock::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
#[doc(hidden)]
pub use select::select_start;
pub use semaphore::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
pub use tokio::sync::{AcquireError, SetError, TryAcquireError, TryLockError};
