//! Workloads: reconcilers with the world that they act on, as scenarios run them and as users write their own.
//!
//! Each has a correct form and some with a planted bug. What all share stands in [`Stage`]; a workload says which kinds
//! of entries it has, which hosts run what, and what the actual state must be. It must not know scenario files.

mod ping_pong;
mod stage;
mod reconcilers;
mod garbage;
mod replicas;
pub mod gateway;

pub use garbage::{Act, Garbage};
pub use gateway::Gateway;
pub use reconcilers::Reconcilers;
pub use replicas::{Replicas, ReplicasEvent};
pub use stage::{Stage, USER, read};

use crate::sim::{Differential, Sim};
use crate::store::{Key, Store};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;

/// A reconciler and its world; `Self` is the table `[workload]` of a scenario file.
pub trait ControllerWorkload: DeserializeOwned + Send + Sync + 'static {
    /// The name of the system in files.
    const NAME: &'static str;
    /// What it is, in a sentence.
    const ABOUT: &'static str;
    /// A whole scenario file that works.
    const EXAMPLE: &'static str;
    /// The variants: the correct one first, then those with a planted bug.
    const VARIANTS: &'static [&'static str];
    /// The kinds of entries that controllers reconcile: their latest versions must be, by `eventual-consistency`, if
    /// the reconcilers say with [`read`] what they have read. Empty where they do not.
    const RECONCILED: &'static [&'static str];
    /// The kinds of entries that controllers write, and that the oracle judges.
    const ACTUAL: &'static [&'static str];
    /// The properties of its own, beside those of every controller.
    const PROPERTIES: &'static [&'static str];
    /// The places of its own that a sweep may be required to reach.
    const PLACES: &'static [&'static str];

    /// Takes a variant: one of [`ControllerWorkload::VARIANTS`].
    fn choose(&mut self, variant: &'static str);

    /// What of the fault-free run must be repeated.
    fn differential(&self) -> Differential;

    /// Puts hosts, controllers and the user's script into a world.
    fn set_up(&self, sim: &mut Sim, stage: &Stage);

    /// The entries of the kinds [`ControllerWorkload::ACTUAL`] that there must be, from what the store holds.
    fn desired(store: &Store) -> BTreeMap<Key, Value>;
}
