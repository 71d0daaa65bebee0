//! Blocking work: in a simulation a task with a modelled duration, outside tokio's blocking pool.

use super::handle::JoinHandle;
use super::spawn::try_spawn;
use crate::choice::{Label, Weights};
use crate::runtime::current;
use crate::runtime::tasks::TaskName;
use std::time::Duration;

const SITE: Label = Label::new("task.blocking");
/// How long blocking work takes, the least first.
const DURATIONS_MS: [u64; 4] = [1, 5, 25, 125];

/// Runs blocking work. In a simulation it takes 1, 5, 25 or 125 ms of virtual time, by choice, and then runs at once.
///
/// # Panics
/// Outside a simulation without the cargo feature `tokio`, or outside a tokio runtime with it.
#[track_caller]
pub fn spawn_blocking<F, T>(work: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    if !current::is_simulated() {
        return elsewhere(work);
    }
    let modelled = async move {
        let weights = Weights::Rare { one_in: 1, of: 2 };
        let choice = current::with(|world| world.choose(SITE, "", DURATIONS_MS.len() as u64, weights));
        crate::time::sleep(Duration::from_millis(DURATIONS_MS[choice as usize])).await;
        work()
    };
    match try_spawn(TaskName::Type(|| "blocking"), modelled) {
        Ok(handle) => handle,
        Err(_) => unreachable!("a simulation is running"),
    }
}

#[cfg(feature = "tokio")]
#[track_caller]
fn elsewhere<F, T>(work: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    JoinHandle::tokio(tokio::task::spawn_blocking(work))
}

#[cfg(not(feature = "tokio"))]
#[track_caller]
fn elsewhere<F, T>(_work: F) -> JoinHandle<T> {
    current::outside("fatum::task::spawn_blocking")
}
