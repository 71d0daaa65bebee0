//! What the collector decided, and on what grounds, as records: for stories. It judges nothing.

use super::model::Owner;
use crate::store::Key;
use crate::trace::{Record, Value};

/// A decision.
#[derive(Clone, Debug)]
pub(super) enum CollectorEvent {
    /// An owner of a dependent is not there under its uid; what was found under its name, and whether it lives all the
    /// same.
    Judged { dependent: Key, version: u64, owner: Owner, found: String, lives: bool },
    /// A dependent was not judged, as no deletion of an owner of it was heard of.
    NoNews { dependent: Key },
    /// So many dependents must go before their owner.
    Foreground { owner: Key, dependents: u64 },
    /// A dependent was left behind by its owner.
    Orphaned { dependent: Key, owner: Owner },
    /// The disk of an entry was not released, and why.
    NotReleased { entry: Key, error: String },
    /// A finalizer is about to be removed from an entry as it was read, and others are left.
    RemovesFinalizer { entry: Key, version: u64, finalizer: String, left: String },
}

impl Record for CollectorEvent {
    fn name(&self) -> &'static str {
        match self {
            CollectorEvent::Judged { lives: true, .. } => "collector.owner-lives",
            CollectorEvent::Judged { lives: false, .. } => "collector.owner-gone",
            CollectorEvent::NoNews { .. } => "collector.no-news-of-owners",
            CollectorEvent::Foreground { .. } => "collector.before-the-owner",
            CollectorEvent::Orphaned { .. } => "collector.left-behind",
            CollectorEvent::NotReleased { .. } => "collector.not-released",
            CollectorEvent::RemovesFinalizer { .. } => "collector.removes-finalizer",
        }
    }

    fn fields(&self, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        match self {
            CollectorEvent::NoNews { dependent } => visit("dependent", Value::Str(&dependent.to_string())),
            CollectorEvent::Judged { dependent, version, owner, found, lives: _ } => {
                visit("dependent", Value::Str(&dependent.to_string()));
                visit("version", Value::U64(*version));
                visit("owner", Value::Str(&format!("{} (uid {})", owner.name, owner.uid)));
                visit("found", Value::Str(found));
            }
            CollectorEvent::Foreground { owner, dependents } => {
                visit("owner", Value::Str(&owner.to_string()));
                visit("dependents", Value::U64(*dependents));
            }
            CollectorEvent::Orphaned { dependent, owner } => {
                visit("dependent", Value::Str(&dependent.to_string()));
                visit("owner", Value::Str(&format!("{} (uid {})", owner.name, owner.uid)));
            }
            CollectorEvent::NotReleased { entry, error } => {
                visit("entry", Value::Str(&entry.to_string()));
                visit("error", Value::Str(error));
            }
            CollectorEvent::RemovesFinalizer { entry, version, finalizer, left } => {
                visit("entry", Value::Str(&entry.to_string()));
                visit("version", Value::U64(*version));
                visit("finalizer", Value::Str(finalizer));
                visit("left", Value::Str(left));
            }
        }
    }
}
