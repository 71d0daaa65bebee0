//! Events: the facts that actions wait for and signal. Separate because everything else in the graph speaks
//! in them; it must not know actions, waiting or time.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Identifies a resource; any text, cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(Arc<str>);

impl Id {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Id {
    fn from(text: &str) -> Self {
        Id(text.into())
    }
}

impl From<String> for Id {
    fn from(text: String) -> Self {
        Id(text.into())
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({})", self.0)
    }
}

/// A fact that actions wait for. Two events print the same text if and only if they are equal: what could be
/// misread is quoted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Event {
    /// The resource exists.
    Exists(Id),
    /// The resource does not exist.
    NotExists(Id),
    /// `from` no longer refers to `to`.
    DropRef {
        /// The resource that held the reference.
        from: Id,
        /// The resource it pointed to.
        to: Id,
    },
    /// Any other fact, told apart by its text. Equal only to a custom event of the same text.
    Custom(Arc<str>),
}

impl Event {
    /// `Exists(id)`.
    pub fn exists(id: impl Into<Id>) -> Self {
        Event::Exists(id.into())
    }

    /// `NotExists(id)`.
    pub fn not_exists(id: impl Into<Id>) -> Self {
        Event::NotExists(id.into())
    }

    /// `DropRef(from => to)`.
    pub fn drop_ref(from: impl Into<Id>, to: impl Into<Id>) -> Self {
        Event::DropRef { from: from.into(), to: to.into() }
    }

    /// The event told apart by its text alone.
    pub fn custom(text: impl Into<Arc<str>>) -> Self {
        Event::Custom(text.into())
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Exists(id) => write!(f, "Exists({})", quoted(&id.0, &[])),
            Event::NotExists(id) => write!(f, "NotExists({})", quoted(&id.0, &[])),
            Event::DropRef { from, to } => {
                write!(f, "DropRef({} => {})", quoted(&from.0, &["=>"]), quoted(&to.0, &["=>"]))
            }
            Event::Custom(text) => f.write_str(&quoted(text, &["Exists(", "DropRef("])),
        }
    }
}

/// The text itself, or quoted when it begins with a quote or holds what would make it read as something else.
fn quoted(text: &str, confusing: &[&str]) -> String {
    if text.starts_with('"') || confusing.iter().any(|part| text.contains(part)) {
        format!("{text:?}")
    } else {
        text.to_owned()
    }
}

impl FromStr for Event {
    type Err = std::convert::Infallible;

    /// Reads the text forms of the three kinds; every other text is a custom event.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let inside = |kind: &str| text.strip_prefix(kind)?.strip_suffix(')').map(str::to_owned);
        if let Some(id) = inside("Exists(") {
            return Ok(Event::Exists(id.into()));
        }
        if let Some(id) = inside("NotExists(") {
            return Ok(Event::NotExists(id.into()));
        }
        if let Some((from, to)) = inside("DropRef(").as_deref().and_then(|ends| ends.split_once(" => ")) {
            return Ok(Event::drop_ref(from, to));
        }
        Ok(Event::custom(text))
    }
}

/// Events in the order they were emitted; equality ignores the order but counts repetitions, so it is symmetric.
#[derive(Clone, Debug, Default)]
pub struct EventList(pub Vec<Event>);

impl EventList {
    /// The events without order and repetition.
    pub fn to_set(&self) -> BTreeSet<Event> {
        self.0.iter().cloned().collect()
    }

    fn sorted(&self) -> Vec<&Event> {
        let mut events: Vec<&Event> = self.0.iter().collect();
        events.sort();
        events
    }
}

impl PartialEq for EventList {
    fn eq(&self, other: &Self) -> bool {
        self.sorted() == other.sorted()
    }
}

impl Eq for EventList {}

impl<I: IntoIterator<Item = Event>> From<I> for EventList {
    fn from(events: I) -> Self {
        EventList(events.into_iter().collect())
    }
}
