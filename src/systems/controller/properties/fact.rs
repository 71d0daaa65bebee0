//! What a workload knows about the world outside, as records: without them no fold can say what a controller should
//! have done. Separate from the controller's own events, which the engine emits.

use std::sync::Arc;

use crate::trace::{Record, Value};

/// Something that is true of an entry. `key` is the text of the request that it makes. A version is told apart from the
/// one before it; 0 is that of an entry that is gone.
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
    /// A reconcile of the entry read this version; it counts when that reconcile ends well.
    Read {
        /// The entry.
        key: Arc<str>,
        /// The version that was read.
        version: u64,
    },
}

impl Record for Fact {
    fn name(&self) -> &'static str {
        match self {
            Fact::Changed { .. } => "fact.changed",
            Fact::Written { .. } => "fact.written",
            Fact::Read { .. } => "fact.read",
        }
    }

    fn fields(&self, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        let (Fact::Changed { key, version } | Fact::Written { key, version } | Fact::Read { key, version }) =
            self;
        visit("key", Value::Str(key));
        visit("version", Value::U64(*version));
    }
}
