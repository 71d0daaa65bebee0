//! The open watches of a store, as data: who listens to what, and what each has yet to hear.
//!
//! It waits for nobody and injects nothing; who is to be woken is returned.

use super::error::WatchError;
use super::event::{Change, Event, Payload, Topic};
use super::state::Write;
use crate::sync::Notify;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Events that a watch may lag behind before it is closed.
pub const LAG_MAX: usize = 4096;

/// An event that a watch has yet to hear.
#[derive(Debug)]
struct Pending {
    event: Event,
    /// It is no part of a snapshot.
    is_live: bool,
}

/// What one watch has yet to hear.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) topic: Topic,
    pending: VecDeque<Pending>,
    /// Set when it ended; nothing is heard any more.
    closed: Option<WatchError>,
    bell: Arc<Notify>,
}

/// What is at the head of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    Empty,
    Snapshot,
    Live,
}

impl Channel {
    pub(super) fn new(topic: Topic, bell: Arc<Notify>) -> Channel {
        Channel { topic, pending: VecDeque::new(), closed: None, bell }
    }

    /// Adds an event of a snapshot, or of its frame.
    pub(super) fn frame(&mut self, index: u64, payload: Payload) {
        self.pending.push_back(Pending { event: Event { index, payload }, is_live: false });
    }

    /// Adds a change; those of one transaction become one batch.
    pub(super) fn tell(&mut self, write: &Write) {
        let change = Change::of(write);
        if let Some(Pending { event, is_live: true }) = self.pending.back_mut()
            && event.index == write.index
            && let Payload::Batch(batch) = &mut event.payload
        {
            batch.push(change);
            return;
        }
        let event = Event { index: write.index, payload: Payload::Batch(vec![change]) };
        self.pending.push_back(Pending { event, is_live: true });
    }

    /// What is next.
    pub(super) fn head(&self) -> Result<Head, WatchError> {
        if let Some(error) = &self.closed {
            return Err(error.clone());
        }
        Ok(match self.pending.front() {
            None => Head::Empty,
            Some(Pending { is_live: true, .. }) => Head::Live,
            Some(Pending { is_live: false, .. }) => Head::Snapshot,
        })
    }

    /// Takes the next event.
    pub(super) fn take(&mut self) -> Option<Event> {
        self.pending.pop_front().map(|pending| pending.event)
    }

    /// Takes all that is pending as one event in which only the last change of each entry is left.
    pub(super) fn take_coalesced(&mut self) -> Option<Event> {
        let index = self.pending.back()?.event.index;
        let mut last: Vec<Change> = Vec::new();
        for pending in self.pending.drain(..) {
            let Payload::Batch(batch) = pending.event.payload else { continue };
            for change in batch {
                last.retain(|earlier| earlier.key != change.key);
                last.push(change);
            }
        }
        Some(Event { index, payload: Payload::Batch(last) })
    }

    /// Ends it; what it had yet to hear is gone.
    pub(super) fn close(&mut self, error: WatchError) {
        self.pending.clear();
        self.closed.get_or_insert(error);
    }

    /// Whether it has yet to hear of changes up to an index.
    fn lags_behind(&self, index: u64) -> bool {
        self.pending.iter().find(|pending| pending.is_live).is_some_and(|live| live.event.index <= index)
    }
}

/// All open watches, by number.
#[derive(Debug, Default)]
pub(super) struct Channels {
    last: u64,
    open: BTreeMap<u64, Channel>,
    by_topic: BTreeMap<Topic, Vec<u64>>,
}

impl Channels {
    pub(super) fn open(&mut self, channel: Channel) -> u64 {
        self.last += 1;
        self.by_topic.entry(channel.topic.clone()).or_default().push(self.last);
        self.open.insert(self.last, channel);
        self.last
    }

    pub(super) fn at(&mut self, id: u64) -> &mut Channel {
        self.open.get_mut(&id).expect("a watch is in the table until it is dropped")
    }

    /// Forgets a watch; how it was closed, if it was.
    pub(super) fn remove(&mut self, id: u64) -> Option<WatchError> {
        let channel = self.open.remove(&id)?;
        if let Some(ids) = self.by_topic.get_mut(&channel.topic) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.by_topic.remove(&channel.topic);
            }
        }
        channel.closed
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Tells every watch of the entry; who is to be woken is added to `woken`, each once.
    pub(super) fn tell(&mut self, write: &Write, oldest: u64, woken: &mut Vec<(u64, Arc<Notify>)>) {
        let one = Topic::from(write.key().clone());
        let every = Topic::kind(one.kind.clone());
        for topic in [every, one] {
            for id in self.by_topic.get(&topic).into_iter().flatten() {
                let channel = self.open.get_mut(id).expect("a topic lists open watches");
                if channel.closed.is_some() {
                    continue;
                }
                channel.tell(write);
                if channel.pending.len() > LAG_MAX {
                    channel.close(WatchError::Compacted { topic: topic.to_string(), oldest });
                }
                if woken.iter().all(|(other, _)| other != id) {
                    woken.push((*id, channel.bell.clone()));
                }
            }
        }
    }

    /// Closes the watches that lag behind a compaction.
    pub(super) fn compact(&mut self, to: u64) -> Vec<Closed> {
        let error =
            |channel: &Channel| WatchError::Compacted { topic: channel.topic.to_string(), oldest: to };
        self.close_all(|channel| channel.lags_behind(to), error)
    }

    /// Closes the watches of a topic, or all.
    pub(super) fn force_close(&mut self, topic: Option<&Topic>) -> Vec<Closed> {
        let covered = |channel: &Channel| topic.is_none_or(|topic| *topic == channel.topic);
        self.close_all(covered, |_| WatchError::ForceClosed)
    }

    /// Closes one.
    pub(super) fn close(&mut self, id: u64, error: WatchError) -> Option<Closed> {
        let channel = self.open.get_mut(&id).filter(|channel| channel.closed.is_none())?;
        channel.close(error.clone());
        Some(Closed { id, topic: channel.topic.clone(), error, bell: channel.bell.clone() })
    }

    fn close_all(
        &mut self,
        which: impl Fn(&Channel) -> bool,
        error: impl Fn(&Channel) -> WatchError,
    ) -> Vec<Closed> {
        let open = self.open.iter().filter(|(_, channel)| channel.closed.is_none() && which(channel));
        let found: Vec<(u64, WatchError)> = open.map(|(id, channel)| (*id, error(channel))).collect();
        found.into_iter().filter_map(|(id, error)| self.close(id, error)).collect()
    }
}

/// A watch that was just closed.
#[derive(Debug)]
pub(super) struct Closed {
    pub(super) id: u64,
    pub(super) topic: Topic,
    pub(super) error: WatchError,
    pub(super) bell: Arc<Notify>,
}
