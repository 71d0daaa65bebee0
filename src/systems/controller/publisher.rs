//! Where changes come from: a publisher hands out subscriptions to topics, each a snapshot and then what changes.
//! Separate because stores implement it; it must not know queues.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use super::work_queue::BoxFuture;
use crate::store::{Entry, Key};

/// What can be subscribed to: all entries of a kind, or the one of a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic {
    /// The kind.
    pub kind: Arc<str>,
    /// The name; none is a wildcard.
    pub name: Option<Arc<str>>,
}

impl Topic {
    /// Every entry of this kind.
    pub fn all(kind: impl Into<Arc<str>>) -> Topic {
        Topic { kind: kind.into(), name: None }
    }

    /// The entry of this kind and name.
    pub fn named(kind: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Topic {
        Topic { kind: kind.into(), name: Some(name.into()) }
    }

    /// Whether changes of this entry belong to it.
    pub fn covers(&self, key: &Key) -> bool {
        self.kind == key.kind && self.name.as_ref().is_none_or(|name| *name == key.name)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            None => f.write_str(&self.kind),
            Some(name) => write!(f, "{}/{name}", self.kind),
        }
    }
}

/// An entry was written or deleted.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Its identity.
    pub key: Key,
    /// The entry as written; none when it was deleted.
    pub value: Option<Entry>,
}

/// What an event carries.
#[derive(Clone, Debug, PartialEq)]
pub enum Payload {
    /// One change.
    Change(Change),
    /// The changes of one transaction, or a snapshot.
    Batch(Vec<Change>),
    /// Framing: what came so far is the state at the index of the event.
    EndOfSnapshot,
    /// Framing: what was known is void, a snapshot follows.
    NewSnapshotToFollow,
    /// Something that the controller has no word for, by the name of its type.
    Unknown(String),
}

/// One step of a subscription.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The index of the store that it belongs to.
    pub index: u64,
    /// What it carries.
    pub payload: Payload,
}

/// Why a subscription gives no further event.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SubscriptionError {
    /// The publisher ended it: its rights changed, or the store was restored.
    #[error("subscription closed by server, client must reset state and resubscribe")]
    ForceClosed,
    /// The subscriber ended it.
    #[error("subscription was closed by unsubscribe")]
    Cancelled,
    /// Nothing of that kind is published.
    #[error("unknown topic {0}")]
    UnknownTopic(Topic),
    /// An event was of a type that the controller does not handle.
    #[error("unhandled event type: {0}")]
    Unhandled(String),
    /// Anything else.
    #[error("{0}")]
    Other(Arc<dyn Error + Send + Sync>),
}

impl SubscriptionError {
    /// Anything else, in words.
    pub fn other(text: impl Into<String>) -> SubscriptionError {
        let error: Box<dyn Error + Send + Sync> = text.into().into();
        SubscriptionError::Other(error.into())
    }
}

/// Hands out subscriptions.
pub trait Publisher: Send + Sync + 'static {
    /// Opens one: first the state as it is, framed by [`Payload::EndOfSnapshot`], then every change.
    fn subscribe<'a>(
        &'a self,
        topic: &'a Topic,
    ) -> BoxFuture<'a, Result<Box<dyn Subscription>, SubscriptionError>>;
}

/// An open subscription; dropping it ends it.
pub trait Subscription: Send {
    /// The next event. Safe to cancel.
    fn next(&mut self) -> BoxFuture<'_, Result<Event, SubscriptionError>>;
}
