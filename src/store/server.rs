//! The server: one state behind one lock, with its watches. Its own methods see and do everything at once, without faults.
//!
//! The lock is never held over an await, an emitted record or a wake.

use super::channel::{Channel, Channels, Closed, Head};
use super::client::Client;
use super::entry::{Entry, Key};
use super::error::{StoreError, WatchError};
use super::event::{Change, Event, Payload, Topic, WatchFrom};
use super::latency::Latency;
use super::ledger::{Difference, Ledger};
use super::record::StoreEvent;
use super::state::{Pen, Snapshot, State, Write};
use super::transaction::{Op, Transaction};
use super::watch::Watch;
use crate::choice::Label;
use crate::runtime::current;
use crate::runtime::world::World;
use crate::sync::Notify;
use crate::time::Instant;
use crate::{emit, is_simulated};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The shared object that every call declares to access: `"store"` in what a property says it reads.
pub(super) const OBJECT: Label = Label::new("store");
/// Who writes when the store itself is asked to.
const SERVER: &str = "server";

/// A store: a handle, whose clones are the same store. Works in a simulation and outside.
///
/// ```
/// use fatum::store::Store;
///
/// let store = Store::new();
/// let version = store.put(("route", "blue"), 80)?;
/// store.update(("route", "blue"), version, 81)?;
/// assert!(store.update(("route", "blue"), version, 82).is_err_and(|error| error.is_conflict()));
/// assert_eq!(store.peek(("route", "blue")), Some(81));
/// # Ok::<(), fatum::store::StoreError>(())
/// ```
#[derive(Clone)]
pub struct Store(Arc<Mutex<Server>>);

struct Server {
    state: State,
    channels: Channels,
    /// The kinds there can be; `None` is any.
    kinds: Option<BTreeSet<Arc<str>>>,
    latency: Latency,
    /// How far the clients of a name have seen, for those whose views never go back.
    views: BTreeMap<Arc<str>, Arc<AtomicU64>>,
    /// It is part of a simulation: outside of that, time stands where it was there.
    is_simulated: bool,
    last: Instant,
}

/// Which state a client sees: one so many changes old, or the oldest there is; at least of the index that it has seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct View {
    pub(super) age: u64,
    pub(super) seen: u64,
}

impl View {
    fn index(self, state: &State) -> u64 {
        let wanted = state.index().saturating_sub(self.age).max(state.oldest()).max(self.seen);
        wanted.min(state.index())
    }
}

/// The store of a world.
#[derive(Default)]
struct Part(Option<Store>);

/// The entries of a kind, and the index that they were read at.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing {
    /// The index.
    pub index: u64,
    /// The entries, in the order of their names.
    pub entries: Vec<Entry>,
}

impl IntoIterator for Listing {
    type Item = Entry;
    type IntoIter = std::vec::IntoIter<Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl Store {
    /// An empty store. One that belongs to a [`Sim`](crate::Sim) is `sim.store()`.
    pub fn new() -> Store {
        Store::made(is_simulated())
    }

    /// The store of a world; a new one if it has none yet.
    pub(crate) fn of(world: &mut World) -> Store {
        world.parts.get::<Part>().0.get_or_insert_with(|| Store::made(true)).clone()
    }

    fn made(is_simulated: bool) -> Store {
        Store(Arc::new(Mutex::new(Server {
            state: State::default(),
            channels: Channels::default(),
            kinds: None,
            latency: Latency::default(),
            views: BTreeMap::new(),
            is_simulated,
            last: Instant::from_nanos(0),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Server> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // Setting up.

    /// Says which kinds there can be: a watch of any other is an error.
    pub fn set_kinds<K: Into<Arc<str>>>(&self, kinds: impl IntoIterator<Item = K>) {
        let kinds = kinds.into_iter().map(Into::into).collect();
        self.lock().kinds = Some(kinds);
    }

    /// Says how long the calls of clients take.
    pub fn set_latency(&self, latency: Latency) {
        self.lock().latency = latency;
    }

    /// Says how many changes are kept at most, for reads and watches of the past.
    pub fn set_history(&self, changes_max: usize) {
        let mut server = self.lock();
        server.state.history_max = changes_max;
        server.state.forget_oldest();
    }

    /// A client: it calls as from the host of the task that awaits the call, and writes under this name. Its clones
    /// share what it has seen; another client of the same name has seen nothing yet.
    pub fn client(&self, name: impl Into<Arc<str>>) -> Client {
        Client::new(self.clone(), name.into())
    }

    // Writing, as the server.

    /// Writes an entry, blindly; its new version.
    ///
    /// # Errors
    /// The value cannot be stored.
    pub fn put(&self, key: impl Into<Key>, value: impl Serialize) -> Result<u64, StoreError> {
        self.transact(Transaction::new().put(key, value))
    }

    /// Writes an entry that must not be there; its version.
    ///
    /// # Errors
    /// It is there.
    pub fn create(&self, key: impl Into<Key>, value: impl Serialize) -> Result<u64, StoreError> {
        self.transact(Transaction::new().create(key, value))
    }

    /// Writes an entry that must be at `version`; its new version.
    ///
    /// # Errors
    /// It is at another, or gone.
    pub fn update(
        &self,
        key: impl Into<Key>,
        version: u64,
        value: impl Serialize,
    ) -> Result<u64, StoreError> {
        self.transact(Transaction::new().update(key, version, value))
    }

    /// Deletes an entry; the index of that.
    ///
    /// # Errors
    /// It is not there.
    pub fn delete(&self, key: impl Into<Key>) -> Result<u64, StoreError> {
        self.transact(Transaction::new().delete(key))
    }

    /// Commits operations together, or none of them; the index after that.
    ///
    /// # Errors
    /// What one of them demands is not so.
    pub fn transact(&self, transaction: Transaction) -> Result<u64, StoreError> {
        if let Some(error) = transaction.invalid {
            return Err(error);
        }
        self.commit(&transaction.ops, &Arc::from(SERVER))
    }

    /// Forgets the past before index `to`; watches that have yet to hear of it are closed.
    ///
    /// # Errors
    /// The store has not reached that index.
    pub fn compact(&self, to: u64) -> Result<(), StoreError> {
        let closed = {
            let mut server = self.lock();
            server.state.compact(to)?;
            server.channels.compact(to)
        };
        emit(StoreEvent::Compacted { index: to });
        tell_closed(closed);
        Ok(())
    }

    /// The store as it is.
    pub fn snapshot(&self) -> Snapshot {
        self.lock().state.snapshot()
    }

    /// Makes the store what it was, index included; every watch is closed, and the past before is forgotten.
    pub fn restore(&self, snapshot: &Snapshot) {
        let (from, closed) = {
            let mut server = self.lock();
            let from = server.state.index();
            let pen = Pen { writer: Arc::from("a restore"), at: server.now() };
            server.state.restore(snapshot, &pen);
            (from, server.channels.force_close(None))
        };
        touch();
        emit(StoreEvent::Restored { from, index: snapshot.index() });
        tell_closed(closed);
    }

    /// Closes the watches of exactly this topic, or with `None` all.
    pub fn force_close(&self, topic: Option<&Topic>) {
        let closed = self.lock().channels.force_close(topic);
        tell_closed(closed);
    }

    // Looking, as the server.

    /// The value of an entry.
    ///
    /// # Panics
    /// The value is not of that type.
    pub fn peek<T: DeserializeOwned>(&self, key: impl Into<Key>) -> Option<T> {
        let entry = self.entry(key)?;
        Some(entry.parse().unwrap_or_else(|error| panic!("{} is {}: {error}", entry.key, entry.value)))
    }

    /// An entry.
    pub fn entry(&self, key: impl Into<Key>) -> Option<Entry> {
        let key = key.into();
        self.lock().state.get(&key).map(|entry| (**entry).clone())
    }

    /// The entries of a kind.
    pub fn list(&self, kind: &str) -> Listing {
        let server = self.lock();
        let entries = server.state.list(kind).map(|entry| (**entry).clone()).collect();
        Listing { index: server.state.index(), entries }
    }

    /// An entry as it was at an index.
    ///
    /// # Errors
    /// The index is compacted, or not reached.
    pub fn entry_at(&self, key: impl Into<Key>, index: u64) -> Result<Option<Entry>, StoreError> {
        let server = self.lock();
        Ok(server.state.get_at(&key.into(), index)?.map(|entry| (**entry).clone()))
    }

    /// The entries of a kind as they were at an index.
    ///
    /// # Errors
    /// The index is compacted, or not reached.
    pub fn list_at(&self, kind: &str, index: u64) -> Result<Listing, StoreError> {
        let entries = self.lock().state.list_at(kind, index)?;
        Ok(Listing { index, entries: entries.iter().map(|entry| (**entry).clone()).collect() })
    }

    /// All entries, by kind and name.
    pub fn entries(&self) -> Vec<Entry> {
        self.lock().state.all().map(|entry| (**entry).clone()).collect()
    }

    /// The index.
    pub fn index(&self) -> u64 {
        self.lock().state.index()
    }

    /// The oldest index that can be read or watched from.
    pub fn oldest(&self) -> u64 {
        self.lock().state.oldest()
    }

    /// The changes after an index, oldest first.
    ///
    /// # Errors
    /// The index is compacted, or not reached.
    pub fn since(&self, index: u64) -> Result<Vec<Write>, StoreError> {
        Ok(self.lock().state.since(index)?.cloned().collect())
    }

    /// How often each entry was created and deleted, ever.
    pub fn ledger(&self) -> Ledger {
        self.lock().state.book.ledger.clone()
    }

    /// Which entries of these kinds are not as expected, by key.
    pub fn differences(&self, expected: &BTreeMap<Key, Value>, kinds: &[&str]) -> Vec<Difference> {
        let server = self.lock();
        let kinds: BTreeSet<&str> = kinds.iter().copied().collect();
        let found = kinds.iter().flat_map(|kind| server.state.list(kind)).map(|entry| &entry.key);
        let wanted = expected.keys().filter(|key| kinds.contains(&*key.kind));
        let keys: BTreeSet<&Key> = found.chain(wanted).collect();
        keys.into_iter().filter_map(|key| server.difference(key, expected.get(key))).collect()
    }

    /// How many watches there are.
    pub fn watches(&self) -> usize {
        self.lock().channels.len()
    }

    /// A watch without faults.
    ///
    /// # Errors
    /// There is no such kind, or the index is compacted or not reached.
    #[track_caller]
    pub fn watch(&self, topic: impl Into<Topic>, from: WatchFrom) -> Result<Watch, StoreError> {
        let client = self.client(SERVER);
        let topic = topic.into();
        let (id, bell, _) = self.open(&topic, from, View::default(), client.name())?;
        Ok(Watch::new(client, topic, id, bell, false))
    }
}

/// Whether the caller has no access to the world any more: it is of a host that crashed, or the run is over.
fn is_deaf() -> bool {
    crate::runtime::current::try_with(|world| world.is_deaf()) == Some(true)
}

/// What clients and watches do here.
impl Store {
    /// Commits, under a writer's name; the index after that.
    pub(super) fn commit(&self, ops: &[Op], writer: &Arc<str>) -> Result<u64, StoreError> {
        let mut woken = Vec::new();
        if let Some(op) = ops.first().filter(|_| is_deaf()) {
            return Err(StoreError::Unanswered { key: op.key().clone() });
        }
        let (index, events) = {
            let mut server = self.lock();
            let pen = Pen { writer: writer.clone(), at: server.now() };
            let changes = server.state.commit(ops, &pen)?;
            let events: Vec<StoreEvent> = match is_simulated() {
                true => server.state.last(changes).map(StoreEvent::of).collect(),
                false => Vec::new(),
            };
            server.tell(changes, &mut woken);
            server.state.forget_oldest();
            (server.state.index(), events)
        };
        touch();
        events.into_iter().for_each(emit);
        woken.into_iter().for_each(|(_, bell)| bell.notify_one());
        Ok(index)
    }

    /// Reads the state as a view has it; answers the index too.
    pub(super) fn look<R>(
        &self,
        view: View,
        look: impl FnOnce(&State, u64) -> Result<R, StoreError>,
    ) -> Result<(R, u64), StoreError> {
        let server = self.lock();
        let index = view.index(&server.state);
        Ok((look(&server.state, index)?, index))
    }

    pub(super) fn latency(&self) -> Latency {
        self.lock().latency
    }

    /// How far the clients of a name have seen.
    pub(super) fn view(&self, name: &Arc<str>) -> Arc<AtomicU64> {
        self.lock().views.entry(name.clone()).or_default().clone()
    }

    /// Opens a watch; its snapshot, if it begins with one, is of the state as the view has it. Answers the index that
    /// it begins at, too.
    #[track_caller]
    pub(super) fn open(
        &self,
        topic: &Topic,
        from: WatchFrom,
        view: View,
        client: &Arc<str>,
    ) -> Result<(u64, Arc<Notify>, u64), StoreError> {
        let bell = Arc::new(Notify::new());
        let (watch, index) = {
            let mut server = self.lock();
            if server.kinds.as_ref().is_some_and(|kinds| !kinds.contains(&topic.kind)) {
                return Err(StoreError::UnknownTopic(topic.to_string()));
            }
            let mut channel = Channel::new(topic.clone(), bell.clone());
            let index = server.fill(&mut channel, from, view)?;
            (server.channels.open(channel), index)
        };
        emit(StoreEvent::WatchOpened { watch, topic: topic.clone(), index, client: client.clone() });
        Ok((watch, bell, index))
    }

    pub(super) fn head(&self, watch: u64) -> Result<Head, WatchError> {
        self.lock().channels.at(watch).head()
    }

    /// Takes the next event of a watch, or all of them as one.
    pub(super) fn take(&self, watch: u64, coalesced: bool) -> Result<Option<Event>, WatchError> {
        let mut server = self.lock();
        let channel = server.channels.at(watch);
        let head = channel.head()?;
        Ok(if coalesced && head == Head::Live { channel.take_coalesced() } else { channel.take() })
    }

    /// Closes one watch.
    pub(super) fn close(&self, watch: u64, error: WatchError) {
        let closed = self.lock().channels.close(watch, error);
        tell_closed(closed);
    }

    /// Forgets a watch that is dropped.
    pub(super) fn forget(&self, watch: u64, topic: &Topic) {
        let closed = self.lock().channels.remove(watch);
        if closed.is_none() {
            emit(StoreEvent::WatchClosed { watch, topic: topic.clone(), cause: Arc::from("dropped") });
        }
    }
}

impl Server {
    fn now(&mut self) -> Instant {
        match current::try_with(|world| world.now) {
            Some(now) => (self.is_simulated, self.last) = (true, Instant::from_nanos(now)),
            None if self.is_simulated => {}
            None => self.last = Instant::now(),
        }
        self.last
    }

    /// Tells the watches of the last changes.
    fn tell(&mut self, changes: usize, woken: &mut Vec<(u64, Arc<Notify>)>) {
        if self.channels.is_empty() {
            return;
        }
        let oldest = self.state.oldest();
        for write in self.state.last(changes) {
            self.channels.tell(write, oldest, woken);
        }
    }

    /// Gives a new watch what it is to hear first; the index that it begins at.
    fn fill(&self, channel: &mut Channel, from: WatchFrom, view: View) -> Result<u64, StoreError> {
        let index = match from {
            WatchFrom::Snapshot => self.frame(channel, view.index(&self.state))?,
            WatchFrom::Index(index) => index,
            WatchFrom::Resume(index) if self.state.since(index).is_ok() => index,
            WatchFrom::Resume(_) => {
                let index = view.index(&self.state);
                channel.frame(index, Payload::NewSnapshotToFollow);
                self.frame(channel, index)?
            }
        };
        let later = self.state.since(index)?;
        let covered: Vec<&Write> = later.filter(|write| channel.topic.covers(write.key())).collect();
        covered.into_iter().for_each(|write| channel.tell(write));
        Ok(index)
    }

    fn frame(&self, channel: &mut Channel, index: u64) -> Result<u64, StoreError> {
        let topic = &channel.topic;
        let entries = match &topic.name {
            Some(name) => {
                let key = Key { kind: topic.kind.clone(), name: name.clone() };
                self.state.get_at(&key, index)?.cloned().into_iter().collect()
            }
            None => self.state.list_at(&topic.kind, index)?,
        };
        let batch: Vec<Change> = entries.iter().map(|entry| Change::present(entry)).collect();
        if !batch.is_empty() {
            channel.frame(index, Payload::Batch(batch));
        }
        channel.frame(index, Payload::EndOfSnapshot);
        Ok(index)
    }

    fn difference(&self, key: &Key, expected: Option<&Value>) -> Option<Difference> {
        let difference = Difference::of(key, expected, self.state.get(key).map(|entry| &**entry))?;
        Some(match difference {
            Difference::Missing { key, .. } => {
                let deleted = self.state.book.gone(&key).cloned();
                Difference::Missing { key, deleted }
            }
            other => other,
        })
    }
}

/// Says to properties that read the store that it has changed.
fn touch() {
    current::try_with(|world| {
        if world.watches && !world.touched.contains(&OBJECT.hash()) {
            world.touched.push(OBJECT.hash());
        }
    });
}

/// Says which watches were closed, and wakes them to hear it.
fn tell_closed(closed: impl IntoIterator<Item = Closed>) {
    for Closed { id, topic, error, bell } in closed {
        emit(StoreEvent::WatchClosed { watch: id, topic, cause: Arc::from(error.to_string()) });
        bell.notify_one();
    }
}

impl Default for Store {
    fn default() -> Store {
        Store::new()
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = self.lock();
        let (index, watches) = (server.state.index(), server.channels.len());
        f.debug_struct("Store").field("index", &index).field("watches", &watches).finish_non_exhaustive()
    }
}
