//! What the entries of this world hold: objects with uids, owners and finalizers, and what the user has ordered. Data
//! only; it must not know who reads it.

use crate::store::{Entry, Key};
use serde::{Deserialize, Serialize};

/// The kind of owners.
pub(super) const DATABASE: &str = "database";
/// The kinds of dependents.
pub(super) const DEPENDENTS: [&str; 3] = ["backup", "secret", "volume"];
/// All kinds that the collector looks after.
pub(super) const OBJECTS: [&str; 4] = ["backup", "database", "secret", "volume"];
/// The kind in which the user notes what there should be; the collector never reads it.
pub(super) const ORDER: &str = "order";
/// The kind in which the collector notes what it cleaned up, if it is asked to.
pub(super) const REPORT: &str = "report";

/// The finalizer of an entry with a disk in the cloud, which the collector releases.
pub(super) const CLOUD: &str = "cloud";
/// The finalizer of an owner that goes after its dependents.
pub(super) const FOREGROUND: &str = "foreground";
/// The finalizer of an owner that leaves its dependents behind.
pub(super) const ORPHAN: &str = "orphan";
/// The finalizer that somebody else has put there and removes, not the collector.
pub(super) const HOLD: &str = "hold";

/// An owner or a dependent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Object {
    /// Tells it from others that had its name before, or will have.
    pub(super) uid: String,
    /// The databases that it depends on; it goes when the last of them is gone. Without any it stays.
    pub(super) owners: Vec<Owner>,
    /// Who must do something before it may go. The one who removes the last of them from an object whose deletion was
    /// asked for deletes it.
    pub(super) finalizers: Vec<String>,
    /// Its deletion was asked for.
    pub(super) deleting: bool,
}

/// A reference to a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owner {
    pub(super) name: String,
    pub(super) uid: String,
}

/// An object with the entry that holds it.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) entry: Entry,
    pub(super) object: Object,
}

/// What the user wants of one database, by its uid.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Order {
    /// Its name.
    pub(super) database: String,
    /// What depends on it.
    pub(super) parts: Vec<Part>,
    /// What is to become of it.
    pub(super) fate: Fate,
}

/// A dependent; its uid is its name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) finalizers: Vec<String>,
}

/// What is to become of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Fate {
    /// It stays.
    Keep,
    /// It goes, and with it what no other database keeps.
    Collect,
    /// It goes, and what depends on it stays.
    Orphan,
}

impl Object {
    pub(super) fn has_owner(&self, owner: &Owner) -> bool {
        self.owners.contains(owner)
    }

    /// It without one owner.
    pub(super) fn without_owner(&self, owner: &Owner) -> Object {
        let owners = self.owners.iter().filter(|other| *other != owner).cloned().collect();
        Object { owners, ..self.clone() }
    }

    /// It without one finalizer.
    pub(super) fn without_finalizer(&self, finalizer: &str) -> Object {
        let finalizers = self.finalizers.iter().filter(|other| *other != finalizer).cloned().collect();
        Object { finalizers, ..self.clone() }
    }
}

impl Held {
    /// The object of an entry, if it is one.
    pub(super) fn of(entry: Entry) -> Result<Held, serde_json::Error> {
        Ok(Held { object: entry.parse()?, entry })
    }

    pub(super) fn key(&self) -> Key {
        self.entry.key.clone()
    }

    /// A reference to it as owner.
    pub(super) fn as_owner(&self) -> Owner {
        Owner { name: self.entry.key.name.to_string(), uid: self.object.uid.clone() }
    }
}

impl Part {
    pub(super) fn new(kind: &str, name: &str, finalizers: &[&str]) -> Part {
        let finalizers = finalizers.iter().map(|finalizer| (*finalizer).to_owned()).collect();
        Part { kind: kind.to_owned(), name: name.to_owned(), finalizers }
    }

    pub(super) fn key(&self) -> Key {
        Key::new(self.kind.as_str(), self.name.as_str())
    }

    /// Its object, without owners yet.
    pub(super) fn object(&self) -> Object {
        Object { uid: self.name.clone(), finalizers: self.finalizers.clone(), ..Object::default() }
    }

    pub(super) fn has_disk(&self) -> bool {
        self.finalizers.iter().any(|finalizer| finalizer == CLOUD)
    }
}
