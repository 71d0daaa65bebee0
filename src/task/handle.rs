//! Handles of tasks: small ids into a world, `Send`, that release on drop and outlive their world safely.

use crate::runtime::current::{self, Message};
use crate::runtime::panics;
use crate::runtime::tasks::{Joining, TaskId};
use crate::runtime::wait::{self, Report};
use crate::runtime::waker::WakeId;
use std::any::Any;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

/// Owns the right to a task's output. Dropping it detaches the task.
pub struct JoinHandle<T> {
    inner: Inner<T>,
}

enum Inner<T> {
    Simulated {
        /// The task and its world, in one word.
        task: WakeId,
        /// Where it was spawned.
        place: &'static Location<'static>,
        type_: PhantomData<fn() -> T>,
    },
    /// The output was taken, or there never was a task.
    Dead,
    #[cfg(feature = "tokio")]
    Tokio {
        handle: tokio::task::JoinHandle<T>,
        /// Where it was spawned.
        place: &'static Location<'static>,
    },
}

impl<T> JoinHandle<T> {
    #[inline]
    #[track_caller]
    pub(super) fn simulated(task: WakeId) -> JoinHandle<T> {
        JoinHandle { inner: Inner::Simulated { task, place: Location::caller(), type_: PhantomData } }
    }

    pub(super) fn dead() -> JoinHandle<T> {
        JoinHandle { inner: Inner::Dead }
    }

    #[cfg(feature = "tokio")]
    #[track_caller]
    pub(super) fn tokio(handle: tokio::task::JoinHandle<T>) -> JoinHandle<T> {
        JoinHandle { inner: Inner::Tokio { handle, place: Location::caller() } }
    }

    /// Asks the task to end; it is dropped at its next turn.
    pub fn abort(&self) {
        self.abort_handle().abort();
    }

    /// A handle that can abort the task and nothing else.
    pub fn abort_handle(&self) -> AbortHandle {
        match &self.inner {
            Inner::Simulated { task, .. } => AbortHandle { inner: Aborter::Simulated(*task) },
            Inner::Dead => AbortHandle { inner: Aborter::Dead },
            #[cfg(feature = "tokio")]
            Inner::Tokio { handle, .. } => AbortHandle { inner: Aborter::Tokio(handle.abort_handle()) },
        }
    }

    /// Whether the task has ended.
    pub fn is_finished(&self) -> bool {
        self.abort_handle().is_finished()
    }
}

impl<T: 'static> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.inner {
            Inner::Simulated { task, place, .. } => {
                let (task, mut output) = (*task, None);
                let joining = join(task, context.waker(), &mut output);
                if joining == Joining::Waits {
                    return Poll::Pending;
                }
                let joined = match output {
                    // Only a task that finished gives one.
                    Some(output) => Ok(output),
                    None => match failed(joining, task) {
                        Some(error) => Err(error),
                        None => {
                            wait_otherwise(joining, task, place, context.waker());
                            return Poll::Pending;
                        }
                    },
                };
                self.inner = Inner::Dead;
                Poll::Ready(joined)
            }
            Inner::Dead => Poll::Ready(Err(JoinError { cause: Cause::Cancelled })),
            #[cfg(feature = "tokio")]
            Inner::Tokio { place, .. } if current::is_simulated() => {
                elsewhere(place, "outside a simulation", Location::caller(), "inside one")
            }
            #[cfg(feature = "tokio")]
            Inner::Tokio { handle, .. } => Pin::new(handle).poll(context).map_err(JoinError::from_tokio),
        }
    }
}

/// How a join stands. Every type of output has a copy of what calls it, and shares this.
#[inline(never)]
fn join(task: WakeId, waker: &Waker, place: &mut dyn Any) -> Joining {
    current::try_with(|world| world.join(task, waker, place)).unwrap_or(Joining::Elsewhere)
}

/// The rarer ways to wait for a task that was spawned at `spawned`.
#[cold]
#[track_caller]
fn wait_otherwise(joining: Joining, task: WakeId, spawned: &Location<'_>, waker: &Waker) {
    let id = TaskId::of(task);
    match joining {
        Joining::Keeps => {
            // Wakers are the user's: cloned and dropped with no world borrowed.
            let waker = waker.clone();
            drop(current::with(|world| world.join_by(id.slot, waker)));
        }
        Joining::Reports => report(id, Location::caller()),
        Joining::Elsewhere => elsewhere(spawned, "in a simulation", Location::caller(), "outside it"),
        Joining::Finished | Joining::Cancelled | Joining::Panicked | Joining::Waits => {}
    }
}

/// Why a task has no output to give, where it has ended; of one that panicked, with what it left.
#[cold]
fn failed(joining: Joining, task: WakeId) -> Option<JoinError> {
    let cause = match joining {
        Joining::Cancelled => Cause::Cancelled,
        Joining::Panicked => Cause::Panicked(Mutex::new(current::with(|world| world.take_payload(task)))),
        Joining::Finished => unreachable!("a task that finished gives its handle the output"),
        Joining::Waits | Joining::Keeps | Joining::Reports | Joining::Elsewhere => return None,
    };
    Some(JoinError { cause })
}

#[cold]
fn report(id: TaskId, place: &'static Location<'static>) {
    wait::report(|| Report {
        operation: "task.join",
        resource: format!("the end of {}", current::with(|world| world.task_label(id.slot))),
        place,
        object: 0,
        joins: current::with(|world| Some(world.tasks.peek(id.slot).serial)),
        since: None,
    });
}

#[cold]
fn elsewhere(spawned: &Location<'_>, world: &str, awaited: &Location<'_>, other: &str) -> ! {
    panic!("a fatum JoinHandle of a task spawned at {spawned} {world} was awaited at {awaited} {other}")
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        if let Inner::Simulated { task, .. } = self.inner {
            current::send(task.epoch(), Message::Detach(TaskId::of(task)));
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").finish_non_exhaustive()
    }
}

/// Aborts a task; owns nothing.
#[derive(Clone, Debug)]
pub struct AbortHandle {
    inner: Aborter,
}

#[derive(Clone, Debug)]
enum Aborter {
    Simulated(WakeId),
    Dead,
    #[cfg(feature = "tokio")]
    Tokio(tokio::task::AbortHandle),
}

impl AbortHandle {
    /// Asks the task to end; it is dropped at its next turn.
    pub fn abort(&self) {
        match &self.inner {
            Aborter::Simulated(task) => current::send(task.epoch(), Message::Abort(TaskId::of(*task))),
            Aborter::Dead => {}
            #[cfg(feature = "tokio")]
            Aborter::Tokio(handle) => handle.abort(),
        }
    }

    /// Whether the task has ended. A task of a simulation that is not running has.
    pub fn is_finished(&self) -> bool {
        match &self.inner {
            Aborter::Simulated(task) => {
                let live = current::try_with(|world| {
                    world.epoch == task.epoch()
                        && world.tasks.get(TaskId::of(*task)).is_some_and(|task| task.live)
                });
                live != Some(true)
            }
            Aborter::Dead => true,
            #[cfg(feature = "tokio")]
            Aborter::Tokio(handle) => handle.is_finished(),
        }
    }
}

/// Why a task has no output.
pub struct JoinError {
    cause: Cause,
}

enum Cause {
    Cancelled,
    Panicked(Mutex<Box<dyn Any + Send>>),
}

impl JoinError {
    #[cfg(feature = "tokio")]
    fn from_tokio(error: tokio::task::JoinError) -> JoinError {
        match error.try_into_panic() {
            Ok(payload) => JoinError { cause: Cause::Panicked(Mutex::new(payload)) },
            Err(_) => JoinError { cause: Cause::Cancelled },
        }
    }

    /// Whether the task was aborted.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.cause, Cause::Cancelled)
    }

    /// Whether it panicked.
    pub fn is_panic(&self) -> bool {
        matches!(self.cause, Cause::Panicked(_))
    }

    /// What it panicked with.
    ///
    /// # Errors
    /// The error itself, when the task did not panic.
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send>, JoinError> {
        match self.cause {
            Cause::Panicked(payload) => {
                Ok(payload.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
            }
            Cause::Cancelled => Err(self),
        }
    }

    /// What it panicked with.
    ///
    /// # Panics
    /// When the task did not panic.
    pub fn into_panic(self) -> Box<dyn Any + Send> {
        match self.try_into_panic() {
            Ok(payload) => payload,
            Err(error) => panic!("the task did not panic: {error}"),
        }
    }

    fn said(&self) -> Option<String> {
        let Cause::Panicked(payload) = &self.cause else {
            return None;
        };
        let payload = payload.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Some(panics::message(&**payload))
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.said() {
            Some(message) => write!(f, "the task panicked: {message}"),
            None => f.write_str("the task was cancelled"),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinError({self})")
    }
}

impl std::error::Error for JoinError {}
