//! What is queued: items and their keys. The one key is used by queue, limiter, defer queue and triggers; it must not
//! know any of them.

use std::fmt;
use std::sync::Arc;

/// Something that can be queued. Two items of one key are one piece of work.
pub trait Item: Clone + Send + 'static {
    /// Its identity; the text of it stands in traces.
    type Key: Clone + Ord + fmt::Display + Send + 'static;

    /// The identity of this item.
    fn key(&self) -> Self::Key;
}

/// Where an entry lives, for stores that are shared by several parties.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tenancy {
    /// The partition.
    pub partition: Arc<str>,
    /// The namespace within it.
    pub namespace: Arc<str>,
}

impl Default for Tenancy {
    fn default() -> Tenancy {
        Tenancy { partition: Arc::from("default"), namespace: Arc::from("default") }
    }
}

/// The identity of one entry, by value: a controller that is handed it must read the entry itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Request {
    /// The kind of the entry.
    pub kind: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Where it lives.
    pub tenancy: Tenancy,
}

impl Request {
    /// The request for an entry in the default partition and namespace.
    pub fn new(kind: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Request {
        Request { kind: kind.into(), name: name.into(), tenancy: Tenancy::default() }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tenancy { partition, namespace } = &self.tenancy;
        write!(f, "kind={:?},name={:?},part={partition:?},ns={namespace:?}", self.kind, self.name)
    }
}

impl Item for Request {
    type Key = Request;

    fn key(&self) -> Request {
        self.clone()
    }
}
