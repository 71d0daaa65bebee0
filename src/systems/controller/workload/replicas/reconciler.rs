//! What a leader does about one set: reads it and its pods, plans, and writes under the fence. It must not know who leads.
//!
//! It is handed a name and starts from what is there now; who was heard to be deleted, created or changed plays no part.

use super::kinds::{Held, NOTE, POD, Pod, SET, STATUS, Set, Status, pod_name};
use super::pen::Pen;
use super::plan::{Step, View};
use super::variant::Variant;
use crate::store::{Client, Key, StoreError, Transaction};
use crate::systems::controller::workload::read;
use crate::systems::controller::{BoxFuture, Context, ReconcileError, Reconciler, Request, requeue_after};
use crate::time::Duration;

/// The kind of the requests that say that a set was deleted; only a variant makes any.
pub(super) const DELETED: &str = "deleted-set";
/// Names that [`Variant::NextName`] tries.
const NAMES_MAX: u32 = 4;

/// Reconciles sets, in one leadership.
pub(super) struct Sets {
    pub(super) pen: Pen,
    /// Reads what its cache holds.
    pub(super) client: Client,
    /// Another client, which the watches tell nothing.
    pub(super) past_cache: Client,
    pub(super) resync: Duration,
    pub(super) notes: bool,
}

impl Reconciler for Sets {
    fn reconcile(&self, _: Context, request: Request) -> BoxFuture<'_, Result<(), ReconcileError>> {
        Box::pin(self.reconcile_set(request))
    }
}

impl Sets {
    async fn reconcile_set(&self, request: Request) -> Result<(), ReconcileError> {
        let mut view = self.look(&request).await?;
        let steps = view.steps(self.pen.variant);
        if self.pen.variant == Variant::DeletionHeard && view.set.is_none() && &*request.kind == SET {
            return Ok(());
        }
        let is_still = steps.is_empty();
        for step in steps {
            let is_roll = matches!(step, Step::Roll { .. });
            match self.take(&mut view, step).await {
                Err(error) if self.pen.variant == Variant::RollOnError && is_roll && passes_over(&error) => {}
                Ok(()) if is_roll => break,
                result => result?,
            }
        }
        if view.set.is_none() && is_still {
            return Ok(());
        }
        if is_still {
            self.tell(&view).await?;
        }
        Err(requeue_after(self.resync))
    }

    async fn look(&self, request: &Request) -> Result<View, StoreError> {
        let name = &request.name;
        let reader = match self.pen.variant {
            Variant::StaleSurplus => &self.past_cache,
            _ => &self.client,
        };
        let set = reader.entry((SET, name.clone())).await?;
        read(request, set.as_ref());
        let pods = self.client.list(POD).await?;
        let pods = pods.entries.iter().map(Held::<Pod>::of).filter(|pod| *pod.value.set == **name);
        let mut pods: Vec<Held<Pod>> = pods.collect();
        let status = self.client.entry((STATUS, name.clone())).await?.as_ref().map(Held::<Status>::of);
        if self.pen.variant == Variant::StatusAsTruth {
            let known = status.as_ref().map(|status| &*status.value.pods).unwrap_or_default();
            pods.retain(|pod| known.iter().any(|name| **name == *pod.key.name));
        }
        pods.sort_by_key(Held::index);
        let set = set.as_ref().map(Held::<Set>::of);
        Ok(View { name: name.to_string(), set, pods, status })
    }

    async fn take(&self, view: &mut View, step: Step) -> Result<(), StoreError> {
        match step {
            Step::Create { key, pod } => self.create(view, key, pod).await,
            Step::Remove { pod, because } => {
                self.strike_off(view, &pod.key).await?;
                self.pen.decides("delete", &pod.key.name, because);
                self.remove(view, pod).await
            }
            Step::Roll { pod, others, because } => {
                self.strike_off(view, &pod.key).await?;
                self.pen.decides("delete", &pod.key.name, because);
                let delete = self.same_set(view, Transaction::new().delete_at(pod.key, pod.version));
                let delete = match self.pen.variant {
                    Variant::RollOnError => delete,
                    _ => others.into_iter().fold(delete, |all, (key, at)| all.check(key, Some(at))),
                };
                self.pen.commit(delete).await.map(drop)
            }
            Step::Forget { status } => {
                let version = view.status.take().map_or(status.version, |status| status.version);
                let delete = Transaction::new().delete_at(status.key, version);
                self.pen.commit(self.same_set(view, delete)).await.map(drop)
            }
        }
    }

    /// The transaction, and that the set is still as it was seen.
    fn same_set(&self, view: &View, transaction: Transaction) -> Transaction {
        transaction.check((SET, view.name.as_str()), view.set.as_ref().map(|set| set.version))
    }

    async fn create(&self, view: &mut View, key: Key, pod: Pod) -> Result<(), StoreError> {
        let at = view.set.as_ref().map_or(0, |set| set.version);
        self.pen.decides("create", &key.name, format!("the set asks for it at version {at}"));
        let create = |key: Key| self.same_set(view, Transaction::new().create(key, &pod));
        let mut created = self.pen.commit(create(key.clone())).await;
        if self.pen.variant == Variant::NextName {
            let count = view.set.as_ref().map_or(0, |set| set.value.count);
            for index in count..count + NAMES_MAX {
                if created.as_ref().is_err_and(StoreError::is_already_exists) {
                    let name = pod_name(&view.name, index);
                    self.pen.decides("create", &name, format!("the name {} is somebody else's", key.name));
                    created = self.pen.commit(create(Key::new(POD, name))).await;
                }
            }
        }
        if self.pen.variant == Variant::StatusAsTruth {
            created = created.or_else(|error| if error.is_already_exists() { Ok(0) } else { Err(error) });
        }
        created?;
        if self.notes {
            self.pen.commit(Transaction::new().put((NOTE, key.name.clone()), &pod)).await?;
        }
        self.record(view, &key).await
    }

    async fn remove(&self, view: &View, pod: Held<Pod>) -> Result<(), StoreError> {
        if self.pen.variant != Variant::StaleSurplus {
            let delete = Transaction::new().delete_at(pod.key, pod.version);
            return self.pen.commit(self.same_set(view, delete)).await.map(drop);
        }
        match self.pen.commit(Transaction::new().delete(pod.key)).await {
            Err(error) if error.is_not_found() => Ok(()),
            result => result.map(drop),
        }
    }

    /// Writes what is known of the set, if that is news.
    async fn tell(&self, view: &View) -> Result<(), StoreError> {
        let Some(set) = &view.set else { return Ok(()) };
        let status = view.status_now(&set.value);
        if view.status.as_ref().is_some_and(|known| known.value == status) {
            return Ok(());
        }
        self.write_status(view, &status).await.map(drop)
    }

    async fn write_status(&self, view: &View, status: &Status) -> Result<u64, StoreError> {
        let key = Key::new(STATUS, view.name.as_str());
        let write = match &view.status {
            None => Transaction::new().create(key, status),
            Some(known) => Transaction::new().update(key, known.version, status),
        };
        self.pen.commit(self.same_set(view, write)).await
    }

    // What only the variant does that takes the status for the truth.

    async fn record(&self, view: &mut View, pod: &Key) -> Result<(), StoreError> {
        let Some(set) = view.set.as_ref().filter(|_| self.pen.variant == Variant::StatusAsTruth) else {
            return Ok(());
        };
        let Set { uid, template, .. } = set.value;
        let empty = || Status { uid, template, ready: 0, pods: Vec::new() };
        let mut status = view.status.as_ref().map_or_else(empty, |known| known.value.clone());
        status.pods.push(pod.name.to_string());
        self.keep_status(view, status).await
    }

    async fn strike_off(&self, view: &mut View, pod: &Key) -> Result<(), StoreError> {
        let Some(known) = view.status.as_ref().filter(|_| self.pen.variant == Variant::StatusAsTruth) else {
            return Ok(());
        };
        let mut status = known.value.clone();
        status.pods.retain(|name| **name != *pod.name);
        self.keep_status(view, status).await
    }

    async fn keep_status(&self, view: &mut View, mut status: Status) -> Result<(), StoreError> {
        status.pods.sort();
        status.pods.dedup();
        let version = self.write_status(view, &status).await?;
        let key = Key::new(STATUS, view.name.as_str());
        view.status = Some(Held { key, version, value: status });
        Ok(())
    }
}

/// Whether a deletion came to nothing, as [`Variant::RollOnError`] has it: also one whose answer was lost.
fn passes_over(error: &StoreError) -> bool {
    error.is_conflict() || error.is_not_found() || error.is_unanswered()
}
