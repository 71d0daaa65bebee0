//! Events and traces as owned, plain data.

use super::{Record, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One event of a trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Virtual time, in nanoseconds since the start of the run.
    pub at: u64,
    /// Path of the task that was running; `None` is the simulation itself.
    pub task: Option<Arc<str>>,
    /// What happened.
    pub kind: Kind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A task began.
    Spawned {
        /// Its path.
        path: Arc<str>,
    },
    /// The task was polled.
    Turn {
        /// Which of its turns, from 1.
        turn: u32,
        /// How many tasks were ready.
        ready: u32,
        /// The oldest ready task, when this turn overtook it.
        instead_of: Option<Arc<str>>,
    },
    /// A task ended.
    Ended {
        /// Its path.
        path: Arc<str>,
        /// `finished`, `cancelled` or `panicked`.
        how: &'static str,
    },
    /// A site was answered with something other than the baseline.
    Choice {
        /// The site's label.
        site: &'static str,
        /// Who asked.
        owner: String,
        /// Which of its questions, from 1.
        occurrence: u32,
        /// The answer.
        option: u64,
        /// Whether the site is a scheduling point, so that the answer is to let others run.
        yields: bool,
        /// The answer in words, for faults.
        meaning: Option<&'static str>,
        /// Source line of the operation, where it says.
        place: Option<String>,
    },
    /// The program under test emitted a record.
    Record {
        /// Its name.
        name: &'static str,
        /// Its fields.
        fields: Vec<Field>,
    },
    /// The program logged through `tracing`. Not part of the digest: no subscriber listens in a sweep.
    Log {
        /// Level, in capitals.
        level: &'static str,
        /// Target.
        target: String,
        /// Message and fields.
        message: String,
    },
    /// The fault phase is over.
    Quiet,
    /// A property was broken.
    Violated {
        /// The property.
        property: String,
        /// Why.
        detail: String,
    },
}

/// A field of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name.
    pub key: &'static str,
    /// Its value.
    pub value: Owned,
}

/// An owned [`Value`].
#[derive(Clone, Debug, PartialEq)]
pub enum Owned {
    /// An unsigned number.
    U64(u64),
    /// A signed number.
    I64(i64),
    /// A yes or no.
    Bool(bool),
    /// A text.
    Str(String),
    /// A number, and the name of what it stands for where a record has said it before.
    Key(u64, Option<String>),
}

/// What keys stand for, as far as records have said.
#[derive(Debug, Default)]
pub(crate) struct Labels(BTreeMap<u64, String>);

impl Labels {
    /// Learns from a record with one key and a field `name`, and names the keys that are known.
    pub(crate) fn fill(&mut self, fields: &mut [Field]) {
        let name = fields.iter().find(|field| field.key == "name");
        if let Some(Field { value: Owned::Str(name), .. }) = name
            && let Some(key) = fields.iter().find_map(|field| field.value.key())
        {
            self.0.insert(key, name.clone());
        }
        for field in fields {
            if let Owned::Key(key, label) = &mut field.value {
                *label = self.0.get(key).cloned();
            }
        }
    }
}

impl Kind {
    /// A record as an event.
    pub fn record<R: Record + ?Sized>(record: &R) -> Kind {
        let mut fields = Vec::new();
        record.fields(&mut |key, value| fields.push(Field { key, value: Owned::from(value) }));
        Kind::Record { name: record.name(), fields }
    }
}

impl Owned {
    fn key(&self) -> Option<u64> {
        match self {
            Owned::Key(key, _) => Some(*key),
            Owned::U64(_) | Owned::I64(_) | Owned::Bool(_) | Owned::Str(_) => None,
        }
    }

    /// The value, borrowed.
    pub fn as_value(&self) -> Value<'_> {
        match self {
            Owned::U64(number) => Value::U64(*number),
            Owned::I64(number) => Value::I64(*number),
            Owned::Bool(flag) => Value::Bool(*flag),
            Owned::Str(text) => Value::Str(text),
            Owned::Key(key, _) => Value::Key(*key),
        }
    }
}

macro_rules! owned_from {
    ($($type:ty => $variant:ident),* $(,)?) => {
        $(impl From<$type> for Owned {
            fn from(value: $type) -> Owned {
                Owned::$variant(value.into())
            }
        })*
    };
}

owned_from!(u8 => U64, u16 => U64, u32 => U64, u64 => U64, i8 => I64, i16 => I64, i32 => I64, i64 => I64,
    bool => Bool, &str => Str, String => Str);

impl From<Value<'_>> for Owned {
    fn from(value: Value<'_>) -> Owned {
        match value {
            Value::U64(number) => Owned::U64(number),
            Value::I64(number) => Owned::I64(number),
            Value::Bool(flag) => Owned::Bool(flag),
            Value::Str(text) => Owned::Str(text.to_owned()),
            Value::Key(key) => Owned::Key(key, None),
        }
    }
}

impl std::fmt::Display for Owned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Owned::U64(number) => number.fmt(f),
            Owned::I64(number) => number.fmt(f),
            Owned::Bool(flag) => flag.fmt(f),
            Owned::Str(text) | Owned::Key(_, Some(text)) => match text.contains(' ') {
                true => write!(f, "{text:?}"),
                false => text.fmt(f),
            },
            Owned::Key(key, None) => key.fmt(f),
        }
    }
}

/// The events of a run, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// The events.
    pub events: Vec<Event>,
}

impl std::fmt::Display for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&super::text::render(self))
    }
}
