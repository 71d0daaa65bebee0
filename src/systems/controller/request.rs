//! What is queued: items and their keys. The one key is used by queue, limiter, defer queue and triggers; it must not
//! know any of them.

use std::fmt::{self, Write};
use std::sync::Arc;

/// Bytes that most texts of keys have room in.
const TEXT_ROOM: usize = 96;

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
        let default: Arc<str> = Arc::from("default");
        Tenancy { partition: Arc::clone(&default), namespace: default }
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

/// The text of a key, as it stands in traces. Every event of a queue has one, so that it is made without growing.
pub(super) fn text(key: &impl fmt::Display) -> Arc<str> {
    let mut text = String::with_capacity(TEXT_ROOM);
    write!(text, "{key}").expect("the Display of a key does not fail");
    Arc::from(text)
}

impl Item for Request {
    type Key = Request;

    fn key(&self) -> Request {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_request_escapes_what_could_be_mistaken() {
        let tenancy = Tenancy { partition: Arc::from("a\\b"), namespace: Arc::from("line\nü ~'\u{7f}") };
        let request = Request { kind: Arc::from(""), name: Arc::from("say \"x\""), tenancy };
        let expected = r#"kind="",name="say \"x\"",part="a\\b",ns="line\nü ~'\u{7f}""#;
        assert_eq!(request.to_string(), expected);
        assert_eq!(&*text(&request), expected);
        assert_eq!(
            Request::new("pod", "web-1").to_string(),
            r#"kind="pod",name="web-1",part="default",ns="default""#
        );
    }
}
