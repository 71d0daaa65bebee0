//! The cluster: makes objects what was asked for, after a while, and removes those that are to go. It never crashes, and it
//! knows neither plans nor the controller.
//!
//! | site | what happens |
//! |---|---|
//! | `cluster.rollout` on `object/kind/name` | the rollout takes longer; or fails: a job or a pipe's pod for good, others begin again |
//! | `cluster.removal` on `object/kind/name` | the removal takes longer |

use std::sync::Arc;

use super::view::View;
use crate::emit;
use crate::fault::failpoint_on;
use crate::store::{Entry, Event, Key, Payload, WatchFrom};
use crate::systems::plan::object::{OBJECT, Object, ObjectStatus};
use crate::systems::plan::task::is_pipe_pod;
use crate::task::spawn_named;
use crate::time::{Duration, sleep};
use crate::trace::{Record, Value};

/// The sites of its own.
pub(super) const SITES: &[&str] = &["cluster.rollout", "cluster.removal"];

/// What became of an object.
#[derive(Clone, Debug)]
enum ClusterEvent {
    Ready { object: Key, generation: u64 },
    Failed { object: Key },
    Removed { object: Key },
}

impl Record for ClusterEvent {
    fn name(&self) -> &'static str {
        match self {
            ClusterEvent::Ready { .. } => "cluster.ready",
            ClusterEvent::Failed { .. } => "cluster.failed",
            ClusterEvent::Removed { .. } => "cluster.removed",
        }
    }

    fn fields(&self, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        match self {
            ClusterEvent::Ready { object, generation } => {
                visit("object", Value::Str(&object.to_string()));
                visit("generation", Value::U64(*generation));
            }
            ClusterEvent::Failed { object } | ClusterEvent::Removed { object } => {
                visit("object", Value::Str(&object.to_string()));
            }
        }
    }
}

/// The cluster of a world.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    pub(super) view: View,
    /// How long a rollout takes.
    pub(super) rollout: Duration,
    /// How long a removal takes.
    pub(super) removal: Duration,
}

impl Cluster {
    /// Serves for ever.
    pub(super) async fn run(self) {
        loop {
            let Ok(mut watch) = self.view.store.watch(OBJECT, WatchFrom::Snapshot) else {
                sleep(self.rollout).await;
                continue;
            };
            while let Ok(event) = watch.next().await {
                self.hear(&event);
            }
        }
    }

    fn hear(&self, event: &Event) {
        let Payload::Batch(changes) = &event.payload else { return };
        for entry in changes.iter().filter_map(|change| change.value.as_ref()) {
            let Some(object) = self.view.object(entry) else { continue };
            let is_behind = object.status.observed != object.generation && Object::has_health(&object.kind);
            let (cluster, entry) = (self.clone(), entry.clone());
            if object.deleting {
                spawn_named(Arc::from("removal"), async move { cluster.remove(&entry).await });
            } else if is_behind {
                spawn_named(Arc::from("rollout"), async move { cluster.roll_out(&entry, &object).await });
            }
        }
    }

    async fn roll_out(&self, entry: &Entry, object: &Object) {
        let key = entry.key.clone();
        let can_fail = object.kind == "Job" || is_pipe_pod(&key);
        let failed = failpoint_on("cluster.rollout", &key.to_string()).await.is_err();
        sleep(self.rollout).await;
        if failed && !can_fail {
            sleep(self.rollout).await;
        }
        let Some(mut now) = self.still(entry).filter(|now| now.generation == object.generation) else {
            return;
        };
        let is_failed = failed && can_fail;
        now.status = ObjectStatus { observed: object.generation, ready: !is_failed, failed: is_failed };
        if self.view.store.put(key.clone(), &now).is_ok() {
            emit(match is_failed {
                true => ClusterEvent::Failed { object: key },
                false => ClusterEvent::Ready { object: key, generation: object.generation },
            });
        }
    }

    async fn remove(&self, entry: &Entry) {
        let key = entry.key.clone();
        // A removal that fails is made again.
        let failed = failpoint_on("cluster.removal", &key.to_string()).await.is_err();
        sleep(if failed { self.removal * 2 } else { self.removal }).await;
        if self.still(entry).is_some_and(|now| now.deleting) && self.view.store.delete(key.clone()).is_ok() {
            emit(ClusterEvent::Removed { object: key });
        }
    }

    /// The object as it is now, if it is still the one of this entry.
    fn still(&self, entry: &Entry) -> Option<Object> {
        let now = self.view.store.entry(entry.key.clone()).filter(|now| now.created == entry.created)?;
        self.view.object(&now).map(Arc::unwrap_or_clone)
    }
}
