//! The properties of this world: what may be deleted, in which order, and that no disk is forgotten. They read the store
//! and the cloud, and must not know what the collector thinks.

use super::cloud::{Cloud, CloudEvent};
use super::model::{CLOUD, DATABASE, DEPENDENTS, FOREGROUND, Held, OBJECTS, Object, Owner};
use crate::property::always;
use crate::sim::Sim;
use crate::store::{Key, Store, StoreEvent};
use std::collections::BTreeSet;

/// Their names.
pub(super) const NAMES: &[&str] = &["no-live-collected", "foreground-last", "no-leak"];

/// The records after which the disks and the entries may not fit any more.
const READS: [&str; 5] =
    ["cloud.created", "cloud.released", "store.created", "store.updated", "store.deleted"];

/// Installs them; `collector` is the client whose writes are judged.
pub(super) fn install(sim: &mut Sim, cloud: &Cloud, collector: &'static str) {
    let store = sim.store();
    let past = store.clone();
    sim.fold::<StoreEvent, _>("no-live-collected", (), move |(), _, event| {
        let (StoreEvent::Updated { key, index, writer } | StoreEvent::Deleted { key, index, writer }) = event
        else {
            return Ok(());
        };
        if **writer != *collector || !OBJECTS.contains(&&*key.kind) {
            return Ok(());
        }
        let Some(before) = before(&past, key, *index) else { return Ok(()) };
        let after = past.entry(key.clone()).and_then(|entry| Held::of(entry).ok());
        if DEPENDENTS.contains(&&*key.kind) && after.is_none_or(|after| after.object.deleting) {
            told("no-live-collected", may_go(&past, key, &before));
        }
        if matches!(event, StoreEvent::Deleted { .. }) {
            told("foreground-last", goes_last(&past, key, &before));
        }
        Ok(())
    });
    let past = store.clone();
    sim.fold::<CloudEvent, _>("no-live-collected", (), move |(), _, event| match event {
        CloudEvent::Released { disk } => needs_no_disk(&past, disk),
        CloudEvent::Created { .. } | CloudEvent::Missing { .. } => Ok(()),
    });
    let cloud = cloud.clone();
    sim.converges_reading("no-leak", &READS, move || no_leak(&store, &cloud));
}

fn told(property: &'static str, judged: Result<(), String>) {
    if let Err(detail) = judged {
        always(property, false, || detail);
    }
}

/// What an entry held before it was written at this index.
fn before(store: &Store, key: &Key, index: u64) -> Option<Object> {
    store.entry_at(key.clone(), index.checked_sub(1)?).ok()??.parse().ok()
}

/// Nobody may delete a dependent of an owner that lives, unless its deletion was asked for.
fn may_go(store: &Store, key: &Key, before: &Object) -> Result<(), String> {
    if before.deleting {
        return Ok(());
    }
    if before.owners.is_empty() {
        return Err(format!("{key} was deleted unasked, and has no owner that went"));
    }
    match before.owners.iter().find(|owner| lives(store, owner)) {
        None => Ok(()),
        Some(Owner { name, uid }) => {
            Err(format!("{key} was deleted and its owner {DATABASE}/{name} (uid {uid}) lives"))
        }
    }
}

fn lives(store: &Store, owner: &Owner) -> bool {
    let entry = store.entry((DATABASE, owner.name.as_str()));
    let object: Option<Object> = entry.and_then(|entry| entry.parse().ok());
    object.is_some_and(|object| object.uid == owner.uid && !object.deleting)
}

/// An owner that goes in the foreground goes after its dependents.
fn goes_last(store: &Store, key: &Key, before: &Object) -> Result<(), String> {
    if !before.finalizers.iter().any(|finalizer| finalizer == FOREGROUND) {
        return Ok(());
    }
    let owner = Owner { name: key.name.to_string(), uid: before.uid.clone() };
    match objects(store).find(|held| held.object.has_owner(&owner)) {
        None => Ok(()),
        Some(held) => Err(format!("{key} went before {}, which depends on it", held.entry.key)),
    }
}

/// Disks are released only of entries whose deletion was asked for.
fn needs_no_disk(store: &Store, disk: &str) -> Result<(), String> {
    match objects(store).find(|held| held.object.uid == *disk && !held.object.deleting) {
        None => Ok(()),
        Some(held) => Err(format!("the disk of {} was released, and nobody asked for that", held.entry.key)),
    }
}

/// Every disk has its entry, and every entry that stays has its disk.
fn no_leak(store: &Store, cloud: &Cloud) -> Result<(), String> {
    let has_disk = |held: &Held| held.object.finalizers.iter().any(|finalizer| finalizer == CLOUD);
    let (disks, holders) = (cloud.all(), objects(store).filter(has_disk).collect::<Vec<_>>());
    let known: BTreeSet<&String> = holders.iter().map(|held| &held.object.uid).collect();
    if let Some(disk) = disks.iter().find(|disk| !known.contains(disk)) {
        return Err(format!("disk {disk} is in the cloud, and no entry has it: nobody will release it"));
    }
    let missing = holders.iter().find(|held| !held.object.deleting && !disks.contains(&held.object.uid));
    match missing {
        None => Ok(()),
        Some(held) => Err(format!("{} has no disk any more", held.entry.key)),
    }
}

fn objects(store: &Store) -> impl Iterator<Item = Held> {
    let entries = DEPENDENTS.into_iter().flat_map(|kind| store.list(kind).entries);
    entries.filter_map(|entry| Held::of(entry).ok())
}
