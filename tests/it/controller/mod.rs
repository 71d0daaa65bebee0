//! Tests of `systems::controller`: the acceptance tables of its specification, then what the port adds. Here: the items
//! and durations that they speak of.

mod world;
mod counting;
mod lost_wakeup;
mod stuck;
mod queue;
mod feed;
mod stage;
mod engine;
mod subscriptions;
mod triggers;
mod endings;
mod properties;
mod engine_bugs;
#[cfg(feature = "tokio")]
mod tokio;
mod busy;
mod delays;
mod limiter;
mod metrics;
mod model;
mod parallel;
mod planted;
mod workloads;
#[cfg(feature = "tokio")]
mod threads;

use fatum::systems::controller::Item;
use fatum::time::Duration;

pub(crate) use world::{simulate, simulate_seeded, simulate_under};

/// A piece of work that is its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Work(pub(crate) String);

impl Item for Work {
    type Key = String;

    fn key(&self) -> String {
        self.0.clone()
    }
}

pub(crate) fn work(name: impl ToString) -> Work {
    Work(name.to_string())
}

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
