//! The collector: deletes what has no living owner, and does what must be done before entries may go.
//!
//! | asked for | what it does |
//! |---|---|
//! | background | a dependent goes when the last of its owners is gone; references to owners that are gone are removed |
//! | foreground | the owner stays until its dependents are gone, which are deleted first |
//! | orphan | the references to the owner are removed from its dependents, then it goes |
//! | cloud | the disk of an entry is released, then the entry goes |
//!
//! It decides on what it read, and writes only if that is still so: whether an owner lives is read from the store as it
//! is now and not from a cache, and what it writes names the version that it has read. Each entry is looked at again
//! after a while, as events can be missed.

use super::caches::Caches;
use super::cloud::{Cloud, CloudError};
use super::model::{CLOUD, DATABASE, DEPENDENTS, FOREGROUND, Held, OBJECTS, ORPHAN, Object, Owner, REPORT};
use super::record::CollectorEvent;
use super::variant::Variant;
use crate::emit;
use crate::store::{Client, Key, Reads, Store};
use crate::sync::CancellationToken;
use crate::systems::controller::work_queue::{BoxFuture, Shutdown};
use crate::systems::controller::{
    Context, Controller, ReconcileError, Reconciler, Request, RunError, Topic, requeue_after,
};
use crate::time::Duration;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The delay after the first failure, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(10));
/// How soon an owner looks again whether its dependents are gone.
const FOREGROUND_AGAIN: Duration = Duration::from_secs(1);
const WORKERS: u32 = 2;

/// What every collector of a run has.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) cloud: Cloud,
    pub(super) variant: Variant,
    pub(super) resync: Duration,
    pub(super) reports: bool,
}

/// One incarnation of the collector.
pub(super) struct Collector {
    settings: Settings,
    caches: Caches,
    /// Sees the present, and writes.
    direct: Client,
    /// The dependents that the deletion of an owner told of: all that matters to `Variant::DeleteEventOnly`.
    told: Mutex<BTreeSet<Key>>,
}

type Reconciled = Result<(), ReconcileError>;

impl Collector {
    /// A collector that has seen nothing yet, and writes under this name.
    pub(super) fn new(settings: Settings, store: &Store, name: &'static str) -> Collector {
        let (caches, direct) = (Caches::new(store, name), store.client(name).consistent());
        Collector { settings, caches, direct, told: Mutex::default() }
    }

    /// Collects until its host crashes.
    pub(super) async fn run(self) -> Result<(), RunError> {
        let builder = Controller::builder(Arc::new(self.caches.clone()), self).workers(WORKERS);
        let builder = builder.backoff(BACKOFF.0, BACKOFF.1).expect("the backoff grows");
        let builder = OBJECTS.into_iter().fold(builder, |builder, kind| builder.subscribe(Topic::all(kind)));
        let (controller, _) = builder.build();
        controller.run(CancellationToken::new(), Shutdown::Drop).await
    }

    async fn look_after(&self, context: &Context, key: &Key) -> Reconciled {
        let found = self.held(key, Reads::Cached).await?;
        // What is about to go tells its dependents when it has gone.
        let is_going = found.as_ref().is_some_and(|found| found.object.deleting);
        if &*key.kind == DATABASE && !is_going {
            self.wake_dependents(context, key, found.as_ref()).await?;
        }
        let Some(found) = found else { return Ok(()) };
        match is_going {
            true => self.finalize(&found).await?,
            false => self.judge(&found).await?,
        }
        Err(requeue_after(self.settings.resync))
    }

    fn has(&self, variant: Variant) -> bool {
        self.settings.variant == variant
    }

    // Dependents.

    /// Has all dependents judged that refer to a database of this name and of another uid than the one there is.
    async fn wake_dependents(&self, context: &Context, key: &Key, found: Option<&Held>) -> Reconciled {
        let uid = found.map(|found| &found.object.uid);
        let refers = |owner: &Owner| *owner.name == *key.name && Some(&owner.uid) != uid;
        for held in self.dependents(refers, Reads::Cached).await? {
            self.told().insert(held.key());
            let request = Request::new(held.entry.key.kind, held.entry.key.name);
            context.handle().enqueue([request]).await;
        }
        Ok(())
    }

    /// Collects a dependent whose owners are all gone; where some are left, removes the references to the others.
    async fn judge(&self, found: &Held) -> Reconciled {
        if self.has(Variant::DeleteEventOnly) && !self.told().contains(&found.entry.key) {
            emit(CollectorEvent::NoNews { dependent: found.key() });
            return Ok(());
        }
        let mut living = Vec::new();
        for owner in &found.object.owners {
            if self.lives(found, owner).await? {
                living.push(owner.clone());
            }
        }
        if living.len() == found.object.owners.len() {
            return Ok(());
        }
        if living.is_empty() {
            return self.delete(found).await;
        }
        crate::property::reachable("shared-kept");
        self.update(found, Object { owners: living, ..found.object.clone() }).await
    }

    async fn lives(&self, dependent: &Held, owner: &Owner) -> Result<bool, ReconcileError> {
        let reads = if self.has(Variant::OwnerFromCache) { Reads::Cached } else { Reads::Consistent };
        let found = self.held(&Key::new(DATABASE, owner.name.as_str()), reads).await?;
        let uid = found.map(|found| found.object.uid);
        let lives = match self.has(Variant::OwnerByName) {
            true => uid.is_some(),
            false => uid.as_ref() == Some(&owner.uid),
        };
        if !lives || uid.as_ref() != Some(&owner.uid) {
            emit(CollectorEvent::Judged {
                dependent: dependent.key(),
                version: dependent.entry.version,
                owner: owner.clone(),
                found: uid.unwrap_or_else(|| "no database".to_owned()),
                lives,
            });
        }
        Ok(lives)
    }

    /// Deletes an entry as it was read, or asks for that where finalizers are left.
    async fn delete(&self, found: &Held) -> Reconciled {
        if !found.object.finalizers.is_empty() {
            return self.update(found, Object { deleting: true, ..found.object.clone() }).await;
        }
        match self.has(Variant::BlindDelete) {
            true => self.direct.delete(found.key()).await?,
            false => self.direct.delete_at(found.key(), found.entry.version).await?,
        };
        Ok(())
    }

    async fn update(&self, found: &Held, object: Object) -> Reconciled {
        self.direct.update(found.key(), found.entry.version, object).await?;
        Ok(())
    }

    // Finalizers.

    /// Does what the next finalizer of this collector asks for, and removes it.
    async fn finalize(&self, found: &Held) -> Reconciled {
        let own = |finalizer: &&String| [CLOUD, FOREGROUND, ORPHAN].contains(&finalizer.as_str());
        let Some(next) = found.object.finalizers.iter().find(own) else { return Ok(()) };
        match next.as_str() {
            FOREGROUND => self.delete_dependents(found).await?,
            ORPHAN if self.has(Variant::OrphansReleasedLast) => {
                self.remove_finalizer(found, next).await?;
                return self.release_dependents(found).await;
            }
            ORPHAN => self.release_dependents(found).await?,
            _ if self.has(Variant::FinalizerFirst) => {
                self.remove_finalizer(found, next).await?;
                return self.release_disk(found).await;
            }
            _ => self.release_disk(found).await?,
        }
        self.remove_finalizer(found, next).await
    }

    /// Deletes what depends on an owner and on no other; an error as long as there is anything.
    async fn delete_dependents(&self, found: &Held) -> Reconciled {
        let owner = found.as_owner();
        let reads = if self.has(Variant::ForegroundFromCache) { Reads::Cached } else { Reads::Consistent };
        let dependents = self.dependents(|other| *other == owner, reads).await?;
        emit(CollectorEvent::Foreground { owner: found.key(), dependents: dependents.len() as u64 });
        for dependent in &dependents {
            match &dependent.object {
                object if object.deleting => {}
                object if object.owners.len() > 1 => {
                    self.update(dependent, object.without_owner(&owner)).await?;
                }
                _ => self.delete(dependent).await?,
            }
        }
        if dependents.is_empty() { Ok(()) } else { Err(requeue_after(FOREGROUND_AGAIN)) }
    }

    /// Removes the references to an owner from its dependents.
    async fn release_dependents(&self, found: &Held) -> Reconciled {
        let owner = found.as_owner();
        for dependent in self.dependents(|other| *other == owner, Reads::Consistent).await? {
            let object = dependent.object.without_owner(&owner);
            self.update(&dependent, object).await?;
            emit(CollectorEvent::Orphaned { dependent: dependent.key(), owner: owner.clone() });
        }
        Ok(())
    }

    /// Releases the disk of an entry; that it is gone already is as good.
    async fn release_disk(&self, found: &Held) -> Reconciled {
        let uid = &found.object.uid;
        if self.settings.reports {
            self.direct.put((REPORT, uid.as_str()), "its disk is released").await?;
        }
        match self.settings.cloud.release(uid).await {
            Err(CloudError::NoDisk(_)) if !self.has(Variant::CleanupNotIdempotent) => {
                crate::property::reachable("released-twice");
                Ok(())
            }
            Err(error) => {
                emit(CollectorEvent::NotReleased { entry: found.key(), error: error.to_string() });
                Err(error.into())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Removes a finalizer from an entry as it was read; with the last one goes the entry.
    async fn remove_finalizer(&self, found: &Held, finalizer: &str) -> Reconciled {
        let rest = found.object.without_finalizer(finalizer);
        emit(CollectorEvent::RemovesFinalizer {
            entry: found.key(),
            version: found.entry.version,
            finalizer: finalizer.to_owned(),
            left: rest.finalizers.join(", "),
        });
        if rest.finalizers.is_empty() {
            self.direct.delete_at(found.key(), found.entry.version).await?;
        } else if self.has(Variant::BlindFinalizer) {
            self.direct.put(found.key(), rest).await?;
        } else {
            self.update(found, rest).await?;
        }
        Ok(())
    }

    // Reading.

    async fn held(&self, key: &Key, reads: Reads) -> Result<Option<Held>, ReconcileError> {
        let found = self.reader(&key.kind, reads).entry(key.clone()).await?;
        Ok(found.map(Held::of).transpose()?)
    }

    /// The dependents with such an owner.
    async fn dependents(
        &self,
        owned: impl Fn(&Owner) -> bool,
        reads: Reads,
    ) -> Result<Vec<Held>, ReconcileError> {
        let mut found = Vec::new();
        for kind in DEPENDENTS {
            for entry in self.reader(kind, reads).list(kind).await? {
                let held = Held::of(entry)?;
                if held.object.owners.iter().any(&owned) {
                    found.push(held);
                }
            }
        }
        Ok(found)
    }

    fn reader(&self, kind: &str, reads: Reads) -> &Client {
        match reads {
            Reads::Cached => self.caches.of(kind),
            Reads::Consistent => &self.direct,
        }
    }

    fn told(&self) -> std::sync::MutexGuard<'_, BTreeSet<Key>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reconciler for Collector {
    fn reconcile(&self, context: Context, request: Request) -> BoxFuture<'_, Reconciled> {
        Box::pin(async move {
            let key = Key::new(request.kind.clone(), request.name.clone());
            self.look_after(&context, &key).await
        })
    }
}
