//! A publisher in memory, for both worlds: a snapshot, its end, then what is written; it can close, fail and restore.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use fatum::emit;
use fatum::store::{Entry, Key};
use fatum::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use fatum::systems::controller::{
    BoxFuture, Change, Event, Fact, Payload, Publisher, Request, Subscription, SubscriptionError, Topic,
};
use fatum::time::Instant;

type Told = Result<Event, SubscriptionError>;

/// Clones are one.
#[derive(Clone, Default)]
pub(crate) struct Feed(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    index: u64,
    entries: BTreeMap<Key, Entry>,
    open: Vec<(Topic, UnboundedSender<Told>)>,
    /// Each is the answer to one more subscription.
    refusals: Vec<SubscriptionError>,
    /// A snapshot is announced by a framing event, which has its index.
    announces: bool,
    opened: u32,
}

struct Open(UnboundedReceiver<Told>);

pub(crate) fn request(kind: &str, name: &str) -> Request {
    Request::new(kind, name)
}

fn fact(key: &Key, version: u64) {
    emit(Fact::Changed { key: request(&key.kind, &key.name).to_string().into(), version });
}

impl Feed {
    /// One that announces its snapshots.
    pub(crate) fn announcing() -> Feed {
        let feed = Feed::default();
        feed.state().announces = true;
        feed
    }

    pub(crate) fn put(&self, kind: &str, name: &str) {
        self.put_all(kind, &[name]);
    }

    /// Writes several entries in one transaction.
    pub(crate) fn put_all(&self, kind: &str, names: &[&str]) {
        let mut state = self.state();
        state.index += 1;
        let changes: Vec<Change> = names.iter().map(|name| state.write(kind, name)).collect();
        let payload = match <[Change; 1]>::try_from(changes) {
            Ok([change]) => Payload::Change(change),
            Err(changes) => Payload::Batch(changes),
        };
        state.tell(&Topic::all(kind), payload);
    }

    /// Writes an entry of which nobody is told that it is to be reconciled itself.
    pub(crate) fn put_unread(&self, kind: &str, name: &str) {
        let mut state = self.state();
        state.index += 1;
        let change = state.change(kind, name);
        state.tell(&Topic::all(kind), Payload::Change(change));
    }

    pub(crate) fn delete(&self, kind: &str, name: &str) {
        let mut state = self.state();
        state.index += 1;
        let key = Key::new(kind, name);
        state.entries.remove(&key);
        fact(&key, 0);
        state.tell(&Topic::all(kind), Payload::Change(Change { key, value: None }));
    }

    /// Sends something that is no event of a store.
    pub(crate) fn put_unknown(&self, kind: &str, payload: &str) {
        let mut state = self.state();
        state.index += 1;
        state.tell(&Topic::all(kind), Payload::Unknown(payload.to_owned()));
    }

    /// Ends all subscriptions.
    pub(crate) fn close(&self, error: &SubscriptionError) {
        for (_, open) in self.state().open.drain(..) {
            let _ = open.send(Err(error.clone()));
        }
    }

    /// The next subscriptions are refused, the last of these first.
    pub(crate) fn refuse(&self, errors: impl IntoIterator<Item = SubscriptionError>) {
        self.state().refusals.extend(errors);
    }

    /// The store becomes one with these entries at a lower index, and all subscriptions are closed.
    pub(crate) fn restore(&self, kind: &str, names: &[&str], index: u64) {
        {
            let mut state = self.state();
            (state.index, state.entries) = (index, BTreeMap::new());
            for name in names {
                state.write(kind, name);
            }
        }
        self.close(&SubscriptionError::ForceClosed);
    }

    /// Tells once more of an entry, at the index of its last write.
    pub(crate) fn repeat(&self, kind: &str, name: &str) {
        let state = self.state();
        let entry = state.entries[&Key::new(kind, name)].clone();
        let (index, change) = (entry.version, Change { key: entry.key.clone(), value: Some(entry) });
        for (_, open) in &state.open {
            let _ = open.send(Ok(Event { index, payload: Payload::Change(change.clone()) }));
        }
    }

    /// The version of an entry; 0 when it is gone.
    pub(crate) fn version(&self, kind: &str, name: &str) -> u64 {
        self.state().entries.get(&Key::new(kind, name)).map_or(0, |entry| entry.version)
    }

    /// How many subscriptions were opened so far.
    pub(crate) fn opened(&self) -> u32 {
        self.state().opened
    }

    /// How many are open.
    pub(crate) fn open(&self) -> usize {
        let mut state = self.state();
        state.open.retain(|(_, open)| !open.is_closed());
        state.open.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl State {
    fn write(&mut self, kind: &str, name: &str) -> Change {
        let change = self.change(kind, name);
        fact(&change.key, self.index);
        change
    }

    fn change(&mut self, kind: &str, name: &str) -> Change {
        let key = Key::new(kind, name);
        let (version, at) = (self.index, Instant::now());
        let value = Arc::new(serde_json::Value::Null);
        let entry = Entry { key: key.clone(), value, version, created: version, writer: "test".into(), at };
        self.entries.insert(key.clone(), entry.clone());
        Change { key, value: Some(entry) }
    }

    fn tell(&mut self, topic: &Topic, payload: Payload) {
        let event = Event { index: self.index, payload };
        for (open, sender) in &self.open {
            if open.kind == topic.kind {
                let _ = sender.send(Ok(event.clone()));
            }
        }
    }

    fn snapshot(&self, topic: &Topic) -> Vec<Payload> {
        let entries = self.entries.values().filter(|entry| topic.covers(&entry.key));
        let changes = entries.map(|entry| Change { key: entry.key.clone(), value: Some(entry.clone()) });
        let announcement = self.announces.then_some(Payload::NewSnapshotToFollow);
        announcement.into_iter().chain([Payload::Batch(changes.collect()), Payload::EndOfSnapshot]).collect()
    }
}

impl Publisher for Feed {
    fn subscribe<'a>(
        &'a self,
        topic: &'a Topic,
    ) -> BoxFuture<'a, Result<Box<dyn Subscription>, SubscriptionError>> {
        Box::pin(async move {
            let mut state = self.state();
            if let Some(refusal) = state.refusals.pop() {
                return Err(refusal);
            }
            let (sender, receiver) = unbounded_channel();
            for payload in state.snapshot(topic) {
                let _ = sender.send(Ok(Event { index: state.index, payload }));
            }
            state.opened += 1;
            state.open.push((topic.clone(), sender));
            Ok(Box::new(Open(receiver)) as Box<dyn Subscription>)
        })
    }
}

impl Subscription for Open {
    fn next(&mut self) -> BoxFuture<'_, Told> {
        Box::pin(async { self.0.recv().await.unwrap_or(Err(SubscriptionError::Cancelled)) })
    }
}
