//! Traces: the ordered events of a run as plain data, the two digests that every run keeps, and the recorder.
//!
//! Digests are folded in every run; events are built only when a recorder or a property wants them. This module
//! does not know the runtime: `emit` lives beside the current world.

pub mod beside;
pub mod diff;
mod digest;
mod event;
pub mod jsonl;
pub mod perfetto;
pub mod text;

pub use digest::{CHECKPOINT_EVERY, Digests, Hasher};
pub(crate) use event::Labels;
pub use event::{Event, Field, Kind, Owned, Trace};

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// An unsigned number.
    U64(u64),
    /// A signed number.
    I64(i64),
    /// A yes or no.
    Bool(bool),
    /// A text.
    Str(&'a str),
    /// The number of something that a record with this key and a field `name` has named: people read the name.
    Key(u64),
}

/// Something that happened in the program under test, as data: what a system emits and properties fold over.
pub trait Record: std::fmt::Debug + 'static {
    /// A stable name, dotted: `graph.action.start`.
    fn name(&self) -> &'static str;

    /// Hands each field to `visit`, in a fixed order.
    fn fields(&self, visit: &mut dyn FnMut(&'static str, Value<'_>));
}
