//! What a workload knows about the world outside, as records: without them no fold can say what a controller should
//! have done. Separate from the controller's own events, which the engine emits.

use std::sync::Arc;

use crate::trace::{Record, Value};

/// Something that is true of an entry. `key` is the text of the request that it makes. A version is told apart from the
/// one before it; that of an entry that is gone is [`Fact::GONE`], for whoever deletes it and for whoever reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Somebody outside wrote the entry: it is to be reconciled at this version.
    Changed {
        /// The entry.
        key: Arc<str>,
        /// Its version now.
        version: u64,
    },
    /// A controller wrote the entry: it is to be reconciled at this version, and nobody outside asked for it.
    Written {
        /// The entry.
        key: Arc<str>,
        /// Its version now.
        version: u64,
    },
    /// The entry was deleted, at the version that was told just before: a controller that starts later need not hear of it.
    Gone {
        /// The entry.
        key: Arc<str>,
    },
    /// All that was said before is void: the store went back. What it holds now is said again.
    Restored,
    /// A reconcile of the entry read this version; it counts when that reconcile ends well.
    Read {
        /// The entry.
        key: Arc<str>,
        /// The version that was read.
        version: u64,
    },
}

impl Fact {
    /// The version of an entry that is gone. No entry has it.
    pub const GONE: u64 = 0;
}

impl Record for Fact {
    fn name(&self) -> &'static str {
        match self {
            Fact::Changed { .. } => "fact.changed",
            Fact::Written { .. } => "fact.written",
            Fact::Gone { .. } => "fact.gone",
            Fact::Restored => "fact.restored",
            Fact::Read { .. } => "fact.read",
        }
    }

    fn fields(&self, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        match self {
            Fact::Changed { key, version } | Fact::Written { key, version } | Fact::Read { key, version } => {
                visit("key", Value::Str(key));
                visit("version", Value::U64(*version));
            }
            Fact::Gone { key } => visit("key", Value::Str(key)),
            Fact::Restored => {}
        }
    }
}
