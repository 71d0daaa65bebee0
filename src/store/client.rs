//! The calls from a host: each is a scheduling point, takes time, and may fail before or after it took effect, or see an
//! old state. Separate from the server, which knows no fault.
//!
//! | site | what happens |
//! |---|---|
//! | `sync.store_read`, `sync.store_write`, `sync.store_watch` | the scheduling point before the call |
//! | `store.read`, `store.write`, `store.watch` on `kind/name` | an error, a delay, a hang, before the effect |
//! | `store.latency` | the call takes some time, on its way there or back |
//! | `store.conflict` | a write that expects a version is refused |
//! | `host.crash-after` | the host crashes after the effect |
//! | `store.answer` | the write took effect, and the answer is lost |
//! | `store.stale` | a read or a watch's snapshot is of an older state |
//! | `store.missed` | a watch does not hear of intermediate events |

use super::entry::{Entry, Key};
use super::error::StoreError;
use super::event::{Topic, WatchFrom};
use super::latency::pass;
use super::server::{Listing, OBJECT, Store, View};
use super::state::State;
use super::transaction::{Op, Transaction};
use super::watch::Watch;
use crate::choice::fault::{SITE_ANSWER, SITE_CONFLICT, SITE_STALE};
use crate::choice::{Access, Label};
use crate::fault::{ask, crash_point, failpoint_on};
use crate::runtime::current;
use crate::task::Point;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const READ: Label = Label::new("sync.store_read");
const WRITE: Label = Label::new("sync.store_write");
const WATCH: Label = Label::new("sync.store_watch");
/// How many changes old a view is, by option of the site.
const AGES: [u64; 5] = [0, 1, 2, 4, u64::MAX];

/// What a client's reads may see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reads {
    /// What its cache holds: as a fault has it, an older state, but none older than it has seen.
    #[default]
    Cached,
    /// The present.
    Consistent,
}

/// Calls on a store from a host. A clone is the same client.
#[derive(Clone)]
pub struct Client {
    store: Store,
    name: Arc<str>,
    /// The index that its views have reached: they do not go back behind it.
    seen: Arc<AtomicU64>,
    reads: Reads,
}

impl Client {
    pub(super) fn new(store: Store, name: Arc<str>) -> Client {
        Client { store, name, seen: Arc::default(), reads: Reads::Cached }
    }

    /// This client with reads that always see the present.
    pub fn consistent(&self) -> Client {
        Client { reads: Reads::Consistent, ..self.clone() }
    }

    /// This client with views that do not go back behind what any monotonic client of its name has seen: after a
    /// restart it sees nothing older than before.
    pub fn monotonic(&self) -> Client {
        Client { seen: self.store.view(&self.name), ..self.clone() }
    }

    /// The name that it writes under.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    // Reading.

    /// The value of an entry, if it is there.
    ///
    /// # Errors
    /// A fault; or the value is not of that type.
    #[track_caller]
    pub fn get<T: DeserializeOwned>(
        &self,
        key: impl Into<Key>,
    ) -> impl Future<Output = Result<Option<T>, StoreError>> {
        let entry = self.entry(key);
        async move { entry.await?.map(|entry| parse(&entry)).transpose() }
    }

    /// An entry, if it is there: with the version that an update has to name.
    ///
    /// # Errors
    /// A fault.
    #[track_caller]
    pub fn entry(&self, key: impl Into<Key>) -> impl Future<Output = Result<Option<Entry>, StoreError>> {
        let (key, point) = (key.into(), point(READ, Access::Read));
        async move {
            let look = |state: &State, index| Ok(state.get_at(&key, index)?.map(|entry| (**entry).clone()));
            let (found, _) = self.read(point, &key, look).await?;
            Ok(found)
        }
    }

    /// The entries of a kind, and the index that they were read at.
    ///
    /// # Errors
    /// A fault.
    #[track_caller]
    pub fn list(&self, kind: impl Into<Arc<str>>) -> impl Future<Output = Result<Listing, StoreError>> {
        let (topic, point) = (Topic::kind(kind), point(READ, Access::Read));
        async move {
            let look = |state: &State, index| state.list_at(&topic.kind, index);
            let (found, index) = self.read(point, &topic, look).await?;
            Ok(Listing { index, entries: found.iter().map(|entry| (**entry).clone()).collect() })
        }
    }

    // Writing.

    /// Writes an entry, blindly; its new version.
    ///
    /// # Errors
    /// A fault; or the value cannot be stored.
    #[track_caller]
    pub fn put(
        &self,
        key: impl Into<Key>,
        value: impl Serialize,
    ) -> impl Future<Output = Result<u64, StoreError>> {
        self.write(writing(key.into(), value, |key, value| Op::Put { key, value }))
    }

    /// Writes an entry that must not be there; its version.
    ///
    /// # Errors
    /// It is there; or a fault.
    #[track_caller]
    pub fn create(
        &self,
        key: impl Into<Key>,
        value: impl Serialize,
    ) -> impl Future<Output = Result<u64, StoreError>> {
        self.write(writing(key.into(), value, |key, value| Op::Create { key, value }))
    }

    /// Writes an entry that must be at `version`, as it was read; its new version.
    ///
    /// # Errors
    /// It is at another or gone ([`StoreError::is_conflict`]); or a fault.
    #[track_caller]
    pub fn update(
        &self,
        key: impl Into<Key>,
        version: u64,
        value: impl Serialize,
    ) -> impl Future<Output = Result<u64, StoreError>> {
        self.write(writing(key.into(), value, move |key, value| Op::Update { key, version, value }))
    }

    /// Deletes an entry; the index of that.
    ///
    /// # Errors
    /// It is not there; or a fault.
    #[track_caller]
    pub fn delete(&self, key: impl Into<Key>) -> impl Future<Output = Result<u64, StoreError>> {
        self.write(Ok(Op::Delete { key: key.into(), version: None }))
    }

    /// Deletes an entry that must be at `version`; the index of that.
    ///
    /// # Errors
    /// It is at another or gone ([`StoreError::is_conflict`]); or a fault.
    #[track_caller]
    pub fn delete_at(
        &self,
        key: impl Into<Key>,
        version: u64,
    ) -> impl Future<Output = Result<u64, StoreError>> {
        self.write(Ok(Op::Delete { key: key.into(), version: Some(version) }))
    }

    /// Commits operations together, or none of them; the index after that.
    ///
    /// # Errors
    /// What one of them demands is not so; or a fault.
    #[track_caller]
    pub fn transact(&self, transaction: Transaction) -> impl Future<Output = Result<u64, StoreError>> {
        let point = point(WRITE, Access::Write);
        async move {
            match transaction.invalid {
                Some(error) => Err(error),
                None => self.commit(point, &transaction.ops).await,
            }
        }
    }

    // Watching.

    /// A watch of a kind (`"route"`) or of one entry (its key).
    ///
    /// # Errors
    /// There is no such kind, or the index is compacted or not reached; or a fault.
    #[track_caller]
    pub fn watch(
        &self,
        topic: impl Into<Topic>,
        from: WatchFrom,
    ) -> impl Future<Output = Result<Watch, StoreError>> {
        let (topic, point) = (topic.into(), point(WATCH, Access::Read));
        async move {
            let object = self.call(point, "store.watch", &topic).await?;
            let legs = self.store.latency().draw();
            pass(legs.there).await;
            let view = match from {
                WatchFrom::Index(_) => View::default(),
                WatchFrom::Snapshot | WatchFrom::Resume(_) => self.view(&object),
            };
            let (id, bell, index) = self.store.open(&topic, from, view, &self.name)?;
            if from == WatchFrom::Snapshot {
                self.seen.store(index, Ordering::Relaxed);
            }
            let watch = Watch::new(self.clone(), topic, id, bell, true);
            pass(legs.back).await;
            Ok(watch)
        }
    }

    // What all of them do.

    /// The beginning of every call; the object in the words of a plan, if there is one.
    async fn call(
        &self,
        point: Point,
        site: &'static str,
        object: &(dyn fmt::Display + Sync),
    ) -> Result<String, StoreError> {
        point.await;
        let object = in_words(object);
        failpoint_on(site, &object).await?;
        Ok(object)
    }

    async fn read<R>(
        &self,
        point: Point,
        object: &(dyn fmt::Display + Sync),
        look: impl FnOnce(&State, u64) -> Result<R, StoreError>,
    ) -> Result<(R, u64), StoreError> {
        let object = self.call(point, "store.read", object).await?;
        let legs = self.store.latency().draw();
        pass(legs.there).await;
        let found = self.store.look(self.view(&object), look);
        if let Ok((_, index)) = &found {
            // No older than before, unless the store itself went back.
            self.seen.store(*index, Ordering::Relaxed);
        }
        pass(legs.back).await;
        found
    }

    /// What it sees: the store as it is, or as a fault has it.
    fn view(&self, object: &str) -> View {
        let age = match self.reads {
            Reads::Cached => AGES[ask(SITE_STALE, object) as usize % AGES.len()],
            Reads::Consistent => 0,
        };
        View { age, seen: self.seen.load(Ordering::Relaxed) }
    }

    /// A watch has delivered what happened at this index: the cache holds it.
    pub(super) fn has_seen(&self, index: u64) {
        self.seen.fetch_max(index, Ordering::Relaxed);
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    #[track_caller]
    fn write(&self, op: Result<Op, StoreError>) -> impl Future<Output = Result<u64, StoreError>> {
        let point = point(WRITE, Access::Write);
        async move { self.commit(point, std::slice::from_ref(&op?)).await }
    }

    async fn commit(&self, point: Point, ops: &[Op]) -> Result<u64, StoreError> {
        let Some(first) = ops.first() else { return Ok(self.store.index()) };
        let key = first.key();
        let object = self.call(point, "store.write", key).await?;
        let legs = self.store.latency().draw();
        pass(legs.there).await;
        if !legs.there.is_zero() {
            // The access that the call declared lies in an earlier turn.
            current::try_with(|world| world.access(OBJECT.hash(), Access::Write));
        }
        let before = self.store.index();
        let result = match refused(ops, &object) {
            Some(conflict) => Err(conflict),
            None => self.store.commit(ops, &self.name),
        };
        if result.as_ref().is_ok_and(|index| *index > before) {
            crash_point(&object).await;
            if ask(SITE_ANSWER, &object) != 0 {
                return Err(StoreError::Unanswered { key: key.clone() });
            }
        }
        pass(legs.back).await;
        result
    }
}

fn writing(
    key: Key,
    value: impl Serialize,
    op: impl FnOnce(Key, Arc<Value>) -> Op,
) -> Result<Op, StoreError> {
    match serde_json::to_value(value) {
        Ok(value) => Ok(op(key, Arc::new(value))),
        Err(error) => Err(StoreError::Value { key, message: error.to_string() }),
    }
}

/// The conflict that a fault makes up, for writes that can meet one.
fn refused(ops: &[Op], object: &str) -> Option<StoreError> {
    let (op, expected) = ops.iter().find_map(|op| Some((op, op.expected()?)))?;
    let is_refused = ask(SITE_CONFLICT, object) != 0;
    is_refused.then(|| StoreError::Conflict { key: op.key().clone(), expected, found: Some(expected) })
}

#[track_caller]
pub(super) fn point(label: Label, access: Access) -> Point {
    Point::operation(label, OBJECT.hash(), access, Location::caller())
}

/// The object's name, which only a plan with rules asks for.
pub(super) fn in_words(object: &(dyn fmt::Display + Sync)) -> String {
    let is_asked = current::try_with(|world| !world.quiet && !world.plan.rules.is_empty());
    if is_asked == Some(true) { object.to_string() } else { String::new() }
}

fn parse<T: DeserializeOwned>(entry: &Entry) -> Result<T, StoreError> {
    entry.parse().map_err(|error| StoreError::Value { key: entry.key.clone(), message: error.to_string() })
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("name", &self.name).finish_non_exhaustive()
    }
}
