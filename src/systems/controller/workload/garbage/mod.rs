//! Garbage: databases own volumes, backups and secrets, and a collector deletes what has no living owner.
//!
//! Entries have uids, references to their owners by name and uid, finalizers, and a mark that their deletion was asked
//! for. The disk of a volume is in a cloud outside the store and must be released before its volume goes.

mod caches;
mod cloud;
mod collector;
mod model;
mod oracle;
mod record;
mod rules;
mod script;
mod variant;

pub use script::Act;

use self::cloud::Cloud;
use self::collector::{Collector, Settings};
use self::script::User;
use self::variant::Variant;
use super::{ControllerWorkload, Stage, USER};
use crate::sim::{Differential, Sim};
use crate::span::Span;
use crate::store::{Key, Store};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The host of the collector.
const COLLECTOR: &str = "collector";

/// The workload.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Garbage {
    /// What the user does, in this order.
    pub acts: Vec<Act>,
    /// How often each entry is looked at though nothing was heard of it.
    pub resync: Span,
    /// Whether the collector notes in the store what it releases: one write more for each disk.
    #[serde(default)]
    pub reports: bool,
    #[serde(skip)]
    variant: Variant,
}

impl ControllerWorkload for Garbage {
    const NAME: &'static str = "garbage";
    const ABOUT: &'static str =
        "a collector deletes what has no owner any more, and releases disks outside the store before that";
    const EXAMPLE: &'static str = include_str!("garbage.toml");
    const VARIANTS: &'static [&'static str] = Variant::NAMES;
    // An entry that is gone for good is in no snapshot: a deletion that was missed is never heard of, and need not be.
    const RECONCILED: &'static [&'static str] = &[];
    const ACTUAL: &'static [&'static str] = &model::OBJECTS;
    const PROPERTIES: &'static [&'static str] = rules::NAMES;
    const PLACES: &'static [&'static str] = &["released-twice", "shared-kept"];

    fn choose(&mut self, variant: &'static str) {
        self.variant = Variant::named(variant);
    }

    fn differential(&self) -> Differential {
        Differential::StateAndEffects
    }

    fn set_up(&self, sim: &mut Sim, stage: &Stage) {
        let cloud = Cloud::default();
        rules::install(sim, &cloud, COLLECTOR);
        let (variant, resync, reports) = (self.variant, self.resync.0, self.reports);
        let settings = Settings { cloud: cloud.clone(), variant, resync, reports };
        let store = stage.store().clone();
        let collector = move |_| Collector::new(settings.clone(), &store, COLLECTOR).run();
        sim.host(COLLECTOR).daemon().serve(collector);
        let (user, acts) = (User { stage: stage.clone(), cloud }, self.acts.clone());
        sim.host(USER).run(|_| async move { user.play(&acts).await });
    }

    fn desired(store: &Store) -> BTreeMap<Key, Value> {
        oracle::desired(store)
    }
}
