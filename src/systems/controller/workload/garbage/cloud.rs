//! The cloud: disks outside the store, by the uid of the entry that they belong to. It never crashes, and it must not know
//! the store.

use crate::emit;
use crate::fault::{Injected, crash_point, failpoint_on};
use crate::trace::{Record, Value};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The disks that exist, and cost money. Clones are one cloud.
#[derive(Clone, Debug, Default)]
pub(super) struct Cloud(Arc<Mutex<BTreeSet<String>>>);

/// Why a disk was not released.
#[derive(Debug, thiserror::Error)]
pub(super) enum CloudError {
    #[error("there is no disk {0}")]
    NoDisk(String),
    #[error(transparent)]
    Injected(#[from] Injected),
}

/// What became of a disk.
#[derive(Clone, Debug)]
pub(super) enum CloudEvent {
    Created { disk: String },
    Released { disk: String },
    Missing { disk: String },
}

impl Record for CloudEvent {
    fn name(&self) -> &'static str {
        match self {
            CloudEvent::Created { .. } => "cloud.created",
            CloudEvent::Released { .. } => "cloud.released",
            CloudEvent::Missing { .. } => "cloud.no-such-disk",
        }
    }

    fn fields(&self, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        let (CloudEvent::Created { disk } | CloudEvent::Released { disk } | CloudEvent::Missing { disk }) =
            self;
        visit("disk", Value::Str(disk));
    }
}

impl Cloud {
    /// Makes a disk, at once.
    pub(super) fn create(&self, uid: &str) {
        self.disks().insert(uid.to_owned());
        emit(CloudEvent::Created { disk: uid.to_owned() });
    }

    /// Releases a disk, as a call from a host: it may be slow or fail before its effect, and its host may crash after.
    ///
    /// # Errors
    /// There is no such disk; or a fault.
    pub(super) async fn release(&self, uid: &str) -> Result<(), CloudError> {
        failpoint_on("effect", uid).await?;
        let disk = uid.to_owned();
        if !self.disks().remove(uid) {
            emit(CloudEvent::Missing { disk: disk.clone() });
            return Err(CloudError::NoDisk(disk));
        }
        emit(CloudEvent::Released { disk });
        crash_point(&format!("effect release {uid}")).await;
        Ok(())
    }

    /// The disks that exist.
    pub(super) fn all(&self) -> BTreeSet<String> {
        self.disks().clone()
    }

    fn disks(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
