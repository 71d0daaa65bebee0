//! What keeps a workflow in the store until everything outside is released. The finalizer can only be taken away with a
//! [`Proof`] that nothing is left, and only the walk over all nodes makes one. It must not know executors.

use crate::time::Duration;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The finalizer of the engine.
pub const FINALIZER: &str = "flyte-finalizer";
/// The label of workflows that are over.
pub const TERMINATION_STATUS: (&str, &str) = ("termination-status", "terminated");
/// The label that says in which hour a workflow was over, for those who collect them.
pub const HOUR_OF_DAY: &str = "hour-of-day";

const HOUR: u64 = 3600;

/// What protects a workflow, and whether it is to go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Who has to let go before it may vanish.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub finalizers: Vec<String>,
    /// Words about it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Its deletion was asked for: it vanishes when nobody holds it any more.
    #[serde(default, skip_serializing_if = "is_false")]
    pub deleting: bool,
}

fn is_false(value: &bool) -> bool {
    !*value
}

/// That nothing of a workflow is left outside, or that it was decided to give up on it.
#[derive(Debug)]
pub struct Proof(());

impl Proof {
    /// Only the walk over all nodes may say so.
    pub(super) fn nothing_left() -> Proof {
        Proof(())
    }
}

impl Metadata {
    /// Adds a finalizer if there is none at all.
    pub fn set_if_empty(&mut self, finalizer: &str) {
        if self.finalizers.is_empty() {
            self.finalizers.push(finalizer.to_owned());
        }
    }

    /// Takes all finalizers away.
    pub fn release(&mut self, _: &Proof) {
        self.finalizers.clear();
    }

    /// Whether somebody holds it.
    pub fn is_held(&self) -> bool {
        !self.finalizers.is_empty()
    }

    /// Labels it as over, at this time since the Unix epoch.
    pub fn set_completed(&mut self, now: Duration) {
        let (key, value) = TERMINATION_STATUS;
        self.labels.insert(key.to_owned(), value.to_owned());
        let hour = now.as_secs() / HOUR % 24;
        self.labels.entry(HOUR_OF_DAY.to_owned()).or_insert_with(|| hour.to_string());
    }

    /// Whether it is labelled as over.
    pub fn is_completed(&self) -> bool {
        let (key, value) = TERMINATION_STATUS;
        self.labels.get(key).is_some_and(|found| found == value)
    }
}
