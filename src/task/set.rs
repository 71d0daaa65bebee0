//! A set of tasks. In a simulation, the order in which finished tasks leave it is a choice.

use super::handle::{AbortHandle, JoinError, JoinHandle};
use super::spawn::{spawn_as, spawn_local_as};
use crate::choice::{Label, Weights};
use crate::runtime::current;
use crate::runtime::tasks::TaskName;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

const LEAVE: Label = Label::new("task.join_set");

/// Tasks whose outputs are taken as they come. Dropping the set aborts what is left.
#[derive(Debug)]
pub struct JoinSet<T> {
    tasks: BTreeMap<u64, JoinHandle<T>>,
    key_next: u64,
    finished: Arc<Mutex<Finished>>,
}

#[derive(Debug, Default)]
struct Finished {
    keys: Vec<u64>,
    waker: Option<Waker>,
}

/// Tells the set that its task is over, however it ended.
struct Note {
    key: u64,
    finished: Arc<Mutex<Finished>>,
}

impl Drop for Note {
    fn drop(&mut self) {
        let waker = {
            let mut finished = self.finished.lock().unwrap_or_else(PoisonError::into_inner);
            finished.keys.push(self.key);
            finished.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T: 'static> JoinSet<T> {
    /// An empty set.
    pub fn new() -> JoinSet<T> {
        JoinSet { tasks: BTreeMap::new(), key_next: 0, finished: Arc::default() }
    }

    /// How many tasks are in the set, finished ones included.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Spawns a task into the set.
    ///
    /// # Panics
    /// As [`super::spawn`].
    #[track_caller]
    pub fn spawn<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        let note = self.note();
        let key = note.key;
        self.insert(key, spawn_as(TaskName::Type(std::any::type_name::<F>), noted(note, future)))
    }

    /// Spawns a task that need not be `Send`.
    ///
    /// # Panics
    /// As [`super::spawn_local`].
    #[track_caller]
    pub fn spawn_local<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        let note = self.note();
        let key = note.key;
        self.insert(key, spawn_local_as(TaskName::Type(std::any::type_name::<F>), noted(note, future)))
    }

    fn note(&mut self) -> Note {
        let key = self.key_next;
        self.key_next += 1;
        Note { key, finished: self.finished.clone() }
    }

    fn insert(&mut self, key: u64, handle: JoinHandle<T>) -> AbortHandle {
        let aborter = handle.abort_handle();
        self.tasks.insert(key, handle);
        aborter
    }

    /// The output of one task that has ended; `None` when the set is empty. Safe to cancel.
    pub async fn join_next(&mut self) -> Option<Result<T, JoinError>> {
        poll_fn(|context| self.poll_join_next(context)).await
    }

    /// As [`JoinSet::join_next`], without waiting: `None` also when no task has ended.
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        match self.poll_join_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(joined) => joined,
            Poll::Pending => None,
        }
    }

    /// As [`JoinSet::join_next`], by polling.
    pub fn poll_join_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        if self.tasks.is_empty() {
            return Poll::Ready(None);
        }
        let Some(key) = self.leaving(context) else {
            return Poll::Pending;
        };
        let handle = self.tasks.get_mut(&key).expect("a task leaves the set once");
        match Pin::new(handle).poll(context) {
            Poll::Ready(joined) => {
                self.tasks.remove(&key);
                Poll::Ready(Some(joined))
            }
            // Its future is gone but its end is not told yet: the handle will wake us.
            Poll::Pending => {
                self.finished.lock().unwrap_or_else(PoisonError::into_inner).keys.push(key);
                Poll::Pending
            }
        }
    }

    /// One of the tasks that are over.
    fn leaving(&self, context: &Context<'_>) -> Option<u64> {
        let count = self.finished.lock().unwrap_or_else(PoisonError::into_inner).keys.len();
        let choice = match count {
            0 | 1 => 0,
            _ => current::try_with(|world| world.choose(LEAVE, "", count as u64, Weights::Uniform))
                .unwrap_or(0),
        };
        let waker = context.waker().clone();
        let mut finished = self.finished.lock().unwrap_or_else(PoisonError::into_inner);
        if finished.keys.is_empty() {
            let old = finished.waker.replace(waker);
            drop(finished);
            drop(old);
            return None;
        }
        let index = (choice as usize).min(finished.keys.len() - 1);
        Some(finished.keys.remove(index))
    }

    /// Asks every task to end.
    pub fn abort_all(&mut self) {
        for handle in self.tasks.values() {
            handle.abort();
        }
    }

    /// Aborts every task and waits until all have ended.
    pub async fn shutdown(&mut self) {
        self.abort_all();
        while self.join_next().await.is_some() {}
    }

    /// Forgets the tasks, which go on.
    pub fn detach_all(&mut self) {
        self.tasks.clear();
        self.finished = Arc::default();
    }
}

impl<T: 'static> Default for JoinSet<T> {
    fn default() -> JoinSet<T> {
        JoinSet::new()
    }
}

impl<T> Drop for JoinSet<T> {
    fn drop(&mut self) {
        for handle in self.tasks.values() {
            handle.abort();
        }
    }
}

/// The future, which tells the set when it is over.
async fn noted<F: Future>(note: Note, future: F) -> F::Output {
    let _note = note;
    future.await
}
