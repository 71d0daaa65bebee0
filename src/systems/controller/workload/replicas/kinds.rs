//! What the entries hold. Plain data; it must not know who writes it.

use crate::store::{Entry, Key};
use serde::{Deserialize, Serialize};

pub(super) const SET: &str = "set";
pub(super) const POD: &str = "pod";
pub(super) const STATUS: &str = "status";
/// What a leader notes of the pods that it has created, if it is asked to.
pub(super) const NOTE: &str = "note";
const LEASE: &str = "lease";
const EPOCH: &str = "epoch";
/// What the lease is about.
const LEADER: &str = "leader";

/// What a user asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Set {
    /// Tells it from an earlier set of the same name.
    pub(super) uid: u64,
    pub(super) count: u32,
    pub(super) template: u32,
}

/// One replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pod {
    pub(super) set: String,
    pub(super) uid: u64,
    pub(super) template: u32,
    pub(super) ready: bool,
}

/// What the leader knows of a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Status {
    pub(super) uid: u64,
    pub(super) template: u32,
    pub(super) ready: u32,
    pub(super) pods: Vec<String>,
}

/// Who leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lease {
    pub(super) holder: String,
    pub(super) epoch: u64,
    /// When it was renewed, by the wall clock of the holder. For people: clocks differ, and jump.
    pub(super) renewed_ms: u64,
}

/// The fence. Its version is what writes are checked against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Epoch {
    pub(super) holder: String,
    pub(super) epoch: u64,
}

pub(super) fn lease_key() -> Key {
    Key::new(LEASE, LEADER)
}

pub(super) fn epoch_key() -> Key {
    Key::new(EPOCH, LEADER)
}

pub(super) fn pod_name(set: &str, index: u32) -> String {
    format!("{set}-{index}")
}

/// The set that a pod's name speaks of, and its index in it.
pub(super) fn parts(pod: &str) -> Option<(&str, u32)> {
    let (set, index) = pod.rsplit_once('-')?;
    Some((set, index.parse().ok()?))
}

/// An entry and what it holds.
#[derive(Clone, Debug)]
pub(super) struct Held<T> {
    pub(super) key: Key,
    pub(super) version: u64,
    pub(super) value: T,
}

impl<T: serde::de::DeserializeOwned> Held<T> {
    /// Nothing but this workload writes these kinds, so a value that does not fit is a mistake of its own.
    pub(super) fn of(entry: &Entry) -> Held<T> {
        let value = entry.parse().unwrap_or_else(|error| panic!("{} is {}: {error}", entry.key, entry.value));
        Held { key: entry.key.clone(), version: entry.version, value }
    }
}

impl Held<Pod> {
    /// Its index in its set; names are made by [`pod_name`].
    pub(super) fn index(&self) -> u32 {
        parts(&self.key.name).map_or(u32::MAX, |(_, index)| index)
    }
}
