//! What the collector decided, and on what grounds, as records: for stories. It judges nothing.

use super::model::Owner;
use crate::store::Key;
use crate::trace::{Record, Value};

/// A decision.
#[derive(Clone, Debug)]
pub(super) enum CollectorEvent {
    /// An owner of a dependent is not there under its uid; what was found under its name, and whether it lives all the
    /// same.
    Judged { dependent: Key, owner: Owner, found: String, lives: bool },
    /// So many dependents must go before their owner.
    Foreground { owner: Key, dependents: u64 },
    /// A dependent was left behind by its owner.
    Orphaned { dependent: Key, owner: Owner },
}

impl Record for CollectorEvent {
    fn name(&self) -> &'static str {
        match self {
            CollectorEvent::Judged { lives: true, .. } => "collector.owner-lives",
            CollectorEvent::Judged { lives: false, .. } => "collector.owner-gone",
            CollectorEvent::Foreground { .. } => "collector.before-the-owner",
            CollectorEvent::Orphaned { .. } => "collector.left-behind",
        }
    }

    fn fields(&self, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        match self {
            CollectorEvent::Judged { dependent, owner, found, lives: _ } => {
                visit("dependent", Value::Str(&dependent.to_string()));
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
        }
    }
}
