//! Replicas: sets ask for pods, and one of several hosts, the leader, brings them about.
//!
//! | kind | written by | holds |
//! |---|---|---|
//! | `set` | the user | how many pods of which template; a uid, as a name may be used again |
//! | `pod` | the leader; its node makes it ready | the set and its uid, the template |
//! | `status` | the leader | what the leader knows of a set |
//! | `lease` | who leads | the holder and its epoch; renewed again and again |
//! | `epoch` | who becomes leader | the fence: written with each new epoch and never else |
//!
//! Everything that the leader writes is committed with three demands: the epoch is still its own, the set is still what
//! the decision was made from, and so are the pods that the decision rests on. So views may be old, hosts may stand
//! still, clocks may be wrong, and answers lost, and each pod is created and deleted exactly as often as without faults.
//! When a set is deleted its name lives on in its pods, and only the uid tells them from those of the next set.

mod kinds;
mod record;
mod variant;
mod elector;
mod pen;
mod plan;
mod reconciler;
mod leader;
mod node;
mod script;
mod oracle;
mod rules;

pub use record::ReplicasEvent;

use super::{ControllerWorkload, Stage};
use crate::sim::{Differential, Sim};
use crate::span::Span;
use crate::store::{Key, Store};
use kinds::{POD, SET, STATUS};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use variant::Variant;

/// The workload, as its table in a scenario file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Replicas {
    /// Hosts that may lead.
    hosts: Hosts,
    /// Workers of the controller.
    workers: u32,
    /// How long a lease is good without being renewed.
    lease: Span,
    /// A leader that could not renew for so long is none any more.
    deadline: Span,
    /// How often it renews.
    renew: Span,
    /// How often the others look.
    poll: Span,
    /// Every set is reconciled again after this.
    resync: Span,
    /// The user waits so long between two changes.
    pause: Span,
    /// The leader also notes each pod that it creates, in a write of its own: one more place to crash at.
    notes: bool,
    #[serde(skip)]
    variant: Variant,
}

/// How many hosts there are.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "u32")]
struct Hosts(u32);

impl TryFrom<u32> for Hosts {
    type Error = String;

    fn try_from(number: u32) -> Result<Hosts, String> {
        if (1..=8).contains(&number) {
            Ok(Hosts(number))
        } else {
            Err(format!("{number} is not from 1 to 8"))
        }
    }
}

impl Default for Replicas {
    fn default() -> Replicas {
        let seconds = |seconds| Span(Duration::from_secs(seconds));
        Replicas {
            hosts: Hosts(2),
            workers: 1,
            lease: seconds(15),
            deadline: seconds(10),
            renew: seconds(4),
            poll: seconds(3),
            resync: seconds(30),
            pause: seconds(5),
            notes: false,
            variant: Variant::Correct,
        }
    }
}

impl ControllerWorkload for Replicas {
    const NAME: &'static str = "replicas";
    const ABOUT: &'static str = "sets of pods, kept by whichever of several hosts holds the lease";
    const EXAMPLE: &'static str = include_str!("example.toml");
    const VARIANTS: &'static [&'static str] = &variant::NAMES;
    const RECONCILED: &'static [&'static str] = &[SET];
    const ACTUAL: &'static [&'static str] = &[POD, STATUS];
    const PROPERTIES: &'static [&'static str] = &rules::NAMES;
    const PLACES: &'static [&'static str] = &rules::PLACES;

    fn choose(&mut self, variant: &'static str) {
        self.variant = Variant::named(variant);
    }

    fn differential(&self) -> Differential {
        Differential::StateAndEffects
    }

    fn set_up(&self, sim: &mut Sim, stage: &Stage) {
        rules::install(sim, self.lease.0);
        node::install(sim, stage);
        for number in 0..self.hosts.0 {
            leader::install(sim, stage, self, number);
        }
        script::install(sim, stage, self.pause.0);
    }

    fn desired(store: &Store) -> BTreeMap<Key, Value> {
        oracle::desired(store)
    }
}
