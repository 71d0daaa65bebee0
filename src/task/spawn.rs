//! Spawning.

use super::handle::JoinHandle;
use super::point::mark_in;
use crate::choice::Label;
use crate::runtime::boxes::{Body, Boxed, box_taken};
use crate::runtime::current;
use crate::runtime::tasks::{NewTask, TaskName};
use crate::runtime::waker::WakeId;
use std::any::Any;
use std::future::Future;
use std::sync::Arc;

static SPAWN: Label = Label::new("task.spawn");

/// Spawns a task on the host of the running one; its name is that of the future's type.
///
/// # Panics
/// Outside a simulation without the cargo feature `tokio`, or outside a tokio runtime with it.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    spawn_as(TaskName::Type(std::any::type_name::<F>), future)
}

/// Spawns a task under a name that paths, tapes and stories use.
///
/// # Panics
/// As [`spawn`].
#[track_caller]
pub fn spawn_named<F>(name: impl Into<Arc<str>>, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    spawn_as(TaskName::Given(Box::new(name.into())), future)
}

/// Spawns a task that need not be `Send`. Outside a simulation it needs tokio's `LocalSet`.
///
/// # Panics
/// As [`spawn`], and outside a simulation and a `LocalSet`.
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    spawn_local_as(TaskName::Type(std::any::type_name::<F>), future)
}

#[track_caller]
pub(super) fn spawn_as<F>(name: TaskName, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    match try_spawn(name, future) {
        Ok(handle) => handle,
        Err(future) => elsewhere(future),
    }
}

#[track_caller]
pub(super) fn spawn_local_as<F>(name: TaskName, future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    match try_spawn(name, future) {
        Ok(handle) => handle,
        Err(future) => elsewhere_local(future),
    }
}

/// A simulated task, or the future back when no simulation runs.
#[track_caller]
pub(super) fn try_spawn<F>(name: TaskName, future: F) -> Result<JoinHandle<F::Output>, F>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let mut future = Some(future);
    match begin(name, &mut future, box_taken::<F>) {
        Begun::Task(task) => Ok(JoinHandle::simulated(task)),
        // The future is dropped here, with nothing borrowed.
        Begun::Refused => Ok(JoinHandle::dead()),
        Begun::Nowhere => Err(future.expect("where no world is, none took the future")),
    }
}

/// What became of a spawn.
enum Begun {
    Task(WakeId),
    /// The world takes no tasks any more.
    Refused,
    /// No world runs.
    Nowhere,
}

/// Spawns a child of the running task; its world and its id. One function for all types of future.
fn begin(name: TaskName, place: &mut dyn Any, boxes: fn(&mut dyn Any) -> Boxed) -> Begun {
    let begun = current::try_with(|world| {
        mark_in(world, &SPAWN, SPAWN.hash());
        let parent = world.running.map(|parent| world.tasks.peek(parent));
        let main = parent.is_none();
        let (host, daemon) = parent.map_or((0, false), |parent| (parent.host, parent.daemon));
        let new = NewTask { host, main, name, handle: true, required: false, daemon };
        world.spawn(new, Body { place, boxes }).map_or(Begun::Refused, Begun::Task)
    });
    begun.unwrap_or(Begun::Nowhere)
}

#[cfg(feature = "tokio")]
#[track_caller]
fn elsewhere<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    JoinHandle::tokio(tokio::task::spawn(future))
}

#[cfg(feature = "tokio")]
#[track_caller]
fn elsewhere_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    JoinHandle::tokio(tokio::task::spawn_local(future))
}

#[cfg(not(feature = "tokio"))]
#[track_caller]
fn elsewhere<F: Future>(_future: F) -> JoinHandle<F::Output> {
    current::outside("fatum::task::spawn")
}

#[cfg(not(feature = "tokio"))]
#[track_caller]
fn elsewhere_local<F: Future>(_future: F) -> JoinHandle<F::Output> {
    current::outside("fatum::task::spawn_local")
}
